"""Names of columns, and the file that maps other names."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtjchar.errors import InputError, clipped, did_you_mean
from mtjchar.files import read_text
from mtjchar.stackfit.data.limits import LONGEST_NAME, listed
from mtjchar.stackfit.data.outcomes import COUNTS, plain_name, share_of
from mtjchar.stackfit.data.text import Cells

__all__ = ["LABELS", "PLAIN", "UNITS", "Mapping", "read_mapping"]

UNITS = {
    "amplitude": "V",
    "current": "A",
    "amplitude_error": "V",
    "current_error": "A",
    "duration": "s",
    "temperature": "K",
    "voltage": "V",
    "resistance": "ohm",
    "resistance_error": "ohm",
    "field": "T",
    "sweep_rate": "T/s",
    "diameter": "m",
    "resistance_area_product": "ohm*m^2",
}
"""Columns with a unit, and the SI unit of their values."""

PLAIN = ("trials", *COUNTS, "tmr", "loop")
LABELS = ("direction", "state", "device")

_KNOWN = (*UNITS, *PLAIN, *LABELS)
_MOST_BYTES = 20_000
_SHARES = "probability, error_rate, wer or ber, also log10_... and ..._percent"


@dataclass(frozen=True)
class Mapping:
    """Content of a file for ``--columns``.

    Attributes
    ----------
    path : str
    names : dict
        Name of a column in the table and its unit, by quantity.
    shared : dict
        Values that are the same for all rows: strings with a unit, numbers, words.
    """

    path: str = ""
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)

    def check_found(self, files: Sequence[Cells]) -> None:
        """Refuse a name that no table has."""
        for key, (name, _) in self.names.items():
            if not any(name in cells.text.columns for cells in files):
                there = listed((f"{cells.path.name}: {cells.columns}" for cells in files), "; ")
                raise InputError(
                    f"{self.path}: columns.{key}", value=name, allowed=f"a column of the data ({there})"
                )


def read_mapping(path: str | Path | None) -> Mapping:
    """Read and check a file for ``--columns``; without one nothing is mapped."""
    if path is None:
        return Mapping()
    data = _content(path)
    for key, value in data.items():
        if key not in ("columns", "values"):
            raise InputError(f"{path}: {clipped(key)}", value=value, allowed="[columns] and [values]")
        if not isinstance(value, dict):
            raise InputError(f"{path}: {key}", value=value, allowed=f"a table, [{key}]")
        for name, own in value.items():
            if name not in _KNOWN and share_of(name) is None:
                allowed = f"one of {', '.join(_KNOWN)}; or {_SHARES}"
                raise InputError(
                    f"{path}: {key}.{clipped(name)}", value=own, allowed=allowed,
                    remedy=did_you_mean(clipped(name), _KNOWN),
                )  # fmt: skip
    names = {_key(key): _name(path, _key(key), value) for key, value in data.get("columns", {}).items()}
    shared = {_key(key): value for key, value in data.get("values", {}).items()}
    for key, value in shared.items():
        _check_shared(f"{path}: values.{key}", key, value)
    return Mapping(str(path), names, shared)


def _content(path: str | Path) -> dict[str, Any]:
    allowed = f"a TOML file with [columns] and [values], of at most {_MOST_BYTES:,} bytes"
    text = read_text(path, "columns file", allowed=allowed, most=_MOST_BYTES)
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        why = clipped(str(error))
        raise InputError("columns", value=str(path), allowed=allowed, remedy=f"{why}.") from error
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        why = "It is nested too deep" if deep else "A whole number in it has thousands of digits"
        raise InputError("columns", value=str(path), allowed=allowed, remedy=f"{why}.") from error


def _key(name: str) -> str:
    return plain_name(name) if share_of(name) else name


def _name(path: str | Path, key: str, value: Any) -> tuple[str, str]:
    entry = {"name": value} if isinstance(value, str) else value
    needed = {"name", "unit"} if key in UNITS else {"name"}
    if (
        not isinstance(entry, dict)
        or set(entry) != needed
        or not all(isinstance(value, str) for value in entry.values())
    ):
        allowed = '{ name = "...", unit = "..." }' if key in UNITS else "the name of a column"
        raise InputError(f"{path}: columns.{key}", value=value, allowed=allowed)
    return entry["name"].strip(), entry.get("unit", "")


def _check_shared(thing: str, key: str, value: Any) -> None:
    if key in UNITS and not isinstance(value, str):
        raise InputError(thing, value=value, allowed=f"a string, '1 {UNITS[key]}'")
    if key in PLAIN or share_of(key):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(thing, value=value, allowed="a number, without quotes and unit")
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise InputError(thing, value=value, allowed=f"a number up to {sys.float_info.max:.2g}")
    if key in LABELS and not (isinstance(value, str) and len(value) <= LONGEST_NAME):
        raise InputError(thing, value=value, allowed=f"a string of at most {LONGEST_NAME} characters")
