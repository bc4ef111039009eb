"""How much of a task is done: said where the work is, heard in the process that does it.

What is done says so between its steps, and does not know whether anybody listens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

__all__ = ["done", "heard_by", "part"]

_listeners: list[Callable[[float], None]] = []
_parts = [(0.0, 1.0)]


def done(share: float) -> None:
    """Say how much is done of what is at work, from 0 to 1."""
    start, stop = _parts[-1]
    for listener in _listeners:
        listener(start + share * (stop - start))


def heard_by(listener: Callable[[float], None]) -> None:
    """Have a function called from now on in this process with the share of a task that is done."""
    _listeners.append(listener)


@contextlib.contextmanager
def part(start: float, stop: float) -> Iterator[None]:
    """Take what is said in a with block as said of this part of the work around it.

    Examples
    --------
    >>> heard_by(print)
    >>> with part(0.5, 1.0):
    ...     done(0.5)
    0.75
    """
    first, last = _parts[-1]
    _parts.append((first + start * (last - first), first + stop * (last - first)))
    try:
        yield
    finally:
        _parts.pop()
