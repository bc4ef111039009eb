"""Tables of a file as text, and where in the file each row is."""

from __future__ import annotations

import csv
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mtjchar.errors import InputError
from mtjchar.files import read_bytes
from mtjchar.stackfit.data.arrays import frames_of_hdf5, frames_of_matlab, is_hdf5, is_matlab
from mtjchar.stackfit.data.layout import Block, Matrix, Row, blocks_of, unfolded
from mtjchar.stackfit.data.limits import LONGEST_LINE, MOST_BYTES, check_count, listed
from mtjchar.stackfit.data.names import named
from mtjchar.stackfit.data.own import refuse_own
from mtjchar.stackfit.data.parquet import cells_of_parquet
from mtjchar.stackfit.data.sheets import is_spreadsheet, sheets_of
from mtjchar.stackfit.data.units import is_unit
from mtjchar.stackfit.data.unpacked import decoded, members

__all__ = ["Cells", "Layout", "cells_of", "read_cells"]

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_SPACED_THOUSANDS = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?P<mark>['\u2019 \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?:[.,]\d+)?"
)
_COMMENT = re.compile(r"\s*(#+|!+|%+|//+)\s?")
_SEPARATORS = ",;\t|"
_SAMPLE = 500  # lines from which the separator is found
_MOST_IN_QUOTES = 100  # lines that one value may have; beyond, a quotation mark stands for inches
_WORDS = re.compile(r'"[^"]*"|[^\s"]+(?:[ \t]*[(\[][^)\]]*[)\]])?')


@dataclass(frozen=True)
class Layout:
    """The part of the rules that is needed to find a table in its file.

    Attributes
    ----------
    names : frozenset of str
        Names of columns beside those that are known.
    numbered : bool
        Whether columns go by their numbers.
    skip : int
        Number of lines to skip at the start of the file.
    encoding : str
        Encoding of the text; detected if empty.
    matrix : Matrix, optional
        If the file is a matrix over two quantities.
    """

    names: frozenset[str] = frozenset()
    numbered: bool = False
    skip: int = 0
    encoding: str = ""
    matrix: Matrix | None = None

    def known(self, name: str) -> bool:
        """Whether a cell is the name of a column."""
        return name in self.names or _is_known(name)


def _plain(_: Path) -> Layout:
    return Layout()


@functools.lru_cache(maxsize=10_000)
def _is_known(name: str) -> bool:
    return named(name) is not None


@dataclass(frozen=True)
class Cells:
    """A table of a file.

    Attributes
    ----------
    path : Path
        File; for members of archives, sheets and groups their names follow the path.
    content : bytes
        Of the file.
    text : DataFrame
        Cells under the names of the columns without blanks around; as text, or as files of arrays have them.
    lines : list of int
        Line (text) or row (other files) that each row has in the file.
    units : dict of str
        Of a row of units, by column.
    notes : tuple of str
        How the file was understood, for people.
    """

    path: Path
    content: bytes
    text: pd.DataFrame
    lines: list[int]
    units: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> str:
        """Names of the columns, for messages."""
        return listed(name for name in self.text.columns if name)


def read_cells(path: Path, layout_of: Callable[[Path], Layout] = _plain) -> list[Cells]:
    """Read the tables of a file, see `cells_of`."""
    allowed = (
        f"a table (CSV, Parquet, .xlsx, HDF5, MATLAB) of at most {MOST_BYTES:,} bytes; a larger table in "
        "several files"
    )
    refuse_own(path)
    return cells_of(path, read_bytes(path, "data file", allowed=allowed, most=MOST_BYTES), layout_of)


def cells_of(path: Path, content: bytes, layout_of: Callable[[Path], Layout] = _plain) -> list[Cells]:
    """Take a file apart: archives, sheets, groups and blocks of lines each give tables of their own.

    Parameters
    ----------
    path : Path
        A name that ends in .parquet or .pq says what it is.
    content : bytes
    layout_of : callable, optional
        Layout of a file by its path, which names members of archives too.
    """
    tables = []
    for inner, unpacked in members(path, content):
        refuse_own(inner, unpacked)
        tables += _tables(inner, unpacked, layout_of(inner))
    if not tables:
        raise InputError(str(path), value="no rows", allowed="a header and at least one row")
    return tables


def _tables(path: Path, content: bytes, layout: Layout) -> list[Cells]:
    if path.suffix.lower() in (".parquet", ".pq"):
        return [_of_frame(path, content, path, cells_of_parquet(path, content), "Parquet")]
    if is_spreadsheet(content):
        return [
            _of_block(inner, content, block, "spreadsheet")
            for inner, rows in sheets_of(path, content)
            for block in _blocks(inner, rows[layout.skip :], layout, ragged=True)
        ]
    if is_matlab(content) or is_hdf5(content):
        read, kind = (frames_of_matlab, "MATLAB") if is_matlab(content) else (frames_of_hdf5, "HDF5")
        frames = read(path, content)
        return [_of_frame(path, content, inner, frame, kind) for inner, frame in frames]
    text, encoding = decoded(path, content, layout.encoding)
    lines = _lines(path, text)
    separator, shown = _separator(lines[layout.skip :])
    rows = list(_rows(lines, layout.skip, separator))
    blocks = _blocks(path, rows, layout)
    return [_of_block(path, content, block, f"text ({encoding}), {shown}") for block in blocks]


def _blocks(path: Path, rows: list[Row], layout: Layout, *, ragged: bool = False) -> list[Block]:
    if layout.matrix is not None:
        return [unfolded(path, rows, layout.matrix)]
    blocks = blocks_of(
        path, rows, known=layout.known, is_unit=is_unit, numbered=layout.numbered, ragged=ragged
    )
    if not any(block.rows for block in blocks):
        raise InputError(str(path), value="no rows", allowed="a header and at least one row")
    return [block for block in blocks if block.rows]


def _of_block(path: Path, content: bytes, block: Block, kind: str) -> Cells:
    rows = _with_points(path, block.rows, block.lines)
    frame = pd.DataFrame(rows, columns=block.header, dtype=object)
    return _checked(Cells(path, content, frame, block.lines, block.units, (kind, *block.notes)))


def _of_frame(path: Path, content: bytes, inner: Path, frame: pd.DataFrame, kind: str) -> Cells:
    if frame.empty:
        raise InputError(str(path), value="no rows", allowed="a header and at least one row")
    return _checked(Cells(inner, content, frame, list(range(1, len(frame) + 1)), notes=(kind,)))


def _checked(cells: Cells) -> Cells:
    frame = cells.text
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    for name in frame.columns[frame.columns.duplicated()]:
        if name:
            raise InputError(f"{cells.path}, column {name}", value="two of this name", allowed="one")
    return cells


# ---- text ----


def _lines(path: Path, text: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    check_count(path, text.count("\n"), "lines")
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{path}, line {number}", value=f"{len(line):,} characters",
                allowed=f"at most {LONGEST_LINE:,} characters",
                remedy="Is it a table, with an end to each line?",
            )  # fmt: skip
    return lines


def _separator(lines: list[str]) -> tuple[str, str]:
    """Find the separator with which most lines have the same number of cells; of several, the most cells."""
    sample = [line for line in lines[: 4 * _SAMPLE] if line.strip() and not _COMMENT.match(line)][:_SAMPLE]
    if sample and (told := re.fullmatch(r"sep=(.)", sample[0].strip())):  # Excel's first line
        return told[1], f"cells separated by {told[1]!r}, as its first line says"
    best, found = (0.0, 0), ""
    for separator in _SEPARATORS:
        widths = Counter(len(_values(line, separator)) for line in sample)
        widths.pop(1, 0)
        if widths:
            width, number = max(widths.items(), key=lambda item: (item[1], item[0]))
            score = (round(number / len(sample), 1), width)
            if score > best:
                best, found = score, separator
    if found and best[0] >= 0.5:
        name = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[found]
        return found, f"cells separated by {name}"
    if any(len(line.split()) > 1 and re.search(r"\d\s+\S*\d", line) for line in sample):
        return "", "cells separated by white space"
    return found or ",", "cells separated by commas"


def _rows(lines: list[str], skip: int, separator: str) -> Iterator[Row]:
    """Take lines apart; a value in quotation marks may have several lines."""
    number, gap = skip, False
    while number < len(lines):
        line, start = lines[number], number + 1
        number += 1
        if not line.strip():
            gap = True
            continue
        mark = _COMMENT.match(line)
        if mark is None and line.count('"') % 2:
            stop = number
            while stop < min(len(lines), number + _MOST_IN_QUOTES) and not lines[stop].count('"') % 2:
                stop += 1
            if stop < min(len(lines), number + _MOST_IN_QUOTES):
                line = "\n".join([line, *lines[number : stop + 1]])
                number = stop + 1
        if re.fullmatch(r"sep=.", line.strip()):
            continue
        cells = [cell.strip() for cell in _values(line[mark.end() :] if mark else line, separator)]
        yield Row(start, cells, mark is not None, gap, line)
        gap = False


def _values(line: str, separator: str) -> list[str]:
    if not separator:
        return [word.strip('"') for word in _WORDS.findall(line)]
    # Of a line break in quotation marks nothing is left but a blank.
    return next(csv.reader([line.replace("\n", " ")], delimiter=separator, skipinitialspace=True))


def _with_points(path: Path, rows: list[list[str]], numbers: list[int]) -> list[list[str]]:
    """Make decimal commas points, and take separators of thousands out, where they can be nothing else."""
    rows = [[_joined(cell) for cell in row] for row in rows]
    commas = [
        (number, cell)
        for number, row in zip(numbers, rows, strict=True)
        for cell in row
        if "," in cell and (_DECIMAL_COMMA.fullmatch(cell) or _THOUSANDS.fullmatch(cell))
    ]
    if not commas:
        return rows
    points = any(_DECIMAL_POINT.fullmatch(cell) for row in rows for cell in row)
    thousands = all(_THOUSANDS.fullmatch(cell) for _, cell in commas)
    if points and thousands:
        return [
            [cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell for cell in row] for row in rows
        ]
    if points or thousands:
        number, cell = next((pair for pair in commas if not _THOUSANDS.fullmatch(pair[1])), commas[0])
        present = (
            "decimal points too"
            if points
            else "no number that shows whether a comma is decimal or separates thousands"
        )
        raise InputError(
            f"{path}, line {number}", value=cell, allowed="a decimal point, or decimal commas throughout",
            remedy=f"There are {present}: write numbers with a decimal point, thousands without a comma.",
        )  # fmt: skip
    return [
        [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row] for row in rows
    ]


def _joined(cell: str) -> str:
    """Take blanks and apostrophes between thousands out."""
    found = _SPACED_THOUSANDS.fullmatch(cell)
    return cell.replace(found["mark"], "") if found else cell
