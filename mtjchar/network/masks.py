"""Random subsets: choice of failing bits with fewer draws than bits."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import BoolArray, FloatArray, IntArray
from mtjchar.network.encoding import Words

__all__ = ["DENSE", "kinds_at", "ones", "ones_at", "place_shift", "random_ones", "random_places"]

DENSE = 0.15
"""Rate above which a draw for each position is as fast as one for each drawn position."""

_LONGEST_GAP = 1e300  # between positions, on average; a draw of it does not overflow

# Binary digits of a rate that are compared with words of random bits; a double is compared with the rest.
_DIGITS = 7

# For a pair: all planes, and the bit of each.
_ALL = (1 << 16) - 1
_BIT = 1 << np.arange(16, dtype=np.uint16)


def random_places(count: int, rate: float, rng: np.random.Generator) -> IntArray:
    """Draw positions out of `count`, each with the same probability and independently of all others.

    At low rates the gaps between the drawn positions are drawn instead, which are geometric: the time is
    proportional to the number of drawn positions, not to `count`.

    Parameters
    ----------
    count : int
        Number of positions, 0 or more.
    rate : float
        Probability of each, 0 to 1.
    rng : numpy.random.Generator
        Source of the draws; rates of 0 and 1 need none.

    Returns
    -------
    ndarray of int64
        Positions from 0 to `count` - 1, ascending.

    Notes
    -----
    With E exponential of mean 1, floor(E/-ln(1 - rate)) has the geometric distribution of the number of
    skipped positions (L. Devroye, *Non-Uniform Random Variate Generation* (1986), section X.2).
    Double precision limits the probability of a position to about 1e-16 relative.
    """
    if count == 0 or rate <= 0.0:
        return np.empty(0, dtype=np.int64)
    if rate >= 1.0:
        return np.arange(count)
    if rate >= DENSE:
        return np.flatnonzero(rng.random(count) < rate)
    mean_gap = min(-1.0 / math.log1p(-rate), _LONGEST_GAP)
    expected = count * rate
    # Enough except for one of a few thousand cases; those draw more.
    size = int(expected + 3.0 * math.sqrt(expected)) + 2
    parts, last = [], -1
    while last < count:
        gaps = rng.standard_exponential(size)
        gaps *= mean_gap
        # Beyond the end the distance does not matter; int64 could not hold the gaps of the lowest rates.
        np.minimum(gaps, count, out=gaps)
        places = gaps.astype(np.int64)  # rounds down
        places += 1
        places[0] += last
        places.cumsum(out=places)
        last = int(places[-1])
        parts.append(places)
    drawn = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return drawn[: drawn.searchsorted(count)]


def random_ones(words: Words, after: Words, rates: FloatArray, rng: np.random.Generator) -> Words:
    """Draw ones of some words, each with the rate of its plane and direction, independently of all others.

    Parameters
    ----------
    words : ndarray of uint8 or uint16, shape (n,)
        Words whose ones are drawn from.
    after : ndarray of uint8 or uint16, shape (n,)
        Words with the directions: a bit of `words` has the rate of writing 1 if its bit here is 1.
    rates : ndarray of float64, shape (bits or 1, 2)
        Probability, 0 to 1, of a one in each plane (or all) and direction, of writing 1 first.
    rng : numpy.random.Generator
        Source of the draws; how many depends on the rates, the number of words and what is drawn.

    Returns
    -------
    ndarray of uint8 or uint16, shape (n,)
        Words with the drawn ones.

    Notes
    -----
    A bit is drawn if a uniform number is less than its rate. The binary digits of the numbers of all bits are
    compared with those of the rates, the highest first, with one random bit each (L. Devroye, *Non-Uniform
    Random Variate Generation* (1986), chapter XV). The first digit that differs decides, so that half of the
    bits are undecided after each digit. After 7 digits the few undecided bits get a double each, to compare
    with the rest of the rate. Double precision limits the probability to 2**-60 absolute.
    """
    digits = _digits(rates.shape, rates.tobytes(), words.itemsize)
    # Pairs of 8-bit words: finding single words with ones takes longer than one more draw.
    pairs = _pairs(words)
    where = np.flatnonzero(pairs != 0)
    left = pairs.take(where)
    # A bit of these means that a digit of the number equals that of the rate.
    shape = len(digits.turns) - 1, -(-left.nbytes // 8)
    agrees = rng.integers(0, 1 << 64, shape, dtype=np.uint64).view(np.uint16)[:, : left.size]
    drawn, apart, scratch = np.zeros_like(left), np.zeros_like(left), np.empty_like(left)
    for index, turn in enumerate(digits.turns):
        if index:
            left = np.bitwise_and(left, agrees[index - 1], out=agrees[index - 1])
        for total, planes in ((drawn, turn.to_zero), (apart, turn.directions)):
            if planes == _ALL:
                total ^= left
            elif planes:
                total ^= np.bitwise_and(left, planes, out=scratch)
    if digits.directions:
        apart &= _pairs(after).take(where)
        drawn ^= apart
    result = np.zeros_like(pairs)
    result[where] = drawn
    if digits.rest.any():
        place = ones(left)
        place = (where.take(place >> 4) << 4) + (place & 15)
        place = place[rng.random(len(place)) < digits.rest.take(kinds_at(_pairs(after), place))]
        # These have no bit yet: undecided bits are switched as often as they are drawn.
        np.add.at(result, place >> 4, _BIT.take(place & 15))
    return result.view(words.dtype)[: words.size]


class _Turn(NamedTuple):
    """Planes in which undecided bits switch between drawn and not drawn after a digit."""

    to_zero: int
    """For bits that become 0."""
    directions: int
    """Planes in which this differs for bits that become 1."""


class _Digits(NamedTuple):
    """Rates as binary digits, for 16 bits."""

    turns: tuple[_Turn, ...]
    """Before the first digit, and after each."""
    directions: bool
    """Whether they differ in any turn."""
    rest: FloatArray
    """Probability of the undecided bits, by kind, see `kinds_at`."""


@functools.lru_cache(maxsize=64)
def _digits(shape: tuple[int, int], rates: bytes, itemsize: int) -> _Digits:
    """Analyse the rates of some planes, or one for all, for words of this many bytes."""
    length = 8 * itemsize
    word = np.zeros((length, 2))
    word[: length if shape[0] == 1 else shape[0]] = np.frombuffer(rates).reshape(shape)
    table = np.tile(word, (16 // length, 1))
    # No more digits than all rates have. Those of a rate of 1 are all 1, and the rest is certain.
    count = next((n for n in range(_DIGITS) if not np.any(table * 2.0**n % 1.0)), _DIGITS)
    places = np.minimum(np.floor(table * 2.0**count), 2.0**count - 1).astype(np.int64)
    rest = table * 2.0**count - places
    certain = rest == 1.0
    # A bit that digit n decides is drawn if that digit of the rate is 1. It decides for all bits undecided
    # before it except those still undecided after it, and these switch if the next digit is different.
    digits = [places >> count - 1 - n & 1 for n in range(count)]
    turns = [one ^ other for one, other in zip([0 * places, *digits], [*digits, certain], strict=True)]
    weight = 1 << np.arange(16)
    masks = [(int(turn[:, 1] @ weight), int(turn[:, 0] @ weight)) for turn in turns]
    return _Digits(
        tuple(_Turn(zero, zero ^ one) for zero, one in masks),
        any(zero != one for zero, one in masks),
        np.where(certain, 0.0, rest).reshape(-1),
    )


def ones(words: Words) -> IntArray:
    """Return the positions of the ones, ascending, counted through all words from the lowest bit of each."""
    where = np.flatnonzero(words != 0)
    place = np.flatnonzero(np.unpackbits(_bytes(words.take(where)), bitorder="little").view(np.bool_))
    shift = place_shift(words)
    return (where.take(place >> shift) << shift) + (place & ((1 << shift) - 1))


def ones_at(words: Words, place: IntArray) -> BoolArray:
    """Return whether each position, counted as in `ones`, has a one."""
    return _bits(words, place).view(np.bool_)


def kinds_at(after: Words, place: IntArray) -> NDArray[np.uint8]:
    """Return, for bits at some positions, twice the plane, plus 1 if the word after the write has a 0."""
    # The lowest byte of a position has the plane.
    plane = place.astype(np.uint8) & np.uint8(8 * after.itemsize - 1)
    return (plane << np.uint8(1)) + (np.uint8(1) - _bits(after, place))


def place_shift(words: Words) -> int:
    """Binary logarithm of the number of positions in a word."""
    return 2 + words.itemsize


def _pairs(words: Words) -> NDArray[np.uint16]:
    """View 8-bit words as pairs, 16-bit words unchanged."""
    even = words if words.nbytes % 2 == 0 else np.append(words, words.dtype.type(0))
    return even.view(np.uint16)


def _bits(words: Words, place: IntArray) -> NDArray[np.uint8]:
    shifted = _bytes(words).take(place >> 3, mode="wrap") >> (place.astype(np.uint8) & np.uint8(7))
    return shifted & np.uint8(1)


def _bytes(words: Words) -> NDArray[np.uint8]:
    """Bytes of the words, lowest first."""
    return words.astype(words.dtype.newbyteorder("<"), copy=False).view(np.uint8)
