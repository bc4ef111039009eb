"""Numbers as words of a few bits: fixed point in one of four codes.

Level k of a fixed-point number represents the value k lsb. A code assigns a word to each level:

===================  ====================================  =============================================
code                 word of level k, of b bits            bits that a step from k to k + 1 changes
===================  ====================================  =============================================
``twos_complement``  k modulo 2**b                         two bits on average, all of them from -1 to 0
``offset_binary``    k + 2**(b-1)                          as two's complement, whose highest bit it inverts
``sign_magnitude``   abs(k), and the highest bit if k < 0  few bits near zero, where most weights are
``gray``             n ^ (n >> 1), n = k + 2**(b-1)        one bit
===================  ====================================  =============================================

The Gray code is the reflected binary code (F. Gray, "Pulse code communication", US patent 2632058, 1953).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mtjchar.errors import InputError

__all__ = ["CODES", "Code", "FixedPoint", "Words", "check_words"]

Words = NDArray[np.unsignedinteger[Any]]
"""Words of up to 8 or up to 16 bits, one in each element, in the low bits."""

Code = Literal["twos_complement", "offset_binary", "sign_magnitude", "gray"]
CODES: tuple[Code, ...] = get_args(Code)

# Lowest bits of the rounding noise, which all values of a call share.
_SHARED_BITS = 6


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point code: equally spaced levels, a word for each.

    Level k, -2**(bits-1) <= k < 2**(bits-1), represents the value k * `lsb`. The range is thus
    [-full_scale, full_scale - lsb]; values outside saturate at its ends. In sign-magnitude there is no
    level -2**(bits-1), and the word of "minus zero", which a failed write can leave, has the value 0.

    Attributes
    ----------
    bits : int
        Bits per word, 2 to 16.
    full_scale : float
        Magnitude of the lowest value, 1e-6 to 1e6. With a power of two all levels are exact in
        binary floating point; otherwise they carry its rounding, 6e-8 relative in float32.
    code : {"twos_complement", "offset_binary", "sign_magnitude", "gray"}
        The assignment of words to levels.

    Raises
    ------
    InputError
        If `bits` or `full_scale` is out of range, or `code` is not one of the four.
    """

    bits: int = 8
    full_scale: float = 1.0
    code: Code = "twos_complement"

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int) or isinstance(self.bits, bool) or not 2 <= self.bits <= 16:
            raise InputError("bits", value=self.bits, allowed="an integer from 2 to 16")
        if not (math.isfinite(self.full_scale) and 1e-6 <= self.full_scale <= 1e6):
            raise InputError("full_scale", value=self.full_scale, allowed="a number from 1e-6 to 1e6")
        if self.code not in CODES:
            raise InputError("code", value=self.code, allowed=" or ".join(map(repr, CODES)))

    @property
    def lsb(self) -> float:
        """Distance of neighbouring levels, in units of the values."""
        return self.full_scale / self._half

    @property
    def word_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Type of the words: uint8 up to 8 bits, else uint16."""
        return np.dtype(np.uint8) if self.bits <= 8 else np.dtype(np.uint16)

    def encode(self, values: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> Words:
        """Round values to levels and return their words.

        Stochastic rounding goes up with a probability equal to the distance from the level below, in lsb, so
        that the expected value of the result is the value itself within the range. Steps of less than a level
        are therefore not lost on average (S. Gupta et al., "Deep Learning with Limited Numerical Precision",
        ICML 2015, arXiv:1502.02551). That distance is counted in steps of 2**-14 for words of up to 8 bits,
        of 2**-22 for longer ones; values nearer than half a step to a level become that level. float32 values
        are converted to words of up to 8 bits in float32, which raises the probability by 2**-17 to 2**-16;
        all others are rounded in float64.

        Each value has 8 random bits, or 16 for words of more than 8 bits, and all values of a call share 6
        lower random bits. For given shared bits the values are rounded independently. The shared bits move
        the expected values of all together, by less than half of 2**-8 lsb, or 2**-16.

        Parameters
        ----------
        values : array_like of float
            Values, any shape; infinities saturate.
        rng : numpy.random.Generator, optional
            With it, stochastic rounding, with the same number of draws for all values; without,
            rounding to the nearest level, ties to the even one.

        Returns
        -------
        ndarray of uint8 or uint16
            Words, shape of `values`.

        Raises
        ------
        InputError
            If a value is not a number.
        """
        values = np.asarray(values)
        flat = values.reshape(-1)
        places = self._nearest(flat) if rng is None else self._stochastic(flat, rng)
        if self.code == "twos_complement":
            words: Words = places ^ self.word_dtype.type(self._half)
        elif self.code == "gray":
            words = places ^ (places >> places.dtype.type(1))
        elif self.code == "offset_binary":
            words = places
        else:
            # "wrap" avoids numpy's check of the indices.
            words = _tables(self.bits, self.code).words.take(places, mode="wrap")
        return words.reshape(values.shape)

    def _nearest(self, values: NDArray[Any]) -> Words:
        """Round to levels, counted from -2**(bits-1) on."""
        levels = self._scaled(values, 1.0)
        np.rint(levels, out=levels)
        levels += self._half
        return levels.astype(self.word_dtype)

    def _stochastic(self, values: NDArray[Any], rng: np.random.Generator) -> Words:
        # A level and its fraction are stored in one integer of twice the length of a word.
        length = 8 * self.word_dtype.itemsize
        scaled = self._scaled(values, 2.0**length)
        # Neither 0 nor 1: a level of up to 8 bits, whose scaled value is rounded too, is unchanged for any
        # random bits.
        shared = (int(rng.integers(0, 1 << _SHARED_BITS)) + 0.5) / (1 << _SHARED_BITS)
        # Above 0, so that the conversion to integers rounds down.
        scaled += self._half * 2.0**length + shared
        places: Words = scaled.astype(np.uint16 if self.bits <= 8 else np.uint32)
        places += _random_words(places.size, self.word_dtype, rng)
        places >>= length
        return places.astype(self.word_dtype)

    def _scaled(self, values: NDArray[Any], unit: float) -> NDArray[np.floating[Any]]:
        """Return the values as multiples of lsb/unit, within the range."""
        # float32 can hold the 16 bits of a short word's level and fraction, and those of the shared noise.
        dtype = np.float32 if values.dtype == np.float32 and self.bits <= 8 else np.float64
        # The same lsb as for decoded values: with another one they would creep from write to write.
        lsb = float(np.float32(self.lsb))
        with np.errstate(over="ignore"):  # saturates, like an infinity
            scaled: NDArray[np.floating[Any]] = np.multiply(values, unit / lsb, dtype=dtype)
        if np.isnan(scaled.max(initial=-np.inf)):
            raise InputError(
                "values to encode",
                value=float("nan"),
                allowed="numbers",
                remedy="Look for a division by zero or an overflow where they come from.",
            )
        np.clip(scaled, self._lowest * unit, (self._half - 1) * unit, out=scaled)
        return scaled

    def decode(self, words: Words) -> NDArray[np.float32]:
        """Return the values of words.

        Parameters
        ----------
        words : ndarray of uint8 or uint16
            Words below 2**bits, any shape, of type `word_dtype`.

        Returns
        -------
        ndarray of float32
            Values, shape of `words`.

        Raises
        ------
        InputError
            If `words` are of another type or have bits beyond `bits`.
        """
        words = check_words(words, self.bits)
        if self.code == "sign_magnitude":
            values: NDArray[np.float32] = self.values.take(words, mode="wrap")
            return values
        # Two's complement with the sign at the top is the machine's own integer, faster than a table.
        flat = words.reshape(-1)
        if self.code == "gray":
            # Each bit of the position of a level is the sum of the bits from there on.
            shift = 1
            while shift < self.bits:
                flat = flat ^ (flat >> flat.dtype.type(shift))
                shift *= 2
        if self.code != "twos_complement":
            flat = flat ^ flat.dtype.type(self._half)
        spare = 8 * words.dtype.itemsize - self.bits
        signed = flat * flat.dtype.type(1 << spare) if spare else flat
        levels = signed.view(f"i{flat.dtype.itemsize}").astype(np.float32)
        levels *= np.float32(self.lsb * 0.5**spare)
        return levels.reshape(words.shape)

    @functools.cached_property
    def values(self) -> NDArray[np.float32]:
        """Value of each word, in the order of the words."""
        return _tables(self.bits, self.code).levels * np.float32(self.lsb)

    @property
    def _half(self) -> int:
        return 1 << (self.bits - 1)

    @property
    def _lowest(self) -> int:
        """Lowest level with a word."""
        return 1 - self._half if self.code == "sign_magnitude" else -self._half


class _Tables:
    """A code as two tables; rounding and scaling do not depend on them."""

    def __init__(self, bits: int, code: Code) -> None:
        half = 1 << (bits - 1)
        level = np.arange(-half, half)
        place = level + half
        word = {
            "twos_complement": level % (2 * half),
            "offset_binary": place,
            "sign_magnitude": np.where(level < 0, half | -np.maximum(level, 1 - half), level),
            "gray": place ^ (place >> 1),
        }[code]
        self.words: Words = word.astype(np.uint8 if bits <= 8 else np.uint16)
        self.levels = np.zeros(2 * half, dtype=np.float32)
        self.levels[word] = level
        if code == "sign_magnitude":
            self.levels[word[0]] = 1 - half  # the word without a level


@functools.cache
def _tables(bits: int, code: Code) -> _Tables:
    return _Tables(bits, code)


def _random_words(count: int, dtype: np.dtype[np.unsignedinteger[Any]], rng: np.random.Generator) -> Words:
    """Draw words of random bits, as many at a time as fit into 64."""
    drawn = rng.integers(0, 1 << 64, -(-count * dtype.itemsize // 8), dtype=np.uint64)
    return drawn.view(dtype)[:count]


def check_words(words: Words, bits: int) -> Words:
    """Return `words`, as an array, if they are words of `bits` bits.

    Parameters
    ----------
    words : ndarray of uint8 or uint16
        uint8 for `bits` up to 8, else uint16; any shape.
    bits : int
        Bits a word, 1 to 16.

    Returns
    -------
    ndarray of uint8 or uint16
        The same array.

    Raises
    ------
    InputError
        If the type is another or a word is 2**bits or larger.
    """
    words = np.asarray(words)
    dtype = np.dtype(np.uint8) if bits <= 8 else np.dtype(np.uint16)
    if words.dtype != dtype:
        raise InputError("type of the words", value=str(words.dtype), allowed=f"{dtype}, for {bits} bits")
    spare = 8 * dtype.itemsize - bits
    if spare and (largest := int(words.max(initial=0))) >= 1 << bits:
        raise InputError("word", value=largest, allowed=f"0 to {(1 << bits) - 1}, for {bits} bits")
    return words
