"""Shell completion: names of stacks, studies, formats and directions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from mtjchar.shipped import shipped

__all__ = ["FORMATS", "directions", "files_or", "formats"]

FORMATS = {
    "The whole surface": (
        "csv", "parquet", "json", "netcdf", "npz", "ber-matrix", "verilog-a", "verilog-a-table",
        "ngspice-table",
    ),
    "One operating point": ("nvsim", "nvmexplorer", "nvmain"),
    "The junction alone": ("verilog-a-model", "spice-model"),
}  # fmt: skip
"""Formats of `mtjchar export` by what they hold; a test compares them with `mtjchar.export.FORMATS`."""


def formats(incomplete: str) -> list[str]:
    """List the formats whose names begin with these letters."""
    return [name for names in FORMATS.values() for name in names if name.startswith(incomplete)]


def files_or(kind: str, *, files: bool = True) -> Callable[[str], list[str]]:
    """Return a function that lists the shipped ``stacks`` or ``studies``, and TOML files."""

    def complete(incomplete: str) -> list[str]:
        found = [name for name in shipped(kind) if name.startswith(incomplete)]
        if not files:
            return found
        folder, _, beginning = incomplete.rpartition("/")
        place = Path(folder or ("/" if incomplete.startswith("/") else "."))
        try:
            there = sorted(place.iterdir())
        except OSError:
            return found
        before = incomplete[: len(incomplete) - len(beginning)]
        for path in there:
            if path.name.startswith(beginning) and (beginning.startswith(".") or path.name[0] != "."):
                if path.is_dir():
                    found.append(f"{before}{path.name}/")
                elif path.suffix == ".toml":
                    found.append(f"{before}{path.name}")
        return found

    return complete


def directions(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the directions of the surface in the run directory on the command line."""
    from mtjchar.surfaces.grid import SurfaceGrid, targets
    from mtjchar.surfaces.stored import SurfaceFile

    try:
        # An option without its value stops the parser: the folder is then still among the arguments.
        folder = Path(ctx.params["folder"] or ctx.args[0])
        names = targets(SurfaceGrid(SurfaceFile((folder / "surface.nc").read_bytes())))
    except Exception:  # a completion must not print an error into a half-typed command line
        return []
    return [name for name in names if name.startswith(incomplete)]
