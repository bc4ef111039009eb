"""Properties of all parameters of a fit, in one table.

A parameter with a separate value for each direction is the entry of the table with a `direction`; its
name, such as ``critical_current_p_to_ap``, is made by `directional_name` and never parsed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS

__all__ = [
    "ALIASES",
    "DEFAULT",
    "DIRECTIONAL",
    "FITTED_KINDS",
    "OF_RESISTANCE",
    "OPTIONAL",
    "PARAMETERS",
    "PULSES",
    "TIED",
    "UNITS",
    "Parameter",
    "Values",
    "directional_name",
    "names_of",
    "steps_at",
    "value_in",
]

Values = Mapping[str, Any]
"""Values of parameters by their names, SI: numbers, or arrays of many sets of parameters."""

FITTED_KINDS = ("switching", "thresholds", "resistance", "loops")
"""Kinds of tables that are fitted."""

PULSES = ("switching", "thresholds")
"""Kinds of tables that contain pulses."""

_RELATIVE_STEP = 0.1


def directional_name(root: str, direction: str | None) -> str:
    """Name of a quantity in one direction, or in both if the direction is None."""
    return root if direction is None else f"{root}_{direction}"


@dataclass(frozen=True)
class Parameter:
    """A parameter of the model, like `lmfit.Parameter` of a fit.

    Attributes
    ----------
    root : str
        Name of the quantity, independent of the direction.
    unit : str
    tables : tuple of str
        Kinds of tables that determine it.
    remedy : str
        Measurement that would determine it if the data do not.
    bounds : tuple of float or None
        Of the search; None: they follow from the data, see `mtjchar.stackfit.setup`.
    start : float or None
        Starting value without a film; None: from the film or the data.
    step : float or None
        Natural size of a step, if it is the same everywhere; None: a tenth of the value.
    alias : str
        Corresponding key of a stack, if the stack does not have it under its own name.
    tied : bool
        Whether it follows from others, by the stack, if it does not vary.
    by_direction : bool
        Whether it can have a separate value for each direction.
    default : bool
        Whether it is fitted by default.
    of_resistance : bool
        Whether resistances depend on it.
    symmetric : float or None
        Value at which it does not make the directions differ in current; None: no value does.
    physical_minimum : float
        Lower bound of physics, not of the search: a value there is a result.
    zero_is_result : bool
        Whether 0 is a result like any other, so that a relative error does not show that it is undetermined.
    optional : bool
        Whether it is absent from the model unless it is fitted, given, or in the stack; see
        `mtjchar.stackfit.terms`.
    search : tuple of float
        Values of a coarse search beside the starting value.
    direction : str or None
        The direction in which it holds; None: both.
    """

    root: str
    unit: str
    tables: tuple[str, ...]
    remedy: str
    bounds: tuple[float, float] | None = None
    start: float | None = None
    step: float | None = None
    alias: str = ""
    tied: bool = False
    by_direction: bool = False
    default: bool = False
    of_resistance: bool = False
    symmetric: float | None = None
    physical_minimum: float = -np.inf
    zero_is_result: bool = False
    optional: bool = False
    search: tuple[float, ...] = ()
    direction: str | None = None

    @property
    def name(self) -> str:
        """Name in requests and results."""
        return directional_name(self.root, self.direction)

    @property
    def each_direction(self) -> tuple[Parameter, Parameter]:
        """The same parameter from P to AP, and from AP to P."""
        there, back = (dataclasses.replace(self, direction=direction) for direction in DIRECTIONS)
        return there, back

    def step_at(self, value: float) -> float:
        """Natural size of a step at a value."""
        return _RELATIVE_STEP * abs(value) if self.step is None else self.step


_TABLE = (
    Parameter(
        "stability", "", (*PULSES, "loops"),
        "pulses a hundred times as long, at amplitudes below the critical one; or R-H loops",
        bounds=(10.0, 250.0), start=60.0, step=10.0, alias="interfacial_anisotropy", by_direction=True,
        default=True, search=(15.0, 25.0, 40.0, 60.0, 90.0, 140.0),
    ),
    Parameter(
        "critical_current", "A", PULSES,
        "pulses near the critical current, from both sides, at several durations",
        alias="spin_polarization", tied=True, by_direction=True, default=True,
    ),
    Parameter(
        "relaxation_time", "s", (*PULSES, "loops"),
        "pulses of a few t_D, well above the critical current",
        bounds=(3e-11, 1e-7), start=1e-9, alias="damping", tied=True, by_direction=True, default=True,
        search=(2e-10, 5e-10, 1e-9, 2.5e-9),
    ),
    Parameter(
        "slonczewski_lambda", "", PULSES,
        "both directions, at the same durations",
        bounds=(1.0, 3.0), step=0.1, symmetric=1.0, physical_minimum=1.0, search=(1.05, 1.5),
    ),
    Parameter(
        "offset_field", "T", (*PULSES, "loops"),
        "both directions, with long pulses; or R-H loops",
        step=5e-3, symmetric=0.0, zero_is_result=True,
    ),
    Parameter(
        "anisotropy_field", "T", ("loops",),
        "more R-H loops, at sweep rates that differ by decades; or pulses for the stability",
        step=0.02,
    ),
    Parameter(
        "resistance_area_product", "ohm*m^2", ("resistance", *PULSES),
        "resistance in P",
        bounds=(1e-14, 1e-9), of_resistance=True,
    ),
    Parameter(
        "tmr", "", ("resistance", *PULSES),
        "resistance in P and AP near zero bias",
        bounds=(0.01, 20.0), step=0.1, of_resistance=True,
    ),
    Parameter(
        "tmr_half_bias", "V", ("resistance", *PULSES),
        "resistance in AP at a higher bias",
        bounds=(0.05, 10.0), of_resistance=True,
    ),
    Parameter(
        "dead_time", "s", PULSES,
        "pulses of a few t_D, well above the critical current, beside long ones",
        bounds=(-5e-9, 5e-9), start=0.0, step=1e-10, zero_is_result=True, optional=True,
    ),
    Parameter(
        "missed_writes", "", ("switching",),
        "many writes far above the threshold",
        bounds=(0.0, 0.5), start=0.0, step=0.01, physical_minimum=0.0, zero_is_result=True, optional=True,
    ),
    Parameter(
        "false_switches", "", ("switching",),
        "many writes far below the threshold",
        bounds=(0.0, 0.5), start=0.0, step=0.01, physical_minimum=0.0, zero_is_result=True, optional=True,
    ),
    Parameter(
        "gain", "", PULSES,
        "resistance, and pulses whose critical current is known",
        bounds=(0.3, 3.0), start=1.0, step=0.02, optional=True,
    ),
    Parameter(
        "rise_time", "s", PULSES,
        "pulses of a few t_D, at several amplitudes, beside long ones",
        bounds=(0.0, 1e-8), start=5e-11, step=5e-11, physical_minimum=0.0, zero_is_result=True, optional=True,
    ),
    Parameter(
        "series_resistance", "ohm", ("resistance", *PULSES),
        "pulses in V in both directions; or resistance in P and AP over bias",
        bounds=(0.0, 1e5), start=0.0, step=50.0, physical_minimum=0.0, zero_is_result=True, optional=True,
    ),
    Parameter(
        "second_torque", "", PULSES,
        "pulses in both directions, and resistance in P and AP over bias",
        bounds=(-0.9, 20.0), start=0.0, step=0.05, zero_is_result=True, optional=True, search=(0.5, 2.0),
    ),
    Parameter(
        "drift", "", PULSES,
        "the same pulse again at the beginning and at the end",
        bounds=(-0.8, 0.8), start=0.0, step=0.01, zero_is_result=True, optional=True,
    ),
    Parameter(
        "critical_current_spread", "", ("switching",),
        "counts over an array between the threshold and far above it, at short pulses",
        bounds=(0.0, 0.4), start=0.03, step=0.01, physical_minimum=0.0, zero_is_result=True, optional=True,
    ),
    Parameter(
        "stability_spread", "", ("switching",),
        "counts over an array with long pulses, or at rest",
        bounds=(0.0, 0.4), start=0.05, step=0.01, physical_minimum=0.0, zero_is_result=True, optional=True,
    ),
    Parameter(
        "thermal_resistance_area", "K*m^2/W", PULSES,
        "short and long pulses over a decade of power",
        bounds=(0.0, 1e-8), start=1e-10, step=2e-11, physical_minimum=0.0, zero_is_result=True, optional=True,
        search=(3e-10, 1e-9),
    ),
    Parameter(
        "thermal_time", "s", PULSES,
        "pulses that are shorter and longer than it, at a high power",
        bounds=(1e-10, 1e-4), start=1e-8, optional=True, search=(1e-9, 1e-7),
    ),
    Parameter(
        "back_hopping_current", "A", ("switching",),
        "counts at amplitudes where the error rate rises again",
        optional=True,
    ),
    Parameter(
        "back_hopping_stability", "", ("switching",),
        "counts where the error rate rises again, at several durations",
        bounds=(10.0, 190.0), start=40.0, step=5.0, optional=True, search=(20.0, 80.0),
    ),
    *(
        Parameter(
            f"{quantity}_exponent", "", (*PULSES, "loops"),
            f"pulses at more temperatures, which show how {words} changes",
            bounds=bounds, step=0.1, zero_is_result=True, optional=True,
        )
        for quantity, words, bounds in (
            ("magnetization", "the magnetization", (0.2, 4.9)),
            ("anisotropy", "the anisotropy", (0.0, 4.9)),
            ("polarization", "the critical current", (0.0, 4.9)),
        )
    ),
    Parameter(
        "exchange_stiffness", "J/m", PULSES,
        "long pulses on junctions of more diameters",
        bounds=(1e-13, 1e-9), start=1e-11, optional=True, search=(3e-12, 3e-11),
    ),
)  # fmt: skip

PARAMETERS: Mapping[str, Parameter] = {parameter.name: parameter for parameter in _TABLE}
"""Parameters of the model, by their names."""

UNITS = {name: parameter.unit for name, parameter in PARAMETERS.items()}
"""Their units."""

ALIASES = {parameter.alias: name for name, parameter in PARAMETERS.items() if parameter.alias}
"""Keys of a stack that correspond to parameters that pulses determine."""

DIRECTIONAL = tuple(name for name, parameter in PARAMETERS.items() if parameter.by_direction)
"""Parameters that can have a separate value for each direction."""

DEFAULT = tuple(name for name, parameter in PARAMETERS.items() if parameter.default)
"""Default choice of fitted parameters: those of these that the tables determine."""

TIED = frozenset(name for name, parameter in PARAMETERS.items() if parameter.tied)
"""Parameters that follow from others if they do not vary."""

OPTIONAL = tuple(name for name, parameter in PARAMETERS.items() if parameter.optional)
"""Parameters of terms that a model can leave out."""

OF_RESISTANCE = tuple(name for name, parameter in PARAMETERS.items() if parameter.of_resistance)
"""Parameters that resistances depend on."""


def names_of(root: str) -> tuple[str, ...]:
    """Possible names of a quantity: its own, and those for each direction."""
    return (root, *(directional_name(root, direction) for direction in DIRECTIONS))


def value_in(values: Values, root: str, direction: str | None) -> Any:
    """Value of a parameter in a direction, or that in both; NaN if there is none."""
    return values.get(directional_name(root, direction), values.get(root, np.nan))


def steps_at(parameters: Iterable[Parameter], vector: FloatArray) -> FloatArray:
    """Natural step sizes of parameters at these values."""
    return np.array([parameter.step_at(value) for parameter, value in zip(parameters, vector, strict=True)])
