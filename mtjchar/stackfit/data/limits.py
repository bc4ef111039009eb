"""Size limits of tester tables, and lists of names that fit into a message."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mtjchar.errors import InputError

__all__ = [
    "LONGEST_LINE",
    "LONGEST_NAME",
    "LONGEST_TEXT",
    "MOST_BYTES",
    "NoTableError",
    "check_count",
    "check_names",
    "listed",
]

MOST_BYTES = 100_000_000
_MOST = {
    "bytes unpacked": MOST_BYTES,
    "lines": 1_000_000,
    "rows": 1_000_000,
    "columns": 1_000,
    "values": 10_000_000,
}
LONGEST_NAME = 200
LONGEST_LINE = 100_000  # below the limit of Python's csv for one value
LONGEST_TEXT = 1_000  # that a small Parquet file can repeat in every row


class NoTableError(InputError):
    """A part of a file is no table; the other parts may be."""


def check_count(path: Path, count: int, what: str) -> None:
    """Refuse a table with too many rows, columns, ..., before it is loaded."""
    if count > _MOST[what]:
        raise InputError(
            str(path), value=f"{count:,} {what}", allowed=f"at most {_MOST[what]:,} {what}",
            remedy="Remove columns that the fit does not need."
            if what == "columns"
            else "Split the table into several files, or remove columns that the fit does not need.",
        )  # fmt: skip


def check_names(path: Path, names: Iterable[str]) -> None:
    """Refuse column names that are too long for a message."""
    for number, name in enumerate(names, 1):
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"{path}, name of column {number}", value=name,
                allowed=f"at most {LONGEST_NAME} characters", remedy="Does the file begin with a header?",
            )  # fmt: skip


def listed(names: Iterable[str], separator: str = ", ", longest: int = 500) -> str:
    """Join names for a message; if there are many, the first ones and the number of the others."""
    names = list(names)
    shown: list[str] = []
    for name in names:
        if shown and len(separator.join([*shown, name])) > longest:
            return f"{separator.join(shown)}{separator}and {len(names) - len(shown)} more"
        shown.append(name)
    return separator.join(shown)
