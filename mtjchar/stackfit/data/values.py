"""Numbers in cells: with units or prefixes behind them, in percent, or a mark that there was no reading."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError
from mtjchar.stackfit.data.units import conversion

__all__ = ["first_unit", "is_missing", "numbers_of"]

_MARKS = frozenset(
    {
        "nan", "na", "n/a", "#n/a", "none", "null", "ol", "ovl", "ovld", "ovrld", "overflow", "overload",
        "overrange", "inf", ".", "*", "?", "1.#qnan", "1.#ind", "#num!", "#div/0!", "#value!", "#ref!",
        "#name?", "error", "open",
    }
)  # fmt: skip
"""What instruments and spreadsheets write where there is no value, in lower case."""

_OVERFLOW = (9.9e37, 9.91e37)
"""Infinity and not a number, as SCPI instruments write them (SCPI-1999, volume 1, section 7.2.1)."""

_PREFIXES = {
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "μ": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
}
_PERCENT = "%"
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?P<unit>[^\d\s.].*)?", re.IGNORECASE | re.ASCII
)
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff0d": "-"})
_POWER = re.compile(r"\s*[xX\u00d7*]\s*10\s*(?:\^|\*\*)\s*\(?([+-]?\d+)\)?")
_ONLY_POWER = re.compile(r"^10\s*(?:\^|\*\*)\s*\(?([+-]?\d+)\)?$")
_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d+$)")
_SIGN = re.compile(r"^([+-])\s+(?=[\d.])")


def is_missing(cells: Iterable[Any]) -> BoolArray:
    """Whether cells are empty, or marks that there is no value."""
    return np.array([_is_mark(cell) for cell in cells], dtype=bool)


def _is_mark(cell: Any) -> bool:
    if isinstance(cell, str):
        text = cell.strip().lower()
        if not text or text.lstrip("+-") in _MARKS or set(text) <= {"-"}:
            return True
        return text.lstrip("+-").startswith("9.9") and "e+37" in text.replace("e37", "e+37")
    return bool(pd.isna(cell)) or (isinstance(cell, float) and abs(cell) in _OVERFLOW)


def first_unit(cells: Iterable[Any]) -> str:
    """Return the unit of the first cell that has one, empty if there is none."""
    return next((unit for cell in cells if isinstance(cell, str) and (unit := _parts(cell)[1])), "")


def numbers_of(cells: pd.Series[Any], unit: str, own: str) -> FloatArray:
    """Read cells as numbers in an SI unit.

    Parameters
    ----------
    cells : Series
        Numbers, or texts such as ``0.8``, ``800 mV``, ``800m``, ``5x10^-9``, ``5.0D-09`` and ``13.3 %``.
    unit : str
        SI unit of the result; empty for plain numbers and shares.
    own : str
        Unit of cells without one. ``percent`` makes a share of them.

    Returns
    -------
    ndarray
        NaN where a cell is no number, has a unit of another dimension, or has none and `own` is empty.

    Raises
    ------
    InputError
        If `own` is no such unit.
    """
    values = np.array(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
    values[np.isin(np.abs(values), _OVERFLOW)] = np.nan
    offset, factor = conversion("unit", own, unit) if own else (0.0, 1.0 if not unit else np.nan)
    result = offset + factor * values
    known: dict[str, tuple[float, float]] = {"": (offset, factor)}
    for row in np.flatnonzero(np.isnan(values)):
        cell = cells.iloc[row]
        if not isinstance(cell, str) or _is_mark(cell):
            continue
        number, behind = _parts(cell)
        if not number:
            continue
        if behind not in known:
            known[behind] = _of_cell(behind, unit, own)
        start, scale = known[behind]
        result[row] = start + scale * float(number)
    return result


def _parts(cell: str) -> tuple[str, str]:
    """Take a cell apart into number and unit; both are empty if it is none."""
    text = _SIGN.sub(r"\1", cell.strip().translate(_MINUS))
    text = _ONLY_POWER.sub(r"1e\1", text)
    text = _FORTRAN.sub("e", _POWER.sub(r"e\1", text))
    found = _NUMBER.fullmatch(text)
    return (found["number"], (found["unit"] or "").strip()) if found else ("", "")


def _of_cell(behind: str, unit: str, own: str) -> tuple[float, float]:
    """Offset and factor of the unit, prefix or percent sign after a number."""
    if not unit:
        scale = {_PERCENT: 0.01, "ppm": 1e-6, **{key: 10.0**power for key, power in (("k", 3), ("M", 6))}}
        return 0.0, scale.get(behind, np.nan)
    if own == unit and behind in _PREFIXES and behind != unit:  # 800m below amplitude_V
        return 0.0, _PREFIXES[behind]
    try:
        return conversion("unit", behind, unit)
    except InputError:
        return 0.0, np.nan
