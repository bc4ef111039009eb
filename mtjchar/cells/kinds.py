"""The registry of cell kinds: a kind is a folder beside this module and one line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mtjchar.cells.base import CellKind, Direction
from mtjchar.cells.sot.kind import SotCell
from mtjchar.cells.stt.kind import SttCell
from mtjchar.fields import inconsistent

__all__ = ["KINDS", "kind_of", "kinds_with"]

KINDS: dict[str, CellKind[Any]] = {kind.name: kind for kind in (SttCell(), SotCell())}
"""Kinds by their name in ``[cell] kind``."""


def kinds_with(directions: Iterable[Direction]) -> list[CellKind[Any]]:
    """List the kinds that are written in all of these directions, in the order of the registry."""
    names = set(directions)
    return [kind for kind in KINDS.values() if names <= set(kind.directions)]


def kind_of(study: Mapping[str, Any]) -> CellKind[Any]:
    """Return the kind that a study, as data, names in ``[cell] kind``; STT if it names none.

    Raises
    ------
    pydantic_core.PydanticCustomError
        For a kind that is not in the registry.
    """
    cell = study.get("cell")
    name = (
        cell.get("kind", SttCell.name) if isinstance(cell, Mapping) else getattr(cell, "kind", SttCell.name)
    )
    if name not in KINDS:
        raise inconsistent("cell.kind", f"one of {', '.join(KINDS)}")
    return KINDS[name]
