r"""R-H loops: coercive fields, offset field, and thermal stability with anisotropy field by the sweep rate.

While the field is swept against the magnetization the barrier falls, and the state is left at the rate of
`mtjchar.physics.long_pulses.decay_rate`: a field along the axis acts like an overdrive h = B/B_k, so that the
barrier is Delta (1 - h)^2, the exponent of coherent reversal. The switching field is then distributed as [1]_
and [2]_ say, here without their assumptions on the prefactor:

.. math:: P(B) = 1 - \exp\left[-\frac{1}{v} \int^B \frac{\lambda(b/B_k, \Delta)}{t_D}\, db\right],        (1)

v being the sweep rate. Steps of the field are independent trials for a device that has not switched yet.

References
----------
.. [1] J. Kurkijarvi, Phys. Rev. B 6, 832 (1972), doi:10.1103/PhysRevB.6.832: switching under a swept drive.
.. [2] M. P. Sharrock, J. Appl. Phys. 76, 6413 (1994), doi:10.1063/1.358282: coercivity and time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.physics import rate_table
from mtjchar.stackfit.film import Film
from mtjchar.stackfit.likelihood import deviance_residuals
from mtjchar.stackfit.profile import Interval, minimize, profile_interval
from mtjchar.stackfit.tables import Table

FloatArray = npt.NDArray[np.float64]

_LEAST_EVENTS = 10  # in each branch, to see a distribution


class Steps(NamedTuple):
    """Steps of the field in which a device could leave its state, arrays of one shape.

    Attributes
    ----------
    start, stop : ndarray
        Driving field at both ends, T: along the state that is switched to.
    sign : ndarray
        1 where the switch is to P, -1 where it is to AP.
    rate : ndarray
        Sweep rate, T/s.
    trials, switched : ndarray
        How often the step was taken in the old state, and how often the state was left in it.
    """

    start: FloatArray
    stop: FloatArray
    sign: FloatArray
    rate: FloatArray
    trials: FloatArray
    switched: FloatArray


@dataclass(frozen=True)
class LoopFit:
    """Result of `fit_loops`.

    Attributes
    ----------
    parameters : DataFrame
        ``stability``, ``anisotropy_field`` and ``offset_field`` (T): value, standard error, 95 % interval.
    coercive : DataFrame
        For switches to P and to AP: number of loops, mean field (T, with its sign) and standard deviation.
    covariance : ndarray
        Of the parameters.
    dispersion : float
        Deviance over its expectation.
    messages : tuple of str
    """

    parameters: pd.DataFrame
    coercive: pd.DataFrame
    covariance: FloatArray
    dispersion: float
    messages: tuple[str, ...]

    def report(self) -> str:
        """Return everything in words."""
        lines = ["[[R-H loops]]"]
        for branch, row in self.coercive.iterrows():
            lines.append(
                f"    {branch}: {int(row['count'])} switches at {1e3 * row['mean']:.4g} mT, standard "
                f"deviation {1e3 * row['standard_deviation']:.3g} mT"
            )
        for name, row in self.parameters.iterrows():
            lines.append(
                f"    {name:17s} {row['value']:10.5g} +- {row['standard_error']:8.2g} {row['unit']} "
                f"(95 %: {row['lower']:.4g} to {row['upper']:.4g})"
            )
        return "\n".join([*lines, *(f"[[Warning]] {message}" for message in self.messages)])


def steps_of(table: Table, sweep_rate: float | None = None) -> tuple[Steps, pd.DataFrame]:
    """Cut loops into steps of the field.

    Parameters
    ----------
    table : Table
        Of the kind loops, rows in the order of the sweep; several loops one after the other.
    sweep_rate : float, optional
        T/s, where the table has no column of it.

    Returns
    -------
    Steps
    DataFrame
        Coercive fields: ``count``, ``mean`` and ``standard_deviation`` over the loops, by branch.

    Raises
    ------
    InputError
        If the resistance does not change between two states, the sweep rate is missing, or there are
        fewer than ten switches in a branch.
    """
    rows = table.rows
    field = rows["field_T"].to_numpy(dtype=np.float64)
    resistance = rows["resistance_ohm"].to_numpy(dtype=np.float64)
    low, high = np.quantile(resistance, [0.05, 0.95])
    if high < 1.05 * low:
        raise InputError(
            f"{table.path}: resistance", value=f"{low:.4g} to {high:.4g} ohm", allowed="two states",
            remedy="The field does not switch the device; sweep it further.",
        )  # fmt: skip
    if "sweep_rate_T_per_s" in rows:
        rate = rows["sweep_rate_T_per_s"].to_numpy(dtype=np.float64)
    elif sweep_rate is not None:
        rate = np.full(len(rows), sweep_rate)
    else:
        raise InputError(
            f"{table.path}: sweep_rate", value="missing", allowed="a column such as sweep_rate_mT_per_s",
            remedy='Or one for all rows in a file for --columns: [values] sweep_rate = "10 mT/s".',
        )  # fmt: skip
    antiparallel = resistance > 0.5 * (low + high)
    change = np.diff(field)
    switches = antiparallel[1:] != antiparallel[:-1]
    # Usually a field upwards makes the layers parallel; with the other polarity the field is turned around.
    polarity = np.sign(np.sum(np.where(antiparallel[:-1], 1.0, -1.0)[switches] * np.sign(change[switches])))
    sign = np.where(antiparallel[:-1], 1.0, -1.0)
    driving = sign * polarity * field[:-1], sign * polarity * field[1:]
    forward = driving[1] > driving[0]
    taken = pd.DataFrame(
        {
            "start": driving[0], "stop": driving[1], "sign": sign * polarity, "rate": rate[1:],
            "switched": switches, "trials": 1.0,
        }
    )[forward].round({"start": 7, "stop": 7})  # fmt: skip
    coercive = _coercive(table, taken)
    merged = taken.groupby(["start", "stop", "sign", "rate"], as_index=False).sum()
    return Steps(*(merged[name].to_numpy(dtype=np.float64) for name in Steps._fields)), coercive


def _coercive(table: Table, taken: pd.DataFrame) -> pd.DataFrame:
    events = taken[taken["switched"]]
    middle = 0.5 * (events["start"] + events["stop"])
    summary = {}
    for branch, sign in (("upwards", 1.0), ("downwards", -1.0)):
        of_branch = middle[events["sign"] == sign]
        if len(of_branch) < _LEAST_EVENTS:
            raise InputError(
                f"{table.path}: switches {branch}", value=len(of_branch),
                allowed=f"at least {_LEAST_EVENTS}, to see how they scatter", remedy="Repeat the loop.",
            )  # fmt: skip
        summary[branch] = {
            "count": len(of_branch), "mean": sign * of_branch.mean(), "standard_deviation": of_branch.std(),
        }  # fmt: skip
    return pd.DataFrame(summary).T


def log_staying(
    steps: Steps, stability: float, anisotropy_field: float, offset: float, relaxation_time: float
) -> FloatArray:
    """Logarithm of the probability that the state is not left in each step; equation 1."""
    nodes, weights = np.polynomial.legendre.leggauss(3)
    width = steps.stop - steps.start
    drive = steps.start[:, None] + 0.5 * width[:, None] * (1.0 + nodes) - (steps.sign * offset)[:, None]
    rate = np.exp(rate_table.log_decay_rate(np.maximum(drive / anisotropy_field, 0.0), stability))
    return np.asarray(-(rate @ weights) * 0.5 * width / steps.rate / relaxation_time)


@dataclass(frozen=True)
class _LoopProblem:
    steps: Steps
    relaxation_time: float
    bounds: dict[str, tuple[float, float]]
    free: tuple[str, ...] = ("stability", "anisotropy_field", "offset_field")

    def residuals(self, vector: FloatArray) -> FloatArray:
        stability, field, offset = map(float, vector)
        stays = log_staying(self.steps, stability, field, offset, self.relaxation_time)
        return deviance_residuals(self.steps.switched, self.steps.trials, stays)


def fit_loops(
    table: Table,
    relaxation_time: float | None = None,
    film: Film | None = None,
    sweep_rate: float | None = None,
) -> LoopFit:
    """Fit stability, anisotropy field and offset field to how the switching field scatters.

    Parameters
    ----------
    table : Table
        Of the kind loops: many loops of one device, one after the other.
    relaxation_time : float, optional
        t_D, s; that of the film if not given. Only its logarithm counts, see docs/fitting.md.
    film : Film, optional
    sweep_rate : float, optional
        T/s, where the table has no column of it.

    Returns
    -------
    LoopFit

    Raises
    ------
    InputError
        As `steps_of`, and if neither a relaxation time nor a film is given.
    """
    if relaxation_time is None:
        if film is None:
            raise InputError("relaxation_time", value=None, allowed="a time in s, or a film")
        relaxation_time = float(film.nominal().relaxation_time)
    steps, coercive = steps_of(table, sweep_rate)
    up, down = coercive["mean"].to_numpy(dtype=np.float64)
    mean = 0.5 * float(up - down)
    spread = float(coercive["standard_deviation"].mean())
    offset = 0.5 * float(up + down)
    bounds = {
        "stability": (10.0, 250.0),
        "anisotropy_field": (mean, 20.0 * mean),
        "offset_field": (offset - mean, offset + mean),
    }
    problem = _LoopProblem(steps, relaxation_time, bounds)
    scale = np.array([10.0, 0.1 * mean, 0.1 * spread])
    found = [
        minimize(problem, np.array([stability, share * mean, offset]), scale)
        for stability in (25.0, 50.0, 100.0)
        for share in (1.5, 2.5)
    ]
    best, square, jacobian = min(found, key=lambda one: one[1])
    scaled = jacobian * scale
    covariance = np.linalg.pinv(scaled.T @ scaled, hermitian=True) * np.outer(scale, scale)
    error = np.sqrt(np.diag(covariance))
    intervals = [profile_interval(problem, best, square, error, k, 1.0) for k in range(3)]
    dispersion = _spread_ratio(problem, best, coercive)
    return LoopFit(
        _table(problem, best, error, intervals), coercive, covariance, dispersion,
        tuple(_messages(steps, spread, dispersion, problem, intervals)),
    )  # fmt: skip


def _table(
    problem: _LoopProblem, best: FloatArray, error: FloatArray, intervals: list[Interval]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "value": best,
            "standard_error": error,
            "lower": [one.lower for one in intervals],
            "upper": [one.upper for one in intervals],
            "unit": ["", "T", "T"],
        },
        index=list(problem.free),
    )


def _spread_ratio(problem: _LoopProblem, best: FloatArray, coercive: pd.DataFrame) -> float:
    """Variance of the switching fields between the loops over that of the model; near 1 if it is right."""
    stability, field, offset = map(float, best)
    stays = log_staying(problem.steps, stability, field, offset, problem.relaxation_time)
    deviations = coercive["standard_deviation"].to_numpy(dtype=np.float64)
    ratios = []
    for deviation, sign in zip(deviations, (1.0, -1.0), strict=True):
        own = problem.steps.sign == sign
        order = np.argsort(problem.steps.start[own])
        log = stays[own][order]
        place = 0.5 * (problem.steps.start + problem.steps.stop)[own][order]
        leaves = np.exp(np.cumsum(log) - log) * -np.expm1(log)
        mean = np.sum(leaves * place) / leaves.sum()
        variance = np.sum(leaves * (place - mean) ** 2) / leaves.sum()
        ratios.append(float(deviation**2 / variance))
    return float(np.mean(ratios))


def _messages(
    steps: Steps,
    spread: float,
    dispersion: float,
    problem: _LoopProblem,
    intervals: list[Interval],
) -> list[str]:
    messages = []
    width = float(np.median(steps.stop - steps.start))
    if width > spread:
        messages.append(
            f"steps of {1e3 * width:.3g} mT are as wide as the switching field scatters, "
            f"{1e3 * spread:.3g} mT: finer steps would tell the stability better"
        )
    if not 0.5 < dispersion < 2.0:
        messages.append(
            f"the switching fields scatter {np.sqrt(dispersion):.2g} times as much as the model says: "
            "several devices, drift, or a reversal that is not coherent"
        )
    messages += [
        f"{name} is not determined: more loops, and sweep rates that differ by decades, would"
        for name, interval in zip(problem.free, intervals, strict=True)
        if not np.all(np.isfinite(interval))
    ]
    return messages
