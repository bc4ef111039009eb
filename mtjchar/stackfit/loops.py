r"""R-H loops: what the scatter of switching fields says of a barrier, and of the field that lowers it.

While the field is swept against the magnetization the barrier falls, and the state is left at the rate of
`mtjchar.physics.long_pulses.decay_rate`: a field along the axis acts like an overdrive h = B/B_k, so that the
barrier is Delta (1 - h)^2, the exponent of coherent reversal. The switching field is then distributed as [1]_
and [2]_ say, here without their assumptions on the prefactor:

.. math:: P(B) = 1 - \exp\left[-\frac{1}{v} \int^B \frac{\lambda(b/B_k, \Delta)}{t_D}\, db\right],        (1)

v being the sweep rate. Steps of the field are independent trials for a device that has not switched yet, so
that loops have a binomial likelihood, as pulses have.

References
----------
.. [1] J. Kurkijarvi, Phys. Rev. B 6, 832 (1972), doi:10.1103/PhysRevB.6.832: switching under a swept drive.
.. [2] M. P. Sharrock, J. Appl. Phys. 76, 6413 (1994), doi:10.1063/1.358282: coercivity and time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.interpolate import make_interp_spline

from mtjchar.errors import InputError
from mtjchar.physics import rate_table
from mtjchar.stackfit.tables import Table

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
LogRate = Callable[[FloatArray, float], FloatArray]

_LEAST_EVENTS = 10  # in each branch, to see a distribution
_ASTRAY = 0.1  # share of switches against the field, or while it stands still: noise between two states
_OF_ROW = ("sweep_rate_T_per_s", "temperature_K", "device")
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_CURVE = 129  # points of the rate over the field: a cubic through them is within 1e-3 of its logarithm


@dataclass(frozen=True)
class FieldSteps:
    """Steps of the field in which a device could leave its state, arrays of one shape.

    Attributes
    ----------
    start, stop : ndarray
        Applied field at both ends, T: positive towards the state that is switched to.
    towards_p : ndarray
        1 where the switch is to P, -1 where it is to AP.
    rate : ndarray
        Sweep rate, T/s.
    temperature : ndarray
        K.
    """

    start: FloatArray
    stop: FloatArray
    towards_p: FloatArray
    rate: FloatArray
    temperature: FloatArray

    @classmethod
    def of(cls, rows: pd.DataFrame, temperature: float) -> FieldSteps:
        """From rows of `steps_of`; a row without temperature is at that one."""
        kelvin = rows.get("temperature_K", pd.Series(np.nan, index=rows.index)).to_numpy(dtype=np.float64)
        return cls(
            start=rows["start_T"].to_numpy(dtype=np.float64),
            stop=rows["stop_T"].to_numpy(dtype=np.float64),
            towards_p=rows["towards_p"].to_numpy(dtype=np.float64),
            rate=rows["sweep_rate_T_per_s"].to_numpy(dtype=np.float64),
            temperature=np.where(np.isfinite(kelvin), kelvin, temperature),
        )

    @property
    def reverse(self) -> BoolArray:
        """Where the switch is from AP to P."""
        return self.towards_p > 0.0


def log_staying(
    steps: FieldSteps,
    stability: FloatArray,
    anisotropy_field: FloatArray,
    relaxation_time: FloatArray,
    offset: float,
    log_rate: LogRate = rate_table.log_decay_rate,
) -> FloatArray:
    """Logarithm of the probability that the state is not left in each step; equation 1.

    Parameters
    ----------
    steps : FieldSteps
    stability, anisotropy_field, relaxation_time : ndarray
        Of each step; T and s.
    offset : float
        Field that acts beside the applied one, T, positive towards P.
    log_rate : callable, optional
        Logarithm of the rate of leaving per t_D, over h and of a stability.
    """
    width = steps.stop - steps.start
    applied = steps.start[:, None] + 0.5 * width[:, None] * (1.0 + _NODES)
    h = (applied + (steps.towards_p * offset)[:, None]) / anisotropy_field[:, None]
    h = np.clip(h, *rate_table.OVERDRIVE)
    places = np.linspace(0.0, max(float(h.max()), 0.1), _CURVE)
    rate = np.empty_like(h)
    for delta in np.unique(stability):
        own = stability == delta
        rate[own] = np.exp(make_interp_spline(places, log_rate(places, float(delta)))(h[own]))
    return np.asarray(-(rate @ _WEIGHTS) * 0.5 * width / steps.rate / relaxation_time)


def steps_of(table: Table) -> pd.DataFrame:
    """Cut loops into steps of the field.

    Parameters
    ----------
    table : Table
        Of the kind loops, rows in the order of the sweep; several loops one after the other. The field may be
        counted either way: whether it makes the layers parallel when it rises shows in the switches.

    Returns
    -------
    DataFrame
        One row a step that was taken in the old state: ``start_T`` and ``stop_T``, positive towards the state
        that is switched to; ``towards_p``, 1 or -1; ``sweep_rate_T_per_s``; ``trials`` and ``switched``, how
        often the step was taken in the old state and how often that was left in it; ``upwards``, 1 where the
        field of the table rises, else -1; ``file`` and the first ``line``.

    Raises
    ------
    InputError
        If the resistance does not change between two states, the sweep rate is missing, switches do not go
        with the field, or there are fewer than ten in a branch.
    """
    rows = table.rows
    if "sweep_rate_T_per_s" not in rows:
        raise InputError(
            f"{table.path}: sweep_rate", value="missing", allowed="a column such as sweep_rate_mT_per_s",
            remedy='Or one for all rows in a file for --columns: [values] sweep_rate = "10 mT/s".',
        )  # fmt: skip
    field, antiparallel = rows["field_T"].to_numpy(dtype=np.float64), _antiparallel(table)
    switches = antiparallel[1:] != antiparallel[:-1]
    towards_p = np.where(antiparallel[:-1], 1.0, -1.0)
    upwards = towards_p * _polarity(table, (towards_p * np.sign(np.diff(field)))[switches])
    later = rows.iloc[1:].reset_index(drop=True)
    taken = pd.DataFrame(
        {
            # Sums of rounding would keep equal steps apart.
            "start_T": (upwards * field[:-1]).round(7), "stop_T": (upwards * field[1:]).round(7),
            "towards_p": towards_p, "upwards": upwards,
            **{name: later[name] for name in _OF_ROW if name in later},
            "trials": 1.0, "switched": switches.astype(float), "file": later["file"], "line": later["line"],
        }
    )  # fmt: skip
    taken = taken[taken["stop_T"] > taken["start_T"]]
    counts = taken[taken["switched"] > 0.0].groupby("upwards").size()
    for branch, way in (("upwards", 1.0), ("downwards", -1.0)):
        if counts.get(way, 0) < _LEAST_EVENTS:
            raise InputError(
                f"{table.path}: switches {branch}", value=int(counts.get(way, 0)),
                allowed=f"at least {_LEAST_EVENTS}, to see how they scatter", remedy="Repeat the loop.",
            )  # fmt: skip
    totals = {"trials": "sum", "switched": "sum", "line": "min"}
    same = [name for name in taken if name not in totals]
    return taken.groupby(same, as_index=False, dropna=False).agg(totals)


def _antiparallel(table: Table) -> BoolArray:
    """State of each row."""
    resistance = table.rows["resistance_ohm"].to_numpy(dtype=np.float64)
    low, high = np.quantile(resistance, [0.05, 0.95])
    if high < 1.05 * low:
        raise InputError(
            f"{table.path}: resistance", value=f"{low:.4g} to {high:.4g} ohm", allowed="two states",
            remedy="The field does not switch the device; sweep it further.",
        )  # fmt: skip
    return np.asarray(resistance > 0.5 * (low + high))


def _polarity(table: Table, moved: FloatArray) -> float:
    """Return 1 where a rising field makes the layers parallel, else -1.

    Switches vote: 1 where the field rose before one to P or fell before one to AP, -1 the other way round.
    """
    polarity = float(np.sign(np.sum(moved)))
    astray = np.count_nonzero(moved != polarity) if polarity else len(moved)
    if astray > _ASTRAY * len(moved):
        raise InputError(
            f"{table.path}: switches that do not go with the field", value=f"{astray} of {len(moved)}",
            allowed=f"at most {_ASTRAY:.0%}: to P while the field moves one way, to AP while the other",
            remedy="Rows have to be in the order of the sweep, one row a field.",
        )  # fmt: skip
    return polarity


def coercive_fields(steps: pd.DataFrame) -> pd.DataFrame:
    """Fields at which the state changed, in the direction in which the table counts them.

    Parameters
    ----------
    steps : DataFrame
        Rows of `steps_of`, of several tables if wanted.

    Returns
    -------
    DataFrame
        One row a file: ``upwards`` and ``downwards``, the mean fields at which it switched, their standard
        deviations ``upwards_deviation`` and ``downwards_deviation``, ``coercive``, half the width of the
        loop, ``center`` (all T), ``loops``, the smaller number of switches, and ``polarity``, 1 where a
        rising field makes the layers parallel, else -1.
    """
    rows = {}
    for file, own in steps.groupby("file", sort=False):
        row: dict[str, float] = {}
        counts = []
        for branch, way in (("upwards", 1.0), ("downwards", -1.0)):
            events = own[(own["upwards"] == way) & (own["switched"] > 0.0)]
            place = way * 0.5 * (events["start_T"] + events["stop_T"]).to_numpy(dtype=np.float64)
            weight = events["switched"].to_numpy(dtype=np.float64)
            row[branch] = float(np.average(place, weights=weight))
            square = np.average((place - row[branch]) ** 2, weights=weight)
            row[f"{branch}_deviation"] = float(np.sqrt(square * weight.sum() / (weight.sum() - 1.0)))
            counts.append(int(weight.sum()))
        row["coercive"] = 0.5 * (row["upwards"] - row["downwards"])
        row["center"] = 0.5 * (row["upwards"] + row["downwards"])
        polarity = float((own["towards_p"] * own["upwards"]).iloc[0])
        rows[str(file)] = {**row, "loops": min(counts), "polarity": polarity}
    return pd.DataFrame(rows).T


def scatter(steps: pd.DataFrame, log_stays: FloatArray) -> pd.DataFrame:
    """Compare how switching fields scatter with what the model says.

    Parameters
    ----------
    steps : DataFrame
        Rows of `steps_of`.
    log_stays : ndarray
        Of these rows, see `log_staying`.

    Returns
    -------
    DataFrame
        One row a file: ``ratio`` of the standard deviations, near 1 if the model is right, and ``events``,
        the number of switches.
    """
    own = steps.assign(log=log_stays, place=0.5 * (steps["start_T"] + steps["stop_T"]))
    keys = ["file", "towards_p", "sweep_rate_T_per_s", *(["temperature_K"] if "temperature_K" in own else [])]
    rows = []
    for (file, *_), branch in own.groupby(keys, dropna=False):
        ordered = branch.sort_values("start_T")
        log, place, count = (
            ordered[name].to_numpy(dtype=np.float64) for name in ("log", "place", "switched")
        )
        if count.sum() < _LEAST_EVENTS:
            continue
        leaves = np.exp(np.cumsum(log) - log) * -np.expm1(log)
        observed, expected = (
            float(np.average((place - np.average(place, weights=one)) ** 2, weights=one))
            for one in (count, leaves)
        )
        events = float(count.sum())
        rows.append({"file": str(file), "events": events, "excess": events * observed / expected})
    total = pd.DataFrame(rows, columns=["file", "events", "excess"]).groupby("file").sum()
    return total.assign(ratio=np.sqrt(total["excess"] / total["events"]))[["ratio", "events"]]
