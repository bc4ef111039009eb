"""Pulses whose edges are piecewise linear: the parts before and after the plateau."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtjchar.units import compact

__all__ = ["HIGHEST_FRACTION", "LONGEST_SHAPE", "SHORTEST_SEGMENT", "Point", "PulseShape", "lengths"]

Point = tuple[float, float]
"""Time (s), and the output of the drivers at that time as a fraction of the amplitude."""

SHORTEST_SEGMENT = 1e-12  # s
LONGEST_SHAPE = 1e-6  # s
HIGHEST_FRACTION = 2.0


class PulseShape(NamedTuple):
    """A plateau, whose length follows from the duration, between two fixed edges.

    Attributes
    ----------
    leading : tuple of Point
        From (0, 0) to (t, 1), where the plateau begins.
    trailing : tuple of Point
        From (0, 1), where the plateau ends, to (t, 0).

    Examples
    --------
    A ramp of 0.1 ns to a boost of 1.3 times the amplitude, which lasts 0.9 ns:

    >>> shape = PulseShape.of(
    ...     [(0, 0), (1e-10, 1.3), (1e-9, 1.3), (1.1e-9, 1), (5e-9, 1), (5.1e-9, 0)]
    ... )
    >>> shape.lead, round(shape.trail * 1e9, 6), shape.highest
    (1.1e-09, 0.1, 1.3)
    """

    leading: tuple[Point, ...]
    trailing: tuple[Point, ...]

    @classmethod
    def of(cls, points: Sequence[Point]) -> PulseShape:
        """Divide the points of a whole pulse at its plateau, which two neighbours of fraction 1 mark.

        Raises
        ------
        ValueError
            If the points are not such a pulse; the message states what is allowed.
        """
        time, fraction = np.array(points, dtype=np.float64).reshape(-1, 2).T
        if len(time) < 4 or time[0] != 0.0:
            raise ValueError("allowed: at least four points, the first at 0 s")
        if np.any(np.diff(time) < SHORTEST_SEGMENT * (1.0 - 1e-9)):
            raise ValueError("allowed: times that increase by at least 1 ps from point to point")
        if time[-1] > LONGEST_SHAPE:
            raise ValueError(
                f"allowed: points within {compact(LONGEST_SHAPE, 's')}; the plateau may be short there"
            )
        if fraction[0] != 0.0 or fraction[-1] != 0.0:
            raise ValueError("allowed: fractions that begin and end with 0")
        if np.any((fraction < 0.0) | (fraction > HIGHEST_FRACTION)):
            raise ValueError(f"allowed: fractions of the amplitude from 0 to {HIGHEST_FRACTION:g}")
        flat = np.flatnonzero((fraction[:-1] == 1.0) & (fraction[1:] == 1.0))
        if not len(flat) or np.any(np.diff(flat) != 1):
            raise ValueError(
                "allowed: one plateau, neighbouring points of fraction 1 in one place, which alone is "
                "stretched to the duration. A pulse of which more grows with the duration needs a study for "
                "each duration"
            )
        first, last = flat[0], flat[-1] + 1
        plain = [(float(t), float(f)) for t, f in zip(time, fraction, strict=True)]
        return cls(
            tuple(plain[: first + 1]),
            tuple((t - plain[last][0], f) for t, f in plain[last:]),
        )

    @property
    def lead(self) -> float:
        """Time from the beginning of the pulse to that of the plateau, s."""
        return self.leading[-1][0]

    @property
    def trail(self) -> float:
        """Time from the end of the plateau to that of the pulse, s."""
        return self.trailing[-1][0]

    @property
    def highest(self) -> float:
        """Largest fraction of the amplitude."""
        return max(fraction for _, fraction in (*self.leading, *self.trailing))

    @property
    def shortest_segment(self) -> float:
        """Shortest time from point to point, s."""
        return min(min(lengths(edge)) for edge in (self.leading, self.trailing))

    @property
    def in_duration(self) -> float:
        """Part of a duration outside the plateau, s.

        The duration begins where half the amplitude is first reached, and ends where it is last left.
        """
        falling = [(self.trail - time, fraction) for time, fraction in reversed(self.trailing)]
        return self.lead - _first_half(self.leading) + self.trail - _first_half(falling)

    def points(self, start: float, plateau: float) -> list[Point]:
        """Points of a pulse that begins at `start` and has a plateau of this length, s."""
        end = start + self.lead + plateau
        return [
            *((start + time, fraction) for time, fraction in self.leading),
            *((end + time, fraction) for time, fraction in self.trailing),
        ]


def lengths(edge: Sequence[Point]) -> list[float]:
    """Return the times from point to point, s."""
    return [later[0] - earlier[0] for earlier, later in itertools.pairwise(edge)]


def _first_half(edge: Sequence[Point]) -> float:
    """Return the time at which an edge that goes from 0 to 1 first reaches one half, s."""
    return next(
        time + (later - time) * (0.5 - fraction) / (above - fraction)
        for (time, fraction), (later, above) in itertools.pairwise(edge)
        if above >= 0.5
    )
