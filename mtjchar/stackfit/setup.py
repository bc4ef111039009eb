"""Preparation of a fit: names, bounds, fixed values, and starting values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtjchar.errors import InputError, did_you_mean
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.loops import FieldScale, field_scale
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.parameters import (
    ALIASES,
    DEFAULT,
    DIRECTIONAL,
    FITTED_KINDS,
    OPTIONAL,
    PARAMETERS,
    PULSES,
    TIED,
    Parameter,
)
from mtjchar.stackfit.problem import (
    Data,
    Problem,
    largest_current,
    nominal_values,
    optional_values,
    starting_values,
)
from mtjchar.stackfit.pulses import Pulses
from mtjchar.stackfit.terms import TERMS, parameters_of
from mtjchar.stackfit.wafer import WaferFit, fit_wafer

__all__ = ["FitSetup", "set_up"]


@dataclass(frozen=True)
class FitSetup:
    """Inputs of a fit.

    Attributes
    ----------
    problem : Problem
    start : dict
        Starting values of the free parameters.
    wafer : WaferFit or None
    tables : tuple of Table
        The tables of the fit, those of wafers last.
    given : dict
        Starting values of the request.
    """

    problem: Problem
    start: dict[str, float]
    wafer: WaferFit | None
    tables: tuple[Table, ...]
    given: Mapping[str, float]


def set_up(
    tables: Sequence[Table],
    film: Film | None,
    vary: Sequence[str] | None,
    per_direction: Sequence[str],
    start: Mapping[str, float],
    terms: Sequence[str] = (),
) -> FitSetup:
    """Set up a fit; arguments as of `mtjchar.stackfit.fit_stack`."""
    used = [table for table in tables if table.kind in FITTED_KINDS]
    wafers = [table for table in tables if table.kind == "wafer"]
    if not (used or wafers):
        raise InputError("data", value=[], allowed=f"tables of {', '.join(FITTED_KINDS)} or wafer")
    wafer = fit_wafer(*wafers) if wafers else None
    if wafer is not None and film is not None:
        film = wafer.film(film, without=vary or ())
    data = Data.of(used)
    temperature = film.temperature if film is not None else _only_temperature(data)
    if vary is not None and not vary:
        raise InputError("vary", value=list(vary), allowed="at least one parameter")
    varied = [*(_default_names(data) if vary is None else vary), *parameters_of(terms)]
    problem, first = _make_problem(data, film, varied, per_direction, start, temperature)
    # Tables of wafers come last.
    return FitSetup(problem, first, wafer, (*used, *wafers), dict(start))


def _make_problem(
    data: Data,
    film: Film | None,
    vary: Sequence[str],
    per_direction: Sequence[str],
    start: Mapping[str, float],
    temperature: float,
) -> tuple[Problem, dict[str, float]]:
    """Set up the fitted parameters; return the problem and the starting values."""
    names = _roots(vary, per_direction)
    _check_determined(data, names, per_direction)
    model = SwitchingModel(film)
    if model.law == "voltage" and (
        "slonczewski_lambda" in names or start.get("slonczewski_lambda", 1.0) != 1.0
    ):
        raise InputError(
            "vary", value="slonczewski_lambda", allowed='only with torque = "current" in the stack',
            remedy="A torque per voltage has the asymmetry of the junction already.",
        )  # fmt: skip
    scale = field_scale(data.loops) if len(data.loops) else None
    unknown = {name: parameter.start for name, parameter in PARAMETERS.items() if parameter.start is not None}
    values = {
        **unknown, **starting_values(film), **nominal_values(film), **optional_values(film), **start
    }  # fmt: skip
    groups = [
        Pulses.of(rows, temperature) if len(rows) else None for rows in (data.switching, data.thresholds)
    ]
    given = {*names, *start, *optional_values(film)}
    _check_film(film, groups, data, temperature, {*names, *start})
    _check_diameters(film, groups)
    _check_terms(film, given)
    driven = any(group is not None for group in groups)
    if driven and film is None and "critical_current" not in start:
        values["critical_current"] = 0.8 * largest_current(model, values, *groups)
    directions = {direction for group in groups if group is not None for direction in group.directions}
    split = {ALIASES.get(name, name) for name in per_direction}
    free = _free(names, split, directions)
    largest = largest_current(model, values, *groups) if driven else 1.0
    begin = {"back_hopping_current": largest, **values, **_begin(film, scale), **start}
    bounds = {parameter.name: _bounds(parameter, largest, begin, scale) for parameter in free}
    first = {}
    for parameter in free:
        low, high = bounds[parameter.name]
        place = begin.get(parameter.name, begin.get(parameter.root, 1.0))
        first[parameter.name] = float(np.clip(place, low + 1e-3 * abs(low), high - 1e-3 * abs(high)))
    roots = {parameter.root for parameter in free}
    tied = frozenset(TIED - roots - set(start) if film is not None else ())
    needed = set(PARAMETERS) if film is not None else {*DIRECTIONAL, "slonczewski_lambda", "offset_field"}
    # If it is not fixed, the anisotropy field follows from stability and moment.
    needed -= {"anisotropy_field", *OPTIONAL} - set(start) - set(optional_values(film))
    kept = (needed - roots - tied) & set(values)
    fixed = {name: float(values[name]) for name in PARAMETERS if name in kept}
    problem = Problem.of(data, model, free, fixed, tied, bounds, temperature)
    _check_direction(problem)
    return problem, first


def _free(names: Sequence[str], split: set[str], directions: set[str]) -> list[Parameter]:
    """Parameters that vary; parameters per direction have one value for each direction of the data."""
    free: list[Parameter] = []
    for name in names:
        both = PARAMETERS[name]
        own = [parameter for parameter in both.each_direction if parameter.direction in directions]
        free += own if name in split else [both]
    return free


def _check_direction(problem: Problem) -> None:
    """Refuse thresholds in amperes without a direction if the predictions depend on it."""
    rows = problem.data.thresholds
    open_rows = rows[rows["direction"].isna()] if "direction" in rows else rows
    if not len(open_rows):
        return
    split = [parameter.name for parameter in problem.parameters if parameter.direction]
    symmetric = {
        name: parameter.symmetric for name, parameter in PARAMETERS.items() if parameter.symmetric is not None
    }
    shown = [name for name, value in symmetric.items() if problem.fixed.get(name) != value]
    law = ['torque = "voltage"'] if problem.model.law == "voltage" else []
    if split or shown or law:
        first = open_rows.iloc[0]
        raise InputError(
            f"{first['file']}: direction", value="missing",
            allowed="a column direction, with p_to_ap or ap_to_p (also P->AP)",
            remedy=f"{(split + shown + law)[0]} makes the directions differ in current too. One for all rows "
            'goes into a file for --rules: [values] direction = "p_to_ap".',
        )  # fmt: skip


def _begin(film: Film | None, scale: FieldScale | None) -> dict[str, float]:
    """Fields to start from, by film and loops."""
    begin = (
        {} if film is None else {"anisotropy_field": float(film.anisotropy_field(film.nominal().stability))}
    )
    if scale is None:
        return begin
    return {"anisotropy_field": 2.0 * scale.coercive, **begin, "offset_field": scale.offset}


def _default_names(data: Data) -> list[str]:
    """Return the default choice of fitted parameters."""
    if set(data.kinds) & set(PULSES):
        names = list(DEFAULT)
    elif "loops" in data.kinds:
        names = ["stability"]
    else:
        names = []
    if "loops" in data.kinds:
        names.append("offset_field")
    if not names and data.kinds:
        raise InputError(
            "vary", value=None, allowed="at least one parameter",
            remedy="R-V curves determine resistance_area_product, tmr and tmr_half_bias: name them.",
        )  # fmt: skip
    return names


def _check_determined(data: Data, names: Sequence[str], per_direction: Sequence[str]) -> None:
    for name in names:
        if not set(data.kinds) & set(PARAMETERS[name].tables):
            raise InputError(
                "vary", value=name,
                allowed=f"parameters that show in these tables ({', '.join(data.kinds) or 'none'})",
                remedy=f"{name} shows in tables of {' or '.join(PARAMETERS[name].tables)}.",
            )  # fmt: skip
    if per_direction and not set(data.kinds) & set(PULSES):
        raise InputError("per_direction", value=list(per_direction), allowed="with pulses in both directions")
    if len(data.loops) and "stability" in {ALIASES.get(name, name) for name in per_direction}:
        raise InputError(
            "per_direction", value="stability", allowed="one stability where there are loops",
            remedy="A field makes the directions differ, and loops show it: vary offset_field instead.",
        )  # fmt: skip


def _roots(vary: Sequence[str], per_direction: Sequence[str]) -> list[str]:
    allowed = (*PARAMETERS, *ALIASES)
    for name in (*vary, *per_direction):
        if name not in allowed:
            raise InputError(
                "vary", value=name, allowed=", ".join(allowed), remedy=did_you_mean(name, allowed)
            )
    names = list(dict.fromkeys(ALIASES.get(name, name) for name in vary))
    for name in per_direction:
        own = ALIASES.get(name, name)
        if own not in names or own not in DIRECTIONAL:
            raise InputError(
                "per_direction", value=name, allowed=f"those of {', '.join(DIRECTIONAL)} that vary"
            )
    return names


def _check_film(
    film: Film | None, groups: Sequence[Pulses | None], data: Data, temperature: float, given: set[str]
) -> None:
    if film is not None:
        kelvin = [group.temperature for group in groups if group is not None]
        kelvin.append(data.loops.get("temperature_K", pd.Series(dtype=float)).dropna().to_numpy(dtype=float))
        film.check_hottest(float(np.max(np.concatenate(kelvin), initial=temperature)))
        return
    remedy = "Give a stack and a diameter."
    if len(data.resistance) or any(group is not None and group.voltage.any() for group in groups):
        raise InputError("amplitudes in V", value="no stack", allowed="with a stack", remedy=remedy)
    if any(group is not None and np.any(group.temperature != temperature) for group in groups) or np.any(
        data.loops.get("temperature_K", pd.Series(dtype=float)).dropna() != temperature
    ):
        raise InputError("several temperatures", value="no stack", allowed="with a stack", remedy=remedy)
    fields = len(data.loops) or "offset_field" in given
    for name, needed in (("anisotropy_field", fields), ("relaxation_time", len(data.loops))):
        if needed and name not in given:
            raise InputError(
                name, value="no stack", allowed="a stack, or the name in vary or start",
                remedy="Loops and fields need it.",
            )  # fmt: skip


def _check_diameters(film: Film | None, groups: Sequence[Pulses | None]) -> None:
    """Refuse rows of several diameters without a film."""
    widths = [group.diameter for group in groups if group is not None and group.diameter is not None]
    if film is None and widths:
        raise InputError(
            "diameter_m", value="no stack", allowed="with a stack", remedy="Give a stack and a diameter."
        )


def _check_terms(film: Film | None, given: set[str]) -> None:
    """Refuse terms without a film or an effect, and those of which a parameter is missing."""
    without_effect = given & set(() if film is None else film.stack.unused_exponents)
    for name in sorted(without_effect):
        raise InputError(
            name, value="varied or given", allowed="none: the stack has a measured table over temperature",
            remedy="The table takes the place of the exponent: leave one of them out.",
        )  # fmt: skip
    for term in TERMS.values():
        present = [name for name in term.parameters if name in given]
        if not present or not PARAMETERS[present[0]].optional:
            continue
        if film is None and term.needs_film:
            raise InputError(
                present[0], value="no stack", allowed="with a stack", remedy="Give a stack and a diameter."
            )
        missing = [name for name in term.parameters if name not in given]
        if missing and term.whole:
            raise InputError(
                missing[0], value="missing", allowed=f"together with {present[0]}",
                remedy="Vary it too, give its value in start, or write it into the stack.",
            )  # fmt: skip


def _bounds(
    parameter: Parameter, largest: float, begin: Mapping[str, float], scale: FieldScale | None
) -> tuple[float, float]:
    root = parameter.root
    if parameter.bounds is not None:
        return parameter.bounds
    if root == "critical_current":
        # The table of error rates ends at 20 times the critical current.
        return largest / 20.0, 20.0 * largest
    if root == "back_hopping_current":
        return 0.1 * largest, 10.0 * largest
    if root == "anisotropy_field":
        assert scale is not None  # no other table determines it
        return 0.8 * scale.coercive, 20.0 * scale.coercive
    assert root == "offset_field"  # the others have bounds in the table
    reach = 0.5 * begin["anisotropy_field"]
    if scale is not None:
        reach = max(reach, abs(scale.offset) + scale.coercive)
    return -reach, reach


def _only_temperature(data: Data) -> float:
    for rows in data:
        given = rows.get("temperature_K", pd.Series(dtype=float)).dropna()
        if len(given):
            return float(given.iloc[0])
    return 300.0
