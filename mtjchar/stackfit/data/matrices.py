"""Tables of numbers over two quantities: one down the first column, one along the header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mtjchar.errors import InputError
from mtjchar.stackfit.data.layout import Block, Row, begins_with_number, is_number, titles_above
from mtjchar.stackfit.data.limits import NoTableError, check_count
from mtjchar.stackfit.data.values import is_missing

__all__ = ["Matrix", "unfolded"]

_LEAST = 2  # values along the header
_NAMED = re.compile(r"[^=]*=\s*")  # t=5ns
_VALUE = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?\s*[^\W\d]*", re.IGNORECASE)


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


class _Scale(NamedTuple):
    """A header of numbers, the place of its row, and what stands in its corner."""

    values: list[str]
    place: int
    corner: str


def unfolded(path: Path, rows: Sequence[Row], matrix: Matrix, *, ragged: bool = False) -> list[Block]:
    """Read matrices as tables with a row for each of their cells; cells without a value are left out.

    Parameters
    ----------
    path : Path
        For messages.
    rows : sequence of Row
    matrix : Matrix
    ragged : bool, optional
        Whether rows lack the empty cells at their end.

    Raises
    ------
    InputError
        If no row is a header of numbers, or a row has another number of cells.
    """
    content = [
        row._replace(cells=_stripped(_stripped(row.cells), ragged=True)) for row in rows if not row.comment
    ]
    widths = [len(row.cells) for row in rows if not row.comment]
    blocks = []
    scale = _scale_from(content, 0) or _with_number(content)
    while scale is not None:
        block, end = _block(path, content, widths, scale, matrix, ragged=ragged)
        blocks.append(block)
        scale = _scale_from(content, end)
    if not blocks:
        raise NoTableError(
            str(path), value="no row of numbers", allowed=f"a header with the values of {matrix.columns}",
            remedy="The rules call the file a matrix.",
        )  # fmt: skip
    return blocks


def _stripped(cells: Sequence[str], *, ragged: bool = True) -> list[str]:
    cells = list(cells)
    while ragged and cells and not cells[-1]:
        cells.pop()
    return cells


def _scale_from(content: Sequence[Row], start: int) -> _Scale | None:
    """Find a row of numbers behind a corner that is none, or one without a corner; numbers stand below it."""
    for place in range(start, len(content) - 1):
        cells, below = content[place].cells, content[place + 1].cells
        if not below or not begins_with_number(below[0]):
            continue
        if not is_number(cells[0]) and len(below) <= len(cells) and _is_scale(cells[1:]):
            return _Scale(_values(cells[1:]), place, cells[0])
        if len(below) == len(cells) + 1 and _is_scale(cells):
            return _Scale(_values(cells), place, "")
    return None


def _with_number(content: Sequence[Row]) -> _Scale | None:
    """Take the first row of numbers for the header, if no row as long stands above it."""
    for place, row in enumerate(content[:-1]):
        if len(row.cells) > _LEAST and _is_scale(row.cells):
            above = place and len(content[place - 1].cells) == len(row.cells)
            return None if above else _Scale(_values(row.cells[1:]), place, "")
    return None


def _is_scale(cells: Sequence[str]) -> bool:
    return len(cells) >= _LEAST and all(_VALUE.fullmatch(value) for value in _values(cells))


def _values(cells: Sequence[str]) -> list[str]:
    return [_NAMED.sub("", cell) for cell in cells]


def _block(
    path: Path, content: Sequence[Row], widths: Sequence[int], scale: _Scale, matrix: Matrix, *, ragged: bool
) -> tuple[Block, int]:
    """Read the rows below a header; returns them and the place behind them."""
    long: list[list[str]] = []
    lines = []
    width = len(scale.values) + 1
    place = scale.place + 1
    for place in range(scale.place + 1, len(content) + 1):
        if place == len(content) or not begins_with_number(content[place].cells[0]):
            break
        row = content[place]
        if len(row.cells) > width or (widths[place] < width and not ragged):
            raise InputError(
                f"{path}, line {row.line}", value=row.text,
                allowed=f"{width} values, as many as the header has",
            )  # fmt: skip
        there = zip(scale.values, row.cells[1:], strict=False)
        cells = [[row.cells[0], at, cell] for at, cell in there if not is_missing([cell])[0]]
        long += cells
        lines += [row.line] * len(cells)
    check_count(path, 3 * len(long), "values")
    line = content[scale.place].line
    notes = [f"a matrix of {matrix.values}: {matrix.rows} down, {matrix.columns} along line {line}"]
    if place < len(content):
        notes.append(f"ends before line {content[place].line}: {content[place].text[:40]!r}")
    titles = [scale.corner, *titles_above(content, scale.place)]
    return Block(list(matrix), long, lines, notes=notes, titles=titles), place
