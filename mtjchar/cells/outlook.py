"""What is known of a cell before a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Outlook"]


class Outlook(NamedTuple):
    """Properties of a cell that are known before a simulation.

    Attributes
    ----------
    largest_overdrive : mapping
        Upper bound of the overdrive by direction: at the highest amplitude, without a transistor.
    warnings : tuple of str
        Possible errors, one sentence each.
    read_overdrive : float or None
        The same bound for reads, at the largest read voltage; None without reads, or if it is not known.
    across : str
        What the amplitude of that bound is across.
    """

    largest_overdrive: Mapping[str, float] = {}
    warnings: tuple[str, ...] = ()
    read_overdrive: float | None = None
    across: str = "the junction"
