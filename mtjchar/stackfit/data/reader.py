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
from mtjchar.stackfit.data.names import (
    PLAIN,
    UNITS,
    Repeats,
    column_of,
    named,
    repeats_of,
    scaled,
    split_unit,
)
from mtjchar.stackfit.data.outcomes import COUNTS, Share, share_of
from mtjchar.stackfit.data.rules import FileRules, plain_word
from mtjchar.stackfit.data.text import Cells
from mtjchar.stackfit.data.units import conversion, quantity
from mtjchar.stackfit.data.values import first_unit, is_missing, numbers_of
from mtjchar.stackfit.data.words import DIRECTIONS, OPPOSITE, STATES

__all__ = ["Bad", "Reader"]

_TRUTHS = {"true": 1, "false": 0}
_TO = re.compile(r"\s*(?:[-=]*>|\u2192|\u21d2|\bto\b|_to_|_2_)\s*", re.IGNORECASE)  # 0 -> 1, 0 to 1
_MULTIPLE = re.compile(r"[x\u00d7*]?\s*(k|M|10\^\d+|1e\+?\d+|10{2,})", re.IGNORECASE)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(\.000)+")
_LARGEST = 1e30  # numbers whose squares and products are still finite

Bad = list[tuple[int, str, Any, str]]


def _in_percent(cell: Any) -> bool:
    return isinstance(cell, str) and cell.endswith("%")


def _unit_behind(key: str, header: str) -> str:
    """Return the unit that a name of the user's ends in, such as mV of Vp_mV; empty if it ends in none."""
    unit = header.rpartition("_")[2]
    try:
        conversion("unit", unit, UNITS.get(key, ""))
    except InputError:
        return ""
    return unit if "_" in header and UNITS.get(key) else ""


class Reader:
    """Reads the columns of one file, and collects bad values with their position."""

    def __init__(self, cells: Cells, rules: FileRules) -> None:
        self.path, self.text, self.columns, self.units = cells.path, cells.text, cells.columns, cells.units
        self.titles, self.matrices = cells.titles, cells.matrices
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
            header = column_of(headers, name)
            if header is not None:
                self._put(places, key, header, unit or split_unit(header)[1] or _unit_behind(key, header))
        taken = {name for name, _ in places.values()}
        for header in headers:
            found = None if header in taken else named(header)
            if found is None:
                continue
            self._put(places, found.key, header, found.unit)
        return places

    def _put(self, places: dict[str, tuple[str, str]], key: str, header: str, unit: str) -> None:
        unit = unit or self.units.get(header, "")
        if key in COUNTS and not unit and any(map(_in_percent, self.text[header])):
            unit = "%"
        key = scaled(key, unit)
        if key in (*PLAIN, *COUNTS) and _MULTIPLE.fullmatch(unit):
            raise InputError(
                f"{self.path}, unit of column {header}", value=unit, allowed="none, as it counts",
                remedy="Multiply the numbers in the table.",
            )  # fmt: skip
        if key in places:
            raise InputError(f"{self.path}, column {header}", value=header, allowed=f"one column of {key}")
        places[key] = (header, unit)

    def known(self) -> set[str]:
        """All recognized quantities, from columns or shared values."""
        return {*self.place, *self.shared}

    def repeated(self) -> Repeats:
        """Columns of readings after repeated writes."""
        return repeats_of(self.text.columns)

    def readings(self, header: str, unit: str) -> FloatArray:
        """Read a column of resistances, ohm; NaN where there was no reading."""
        self._used.add(header)
        unit = unit or self.units.get(header, "") or "ohm"
        values = numbers_of(self.text[header], "ohm", self._known_unit(header, unit, "ohm"))
        with np.errstate(invalid="ignore"):
            wrong = ~(values > 0.0) & ~is_missing(self.text[header])
            self.refuse(header, wrong, "a positive number, or an empty cell")
            return np.where(values > 0.0, values, np.nan)

    def _known_unit(self, header: str, own: str, unit: str) -> str:
        """Return a unit of a column, if there is one of its name and dimension."""
        if own:
            conversion(f"{self.path}, unit of column {header}", own, unit)
        return own

    def unknown(self) -> tuple[str, ...]:
        """Columns with unknown names."""
        taken = {header for header, _ in self.place.values()} | set(self.repeated().headers)
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
            good |= is_missing(self.text[self.place[key][0]])
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
        return np.full(len(self.text), quantity(f"{self.rules.path}: values.{key}", value, unit))

    def _column(self, key: str) -> FloatArray:
        header, own = self.place[key]
        self._used.add(header)
        raw = self.text[header]
        if key in UNITS:
            if UNITS[key] and not own and not first_unit(raw):
                raise InputError(
                    f"{self.path}, column {header}",
                    value="no unit",
                    allowed=f"a unit in the name, such as {key}_{UNITS[key].replace('*', '_')}",
                    remedy="Or name the column and its unit in a file for --rules: "
                    f'[columns] {key} = {{ name = "{header}", unit = "{UNITS[key]}" }}.',
                )
            return numbers_of(raw, UNITS[key], self._known_unit(header, own, UNITS[key]))
        share = share_of(key)
        if share is not None:
            # A sign of percent in a cell counts, whatever the name says.
            return numbers_of(raw, "", "") * self._percents(raw, share)
        if key in COUNTS:
            truths = [_TRUTHS.get(str(value).strip().lower(), value) for value in raw]
            raw = pd.Series(truths, dtype=object)  # in which a repeated text is stored once
        self._check_thousands(header, raw)
        return numbers_of(raw, "", "")

    def _percents(self, raw: pd.Series[Any], share: Share) -> FloatArray:
        """Factor of cells in percent, which `numbers_of` makes plain shares."""
        signs = np.array(list(map(_in_percent, raw)))
        wrong = np.nan if share.logarithm else 100.0 if share.form == "percent" else 1.0
        return np.where(signs, wrong, 1.0)

    def _check_thousands(self, header: str, raw: pd.Series[Any]) -> None:
        """Refuse counts such as 2.000, if nothing in the table shows that the point is a decimal one."""
        points = [str(cell) for cell in raw if isinstance(cell, str) and "." in cell]
        if not points or not all(map(_THOUSANDS.fullmatch, points)):
            return
        others = (
            str(cell) for name in self.text.columns for cell in self.text[name] if isinstance(cell, str)
        )
        if not any(
            re.fullmatch(r"[+-]?\d*\.\d+(e[+-]?\d+)?", cell, re.IGNORECASE)
            and not re.fullmatch(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", cell)
            for cell in others
        ):
            raise InputError(
                f"{self.path}, column {header}", value=points[0],
                allowed="whole numbers, without a separator of thousands",
                remedy="Nothing in the table shows whether the point is decimal or separates thousands.",
            )  # fmt: skip

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

    def label(self, key: str, words: dict[str, str], allowed: str, *, optional: bool = False) -> WordArray:
        """Read a column of words; with `optional`, cells may have none."""
        if key in self.place:
            return self.words_of(self.place[key][0], words, allowed, optional=optional)
        meant = self.meaning(self.shared[key], words)
        if meant is None:
            raise InputError(f"{self.rules.path}: values.{key}", value=self.shared[key], allowed=allowed)
        return np.full(len(self.text), meant, dtype=object)

    def words_of(
        self, header: str, words: dict[str, str], allowed: str, *, optional: bool = True
    ) -> WordArray:
        """Read a column of words; with `optional`, cells without one are empty."""
        self._used.add(header)
        raw = [str(value) for value in self.text[header]]
        meant = {value: self.meaning(value, words) for value in set(raw)}
        clean = [meant[value] for value in raw]
        missing = is_missing(self.text[header]) & optional
        self.refuse(header, np.array([word is None for word in clean]) & ~missing, allowed)
        return np.array([word or "" for word in clean], dtype=object)

    def flags_of(self, header: str) -> BoolArray:
        """Read a column of 0 and 1, or false and true; empty cells are false."""
        self._used.add(header)
        truths = [_TRUTHS.get(str(value).strip().lower(), value) for value in self.text[header]]
        values = np.array(pd.to_numeric(pd.Series(truths, dtype=object), errors="coerce"), dtype=np.float64)
        wrong = ~np.isin(values, (0.0, 1.0)) & ~is_missing(self.text[header])
        self.refuse(header, wrong, "0 or 1, or an empty cell")
        return np.asarray(values == 1.0)

    def meaning(self, value: str, words: dict[str, str]) -> str | None:
        """Return what a word means, None if that is not known."""
        own = {word: meaning for word, meaning in self.rules.words.items() if meaning in words.values()}
        return (
            own.get(plain_word(value))
            or words.get(re.sub(r"[^a-z0-9]", "", value.lower()))
            or (self._way(value) if words is DIRECTIONS else None)
        )

    def _way(self, text: str) -> str | None:
        """Direction of a word such as ``0 to 1``, by the words for states."""
        states = [
            self.rules.words.get(plain_word(word), STATES.get(re.sub(r"[^a-z]", "", word.lower())))
            for word in _TO.split(text.strip())
        ]
        if len(states) == 2 and states[0] in OPPOSITE and states[1] == OPPOSITE[states[0]]:
            return f"{states[0]}_to_{states[1]}"
        return None

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
