"""Files that are to be written, before any of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

Files = dict[Path, Callable[[Path], None]]
"""Writers by their files, the main one last; each is called with the path it shall write to."""


def text(lines: Iterable[str]) -> Callable[[Path], None]:
    """Make a writer of lines of text, UTF-8."""
    content = "\n".join(lines) + "\n"

    def write(part: Path) -> None:
        part.write_text(content, encoding="utf-8")

    return write
