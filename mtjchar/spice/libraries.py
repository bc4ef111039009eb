"""The netlists that come with mtjchar."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["library", "netlist_folder"]


def netlist_folder() -> Path:
    """Folder with the netlists: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(str(resources.files("mtjchar")))
    inside = package / "_netlists"
    return inside if inside.is_dir() else package.parent / "netlists"


def library(name: str) -> str:
    """Text of one of the netlists."""
    return (netlist_folder() / name).read_text(encoding="utf-8")
