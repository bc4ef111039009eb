"""How a table was understood, for people and for programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtjchar.stackfit.data.tables import Table

__all__ = ["table_answer", "table_lines"]

_PLACES = ("file", "line")
_MOST_WORDS = 6


def table_lines(table: Table) -> list[str]:
    """Describe a table: kind, rows, how it was found, and what its columns hold."""
    skipped = f", {table.skipped} bad rows dropped" if table.skipped else ""
    lines = [f"{table.path}: {table.kind}, {len(table.rows)} rows{skipped}"]
    lines += [f"    {note}" for note in table.notes]
    lines += [f"    {name}: {_range(table, name)}" for name in _columns(table)]
    if table.unused:
        lines.append(f"    not used: {', '.join(table.unused)}")
    return lines


def table_answer(table: Table) -> dict[str, Any]:
    """Return the same as `table_lines` for JSON."""
    return {
        "file": str(table.path),
        "kind": table.kind,
        "rows": len(table.rows),
        "skipped": table.skipped,
        "notes": list(table.notes),
        "columns": {name: _range(table, name) for name in _columns(table)},
        "unused": list(table.unused),
    }


def _columns(table: Table) -> list[str]:
    return [name for name in table.rows.columns if name not in _PLACES]


def _range(table: Table, name: str) -> str:
    values = table.rows[name]
    if not pd.api.types.is_numeric_dtype(values):
        words = sorted(set(map(str, values)))
        more = f" and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
        return ", ".join(words[:_MOST_WORDS]) + more
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    return f"{least:.6g}" if least == most else f"{least:.6g} to {most:.6g}"
