"""How figures are written: as PNG and SVG."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from mtjchar.errors import printable
from mtjchar.files import make_folder, write_bytes

__all__ = ["plain", "save"]

_DPI = 150
# The same figure is the same file: no date, and names of the parts that do not change.
_METADATA: dict[str, dict[str, str | None]] = {".png": {}, ".svg": {"Date": None}}


def plain(text: str) -> str:
    """Write a name so that Matplotlib shows it as it is: no formula, and not left out of legends."""
    shown = printable(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure under a name without ending into a folder, made if missing; return the files."""
    make_folder(folder)
    paths = [folder / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        content = io.BytesIO()
        with rc_context({"svg.hashsalt": name}):
            figure.savefig(content, format=path.suffix[1:], dpi=_DPI, metadata=_METADATA[path.suffix])
        write_bytes(path, content.getvalue())
    return paths
