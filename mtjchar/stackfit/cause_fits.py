"""Residuals of a fit with a cause in the model, and fits of its size."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.stackfit.causes import Cause, Rows, Setting
from mtjchar.stackfit.likelihood import deviance_moments, deviance_residuals
from mtjchar.stackfit.patterns import Pattern
from mtjchar.stackfit.problem import Problem, pulse_columns, threshold_errors
from mtjchar.stackfit.pulses import Pulses

__all__ = ["World", "fit_size", "look", "minimize"]

_KEPT = 32  # settings
_NEWTON = 6
_ROUNDS = 30


@dataclass(frozen=True)
class World:
    """Residuals of a problem over its parameters and the size of a cause, by the table of error rates.

    The table is corrected such that the residuals at the best fit are those of the fit.
    """

    problem: Problem
    best: FloatArray
    residual: FloatArray
    blocks: tuple[Rows, ...]  # of switching rows, of thresholds
    rest: Problem | None  # resistances and loops
    jacobian: FloatArray  # by `unit`
    unit: FloatArray
    mean: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, problem: Problem, vector: FloatArray) -> World:
        """Around the best fit of a problem."""
        residual = problem.residuals(vector)
        others = [kind for kind in problem.data.kinds if kind in ("resistance", "loops")]
        rest = problem.only(others, problem.parameters, vector) if others else None
        blocks = tuple(_blocks(problem, vector, residual))
        empty = np.empty((0, 0))
        world = cls(
            problem, vector, residual, blocks, rest, empty, np.abs(vector) * 1e-3 + 1e-9, residual, residual
        )
        mean, variance = np.ones(len(residual)), np.full(len(residual), 2.0)
        if len(problem.data.switching):
            own = slice(0, len(problem.data.switching))
            trials = problem.observations.counts.trials
            mean[own], variance[own] = deviance_moments(trials, world._setting(vector, blocks[0]).rate())
        if len(problem.data.loops):
            own = slice(len(residual) - len(problem.data.loops), None)
            trials = problem.observations.loop_counts.trials
            mean[own], variance[own] = deviance_moments(trials, problem.log_staying(vector))
        slopes = world.slopes(vector, world.unit)
        error = np.sqrt(np.diag(np.linalg.pinv(slopes.T @ slopes, hermitian=True))) * world.unit
        unit = np.where((error > 0.0) & (error < 0.2 * np.abs(vector) + 1e-2), error, world.unit)
        world = dataclasses.replace(world, unit=unit, mean=mean, variance=variance)
        return dataclasses.replace(world, jacobian=world.slopes(vector, unit))

    @property
    def rows(self) -> int:
        """Number of residuals."""
        return len(self.residual)

    @property
    def deviance(self) -> float:
        """Of the fit."""
        return float(self.residual @ self.residual)

    @property
    def expected(self) -> float:
        """Deviance of good data on average."""
        return self.telling - len(self.best)

    @property
    def telling(self) -> float:
        """Number of rows that scatter: a row that always or never switches gives no information."""
        return float(self.mean.sum())

    @property
    def deviance_scale(self) -> float:
        """Variance of the deviance over twice its mean."""
        # Chi-square has twice the mean for a variance; each parameter takes one degree of freedom.
        excess = 0.5 * (float(self.variance.sum()) - 2.0 * len(self.best))
        return max(excess / self.expected, 0.05) if self.expected > 0.5 else 1.0

    def _setting(self, vector: FloatArray, rows: Rows, pulses: Pulses | None = None) -> Setting:
        problem, known = self.problem, self._known_settings
        key = vector.shape, vector.tobytes(), id(rows)
        if pulses is None and key in known:
            return known[key]
        setting = Setting(
            problem.model, problem.temperature, problem.values(vector), pulses or rows.pulses, rows
        )
        if pulses is None:
            if len(known) > _KEPT:
                known.clear()
            known[key] = setting
        return setting

    @functools.cached_property
    def _known_settings(self) -> dict[tuple[tuple[int, ...], bytes, int], Setting]:
        """Settings of the last parameters: patterns and many causes change only their own rates."""
        return {}

    def residuals(
        self, vector: FloatArray, cause: Cause | Pattern | None = None, size: float = 0.0
    ) -> FloatArray:
        """Residuals of all rows, with or without a cause of the given size.

        Without a cause also for vectors of shape (sets, parameters).
        """

        def rate(rows: Rows, pulses: Pulses | None = None) -> FloatArray:
            at = self._setting(vector, rows, pulses)
            return at.rate() if cause is None else cause.effect(size, at)

        parts, blocks = [], iter(self.blocks)
        known = self.problem.observations
        if known.pulses is not None:
            log_rate = np.minimum(rate(next(blocks)), -1e-16)
            parts.append(deviance_residuals(*known.counts, log_rate))
        if known.thresholds is not None:
            expected = _threshold(next(blocks), known.threshold_log_exponent, rate)
            parts.append((known.thresholds.amplitude - expected) / known.threshold_errors)
        if self.rest is not None:
            parts.append(self.rest.residuals(vector))
        sets = np.shape(vector)[:-1]
        return np.concatenate(
            [np.zeros((*sets, 0)), *(np.broadcast_to(part, (*sets, part.shape[-1])) for part in parts)],
            axis=-1,
        )

    def slopes(self, vector: FloatArray, unit: FloatArray) -> FloatArray:
        """Return derivatives of the residuals by the parameters in units."""
        if not len(vector):
            return np.empty((self.rows, 0))
        step = np.diag(0.05 * unit)
        above, below = np.split(self.residuals(np.concatenate([vector + step, vector - step])), 2)
        return np.asarray((above - below).T / 0.1)

    @functools.cached_property
    def base(self) -> FloatArray:
        """Residuals at the best fit, by the table."""
        return self.residuals(self.best)

    @functools.cached_property
    def _basis(self) -> FloatArray:
        """Orthonormal directions in which the parameters move the residuals."""
        if not self.jacobian.shape[1]:
            return self.jacobian
        axes, strength, _ = np.linalg.svd(self.jacobian, full_matrices=False)
        return np.asarray(axes[:, strength > 1e-10 * strength[0]])

    def away(self, residual: FloatArray) -> FloatArray:
        """Part of a change of the residuals that the parameters cannot reproduce, to first order."""
        return np.asarray(residual - self._basis @ (self._basis.T @ residual))

    @functools.cached_property
    def expected_share(self) -> FloatArray:
        """Share of the writes of each row of pulses that switches, by the fit."""
        rates = [self._setting(self.best, rows).rate() for rows in self.blocks]
        return np.concatenate([-np.expm1(log_rate) for log_rate in rates])

    @property
    def limits(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bounds of the parameters."""
        bounds = np.array([self.problem.bounds[name] for name in self.problem.free]).reshape(-1, 2)
        return bounds[:, 0], bounds[:, 1]


def _blocks(problem: Problem, vector: FloatArray, residual: FloatArray) -> list[Rows]:
    """Rows of pulses, with a correction of the table that gives the residuals of the fit."""
    values, model, blocks, start = problem.values(vector), problem.model, [], 0
    tables = [(rows, Pulses.of(rows, problem.temperature)) for rows in problem.data[:2] if len(rows)]
    if not tables:
        return []
    largest = {
        bool(volts): max(
            float(pulses.amplitude[pulses.voltage == volts].max(initial=0.0)) for _, pulses in tables
        )
        for volts in (False, True)
    }
    electric = []
    for rows, pulses in tables:
        own = residual[start : start + len(rows)]
        start += len(rows)
        if "trials" in rows and "switched" in rows:
            trials, switched = (rows[name].to_numpy(dtype=np.float64) for name in ("trials", "switched"))
            solved = _log_rate_of(own, switched, trials)
        else:
            solved = rows["ln_error_rate"].to_numpy(dtype=np.float64)
            pulses = pulses.at(pulses.amplitude - own * threshold_errors(rows))
        table = model.log_error_rate(values, pulses)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = solved / table
        factor = np.where(np.isfinite(factor) & (factor > 0.5) & (factor < 2.0), factor, 1.0)
        voltage, power = _electric(problem, values, pulses)
        electric.append((voltage, power))
        full = np.where(pulses.voltage, largest[True], largest[False])
        share = pulses.amplitude / np.where(full > 0.0, full, 1.0)
        labels = pd.DataFrame(
            {name: rows.get(name, pd.Series("", index=rows.index)).astype(str) for name in ("file", "device")}
        ).reset_index(drop=True)
        line = rows.get("line", pd.Series(np.arange(len(rows)), index=rows.index))
        place = line.groupby(labels["file"].to_numpy()).rank(method="first")
        last = place.groupby(labels["file"].to_numpy()).transform("max")
        order = (2.0 * (place - 0.5) / last - 1.0).to_numpy(dtype=np.float64)
        repeat = (
            rows.assign(_line=line)
            .sort_values("_line", kind="stable")
            .groupby(pulse_columns(rows), dropna=False)
            .cumcount()
            .reindex(rows.index)
            .to_numpy(dtype=np.float64)
        )
        blocks.append(Rows(pulses, order, np.asarray(repeat), labels, factor, share, power, voltage))
    # At rest there is no drive that could be wrong.
    most = [max(float(np.abs(pair[k]).max()) for pair in electric) or 1.0 for k in (0, 1)]
    return [
        dataclasses.replace(rows, voltage=rows.voltage / most[0], power=rows.power / most[1])
        for rows in blocks
    ]


def _electric(problem: Problem, values: dict[str, float], pulses: Pulses) -> tuple[FloatArray, FloatArray]:
    """Voltage (with the sign of the direction) and power before the write, without a film up to a factor."""
    sign = np.where(pulses.reverse, -1.0, 1.0)
    if problem.model.film is None:
        return sign * pulses.amplitude, pulses.amplitude**2
    parallel, excess = problem.model.resistances(values, pulses)
    resistance = np.where(pulses.reverse, parallel * (1.0 + excess), parallel)
    volts = np.where(pulses.voltage, pulses.amplitude, pulses.amplitude * resistance)
    return sign * volts, volts**2 / resistance


def _log_rate_of(residual: FloatArray, switched: FloatArray, trials: FloatArray) -> FloatArray:
    """Logarithm of the error rate for a deviance residual, which falls with the error rate."""
    # By bisection of the log-odds of a failure: the residual rises with them.
    low, high = np.full_like(residual, -700.0), np.full_like(residual, 40.0)
    for _ in range(70):
        middle = 0.5 * (low + high)
        rate = np.minimum(-np.logaddexp(0.0, -middle), -1e-17)
        rises = deviance_residuals(switched, trials, rate) < residual
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return np.asarray(-np.logaddexp(0.0, -0.5 * (low + high)))


def _threshold(rows: Rows, wanted: FloatArray, rate: Callable[[Rows, Pulses], FloatArray]) -> FloatArray:
    """Amplitude at which ln(-ln WER) has the given value."""
    # Newton steps: the function is nearly linear in the logarithm of the amplitude.
    amplitude = rows.pulses.amplitude

    def exponent(at: FloatArray) -> FloatArray:
        return np.log(np.maximum(-rate(rows, rows.pulses.at(at)), 1e-300))

    for _ in range(_NEWTON):
        here, there = exponent(amplitude), exponent(1.001 * amplitude)
        slope = np.maximum((there - here) / np.log(1.001), 0.5)
        amplitude = amplitude * np.exp(np.clip((wanted - here) / slope, -0.5, 0.5))
    return np.asarray(amplitude)


def minimize(
    residuals: Callable[[FloatArray], FloatArray], start: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, float]:
    """Least squares between bounds by Levenberg and Marquardt, for coordinates with steps of order 1."""
    x = np.clip(start, low, high)
    residual = residuals(x)
    square, damping = float(residual @ residual), 1e-3
    for _ in range(_ROUNDS):
        steps = np.where(x + 1e-2 <= high, 1e-2, -1e-2)
        moved = [(residuals(x + step) - residual) / step[k] for k, step in enumerate(np.diag(steps))]
        slopes = np.stack(moved, axis=1)
        normal, gradient, before = slopes.T @ slopes, slopes.T @ residual, square
        # A coordinate at its bound that would leave it stays.
        moving = ~(((x <= low) & (gradient > 0.0)) | ((x >= high) & (gradient < 0.0)))
        inner = np.ix_(moving, moving)
        for _ in range(8):
            damped = normal[inner] + np.diag(damping * np.diag(normal)[moving] + 1e-12)
            change = np.zeros_like(x)
            change[moving] = -np.linalg.lstsq(damped, gradient[moving], rcond=None)[0]
            trial = np.clip(x + change, low, high)
            tried = residuals(trial)
            if tried @ tried < square:
                x, residual, square, damping = trial, tried, float(tried @ tried), 0.2 * damping
                break
            damping *= 6.0
        if before - square < 1e-3 * max(1.0, 1e-3 * square):
            break
    return x, square


def fit_size(world: World, cause: Cause | Pattern, start: float) -> tuple[float, float]:
    """Fit the parameters and the size of a cause together; return the deviance and the size.

    `start` is a coordinate of the cause.
    """
    count = len(world.best)
    low, high = (
        np.append((limit - world.best) / world.unit, cause.coordinate(end))
        for limit, end in zip(world.limits, cause.bounds, strict=True)
    )

    def residuals(x: FloatArray) -> FloatArray:
        return world.residuals(world.best + world.unit * x[:count], cause, cause.size(float(x[count])))

    x, square = minimize(residuals, np.append(np.zeros(count), start), low, high)
    return square, cause.size(float(x[count]))


def look(world: World, cause: Cause | Pattern, tries: Sequence[float]) -> tuple[float, float]:
    """Fall of the deviance to first order in the parameters, and the corresponding coordinate of the size."""
    low, high = (cause.coordinate(end) for end in cause.bounds)
    best = world.away(world.base)
    square = float(best @ best)
    step = 0.05 if high > 0.0 else -0.05
    slope = world.away(world.residuals(world.best, cause, cause.size(step)) - world.base) / step
    strength = float(slope @ slope)
    falls = [(0.0, step)]
    if strength > 1e-8:
        place = float(np.clip(-(slope @ best) / strength, low, high))
        falls.append((-2.0 * place * float(slope @ best) - place**2 * strength, place))
    for size in tries:
        place = cause.coordinate(size * cause.unit)
        if low < place < high:
            left = world.away(world.residuals(world.best, cause, cause.size(place)))
            falls.append((square - float(left @ left), place))
    return max(falls)
