"""The formats a surface is exported in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mtjchar.errors import InputError
from mtjchar.surfaces import WriteSurface
from mtjchar.sweep.store import write_atomically


def _csv(surface: WriteSurface, path: Path) -> None:
    surface.to_frame().to_csv(path, index=False)


FORMATS: dict[str, Callable[[WriteSurface, Path], None]] = {"csv": _csv}
"""Writers by the names that the command line takes."""


def export_surface(surface: WriteSurface, format_: str, out: str | Path) -> None:
    """Write a surface in the format of another tool, whole or not at all.

    Parameters
    ----------
    surface : WriteSurface
    format_ : str
        One of `FORMATS`.
    out : str or Path
        File to write.

    Raises
    ------
    InputError
        For an unknown format or a file that cannot be written.
    """
    if format_ not in FORMATS:
        raise InputError("format", value=format_, allowed=", ".join(FORMATS))
    out = Path(out)
    try:
        write_atomically(out, lambda part: FORMATS[format_](surface, part))
    except OSError as error:
        raise InputError(
            "out", value=str(out), allowed="a file that can be written", remedy=f"{error.strerror}."
        ) from error
