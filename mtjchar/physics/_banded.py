"""Many pentadiagonal systems at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

FloatArray = npt.NDArray[np.float64]
Solve = Callable[[FloatArray], FloatArray]

# The recurrence costs the same for any few systems; measured on 170 points LAPACK is faster up to some 220.
_FEW = 220


def factorize(bands: FloatArray) -> Solve:
    """Factorize 1 + `bands` for all systems.

    Parameters
    ----------
    bands : ndarray, shape (5, points, systems)
        Couplings of each point to the points two below, one below, itself, one and two above; zero where
        there is no such point.

    Returns
    -------
    callable
        Takes right-hand sides of shape (points, fields, systems) and returns the solutions.
    """
    return _one_band_matrix(bands) if bands.shape[2] < _FEW else _recurrence(bands)


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


def _one_band_matrix(bands: FloatArray) -> Solve:
    """Set the systems one after the other: without couplings between them that is one band matrix."""
    _, points, systems = bands.shape
    size = points * systems
    stored = np.zeros((7, size), order="F")
    for k, band in enumerate(bands):
        offset = k - 2
        flat = band.T.ravel()
        stored[4 - offset, max(offset, 0) : size + min(offset, 0)] = flat[
            max(-offset, 0) : size - max(offset, 0)
        ]
    stored[4] += 1.0
    factors, pivots, _ = lapack.dgbtrf(stored, 2, 2)

    def solve(right: FloatArray) -> FloatArray:
        fields = right.shape[1]
        flat = right.transpose(2, 0, 1).reshape(size, fields)
        x, _ = lapack.dgbtrs(factors, 2, 2, flat, pivots)
        return np.ascontiguousarray(x.reshape(systems, points, fields).transpose(1, 2, 0))

    return solve


def _recurrence(bands: FloatArray) -> Solve:
    """Eliminate point by point in all systems together, without pivoting."""
    low2, low1, diagonal, up1, up2 = bands.copy()
    diagonal += 1.0
    for j in range(len(diagonal)):
        if j >= 2:
            low2[j] /= diagonal[j - 2]
            low1[j] -= low2[j] * up1[j - 2]
            diagonal[j] -= low2[j] * up2[j - 2]
        if j >= 1:
            low1[j] /= diagonal[j - 1]
            diagonal[j] -= low1[j] * up1[j - 1]
            up1[j] -= low1[j] * up2[j - 1]
    inverse = 1.0 / diagonal

    def solve(right: FloatArray) -> FloatArray:
        x = right.copy()
        product = np.empty_like(x[0])
        for j in range(1, len(x)):
            x[j] -= np.multiply(low1[j], x[j - 1], out=product)
            if j >= 2:
                x[j] -= np.multiply(low2[j], x[j - 2], out=product)
        x[-1] *= inverse[-1]
        for j in range(len(x) - 2, -1, -1):
            x[j] -= np.multiply(up1[j], x[j + 1], out=product)
            if j + 2 < len(x):
                x[j] -= np.multiply(up2[j], x[j + 2], out=product)
            x[j] *= inverse[j]
        return x

    return solve
