"""The file for ``--rules``: how tables are written where that does not show in them."""

from __future__ import annotations

import codecs
import dataclasses
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtjchar.errors import InputError, clipped, did_you_mean
from mtjchar.files import read_text
from mtjchar.stackfit.data.limits import LONGEST_NAME, listed
from mtjchar.stackfit.data.matrices import Matrix
from mtjchar.stackfit.data.names import LABELS, PLAIN, UNITS, column_of, named, scaled
from mtjchar.stackfit.data.outcomes import plain_name, share_of
from mtjchar.stackfit.data.text import Cells, Layout
from mtjchar.stackfit.data.words import DIRECTIONS, STATES

__all__ = ["FileRules", "Rules", "read_rules"]

_KNOWN = (*UNITS, *PLAIN, *LABELS)
_KEYS = ("columns", "values", "words", "positive", "skip_rows", "encoding", "matrix")
_MOST_BYTES = 20_000
_MOST_SKIPPED = 100_000
_SHARES = "probability, error_rate, wer or ber, also log10_... and ..._percent"
_PATTERN = re.compile(r"[*?{}.]")
_FIELD = re.compile(r"\{(\w+)\}([A-Za-z\u00b5\u03bc\u00b0%]*)")


@dataclass(frozen=True)
class FileRules:
    """What holds for one file.

    Attributes
    ----------
    path : str
        Of the file for ``--rules``, for messages.
    names : dict
        Own name of a column, or its number, and its unit, by what it is.
    shared : dict
        Values that are the same for all rows: strings with a unit, numbers, words.
    words : dict
        Own words for directions and states, and what they mean.
    positive : str
        Direction of pulses of positive amplitude where the sign gives the direction, otherwise empty.
    skip : int
        Lines at the start of the file to leave out.
    encoding : str
    matrix : Matrix, optional
        If the file is a matrix over two quantities.
    labels : dict
        Parts of the file's name that are no quantities, such as lot and die.
    """

    path: str = ""
    names: dict[str, tuple[str | int, str]] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    positive: str = ""
    skip: int = 0
    encoding: str = ""
    matrix: Matrix | None = None
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """What finding the table needs of it."""
        names = frozenset(name for name, _ in self.names.values() if isinstance(name, str))
        numbered = any(isinstance(name, int) for name, _ in self.names.values())
        return Layout(names, numbered, self.skip, self.encoding, self.matrix)

    def over(self, other: FileRules) -> FileRules:
        """Return `other` with what this one has instead and in addition."""
        return FileRules(
            self.path or other.path,
            {**other.names, **self.names},
            {**other.shared, **self.shared},
            {**other.words, **self.words},
            self.positive or other.positive,
            self.skip or other.skip,
            self.encoding or other.encoding,
            self.matrix or other.matrix,
            {**other.labels, **self.labels},
        )


@dataclass(frozen=True)
class Rules:
    """Content of a file for ``--rules``.

    Attributes
    ----------
    path : str
    everywhere : FileRules
        What holds for all files.
    sections : tuple of (str, FileRules)
        What holds for files whose names have a pattern.
    """

    path: str = ""
    everywhere: FileRules = field(default_factory=FileRules)
    sections: tuple[tuple[str, FileRules], ...] = ()

    def of(self, file: Path) -> FileRules:
        """Return what holds for a file; of several sections that fit, the later one goes first."""
        own = self.everywhere
        for pattern, section in self.sections:
            values = _values_in_name(pattern, file)
            if values is not None:
                own = _with_values(section, values, f"{self.path}: {pattern}").over(own)
        return own

    def check_found(self, files: Sequence[Cells]) -> None:
        """Refuse a pattern that no file has, and a name that none of its files has."""
        for pattern, section in (("", self.everywhere), *self.sections):
            own = [
                cells for cells in files if not pattern or _values_in_name(pattern, cells.path) is not None
            ]
            if not own:
                there = listed(cells.path.name for cells in files)
                raise InputError(
                    f"{self.path}: {pattern}",
                    value=pattern,
                    allowed=f"a pattern of one of the files ({there})",
                )
            for key, (name, _) in section.names.items():
                if not any(_has(cells, name) for cells in own):
                    there = listed((f"{cells.path.name}: {cells.columns}" for cells in own), "; ")
                    place = (
                        f"{self.path}: {pattern}.columns.{key}" if pattern else f"{self.path}: columns.{key}"
                    )
                    raise InputError(place, value=name, allowed=f"a column of the data ({there})")


def _has(cells: Cells, name: str | int) -> bool:
    return column_of(cells.text.columns, name) is not None


def _values_in_name(pattern: str, file: Path) -> dict[str, str] | None:
    """Values that the name of a file has where the pattern has braces; None if it has not this pattern."""
    expression, position = "", 0
    units = {}
    for found in _FIELD.finditer(pattern):
        name, unit = found.groups()
        units[name] = unit
        expression += _as_expression(pattern[position : found.start()])
        expression += f"(?P<{name}>[^/]+?){re.escape(unit)}"
        position = found.end()
    expression += _as_expression(pattern[position:])
    # A table in an archive or workbook has the name of either.
    for name in (file.name, *(parent.name for parent in file.parents)):
        if match := re.fullmatch(expression, name):
            return {
                key: f"{_decimal(value)} {units[key]}" if key in UNITS and units[key] else value
                for key, value in match.groupdict().items()
            }
    return None


def _decimal(value: str) -> str:
    """Return a number of a file's name with a decimal point, for which 1p5 has a p."""
    return re.sub(r"(?<=\d)p(?=\d+$)", ".", value)


def _as_expression(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _with_values(section: FileRules, values: Mapping[str, str], place: str) -> FileRules:
    shared: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for key, value in values.items():
        if key in UNITS or key in LABELS:
            shared[key] = value
        elif key in PLAIN or share_of(key):
            try:
                shared[_key(key)] = float(value)
            except ValueError as error:
                raise InputError(
                    f"{place}: {key}", value=value, allowed="a number in the file's name"
                ) from error
        else:
            labels[key] = value
    return dataclasses.replace(section, shared={**section.shared, **shared}, labels=labels)


def read_rules(path: str | Path | None) -> Rules:
    """Read and check a file for ``--rules``; without one there are none."""
    if path is None:
        return Rules()
    data = _content(path)
    everywhere = {key: value for key, value in data.items() if key in _KEYS}
    sections = []
    for key, value in data.items():
        if key in _KEYS:
            continue
        meant = did_you_mean(clipped(key), _KEYS)
        if not _PATTERN.search(key) and (meant or not isinstance(value, dict)):
            raise InputError(
                f"{path}: {clipped(key)}", value=value,
                allowed=f"{', '.join(_KEYS)}, or a pattern of files such as \"*.csv\"",
                remedy=meant,
            )  # fmt: skip
        if not isinstance(value, dict):
            raise InputError(f"{path}: {clipped(key)}", value=value, allowed=f'a table, ["{clipped(key)}"]')
        sections.append((key, _section(f"{path}: {clipped(key)}.", path, value)))
    return Rules(str(path), _section(f"{path}: ", path, everywhere), tuple(sections))


def _section(place: str, path: str | Path, data: Mapping[str, Any]) -> FileRules:
    for key, value in data.items():
        if key not in _KEYS:
            raise InputError(
                f"{place}{clipped(key)}", value=value, allowed=", ".join(_KEYS),
                remedy=did_you_mean(clipped(key), _KEYS),
            )  # fmt: skip
        if key in ("columns", "values", "words") and not isinstance(value, dict):
            raise InputError(f"{place}{key}", value=value, allowed=f"a table, [{key}]")
    for table in ("columns", "values"):
        for name, own in data.get(table, {}).items():
            if name not in _KNOWN and share_of(name) is None:
                allowed = f"one of {', '.join(_KNOWN)}; or {_SHARES}"
                raise InputError(
                    f"{place}{table}.{clipped(name)}", value=own, allowed=allowed,
                    remedy=did_you_mean(clipped(name), _KNOWN),
                )  # fmt: skip
    names = {_key(key): _name(place, _key(key), value) for key, value in data.get("columns", {}).items()}
    shared = {_key(key): value for key, value in data.get("values", {}).items()}
    for key, value in shared.items():
        _check_shared(f"{place}values.{key}", key, value)
    return FileRules(
        str(path),
        names,
        shared,
        _words(place, data.get("words", {})),
        _direction(f"{place}positive", data["positive"]) if "positive" in data else "",
        _count(f"{place}skip_rows", data.get("skip_rows", 0)),
        _encoding(f"{place}encoding", data["encoding"]) if "encoding" in data else "",
        _matrix(f"{place}matrix", data["matrix"]) if "matrix" in data else None,
    )


def _words(place: str, words: Mapping[str, Any]) -> dict[str, str]:
    allowed = "p_to_ap or ap_to_p, or p or ap"
    for word, meaning in words.items():
        if meaning not in (*DIRECTIONS.values(), *STATES.values()):
            raise InputError(f"{place}words.{clipped(word)}", value=meaning, allowed=allowed)
    return {plain_word(word): str(meaning) for word, meaning in words.items()}


def plain_word(word: object) -> str:
    """Return a word or number as it is looked up: +1.0 is 1, and case and blanks around do not count."""
    text = str(word).strip().lower()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _direction(thing: str, value: Any) -> str:
    if value not in DIRECTIONS.values():
        raise InputError(thing, value=value, allowed='"p_to_ap" or "ap_to_p"')
    return str(value)


def _count(thing: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_SKIPPED:
        raise InputError(thing, value=value, allowed=f"a number of lines, 0 to {_MOST_SKIPPED:,}")
    return value


def _encoding(thing: str, value: Any) -> str:
    try:
        codecs.lookup(value)
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(thing, value=value, allowed='the name of an encoding, such as "utf-16"') from error
    return str(value)


def _matrix(thing: str, value: Any) -> Matrix:
    parts = Matrix._fields
    if (
        not isinstance(value, dict)
        or set(value) != set(parts)
        or not all(isinstance(name, str) and named(name) for name in value.values())
    ):
        example = '{ rows = "amplitude_V", columns = "duration_ns", values = "probability" }'
        raise InputError(thing, value=value, allowed=f"names of columns, such as {example}")
    return Matrix(**value)


def _content(path: str | Path) -> dict[str, Any]:
    allowed = f"a TOML file with [columns] and [values], of at most {_MOST_BYTES:,} bytes"
    text = read_text(path, "rules file", allowed=allowed, most=_MOST_BYTES)
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        why = clipped(str(error))
        raise InputError("rules", value=str(path), allowed=allowed, remedy=f"{why}.") from error
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        why = "It is nested too deep" if deep else "A whole number in it has thousands of digits"
        raise InputError("rules", value=str(path), allowed=allowed, remedy=f"{why}.") from error


def _key(name: str) -> str:
    return plain_name(name) if share_of(name) else name


def _name(place: str, key: str, value: Any) -> tuple[str | int, str]:
    entry = value if isinstance(value, dict) else {"column" if isinstance(value, int) else "name": value}
    which = entry.get("name", entry.get("column"))
    good = isinstance(which, str) if "name" in entry else _is_place(which)
    keys = set(entry) - {"name", "column"}
    fits = keys <= {"unit"} if key in UNITS or scaled(key, "%") != key else not keys
    if not good or not fits or not isinstance(entry.get("unit", ""), str) or len(entry) - len(keys) != 1:
        allowed = "the name of a column, or its number"
        if UNITS.get(key):
            allowed += '; with a unit { name = "...", unit = "..." } or { column = 1, unit = "..." }'
        raise InputError(f"{place}columns.{key}", value=value, allowed=allowed)
    assert isinstance(which, str | int)
    return which.strip() if isinstance(which, str) else which, str(entry.get("unit", ""))


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_shared(thing: str, key: str, value: Any) -> None:
    if UNITS.get(key) and not isinstance(value, str):
        raise InputError(thing, value=value, allowed=f"a string, '1 {UNITS[key]}'")
    if key in PLAIN or share_of(key) or (key in UNITS and not isinstance(value, str)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(thing, value=value, allowed="a number, without quotes and unit")
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise InputError(thing, value=value, allowed=f"a number up to {sys.float_info.max:.2g}")
    if key in LABELS and not (isinstance(value, str) and len(value) <= LONGEST_NAME):
        raise InputError(thing, value=value, allowed=f"a string of at most {LONGEST_NAME} characters")
