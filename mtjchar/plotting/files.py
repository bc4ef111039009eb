"""How figures are written: as PNG and SVG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

_DPI = 150


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure under a name without ending into a folder, made if missing; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=_DPI)
    return paths
