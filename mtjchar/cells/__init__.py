"""Kinds of cells: what each is made of, how it is written, and what is simulated of it."""

from mtjchar.cells.base import CellKind, ColumnLabel, Direction
from mtjchar.cells.kinds import KINDS, kind_with

__all__ = ["KINDS", "CellKind", "ColumnLabel", "Direction", "kind_with"]
