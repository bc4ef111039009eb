"""R-H loops as field steps in which a device could leave its state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError
from mtjchar.stackfit.data.tables import Table
from mtjchar.units import compact

__all__ = ["LEAST_EVENTS", "FieldSteps", "steps_of"]

LEAST_EVENTS = 10
"""Switches required in a branch, to resolve a distribution."""

_ASTRAY = 0.1  # share of switches against the field, or at constant field: noise between two states
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
    taken = taken[taken["stop_T"] > taken["start_T"]]
    counts = taken[taken["switched"] > 0.0].groupby("upwards").size()
    for branch, way in (("upwards", 1.0), ("downwards", -1.0)):
        if counts.get(way, 0) < LEAST_EVENTS:
            raise InputError(
                f"{table.path}: switches {branch}", value=int(counts.get(way, 0)),
                allowed=f"at least {LEAST_EVENTS}, to see how they scatter", remedy="Repeat the loop.",
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
            f"{table.path}: resistance",
            value=f"{compact(low, 'ohm', 4)} to {compact(high, 'ohm', 4)}", allowed="two states",
            remedy="The field does not switch the device; sweep it further.",
        )  # fmt: skip
    return np.asarray(resistance > 0.5 * (low + high))


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
