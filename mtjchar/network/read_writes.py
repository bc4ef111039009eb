"""Writes whose reads can be wrong: read-before-write, and reads after the pulses."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray, IntArray
from mtjchar.network.encoding import Words
from mtjchar.network.failures import Failures, draw_failures
from mtjchar.network.ledger import WriteConditions, WrongReads
from mtjchar.network.planes import count_ones

__all__ = ["ReadWrite", "draw_bits", "draw_places", "flips_of", "write_by_reads"]


class ReadWrite(NamedTuple):
    """Result of a write.

    Attributes
    ----------
    stored : ndarray of uint8 or uint16
        Words after the write.
    found : ndarray of uint8 or uint16
        Words when the first pulse came, after the read before it.
    retried, failed : ndarray of int64, shape (bits, 2)
        See `mtjchar.network.ledger.WriteLedger`.
    wrong_reads : WrongReads
    first_flips : ndarray of int64, shape (bits, 2)
        Bits that the read before the write flipped: those that became 1, then those that became 0.
    """

    stored: Words
    found: Words
    retried: IntArray
    failed: IntArray
    wrong_reads: WrongReads
    first_flips: IntArray


def write_by_reads(
    before: Words,
    after: Words,
    conditions: WriteConditions,
    bits: int,
    pulse: Callable[[Words], Words],
    rng: np.random.Generator,
) -> ReadWrite:
    """Write words as the cells are written: what is driven, and how often, is decided by what is read.

    Parameters
    ----------
    before, after : ndarray of uint8 or uint16, shape (n,)
        Stored words, and those to write.
    conditions : WriteConditions
    bits : int
        Bits per word.
    pulse : callable
        Drives all ones of some words, which are bits that have not their value of `after`; returns those that
        do not switch.
    rng : numpy.random.Generator
        Source of wrong reads and flips; rates of 0 draw nothing.

    Returns
    -------
    ReadWrite

    Notes
    -----
    For each bit:

    1. With read-before-write it is read. The read may be wrong, and may flip the bit afterwards. The bit is
       driven if the read value is not the one to write.
    2. A pulse drives it. It switches, with the pulse's error rate, if it has not the written value.
    3. With retries it is read again, in the same way. It returns to 2 if the read value is wrong and a pulse
       is left.
    """
    reads = conditions.reads
    driven = np.full_like(after, (1 << bits) - 1)
    found, first_flips = before, np.zeros((bits, 2), dtype=np.int64)
    if conditions.read_before_write:
        misread = draw_bits(driven, before, reads.error_rate, bits, rng)
        flips = draw_bits(driven, before, reads.disturb_rate, bits, rng)
        driven = before ^ misread ^ after
        found, first_flips = before ^ flips, flips_of(flips, before, bits)
    wrong = found ^ after
    skipped = _by_direction(wrong & ~driven, after, bits)
    needless, retried, stopped = np.zeros((3, bits, 2), dtype=np.int64)
    disturbed = first_flips.copy()
    for attempt in range(conditions.retries + 1):
        needed = wrong & driven
        if attempt:
            retried += _by_direction(needed, after, bits)
        if attempt or conditions.read_before_write:
            needless += _by_direction(driven & ~wrong, after, bits)
        wrong = wrong ^ needed ^ pulse(needed)
        if not conditions.retries:
            break
        state, read = after ^ wrong, driven
        if attempt < conditions.retries:  # the value of the last read has no effect
            misread = draw_bits(read, state, reads.error_rate, bits, rng)
            stopped += _by_direction(misread & wrong, after, bits)
            driven = read & (wrong ^ misread)
        flips = draw_bits(read, state, reads.disturb_rate, bits, rng)
        disturbed += flips_of(flips, state, bits)
        wrong = wrong ^ flips
    failed = _by_direction(wrong, after, bits)
    effects = WrongReads(skipped, needless, stopped, disturbed)
    return ReadWrite(after ^ wrong, found, retried, failed, effects, first_flips)


def draw_bits(words: Words, state: Words, rate: npt.ArrayLike, bits: int, rng: np.random.Generator) -> Words:
    """Draw ones of some words, each with the rate of its state, independently of all others.

    Parameters
    ----------
    words, state : ndarray of uint8 or uint16, shape (n,)
        Words whose ones are drawn from, and the stored words.
    rate : array_like of float, shape (2,)
        Probability of bits in state 0 and in state 1.
    bits : int
        Bits per word.
    rng : numpy.random.Generator
        Source of the draws; rates of 0 draw nothing.

    Returns
    -------
    ndarray of uint8 or uint16, shape (n,)
    """
    if not np.any(rate):
        return np.zeros_like(words)
    return draw_places(words, state, rate, bits, rng).words(words)


def draw_places(
    words: Words, state: Words, rate: npt.ArrayLike, bits: int, rng: np.random.Generator
) -> Failures:
    """Draw as `draw_bits`, and return the positions."""
    rates: FloatArray = np.asarray(rate)[np.newaxis, ::-1]  # of bits in state 1 first
    return draw_failures(words, state, np.ascontiguousarray(rates), rng, bits)


def flips_of(flips: Words, state: Words, bits: int) -> IntArray:
    """Count flipped bits that become 1, and those that become 0; shape (bits, 2)."""
    return _by_direction(flips, ~state, bits)


def _by_direction(words: Words, after: Words, bits: int) -> IntArray:
    """Count the ones of `words` in each plane: those that are ones of `after`, and the others."""
    if not words.any():  # most often, at low rates
        return np.zeros((bits, 2), dtype=np.int64)
    both, to_one = count_ones(words, bits), count_ones(words & after, bits)
    return np.stack([to_one, both - to_one], axis=1)
