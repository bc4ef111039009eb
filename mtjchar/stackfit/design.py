"""Choice of the next pulses to measure: Fisher information of counts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.errors import InputError
from mtjchar.stackfit.model import log_exponent_at
from mtjchar.stackfit.problem import Problem, pulse_temperatures
from mtjchar.stackfit.pulses import Pulses
from mtjchar.stackfit.result import StackFit

__all__ = ["SHARES", "candidates", "check_plan", "information_map", "next_measurements", "pulse_rows"]

_FARTHEST = 1.5  # amplitude of a candidate over the largest measured one: barriers break down

SHARES = (0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99)
"""Shares of successful writes at the candidates, if no amplitudes are given."""

_DURATIONS = 25


def next_measurements(
    fit: StackFit,
    parameter: str,
    *,
    durations: npt.ArrayLike | None = None,
    amplitudes: npt.ArrayLike | None = None,
    directions: Sequence[str] | None = None,
    trials: int = 10_000,
    points: int = 5,
) -> pd.DataFrame:
    """Find the pulses that reduce the uncertainty of a parameter most, one after the other.

    Parameters
    ----------
    fit : StackFit
    parameter : str
        A free parameter of the fit.
    durations : array_like, optional
        Candidates, s; default: 25 values from a third of the shortest duration of the data to a hundred times
        the longest one.
    amplitudes : array_like, optional
        Candidates, V (A if the data are in amperes); default: for each duration, those at which
        `SHARES` of the writes succeed by the fit, up to 1.5 times the largest measured amplitude.
    directions : sequence of str, optional
        Default: those of the data.
    trials : int, optional
        Writes of each measurement.
    points : int, optional
        Number of measurements to plan.

    Returns
    -------
    DataFrame
        One row per measurement, the best one first: ``direction``, ``amplitude_V`` or ``current_A``,
        ``duration_s``, ``temperature_K`` (that of most pulses of the data), ``probability`` of switching,
        ``standard_error`` of the parameter after this measurement and those above, and ``narrowing``, the
        ratio of that to the present one.

    Raises
    ------
    InputError
        For an unknown parameter or direction.

    Notes
    -----
    A count of n writes with switching probability P adds n (dP/dtheta)(dP/dtheta)^T/[P (1 - P)] to the
    information [1]_; over-dispersion of the fit divides it.

    References
    ----------
    .. [1] V. V. Fedorov, Theory of Optimal Experiments (1972): adding the most informative point, one by one.
    """
    check_plan(fit.problem, parameter)
    grid = candidates(fit, durations=durations, amplitudes=amplitudes, directions=directions)
    probability, gradient = _gradients(fit, grid)
    which = fit.problem.free.index(parameter)
    covariance = fit.covariance.copy()
    before = np.sqrt(covariance[which, which])
    chosen = []
    for _ in range(points):
        after = _variance_after(fit, covariance, gradient, probability, trials, which)
        best = int(np.argmin(after))
        g, noise = gradient[best], _noise(fit, probability[best], trials)
        change = covariance @ g
        covariance = covariance - np.outer(change, change) / (noise + g @ change)
        error = np.sqrt(covariance[which, which])
        chosen.append({"row": best, "standard_error": error, "narrowing": error / before})
    plan = pd.DataFrame(chosen)
    picked = grid.iloc[plan["row"].to_numpy()].reset_index(drop=True)
    return picked.assign(
        probability=probability[plan["row"]],
        standard_error=plan["standard_error"],
        narrowing=plan["narrowing"],
    )


def check_plan(problem: Problem, parameter: str) -> None:
    """Refuse to plan for a parameter that is not fitted, or without pulses, before the fit starts."""
    if parameter not in problem.free:
        raise InputError("parameter", value=parameter, allowed=", ".join(problem.free))
    pulse_rows(problem)


def pulse_rows(problem: Problem) -> list[pd.DataFrame]:
    """Rows of the switching counts and of the thresholds that are pulses; bits at rest are left out.

    Raises
    ------
    InputError
        If there are none.
    """
    driven = [rows[~Pulses.of(rows, problem.temperature).at_rest] for rows in problem.data[:2] if len(rows)]
    data = [rows for rows in driven if len(rows)]
    if not data:
        raise InputError("fit", value="no pulses", allowed="a fit of switching counts or thresholds")
    return data


def information_map(
    fit: StackFit, parameter: str, *, direction: str, durations: FloatArray, amplitudes: FloatArray,
    trials: int = 10_000,
) -> pd.DataFrame:  # fmt: skip
    """Compute the standard error of a parameter after one more measurement, for every pulse of a grid.

    Returns
    -------
    DataFrame
        As `next_measurements`, one row per candidate; ``narrowing`` is 1 if a measurement gives no
        information.
    """
    grid = candidates(fit, durations=durations, amplitudes=amplitudes, directions=[direction])
    probability, gradient = _gradients(fit, grid)
    which = fit.problem.free.index(parameter)
    variance = _variance_after(fit, fit.covariance, gradient, probability, trials, which)
    before = np.sqrt(fit.covariance[which, which])
    return grid.assign(
        probability=probability, standard_error=np.sqrt(variance), narrowing=np.sqrt(variance) / before
    )


def candidates(
    fit: StackFit,
    *,
    durations: npt.ArrayLike | None,
    amplitudes: npt.ArrayLike | None,
    directions: Sequence[str] | None,
) -> pd.DataFrame:
    """Candidate pulses: ``direction``, ``amplitude_V`` or ``current_A``, ``duration_s``, temperature."""
    data = pulse_rows(fit.problem)
    drive = "amplitude_V" if all("amplitude_V" in rows for rows in data) else "current_A"
    if directions is None:
        measured = {name for rows in data for name in rows.get("direction", pd.Series([DIRECTIONS[0]]))}
        directions = [name for name in DIRECTIONS if name in measured]
    for direction in directions:
        if direction not in DIRECTIONS:
            raise InputError("directions", value=direction, allowed=" and ".join(DIRECTIONS))
    if durations is None:
        every = np.concatenate([rows["duration_s"].to_numpy() for rows in data])
        durations = np.geomspace(every.min() / 3.0, 100.0 * every.max(), _DURATIONS)
    times = np.atleast_1d(np.asarray(durations, dtype=np.float64))
    levels = np.asarray(SHARES if amplitudes is None else amplitudes, dtype=np.float64)
    rows = pd.DataFrame(
        itertools.product(directions, times, np.atleast_1d(levels)),
        columns=["direction", "duration_s", drive],
    )
    rows["temperature_K"] = pulse_temperatures(fit.problem)[0]
    if amplitudes is None:
        share = rows[drive].to_numpy(dtype=np.float64)
        pulses = Pulses.of(rows, fit.problem.temperature)
        rows[drive] = fit.problem.model.threshold(fit.values, pulses, log_exponent_at(share))
        largest = max(float(np.abs(table[drive]).max()) for table in data)
        safe = rows[drive] <= _FARTHEST * largest
        rows = rows[safe].reset_index(drop=True) if safe.any() else rows
    return rows[["direction", drive, "duration_s", "temperature_K"]]


def _gradients(fit: StackFit, grid: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Switching probability and its derivatives, shape (candidates, parameters)."""
    pulses = Pulses.of(grid, fit.problem.temperature)

    def probability(vector: FloatArray) -> FloatArray:
        return -np.expm1(fit.problem.model.log_error_rate(fit.problem.values(vector), pulses))

    step = 1e-3 * np.abs(fit.vector) + 1e-12
    columns = [
        (probability(fit.vector + shift) - probability(fit.vector - shift)) / (2.0 * shift.max())
        for shift in np.diag(step)
    ]
    return np.clip(probability(fit.vector), 1e-9, 1.0 - 1e-9), np.stack(columns, axis=-1)


def _noise(fit: StackFit, probability: FloatArray, trials: int) -> FloatArray:
    return np.asarray(fit.inflation * probability * (1.0 - probability) / trials)


def _variance_after(
    fit: StackFit,
    covariance: FloatArray,
    gradient: FloatArray,
    probability: FloatArray,
    trials: int,
    which: int,
) -> FloatArray:
    """Variance of a parameter after one more measurement at each candidate (Sherman and Morrison)."""
    change = gradient @ covariance
    spread = np.einsum("cp,cp->c", gradient, change)
    return np.asarray(
        covariance[which, which] - change[:, which] ** 2 / (_noise(fit, probability, trials) + spread)
    )
