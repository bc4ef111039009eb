"""Kinds of cells: what each is made of, how it is written, and what is simulated of it."""

from mtjchar.cells.base import (
    Averages,
    CellKind,
    CellTables,
    ColumnLabel,
    Counting,
    Direction,
    FileTables,
    Grid,
    Pulses,
    Trial,
)
from mtjchar.cells.kinds import KINDS, kinds_with

__all__ = [
    "KINDS", "Averages", "CellKind", "CellTables", "ColumnLabel", "Counting", "Direction",
    "FileTables", "Grid", "Pulses", "Trial", "kinds_with",
]  # fmt: skip
