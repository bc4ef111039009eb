"""The film: the content of a stack file."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from scipy import constants

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.over_temperature import (
    AnisotropyTable,
    FieldTable,
    MagnetizationTable,
    OverTemperature,
)
from mtjchar.fields import (
    Angle,
    Description,
    Duration,
    FluxDensity,
    InUnit,
    Label,
    Length,
    Number,
    Temperature,
    Voltage,
    inconsistent,
)
from mtjchar.physics.anisotropy import REFERENCE_TEMPERATURE, Demagnetization, interfacial_anisotropy
from mtjchar.physics.reversal import anisotropy_of_barrier
from mtjchar.physics.torque import TorqueLaw, symmetric_efficiency
from mtjchar.units import compact

__all__ = [
    "ANISOTROPIES",
    "DIAMETER_RANGE",
    "MeasuredField",
    "MeasuredStability",
    "SecondBarrier",
    "Stack",
]

DIAMETER_RANGE = (5e-9, 500e-9)
"""Range of junction diameters, m."""

_LARGEST_ANISOTROPY = 10e-3  # J/m^2
_BACK_HOPPING = ("back_hopping_current_density", "back_hopping_stability", "back_hopping_direction")


class MeasuredStability(Description):
    """Thermal stability of a circular junction at 300 K."""

    value: Number = Field(ge=5, le=1000)
    diameter: Length = Field(gt=DIAMETER_RANGE[0], lt=DIAMETER_RANGE[1])


class MeasuredField(Description):
    """Effective anisotropy field mu0 Hk at 300 K of a circular junction, without `diameter` of the film."""

    value: FluxDensity = Field(gt=0, le=5)
    diameter: Length | None = Field(default=None, gt=DIAMETER_RANGE[0], lt=DIAMETER_RANGE[1])


class SecondBarrier(Description):
    """A second tunnel barrier on the other side of the free layer, in series, with its own reference layer.

    `reference` is the direction of that layer relative to the first reference layer. If it is
    ``"antiparallel"``, both torques act in the same direction. `resistance_area_product` is that with the
    free layer parallel to the second reference layer, and `tmr` that of this barrier. A metallic spacer is a
    barrier with a small resistance-area product and without TMR. The torque law is that of the stack, with
    Lambda = 1.
    """

    resistance_area_product: Annotated[float, InUnit("ohm*m^2")] = Field(ge=1e-16, lt=1e-9)
    spin_polarization: Number = Field(ge=0, lt=1)
    reference: Literal["antiparallel", "parallel"]
    tmr: Number = Field(default=0.0, ge=0, lt=20, description="of this barrier at zero bias, a fraction")
    tmr_half_bias: Voltage | None = Field(
        default=None, gt=0.05, lt=10, description="voltage that halves this TMR; none: that of the stack"
    )

    @property
    def side(self) -> float:
        """Direction of its reference layer along the first one: 1 or -1."""
        return 1.0 if self.reference == "parallel" else -1.0


_AGREEMENT = 0.05
"""Relative difference of a table over temperature at 300 K from the stack's value that scaling removes."""

_NEWER = (
    "exchange_stiffness",
    "nucleation_diameter",
    "thermal_resistance_area",
    "thermal_time",
    *_BACK_HOPPING,
    "magnetization_over_temperature",
    "interfacial_anisotropy_over_temperature",
    "anisotropy_field_over_temperature",
    "second_barrier",
)

ANISOTROPIES = ("interfacial_anisotropy", "stability", "anisotropy_field")
"""Keys of a stack, exactly one of which must be given."""


class Stack(Description):
    """A film stack at 300 K; every field is SI, and the exponents describe the temperature dependence.

    The temperature laws, with ``m(T) = [1 - (T/Tc)^a] / [1 - (300 K/Tc)^a]``, ``a`` the
    `magnetization_exponent`: ``Ms ~ m``, ``Ki ~ m^anisotropy_exponent``,
    ``P ~ m^polarization_exponent`` and ``RA ~ (T/300 K)^resistance_exponent``; the TMR follows P by
    Julliere's formula. Measured tables take the place of these laws: `magnetization_over_temperature` gives
    m, and `interfacial_anisotropy_over_temperature` or `anisotropy_field_over_temperature` gives Ki. Their
    values are scaled to those of the stack at 300 K. A voltage V from the free to the reference layer lowers
    Ki by ``vcma_coefficient * V / barrier_thickness``.

    The current heats the junction if `thermal_resistance_area` and `thermal_time` are given, see
    `mtjchar.physics.heating`; 0 for both leaves the junction at the temperature of the cell.

    `exchange_stiffness` and `nucleation_diameter` lower the barrier of wide junctions, see
    `mtjchar.physics.reversal`; without them reversal is coherent at any diameter. The exchange stiffness is
    proportional to ``m^2``, as in mean field.

    `torque` names the law of the spin-transfer torque, see `mtjchar.physics.torque`. With a torque per
    current, a field-like torque is proportional to the current. With a torque per voltage it is proportional
    to the square of the voltage: ``field_like_torque * V / (1 V)`` times the damping-like one.

    A stack gives its anisotropy as one of `ANISOTROPIES`. A stability or an anisotropy field is converted to
    `interfacial_anisotropy`, with the demagnetizing factors that `demagnetization` names; the stack then
    contains only this value, and the other two are None.

    With `back_hopping_current_density` and `back_hopping_stability`, pulses destroy the bit that they have
    written, see `mtjchar.physics.back_hopping`; in one direction or both. The relaxation time is that of the
    free layer. The critical current density and the barrier do not depend on the temperature, so that the
    stability is inversely proportional to it.
    """

    name: Label = Field(min_length=1, max_length=200)
    reference: Label = Field(min_length=1, max_length=400, description="DOI or arXiv identifier")
    free_layer_thickness: Length = Field(gt=0.2e-9, lt=10e-9)
    saturation_magnetization: Annotated[float, InUnit("A/m")] = Field(gt=1e4, lt=3e6)
    interfacial_anisotropy: Annotated[float, InUnit("J/m^2")] = Field(
        default=math.nan, gt=0, lt=_LARGEST_ANISOTROPY
    )
    stability: MeasuredStability | None = None
    anisotropy_field: MeasuredField | None = None
    demagnetization: Demagnetization = "exact"
    damping: Number = Field(gt=1e-4, lt=0.5)
    spin_polarization: Number = Field(gt=0, lt=1)
    torque: TorqueLaw = "voltage"
    slonczewski_lambda: Number = Field(default=1.0, ge=1, le=3)
    resistance_area_product: Annotated[float, InUnit("ohm*m^2")] = Field(gt=1e-14, lt=1e-9)
    tmr: Number = Field(gt=0, lt=20, description="(R_AP - R_P)/R_P at zero bias, a fraction")
    tmr_half_bias: Voltage = Field(gt=0.05, lt=10, description="voltage that halves the TMR")
    reference_tilt: Angle = Field(
        default=0.0, ge=0, lt=math.pi / 2, description="of the reference layer, from z towards x"
    )
    barrier_thickness: Length = Field(default=1e-9, gt=0.3e-9, lt=5e-9)
    vcma_coefficient: Annotated[float, InUnit("J/(V*m)")] = Field(default=0.0, gt=-1e-12, lt=1e-12)
    field_like_torque: Number = Field(
        default=0.0,
        gt=-2,
        lt=2,
        description="ratio to the damping-like torque; where that goes with the voltage, at 1 V",
    )
    exchange_stiffness: Annotated[float, InUnit("J/m")] | None = Field(
        default=None, gt=1e-13, lt=1e-9, description="A, for reversal by a domain wall; none: coherent"
    )
    nucleation_diameter: Length | None = Field(
        default=None,
        gt=DIAMETER_RANGE[0],
        lt=DIAMETER_RANGE[1],
        description="of the sub-volume whose reversal starts the switching; none: the junction's",
    )
    curie_temperature: Temperature = Field(default=1100.0, gt=500, lt=1500)
    magnetization_exponent: Number = Field(default=1.5, gt=0, lt=5)
    anisotropy_exponent: Number = Field(default=2.2, ge=0, lt=5)
    polarization_exponent: Number = Field(default=1.0, ge=0, lt=5)
    resistance_exponent: Number = Field(default=0.0, gt=-2, lt=2)
    thermal_resistance_area: Annotated[float, InUnit("K*m^2/W")] = Field(
        default=0.0,
        ge=0,
        lt=1e-7,
        description="thermal resistance times area: a power P heats a junction of area A by this times P/A",
    )
    thermal_time: Duration = Field(
        default=0.0,
        ge=0,
        lt=1e-3,
        description="time in which the temperature of a junction follows its power",
    )
    magnetization_over_temperature: MagnetizationTable | None = None
    interfacial_anisotropy_over_temperature: AnisotropyTable | None = None
    anisotropy_field_over_temperature: FieldTable | None = None
    second_barrier: SecondBarrier | None = None
    back_hopping_current_density: Annotated[float, InUnit("A/m^2")] | None = Field(
        default=None, gt=1e8, lt=1e14, description="critical, of the current through the written junction"
    )
    back_hopping_stability: Number | None = Field(default=None, ge=10, le=190, description="at 300 K")
    back_hopping_direction: Literal["both", "p_to_ap", "ap_to_p"] = "both"

    @property
    def over_temperature(self) -> dict[str, OverTemperature]:
        """Measured tables, by their keys."""
        tables = {
            "magnetization_over_temperature": self.magnetization_over_temperature,
            "interfacial_anisotropy_over_temperature": self.interfacial_anisotropy_over_temperature,
            "anisotropy_field_over_temperature": self.anisotropy_field_over_temperature,
        }
        return {key: table for key, table in tables.items() if table is not None}

    @property
    def unused_exponents(self) -> tuple[str, ...]:
        """Keys of exponents without effect, because a measured table takes their place."""
        tables = self.over_temperature
        magnetization = ("magnetization_exponent",) if "magnetization_over_temperature" in tables else ()
        return magnetization + (("anisotropy_exponent",) if len(tables) > len(magnetization) else ())

    @model_validator(mode="after")
    def _check_torque(self) -> Self:
        if self.torque == "voltage" and self.slonczewski_lambda != 1.0:
            raise inconsistent(
                "slonczewski_lambda",
                '1 where torque = "voltage": a torque per voltage has the asymmetry of the junction already, '
                f'which is Lambda^2 = 1 + TMR. torque = "current" goes with {self.slonczewski_lambda:g}',
            )
        return self

    @model_validator(mode="after")
    def _check_heating(self) -> Self:
        if self.thermal_resistance_area > 0.0 and self.thermal_time == 0.0:
            raise inconsistent(
                "thermal_time",
                "above 0 where thermal_resistance_area is above 0: the time in which a junction heats up, "
                "for example 5 ns",
            )
        if self.thermal_time > 0.0 and self.thermal_resistance_area == 0.0:
            raise inconsistent(
                "thermal_resistance_area",
                "above 0 where a thermal_time is given: the temperature rise per power and area, "
                "for example 1000 K*um^2/W",
            )
        return self

    @property
    def heats(self) -> bool:
        """Whether the current heats the junction."""
        return self.thermal_resistance_area > 0.0

    @model_validator(mode="after")
    def _resolve_anisotropy(self) -> Self:
        measured = {"stability": self.stability, "anisotropy_field": self.anisotropy_field}
        given = [name for name, value in measured.items() if value is not None]
        if not math.isnan(self.interfacial_anisotropy):
            given.insert(0, "interfacial_anisotropy")
        if len(given) != 1:
            raise inconsistent(
                given[-1] if given else "interfacial_anisotropy",
                f"exactly one of {', '.join(ANISOTROPIES)}; given: {', '.join(given) or 'none'}",
            )
        if given[0] != "interfacial_anisotropy":
            value = self._interfacial_anisotropy()
            if not 0.0 < value < _LARGEST_ANISOTROPY:
                raise inconsistent(
                    given[0],
                    "a value from which, with this thickness and magnetization, an interfacial_anisotropy "
                    f"between 0 and {compact(_LARGEST_ANISOTROPY, 'J/m^2')} follows, "
                    f"not {compact(value, 'J/m^2', 4)}",
                )
            # The model is frozen, but no other code uses it yet.
            for name, resolved in (("interfacial_anisotropy", value), (given[0], None)):
                object.__setattr__(self, name, resolved)
        return self

    @property
    def wall_and_nucleus(self) -> tuple[float, float]:
        """Exchange stiffness (J/m, at 300 K) and nucleation diameter (m); infinite without the key."""
        given = self.exchange_stiffness, self.nucleation_diameter
        stiffness, nucleus = (math.inf if value is None else value for value in given)
        return stiffness, nucleus

    @model_validator(mode="after")
    def _check_over_temperature(self) -> Self:
        if self.interfacial_anisotropy_over_temperature and self.anisotropy_field_over_temperature:
            raise inconsistent(
                "anisotropy_field_over_temperature",
                "none beside interfacial_anisotropy_over_temperature: each of them determines Ki",
            )
        magnetization, field = self.magnetization_over_temperature, self.anisotropy_field_over_temperature
        own, at_300k = ["saturation_magnetization", "interfacial_anisotropy"], REFERENCE_TEMPERATURE
        values: dict[str, tuple[str, float, str]] = {}
        if magnetization is not None:
            values["magnetization_over_temperature"] = own[0], float(magnetization.at(at_300k)), "A/m"
        if (table := self.interfacial_anisotropy_over_temperature) is not None:
            values["interfacial_anisotropy_over_temperature"] = own[1], float(table.at(at_300k)), "J/m^2"
        if field is not None:
            found = float(self.anisotropy_of_field(at_300k, np.asarray(self.saturation_magnetization)))
            values["anisotropy_field_over_temperature"] = own[1], found, "J/m^2"
        for key, (name, value, unit) in values.items():
            expected = getattr(self, name)
            if abs(value / expected - 1.0) > _AGREEMENT:
                raise inconsistent(
                    key,
                    f"values that give the {name} of the stack at 300 K, {compact(expected, unit, 4)}, "
                    f"within {_AGREEMENT:.0%}, not {compact(value, unit, 4)}; change one of them",
                )
        return self

    @model_validator(mode="after")
    def _check_second_barrier(self) -> Self:
        second = self.second_barrier
        if second is None:
            return self
        if self.field_like_torque:
            raise inconsistent("field_like_torque", "0 with a second_barrier, which has none of its own")
        first, other = (
            float(symmetric_efficiency(np.asarray(polarization), self.torque))
            for polarization in (self.spin_polarization, second.spin_polarization)
        )
        other *= 1.0 + second.tmr if self.torque == "voltage" else 1.0
        if second.reference == "parallel" and not other < first:
            raise inconsistent(
                "second_barrier.spin_polarization",
                "a smaller torque than that of the first barrier, which it opposes with "
                f'reference = "parallel": an efficiency below {first:.3g}, in its antiparallel state, '
                f"not {other:.3g}",
            )
        return self

    def anisotropy_of_field(self, temperature: npt.ArrayLike, magnetization: FloatArray) -> FloatArray:
        """Ki, J/m^2, from `anisotropy_field_over_temperature`, with the magnetization at the temperatures."""
        table = self.anisotropy_field_over_temperature
        assert table is not None
        return interfacial_anisotropy(
            0.5 * table.at(temperature) * magnetization,
            np.asarray(self.free_layer_thickness),
            magnetization,
            None if table.diameter is None else np.asarray(table.diameter),
            self.demagnetization,
        )

    @model_validator(mode="after")
    def _check_back_hopping(self) -> Self:
        density, stability, direction = (getattr(self, key) for key in _BACK_HOPPING)
        if (density is None) != (stability is None):
            missing = _BACK_HOPPING[density is not None]
            raise inconsistent(
                missing, f"a value, because {_BACK_HOPPING[density is None]} is given; or neither of them"
            )
        if density is None and direction != "both":
            raise inconsistent(
                "back_hopping_direction",
                f"none without {_BACK_HOPPING[0]} and {_BACK_HOPPING[1]}, which turn back-hopping on",
            )
        return self

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        for name in _NEWER:
            if getattr(self, name) == Stack.model_fields[name].default:
                table.pop(name, None)  # so that parts of runs keep their names
        return table

    def _interfacial_anisotropy(self) -> float:
        """Ki, J/m^2, from the measured stability or anisotropy field."""
        thickness = np.asarray(self.free_layer_thickness)
        if self.stability is not None:
            diameter: float | None = self.stability.diameter
            barrier = self.stability.value * constants.k * REFERENCE_TEMPERATURE
            effective = float(
                anisotropy_of_barrier(barrier, self.stability.diameter, thickness, *self.wall_and_nucleus)
            )
        else:
            assert self.anisotropy_field is not None
            diameter = self.anisotropy_field.diameter
            effective = 0.5 * self.anisotropy_field.value * self.saturation_magnetization
        anisotropy = interfacial_anisotropy(
            np.asarray(effective),
            thickness,
            np.asarray(self.saturation_magnetization),
            None if diameter is None else np.asarray(diameter),
            self.demagnetization,
        )
        return float(anisotropy)
