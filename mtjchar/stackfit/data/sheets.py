"""Rows of a spreadsheet."""

from __future__ import annotations

import datetime
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtjchar.errors import InputError, clipped
from mtjchar.stackfit.data.layout import Row
from mtjchar.stackfit.data.limits import LONGEST_TEXT, check_count

__all__ = ["is_spreadsheet", "sheets_of"]


def is_spreadsheet(content: bytes) -> bool:
    """Whether a file is an Excel workbook (.xlsx)."""
    return content.startswith(b"PK\x03\x04") and b"xl/" in content


def sheets_of(path: Path, content: bytes) -> list[tuple[Path, list[Row]]]:
    """Read the sheets of a workbook that are not empty; formulas have their stored values."""
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that it does not know
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = [(path / str(sheet.title), list(_rows(path, sheet))) for sheet in book.worksheets]
    except InputError:
        raise
    except Exception as error:  # readers of damaged files raise whatever they meet
        why = str(error).split("\n")[0] or type(error).__name__
        raise InputError(str(path), value=why, allowed="an Excel workbook (.xlsx)") from error
    return [(name, rows) for name, rows in sheets if rows]


def _rows(path: Path, sheet: Any) -> Iterator[Row]:
    values, gap = 0, False
    for number, cells in enumerate(sheet.iter_rows(), 1):
        check_count(path, number, "rows")
        texts = [_text(f"{path}, row {number}", cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        values += len(texts)
        check_count(path, values, "values")
        if not texts:
            gap = True
            continue
        comment = texts[0].startswith("#")
        if comment:
            texts[0] = texts[0].lstrip("# ")
        yield Row(number, texts, comment, gap, ", ".join(texts))
        gap = False


def _text(thing: str, cell: Any) -> str:
    cell, shown = cell.value, str(cell.number_format or "")
    if cell is None:
        return ""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and shown.rstrip().endswith("%"):
        return f"{100.0 * cell:.15g} %"  # as people see it
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        cell = int(cell)
    text = cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else str(cell).strip()
    if len(text) > LONGEST_TEXT:
        raise InputError(thing, value=clipped(text), allowed=f"cells of at most {LONGEST_TEXT:,} characters")
    return text
