"""Where in a file the tables are: preamble, header, row of units, rows, footer, further blocks."""

from __future__ import annotations

import bisect
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mtjchar.errors import InputError
from mtjchar.stackfit.data.limits import NoTableError, check_count, check_names
from mtjchar.stackfit.data.names import needs_unit

__all__ = ["Block", "Row", "begins_with_number", "blocks_of", "is_number", "titles_above"]

_NUMBER = re.compile(
    r"[+-]?(\d+([.,'\u2019 \u00a0\u202f]\d+)*[.,]?|[.,]\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE
)
_LEAST_KNOWN = 2  # names in a row that make it a header
_BEGINS = re.compile(
    r"['\"=<>~\u2248(]*[+\u2212-]?\s*[.,]?\d|[+-]?(nan|inf)\b", re.IGNORECASE
)  # of a number, a unit behind it or not
_DATE = re.compile(r"\d{2,4}[-/.]\d{1,2}[-/.]\d{2,4}")
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?")
_NOTE = re.compile(r"(?P<value>\S+)\s+(#|//)\s.*")
_RULE = re.compile(r"\s*[-=_*+|]{3}[-=_*+|\s]*")  # a line below a header
_MOST_NOTES = 4  # two lines without numbers below a header and its units
_INDEXED = 5  # rows whose numbers in front are looked at
_ABOVE = 3  # lines above a header that may name its direction


class Row(NamedTuple):
    """A line of a file, or a row of a sheet.

    Attributes
    ----------
    line : int
    cells : list of str
        Without blanks around; of a comment those behind its mark.
    comment : bool
    after_gap : bool
        Whether an empty line stands before it.
    text : str
        As it stands in the file, for messages.
    """

    line: int
    cells: list[str]
    comment: bool
    after_gap: bool
    text: str


@dataclass(frozen=True)
class Block:
    """A table of a file.

    Attributes
    ----------
    header : list of str
    rows : list of list of str
    lines : list of int
    units : dict of str
        Of the row of units, by header.
    notes : list of str
        How it was found, for people.
    titles : list of str
        Texts that stand alone above it, the nearest first; they may name a direction.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)


def is_number(cell: str) -> bool:
    """Whether a cell is a number, also with a decimal comma or separators of thousands."""
    return _NUMBER.fullmatch(cell) is not None


def begins_with_number(cell: str) -> bool:
    """Whether a cell is a number, or one with a unit behind it."""
    return _BEGINS.match(cell) is not None


def titles_above(rows: Sequence[Row], place: int) -> list[str]:
    """Texts above a row that stand alone, the nearest first."""
    titles = []
    for row in reversed(rows[max(place - _ABOVE, 0) : place]):
        there = [cell for cell in row.cells if cell]
        if len(there) > _LEAST_KNOWN or any(map(is_number, there)):
            break
        titles += [there[-1], *re.split(r"[:=]", there[-1])[1:]] if there else []
    return [title.strip() for title in titles]


def blocks_of(
    path: Path,
    rows: Sequence[Row],
    *,
    known: Callable[[str], bool],
    is_unit: Callable[[str], bool],
    numbered: bool = False,
    ragged: bool = False,
    indexed: bool = False,
) -> list[Block]:
    """Find the tables of a file.

    Parameters
    ----------
    path : Path
        For messages.
    rows : sequence of Row
        Without empty ones.
    known : callable
        Whether a cell is the name of a column.
    is_unit : callable
        Whether a cell is a unit of something that is read.
    numbered : bool, optional
        Whether columns go by their numbers, so that a file needs no header.
    ragged : bool, optional
        Whether rows lack the empty cells at their end, as in spreadsheets.
    indexed : bool, optional
        Whether rows may begin with their number, of which the header says nothing.

    Raises
    ------
    InputError
        For a row with too many or too few cells, and for a file without a header.
    """
    search = _Search(path, rows, known, is_unit, ragged, indexed)
    if not search.headers and not numbered and (turned := search.turned()) is not None:
        return [turned]
    start = search.header(numbered=numbered)
    blocks = []
    while start is not None:
        block, end = search.block(start)
        blocks.append(block)
        start = search.next_header(end, block)
    return blocks


class _Start(NamedTuple):
    """A header, and the first row behind it."""

    header: list[str]
    first: int
    words: str
    has_header: bool = True


class _Search:
    """One pass through the rows of a file."""

    def __init__(
        self,
        path: Path,
        rows: Sequence[Row],
        known: Callable[[str], bool],
        is_unit: Callable[[str], bool],
        ragged: bool,
        indexed: bool,
    ) -> None:
        self.path, self.rows, self.known, self.is_unit = path, rows, known, is_unit
        self.ragged, self.indexed = ragged, indexed
        self.content = [place for place, row in enumerate(rows) if not row.comment]
        self.headers = [place for place, row in enumerate(rows) if self._is_header(row)]
        self.named = set(self.headers)

    def header(self, *, numbered: bool) -> _Start | None:
        """Find the first header: names that are known, names in a comment, or words above numbers."""
        if not self.content:
            return None
        first = self.rows[self.content[0]]
        has_numbers = any(map(is_number, first.cells))
        found = self._known_header(0)
        if found is None and has_numbers:
            found = self._commented(self.content[0])
        if found is None and numbered:
            return self._without_header()
        if found is None:
            found = self._above_numbers()
        if found is None and has_numbers:
            raise NoTableError(
                f"{self.path}, line {first.line}", value=first.text, allowed="a header above the numbers",
                problem=f"{self.path}: no header found. Line {first.line} has numbers already.",
                remedy="Write one line with the names of the columns above them, or give their numbers in "
                'a file for --rules: [columns] duration = { column = 1, unit = "ns" }.',
            )  # fmt: skip
        return found or self._as_header(self.content[0])

    def next_header(self, start: int, last: Block) -> _Start | None:
        """Find a further table behind one; rows without a header of their own have that of the last table."""
        found = self._known_header(start)
        if found is not None:
            return found
        width = len(last.header)
        for place in self.content[bisect.bisect_left(self.content, start) :]:
            row = self.rows[place]
            if len(row.cells) == width and any(map(is_number, row.cells)):
                words = f"header of the table above, rows from line {row.line}"
                return _Start(last.header, place, words, has_header=False)
        return None

    def _known_header(self, start: int) -> _Start | None:
        for place in self.headers[bisect.bisect_left(self.headers, start) :]:
            row = self.rows[place]
            behind = bisect.bisect_right(self.content, place)
            below = [self.rows[other] for other in self.content[behind : behind + 2]]
            if len(below) > 1 and self._is_units(below[0], row.cells):
                below = below[1:]
            if not row.comment or (below and _fits(row, below[0], self.indexed)):
                return self._as_header(place)
        return None

    def _commented(self, first: int) -> _Start | None:
        """Find the last comment above the numbers with as many words as there are numbers."""
        for place in range(first - 1, -1, -1):
            row = self.rows[place]
            if _fits(row, self.rows[first], self.indexed) and not any(map(is_number, row.cells)):
                return self._as_header(place)
        return None

    def _without_header(self) -> _Start | None:
        width, _ = Counter(len(self.rows[place].cells) for place in self.content).most_common(1)[0]
        for place in self.content:
            cells = self.rows[place].cells
            if len(cells) == width and sum(map(is_number, cells)) >= _LEAST_KNOWN:
                names = [f"column {k}" for k in range(1, len(cells) + 1)]
                return _Start(names, place, "no header: columns go by their numbers", has_header=False)
        return self._as_header(self.content[0])

    def _above_numbers(self) -> _Start | None:
        """Find the first row of two or more words that has numbers below it, or below a row of units."""
        for k, place in enumerate(self.content[:-1]):
            row = self.rows[place]
            if len(row.cells) < _LEAST_KNOWN or any(map(is_number, row.cells)):
                continue
            below = [self.rows[other] for other in self.content[k + 1 : k + 3]]
            if self._is_units(below[0], row.cells):
                below = below[1:]
            if below and _fits(row, below[0]):
                return self._as_header(place)
        return None

    def turned(self) -> Block | None:
        """Read a table whose names stand below each other, if this is one."""
        rows = [self.rows[place] for place in self.content if len(self.rows[place].cells) > 1]
        rows = [row for row in rows if self.known(row.cells[0]) and not self.known(row.cells[1])]
        if len(rows) < _LEAST_KNOWN or len({len(row.cells) for row in rows}) > 1:
            return None
        first = 1
        names = [row.cells[0] for row in rows]
        units = {row.cells[0]: row.cells[1].strip("()[]") for row in rows}
        if any(units.values()) and all(not unit or self.is_unit(unit) for unit in units.values()):
            first = 2
        else:
            units = {}
        columns = [list(cells) for cells in zip(*(row.cells[first:] for row in rows), strict=True)]
        if not columns or not all(any(map(begins_with_number, cells)) for cells in columns):
            return None
        note = "names stand below each other: a column of the file is a row, and its number is the line"
        lines = list(range(first + 1, first + 1 + len(columns)))
        return Block(names, columns, lines, {name: unit for name, unit in units.items() if unit}, [note])

    def _is_header(self, row: Row) -> bool:
        cells = row.cells
        if len(cells) < _LEAST_KNOWN or any(map(is_number, cells)):
            return False
        return sum(map(self.known, cells)) >= _LEAST_KNOWN

    def _as_header(self, place: int) -> _Start:
        row = self.rows[place]
        behind = self.content[bisect.bisect_right(self.content, place) :][:1]
        cells = _aligned(row, len(self.rows[behind[0]].cells)) if behind else row.cells
        check_count(self.path, len(cells), "columns")
        check_names(self.path, cells)
        where = "in a comment, " if row.comment else ""
        return _Start(cells, place + 1, f"header {where}line {row.line}")

    def _is_units(self, row: Row, header: list[str]) -> bool:
        """Whether a row has units, or nothing, below all names that the program reads; one is enough."""
        there = [cell for cell in row.cells if cell and cell != "1"]
        if not there or len(row.cells) > len(header) or any(map(is_number, there)):
            return False
        pairs = list(zip(header, (cell.strip("()[]") for cell in row.cells), strict=False))
        of_known = [cell for name, cell in pairs if self.known(name) and cell not in ("", "1")]
        if all(self.is_unit(cell.strip("()[]")) for cell in there):
            return True
        return any(map(self.is_unit, of_known)) and all(
            self.is_unit(cell) or not needs_unit(name) for name, cell in pairs if self.known(name) and cell
        )

    def block(self, start: _Start) -> tuple[Block, int]:
        """Read the rows of a table; returns it and the first row behind it."""
        header = start.header
        rows: list[list[str]] = []
        lines: list[int] = []
        short: list[bool] = []
        units: dict[str, str] = {}
        notes = [start.words]
        remaining = len(self.content) - bisect.bisect_left(self.content, start.first)
        check_count(self.path, len(header) * remaining, "values")
        titles = titles_above(self.rows, start.first - start.has_header)
        for place in range(start.first, len(self.rows)):
            row = self.rows[place]
            if not rows and not units and row.comment:
                row = row._replace(cells=_aligned(row, len(header)))
            if not rows and not units and row.comment and self._is_units(row, header):
                units = _units_of(header, row)
                notes.append(f"units in a comment, line {row.line}")
            if row.comment or _RULE.fullmatch(row.text):
                continue
            if not rows:
                if place in self.named:  # the line above only listed the names
                    header, units, notes = row.cells, {}, [f"header line {row.line}"]
                    titles = titles_above(self.rows, place)
                    continue
                if not units and self._is_units(row, header):
                    units = _units_of(header, row)
                    notes.append(f"units in line {row.line}")
                    continue
                whole = self.ragged or len(row.cells) == len(header)
                if len(notes) < _MOST_NOTES and whole and not any(map(begins_with_number, row.cells)):
                    notes.append(f"line {row.line} is not read, as it has no number")
                    continue
                header = self._with_index(header, place)
            cells = self._filled(row, header)
            if rows and (place in self.named or self._is_end(row, len(header))):
                break
            if len(cells) != len(header):
                raise self._refusal(row, header)
            rows.append(cells)
            lines.append(row.line)
            short.append(not self.ragged and len(row.cells) < len(header))
        else:
            place = len(self.rows)
        if len(rows) > 1 and short[-1] and not any(short[:-1]):  # the file was cut off
            raise self._refusal(next(row for row in self.rows if row.line == lines[-1]), header)
        if place < len(self.rows):
            notes.append(f"ends before line {self.rows[place].line}: {self.rows[place].text[:40]!r}")
        return Block(header, rows, lines, units, notes, titles), place

    def _with_index(self, header: list[str], place: int) -> list[str]:
        """Put an empty name in front of a header whose rows begin with their number."""
        if not self.indexed:
            return header
        start = bisect.bisect_left(self.content, place)
        rows = [self.rows[other].cells for other in self.content[start : start + _INDEXED]]
        rows = [cells for cells in rows if len(cells) == len(header) + 1]
        numbers = [int(cells[0]) for cells in rows if re.fullmatch(r"\d{1,9}", cells[0])]
        first = numbers[0] if numbers else -1
        counts = len(numbers) == len(rows) and numbers == list(range(first, first + len(numbers)))
        return ["", *header] if counts and (first in (0, 1) or len(numbers) > 1) else header

    def _filled(self, row: Row, header: list[str]) -> list[str]:
        """Cells of a row, as many as the header has where that does not hide that some are missing."""
        cells, width = list(row.cells), len(header)
        while len(cells) > width and not cells[-1]:
            cells.pop()
        for k, (date, time) in enumerate(itertools.pairwise(cells)):
            if len(cells) == width + 1 and _DATE.fullmatch(date) and _TIME.fullmatch(time):
                cells[k : k + 2] = [f"{date} {time}"]
                break
        if len(cells) >= width and (note := _NOTE.fullmatch(cells[width - 1])):
            cells = [*cells[: width - 1], note["value"]]
        elif len(cells) > width and cells[width].startswith(("#", "//")):
            cells = cells[:width]
        # Of what is not read, rows may lack the end.
        if self.ragged or not any(map(self.known, header[len(cells) :])):
            cells += [""] * (width - len(cells))
        return cells

    def _is_end(self, row: Row, width: int) -> bool:
        """Whether a row is a marker, or the first of a footer; a row that was cut off is neither."""
        there = [cell for cell in row.cells if cell]
        if width == 1 or len(there) >= width:
            return False
        words = not any(map(is_number, there))
        return words and (len(there) == 1 or row.after_gap)

    def _refusal(self, row: Row, header: list[str]) -> InputError:
        # Decimal commas may have made more values of a row.
        split = len(row.cells) > len(header) and row.cells[-1].isdigit() and "," in row.text
        return InputError(
            f"{self.path}, line {row.line}",
            value=row.text,
            allowed=f"{len(header)} values, as many as the header has",
            remedy="Numbers have a decimal point, not a comma."
            if split
            else "Put texts that contain the separator into quotation marks."
            if len(row.cells) > len(header)
            else "",
        )


def _units_of(header: list[str], row: Row) -> dict[str, str]:
    cells = (cell.strip("()[]").strip() for cell in row.cells)
    return {name: cell for name, cell in zip(header, cells, strict=False) if cell and cell != "1"}


def _aligned(row: Row, width: int) -> list[str]:
    """Cells of a comment, without the empty one that a tab behind its mark makes."""
    more = row.comment and len(row.cells) == width + 1 and not row.cells[0]
    return row.cells[1:] if more else row.cells


def _fits(header: Row, row: Row, indexed: bool = False) -> bool:
    """Whether a row of numbers has as many cells as a header; or one more, its number, if it may have."""
    width = len(row.cells)
    numbered = indexed and len(header.cells) == width - 1 and row.cells[0].isdecimal()
    return (numbered or len(_aligned(header, width)) == width) and any(map(is_number, row.cells))
