"""The film: the content of a stack file."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import constants

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
from mtjchar.physics.torque import TorqueLaw
from mtjchar.units import compact

__all__ = ["ANISOTROPIES", "DIAMETER_RANGE", "MeasuredField", "MeasuredStability", "Stack"]

DIAMETER_RANGE = (5e-9, 500e-9)
"""Range of junction diameters, m."""

_LARGEST_ANISOTROPY = 10e-3  # J/m^2


class MeasuredStability(Description):
    """Thermal stability of a circular junction at 300 K."""

    value: Number = Field(ge=5, le=1000)
    diameter: Length = Field(gt=DIAMETER_RANGE[0], lt=DIAMETER_RANGE[1])


class MeasuredField(Description):
    """Effective anisotropy field mu0 Hk at 300 K of a circular junction, without `diameter` of the film."""

    value: FluxDensity = Field(gt=0, le=5)
    diameter: Length | None = Field(default=None, gt=DIAMETER_RANGE[0], lt=DIAMETER_RANGE[1])


ANISOTROPIES = ("interfacial_anisotropy", "stability", "anisotropy_field")
"""Keys of a stack, exactly one of which must be given."""


class Stack(Description):
    """A film stack at 300 K; every field is SI, and the exponents describe the temperature dependence.

    The temperature laws, with ``m(T) = [1 - (T/Tc)^a] / [1 - (300 K/Tc)^a]``, ``a`` the
    `magnetization_exponent`: ``Ms ~ m``, ``Ki ~ m^anisotropy_exponent``,
    ``P ~ m^polarization_exponent`` and ``RA ~ (T/300 K)^resistance_exponent``; the TMR follows P by
    Julliere's formula. A voltage V from the free to the reference layer lowers Ki by
    ``vcma_coefficient * V / barrier_thickness``.

    The current heats the junction if `thermal_resistance_area` and `thermal_time` are given, see
    `mtjchar.physics.heating`; 0 for both leaves the junction at the temperature of the cell.

    `torque` names the law of the spin-transfer torque, see `mtjchar.physics.torque`. With a torque per
    current, a field-like torque is proportional to the current. With a torque per voltage it is proportional
    to the square of the voltage: ``field_like_torque * V / (1 V)`` times the damping-like one.

    A stack gives its anisotropy as one of `ANISOTROPIES`. A stability or an anisotropy field is converted to
    `interfacial_anisotropy`, with the demagnetizing factors that `demagnetization` names; the stack then
    contains only this value, and the other two are None.
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

    def _interfacial_anisotropy(self) -> float:
        """Ki, J/m^2, from the measured stability or anisotropy field."""
        thickness = np.asarray(self.free_layer_thickness)
        if self.stability is not None:
            diameter: float | None = self.stability.diameter
            volume = 0.25 * np.pi * self.stability.diameter**2 * self.free_layer_thickness
            effective = self.stability.value * constants.k * REFERENCE_TEMPERATURE / volume
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
