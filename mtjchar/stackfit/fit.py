"""Fit a device to tester data: maximum likelihood over all tables together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import lmfit
import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.stackfit import checks, fit_checks
from mtjchar.stackfit.diagnosis import diagnose
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.likelihood import tail_probability
from mtjchar.stackfit.problem import FITTED_KINDS, TOLD_BY, Data, Problem, make_problem
from mtjchar.stackfit.profile import minimize, profile_interval
from mtjchar.stackfit.result import FitWarning, StackFit
from mtjchar.stackfit.stackfile import of_directions
from mtjchar.stackfit.tables import Table
from mtjchar.stackfit.wafer import WaferFit, fit_wafer

FloatArray = npt.NDArray[np.float64]

_SIGNIFICANT = 0.01  # probability of so large a deviance, below which it counts as over-dispersed
_SCALES = {
    "stability": 10.0,
    "slonczewski_lambda": 0.1,
    "offset_field": 5e-3,
    "anisotropy_field": 0.02,
    "tmr": 0.1,
}
_RELATIVE_SCALE = 0.1
_LEAST_STRENGTH = 1e-14  # of the information along a combination of parameters, over the largest: rounding
_LEAST_SCALE = 0.05  # of a deviance's variance: counts of single trials scatter hardly at all
_CORRECTIONS = 2
_SMALL = 0.05  # standard errors: change of the residuals at which the table needs no further correction


def fit_stack(
    tables: Sequence[Table],
    film: Film | None = None,
    *,
    vary: Sequence[str] | None = None,
    per_direction: Sequence[str] = (),
    start: Mapping[str, float] | None = None,
    starts: int = 3,
    intervals: bool = True,
    exact: bool = True,
) -> StackFit:
    """Fit device parameters to switching counts, thresholds, R-V curves and R-H loops together.

    Parameters
    ----------
    tables : sequence of Table
        From `mtjchar.stackfit.read_table`. Wafer tables give the spread of devices (`fit_wafer`), and their
        means of resistance-area product and TMR take the place of the stack's where these do not vary.
    film : Film, optional
        The junction as it is believed to be: starts, what is not varied, and the resistance that turns volts
        into amperes. Without it data have to be in amperes, at one temperature.
    vary : sequence of str, optional
        Names of `mtjchar.stackfit.PARAMETERS`, or the keys of a stack that stand for them:
        ``interfacial_anisotropy`` for ``stability``, ``damping`` for ``relaxation_time``,
        ``spin_polarization`` for ``critical_current``. What does not vary keeps the film's value: with a
        fixed damping the relaxation time follows the stability, with a fixed polarization the critical
        current, and the anisotropy field the stability by the film's moment. If not given: of stability,
        critical current and relaxation time what the tables tell (loops alone: the stability), and with
        loops the offset field.
    per_direction : sequence of str, optional
        Those of stability, critical_current and relaxation_time that have a value in each direction.
    start : mapping, optional
        Values to start from, or to keep where they do not vary, in SI units.
    starts : int, optional
        How many of the places that look best from afar a search starts from; 0: only from `start`.
    intervals : bool, optional
        Find profile-likelihood intervals.
    exact : bool, optional
        Replace the tabulated error rates by those of the Fokker-Planck solver at the end, and fit again.

    Returns
    -------
    StackFit

    Raises
    ------
    InputError
        For data that cannot tell what is asked: no pulse between never and always switching, one duration for
        three parameters, amplitudes or fields far from what the film needs, fewer informative rows than
        parameters, parameters that show in none of the tables.

    Warns
    -----
    FitWarning
        For what a fit shows: a model that does not describe the data, rows of one pulse that contradict each
        other, directions that look swapped, loops and pulses that do not go together, parameters at their
        bounds or undetermined.
    """
    problem, first, wafer = set_up(tables, film, vary, per_direction, start or {})
    warned = [*checks.before(problem), *(wafer.messages if wafer is not None else ())]
    _check_sensitive(problem, first)
    best, square, jacobian = _search(problem, first, starts)
    if exact:
        best, square, jacobian = _exact(problem, best, square, jacobian)
    return _assemble(problem, best, square, jacobian, first, _sorted(tables), wafer, warned, intervals)


def set_up(
    tables: Sequence[Table],
    film: Film | None,
    vary: Sequence[str] | None,
    per_direction: Sequence[str],
    start: Mapping[str, float],
) -> tuple[Problem, dict[str, float], WaferFit | None]:
    """Tell what is fitted to what, the values to start from, and the wafer; arguments as of `fit_stack`."""
    used = [table for table in tables if table.kind in FITTED_KINDS]
    wafers = [table for table in tables if table.kind == "wafer"]
    if not (used or wafers):
        raise InputError("data", value=[], allowed=f"tables of {', '.join(FITTED_KINDS)} or wafer")
    wafer = fit_wafer(*wafers) if wafers else None
    if wafer is not None and film is not None:
        film = wafer.film(film, without=vary or ())
    data = Data.of(used)
    temperature = film.temperature if film is not None else _only_temperature(data)
    problem, first = make_problem(data, film, vary, per_direction, start, temperature)
    return problem, first, wafer


def _sorted(tables: Sequence[Table]) -> list[Table]:
    """Tables that count, those of wafers last."""
    return sorted(
        (table for table in tables if table.kind in (*FITTED_KINDS, "wafer")),
        key=lambda table: table.kind == "wafer",
    )


def _only_temperature(data: Data) -> float:
    for rows in data:
        told = rows.get("temperature_K", pd.Series(dtype=float)).dropna()
        if len(told):
            return float(told.iloc[0])
    return 300.0


def scales(problem: Problem, vector: FloatArray) -> FloatArray:
    """Natural sizes of steps of the free parameters."""
    return np.array(
        [
            next((size for root, size in _SCALES.items() if name.startswith(root)), None)
            or _RELATIVE_SCALE * abs(value)
            for name, value in zip(problem.free, vector, strict=True)
        ]
    )


def _check_sensitive(problem: Problem, first: Mapping[str, float]) -> None:
    """Refuse parameters that change nothing in these data."""
    start = np.array([first[name] for name in problem.free])
    at_start = problem.residuals(start)
    for k, name in enumerate(problem.free):
        low, high = problem.bounds[name]
        moved = start.copy()
        moved[k] = start[k] + 0.05 * (high - start[k] if high - start[k] > start[k] - low else low - start[k])
        if np.array_equal(problem.residuals(moved), at_start):
            raise InputError(
                "vary", value=name, allowed="parameters that these data depend on",
                remedy=f"{' or '.join(TOLD_BY.get(name, ()))} tables would tell; but currents do not show "
                "resistances, and one direction does not show an asymmetry.",
            )  # fmt: skip


def _search(
    problem: Problem, first: Mapping[str, float], starts: int
) -> tuple[FloatArray, float, FloatArray]:
    found = [minimize(problem, vector, scales(problem, vector)) for vector in problem.starts(first, starts)]
    return min(found, key=lambda one: one[1])


def _exact(
    problem: Problem, best: FloatArray, square: float, jacobian: FloatArray
) -> tuple[FloatArray, float, FloatArray]:
    for _ in range(_CORRECTIONS):
        change = problem.correct(best)
        best, square, jacobian = minimize(problem, best, scales(problem, best))
        if change < _SMALL:
            break
    return best, square, jacobian


def _assemble(
    problem: Problem,
    best: FloatArray,
    square: float,
    jacobian: FloatArray,
    first: Mapping[str, float],
    tables: Sequence[Table],
    wafer: WaferFit | None,
    warned: list[str],
    intervals: bool,
) -> StackFit:
    size = scales(problem, best)
    freedom = problem.rows - len(best)
    moments = problem.moments(best)
    expected = float(moments.mean.sum()) - len(best)
    # Chi-square has twice the mean for a variance; each parameter takes one degree of freedom.
    excess = 0.5 * (float(moments.variance.sum()) - 2.0 * len(best))
    scale = max(excess / expected, _LEAST_SCALE) if expected > 0.5 else 1.0
    dispersion = square / expected if expected > 0.5 else 1.0
    chance = tail_probability(square, expected, scale)
    significant = freedom > 0 and expected > 0.5 and chance < _SIGNIFICANT
    diagnosis = diagnose(problem, best)
    scatters = significant and dispersion > 1.0 and not diagnosis.systematic
    inflation = dispersion if scatters else 1.0
    covariance = inflation * _inverse(jacobian * size) * np.outer(size, size)
    error = np.sqrt(np.diag(covariance))

    parameters = lmfit.Parameters()
    for k, name in enumerate(problem.free):
        low, high = problem.bounds[name]
        parameters.add(name, value=float(best[k]), min=low, max=high)
        parameters[name].init_value = first[name]
        parameters[name].stderr = float(error[k])
        with np.errstate(invalid="ignore", divide="ignore"):
            parameters[name].correl = {
                other: float(covariance[k, j] / (error[k] * error[j]))
                for j, other in enumerate(problem.free)
                if j != k
            }
    for name, value in problem.fixed.items():
        parameters.add(name, value=value, vary=False)

    profiles = None
    if intervals:
        plain = error / np.sqrt(inflation)
        profiles = tuple(
            profile_interval(problem, best, square, plain, k, inflation) for k in range(len(best))
        )
    fit = StackFit(
        params=parameters, problem=problem, vector=best, covariance=covariance, deviance=square,
        expected_deviance=expected, deviance_scale=scale, dispersion=dispersion, inflation=inflation,
        profiles=profiles, diagnosis=diagnosis, tables=tuple(tables), wafer=wafer, messages=(),
    )  # fmt: skip
    messages = (*warned, *fit_checks.after(fit), *of_directions(fit))
    for message in messages:
        warnings.warn(message, FitWarning, stacklevel=3)
    return fit.with_messages(messages)


def _inverse(scaled: FloatArray) -> FloatArray:
    """Inverse of the information, from derivatives by parameters in their natural sizes."""
    if not scaled.shape[1]:
        return np.empty((0, 0))
    # Singular values say what combinations the data leave open.
    strength, axes = np.linalg.eigh(scaled.T @ scaled)
    return np.asarray((axes / np.maximum(strength, _LEAST_STRENGTH * strength[-1])) @ axes.T)
