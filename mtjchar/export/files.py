"""Files that are to be written, before any of them is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["Files", "text"]

Files = dict[Path, bytes]
"""Contents by their files, the main one last."""


def text(lines: Iterable[str]) -> bytes:
    """Put lines of text together, UTF-8."""
    return ("\n".join(lines) + "\n").encode("utf-8")
