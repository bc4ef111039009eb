"""Drawing of the bits of a write that fail, each with the rate of its plane, direction and cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import BoolArray, FloatArray, IntArray
from mtjchar.network.encoding import Words
from mtjchar.network.masks import DENSE, kinds_at, ones, ones_at, place_shift, random_ones, random_places

__all__ = ["VERY_FREQUENT", "Failures", "draw_failures"]

# Error rate above which it is faster to select the changing words first, if a quarter of all change.
_FREQUENT = 0.015

VERY_FREQUENT = 0.1
"""Error rate above which whole words of failures are drawn faster than positions, if all cells are equal."""


class Failures:
    """Bits that have not switched.

    Attributes
    ----------
    place : ndarray
        Positions of the bits, counted through all words.
    kind : ndarray
        Twice the plane, plus 1 if they should have become 0.
    rate : ndarray
        Error rate of another pulse.
    """

    def __init__(self, place: IntArray, kind: NDArray[np.uint8], rate: FloatArray) -> None:
        self.place, self.kind, self.rate = place, kind, rate

    def chosen(self, which: BoolArray) -> Failures:
        """Return some of them."""
        index = np.flatnonzero(which)
        return Failures(self.place.take(index), self.kind.take(index), self.rate.take(index))

    def again(self, rng: np.random.Generator) -> Failures:
        """Those of them that another pulse does not switch."""
        return self.chosen(rng.random(len(self.place)) < self.rate)

    def by_plane(self, bits: int) -> IntArray:
        """Numbers, shape (bits, 2)."""
        return np.bincount(self.kind, minlength=2 * bits).reshape(bits, 2)

    def words(self, like: Words) -> Words:
        """Return words with these bits, with the shape and type of `like`, which is flat."""
        drawn = np.zeros_like(like)
        # Every bit is drawn once: a sum sets it.
        bit = (1 << np.arange(8 * like.itemsize)).astype(like.dtype)
        np.add.at(drawn, self.place >> place_shift(like), bit.take(self.kind >> 1))
        return drawn


def draw_failures(
    changed: Words,
    after: Words,
    rates: FloatArray,
    rng: np.random.Generator,
    bits: int,
    device_of_cell: NDArray[np.integer] | None = None,
) -> Failures:
    """Draw which of the changing bits keep their value.

    Parameters
    ----------
    changed : ndarray of uint8 or uint16, shape (n,)
        Words whose ones are drawn from.
    after : ndarray of uint8 or uint16, shape (n,)
        Words with the directions: a bit has the rate of writing 1 if its bit here is 1.
    rates : ndarray of float64, shape (bits or 1, 2) or (devices, bits or 1, 2)
        Probability of each plane and direction, of writing 1 first.
    rng : numpy.random.Generator
        Source of the draws; none if all rates are 0.
    bits : int
        Bits per word.
    device_of_cell : ndarray of int, shape (n, bits), optional
        Required with rates of devices.

    Returns
    -------
    Failures
    """
    highest = float(rates.max())
    drawn = highest >= VERY_FREQUENT and rates.ndim == 2
    if drawn:
        place, chance = ones(random_ones(changed, after, rates, rng)), 1.0
    else:
        place, chance = _candidates(changed, highest, rng)
    kind = kinds_at(after, place)
    planes = rates.shape[-2]
    entry: NDArray[Any] = kind if planes > 1 else kind & 1
    if rates.ndim == 3:
        assert device_of_cell is not None
        cell = (place >> place_shift(changed)) * bits + (kind >> 1)
        entry = entry + 2 * planes * device_of_cell.reshape(-1).take(cell).astype(np.int64)
    failures = Failures(place, kind, rates.reshape(-1).take(entry))
    if drawn or (chance < 1.0 and (failures.rate == chance).all()):
        return failures
    return failures.chosen(rng.random(len(place)) * chance < failures.rate)


def _candidates(changed: Words, rate: float, rng: np.random.Generator) -> tuple[IntArray, float]:
    """Draw positions of the ones of `changed`, each with the probability `rate` or 1; return that too."""
    if rate >= DENSE:
        return ones(changed), 1.0
    if rate < _FREQUENT:
        place = random_places(8 * changed.nbytes, rate, rng)
        return place[ones_at(changed, place)], rate
    where = np.flatnonzero(changed != 0)
    changed = changed.take(where)
    place = random_places(8 * changed.nbytes, rate, rng)
    place = place[ones_at(changed, place)]
    shift = place_shift(changed)
    return (where.take(place >> shift) << shift) + (place & ((1 << shift) - 1)), rate
