"""Numbers as words of a few bits: fixed point in two's complement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjchar.errors import InputError

Words = NDArray[np.unsignedinteger[Any]]
"""Words of up to 8 or up to 16 bits, one in each element, in the low bits."""


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point code: 2**bits equally spaced levels, two's complement words.

    Level k, -2**(bits-1) <= k < 2**(bits-1), stands for the value k * `lsb`. The range is thus
    [-full_scale, full_scale - lsb]; values outside saturate at its ends.

    Attributes
    ----------
    bits : int
        Bits a word, 4 to 16.
    full_scale : float
        Magnitude of the lowest value, 1e-6 to 1e6. With a power of two all levels are exact in
        binary floating point; otherwise they carry its rounding, 6e-8 relative in float32.

    Raises
    ------
    InputError
        If `bits` or `full_scale` is out of range.
    """

    bits: int = 8
    full_scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int) or isinstance(self.bits, bool) or not 4 <= self.bits <= 16:
            raise InputError("bits", value=self.bits, allowed="an integer from 4 to 16")
        if not (math.isfinite(self.full_scale) and 1e-6 <= self.full_scale <= 1e6):
            raise InputError("full_scale", value=self.full_scale, allowed="a number from 1e-6 to 1e6")

    @property
    def lsb(self) -> float:
        """Distance of neighbouring levels, in units of the values."""
        return self.full_scale / self._half

    @property
    def word_dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Type of the words: uint8 up to 8 bits, else uint16."""
        return np.dtype(np.uint8) if self.bits <= 8 else np.dtype(np.uint16)

    def encode(self, values: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> Words:
        """Round values to levels and give their words.

        Stochastic rounding goes up with a probability equal to the distance from the level below, in
        lsb, so that the expected value of the result is the value itself within the range; steps of
        less than a level are not lost on average (S. Gupta et al., "Deep Learning with Limited
        Numerical Precision", ICML 2015, arXiv:1502.02551). float32 values are rounded in float32,
        all others in float64.

        Parameters
        ----------
        values : array_like of float
            Values, any shape; infinities saturate.
        rng : numpy.random.Generator, optional
            With it, stochastic rounding, one uniform draw a value whatever the values are; without,
            to the nearest level, ties to the even one.

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
        dtype = np.float32 if values.dtype == np.float32 else np.float64
        levels = np.clip(np.divide(values, self.lsb, dtype=dtype), -self._half, self._half - 1)
        if np.isnan(levels).any():
            raise InputError(
                "values to encode",
                value=float("nan"),
                allowed="numbers",
                remedy="Look for a division by zero or an overflow where they come from.",
            )
        if rng is None:
            rounded = np.rint(levels)
        else:
            # Compared with the fraction, not added to the value: a value that is a level must stay one,
            # and the sum could be rounded up to the next.
            rounded = np.floor(levels)
            rounded += rng.random(levels.shape, dtype=dtype) < levels - rounded
        words: Words = self._words_of_levels.take(rounded.astype(np.intp) + self._half)
        return words

    def decode(self, words: Words) -> NDArray[np.float32]:
        """Give the values that words stand for.

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
        return self._values_of_words.take(check_words(words, self.bits))

    @property
    def _half(self) -> int:
        return 1 << (self.bits - 1)

    # The code is these two tables; rounding and scaling around them know nothing of it.

    @cached_property
    def _words_of_levels(self) -> Words:
        """Words in the order of their levels, lowest first."""
        levels = np.arange(-self._half, self._half)
        return (levels % (1 << self.bits)).astype(self.word_dtype)

    @cached_property
    def _values_of_words(self) -> NDArray[np.float32]:
        """Value of each word, in the order of the words."""
        values = np.empty(1 << self.bits, dtype=np.float32)
        values[self._words_of_levels] = np.arange(-self._half, self._half) * self.lsb
        return values


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
    largest = int(words.max(initial=0))
    if largest >= 1 << bits:
        raise InputError("word", value=largest, allowed=f"0 to {(1 << bits) - 1}, for {bits} bits")
    return words
