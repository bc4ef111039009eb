"""Tables of a file as text, and where in the file each row is."""

from __future__ import annotations

import csv
import dataclasses
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
from mtjchar.stackfit.data.layout import Block, Row, blocks_of
from mtjchar.stackfit.data.limits import LONGEST_LINE, MOST_BYTES, NoTableError, check_count, listed
from mtjchar.stackfit.data.matrices import Matrix, unfolded
from mtjchar.stackfit.data.names import named, split_unit
from mtjchar.stackfit.data.own import refuse_own
from mtjchar.stackfit.data.parquet import cells_of_parquet
from mtjchar.stackfit.data.sheets import is_spreadsheet, sheets_of
from mtjchar.stackfit.data.units import is_unit
from mtjchar.stackfit.data.unpacked import decoded, members

__all__ = ["Cells", "Layout", "cells_of", "read_cells"]

_UNIT_BEHIND = r"(?:\s*[^\W\d][^,.]*|\s*%)?"
_DECIMAL_COMMA = re.compile(rf"[+-]?\d+,\d+(?:[eE][+-]?\d+)?{_UNIT_BEHIND}")
_DECIMAL_POINT = re.compile(rf"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?{_UNIT_BEHIND}")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_SPACED_THOUSANDS = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?P<mark>['\u2019 \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?:[.,]\d+)?"
)
_COMMENT = re.compile(r"\s*(#+|!+|%+|//+) ?")
_SEPARATORS = ",;\t|"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", "": "white space"}
_HEAD = 100  # lines in which a header is looked for to find the separator
_LONGEST_HEAD = 20_000  # characters
_SAMPLE = 500  # lines from which the separator is found
_MOST_IN_QUOTES = 100  # lines that one value may have; beyond, a quotation mark stands for inches
_WORDS = re.compile(
    r'"[^"]*"|[^\s"]+ (?:to|->|=>|\u2192) [^\s"]+|[^\s"]+(?:[ \t]*[(\[][^)\]]*[)\]])?'
)  # P to AP is one
_POINTED_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?")


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
        own = name in self.names or (bool(self.names) and split_unit(name)[0] in self.names)
        return own or _is_known(name)


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
    titles : tuple of str
        Texts above the table, and the name of its sheet or group, which may name a direction.
    matrices : int
        Number of matrices in the file, if it holds any.
    """

    path: Path
    content: bytes
    text: pd.DataFrame
    lines: list[int]
    units: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    matrices: int = 0

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
    parts: list[_Part] = []
    for inner, unpacked in members(path, content):
        refuse_own(inner, unpacked)
        parts += _parts(inner, unpacked, layout_of(inner))
    return _tables_of(path, parts)


_Part = tuple[Path, Layout, Callable[[], list["Cells"]]]


def _tables_of(path: Path, parts: list[_Part]) -> list[Cells]:
    """Read the parts of a file; those without a table are left out, if another part has one."""
    tables: list[Cells] = []
    left_out: list[Path] = []
    why: InputError | None = None
    for place, layout, read in parts:
        try:
            found = read()
        except NoTableError as error:
            why = why or error
            found = []
        if len(parts) > 1:
            found = [
                cells for cells in found if layout.numbered or any(map(layout.known, cells.text.columns))
            ]
        tables += found
        if not found:
            left_out.append(place)
    if not tables and len(parts) > 1:
        allowed = "a table with known names of columns in one of its parts"
        raise why or InputError(str(path), value=listed(place.name for place in left_out), allowed=allowed)
    if not tables:
        raise why or InputError(str(path), value="no rows", allowed="a header and at least one row")
    if left_out:
        note = f"no table: {listed(str(place.relative_to(path)) for place in left_out)}"
        tables[0] = dataclasses.replace(tables[0], notes=(*tables[0].notes, note))
    return tables


def _parts(path: Path, content: bytes, layout: Layout) -> list[_Part]:
    """Divide a file into sheets or groups; reading each is left for later."""
    if path.suffix.lower() in (".parquet", ".pq"):
        frame = cells_of_parquet(path, content)
        return [(path, layout, lambda: [_of_frame(path, content, path, frame, "Parquet")])]
    if is_spreadsheet(content):
        sheets = sheets_of(path, content)
        return [
            (inner, layout, functools.partial(_of_sheet, inner, content, rows, layout))
            for inner, rows in sheets
        ]
    if is_matlab(content) or is_hdf5(content):
        read, kind = (frames_of_matlab, "MATLAB") if is_matlab(content) else (frames_of_hdf5, "HDF5")
        return [
            (inner, layout, functools.partial(_of_group, path, content, inner, frame, kind))
            for inner, frame in read(path, content, layout.matrix)
        ]
    return [(path, layout, functools.partial(_of_text, path, content, layout))]


def _of_sheet(inner: Path, content: bytes, rows: list[Row], layout: Layout) -> list[Cells]:
    blocks = _blocks(inner, rows[layout.skip :], layout, ragged=True)
    matrices = len(blocks) if layout.matrix else 0
    return [_of_block(inner, content, block, "spreadsheet", matrices, inner.name) for block in blocks]


def _of_group(path: Path, content: bytes, inner: Path, frame: pd.DataFrame, kind: str) -> list[Cells]:
    return [_of_frame(path, content, inner, frame, kind)]


def _of_text(path: Path, content: bytes, layout: Layout) -> list[Cells]:
    text, encoding = decoded(path, content, layout.encoding)
    lines = _lines(path, text)
    separator, shown = _separator(lines[layout.skip :], layout.known)
    rows = list(_rows(lines, layout.skip, separator))
    blocks = _blocks(path, rows, layout, indexed=separator in ("", "\t"))
    matrices = len(blocks) if layout.matrix else 0
    return [_of_block(path, content, block, f"text ({encoding}), {shown}", matrices) for block in blocks]


def _blocks(
    path: Path, rows: list[Row], layout: Layout, *, ragged: bool = False, indexed: bool = False
) -> list[Block]:
    if layout.matrix is not None:
        return unfolded(path, rows, layout.matrix, ragged=ragged)
    blocks = blocks_of(
        path, rows, known=layout.known, is_unit=is_unit, numbered=layout.numbered, ragged=ragged,
        indexed=indexed,
    )  # fmt: skip
    if not any(block.rows for block in blocks):
        raise NoTableError(str(path), value="no rows", allowed="a header and at least one row")
    return [block for block in blocks if block.rows]


def _of_block(
    path: Path, content: bytes, block: Block, kind: str, matrices: int = 0, title: str = ""
) -> Cells:
    rows = _with_points(path, block.rows, block.lines)
    frame = pd.DataFrame(rows, columns=block.header, dtype=object)
    titles, notes = (*block.titles, title), (kind, *block.notes)
    return _checked(Cells(path, content, frame, block.lines, block.units, notes, titles, matrices))


def _of_frame(path: Path, content: bytes, inner: Path, frame: pd.DataFrame, kind: str) -> Cells:
    if frame.empty:
        raise NoTableError(str(path), value="no rows", allowed="a header and at least one row")
    lines = list(range(1, len(frame) + 1))
    titles = (inner.name,) if inner != path else ()
    return _checked(Cells(inner, content, frame, lines, notes=(kind,), titles=titles))


def _checked(cells: Cells) -> Cells:
    frame = cells.text
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    for name in frame.columns[frame.columns.duplicated()]:
        if name:
            raise InputError(
                f"{cells.path}, column {name}", value="two of this name", allowed="one",
                remedy="Put tables that stand side by side below each other.",
            )  # fmt: skip
    return cells


# ---- text ----


def _lines(path: Path, text: str) -> list[str]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"\x1a\s*$", "", text)  # DOS ends texts so
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


def _separator(lines: list[str], known: Callable[[str], bool]) -> tuple[str, str]:
    """Find the separator that shows most known names in a line, and has as many cells in the others.

    Otherwise it is the one with which most lines have the same number of cells; of several, the most cells.
    """
    heads = {mark: _head(lines[:_HEAD], mark, known) for mark in ("", *_SEPARATORS)}
    most = max(heads.values())
    best_of_head = [mark for mark, head in heads.items() if head == most]
    if most[0] > 1 and (len(best_of_head) == 1 or "\t" in best_of_head):
        found = best_of_head[0] if len(best_of_head) == 1 else "\t"
        return found, f"cells separated by {_NAMES[found]}"
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
        return found, f"cells separated by {_NAMES[found]}"
    if any(len(line.split()) > 1 and re.search(r"\d\s+\S*\d", line) for line in sample):
        return "", "cells separated by white space"
    return found or ",", "cells separated by commas"


def _head(lines: list[str], separator: str, known: Callable[[str], bool]) -> tuple[int, int]:
    """Return the most known names in a line, and how many other lines have as many cells as it."""
    short = [line for line in lines if len(line) < _LONGEST_HEAD]
    rows = [_values(_COMMENT.sub("", line, count=1), separator) for line in short]
    names = [sum(known(cell.strip()) for cell in cells) for cells in rows]
    most = max(names, default=0)
    width = len(rows[names.index(most)]) if rows else 0
    return most, sum(len(cells) == width for cells in rows)


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
        cells = [_cleaned(cell) for cell in _values(line[mark.end() :] if mark else line, separator)]
        yield Row(start, cells, mark is not None, gap, line)
        gap = False


def _cleaned(cell: str) -> str:
    """Take blanks away, and what makes Excel take a number for a text: ="0.8"."""
    cell = cell.strip()
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') else cell


def _values(line: str, separator: str) -> list[str]:
    if not separator:
        words = [word.strip('"') for word in _WORDS.findall(line)]
        listing = len(words) > 1 and all(word.endswith(",") for word in words[:-1])
        return [word.rstrip(",") for word in words] if listing else words
    # Of a line break in quotation marks nothing is left but a blank.
    return next(csv.reader([line.replace("\n", " ")], delimiter=separator, skipinitialspace=True))


def _with_points(path: Path, rows: list[list[str]], numbers: list[int]) -> list[list[str]]:
    """Make decimal commas points, and take separators of thousands out, where they can be nothing else."""
    rows = [[_joined(cell) for cell in row] for row in rows]
    commas = [
        (number, cell)
        for number, row in zip(numbers, rows, strict=True)
        for cell in row
        if "," in cell
        and any(form.fullmatch(cell) for form in (_DECIMAL_COMMA, _THOUSANDS, _POINTED_THOUSANDS))
    ]
    if not commas:
        return rows
    pointed = [cell for row in rows for cell in row if _DECIMAL_POINT.fullmatch(cell)]
    points = bool(pointed)
    thousands = all(_THOUSANDS.fullmatch(cell) for _, cell in commas)
    if points and thousands:
        return [
            [cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell for cell in row] for row in rows
        ]
    if not thousands and all(map(_POINTED_THOUSANDS.fullmatch, pointed)):
        rows = [[cell.replace(".", "") if _POINTED_THOUSANDS.fullmatch(cell) else cell for cell in row]
                for row in rows]  # fmt: skip
        points = False
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
