"""The netlists that come with mtjchar, and circuits that use them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit

__all__ = ["circuit_with", "library", "netlist_folder"]


def netlist_folder() -> Path:
    """Folder with the netlists: beside the package in a checkout, inside it after an installation."""
    package = Path(str(resources.files("mtjchar")))
    inside = package / "_netlists"
    return inside if inside.is_dir() else package.parent / "netlists"


def library(name: str) -> str:
    """Text of one of the netlists."""
    return (netlist_folder() / name).read_text(encoding="utf-8")


def circuit_with(title: str, definitions: Iterable[str]) -> Circuit:
    """Begin a circuit with the text of required definitions."""
    from PySpice.Spice.Netlist import Circuit  # imported here: reading a netlist does not need it

    circuit = Circuit(title)
    circuit.raw_spice = "\n".join(definitions)
    return circuit
