"""Power series through the points of load lines, and their change on the edges of a pulse."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev

from mtjchar.arrays import FloatArray

__all__ = ["power_series", "shaped"]

_FIT = 1e-4  # of the largest value: allowed deviation of a series from the points of a load line


def power_series(cosine: FloatArray, values: FloatArray) -> FloatArray:
    """Coefficients (terms, lines) of the shortest power series through the points (lines, points)."""
    allowed = _FIT * np.abs(values).max(axis=1)
    for degree in range(1, len(cosine)):
        coefficients = chebyshev.chebfit(cosine, values.T, degree)
        if np.all(np.abs(chebyshev.chebval(cosine, coefficients) - values).max(axis=1) <= allowed):
            break
    powers = [np.pad(chebyshev.cheb2poly(row), (0, degree - k)) for k, row in enumerate(np.eye(degree + 1))]
    return np.asarray(np.transpose(powers) @ coefficients, dtype=np.float64)


def shaped(series: FloatArray, shape: FloatArray) -> FloatArray:
    """Multiply a series by a ratio to the plateau, (amplitudes, 2 or 3): in P, in AP, optionally halfway."""
    mean, half = 0.5 * (shape[:, 0] + shape[:, 1]), 0.5 * (shape[:, 0] - shape[:, 1])
    linear = np.pad(series * mean, ((0, 1), (0, 0))) + np.pad(series * half, ((1, 0), (0, 0)))
    if shape.shape[1] == 2:
        return np.asarray(linear)
    bend = series * (shape[:, 2] - mean)
    return np.asarray(
        np.pad(linear, ((0, 1), (0, 0))) + np.pad(bend, ((0, 2), (0, 0))) - np.pad(bend, ((2, 0), (0, 0)))
    )
