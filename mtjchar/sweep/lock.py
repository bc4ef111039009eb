"""Lock of a directory: one writing command at a time."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mtjchar.errors import InputError
from mtjchar.files import make_folder, storing, write_text

__all__ = ["locked"]

_LOCK, _OWNER = ".sweep.lock", ".sweep.owner"  # of any command: a sweep is the longest


@contextlib.contextmanager
def locked(directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Lock a directory during a with block.

    The lock is the operating system's and ends with the process that holds it, however that ends. A file
    beside it names the owner. If this file exists without the lock, a killed command has left it.

    Parameters
    ----------
    directory : Path
        Made if missing.
    say : callable
        Called if an owner ended without releasing the directory.

    Raises
    ------
    InputError
        If another process holds the directory, naming it, or the directory cannot be made.
    """
    make_folder(directory)
    lock = FileLock(directory / _LOCK)
    with storing(directory, "directory"):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                "directory",
                value=str(directory),
                allowed="one that no other command of mtjchar works in",
                remedy=f"{_owner(directory)} does. Wait until it has ended, or give another directory.",
            ) from error
    owner = directory / _OWNER
    try:
        if owner.exists():
            say(f"{_owner(directory)} was ended from outside; continuing from its finished work")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        words = {"pid": os.getpid(), "host": platform.node(), "since": now}
        write_text(owner, json.dumps(words))
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def _owner(directory: Path) -> str:
    try:
        words = json.loads((directory / _OWNER).read_text(encoding="utf-8"))
        return f"Process {words['pid']} on {words['host']} (since {words['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "A process that has not said its name"
