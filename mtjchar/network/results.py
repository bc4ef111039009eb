"""Reading and checking of the table of a trade-off, which users may have changed."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtjchar.errors import InputError
from mtjchar.files import read_text
from mtjchar.network.tradeoff import BASELINE

__all__ = ["read_tradeoff"]

_WORDS = ("lever", "code")
_NUMBERS = {
    "bits": (1.0, np.inf), "ber": (0.0, 1.0), "amplitude_V": (0.0, np.inf), "duration_s": (0.0, np.inf),
    "programming_energy_J": (0.0, np.inf), "energy_saved_fraction": (-np.inf, 1.0),
    "accuracy_mean": (0.0, 1.0), "accuracy_drop_points": (-100.0, 100.0),
    "accuracy_drop_ci95": (0.0, np.inf), "seeds": (1.0, np.inf),
}  # fmt: skip
_FLAG = "confirmed"
# Earlier versions have not written these.
_LATER_FLAGS = ("extrapolated", "exact", "at_edge", "at_limit", "reads_assumed")
_LATER_WORDS = ("verdict",)
_LATER_NUMBERS = {
    "ber_to_one": (0.0, 1.0), "ber_to_zero": (0.0, 1.0), "write_energy_J": (0.0, np.inf),
    "reads": (0.0, np.inf), "check_cells_fraction": (0.0, np.inf), "computing_energy_J": (0.0, np.inf),
    "total_energy_J": (0.0, np.inf), "saved_against_exact_fraction": (-np.inf, 1.0),
    "computing_reads": (0.0, np.inf), "read_error_rate": (0.0, 1.0), "read_disturb_rate": (0.0, 1.0),
    "skipped": (0.0, np.inf), "needless": (0.0, np.inf), "stopped": (0.0, np.inf),
    "disturbed": (0.0, np.inf),
}  # fmt: skip
# Unknown if another surface has no such pulses.
_BANDS = {"energy_saved_lower": (-np.inf, np.inf), "energy_saved_upper": (-np.inf, np.inf)}
_REMEDY = "Run `mtjchar tradeoff` with this directory again: finished trainings are kept."


def read_tradeoff(path: str | Path) -> pd.DataFrame:
    """Read a ``tradeoff.csv``.

    Returns
    -------
    DataFrame
        As `mtjchar.network.tradeoff.Tradeoff` describes its table. That of an earlier version has fewer
        columns.

    Raises
    ------
    InputError
        If the file is damaged or another one; the message names the column and the value.
    """
    text = read_text(
        path, "trade-off table", allowed="the tradeoff.csv of `mtjchar tradeoff`", remedy=_REMEDY
    )
    try:
        table = pd.read_csv(io.StringIO(text))
    except Exception as error:  # pandas raises many kinds of errors
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(str(path), value=why, allowed="a CSV file", remedy=_REMEDY) from error
    for name in (*_WORDS, *_NUMBERS, _FLAG):
        if name not in table:
            raise _wrong(path, name, "no such column", f"a column {name}")
    for name in (*_WORDS, *_there(_LATER_WORDS, table)):
        if not table[name].map(lambda value: isinstance(value, str)).all():
            raise _wrong(path, name, "a value that is no text", "text")
    ranges = {**_NUMBERS, **_LATER_NUMBERS, **_BANDS}
    for name in (*_NUMBERS, *_there((*_LATER_NUMBERS, *_BANDS), table)):
        if table[name].dtype.kind not in "fi":
            raise _wrong(path, name, f"the type {table[name].dtype}", "numbers")
        values, (low, high) = table[name].to_numpy(dtype=np.float64), ranges[name]
        wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
        if name in _BANDS:
            wrong &= ~np.isnan(values)
        if wrong.any():
            raise _wrong(path, name, float(values[wrong][0]), f"finite numbers from {low:g} to {high:g}")
    for name in (_FLAG, *_there(_LATER_FLAGS, table)):
        if table[name].dtype.kind != "b":
            raise _wrong(path, name, f"the type {table[name].dtype}", "True and False")
    if not (table["lever"] == BASELINE).any():
        raise _wrong(path, "lever", "no such row", f"a row of the lever {BASELINE}")
    return table


def _there(names: Iterable[str], table: pd.DataFrame) -> list[str]:
    return [name for name in names if name in table]


def _wrong(path: str | Path, column: str, value: object, allowed: str) -> InputError:
    return InputError(f"{path}: column {column}", value=value, allowed=allowed, remedy=_REMEDY)
