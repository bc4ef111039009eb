"""Contents of files, before any of them is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["Files", "text"]

Files = dict[Path, bytes]
"""Contents by file, the main one last."""


def text(lines: Iterable[str]) -> bytes:
    """Join lines of text, UTF-8."""
    return ("\n".join(lines) + "\n").encode("utf-8")
