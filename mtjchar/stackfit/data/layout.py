"""Where in a file the tables are: preamble, header, row of units, rows, footer, further blocks."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mtjchar.errors import InputError
from mtjchar.stackfit.data.limits import check_count, check_names

__all__ = ["Block", "Matrix", "Row", "blocks_of", "is_number", "unfolded"]

_NUMBER = re.compile(
    r"[+-]?(\d+([.,'\u2019 \u00a0\u202f]\d+)*[.,]?|[.,]\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE
)
_LEAST_KNOWN = 2  # names in a row that make it a header


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
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Matrix(NamedTuple):
    """What a table of numbers over two quantities holds, by names that columns can have.

    Attributes
    ----------
    rows, columns, values : str
        The quantity down the first column, that along the header, and that in the cells.
    """

    rows: str
    columns: str
    values: str


def is_number(cell: str) -> bool:
    """Whether a cell is a number, also with a decimal comma or separators of thousands."""
    return _NUMBER.fullmatch(cell) is not None


def blocks_of(
    path: Path,
    rows: Sequence[Row],
    *,
    known: Callable[[str], bool],
    is_unit: Callable[[str], bool],
    numbered: bool = False,
    ragged: bool = False,
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

    Raises
    ------
    InputError
        For a row with too many or too few cells, and for a file without a header.
    """
    search = _Search(path, rows, known, is_unit, ragged)
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


class _Search:
    """One pass through the rows of a file."""

    def __init__(
        self,
        path: Path,
        rows: Sequence[Row],
        known: Callable[[str], bool],
        is_unit: Callable[[str], bool],
        ragged: bool,
    ) -> None:
        self.path, self.rows, self.known, self.is_unit, self.ragged = path, rows, known, is_unit, ragged
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
            raise InputError(
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
                return _Start(last.header, place, f"header of the table above, rows from line {row.line}")
        return None

    def _known_header(self, start: int) -> _Start | None:
        for place in self.headers[bisect.bisect_left(self.headers, start) :]:
            row = self.rows[place]
            behind = bisect.bisect_right(self.content, place)
            if not row.comment or (
                behind < len(self.content) and _fits(row, self.rows[self.content[behind]])
            ):
                return self._as_header(place)
        return None

    def _commented(self, first: int) -> _Start | None:
        """Find the last comment above the numbers with as many words as there are numbers."""
        for place in range(first - 1, -1, -1):
            row = self.rows[place]
            if _fits(row, self.rows[first]) and not any(map(is_number, row.cells)):
                return self._as_header(place)
        return None

    def _without_header(self) -> _Start | None:
        width, _ = Counter(len(self.rows[place].cells) for place in self.content).most_common(1)[0]
        for place in self.content:
            cells = self.rows[place].cells
            if len(cells) == width and sum(map(is_number, cells)) >= _LEAST_KNOWN:
                names = [f"column {k}" for k in range(1, len(cells) + 1)]
                return _Start(names, place, "no header: columns go by their numbers")
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

    def _is_header(self, row: Row) -> bool:
        cells = row.cells
        if len(cells) < _LEAST_KNOWN or any(map(is_number, cells)):
            return False
        return sum(map(self.known, cells)) >= _LEAST_KNOWN

    def _as_header(self, place: int) -> _Start:
        row = self.rows[place]
        check_count(self.path, len(row.cells), "columns")
        check_names(self.path, row.cells)
        where = "in a comment, " if row.comment else ""
        return _Start(row.cells, place + 1, f"header {where}line {row.line}")

    def _is_units(self, row: Row, header: list[str]) -> bool:
        there = [cell for cell in row.cells if cell]
        return (
            bool(there)
            and len(row.cells) <= len(header)
            and not any(map(is_number, there))
            and all(self.is_unit(cell.strip("()[]")) for cell in there)
        )

    def block(self, start: _Start) -> tuple[Block, int]:
        """Read the rows of a table; returns it and the first row behind it."""
        header, width = start.header, len(start.header)
        rows: list[list[str]] = []
        lines: list[int] = []
        units: dict[str, str] = {}
        notes = [start.words]
        remaining = len(self.content) - bisect.bisect_left(self.content, start.first)
        check_count(self.path, width * remaining, "values")
        place = start.first
        for place in range(start.first, len(self.rows)):
            row = self.rows[place]
            if row.comment:
                continue
            if not rows and not units and self._is_units(row, header):
                units = {
                    name: cell.strip("()[]").strip()
                    for name, cell in zip(header, row.cells, strict=False)
                    if cell
                }
                notes.append(f"units in line {row.line}")
                continue
            cells = self._filled(row, width)
            if rows and (place in self.named or self._is_end(row, width)):
                break
            if len(cells) != width:
                raise self._refusal(row, header)
            rows.append(cells)
            lines.append(row.line)
        else:
            place = len(self.rows)
        if place < len(self.rows):
            notes.append(f"ends before line {self.rows[place].line}: {self.rows[place].text[:40]!r}")
        return Block(header, rows, lines, units, notes), place

    def _filled(self, row: Row, width: int) -> list[str]:
        cells = list(row.cells)
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if self.ragged and len(cells) < width:
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
            remedy="Numbers have a decimal point, not a comma." if split else "",
        )


def _fits(header: Row, row: Row) -> bool:
    return len(header.cells) == len(row.cells) and any(map(is_number, row.cells))


def unfolded(path: Path, rows: Sequence[Row], matrix: Matrix) -> Block:
    """Read a matrix as a table with a row for each of its cells; empty cells are left out.

    Raises
    ------
    InputError
        If no row is a header of numbers, or a row has another number of cells.
    """
    content = [row for row in rows if not row.comment]
    start = next((k for k, row in enumerate(content) if _is_scale(row.cells[1:])), None)
    if start is None:
        raise InputError(
            str(path), value="no row of numbers", allowed=f"a header with the values of {matrix.columns}",
            remedy="The rules call the file a matrix.",
        )  # fmt: skip
    scale = content[start].cells[1:]
    long: list[list[str]] = []
    lines = []
    for row in content[start + 1 :]:
        if not is_number(row.cells[0]):
            break
        if len(row.cells) != len(scale) + 1:
            raise InputError(
                f"{path}, line {row.line}", value=row.text,
                allowed=f"{len(scale) + 1} values, as many as the header has",
            )  # fmt: skip
        cells = [[row.cells[0], at, cell] for at, cell in zip(scale, row.cells[1:], strict=True) if cell]
        long += cells
        lines += [row.line] * len(cells)
    check_count(path, 3 * len(long), "values")
    notes = [
        f"a matrix of {matrix.values}: {matrix.rows} down, {matrix.columns} along line {content[start].line}"
    ]
    return Block(list(matrix), long, lines, notes=notes)


def _is_scale(cells: Sequence[str]) -> bool:
    return len(cells) >= _LEAST_KNOWN and all(map(is_number, cells))
