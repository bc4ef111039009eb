"""What is fitted to what: free parameters with bounds and starts, and the residuals of all rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import least_squares

from mtjchar.errors import InputError
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.likelihood import LEAST_SWEPT, Moments, deviance_moments, deviance_residuals
from mtjchar.stackfit.loops import FieldSteps, coercive_fields, steps_of
from mtjchar.stackfit.model import DIRECTIONAL, UNITS, Pulses, SwitchingModel, suffixed
from mtjchar.stackfit.tables import Table
from mtjchar.study import DIRECTIONS

FloatArray = npt.NDArray[np.float64]
Values = Mapping[str, float]

ALIASES = {
    "interfacial_anisotropy": "stability",
    "spin_polarization": "critical_current",
    "damping": "relaxation_time",
}
"""Keys of a stack that stand for what pulses show of them."""

TIED = {"relaxation_time", "critical_current"}
READING_ERROR = 0.01  # relative, of thresholds without a column of their error
FITTED_KINDS = ("switching", "thresholds", "resistance", "loops")

VARY = ("stability", "critical_current", "relaxation_time")
"""What is fitted if nothing else is asked for: of these, what the tables tell."""

_PULSES = ("switching", "thresholds")
TOLD_BY = {
    **dict.fromkeys(("critical_current", "slonczewski_lambda"), _PULSES),
    **dict.fromkeys(("stability", "relaxation_time", "offset_field"), (*_PULSES, "loops")),
    "anisotropy_field": ("loops",),
    **dict.fromkeys(("resistance_area_product", "tmr", "tmr_half_bias"), ("resistance", *_PULSES)),
}
"""Kinds of tables that a parameter shows in."""

_BOUNDS = {
    "stability": (10.0, 250.0),
    "relaxation_time": (3e-11, 1e-7),
    "slonczewski_lambda": (1.0, 3.0),
    "resistance_area_product": (1e-14, 1e-9),
    "tmr": (0.01, 20.0),
    "tmr_half_bias": (0.05, 10.0),
}
_OF_RESISTANCE = ("resistance_area_product", "tmr", "tmr_half_bias")
_START = {"stability": 60.0, "relaxation_time": 1e-9}
_STARTS = {"stability": (0.45, 0.75, 1.0, 1.4, 2.2), "relaxation_time": (0.4, 1.0, 2.5)}
_CURRENTS = np.geomspace(0.3, 2.5, 14)  # over the largest current of the data
_FIELDS = np.geomspace(1.1, 6.0, 12)  # anisotropy field over the coercive field


class Data(NamedTuple):
    """Rows of all tables of a kind together, of loops their steps; empty frames where there are none.

    Single shots of one pulse are one row.
    """

    switching: pd.DataFrame
    thresholds: pd.DataFrame
    resistance: pd.DataFrame
    loops: pd.DataFrame

    @classmethod
    def of(cls, tables: Sequence[Table]) -> Data:
        """Put tables together."""
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
    """Columns of rows that say which pulse they are of, and those of `more` that there are."""
    names = ("direction", "amplitude_V", "current_A", "duration_s", "temperature_K", *more)
    return [name for name in names if name in rows]


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Count single shots of one pulse together.

    The likelihood is the same, but the deviance of a row of one trial says nothing of the model, and the
    derivatives of its root nothing of the standard errors.
    """
    single = rows["trials"] == 1
    keys = pulse_columns(rows, "device", "file")
    totals = {"trials": "sum", "switched": "sum", "line": "min"}
    pooled = rows[single].groupby(keys, as_index=False, dropna=False, sort=False).agg(totals)
    return pd.concat([rows[~single], pooled], ignore_index=True)[list(rows)] if single.any() else rows


@dataclass
class Problem:
    """Residuals of data over free parameters.

    Attributes
    ----------
    data : Data
    model : SwitchingModel
    free : tuple of str
        Names of the free parameters, in the order of `vector`.
    fixed : dict
        Values of the others that do not follow from the free ones.
    tied : frozenset of str
        Relaxation time and critical current where damping and polarization of the stack are kept.
    bounds : dict
        Of the free parameters.
    temperature : float
        K, at which the device parameters are given.
    correction : ndarray
        Of -ln WER of the table, as a factor, for each switching row.
    """

    data: Data
    model: SwitchingModel
    free: tuple[str, ...]
    fixed: dict[str, float]
    tied: frozenset[str]
    bounds: dict[str, tuple[float, float]]
    temperature: float
    correction: FloatArray = field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        self._switching, self._thresholds = (
            Pulses.of(rows, self.temperature) if len(rows) else None
            for rows in (self.data.switching, self.data.thresholds)
        )
        self._trials, self._switched = (
            self.data.switching.get(name, pd.Series(dtype=float)).to_numpy(dtype=np.float64)
            for name in ("trials", "switched")
        )
        self._steps = FieldSteps.of(self.data.loops, self.temperature) if len(self.data.loops) else None
        self._noise = self._resistance_noise()

    @property
    def pulses(self) -> Pulses | None:
        """Of the switching rows."""
        return self._switching

    @property
    def rows(self) -> int:
        """Number of residuals."""
        return sum(map(len, self.data))

    def values(self, vector: FloatArray) -> dict[str, float]:
        """All parameters of the model; those that a stack ties to others follow them."""
        values = {**self.fixed, **dict(zip(self.free, map(float, vector), strict=True))}
        film = self.model.film
        if film is None or not self.tied:
            return values
        nominal = film.nominal()
        split = any(name.endswith(DIRECTIONS) for name in self.free)
        for suffix in (f"_{one}" for one in DIRECTIONS) if split else ("",):
            stability, time = (
                values.get(f"{name}{suffix}", values.get(name)) for name in ("stability", "relaxation_time")
            )
            if stability is None:
                continue
            if "relaxation_time" in self.tied:
                # The same damping: t_D falls as the anisotropy field rises.
                time = float(nominal.relaxation_time * nominal.stability / stability)
                values[f"relaxation_time{suffix}"] = time
            if "critical_current" in self.tied and time is not None:
                # The same polarization: Ic0 ~ alpha Delta.
                damping = np.nan_to_num(film.damping(stability, time), nan=film.stack.damping)
                share = stability * damping / (nominal.stability * film.stack.damping)
                values[f"critical_current{suffix}"] = float(nominal.critical_current * share)
        return values

    def residuals(self, vector: FloatArray) -> FloatArray:
        """Over all rows: signed roots of deviances, and deviations over their standard errors."""
        values = self.values(vector)
        parts = [np.empty(0)]
        if self._switching is not None:
            parts.append(deviance_residuals(self._switched, self._trials, self._log_rate(values)))
        if self._thresholds is not None:
            found = self.model.threshold(values, self._thresholds, self._shares)
            parts.append((self._thresholds.amplitude - found) / self._reading)
        if len(self.data.resistance):
            rows = self.data.resistance
            parts.append((rows["resistance_ohm"].to_numpy() - self.resistance(values)) / self._noise)
        if self._steps is not None:
            rows = self.data.loops
            switched, trials = (rows[name].to_numpy(dtype=np.float64) for name in ("switched", "trials"))
            parts.append(deviance_residuals(switched, trials, self.log_staying(values), LEAST_SWEPT))
        return np.concatenate(parts)

    def moments(self, vector: FloatArray) -> Moments:
        """Mean and variance of the squares of the residuals of a model that is right."""
        mean, variance = np.ones(self.rows), np.full(self.rows, 2.0)
        values = self.values(vector)
        if self._switching is not None:
            own = slice(0, len(self._trials))
            mean[own], variance[own] = deviance_moments(self._trials, self._log_rate(values))
        if self._steps is not None:
            own = slice(self.rows - len(self.data.loops), None)
            trials = self.data.loops["trials"].to_numpy(dtype=np.float64)
            mean[own], variance[own] = deviance_moments(trials, self.log_staying(values))
        return Moments(mean, variance)

    def log_staying(self, values: Values) -> FloatArray:
        """Logarithm of the probability that the state outlasts each step of the loops."""
        assert self._steps is not None
        return self.model.log_staying(values, self._steps)

    def _log_rate(self, values: Values) -> FloatArray:
        assert self._switching is not None
        return self.correction * self.model.log_error_rate(values, self._switching)

    def correct(self, vector: FloatArray) -> float:
        """Replace the table by the solver at these parameters; returns the largest change of a residual."""
        if self._switching is None:
            return 0.0
        before = self.residuals(vector)
        values = self.values(vector)
        table = self.model.log_error_rate(values, self._switching)
        solved = self.model.solved_error_rate(values, self._switching)
        # Where next to nothing switches, or nothing fails, there is nothing to correct.
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.log(solved) / table
            known = np.isfinite(factor) & (solved > 1e-250) & (table < -1e-5) & (solved < 1.0 - 1e-5)
        self.correction = np.where(known, factor, 1.0)
        return float(np.abs(self.residuals(vector) - before).max())

    @property
    def _shares(self) -> FloatArray:
        return self.data.thresholds["probability"].to_numpy(dtype=np.float64)

    @property
    def _reading(self) -> FloatArray:
        assert self._thresholds is not None
        rows, empty = self.data.thresholds, pd.Series(np.nan, index=self.data.thresholds.index)
        volts = rows.get("amplitude_error_V", empty).to_numpy(dtype=np.float64)
        amperes = rows.get("current_error_A", empty).to_numpy(dtype=np.float64)
        error = np.where(self._thresholds.voltage, volts, amperes)
        return np.where(np.isfinite(error), error, READING_ERROR * self._thresholds.amplitude)

    def resistance(self, values: Values) -> FloatArray:
        """Resistance of each row of R-V data, ohm."""
        rows = self.data.resistance
        count = len(rows)
        pulses = Pulses(
            np.abs(rows["voltage_V"].to_numpy(dtype=np.float64)),
            np.ones(count, dtype=bool),
            np.ones(count),
            (rows["state"] == "ap").to_numpy(),
            np.full(count, self.temperature),
        )
        parallel, excess = self.model.resistances(values, pulses)
        return np.where(pulses.reverse, parallel * (1.0 + excess), parallel)

    def _resistance_noise(self) -> FloatArray:
        """Return standard errors of resistances: those given, or the scatter around a fit of their own."""
        rows, film = self.data.resistance, self.model.film
        if not len(rows) or film is None:
            return np.empty(0)
        measured = rows["resistance_ohm"].to_numpy(dtype=np.float64)
        given = rows.get("resistance_error_ohm", pd.Series(np.nan, index=rows.index)).to_numpy(dtype=float)
        if np.all(np.isfinite(given)):
            return np.asarray(given)
        # Parameters of the curves' own, where there are rows enough: what the fit keeps fixed may not go with
        # them, and that is no scatter.
        names = list(_OF_RESISTANCE if (rows["state"] == "ap").any() else _OF_RESISTANCE[:1])
        if len(measured) <= len(names):
            names = [name for name in names if name in self.free]
        nominal = nominal_values(film)

        def relative(factors: FloatArray) -> FloatArray:
            own = {name: factor * nominal[name] for name, factor in zip(names, factors, strict=True)}
            return np.asarray(self.resistance({**self.fixed, **own}) / measured - 1.0)

        factors = np.ones(len(names))
        if names:
            factors = least_squares(relative, factors, bounds=(0.02, 50.0)).x
        freedom = max(len(measured) - len(names), 1)
        scatter = float(np.sqrt(np.sum(relative(factors) ** 2) / freedom))
        return np.where(np.isfinite(given), given, max(scatter, 1e-6) * measured)

    def starts(self, start: Values, count: int) -> list[FloatArray]:
        """Places to start from, best first: a coarse look over the free parameters of the device."""
        base = np.array([start[name] for name in self.free])
        if count < 1 or set(self.data.kinds) <= {"resistance"}:
            return [base]
        axes = []
        for name in self.free:
            root = next((one for one in _STARTS if name.startswith(one)), None)
            low, high = self.bounds[name]
            factors = _STARTS[root] if root else (1.0,)
            # An offset can be 0 or negative: it starts where the loops are, or at none.
            inside = (1.05 * low, 0.95 * high) if root else (low, high)
            axes.append(np.unique(np.clip(np.array(factors) * start[name], *inside)))
        scans = self._scans()
        found = []
        for point in itertools.product(*axes):
            vector, square = np.array(point), self._rough_square(np.array(point))
            for places, values in scans:
                tried = np.tile(vector, (len(values), 1))
                tried[:, places] = np.clip(values, *self.bounds[self.free[places[0]]])[:, None]
                squares = [self._rough_square(one) for one in tried]
                vector, square = tried[int(np.argmin(squares))], min(squares)
            found.append((square, vector))
        return [vector for _, vector in sorted(found, key=lambda pair: pair[0])[:count]]

    def _scans(self) -> list[tuple[list[int], FloatArray]]:
        """Free parameters whose size the data themselves tell, and values to try."""
        scans = []
        # One value for all critical currents: they start from the same side.
        currents = [k for k, name in enumerate(self.free) if name.startswith("critical_current")]
        if currents:
            scans.append((currents, _CURRENTS * self._largest_current()))
        if "anisotropy_field" in self.free:
            scans.append(
                ([self.free.index("anisotropy_field")], _FIELDS * _field_scale(self.data.loops).coercive)
            )
        return scans

    def _rough_square(self, vector: FloatArray) -> float:
        return float(np.sum(np.clip(self.residuals(vector), -1e3, 1e3) ** 2))

    def _largest_current(self) -> float:
        return largest_current(self.model, self.fixed_or_nominal(), self._switching, self._thresholds)

    def fixed_or_nominal(self) -> dict[str, float]:
        """Values that a resistance follows from before anything is fitted."""
        return {**nominal_values(self.model.film), **self.fixed}


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


class FieldScale(NamedTuple):
    """Mean coercive field of loops, and the field that shifts them, positive towards P; T."""

    coercive: float
    offset: float


def _field_scale(loops: pd.DataFrame) -> FieldScale:
    fields = coercive_fields(loops)
    # A loop is centred where the applied field cancels the other one.
    offset = -fields["polarity"] * fields["center"]
    return FieldScale(
        *(float(np.average(one, weights=fields["loops"])) for one in (fields["coercive"], offset))
    )


def largest_current(model: SwitchingModel, values: Values, *groups: Pulses | None) -> float:
    """Largest current of the data, A, before the write."""
    one = np.asarray(1.0)
    return max(
        float(model.load_line(values, pulses, one)[0].max()) for pulses in groups if pulses is not None
    )


def make_problem(
    data: Data,
    film: Film | None,
    vary: Sequence[str] | None,
    per_direction: Sequence[str],
    start: Values,
    temperature: float,
) -> tuple[Problem, dict[str, float]]:
    """Set up what is fitted; returns it with the values to start from."""
    if vary is not None and not vary:
        raise InputError("vary", value=list(vary), allowed="at least one parameter")
    names = _names(_told(data) if vary is None else vary, per_direction)
    _check_told(data, names, per_direction)
    model = SwitchingModel(film)
    scale = _field_scale(data.loops) if len(data.loops) else None
    values = {**_START, **nominal_values(film), **start}
    groups = [
        Pulses.of(rows, temperature) if len(rows) else None for rows in (data.switching, data.thresholds)
    ]
    _check_film(film, groups, data, temperature, {*names, *start})
    driven = any(group is not None for group in groups)
    if driven and film is None and "critical_current" not in start:
        values["critical_current"] = 0.8 * largest_current(model, values, *groups)
    directions = sorted({one for group in groups if group is not None for one in group.directions})
    free: list[str] = []
    for name in names:
        split = name in {ALIASES.get(one, one) for one in per_direction}
        free += [suffixed(name, one) for one in reversed(directions)] if split else [name]
    largest = largest_current(model, values, *groups) if driven else 1.0
    begin = {**values, **_begin(film, scale), **start}
    bounds = {name: _bounds(name, largest, begin, scale) for name in free}
    first = {}
    for name in free:
        low, high = bounds[name]
        place = begin.get(name, begin.get(root_of(name), 1.0))
        first[name] = float(np.clip(place, low + 1e-3 * abs(low), high - 1e-3 * abs(high)))
    roots = set(map(root_of, free))
    tied = frozenset(TIED - roots - set(start) if film is not None else ())
    needed = set(UNITS) if film is not None else {*DIRECTIONAL, "slonczewski_lambda", "offset_field"}
    # Not among the fixed ones the anisotropy field follows from stability and moment.
    needed = needed - {"anisotropy_field"} | ({"anisotropy_field"} & set(start))
    fixed = {name: float(values[name]) for name in (needed - roots - tied) & set(values)}
    problem = Problem(data, model, tuple(free), fixed, tied, bounds, temperature)
    _check_direction(problem)
    return problem, first


def _check_direction(problem: Problem) -> None:
    """Refuse thresholds in amperes without a direction where that changes what the model says of them."""
    rows = problem.data.thresholds
    open_rows = rows[rows["direction"].isna()] if "direction" in rows else rows
    if not len(open_rows):
        return
    split = [name for name in problem.free if name.endswith(DIRECTIONS)]
    bent = {"slonczewski_lambda": 1.0, "offset_field": 0.0}
    shown = [name for name, neutral in bent.items() if problem.fixed.get(name) != neutral]
    if split or shown:
        first = open_rows.iloc[0]
        raise InputError(
            f"{first['file']}: direction", value="missing",
            allowed="a column direction, with p_to_ap or ap_to_p (also P->AP)",
            remedy=f"{(split + shown)[0]} makes the directions differ in current too. One for all rows goes "
            'into a file for --columns: [values] direction = "p_to_ap".',
        )  # fmt: skip


def root_of(name: str) -> str:
    """Parameter that a name stands for, in both directions or in one."""
    return next((one for one in DIRECTIONAL if name.startswith(one)), name)


def _begin(film: Film | None, scale: FieldScale | None) -> dict[str, float]:
    """Fields to start from, as film and loops show them."""
    begin = (
        {} if film is None else {"anisotropy_field": float(film.anisotropy_field(film.nominal().stability))}
    )
    if scale is None:
        return begin
    return {"anisotropy_field": 2.0 * scale.coercive, **begin, "offset_field": scale.offset}


def _told(data: Data) -> list[str]:
    """Return what is fitted if nothing else is asked for."""
    if set(data.kinds) & set(_PULSES):
        names = list(VARY)
    elif "loops" in data.kinds:
        names = ["stability"]
    else:
        names = []
    if "loops" in data.kinds:
        names.append("offset_field")
    if not names and data.kinds:
        raise InputError(
            "vary", value=None, allowed="at least one parameter",
            remedy="R-V curves tell resistance_area_product, tmr and tmr_half_bias: name them.",
        )  # fmt: skip
    return names


def _check_told(data: Data, names: Sequence[str], per_direction: Sequence[str]) -> None:
    for name in names:
        if not set(data.kinds) & set(TOLD_BY[name]):
            raise InputError(
                "vary", value=name,
                allowed=f"parameters that show in these tables ({', '.join(data.kinds) or 'none'})",
                remedy=f"{name} shows in tables of {' or '.join(TOLD_BY[name])}.",
            )  # fmt: skip
    if per_direction and not set(data.kinds) & set(_PULSES):
        raise InputError("per_direction", value=list(per_direction), allowed="with pulses in both directions")
    if len(data.loops) and "stability" in {ALIASES.get(one, one) for one in per_direction}:
        raise InputError(
            "per_direction", value="stability", allowed="one stability where there are loops",
            remedy="A field makes the directions differ, and loops show it: vary offset_field instead.",
        )  # fmt: skip


def _names(vary: Sequence[str], per_direction: Sequence[str]) -> list[str]:
    allowed = (*UNITS, *ALIASES)
    for name in (*vary, *per_direction):
        if name not in allowed:
            raise InputError("vary", value=name, allowed=", ".join(allowed))
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


def _bounds(name: str, largest: float, begin: Values, scale: FieldScale | None) -> tuple[float, float]:
    root = root_of(name)
    if root == "critical_current":
        # The table of error rates ends at 20 times the critical current.
        return largest / 20.0, 20.0 * largest
    if root == "anisotropy_field":
        assert scale is not None  # no other table tells it
        return 0.8 * scale.coercive, 20.0 * scale.coercive
    if root == "offset_field":
        reach = 0.5 * begin["anisotropy_field"]
        if scale is not None:
            reach = max(reach, abs(scale.offset) + scale.coercive)
        return -reach, reach
    return _BOUNDS[root]
