"""Progress within a task: the computation reports its share, and listeners of the same process receive it.

A computation reports between its steps, whether or not there are listeners.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

__all__ = ["done", "heard_by", "part"]

_listeners: list[Callable[[float], None]] = []
_parts = [(0.0, 1.0)]


def done(share: float) -> None:
    """Report the completed share of the current work, from 0 to 1."""
    start, stop = _parts[-1]
    for listener in _listeners:
        listener(start + share * (stop - start))


def heard_by(listener: Callable[[float], None]) -> None:
    """Call a function from now on in this process with each reported share of a task."""
    _listeners.append(listener)


@contextlib.contextmanager
def part(start: float, stop: float) -> Iterator[None]:
    """Count the shares reported in a with block as parts of the surrounding work.

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
