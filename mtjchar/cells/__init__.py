"""Cell kinds: their parts, how they are written, and how they are simulated."""

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
