"""What a kind of cell is: the questions that everything above `mtjchar.cells` asks of it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar

__all__ = ["CellKind", "Direction"]

Direction = str
"""Name of a direction of writing, one of `CellKind.directions`."""


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
    """

    name: ClassVar[str]
    directions: ClassVar[tuple[Direction, Direction]]
    titles: ClassVar[Mapping[Direction, str]]
