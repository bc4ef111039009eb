"""A memory with write failures, exact to the error rates of each bit plane, direction and cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.failures import VERY_FREQUENT, draw_failures
from mtjchar.network.ledger import WriteConditions, WriteLedger, WrongReads
from mtjchar.network.masks import place_shift, random_ones
from mtjchar.network.planes import DirectionCounter, PlaneCounter, count_ones
from mtjchar.network.read_writes import draw_places, flips_of, write_by_reads
from mtjchar.network.reads import ReadConditions
from mtjchar.physics.two_state import flip_probabilities

__all__ = ["ApproximateMemory", "draw_devices"]


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
        # Plus the bits that reads flipped to 1, minus those flipped to 0, before a pulse came.
        self._ones_at_first = count_ones(self.words, bits)
        self._wrong_reads: WrongReads | None = None

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
            wrong_reads=self._wrong_reads,
        )

    def write(self, words: Words, conditions: WriteConditions, rng: np.random.Generator) -> None:
        """Write all words.

        Each bit that has to switch fails with its error rate, independently of all others, and then keeps
        its old value; with retries it fails if all pulses do. Every other bit is as written. With error or
        disturb rates of reads, the reads decide what is driven, see
        `mtjchar.network.read_writes.write_by_reads`.

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
        if conditions.reads_may_be_wrong:
            stored, before = self._write_by_reads(before, after, conditions, rng)
            self._add_write(stored, before, before ^ after)
            return
        changed = before ^ after
        highest = float(conditions.rates.max())
        if highest >= VERY_FREQUENT and conditions.rates.ndim == 2 and not conditions.retries:
            failed = random_ones(changed, after, conditions.rates, rng)
            self._failed.add(failed, after)
            stored = after ^ failed
        else:
            stored = self._write_by_places(changed, after, conditions, highest, rng)
        self._add_write(stored, before, changed)

    def read(self, reads: ReadConditions, rng: np.random.Generator, times: int = 1) -> Words:
        """Read all words some times; return what the last read gives.

        Parameters
        ----------
        reads : ReadConditions
            Rates of the population. Each read may flip bits of the memory.
        rng : numpy.random.Generator
            Source of errors and flips; rates of 0 draw nothing.
        times : int, optional
            Number of reads, 1 or more.

        Returns
        -------
        ndarray of uint8 or uint16
            Shape of the memory; if no bit is wrong, the same array as `words` at that read.

        Raises
        ------
        InputError
            If `reads` have rates of devices.
        """
        for name in ("error_rate", "disturb_rate"):
            if np.ndim(getattr(reads, name)) > 1:
                raise InputError(
                    f"shape of {name}", value="rates of devices", allowed="(2,), of the population"
                )
        if times > 1:
            self._disturb(reads, times - 1, rng)
        state = self.words
        misread = self._drawn(reads.error_rate, rng)
        self._disturb(reads, 1, rng)
        return state if misread is None else state ^ misread.reshape(state.shape)

    def _disturb(self, reads: ReadConditions, times: int, rng: np.random.Generator) -> None:
        """Flip bits as some reads do."""
        if not np.any(reads.disturb_rate):
            return
        flips = self._drawn(flip_probabilities((0.0, 0.0), reads.disturb_rate, 0.0, times), rng)
        if flips is not None:
            state = self.words.reshape(-1)
            to_one, to_zero = flips_of(flips, state, self.bits).T
            self._ones_at_first = self._ones_at_first + to_one - to_zero
            self._store(state ^ flips)

    def _drawn(self, rate: npt.ArrayLike, rng: np.random.Generator) -> Words | None:
        """Draw bits of all cells with the rates of their states; None if there are none."""
        if not np.any(rate):
            return None
        state = self.words.reshape(-1)
        drawn = draw_places(np.full_like(state, (1 << self.bits) - 1), state, rate, self.bits, rng)
        return drawn.words(state) if len(drawn.place) else None

    def _write_by_reads(
        self, before: Words, after: Words, conditions: WriteConditions, rng: np.random.Generator
    ) -> tuple[Words, Words]:
        """Write where reads may be wrong; return the words after the write, and those the pulse found."""

        def pulse(driven: Words) -> Words:
            if not conditions.rates.any():
                return np.zeros_like(driven)
            rates = conditions.rates
            return draw_failures(driven, after, rates, rng, self.bits, self._device_of_cell).words(driven)

        done = write_by_reads(before, after, conditions, self.bits, pulse, rng)
        self._retried += done.retried
        self._failed.add_counts(done.failed)
        to_one, to_zero = done.first_flips.T
        self._ones_at_first = self._ones_at_first + to_one - to_zero
        so_far = self._wrong_reads
        self._wrong_reads = done.wrong_reads if so_far is None else so_far.plus(done.wrong_reads)
        return done.stored, done.found

    def _add_write(self, stored: Words, before: Words, changed: Words) -> None:
        """Count a write: the words after it, those before its first pulse, and the bits that differ."""
        self._writes += 1
        self._changes.add(changed)
        self._ones.add(before)
        self._store(stored)

    def _store(self, stored: Words) -> None:
        """Replace the content."""
        stored.flags.writeable = False
        self.words = stored.reshape(self.words.shape)

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
        failures = draw_failures(changed, after, conditions.rates, rng, self.bits, self._device_of_cell)
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
