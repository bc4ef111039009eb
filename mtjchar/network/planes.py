"""Counting ones by bit plane over many arrays of words."""

from __future__ import annotations

import numpy as np

from mtjchar.arrays import IntArray
from mtjchar.network.encoding import Words

__all__ = ["DirectionCounter", "PlaneCounter", "count_ones"]


class PlaneCounter:
    """Numbers of ones in each bit plane, over all added arrays of words.

    Each position has a binary counter for each of its bits: bit n of all the counters is one array of words.
    Full adders carry from one to the next, half as often each time, so that another array costs five bit
    operations of whole arrays on average. Planes are separated only when the counts are read
    (carry-save adders: H. S. Warren, *Hacker's Delight*, 2nd ed. (2012), section 5-1). After n arrays it
    holds up to 2 log2(n) of their size.

    Parameters
    ----------
    bits : int
        Planes to count, 1 to 16.
    """

    def __init__(self, bits: int) -> None:
        self._bits = bits
        # Of weight 2**n: a sum, and an array that waits for the next one of its weight, to be added with it.
        self._sums: list[Words] = []
        self._waiting: list[Words | None] = []

    def add(self, words: Words) -> None:
        """Count the ones of `words`, all of one shape and type; they must not be changed afterwards."""
        for level, waiting in enumerate(self._waiting):
            if waiting is None:
                self._waiting[level] = words
                return
            before = self._sums[level]
            differ = before ^ waiting
            carry = before & waiting
            self._sums[level], self._waiting[level] = differ ^ words, None
            differ &= words
            carry |= differ
            words = carry
        self._sums.append(words)
        self._waiting.append(None)

    def counts(self) -> IntArray:
        """Return the numbers of ones, shape (bits,), lowest plane first."""
        total = np.zeros(self._bits, dtype=np.int64)
        for level, (summed, waiting) in enumerate(zip(self._sums, self._waiting, strict=True)):
            for words in (summed, waiting):
                if words is not None:
                    total += count_ones(words, self._bits) << level
        return total


class DirectionCounter:
    """Numbers of bits in each plane and write direction, over many writes.

    Parameters
    ----------
    bits : int
        Planes to count, 1 to 16.
    """

    def __init__(self, bits: int) -> None:
        self._both, self._to_one = PlaneCounter(bits), PlaneCounter(bits)
        self._counts = np.zeros((bits, 2), dtype=np.int64)

    def add(self, words: Words, after: Words) -> None:
        """Count the ones of `words`, each in the direction of its bit in `after`; see `PlaneCounter.add`."""
        self._both.add(words)
        self._to_one.add(words & after)

    def add_counts(self, counts: IntArray) -> None:
        """Add numbers, shape (bits, 2)."""
        self._counts += counts

    def counts(self) -> IntArray:
        """Return the numbers, shape (bits, 2), of writing 1 first."""
        both, to_one = self._both.counts(), self._to_one.counts()
        return self._counts + np.stack([to_one, both - to_one], axis=1)


def count_ones(words: Words, bits: int) -> IntArray:
    """Return the numbers of ones of `words` in each of `bits` planes, lowest first."""
    counts = [np.count_nonzero(words & words.dtype.type(1 << plane)) for plane in range(bits)]
    return np.array(counts, dtype=np.int64)
