"""Reading the table of a trade-off: a file that anybody may have changed."""

from __future__ import annotations

import io
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
_FLAG, _LATER_FLAG = "confirmed", "extrapolated"  # earlier versions have not written the second
_REMEDY = "Run `mtjchar tradeoff` with this directory again: finished trainings are kept."


def read_tradeoff(path: str | Path) -> pd.DataFrame:
    """Read a ``tradeoff.csv``.

    Returns
    -------
    DataFrame
        As `mtjchar.network.tradeoff.Tradeoff` describes its table.

    Raises
    ------
    InputError
        If the file is damaged or another one, naming the column and the value.
    """
    text = read_text(path, "trade-off", allowed="the tradeoff.csv of `mtjchar tradeoff`", remedy=_REMEDY)
    try:
        table = pd.read_csv(io.StringIO(text))
    except Exception as error:  # pandas raises whatever its reader meets
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(str(path), value=why, allowed="a CSV file", remedy=_REMEDY) from error
    for name in (*_WORDS, *_NUMBERS, _FLAG):
        if name not in table:
            raise _wrong(path, name, "no such column", f"a column {name}")
    for name in _WORDS:
        if not table[name].map(lambda value: isinstance(value, str)).all():
            raise _wrong(path, name, "a value that is no text", "text")
    for name, (low, high) in _NUMBERS.items():
        if table[name].dtype.kind not in "fi":
            raise _wrong(path, name, f"the type {table[name].dtype}", "numbers")
        values = table[name].to_numpy(dtype=np.float64)
        wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
        if wrong.any():
            raise _wrong(path, name, float(values[wrong][0]), f"finite numbers from {low:g} to {high:g}")
    for name in (_FLAG, _LATER_FLAG):
        if name in table and table[name].dtype.kind != "b":
            raise _wrong(path, name, f"the type {table[name].dtype}", "True and False")
    if not (table["lever"] == BASELINE).any():
        raise _wrong(path, "lever", "no such row", f"a row of the lever {BASELINE}")
    return table


def _wrong(path: str | Path, column: str, value: object, allowed: str) -> InputError:
    return InputError(f"{path}: column {column}", value=value, allowed=allowed, remedy=_REMEDY)
