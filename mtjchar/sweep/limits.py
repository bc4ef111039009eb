"""Limits of this machine that may prevent worker processes from starting."""

from __future__ import annotations

import resource
import shutil
import sys
from pathlib import Path

__all__ = ["advice", "advice_on_kills", "memory"]

# Measured with two cores and two workers; linear algebra libraries take more with more cores.
_MEMORY = 1.2e9  # bytes of address space
_FILES = 64
_PROCESSES = 100  # of one user, threads included
_SHARED = 1e6  # bytes


def memory() -> int | None:
    """Limit of the address space of a process, in bytes; none if it is not limited."""
    return _limit(resource.RLIMIT_AS)


def advice() -> str:
    """Return the remedy if a worker process or its threads do not start."""
    return " ".join(_scarce()) or (
        "What it wrote to standard error says why; `python -c 'import mtjchar.sweep.pool'` starts as it does."
    )


def advice_on_kills() -> str:
    """Return the remedy if worker processes are killed while they start."""
    return (
        "The system does that where memory runs out, and so do batch systems and people. See what the system "
        "says of it (`dmesg`), and give the sweep more memory, or fewer workers: --workers 1."
    )


def _scarce() -> list[str]:
    words = []
    space, files, processes = memory(), _limit(resource.RLIMIT_NOFILE), _limit(resource.RLIMIT_NPROC)
    if space is not None and space < 2.0 * _MEMORY:
        words.append(
            f"A process is limited to {space / 1e6:.0f} MB of memory (ulimit -v); a worker needs about "
            f"{_MEMORY / 1e6:.0f} MB, with many cores more. Raise the limit."
        )
    if files is not None and files < _FILES:
        words.append(
            f"A process may open {files} files (ulimit -n); allow {_FILES}, or more for many workers."
        )
    if processes is not None and processes < 10 * _PROCESSES:
        words.append(
            f"A user may have {processes} processes and threads (ulimit -u); a sweep with two workers needs "
            f"about {_PROCESSES}, with many cores more. Raise the limit, or use fewer: --workers 1."
        )
    if sys.platform == "linux":
        words += _shared_memory()
    return words


def _shared_memory() -> list[str]:
    folder = Path("/dev/shm")
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return [
            f"{folder} is missing, in which processes share locks: mount it (mount -t tmpfs tmpfs {folder})."
        ]
    return (
        [f"{folder} is full, in which processes share locks: remove files there."] if free < _SHARED else []
    )


def _limit(kind: int) -> int | None:
    allowed = resource.getrlimit(kind)[0]
    return None if allowed == resource.RLIM_INFINITY else allowed
