"""What a kind of cell is: the questions that everything above `mtjchar.cells` asks of it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

__all__ = ["CellKind", "ColumnLabel", "Direction"]

Direction = str
"""Name of a direction of writing, one of `CellKind.directions`."""


class ColumnLabel(NamedTuple):
    """How people read a column of the table of devices.

    Attributes
    ----------
    label : str
    unit : str
        Empty for a pure number.
    factor : float
        From the column's SI unit to this one.
    """

    label: str
    unit: str
    factor: float


class CellKind(ABC):
    """A kind of cell.

    Attributes
    ----------
    name : str
        Value of ``[cell] kind`` in a study.
    directions : tuple of str
        Names of the two directions of writing. The first writes a 1 over a 0, the second a 0 over a 1.
    titles : mapping
        What figures call each direction.
    columns : mapping
        Columns of the table of devices that a report shows, in its order.
    compared : tuple of str
        Columns of the table of devices whose medians a comparison of runs holds.
    headlines : mapping
        Those of `compared` that stand in its table on the terminal, with short labels.
    """

    name: ClassVar[str]
    directions: ClassVar[tuple[Direction, Direction]]
    titles: ClassVar[Mapping[Direction, str]]
    columns: ClassVar[Mapping[str, ColumnLabel]] = {}
    compared: ClassVar[tuple[str, ...]] = ()
    headlines: ClassVar[Mapping[str, ColumnLabel]] = {}
