"""A memory whose writes sometimes fail: bit errors and write energy.

A bit 0 is a junction in P, a bit 1 one in AP. Writing 1 over 0 switches in direction ``p_to_ap``,
writing 0 over 1 in direction ``ap_to_p``. A write drives every bit; one that already is what is
written cannot fail, but costs the redundant energy of the direction it is driven in: 1 over 1 counts
as ``p_to_ap``, 0 over 0 as ``ap_to_p``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from mtjchar.errors import InputError
from mtjchar.network.encoding import Words, check_words

T = TypeVar("T", int, float)


class PerDirection(NamedTuple, Generic[T]):
    """One number for each write direction.

    Attributes
    ----------
    p_to_ap : int or float
        For writing AP, bit 1.
    ap_to_p : int or float
        For writing P, bit 0.
    """

    p_to_ap: T
    ap_to_p: T


_NONE = PerDirection(0, 0)


@dataclass(frozen=True)
class WriteConditions:
    """What one pulse for each direction does to a bit.

    Attributes
    ----------
    error_rate : PerDirection of float
        Probability, 0 to 1, that a bit that has to switch does not.
    switching_energy_J, redundant_energy_J : PerDirection of float
        Mean energy of writing a bit that has to switch, whether it does or not, and of one that
        already is what is written; J, finite, not negative.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    error_rate: PerDirection[float]
    switching_energy_J: PerDirection[float]
    redundant_energy_J: PerDirection[float]

    def __post_init__(self) -> None:
        for direction, rate in self.error_rate._asdict().items():
            if not 0.0 <= rate <= 1.0:
                raise InputError(f"error_rate of {direction}", value=rate, allowed="0 to 1")
        for name in ("switching_energy_J", "redundant_energy_J"):
            for direction, energy in getattr(self, name)._asdict().items():
                if not (math.isfinite(energy) and energy >= 0.0):
                    raise InputError(f"{name} of {direction}", value=energy, allowed="finite, 0 J or more")


@dataclass(frozen=True)
class WriteLedger:
    """Numbers of single-bit writes; ledgers add up.

    Attributes
    ----------
    switching : PerDirection of int
        Writes of a bit that had to switch, including those that failed.
    redundant : PerDirection of int
        Writes of a bit that already was what was written.
    failed : PerDirection of int
        Those of `switching` after which the bit still was what it had been.
    """

    switching: PerDirection[int] = _NONE
    redundant: PerDirection[int] = _NONE
    failed: PerDirection[int] = _NONE

    def __add__(self, other: WriteLedger) -> WriteLedger:
        return WriteLedger(
            switching=_sum(self.switching, other.switching),
            redundant=_sum(self.redundant, other.redundant),
            failed=_sum(self.failed, other.failed),
        )

    def energy_J(self, conditions: WriteConditions) -> float:
        """Give the energy of these writes under the conditions they were made in.

        Parameters
        ----------
        conditions : WriteConditions
            Those of all the writes; for writes under several conditions add the energies of a ledger each.

        Returns
        -------
        float
            Energy, J.
        """
        return (
            self.switching.p_to_ap * conditions.switching_energy_J.p_to_ap
            + self.switching.ap_to_p * conditions.switching_energy_J.ap_to_p
            + self.redundant.p_to_ap * conditions.redundant_energy_J.p_to_ap
            + self.redundant.ap_to_p * conditions.redundant_energy_J.ap_to_p
        )


class ApproximateMemory:
    """Words in MRAM.

    Parameters
    ----------
    words : ndarray of uint8 or uint16
        What the memory holds at first, any shape; copied. It costs no energy.
    bits : int
        Cells a word, 1 to 16; the type is uint8 up to 8 bits, else uint16.

    Attributes
    ----------
    words : ndarray of uint8 or uint16
        What the memory holds; read-only, and a later write leaves it as it is.
    bits : int
        Cells a word.
    ledger : WriteLedger
        Sum over all writes so far.

    Raises
    ------
    InputError
        If `bits` is out of range or `words` are not words of that many bits.
    """

    def __init__(self, words: Words, bits: int) -> None:
        if not 1 <= bits <= 16:
            raise InputError("bits", value=bits, allowed="1 to 16")
        self.bits = bits
        self.words = check_words(words, bits).copy()
        self.words.flags.writeable = False
        self.ledger = WriteLedger()

    def write(self, words: Words, conditions: WriteConditions, rng: np.random.Generator) -> WriteLedger:
        """Write all words.

        Each bit that has to switch fails with the error rate of its direction, independently of all
        others, and then keeps its old value. Every other bit is as written.

        Parameters
        ----------
        words : ndarray of uint8 or uint16
            What to write; shape and type as the memory has.
        conditions : WriteConditions
            Error rates and energies of this write.
        rng : numpy.random.Generator
            Source of the failures; a direction whose error rate is 0 draws nothing.

        Returns
        -------
        WriteLedger
            The numbers of this write.

        Raises
        ------
        InputError
            If `words` have another shape or type or more bits than the memory.
        """
        words = check_words(words, self.bits)
        if words.shape != self.words.shape:
            raise InputError("shape of the words", value=words.shape, allowed=f"{self.words.shape}")
        changed = (self.words ^ words).reshape(-1)
        # Few words change in a training step: look for bits in those only.
        where = np.flatnonzero(changed != 0)
        changed = changed[where]
        target = words.reshape(-1)[where]
        to_one, to_zero = changed & target, changed & ~target
        failed_to_one = _failing_bits(to_one, conditions.error_rate.p_to_ap, rng)
        failed_to_zero = _failing_bits(to_zero, conditions.error_rate.ap_to_p, rng)

        switching = PerDirection(_count_ones(to_one), _count_ones(to_zero))
        redundant_ones = _count_ones(self.words & words)
        redundant_zeros = words.size * self.bits - redundant_ones - sum(switching)
        ledger = WriteLedger(
            switching=switching,
            redundant=PerDirection(redundant_ones, redundant_zeros),
            failed=PerDirection(_count_ones(failed_to_one), _count_ones(failed_to_zero)),
        )

        stored = words.copy()
        stored.reshape(-1)[where] ^= failed_to_one | failed_to_zero
        stored.flags.writeable = False
        self.words = stored
        self.ledger += ledger
        return ledger


def _sum(a: PerDirection[int], b: PerDirection[int]) -> PerDirection[int]:
    return PerDirection(a.p_to_ap + b.p_to_ap, a.ap_to_p + b.ap_to_p)


def _failing_bits(switching: Words, rate: float, rng: np.random.Generator) -> Words:
    """Draw which of the ones in `switching` fail; the result has a one for each."""
    if rate == 0.0:
        return np.zeros_like(switching)
    bits = np.unpackbits(switching.view(np.uint8)).view(np.bool_)
    places = np.flatnonzero(bits)
    # Independent failures with one rate: their number is binomial, and every set of that size is as
    # likely as any other. This draws a number for each failure instead of one for each bit.
    failures = rng.choice(places, rng.binomial(len(places), rate), replace=False, shuffle=False)
    failed = np.zeros_like(bits)
    failed[failures] = True
    return np.packbits(failed).view(switching.dtype)


def _count_ones(words: Words) -> int:
    # numpy has bitwise_count from version 2 on only; this is as fast.
    return int(np.count_nonzero(np.unpackbits(words.reshape(-1).view(np.uint8))))
