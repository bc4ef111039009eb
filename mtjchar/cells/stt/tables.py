"""The tables of a study of an STT cell: stack, junction, cell and variability.

The models are frozen, refuse unknown keys, and hold SI numbers. In files every dimensioned value is a
string with a unit (``"40 nm"``); from Python a plain float is taken as SI.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mtjchar.cells.base import CellTables, Grid
from mtjchar.cells.sensing import Read
from mtjchar.cells.stt.stack import DIAMETER_RANGE, Stack
from mtjchar.cells.transistor import Transistor
from mtjchar.cells.variability import CUT, NO_SPREAD, AreaCoefficient, Spread, Variability
from mtjchar.fields import (
    Capacitance,
    Count,
    Description,
    Duration,
    FluxDensity,
    Length,
    Number,
    Resistance,
    Temperature,
    Voltage,
    inconsistent,
)
from mtjchar.physics.anisotropy import TEMPERATURE_RANGE
from mtjchar.units import compact

__all__ = [
    "DIRECTIONS",
    "DRAWN_ONLY",
    "Cell",
    "Driver",
    "ExternalField",
    "FitCovariance",
    "Junction",
    "Line",
    "SecondTransistor",
    "SttTables",
    "SttVariability",
    "WordLine",
]


class Junction(Description):
    """A stack patterned to a circle or an ellipse.

    `diameter` is that of the circle of equal area, `aspect_ratio` the long axis (along x) over the short
    one (along y).
    """

    diameter: Length = Field(gt=DIAMETER_RANGE[0], lt=DIAMETER_RANGE[1])
    aspect_ratio: Number = Field(default=1.0, ge=1, le=5)


class Line(Description):
    """A bit or source line: driver and wire together, as one resistance and one capacitance."""

    resistance: Resistance = Field(default=200.0, gt=0, lt=1e6)
    capacitance: Capacitance = Field(default=20e-15, ge=0, lt=1e-11)


class WordLine(Description):
    """The wire of a word line: `cells` on it are written together and share it.

    It turns on the transistors of `half_selected` further cells, whose bit lines are not driven.
    """

    resistance: Resistance = Field(gt=0, lt=1e6)
    capacitance: Capacitance = Field(ge=0, lt=1e-9)
    cells: Count = Field(ge=1, le=100_000)
    half_selected: Count = Field(default=0, ge=0, le=1_000_000)

    @property
    def share(self) -> tuple[float, float]:
        """Resistance (ohm) and capacitance (F) of one written cell, lumped, with the delay of the wire."""
        # The end of a wire has the delay of half its resistance (Elmore); cells in parallel.
        return 0.5 * self.resistance * self.cells, self.capacitance / self.cells


class ExternalField(Description):
    """Uniform external field, B in T: z along the junction's axis, x along its long axis."""

    x: FluxDensity = Field(default=0.0, ge=-2, le=2)
    y: FluxDensity = Field(default=0.0, ge=-2, le=2)
    z: FluxDensity = Field(default=0.0, ge=-2, le=2)


_NEWER = ("wordline_low", "bitline_low", "sourceline_low", "second_transistor", "driver")


class Driver(Description):
    """A driver of a line as a subcircuit of the access transistor's file, with its own supply.

    Both lines have one. The amplitude of a write is the voltage of the supply. The input of the line that
    goes up follows the pulse from 0 V to the amplitude, that of the other one stays at 0 V; the output
    follows the input. `pins` are those of the subcircuit in its order. `settling` is the time after a ramp of
    the input by which the output has settled, without a line.
    """

    subcircuit: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")
    pins: tuple[Literal["in", "out", "vdd", "vss"], ...] = ("in", "out", "vdd", "vss")
    settling: Duration = Field(default=200e-12, ge=0, le=10e-9)

    @model_validator(mode="after")
    def _each_pin(self) -> Self:
        if sorted(self.pins) != ["in", "out", "vdd", "vss"]:
            raise inconsistent(
                "pins", '"in", "out", "vdd" and "vss" once each, in the order of the subcircuit'
            )
        return self


class SecondTransistor(Transistor):
    """A transistor beside the access transistor, such as a column select.

    `position` is its place: between the driver and the wire of ``"bitline"`` or ``"sourceline"``, with
    `gate_voltage` at its gate in a write, or ``"parallel"`` to the access transistor, on the same word line.
    It has no spread.
    """

    position: Literal["bitline", "sourceline", "parallel"]
    gate_voltage: Voltage | None = Field(default=None, gt=0, le=10)

    @model_validator(mode="after")
    def _has_its_gate(self) -> Self:
        if (self.position == "parallel") != (self.gate_voltage is None):
            raise inconsistent(
                "gate_voltage",
                'a voltage with position = "bitline" or "sourceline"; none with "parallel", whose gate is on '
                "the word line",
            )
        return self

    def shares_source(self, access: Transistor) -> bool:
        """Whether it uses the file, or the corner of the kit, of the access transistor."""
        return (self.model, self.section, self.corner) == (access.model, access.section, access.corner)


class Cell(Description):
    """A junction with its access transistor, lines and drivers (1T-1MTJ).

    Both lines rest at 0 V. In a write one of them goes to its low level, `bitline_low` or `sourceline_low`,
    the other to the amplitude above that. The word line rests at `wordline_low`.
    With `supply_voltage`, from which the drivers of bit and source lines take their charge, samples have the
    energy at the supply too.
    """

    kind: Literal["stt"] = "stt"
    temperature: Temperature = Field(default=300.0, ge=TEMPERATURE_RANGE[0], le=TEMPERATURE_RANGE[1])
    external_field: ExternalField = ExternalField()
    wordline_voltage: Voltage = Field(default=1.4, gt=0, le=5)
    wordline_low: Voltage = Field(default=0.0, ge=-2, le=0)
    bitline_low: Voltage = Field(default=0.0, ge=-0.5, le=0)
    sourceline_low: Voltage = Field(default=0.0, ge=-0.5, le=0)
    supply_voltage: Voltage | None = Field(default=None, gt=0, le=10)
    wordline: WordLine | None = None
    free_layer_to: Literal["bitline", "sourceline"] = "bitline"
    bitline: Line = Line()
    sourceline: Line = Line()
    transistor: Transistor = Transistor()
    second_transistor: SecondTransistor | None = None
    driver: Driver | None = None

    @property
    def select(self) -> SecondTransistor | None:
        """The second transistor if it is in series with a line."""
        second = self.second_transistor
        return None if second is None or second.position == "parallel" else second

    @model_validator(mode="after")
    def _driver_alone(self) -> Self:
        if self.driver is None:
            return self
        if self.transistor.file is None:
            raise inconsistent(
                "driver.subcircuit",
                "a subcircuit of the SPICE file that cell.transistor.model names, which may include others",
            )
        others = {
            "bitline_low": self.bitline_low != 0.0,
            "sourceline_low": self.sourceline_low != 0.0,
            "supply_voltage": self.supply_voltage is not None,
            "second_transistor": self.select is not None,
        }
        for key, given in others.items():
            if given:
                raise inconsistent(
                    key,
                    "none with cell.driver, which has levels and a supply of its own; energy_J is at that",
                )
        return self

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        second, access = self.second_transistor, self.transistor
        if second is None or second.model in ("ideal", "generic"):
            return self
        if not second.shares_source(access):
            raise inconsistent(
                "second_transistor.model",
                "that of cell.transistor with its sections or corner, of which it may be another subcircuit "
                'or device; or "generic" or "ideal"',
            )
        for key in ("init", "osdi"):
            if getattr(second, key):
                raise inconsistent(f"second_transistor.{key}", "none: that of cell.transistor holds for both")
        return self

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        table.pop("kind", None)  # a study without it has STT cells; parts of runs keep their names
        for name in _NEWER:
            if getattr(self, name) == type(self).model_fields[name].default:
                table.pop(name, None)  # so that parts of runs keep their names
        return table


DIRECTIONS = ("p_to_ap", "ap_to_p")
"""Write directions: to AP, which is bit 1, and to P."""

DRAWN_ONLY = ("tmr_half_bias", "slonczewski_lambda", "exchange_stiffness", "nucleation_diameter")
"""Keys of the stack without device spread, but with an uncertainty from a fit."""

_OF_TRANSISTOR = ("threshold_voltage", "current_factor")
_OF_STACK = (
    "free_layer_thickness", "saturation_magnetization", "interfacial_anisotropy", "damping",
    "spin_polarization", "resistance_area_product", "tmr", *DRAWN_ONLY,
)  # fmt: skip


class FitCovariance(Description):
    """Uncertainty of the stack from a fit: a normal distribution around the stack of the study.

    `parameters` are keys of the stack that devices sample, or of `DRAWN_ONLY`, `values` the fitted ones (SI),
    `covariance` their covariance. A study file names the fitted stack file instead.
    """

    parameters: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()

    @model_validator(mode="after")
    def _square(self) -> Self:
        count = len(self.parameters)
        allowed = sorted(_OF_STACK)
        if not set(self.parameters) <= set(allowed):
            raise inconsistent("parameters", f"some of {', '.join(allowed)}")
        if len(self.values) != count or [len(row) for row in self.covariance] != [count] * count:
            raise inconsistent("covariance", "one value and one row and column for each parameter")
        matrix = np.array(self.covariance).reshape(count, count)
        scale = np.sqrt(np.abs(np.diag(matrix))) + 1e-300
        normed = matrix / np.outer(scale, scale)
        if count and (np.abs(normed - normed.T).max() > 1e-6 or np.linalg.eigvalsh(normed).min() < -1e-6):
            raise inconsistent("covariance", "a symmetric matrix without negative eigenvalues")
        return self


class SttVariability(Variability):
    """Standard deviations of normal distributions, cut at 5 sigma; relative if no unit is given.

    `threshold_voltage` is the access transistor's and has to be absolute; `current_factor` multiplies its
    current. Both may be given by Pelgrom's coefficients ``avt`` and ``abeta``.
    `correlation` holds correlations of two parameters, by their names with a blank between them. With `fit`,
    stacks are drawn from its covariance.
    """

    units: ClassVar[dict[str, str]] = {
        "diameter": "m",
        "free_layer_thickness": "m",
        "saturation_magnetization": "A/m",
        "interfacial_anisotropy": "J/m^2",
        "damping": "",
        "spin_polarization": "",
        "resistance_area_product": "ohm*m^2",
        "tmr": "",
        "threshold_voltage": "V",
        "current_factor": "",
    }
    area_coefficients: ClassVar[dict[str, AreaCoefficient]] = {
        "threshold_voltage": AreaCoefficient("avt", "V*m", "2 mV*um", relative=False),
        "current_factor": AreaCoefficient("abeta", "m", "1 %*um", relative=True),
    }
    absolute: ClassVar[dict[str, str]] = {
        "threshold_voltage": 'a voltage, such as "15 mV", or { avt = "2 mV*um" }'
    }

    diameter: Spread = NO_SPREAD
    free_layer_thickness: Spread = NO_SPREAD
    saturation_magnetization: Spread = NO_SPREAD
    interfacial_anisotropy: Spread = NO_SPREAD
    damping: Spread = NO_SPREAD
    spin_polarization: Spread = NO_SPREAD
    resistance_area_product: Spread = NO_SPREAD
    tmr: Spread = NO_SPREAD
    threshold_voltage: Spread = Spread(sigma=0.0, relative=False)
    current_factor: Spread = NO_SPREAD
    fit: FitCovariance = FitCovariance()

    @model_serializer
    def write(self) -> dict[str, Any]:
        """Return the table in the form of a study file."""
        fit = {"fit": self.fit.model_dump(mode="json")} if self.fit.parameters else {}
        return {**super().write(), **fit}


class SttTables(CellTables):
    """Stack, junction, cell and variability; reads, if the study asks for them."""

    stack: Stack
    junction: Junction
    cell: Cell = Cell()
    variability: SttVariability = SttVariability()
    read: Read | None = None

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        table: dict[str, Any] = handler(self)
        if self.read is None:
            table.pop("read", None)  # so that runs and their parts keep their names
        return table

    @property
    def asymmetries(self) -> tuple[str, ...]:
        """Keys that break the symmetry around z, with their values, in words; empty if none does."""
        field, tilt, aspect = self.cell.external_field, self.stack.reference_tilt, self.junction.aspect_ratio
        broken = {
            f"cell.external_field.x = {compact(field.x, 'T')}": field.x != 0.0,
            f"cell.external_field.y = {compact(field.y, 'T')}": field.y != 0.0,
            f"stack.reference_tilt = {compact(tilt, 'rad')}": tilt != 0.0,
            f"junction.aspect_ratio = {aspect:g}": aspect != 1.0,
        }
        return tuple(words for words, applies in broken.items() if applies)

    @property
    def axially_symmetric(self) -> bool:
        """Whether m_z alone describes the magnetization: no field in the plane, no tilt, a circle."""
        return not self.asymmetries

    @property
    def hopping_directions(self) -> tuple[str, ...]:
        """Write directions with back-hopping; empty without it."""
        if self.stack.back_hopping_current_density is None:
            return ()
        one = self.stack.back_hopping_direction
        return DIRECTIONS if one == "both" else (one,)

    def nominal(self, name: str) -> float:
        """Nominal value of a sampled parameter, SI: shift of the threshold voltage 0, current factor 1.

        It is infinite for the exchange stiffness or the nucleation diameter of a stack without one.
        """
        if name in _OF_TRANSISTOR:
            return {"threshold_voltage": 0.0, "current_factor": 1.0}[name]
        value = getattr(self.junction if name == "diameter" else self.stack, name)
        return math.inf if value is None else float(value)

    def spreads(self) -> list[tuple[str, Spread]]:
        """Names and spreads of the sampled parameters, Pelgrom's coefficients over the root of the area."""
        transistor = self.cell.transistor
        root = math.sqrt(transistor.width * transistor.length)
        return [
            (
                name,
                Spread(sigma=spread.sigma / root, relative=spread.relative)
                if spread.per_root_area
                else spread,
            )
            for name, spread in self.variability.items()
        ]

    def _check_levels(self, grid: Grid) -> None:
        cell = self.cell
        lows = {"bitline_low": cell.bitline_low, "sourceline_low": cell.sourceline_low}
        for key, low in lows.items():
            if -low > grid.lowest:
                raise inconsistent(
                    f"cell.{key}",
                    f"{compact(-grid.lowest, 'V')} to 0 V: at the smallest amplitude of the sweep, "
                    f"{compact(grid.lowest, 'V')}, the other line would be below 0 V too",
                )
        self._check_supply(grid, max(lows.values()), min(lows.values()))
        if cell.driver is not None and grid.shaped:
            raise inconsistent(
                "cell.driver", "none where the pulse has a shape, which its output would not have"
            )
        if cell.driver is not None and not self.axially_symmetric:
            raise inconsistent(
                "cell.driver",
                f"only where error rates are computed; here they are counted ({self.asymmetries[0]})",
            )

    def _check_supply(self, grid: Grid, low: float, lowest: float) -> None:
        cell, highest = self.cell, grid.highest + low
        if cell.supply_voltage is None:
            return
        if cell.supply_voltage < highest:
            above = " over the low level" if lowest else ""
            raise inconsistent(
                "cell.supply_voltage",
                f"at least the largest amplitude of the sweep{above}, {compact(highest, 'V')}",
            )
        if grid.shaped:
            raise inconsistent(
                "cell.supply_voltage",
                "none where the pulse has a shape: what a driver takes from its supply on a step is not "
                "counted. energy_J, at the drivers, is",
            )

    def _check_read(self) -> None:
        if self.read is None:
            return
        modelled = {
            "stack.thermal_resistance_area": ("0", not self.stack.heats),
            "stack.second_barrier": ("none", self.stack.second_barrier is None),
        }
        for key, (allowed, simple) in modelled.items():
            if not simple:
                allowed += " with [read], which has neither heat nor a second barrier. Leave one of both out"
                raise inconsistent(key, allowed)
        if not self.axially_symmetric:
            raise inconsistent(
                "read",
                "none where error rates are counted, for which disturb rates are too small. Here they are "
                f"counted ({self.asymmetries[0]}). Leave one of both out",
            )

    def check(self, grid: Grid) -> None:
        """Refuse tables that contradict each other or the pulses of the sweep."""
        self._check_levels(grid)
        if self.stack.heats and self.stack.second_barrier is not None:
            raise inconsistent(
                "stack.thermal_resistance_area",
                "0 with a second_barrier: the heat of two barriers is not in the model",
            )
        self._check_read()
        for key, table in self.stack.over_temperature.items():
            low, high = table.range
            if not low <= self.cell.temperature <= high:
                raise inconsistent(
                    "cell.temperature",
                    f"{low:g} K to {high:g} K, the range of stack.{key}; without that table the exponents "
                    "of the stack hold",
                )
        if grid.computed_only and not self.axially_symmetric:
            raise inconsistent(
                grid.computed_only[0],
                f"only where error rates are computed; here they are counted ({self.asymmetries[0]})",
            )
        if self.hopping_directions and not self.axially_symmetric:
            raise inconsistent(
                "stack.back_hopping_current_density",
                "none where error rates are counted: counts do not contain back-hopping. Here they are "
                f"counted ({self.asymmetries[0]})",
            )
        for name, spread in self.spreads():
            nominal = self.nominal(name)
            sigma = spread.sigma * nominal if spread.relative else spread.sigma
            if name != "threshold_voltage" and CUT * sigma >= nominal:
                largest = compact(nominal / CUT, self.variability.units[name])
                raise inconsistent(
                    f"variability.{name}",
                    f"below {largest}, a fifth of the nominal value, so that every sample is physical",
                )
        transistor = self.cell.transistor
        if self.variability.current_factor.sigma and not transistor.has_multiplier:
            raise inconsistent(
                "variability.current_factor",
                'no spread, or cell.transistor.model = "generic" or an open kit: other models have no '
                "parameter for it, unless cell.transistor.parameters names one of a SPICE file as m",
            )
        fit = self.variability.fit
        for name, fitted in zip(fit.parameters, fit.values, strict=True):
            if not math.isclose(fitted, self.nominal(name), rel_tol=1e-6):
                raise inconsistent(
                    "variability.fit",
                    f"the fit of this study's stack, with {name} = {self.nominal(name)!r}, not {fitted!r}",
                )
