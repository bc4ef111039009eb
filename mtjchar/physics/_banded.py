"""Many pentadiagonal systems at once."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from mtjchar.arrays import BoolArray, FloatArray

# The elimination in blocks takes nearly the same time for any small number of systems. Measured on 170
# points, LAPACK is faster up to about 180 systems.
_FEW = 180


class Factors(Protocol):
    """Factorized systems."""

    def solve(self, right: FloatArray) -> FloatArray:
        """Solve for right-hand sides of shape (points, fields, systems)."""

    def keep(self, systems: BoolArray) -> Factors:
        """Factors of some of the systems."""


def factorize(bands: FloatArray) -> Factors:
    """Factorize 1 + `bands` for all systems, without pivoting between points.

    Parameters
    ----------
    bands : ndarray, shape (5, points, systems)
        Couplings of each point to the points two below, one below, itself, one and two above; zero if
        there is no such point.
    """
    return _Concatenated.of(bands) if bands.shape[2] < _FEW else _Blocks.of(bands)


def transposed(bands: FloatArray) -> FloatArray:
    """Bands of the transposed matrices."""
    result = np.zeros_like(bands)
    points = bands.shape[1]
    for k in range(5):
        offset = k - 2
        rows = slice(max(-offset, 0), points - max(offset, 0))
        columns = slice(max(offset, 0), points + min(offset, 0))
        result[k, rows] = bands[4 - k, columns]
    return result


class _Concatenated(NamedTuple):
    """The systems one after the other: without couplings between them this is one band matrix."""

    bands: FloatArray
    factors: FloatArray
    pivots: npt.NDArray[np.intc]

    @classmethod
    def of(cls, bands: FloatArray) -> _Concatenated:
        size = bands.shape[1] * bands.shape[2]
        stored = np.zeros((7, size), order="F")
        for k, band in enumerate(bands):
            offset = k - 2
            flat = band.T.ravel()
            stored[4 - offset, max(offset, 0) : size + min(offset, 0)] = flat[
                max(-offset, 0) : size - max(offset, 0)
            ]
        stored[4] += 1.0
        factors, pivots, _ = lapack.dgbtrf(stored, 2, 2)
        return cls(bands, factors, pivots)

    def solve(self, right: FloatArray) -> FloatArray:
        points, fields, systems = right.shape
        flat = right.transpose(2, 0, 1).reshape(points * systems, fields)
        x, _ = lapack.dgbtrs(self.factors, 2, 2, flat, self.pivots)
        return np.ascontiguousarray(x.reshape(systems, points, fields).transpose(1, 2, 0))

    def keep(self, systems: BoolArray) -> Factors:
        return factorize(self.bands[:, :, systems])


class _Blocks(NamedTuple):
    """Pairs of points as 2 x 2 blocks, which makes the systems block tridiagonal; all systems together.

    The three last fields have the shape (pairs, 2, 2, systems), with the block's column before its row.
    """

    bands: FloatArray
    lower: FloatArray  # L
    inverse: FloatArray  # D^-1
    upper: FloatArray  # D^-1 U

    @classmethod
    def of(cls, bands: FloatArray) -> _Blocks:
        points, systems = bands.shape[1:]
        pairs = (points + 1) // 2
        padded = np.zeros((5, 2 * pairs, systems))
        padded[:, :points] = bands
        padded[2] += 1.0
        lower, middle, upper = np.zeros((3, pairs, 2, 2, systems))
        for row in range(2):
            for k in range(5):
                # Columns count from the first point of the pair: -2 to 3.
                block, column = divmod(row + k - 2, 2)
                (lower, middle, upper)[block + 1][:, column, row] = padded[k, row::2]
        inverse = np.empty_like(middle)
        for j in range(pairs):
            if j:
                lower[j] = _product(inverse[j - 1], lower[j])
                middle[j] -= _product(upper[j - 1], lower[j])
            (a, c), (b, d) = middle[j]
            inverse[j] = np.stack([d, -c, -b, a]).reshape(2, 2, systems) / (a * d - b * c)
        return cls(bands, lower, inverse, np.einsum("jabn,jbcn->jacn", upper, inverse))

    def solve(self, right: FloatArray) -> FloatArray:
        points, fields, systems = right.shape
        pairs = len(self.lower)
        y = np.zeros((pairs, 2, fields, systems))
        y.reshape(2 * pairs, fields, systems)[:points] = right
        product = np.empty((2, 2, fields, systems))
        lower, upper = self.lower[:, :, :, None], self.upper[:, :, :, None]
        for j in range(1, pairs):
            np.multiply(lower[j], y[j - 1][:, None], out=product)
            y[j] -= product[0]
            y[j] -= product[1]
        first, second = np.moveaxis(self.inverse, 1, 0)[:, :, :, None]
        x: FloatArray = first * y[:, :1] + second * y[:, 1:]
        for j in range(pairs - 2, -1, -1):
            np.multiply(upper[j], x[j + 1][:, None], out=product)
            x[j] -= product[0]
            x[j] -= product[1]
        return x.reshape(2 * pairs, fields, systems)[:points]

    def keep(self, systems: BoolArray) -> Factors:
        if np.count_nonzero(systems) < _FEW:
            return factorize(self.bands[:, :, systems])
        return _Blocks(*(part[..., systems] for part in self))


def _product(first: FloatArray, second: FloatArray) -> FloatArray:
    """Products of 2 x 2 blocks, second times first, with the column before the row."""
    return np.asarray(np.einsum("abn,bcn->acn", first, second))
