"""A memory with write failures, exact to the error rates of each bit plane, direction and cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import BoolArray, FloatArray, IntArray
from mtjchar.errors import InputError
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.masks import DENSE, kinds_at, ones, ones_at, place_shift, random_ones, random_places
from mtjchar.network.planes import DirectionCounter, PlaneCounter, count_ones

__all__ = ["ApproximateMemory", "draw_devices"]

# Error rate above which it is faster to select the changing words first, if a quarter of all change.
_FREQUENT = 0.015

# Error rate above which whole words of failures are drawn faster than positions, if all cells are equal.
_VERY_FREQUENT = 0.1


class ApproximateMemory:
    """Words in MRAM.

    Parameters
    ----------
    words : ndarray of uint8 or uint16
        Initial content of the memory, any shape; copied. It costs no energy.
    bits : int
        Cells per word, 1 to 16; the type is uint8 up to 8 bits, else uint16.
    device_of_cell : ndarray of int, shape (number of words, bits), optional
        Device of each cell, in the flat order of the words; it is permanent. Required
        for conditions with error rates of devices, see `draw_devices`.

    Attributes
    ----------
    words : ndarray of uint8 or uint16
        Content of the memory; read-only, and a later write does not change this array.
    bits : int
        Cells per word.

    Raises
    ------
    InputError
        If `bits` is out of range, or `words` are not words of that many bits, or there is not one device
        for each cell.
    """

    def __init__(self, words: Words, bits: int, device_of_cell: NDArray[np.integer] | None = None) -> None:
        if not 1 <= bits <= 16:
            raise InputError("bits", value=bits, allowed="1 to 16")
        self.bits = bits
        self.words = check_words(words, bits).copy()
        self.words.flags.writeable = False
        if device_of_cell is not None and device_of_cell.shape != (self.words.size, bits):
            raise InputError(
                "shape of device_of_cell",
                value=device_of_cell.shape,
                allowed=f"{(self.words.size, bits)}, one for each cell",
            )
        self._device_of_cell = device_of_cell
        weight = 1 << np.arange(bits)
        self._turning_back = np.stack([-weight, weight], axis=1).reshape(-1).astype(self.words.dtype)
        self._writes = 0
        # Over all writes: bits that had to switch, and former ones.
        self._changes, self._ones = PlaneCounter(bits), PlaneCounter(bits)
        self._failed, self._retried = DirectionCounter(bits), np.zeros((bits, 2), dtype=np.int64)
        self._ones_at_first = count_ones(self.words, bits)

    @property
    def ledger(self) -> WriteLedger:
        """Sum over all writes so far; computed at each access, which takes as long as about fifty writes."""
        changes, were_one, failed = self._changes.counts(), self._ones.counts(), self._failed.counts()
        # The number of ones grows by the bits that became 1 minus those that became 0.
        more_ones = count_ones(self.words, self.bits) - self._ones_at_first
        rising = (changes + more_ones + failed[:, 0] - failed[:, 1]) // 2
        falling = changes - rising
        # A redundant 1 is a 1 that must not become 0, a redundant 0 one that must not become 1.
        were_zero = self._writes * self.words.size - were_one
        return WriteLedger(
            switching=np.stack([rising, falling], axis=1),
            redundant=np.stack([were_one - falling, were_zero - rising], axis=1),
            retried=self._retried.copy(),
            failed=failed,
        )

    def write(self, words: Words, conditions: WriteConditions, rng: np.random.Generator) -> None:
        """Write all words.

        Each bit that has to switch fails with its error rate, independently of all others, and then keeps
        its old value; with retries it fails if all pulses do. Every other bit is as written.

        Parameters
        ----------
        words : ndarray of uint8 or uint16
            Words to write; with the shape and type of the memory.
        conditions : WriteConditions
            Error rates and energies of this write.
        rng : numpy.random.Generator
            Source of the failures; if all error rates are 0, nothing is drawn.

        Raises
        ------
        InputError
            If `words` have another shape or type or more bits than the memory, or the conditions are for
            other words or need devices.
        """
        words = check_words(words, self.bits)
        if words.shape != self.words.shape:
            raise InputError("shape of the words", value=words.shape, allowed=f"{self.words.shape}")
        self._check(conditions)
        before, after = self.words.reshape(-1), words.reshape(-1)
        changed = before ^ after
        highest = float(conditions.rates.max())
        if highest >= _VERY_FREQUENT and conditions.rates.ndim == 2 and not conditions.retries:
            failed = random_ones(changed, after, conditions.rates, rng)
            self._failed.add(failed, after)
            stored = after ^ failed
        else:
            stored = self._write_by_places(changed, after, conditions, highest, rng)
        self._writes += 1
        self._changes.add(changed)
        self._ones.add(before)
        stored.flags.writeable = False
        self.words = stored.reshape(words.shape)

    def _write_by_places(
        self,
        changed: Words,
        after: Words,
        conditions: WriteConditions,
        highest: float,
        rng: np.random.Generator,
    ) -> Words:
        """Draw the positions of the failures; return the stored words."""
        stored = after.copy()
        if highest == 0.0:
            return stored
        failures = self._failures(changed, after, conditions.rates, highest, rng)
        for _ in range(conditions.retries):
            self._retried += failures.by_plane(self.bits)
            failures = failures.again(rng)
        self._failed.add_counts(failures.by_plane(self.bits))
        # A bit that should have risen is removed again, one that should have fallen is restored.
        np.add.at(stored, failures.place >> place_shift(after), self._turning_back.take(failures.kind))
        return stored

    def _check(self, conditions: WriteConditions) -> None:
        conditions.check_bits(self.bits)
        if conditions.rates.ndim < 3:
            return
        if self._device_of_cell is None:
            raise InputError(
                "error_rate",
                value=f"shape {conditions.rates.shape}",
                allowed="error rates of the population where cells are no devices",
                remedy="Give the memory device_of_cell.",
            )

    def _failures(
        self, changed: Words, after: Words, rates: FloatArray, highest: float, rng: np.random.Generator
    ) -> _Failures:
        """Draw which of the changing bits keep their value."""
        drawn = highest >= _VERY_FREQUENT and rates.ndim == 2
        if drawn:
            place, chance = ones(random_ones(changed, after, rates, rng)), 1.0
        else:
            place, chance = _candidates(changed, highest, rng)
        kind = kinds_at(after, place)
        planes = rates.shape[-2]
        entry: NDArray[Any] = kind if planes > 1 else kind & 1
        if rates.ndim == 3:
            assert self._device_of_cell is not None
            cell = (place >> place_shift(changed)) * self.bits + (kind >> 1)
            entry = entry + 2 * planes * self._device_of_cell.reshape(-1).take(cell).astype(np.int64)
        failures = _Failures(place, kind, rates.reshape(-1).take(entry))
        if drawn or (chance < 1.0 and (failures.rate == chance).all()):
            return failures
        return failures.chosen(rng.random(len(place)) * chance < failures.rate)


class _Failures:
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

    def chosen(self, which: BoolArray) -> _Failures:
        index = np.flatnonzero(which)
        return _Failures(self.place.take(index), self.kind.take(index), self.rate.take(index))

    def again(self, rng: np.random.Generator) -> _Failures:
        """Those of them that another pulse does not switch."""
        return self.chosen(rng.random(len(self.place)) < self.rate)

    def by_plane(self, bits: int) -> IntArray:
        """Numbers, shape (bits, 2)."""
        return np.bincount(self.kind, minlength=2 * bits).reshape(bits, 2)


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


def draw_devices(weight: FloatArray, words: int, bits: int, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Draw the device of each cell from a population.

    Parameters
    ----------
    weight : ndarray, shape (devices,)
        Share of each device in the population, in any unit.
    words, bits : int
        Cells: `bits` for each of `words` words.
    rng : numpy.random.Generator
        Source of the draws, one for each cell.

    Returns
    -------
    ndarray of uint32, shape (words, bits)
        Rows of the population's table.
    """
    cumulative = np.cumsum(weight)
    drawn = rng.random((words, bits)) * cumulative[-1]
    devices: NDArray[np.uint32] = np.searchsorted(cumulative, drawn, side="right").astype(np.uint32)
    return devices
