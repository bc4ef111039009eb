"""Cells of a file as text, and the position of each row in the file."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mtjchar.errors import InputError
from mtjchar.files import read_bytes
from mtjchar.stackfit.data.limits import LONGEST_LINE, MOST_BYTES, check_count, check_names, listed
from mtjchar.stackfit.data.own import refuse_own
from mtjchar.stackfit.data.parquet import cells_of_parquet

__all__ = ["Cells", "cells_of", "read_cells"]

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class Cells:
    """Content of a file.

    Attributes
    ----------
    path : Path
    content : bytes
    text : DataFrame
        Cells as text (CSV) or unchanged (Parquet), under the names of the columns without surrounding blanks.
    lines : list of int
        Line (CSV) or row (Parquet) of each row in the file.
    """

    path: Path
    content: bytes
    text: pd.DataFrame
    lines: list[int]

    @property
    def columns(self) -> str:
        """Names of the columns, for messages."""
        return listed(name for name in self.text.columns if name)


def read_cells(path: Path) -> Cells:
    """Read a file, see `cells_of`."""
    allowed = f"a CSV or Parquet file of at most {MOST_BYTES:,} bytes; a larger table in several files"
    refuse_own(path)
    return cells_of(path, read_bytes(path, "data file", allowed=allowed, most=MOST_BYTES))


def cells_of(path: Path, content: bytes) -> Cells:
    """Parse a file; a name that ends in .parquet or .pq gives the format."""
    refuse_own(path, content)
    if path.suffix.lower() in (".parquet", ".pq"):
        frame = cells_of_parquet(path, content)
        lines = list(range(1, len(frame) + 1))
    else:
        frame, lines = _of_text(path, _decoded(path, content))
    if frame.empty:
        raise InputError(str(path), value="no rows", allowed="a header and at least one row")
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    for name in frame.columns[frame.columns.duplicated()]:
        if name:
            raise InputError(f"{path}, column {name}", value="two of this name", allowed="one")
    return Cells(path, content, frame, lines)


def _decoded(path: Path, content: bytes) -> str:
    remedy = "Save the file as UTF-8."
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), value=str(error), allowed="a CSV file, UTF-8", remedy=remedy) from error
    if "\0" in text:
        raise InputError(str(path), value="zero bytes", allowed="a CSV file, UTF-8", remedy=remedy)
    return text


def _of_text(path: Path, text: str) -> tuple[pd.DataFrame, list[int]]:
    kept = [
        (number, line)
        for number, line in enumerate(_lines(path, text), 1)
        if line.strip() and line.lstrip()[0] != "#"
    ]
    # Excel writes the separator into a first line.
    if kept and re.fullmatch(r"sep=.", kept[0][1].strip()):
        kept = kept[1:]
    if not kept:
        return pd.DataFrame(), []
    separator = max(",;\t", key=kept[0][1].count)
    header = _values(kept[0][1], separator)
    check_count(path, len(header), "columns")
    check_names(path, header)
    check_count(path, len(header) * (len(kept) - 1), "values")
    rows = [_row(path, number, line, separator, header) for number, line in kept[1:]]
    numbers = [number for number, _ in kept[1:]]
    if separator == ";":
        rows = _with_points(path, rows, numbers)
    return pd.DataFrame(rows, columns=header, dtype=object), numbers


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


def _values(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True))


def _row(path: Path, number: int, line: str, separator: str, header: list[str]) -> list[str]:
    row = _values(line, separator)
    if len(row) != len(header):
        raise InputError(
            f"{path}, line {number}",
            value=line,
            allowed=f"{len(header)} values, as many as the header has",
            remedy="Numbers have a decimal point, not a comma." if _split(row, header, separator) else "",
        )
    return row


def _split(row: list[str], header: list[str], separator: str) -> bool:
    """Whether decimal commas may have split values of a row."""
    return separator == "," and len(row) > len(header) and row[-1].strip().isdigit()


def _with_points(path: Path, rows: list[list[str]], numbers: list[int]) -> list[list[str]]:
    """Replace decimal commas by points, if they are unambiguous."""
    commas = [
        (number, cell.strip())
        for number, row in zip(numbers, rows, strict=True)
        for cell in row
        if _DECIMAL_COMMA.fullmatch(cell.strip())
    ]
    if not commas:
        return rows
    points = any(_DECIMAL_POINT.fullmatch(cell.strip()) for row in rows for cell in row)
    if points or all(_THOUSANDS.fullmatch(cell) for _, cell in commas):
        number, cell = commas[0]
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
        [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell for cell in row]
        for row in rows
    ]
