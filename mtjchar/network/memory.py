"""A memory whose writes sometimes fail, exact to the error rates of each bit plane, direction and cell."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjchar.errors import InputError
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.ledger import FloatArray, IntArray, WriteConditions, WriteLedger
from mtjchar.network.masks import DENSE, random_places


class ApproximateMemory:
    """Words in MRAM.

    Parameters
    ----------
    words : ndarray of uint8 or uint16
        What the memory holds at first, any shape; copied. It costs no energy.
    bits : int
        Cells a word, 1 to 16; the type is uint8 up to 8 bits, else uint16.
    device_of_cell : ndarray of int, shape (number of words, bits), optional
        Which device each cell is, in the flat order of the words; a cell stays the device it is. Needed
        for conditions with error rates of devices, see `draw_devices`.

    Attributes
    ----------
    words : ndarray of uint8 or uint16
        What the memory holds; read-only, and a later write leaves it as it is.
    bits : int
        Cells a word.

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
        self._ones = _ones_by_plane(self.words.reshape(-1), bits)
        self._counts = np.zeros((len(fields(WriteLedger)), bits, 2), dtype=np.int64)

    @property
    def ledger(self) -> WriteLedger:
        """Sum over all writes so far."""
        return WriteLedger(*self._counts.copy())

    def write(self, words: Words, conditions: WriteConditions, rng: np.random.Generator) -> WriteLedger:
        """Write all words.

        Each bit that has to switch fails with its error rate, independently of all others, and then keeps
        its old value; with retries it fails if all pulses do. Every other bit is as written.

        Parameters
        ----------
        words : ndarray of uint8 or uint16
            What to write; shape and type as the memory has.
        conditions : WriteConditions
            Error rates and energies of this write.
        rng : numpy.random.Generator
            Source of the failures; if all error rates are 0 nothing is drawn.

        Returns
        -------
        WriteLedger
            The numbers of this write.

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
        # Few words change in a training step: all that follows looks at those only.
        before, wanted = self.words.reshape(-1), words.reshape(-1)
        where = np.flatnonzero(before != wanted)
        # "wrap" only spares numpy the check of the indices.
        new = wanted.take(where, mode="wrap")
        changed = before.take(where, mode="wrap") ^ new
        failures = self._failures(where, changed, new, conditions.rates, rng)
        counts = np.zeros_like(self._counts)
        switching, redundant, retried, failed = counts
        for _ in range(conditions.retries):
            retried += failures.by_plane(self.bits)
            failures = failures.again(rng)
        switching[:, 0] = _ones_by_plane(changed & new, self.bits)
        switching[:, 1] = _ones_by_plane(changed & ~new, self.bits)
        # A redundant 1 is a 1 that is not to become 0, a redundant 0 one that is not to become 1.
        redundant[:, 0] = self._ones - switching[:, 1]
        redundant[:, 1] = words.size - self._ones - switching[:, 0]
        failed += failures.by_plane(self.bits)

        stored = words.copy()
        if len(failures.place):
            word = failures.place >> _shift(words)
            first = np.flatnonzero(np.concatenate(([True], word[1:] != word[:-1])))
            # Several bits of a word can fail: all of them turn back.
            flips = np.bitwise_or.reduceat(np.left_shift(1, failures.kind >> 1, dtype=words.dtype), first)
            word = word.take(first)
            stored.reshape(-1)[where.take(word)] = new.take(word) ^ flips
        stored.flags.writeable = False
        self.words = stored
        self._ones += switching[:, 0] - failed[:, 0] - switching[:, 1] + failed[:, 1]
        self._counts += counts
        return WriteLedger(*counts)

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
        self, where: IntArray, changed: Words, new: Words, rates: FloatArray, rng: np.random.Generator
    ) -> _Failures:
        """Draw which bits of the words that change keep their value."""
        highest = float(rates.max())
        if highest == 0.0:
            return _Failures(np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0))
        if highest >= DENSE:
            # One draw for each bit that has to switch.
            switches = np.unpackbits(_bytes(changed), bitorder="little").view(np.bool_)
            place, highest = np.flatnonzero(switches), 1.0
        else:
            # Candidates at the highest rate among all bits, of which each stays with its share of that rate.
            candidates = random_places(8 * changed.nbytes, highest, rng)
            place = candidates[_bits(changed, candidates).view(np.bool_)]
        # The lowest byte of a place has the plane.
        plane = place.astype(np.uint8) & np.uint8(8 * changed.itemsize - 1)
        kind = (plane << np.uint8(1)) + (np.uint8(1) - _bits(new, place))
        planes = rates.shape[-2]
        entry: NDArray[Any] = kind if planes > 1 else kind & 1
        if rates.ndim == 3:
            assert self._device_of_cell is not None
            cell = where.take(place >> _shift(new)) * self.bits + plane
            entry = entry + 2 * planes * self._device_of_cell.reshape(-1).take(cell).astype(np.int64)
        failures = _Failures(place, kind, rates.reshape(-1).take(entry))
        if highest < 1.0 and (failures.rate == highest).all():
            return failures
        return failures.chosen(rng.random(len(place)) * highest < failures.rate)


class _Failures:
    """Bits that have not switched.

    Attributes
    ----------
    place : ndarray
        Which bits of the words that change, counted through all of them.
    kind : ndarray
        Twice the plane, and 1 more if they were to become 0.
    rate : ndarray
        Error rate of another try.
    """

    def __init__(self, place: IntArray, kind: NDArray[np.uint8], rate: FloatArray) -> None:
        self.place, self.kind, self.rate = place, kind, rate

    def chosen(self, which: NDArray[np.bool_]) -> _Failures:
        index = np.flatnonzero(which)
        return _Failures(self.place.take(index), self.kind.take(index), self.rate.take(index))

    def again(self, rng: np.random.Generator) -> _Failures:
        """Those of them that another pulse does not switch either."""
        return self.chosen(rng.random(len(self.place)) < self.rate)

    def by_plane(self, bits: int) -> IntArray:
        """Numbers, shape (bits, 2)."""
        return np.bincount(self.kind, minlength=2 * bits).reshape(bits, 2)


def _shift(words: Words) -> int:
    """Binary logarithm of the bits that a word takes."""
    return 2 + words.itemsize


def _bits(words: Words, place: IntArray) -> NDArray[np.uint8]:
    """Bits of the words at some places, counted through all words, lowest first in each."""
    shifted = _bytes(words).take(place >> 3, mode="wrap") >> (place.astype(np.uint8) & np.uint8(7))
    return shifted & np.uint8(1)


def _bytes(words: Words) -> NDArray[np.uint8]:
    """Bytes of the words, lowest first."""
    return words.astype(words.dtype.newbyteorder("<"), copy=False).view(np.uint8)


def draw_devices(weight: FloatArray, words: int, bits: int, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Draw which device of a population each cell is.

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


def _ones_by_plane(words: Words, bits: int) -> IntArray:
    """Count the ones in each bit plane, lowest first."""
    return np.array([np.count_nonzero(words & words.dtype.type(1 << plane)) for plane in range(bits)])
