"""Words with check bits: a code that corrects one wrong bit of a block and detects two.

Check bits of a block are sums modulo 2 of its data bits. All columns of the parity-check matrix are
different, of odd weight, and as light as possible: M. Y. Hsiao, IBM J. Res. Dev. 14, 395 (1970),
doi:10.1147/rd.144.0395. For 64 data bits these are 8 check bits.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from mtjchar.arrays import IntArray
from mtjchar.network.encoding import Words
from mtjchar.network.planes import count_ones

__all__ = ["BLOCK_BITS", "CheckBits", "allowed_error_rate", "parity_check_columns"]

BLOCK_BITS = 64
"""Most data bits of a block."""


def parity_check_columns(data_bits: int) -> IntArray:
    """Return the check bits to which each data bit contributes.

    Parameters
    ----------
    data_bits : int
        1 to 64.

    Returns
    -------
    ndarray of int64, shape (data_bits,)
        For each data bit a number whose binary digits are the check bits; at least three of them are 1, an
        odd number. No two numbers are equal.

    Examples
    --------
    >>> [f"{column:04b}" for column in parity_check_columns(4)]
    ['0111', '1011', '1101', '1110']
    """
    check_bits = 3
    while _columns_of(check_bits) < data_bits:
        check_bits += 1
    columns: list[int] = []
    for weight in range(3, check_bits + 1, 2):
        for ones in combinations(range(check_bits), weight):
            columns.append(sum(1 << one for one in ones))
            if len(columns) == data_bits:
                return np.array(columns, dtype=np.int64)
    raise AssertionError("there are as many columns as were counted")


def _columns_of(check_bits: int) -> int:
    """Columns of odd weight other than those of the check bits themselves."""
    return int(2 ** (check_bits - 1) - check_bits)


def allowed_error_rate(reliable: float, data_bits: int = BLOCK_BITS) -> float:
    """Return the error rate of a pulse at which corrected blocks are as reliable as bits without check bits.

    If all bits of a block have to switch, two or more of them fail with the probability that at least
    one of `data_bits` bits fails at the rate `reliable`. A block in which fewer bits switch is more
    reliable.

    Parameters
    ----------
    reliable : float
        Required error rate of a bit, above 0 and below 0.01.
    data_bits : int
        Data bits of a block, 1 to 64.

    Returns
    -------
    float

    Examples
    --------
    >>> round(1e6 * allowed_error_rate(1e-9), 2)
    5.0
    """
    bits = data_bits + _check_bits(data_bits)
    wanted = -np.expm1(data_bits * np.log1p(-reliable))

    def excess(log_rate: float) -> float:
        return float(np.log(binom.sf(1, bits, np.exp(log_rate))) - np.log(wanted))

    return float(np.exp(brentq(excess, np.log(reliable) - 1.0, np.log(0.5))))


def _check_bits(data_bits: int) -> int:
    return int(parity_check_columns(data_bits).max()).bit_length()


class CheckBits:
    """The check bits of words in a memory, and how often they change.

    Consecutive words form a block, as many as fit into `BLOCK_BITS`; the last block is padded with zeros.

    Parameters
    ----------
    words : ndarray of uint8 or uint16
        Initial content of the memory.
    bits : int
        Bits per word, 1 to 16.

    Attributes
    ----------
    cells : int
        Number of check bits.
    switching, redundant : ndarray of int64, shape (2,)
        Check bits that had to switch in all writes so far, and others; those to 1 first.
    """

    def __init__(self, words: Words, bits: int) -> None:
        self._words_of_block = BLOCK_BITS // bits
        columns = parity_check_columns(self._words_of_block * bits).reshape(self._words_of_block, bits)
        values = np.arange(1 << bits)
        ones = (values[:, np.newaxis] >> np.arange(bits)) & 1
        # Check bits that each value of each word of a block contributes, shape (words of a block, values).
        self._tables = np.bitwise_xor.reduce(columns[:, np.newaxis] * ones, axis=-1).astype(np.uint8)
        self._check_bits = int(columns.max()).bit_length()
        self._checks = self._of(words)
        self.cells = self._check_bits * len(self._checks)
        self.switching, self.redundant = np.zeros((2, 2), dtype=np.int64)

    @staticmethod
    def data_bits(bits: int) -> int:
        """Count the data bits of a block of words of `bits` bits."""
        return BLOCK_BITS // bits * bits

    def write(self, words: Words) -> None:
        """Count the changes of the check bits when all of these words are written."""
        before, after = self._checks, self._of(words)
        changed = before ^ after
        rising, ones = self._count(changed & after), self._count(after)
        falling = self._count(changed & before)
        self.switching += rising, falling
        self.redundant += ones - rising, self.cells - ones - falling
        self._checks = after

    def _count(self, checks: Words) -> int:
        return int(count_ones(checks, self._check_bits).sum())

    def _of(self, words: Words) -> Words:
        flat = words.reshape(-1)
        padded = np.zeros(-(-flat.size // self._words_of_block) * self._words_of_block, dtype=flat.dtype)
        padded[: flat.size] = flat
        blocks = padded.reshape(-1, self._words_of_block)
        checks: Words = self._tables[0].take(blocks[:, 0])
        for table, column in zip(self._tables[1:], blocks.T[1:], strict=True):
            checks = checks ^ table.take(column)
        return checks
