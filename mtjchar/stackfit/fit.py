"""Fit of a device to tester data: maximum likelihood over all tables together."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence

import lmfit
import numpy as np

from mtjchar.errors import InputError
from mtjchar.stackfit.checks.fit import check_fit
from mtjchar.stackfit.checks.rates import check_data
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.determined import search_determined
from mtjchar.stackfit.diagnosis import diagnose
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.likelihood import tail_probability
from mtjchar.stackfit.minimize import Minimum, inverse
from mtjchar.stackfit.parameters import Parameter
from mtjchar.stackfit.problem import Problem
from mtjchar.stackfit.profile import Interval, profile_intervals
from mtjchar.stackfit.result import FitWarning, StackFit
from mtjchar.stackfit.search import corrected, minimize_solved, scales
from mtjchar.stackfit.setup import FitSetup, set_up
from mtjchar.stackfit.stackfile import merged_current_message

__all__ = ["fit_stack", "solve"]

_SIGNIFICANT = 0.01  # probability of such a large deviance below which the data count as over-dispersed
_LEAST_SCALE = 0.05  # of a deviance's variance: counts of single trials scatter hardly at all
_LEAST_EXPECTED = 0.5  # deviance
_RESTARTS = 3  # from lower deviances that a profile finds


def fit_stack(
    tables: Sequence[Table],
    film: Film | None = None,
    *,
    vary: Sequence[str] | None = None,
    per_direction: Sequence[str] = (),
    terms: Sequence[str] = (),
    start: Mapping[str, float] | None = None,
    starts: int = 3,
    intervals: bool = True,
) -> StackFit:
    """Fit device parameters to switching counts, thresholds, R-V curves and R-H loops together.

    Parameters
    ----------
    tables : sequence of Table
        From `mtjchar.stackfit.read_table`. Wafer tables give the spread of devices (`fit_wafer`); their
        means of resistance-area product and TMR replace the stack's if these parameters do not vary.
    film : Film, optional
        The assumed junction. It provides starting values, fixed parameters, and the resistance that converts
        volts to amperes. Without it data have to be in amperes, at one temperature.
    vary : sequence of str, optional
        Names of `mtjchar.stackfit.PARAMETERS`, or the corresponding keys of a stack:
        ``interfacial_anisotropy`` for ``stability``, ``damping`` for ``relaxation_time``,
        ``spin_polarization`` for ``critical_current``. Parameters that do not vary keep the film's value:
        with a fixed damping the relaxation time follows the stability, with a fixed polarization the critical
        current follows it, and the anisotropy field follows it by the film's moment. Default: those of
        stability, critical current and relaxation time that the tables determine (loops alone: the
        stability), and with loops the offset field.
    per_direction : sequence of str, optional
        Those of stability, critical_current and relaxation_time with a separate value for each direction.
    terms : sequence of str, optional
        Names of `mtjchar.stackfit.TERMS` whose parameters vary too, such as ``("self_heating",)``.
        `mtjchar.stackfit.compare_terms` finds those that the data ask for.
    start : mapping, optional
        Starting values, and values of fixed parameters, in SI units.
    starts : int, optional
        Number of the best points of a coarse search from which minimizations start; 0: only from `start`.
    intervals : bool, optional
        Compute profile-likelihood intervals.

    Returns
    -------
    StackFit

    Raises
    ------
    InputError
        For data that cannot determine the parameters: no pulse between never and always switching, one
        duration for three parameters, amplitudes or fields that do not suit the film, fewer informative
        rows than parameters, parameters that affect none of the tables.

    Warns
    -----
    FitWarning
        For problems of the result: a model that does not describe the data, rows of one pulse that contradict
        each other, directions that look swapped, loops and pulses that contradict each other, parameters at
        their bounds or undetermined.
    """
    fit = solve(
        set_up(tables, film, vary, per_direction, start or {}, terms), starts=starts, intervals=intervals
    )
    for message in fit.messages:
        warnings.warn(message, FitWarning, stacklevel=2)
    return fit


def solve(
    setup: FitSetup, *, starts: int = 3, intervals: bool = True, best: Minimum | None = None
) -> StackFit:
    """Fit the parameters of a set-up. The messages of the result are the warnings of `fit_stack`.

    Parameters
    ----------
    setup : FitSetup
    starts : int, optional
    intervals : bool, optional
        As of `fit_stack`.
    best : Minimum, optional
        The lowest deviance, if it is known; nothing is then searched.

    Raises
    ------
    InputError
        For data that cannot determine the parameters.
    """
    problem, wafer = setup.problem, setup.wafer
    warned = [*check_data(problem), *(wafer.messages if wafer is not None else ())]
    _check_sensitive(problem, setup.start)
    left_out: tuple[Parameter, ...] = ()
    if best is None:
        problem, best, left_out = search_determined(problem, setup.start, starts, setup.given)
    fit = _with_profiles(problem, best) if intervals else _fitted(problem, best, None)
    parameters = _parameters(fit, setup.start)
    fit = dataclasses.replace(fit, params=parameters, tables=setup.tables, wafer=wafer, left_out=left_out)
    return dataclasses.replace(fit, messages=(*warned, *check_fit(fit), *merged_current_message(fit)))


def _check_sensitive(problem: Problem, first: Mapping[str, float]) -> None:
    """Refuse parameters that have no effect on these data."""
    start = np.array([first[name] for name in problem.free])
    at_start = problem.residuals(start)
    for k, parameter in enumerate(problem.parameters):
        low, high = problem.bounds[parameter.name]
        moved = start.copy()
        moved[k] = start[k] + 0.05 * (high - start[k] if high - start[k] > start[k] - low else low - start[k])
        if np.array_equal(problem.residuals(moved), at_start):
            raise InputError(
                "vary", value=parameter.name, allowed="parameters that these data depend on",
                remedy=f"{' or '.join(parameter.tables)} tables would determine it. Currents do not "
                "show resistances where the torque goes with the current. Voltages do not show the TMR where "
                "it goes with the voltage. One direction does not show an asymmetry.",
            )  # fmt: skip


def _with_profiles(problem: Problem, best: Minimum) -> StackFit:
    """Compute intervals; if their search finds a lower deviance, minimize again from there."""
    for _ in range(_RESTARTS):
        fit = _fitted(problem, best, None)
        if not fit.converged:
            return fit  # intervals around a point that is not the minimum mean nothing
        error = np.sqrt(np.diag(fit.covariance) / fit.inflation)
        profiles = profile_intervals(fit.problem, best, error, fit.inflation)
        if profiles.square >= best.square:
            break
        best = minimize_solved(problem, profiles.best)
    return dataclasses.replace(fit, profiles=profiles.intervals)


def _fitted(problem: Problem, best: Minimum, profiles: tuple[Interval, ...] | None) -> StackFit:
    """Results that follow from the minimum alone."""
    size = scales(problem, best.vector)
    freedom = problem.rows - len(best.vector)
    moments = problem.moments(best.vector)
    expected = float(moments.mean.sum()) - len(best.vector)
    # Chi-square has twice the mean for a variance; each parameter takes one degree of freedom.
    excess = 0.5 * (float(moments.variance.sum()) - 2.0 * len(best.vector))
    # Rows with hardly any expected switching have no expected deviance, and may have a large one.
    least = max(expected, _LEAST_EXPECTED)
    scale = max(excess / least, _LEAST_SCALE) if expected > _LEAST_EXPECTED else 1.0
    dispersion = best.square / least if freedom > 0 else 1.0
    chance = tail_probability(best.square, expected, scale)
    significant = freedom > 0 and chance < _SIGNIFICANT
    problem = corrected(problem, best)
    diagnosis = diagnose(problem, best.vector)
    scatters = significant and dispersion > 1.0 and not diagnosis.systematic
    inflation = dispersion if scatters else 1.0
    return StackFit(
        params=lmfit.Parameters(), problem=problem, vector=best.vector,
        covariance=inflation * inverse(best.jacobian * size) * np.outer(size, size),
        deviance=best.square, distance=best.distance, expected_deviance=expected, deviance_scale=scale,
        dispersion=dispersion, inflation=inflation, diagnosis=diagnosis, profiles=profiles, tables=(),
        wafer=None, messages=(),
    )  # fmt: skip


def _parameters(fit: StackFit, first: Mapping[str, float]) -> lmfit.Parameters:
    """Values, standard errors and correlations in the form of lmfit."""
    parameters, correlation = lmfit.Parameters(), fit.correlation()
    error = np.sqrt(np.diag(fit.covariance))
    for k, name in enumerate(fit.problem.free):
        low, high = fit.problem.bounds[name]
        parameters.add(name, value=float(fit.vector[k]), min=low, max=high)
        parameters[name].init_value = first[name]
        parameters[name].stderr = float(error[k])
        parameters[name].correl = {
            other: float(value) for other, value in correlation[name].items() if other != name
        }
    for name, value in fit.problem.fixed.items():
        parameters.add(name, value=value, vary=False)
    return parameters
