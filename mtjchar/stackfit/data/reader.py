"""Columns of one table as numbers and words; bad values are collected with their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.arrays import BoolArray, FloatArray, WordArray
from mtjchar.errors import InputError, printable
from mtjchar.stackfit.data.limits import LONGEST_NAME
from mtjchar.stackfit.data.names import UNITS, named, repeated
from mtjchar.stackfit.data.outcomes import COUNTS, share_of
from mtjchar.stackfit.data.rules import FileRules, plain_word
from mtjchar.stackfit.data.text import Cells
from mtjchar.stackfit.data.units import conversion, in_tesla
from mtjchar.units import parse_quantity

__all__ = ["Bad", "Reader"]

_TRUTHS = {"true": 1, "false": 0}
_LARGEST = 1e30  # numbers whose squares and products are still finite

Bad = list[tuple[int, str, Any, str]]


class Reader:
    """Reads the columns of one file, and collects bad values with their position."""

    def __init__(self, cells: Cells, rules: FileRules) -> None:
        self.path, self.text, self.columns, self.units = cells.path, cells.text, cells.columns, cells.units
        self.rules, self.shared = rules, rules.shared
        self.notes: list[str] = []
        self.lines = np.array(cells.lines)
        self.bad: Bad = []
        self.place = self._places(rules.names)
        self._used: set[str] = set()

    def _places(self, names: dict[str, tuple[str | int, str]]) -> dict[str, tuple[str, str]]:
        """Column and unit of every recognized quantity."""
        headers = list(self.text.columns)
        places: dict[str, tuple[str, str]] = {}
        for key, (name, unit) in names.items():
            if isinstance(name, int):
                if name <= len(headers):
                    places[key] = (headers[name - 1], unit)
            elif name in headers:
                places[key] = (name, unit)
        taken = {name for name, _ in places.values()}
        for header in headers:
            found = None if header in taken else named(header)
            if found is None:
                continue
            if found.key in places:
                raise InputError(
                    f"{self.path}, column {header}", value=header, allowed=f"one column of {found.key}"
                )
            places[found.key] = (header, found.unit or self.units.get(header, ""))
        return places

    def known(self) -> set[str]:
        """All recognized quantities, from columns or shared values."""
        return {*self.place, *self.shared}

    def repeated(self) -> list[str]:
        """Columns of resistances after repeated writes."""
        return repeated(self.text.columns)

    def plain_number(self, header: str) -> FloatArray:
        """Read a column as it is, in whatever unit; empty cells are NaN."""
        self._used.add(header)
        values = np.array(pd.to_numeric(self.text[header], errors="coerce"), dtype=np.float64)
        blank = np.array([pd.isna(cell) or cell == "" for cell in self.text[header]])
        with np.errstate(invalid="ignore"):
            self.refuse(header, ~(values > 0.0) & ~blank, "a positive number, or an empty cell")
            return np.where(values > 0.0, values, np.nan)

    def unknown(self) -> tuple[str, ...]:
        """Columns with unknown names."""
        taken = {header for header, _ in self.place.values()} | set(self.repeated())
        return tuple(name for name in self.text.columns if name and name not in taken)

    def unused(self) -> tuple[str, ...]:
        """Columns that have not been used so far."""
        return tuple(name for name in self.text.columns if name and name not in self._used)

    def number(
        self,
        key: str,
        allowed: str,
        valid: Callable[[FloatArray], BoolArray] | None = None,
        *,
        optional: bool = False,
        infinite: bool = False,
    ) -> FloatArray:
        """Read a column in SI units; bad values are invalid, not finite (unless `infinite`), or empty.

        With `optional`, empty cells are allowed.
        """
        values = self._shared_number(key) if key not in self.place else self._column(key)
        good = ~np.isnan(values) if infinite else np.isfinite(values)
        if valid is not None:
            with np.errstate(invalid="ignore"):
                good &= valid(values)
        if optional and key in self.place:
            good |= [pd.isna(value) or value == "" for value in self.text[self.place[key][0]]]
        self._refuse_number(key, ~good, allowed)
        if share_of(key) is None:  # shares may be as small as floating-point numbers
            size = np.abs(values)
            absurd = (size > _LARGEST) | ((size > 0.0) & (size < 1.0 / _LARGEST))
            self._refuse_number(key, good & absurd, f"{1.0 / _LARGEST:g} to {_LARGEST:g} in SI units")
        return values

    def _refuse_number(self, key: str, wrong: BoolArray, allowed: str) -> None:
        if key in self.place:
            self.refuse(self.place[key][0], wrong, allowed)
        elif wrong.any():
            raise InputError(f"{self.rules.path}: values.{key}", value=self.shared[key], allowed=allowed)

    def _shared_number(self, key: str) -> FloatArray:
        value, unit = self.shared[key], UNITS.get(key, "")
        if not isinstance(value, str):
            return np.full(len(self.text), float(value))
        text, factor = in_tesla(value, unit)
        read = parse_quantity(text, unit, thing=f"{self.rules.path}: values.{key}")
        return np.full(len(self.text), factor * read)

    def _column(self, key: str) -> FloatArray:
        header, own = self.place[key]
        self._used.add(header)
        raw = self.text[header]
        if key in COUNTS:
            truths = [_TRUTHS.get(str(value).strip().lower(), value) for value in raw]
            raw = pd.Series(truths, dtype=object)  # in which a repeated text is stored once
        values = np.array(pd.to_numeric(raw, errors="coerce"), dtype=np.float64)
        if UNITS.get(key) and not own:
            raise InputError(
                f"{self.path}, column {header}",
                value="no unit",
                allowed=f"a unit in the name, such as {key}_{UNITS[key].replace('*', '_')}",
                remedy="Or name the column and its unit in a file for --rules.",
            )
        if key in UNITS and own:
            offset, factor = conversion(f"{self.path}, unit of column {header}", own, UNITS[key])
            values = offset + factor * values
        return values

    def agree(self, key: str, good: BoolArray, allowed: str) -> None:
        """Record values that contradict another column of their row."""
        if key in self.place:
            good |= np.isin(self.lines, [line for line, *_ in self.bad])
        self._refuse_number(key, ~good, allowed)

    def refuse(self, header: str, wrong: BoolArray, allowed: str) -> None:
        """Record bad values."""
        if not wrong.any():
            return
        values = self.text[header].to_numpy()
        for row in np.flatnonzero(wrong):
            self.bad.append((int(self.lines[row]), header, values[row], allowed))

    def label(self, key: str, words: dict[str, str], allowed: str) -> WordArray:
        """Read a column of words."""
        if key in self.place:
            header = self.place[key][0]
            self._used.add(header)
            raw = [str(value) for value in self.text[header]]
        else:
            header, raw = key, [self.shared[key]] * len(self.text)
        own = {word: meaning for word, meaning in self.rules.words.items() if meaning in words.values()}
        meant = {
            value: own.get(plain_word(value)) or words.get(re.sub(r"[^a-z0-9]", "", value.lower()))
            for value in set(raw)
        }
        clean = [meant[value] for value in raw]
        if key not in self.place and None in clean:
            raise InputError(f"{self.rules.path}: values.{key}", value=self.shared[key], allowed=allowed)
        self.refuse(header, np.array([word is None for word in clean]), allowed)
        return np.array([word or "" for word in clean], dtype=object)

    def frame(self, **columns: Any) -> tuple[pd.DataFrame, Bad]:
        """Assemble the rows, with their origin."""
        rows = pd.DataFrame({**columns, "file": printable(str(self.path)), "line": self.lines})
        if "device" in self.place:
            header = self.place["device"][0]
            self._used.add(header)
            names = self.text[header]
            long = np.array([len(str(name)) > LONGEST_NAME for name in names])
            self.refuse(header, long, f"at most {LONGEST_NAME} characters")
            rows["device"] = names.mask(long, "").astype(str).to_numpy()
        elif "device" in self.shared:
            rows["device"] = self.shared["device"]
        elif self.rules.labels:
            rows["device"] = "/".join(self.rules.labels.values())
        for name, label in self.rules.labels.items():
            rows[name] = label
        self.bad.sort(key=lambda cell: cell[0])
        return rows, self.bad
