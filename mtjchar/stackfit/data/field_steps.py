"""R-H loops as field steps in which a device could leave its state."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError
from mtjchar.stackfit.data.tables import Table
from mtjchar.units import compact

__all__ = ["LEAST_EVENTS", "FieldSteps", "steps_of"]

LEAST_EVENTS = 10
"""Switches required in a branch, to resolve a distribution."""

_ASTRAY = 0.1  # share of switches against the field, or at constant field: noise between two states
_SATURATED = 0.1  # of the span of resistances: rows this close to an end belong to one state
_LEAST_RESOLVED = 3.0  # standard deviations of the noise in a count of one
_OF_ROW = ("sweep_rate_T_per_s", "temperature_K", "device")


@dataclass(frozen=True)
class FieldSteps:
    """Field steps in which a device could leave its state, arrays of one shape.

    Attributes
    ----------
    start, stop : ndarray
        Applied field at both ends, T: positive towards the final state.
    towards_p : ndarray
        1 if the switch is to P, -1 if it is to AP.
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
        """Make field steps from rows of `steps_of`; rows without a temperature are at `temperature`."""
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
        """Whether the switch is from AP to P."""
        return self.towards_p > 0.0

    @property
    def diameter(self) -> None:
        """Loops are those of the junction of the fit."""
        return None


def steps_of(table: Table) -> pd.DataFrame:
    """Cut loops into field steps.

    Parameters
    ----------
    table : Table
        Of the kind loops, rows in the order of the sweep; several loops one after the other. The field may
        have either sign convention: the switches show whether a rising field makes the layers parallel.
        Rows with ``averages`` are means over as many loops.

    Returns
    -------
    DataFrame
        One row per step that began in the old state: ``start_T`` and ``stop_T``, positive towards the final
        state; ``towards_p``, 1 or -1; ``sweep_rate_T_per_s``; ``trials`` and ``switched``, the number of
        times that the step began in the old state and that the state was left in it; ``upwards``, 1 if the
        field of the table rises, else -1; ``file`` and the first ``line``.

    Raises
    ------
    InputError
        If the resistance does not change between two states, the sweep rate is missing, switches do not
        follow the field, or there are fewer than ten in a branch.
    """
    rows = table.rows
    if "sweep_rate_T_per_s" not in rows:
        raise InputError(
            f"{table.path}: sweep_rate", value="missing", allowed="a column such as sweep_rate_mT_per_s",
            remedy='Or one for all rows in a file for --rules: [values] sweep_rate = "10 mT/s".',
        )  # fmt: skip
    if "averages" in rows:
        return _summed(table, _averaged(table))
    field, antiparallel = rows["field_T"].to_numpy(dtype=np.float64), _antiparallel(table)
    switches = antiparallel[1:] != antiparallel[:-1]
    towards_p = np.where(antiparallel[:-1], 1.0, -1.0)
    upwards = towards_p * _polarity(table, (towards_p * np.sign(np.diff(field)))[switches])
    later = rows.iloc[1:].reset_index(drop=True)
    taken = pd.DataFrame(
        {
            # Rounding errors of sums would distinguish equal steps.
            "start_T": (upwards * field[:-1]).round(7), "stop_T": (upwards * field[1:]).round(7),
            "towards_p": towards_p, "upwards": upwards,
            **{name: later[name] for name in _OF_ROW if name in later},
            "trials": 1.0, "switched": switches.astype(float), "file": later["file"], "line": later["line"],
        }
    )  # fmt: skip
    return _summed(table, taken)


def _averaged(table: Table) -> pd.DataFrame:
    """Cut the mean of N loops into steps: at each of them some of the N loops leave their state.

    The mean resistance is that of AP times the share of loops in AP, plus that of P times the rest. Between
    two turns of the field the share goes one way, so that isotonic regression takes out most of its noise.
    If the noise is more than a third of 1/N, so few bits are counted that it is not.
    """
    rows = table.rows
    field = rows["field_T"].to_numpy(dtype=np.float64)
    share, turns = _share_antiparallel(table), _turns(field)
    resolved = np.floor(1.0 / (_LEAST_RESOLVED * _noise(share))) if _noise(share) > 0.0 else np.inf
    steps = []
    for start, stop in itertools.pairwise(turns):
        own = slice(start, stop + 1)
        old = share[start] > 0.5
        # Clipped afterwards, because noise that is cut on one side has another mean.
        smooth = np.clip(isotonic_regression(share[own], increasing=not old).x, 0.0, 1.0)
        number = min(float(rows["averages"].iloc[start]), resolved)
        left = np.rint(number * (1.0 - smooth if old else smooth))
        ends = rows.iloc[start + 1 : stop + 1].reset_index(drop=True)
        steps.append(
            pd.DataFrame(
                {
                    "start_T": field[start:stop], "stop_T": field[start + 1 : stop + 1],
                    "towards_p": 1.0 if old else -1.0,
                    **{name: ends[name] for name in _OF_ROW if name in ends},
                    "trials": number - left[:-1], "switched": np.diff(left), "file": ends["file"],
                    "line": ends["line"],
                }
            )
        )  # fmt: skip
    taken = pd.concat(steps, ignore_index=True)
    rising = np.sign(taken["stop_T"] - taken["start_T"])
    polarity = float(np.sign(np.sum(taken["switched"] * taken["towards_p"] * rising))) or 1.0
    upwards = taken["towards_p"] * polarity
    taken = taken.assign(
        upwards=upwards,
        start_T=(upwards * taken["start_T"]).round(7),
        stop_T=(upwards * taken["stop_T"]).round(7),
    )
    against = taken["switched"][taken["stop_T"] <= taken["start_T"]].sum()
    if against > _ASTRAY * taken["switched"].sum():
        raise InputError(
            f"{table.path}: averaged switches against the field", value=f"{against:.0f}",
            allowed=f"at most {_ASTRAY:.0%} of all", remedy="Rows have to be in the order of the sweep.",
        )  # fmt: skip
    return taken[taken["trials"] > 0.0]


def _turns(field: FloatArray) -> list[int]:
    """Rows at which the field turns, with the first and the last one."""
    way = np.sign(np.diff(field))
    moving = np.flatnonzero(way)
    turns = [int(second) for first, second in itertools.pairwise(moving) if way[first] != way[second]]
    return [0, *turns, len(field) - 1]


def _share_antiparallel(table: Table) -> FloatArray:
    """Share of the loops in AP at each row, with its noise."""
    resistance = table.rows["resistance_ohm"].to_numpy(dtype=np.float64)
    low, high = _ends(table)
    near = _SATURATED * (high - low)
    low = float(np.median(resistance[resistance < low + near]))
    high = float(np.median(resistance[resistance > high - near]))
    return np.asarray((resistance - low) / (high - low))


def _noise(share: FloatArray) -> float:
    """Estimate the noise of the share where no loop switches, from the median of steps between rows."""
    still = np.minimum(np.abs(share), np.abs(share - 1.0)) < _SATURATED
    steps = np.abs(np.diff(share))[still[1:] & still[:-1]]
    # 0.6745: quartile of a normal distribution; a step has the noise of two rows.
    return float(np.median(steps)) / 0.6745 / np.sqrt(2.0) if len(steps) else 0.0


def _summed(table: Table, taken: pd.DataFrame) -> pd.DataFrame:
    """Sum equal steps, of those on which the field goes towards the other state."""
    taken = taken[taken["stop_T"] > taken["start_T"]]
    counts = taken.groupby("upwards")["switched"].sum()
    for branch, way in (("upwards", 1.0), ("downwards", -1.0)):
        if counts.get(way, 0) < LEAST_EVENTS:
            raise InputError(
                f"{table.path}: switches {branch}", value=int(counts.get(way, 0)),
                allowed=f"at least {LEAST_EVENTS}, to see how they scatter",
                remedy="Repeat the loop. If it is the mean of several, give their number in a file for "
                "--rules: [values] averages = 100.",
            )  # fmt: skip
    totals = {"trials": "sum", "switched": "sum", "line": "min"}
    same = [name for name in taken if name not in totals]
    return taken.groupby(same, as_index=False, dropna=False).agg(totals)


def _antiparallel(table: Table) -> BoolArray:
    """State of each row."""
    low, high = _ends(table)
    return np.asarray(table.rows["resistance_ohm"].to_numpy(dtype=np.float64) > 0.5 * (low + high))


def _ends(table: Table) -> tuple[float, float]:
    """Resistances in both states."""
    resistance = table.rows["resistance_ohm"].to_numpy(dtype=np.float64)
    low, high = np.quantile(resistance, [0.05, 0.95])
    if high < 1.05 * low:
        raise InputError(
            f"{table.path}: resistance",
            value=f"{compact(low, 'ohm', 4)} to {compact(high, 'ohm', 4)}", allowed="two states",
            remedy="The field does not switch the device; sweep it further.",
        )  # fmt: skip
    return float(low), float(high)


def _polarity(table: Table, moved: FloatArray) -> float:
    """Return 1 if a rising field makes the layers parallel, else -1.

    The majority of switches decides: 1 if the field rose before a switch to P or fell before one to AP, else
    -1.
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
