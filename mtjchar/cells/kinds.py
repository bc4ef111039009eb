"""The registry of the kinds of cells: a kind is a folder beside this module and one line here."""

from __future__ import annotations

from collections.abc import Iterable

from mtjchar.cells.base import CellKind, Direction
from mtjchar.cells.stt.kind import SttCell

__all__ = ["KINDS", "kind_with"]

KINDS: dict[str, CellKind] = {kind.name: kind for kind in (SttCell(),)}
"""Kinds by their name in ``[cell] kind``."""


def kind_with(directions: Iterable[Direction]) -> CellKind | None:
    """Return the kind that is written in all of these directions; None where there is none."""
    wanted = set(directions)
    return next((kind for kind in KINDS.values() if wanted <= set(kind.directions)), None)
