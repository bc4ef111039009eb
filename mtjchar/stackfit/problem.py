"""Residuals of all rows over the free parameters: from the table of error rates, and by the solver."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.physics.anisotropy import REFERENCE_TEMPERATURE
from mtjchar.physics.torque import symmetric_efficiency
from mtjchar.stackfit.data.field_steps import FieldSteps, steps_of
from mtjchar.stackfit.data.tables import Table
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.likelihood import Moments, deviance_moments, deviance_residuals
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.parameters import FITTED_KINDS, OF_RESISTANCE, Parameter, Values, directional_name
from mtjchar.stackfit.pulses import Pulses

__all__ = [
    "READING_ERROR",
    "Between",
    "Correction",
    "Counts",
    "Data",
    "Observations",
    "Problem",
    "largest_current",
    "nominal_values",
    "optional_values",
    "pulse_columns",
    "pulse_temperatures",
    "resistance_errors",
    "resistances_at",
    "starting_values",
    "threshold_errors",
]

READING_ERROR = 0.01  # relative, of thresholds without a column of their error
_KEPT = 64  # sets of parameters: those of a derivative


class Data(NamedTuple):
    """Rows of all tables of a kind together, for loops their field steps; empty frames if there are none.

    Single shots of one pulse are combined into one row.
    """

    switching: pd.DataFrame
    thresholds: pd.DataFrame
    resistance: pd.DataFrame
    loops: pd.DataFrame

    @classmethod
    def of(cls, tables: Sequence[Table]) -> Data:
        """Combine tables."""
        frames = []
        for kind in FITTED_KINDS:
            rows = [
                steps_of(table) if kind == "loops" else table.rows for table in tables if table.kind == kind
            ]
            frames.append(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame())
        switching, *others = frames
        return cls(_pooled(switching) if len(switching) else switching, *others)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of which there are rows."""
        return tuple(kind for kind, rows in zip(FITTED_KINDS, self, strict=True) if len(rows))

    def only(self, *kinds: str) -> Data:
        """Return the rows of some kinds alone."""
        return Data(
            *(
                rows if kind in kinds else pd.DataFrame()
                for kind, rows in zip(FITTED_KINDS, self, strict=True)
            )
        )


def pulse_columns(rows: pd.DataFrame, *more: str) -> list[str]:
    """Columns of rows that identify the pulse, and the existing ones of `more`."""
    names = ("direction", "amplitude_V", "current_A", "duration_s", "temperature_K", "diameter_m", *more)
    return [name for name in names if name in rows]


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum single shots of one pulse.

    The likelihood is the same, but the deviance of a row of one trial does not measure the quality of the
    model, and the derivatives of its root do not give the standard errors.
    """
    single = rows["trials"] == 1
    keys = pulse_columns(rows, "device", "file")
    totals = {"trials": "sum", "switched": "sum", "line": "min"}
    pooled = rows[single].groupby(keys, as_index=False, dropna=False, sort=False).agg(totals)
    both = pd.concat([rows[~single], pooled], ignore_index=True)
    return both.reindex(columns=rows.columns) if single.any() else rows


class Correction(NamedTuple):
    """Difference between the solver's and the table's residuals near one point, to first order.

    Attributes
    ----------
    center : ndarray, shape (parameters,)
    shift : ndarray, shape (rows,)
        Difference of the residuals there.
    slope : ndarray, shape (rows, parameters)
        Difference of their derivatives.
    """

    center: FloatArray
    shift: FloatArray
    slope: FloatArray

    def at(self, vector: FloatArray) -> FloatArray:
        """Difference of the residuals at a vector, or at vectors of shape (sets, parameters)."""
        return np.asarray(self.shift + (vector - self.center) @ self.slope.T)


class Between(NamedTuple):
    """Corrections at two points, and their interpolation along one parameter."""

    near: Correction
    far: Correction
    which: int

    def at(self, vector: FloatArray) -> FloatArray:
        """Difference of the residuals at a vector, or at vectors of shape (sets, parameters)."""
        start, end = self.near.center[self.which], self.far.center[self.which]
        share = np.clip((vector[..., self.which, None] - start) / (end - start), 0.0, 1.0)
        return np.asarray((1.0 - share) * self.near.at(vector) + share * self.far.at(vector))


class Counts(NamedTuple):
    """Writes, or loops, that switched, and the trials; one value per row."""

    switched: FloatArray
    trials: FloatArray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Counts:
        """Make them from the columns of rows."""
        return cls(*(rows[name].to_numpy(dtype=np.float64) for name in ("switched", "trials")))


@dataclass(frozen=True)
class Observations:
    """Rows of all tables, and the arrays that a fit needs from them, which are made once.

    Attributes
    ----------
    data : Data
    temperature : float
        K, for rows without one.
    """

    data: Data
    temperature: float

    @functools.cached_property
    def pulses(self) -> Pulses | None:
        """Of the switching rows."""
        return Pulses.of(self.data.switching, self.temperature) if len(self.data.switching) else None

    @functools.cached_property
    def counts(self) -> Counts:
        """Of the switching rows."""
        return Counts.of(self.data.switching)

    @functools.cached_property
    def thresholds(self) -> Pulses | None:
        """Of the thresholds."""
        return Pulses.of(self.data.thresholds, self.temperature) if len(self.data.thresholds) else None

    @functools.cached_property
    def threshold_errors(self) -> FloatArray:
        """Standard errors of the thresholds, V or A."""
        return threshold_errors(self.data.thresholds)

    @functools.cached_property
    def threshold_log_exponent(self) -> FloatArray:
        """ln(-ln WER) of the thresholds."""
        return np.asarray(np.log(-self.data.thresholds["ln_error_rate"].to_numpy(dtype=np.float64)))

    @functools.cached_property
    def resistance(self) -> FloatArray:
        """Measured resistances, ohm."""
        return self.data.resistance["resistance_ohm"].to_numpy(dtype=np.float64)

    @functools.cached_property
    def reads(self) -> Pulses:
        """Voltages of the resistance measurements, in AP if `reverse`."""
        rows = self.data.resistance
        count = len(rows)
        return Pulses(
            np.abs(rows["voltage_V"].to_numpy(dtype=np.float64)),
            np.ones(count, dtype=bool),
            np.ones(count),
            (rows["state"] == "ap").to_numpy(),
            np.full(count, self.temperature),
        )

    @functools.cached_property
    def steps(self) -> FieldSteps | None:
        """Of the loops."""
        return FieldSteps.of(self.data.loops, self.temperature) if len(self.data.loops) else None

    @functools.cached_property
    def loop_counts(self) -> Counts:
        """Of the steps of the loops."""
        return Counts.of(self.data.loops)


@dataclass(frozen=True)
class Problem:
    """Residuals of data over free parameters.

    Attributes
    ----------
    observations : Observations
    model : SwitchingModel
    parameters : tuple of Parameter
        The free ones, in the order of `vector`.
    fixed : dict
        Values of the other parameters that do not follow from the free ones.
    tied : frozenset of str
        Relaxation time and critical current if damping and polarization of the stack are kept.
    bounds : dict
        Of the free parameters.
    resistance_errors : ndarray
        Standard errors of the resistances, ohm; see `resistance_errors`.
    correction : Correction, Between or None
        Converts `residuals` from the table to the solver.
    """

    observations: Observations
    model: SwitchingModel
    parameters: tuple[Parameter, ...]
    fixed: dict[str, float]
    tied: frozenset[str]
    bounds: dict[str, tuple[float, float]]
    resistance_errors: FloatArray
    correction: Correction | Between | None = None

    @classmethod
    def of(
        cls,
        data: Data,
        model: SwitchingModel,
        parameters: Sequence[Parameter],
        fixed: dict[str, float],
        tied: frozenset[str],
        bounds: dict[str, tuple[float, float]],
        temperature: float,
    ) -> Problem:
        """Make the problem for data; device parameters are given at `temperature` (K)."""
        observations = Observations(data, temperature)
        errors = resistance_errors(observations, model, [parameter.name for parameter in parameters], fixed)
        return cls(observations, model, tuple(parameters), fixed, tied, bounds, errors)

    @property
    def data(self) -> Data:
        """Rows of all tables."""
        return self.observations.data

    @property
    def temperature(self) -> float:
        """Temperature at which the device parameters are given, K."""
        return self.observations.temperature

    @property
    def pulses(self) -> Pulses | None:
        """Of the switching rows."""
        return self.observations.pulses

    @property
    def thresholds(self) -> Pulses | None:
        """Of the thresholds."""
        return self.observations.thresholds

    @functools.cached_property
    def free(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def directions(self) -> tuple[str | None, ...]:
        """Directions with separate values: both, or None for the same values in both."""
        return DIRECTIONS if any(parameter.direction for parameter in self.parameters) else (None,)

    def with_data(self, data: Data) -> Problem:
        """Return the problem for other data, with an uncorrected table."""
        return Problem.of(
            data, self.model, self.parameters, self.fixed, self.tied, self.bounds, self.temperature
        )

    def corrected(self, correction: Correction | Between | None) -> Problem:
        """Return the same problem with another correction of the table."""
        return dataclasses.replace(self, correction=correction)

    @property
    def rows(self) -> int:
        """Number of residuals."""
        return sum(map(len, self.data))

    def values(self, vector: FloatArray) -> dict[str, Any]:
        """All parameters of the model, including those that a stack ties to others.

        Parameters
        ----------
        vector : ndarray, shape (parameters,) or (sets, parameters)

        Returns
        -------
        dict
            Numbers, or arrays of shape (sets, 1).
        """
        columns = np.moveaxis(np.asarray(vector, dtype=np.float64), -1, 0)
        own = columns if columns.ndim == 1 else columns[:, :, None]
        values: dict[str, Any] = {**self.fixed, **dict(zip(self.free, own, strict=True))}
        film = self.model.film
        if film is None or not self.tied:
            return values
        nominal, film = film.nominal(), film.with_values(values)
        own_field = film.anisotropy_field(nominal.stability)
        for direction in self.directions:
            stability, time = (
                values.get(directional_name(root, direction), values.get(root))
                for root in ("stability", "relaxation_time")
            )
            if stability is None:
                continue
            if "relaxation_time" in self.tied:
                # The same damping: t_D falls as the anisotropy field rises.
                time = nominal.relaxation_time * own_field / film.anisotropy_field(stability)
                values[directional_name("relaxation_time", direction)] = time
            if "critical_current" in self.tied and time is not None:
                # The same polarization: Ic0 ~ alpha Hk.
                damping = np.nan_to_num(film.damping(stability, time), nan=film.stack.damping)
                share = film.anisotropy_field(stability) * damping / (own_field * film.stack.damping)
                values[directional_name("critical_current", direction)] = nominal.critical_current * share
        return values

    def residuals(self, vector: FloatArray) -> FloatArray:
        """Over all rows: signed roots of deviances, and deviations over their standard errors.

        Parameters
        ----------
        vector : ndarray, shape (parameters,) or (sets, parameters)

        Returns
        -------
        ndarray, shape (rows,) or (sets, rows)
            By the table of error rates, with `correction`.
        """
        by_table = self._residuals(vector, solved=False)
        return by_table if self.correction is None else by_table + self.correction.at(vector)

    def solved_residuals(self, vector: FloatArray) -> FloatArray:
        """Return the result of `residuals` by the Fokker-Planck equation itself.

        Loops use the rates of `mtjchar.physics.rate_table.log_decay_rate` here too, because they are as
        accurate.
        """
        return self._residuals(vector, solved=True)

    def _residuals(self, vector: FloatArray, *, solved: bool) -> FloatArray:
        values, rows, parts = self.values(vector), self.observations, []
        if self.pulses is not None:
            log_rate = (
                -np.exp(self.model.solved_log_exponent(values, self.pulses))
                if solved
                else self.model.log_error_rate(values, self.pulses)
            )
            parts.append(deviance_residuals(*rows.counts, log_rate))
        if self.thresholds is not None:
            find = self.model.solved_threshold if solved else self.model.threshold
            expected = find(values, self.thresholds, rows.threshold_log_exponent)
            parts.append((self.thresholds.amplitude - expected) / rows.threshold_errors)
        if len(self.data.resistance):
            parts.append((rows.resistance - self.resistance(values)) / self.resistance_errors)
        if rows.steps is not None:
            parts.append(deviance_residuals(*rows.loop_counts, self.log_staying(vector)))
        sets = np.shape(vector)[:-1]
        return np.concatenate(
            [np.zeros((*sets, 0)), *(np.broadcast_to(part, (*sets, part.shape[-1])) for part in parts)],
            axis=-1,
        )

    def log_error_rate(self, vector: FloatArray) -> FloatArray:
        """Natural logarithm of the error rate of each switching row, by the solver."""
        assert self.pulses is not None
        return -np.exp(self.model.solved_log_exponent(self.values(vector), self.pulses))

    def moments(self, vector: FloatArray, *, solved: bool = True) -> Moments:
        """Mean and variance of the squares of the residuals for a correct model."""
        mean, variance = np.ones(self.rows), np.full(self.rows, 2.0)
        if self.pulses is not None:
            own = slice(0, len(self.data.switching))
            log_rate = (
                self.log_error_rate(vector)
                if solved
                else self.model.log_error_rate(self.values(vector), self.pulses)
            )
            mean[own], variance[own] = deviance_moments(self.observations.counts.trials, log_rate)
        if self.observations.steps is not None:
            own = slice(self.rows - len(self.data.loops), None)
            trials = self.observations.loop_counts.trials
            mean[own], variance[own] = deviance_moments(trials, self.log_staying(vector))
        return Moments(mean, variance)

    def log_staying(self, vector: FloatArray) -> FloatArray:
        """Logarithm of the probability that the state survives each step of the loops."""
        assert self.observations.steps is not None
        vectors = np.atleast_2d(np.asarray(vector, dtype=np.float64))
        shown = [k for k, parameter in enumerate(self.parameters) if "loops" in parameter.tables]
        keys, known = [row.tobytes() for row in vectors[:, shown]], self._known_staying
        for key, row in zip(keys, vectors, strict=True):
            if key not in known:
                known[key] = self.model.log_staying(self.values(row), self.observations.steps)
        rows = np.stack([known[key] for key in keys])
        if len(known) > _KEPT:
            known.clear()
        return rows if np.ndim(vector) > 1 else rows[0]

    @functools.cached_property
    def _known_staying(self) -> dict[bytes, FloatArray]:
        """Cache of `log_staying`, by the parameters that affect loops.

        Derivatives by the others, such as the critical current, and causes that act on pulses need the
        same values again.
        """
        return {}

    def only(self, kinds: Sequence[str], parameters: Sequence[Parameter], vector: FloatArray) -> Problem:
        """Return the problem for some kinds of tables and some parameters; the others are as in `vector`."""
        kept = {
            parameter.name: float(value)
            for parameter, value in zip(self.parameters, vector, strict=True)
            if parameter not in parameters
        }
        return Problem.of(
            self.data.only(*kinds), self.model, parameters, {**self.fixed, **kept}, self.tied, self.bounds,
            self.temperature,
        )  # fmt: skip

    def resistance(self, values: Values) -> FloatArray:
        """Resistance of each row of R-V data, ohm."""
        return resistances_at(self.model, values, self.observations.reads)

    def fixed_or_nominal(self) -> dict[str, float]:
        """Values that determine a resistance before anything is fitted."""
        return {**nominal_values(self.model.film), **self.fixed}


def threshold_errors(rows: pd.DataFrame) -> FloatArray:
    """Return standard errors of thresholds, V or A: the given ones, else a share of the amplitude."""
    empty = pd.Series(np.nan, index=rows.index)
    error, amplitude = (
        rows.get(f"{volts}_V", empty).fillna(rows.get(f"{amperes}_A", empty))
        for volts, amperes in (("amplitude_error", "current_error"), ("amplitude", "current"))
    )
    return np.asarray(error.fillna(READING_ERROR * amplitude), dtype=np.float64)


def resistances_at(model: SwitchingModel, values: Values, reads: Pulses) -> FloatArray:
    """Resistance that a tester reads at each voltage, ohm; in AP if a row is `reverse`."""
    electrical = model.electrical(values, reads)
    return np.asarray(1.0 / electrical.conductance(electrical.before) + electrical.series)


def resistance_errors(
    observations: Observations, model: SwitchingModel, free: Sequence[str], fixed: Values
) -> FloatArray:
    """Return standard errors of resistances: the given ones, or the scatter around a separate fit."""
    rows, film = observations.data.resistance, model.film
    if not len(rows) or film is None:
        return np.empty(0)
    measured = observations.resistance
    given = rows.get("resistance_error_ohm", pd.Series(np.nan, index=rows.index)).to_numpy(dtype=float)
    if np.all(np.isfinite(given)):
        return np.asarray(given)
    # Separate parameters of the curves, if there are enough rows: values that the fit keeps fixed may not
    # agree with them, and that is not scatter.
    names = list(OF_RESISTANCE if (rows["state"] == "ap").any() else OF_RESISTANCE[:1])
    if len(measured) <= len(names):
        names = [name for name in names if name in free]
    nominal = nominal_values(film)

    def relative(factors: FloatArray) -> FloatArray:
        own = {name: factor * nominal[name] for name, factor in zip(names, factors, strict=True)}
        return np.asarray(resistances_at(model, {**fixed, **own}, observations.reads) / measured - 1.0)

    factors = np.ones(len(names))
    if names:
        factors = least_squares(relative, factors, bounds=(0.02, 50.0)).x
    freedom = max(len(measured) - len(names), 1)
    scatter = float(np.sqrt(np.sum(relative(factors) ** 2) / freedom))
    return np.where(np.isfinite(given), given, max(scatter, 1e-6) * measured)


def nominal_values(film: Film | None) -> dict[str, float]:
    """Parameters of the model that follow from a stack."""
    if film is None:
        return {"slonczewski_lambda": 1.0, "offset_field": 0.0}
    stack, device = film.stack, film.nominal()
    return {
        **{name: float(value) for name, value in device._asdict().items()},
        "slonczewski_lambda": stack.slonczewski_lambda,
        "offset_field": 0.0,
        "resistance_area_product": stack.resistance_area_product,
        "tmr": stack.tmr,
        "tmr_half_bias": stack.tmr_half_bias,
    }


def optional_values(film: Film | None) -> dict[str, float]:
    """Parameters of terms that a stack has: those that the model would otherwise leave out."""
    if film is None:
        return {}
    stack, values = film.stack, {}
    if stack.thermal_resistance_area > 0.0:
        values["thermal_resistance_area"] = stack.thermal_resistance_area
        values["thermal_time"] = stack.thermal_time
    if stack.back_hopping_current_density is not None and stack.back_hopping_stability is not None:
        warming = film.temperature / REFERENCE_TEMPERATURE
        values["back_hopping_current"] = stack.back_hopping_current_density * float(film.area())
        values["back_hopping_stability"] = stack.back_hopping_stability / warming
    if stack.second_barrier is not None:
        values.update(second_barrier_values(film))
    return values


def second_barrier_values(film: Film) -> dict[str, float]:
    """Parameters of the second barrier of a stack: the torque over that of the first one, and its resistance.

    See `mtjchar.physics.double_barrier`.
    """
    second = film.stack.second_barrier
    assert second is not None
    laws, law = film.laws(film.temperature), film.stack.torque
    own, first = (
        float(symmetric_efficiency(laws.polarization(polarization), law))
        for polarization in (second.spin_polarization, film.stack.spin_polarization)
    )
    product = float(laws.resistance_area_product(second.resistance_area_product))
    return {"second_torque": -second.side * own / first, "series_resistance": product / float(film.area())}


def starting_values(film: Film | None) -> dict[str, float]:
    """Values of the stack at which parameters of terms start, and that its laws use if they do not vary."""
    if film is None:
        return {}
    keys = ["magnetization_exponent", "anisotropy_exponent", "polarization_exponent", "exchange_stiffness"]
    known = {key: getattr(film.stack, key) for key in keys}
    return {key: float(value) for key, value in known.items() if value is not None}


def largest_current(model: SwitchingModel, values: Values, *groups: Pulses | None) -> float:
    """Largest current of the data, A, before the write."""
    one_ampere = np.asarray(1.0)
    return max(
        float(model.load_line(values, pulses, one_ampere)[0].max()) for pulses in groups if pulses is not None
    )


def pulse_temperatures(problem: Problem) -> FloatArray:
    """Temperatures of the pulses, K, that of most of them first."""
    kelvin = [Pulses.of(rows, problem.temperature).temperature for rows in problem.data[:2] if len(rows)]
    temperatures, counts = np.unique(np.concatenate([np.empty(0), *kelvin]), return_counts=True)
    return np.asarray(temperatures[np.argsort(-counts, kind="stable")])
