"""Monotone cubics along an axis, and linear interpolation on a grid, in numpy alone.

They give the numbers of scipy's ``PchipInterpolator`` and ``RegularGridInterpolator`` to the bit, as a test
holds. To load `scipy.interpolate` takes 0.6 s, twice as long as all the rest of a question to a surface.

References
----------
F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5, 300 (1984), doi:10.1137/0905021 (slopes).
C. Moler, Numerical Computing with MATLAB (2004), section 3.6 (slopes at the ends).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray, IndexArray

__all__ = ["GridInterpolator", "cubic_beside_valleys", "monotone_cubic", "straight_or_cubic"]


def monotone_cubic(knots: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Interpolate along the last axis by cubics that are monotone wherever the values are.

    Parameters
    ----------
    knots : ndarray, shape (knots,)
        Ascending, two or more.
    values : ndarray, shape (..., knots)
        Finite.
    at : ndarray, shape (points,)
        Beyond the knots the cubic of the last interval goes on.

    Returns
    -------
    ndarray, shape (..., points)
    """
    width = np.diff(knots)
    secant = np.diff(values, axis=-1) / width
    slope = _slopes(width, secant)
    excess = (slope[..., :-1] + slope[..., 1:] - 2 * secant) / width
    coefficients = (
        values[..., :-1],
        slope[..., :-1],
        (secant - slope[..., :-1]) / width - excess,
        excess / width,
    )
    interval = _interval(knots, at)
    power, step = np.ones_like(at), at - knots[interval]
    total = np.zeros((*values.shape[:-1], len(at)))
    for coefficient in coefficients:
        total = total + coefficient[..., interval] * power
        power = power * step
    return total


def straight_or_cubic(knots: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Interpolate along the last axis by `monotone_cubic` or a straight line, whichever is higher.

    Parameters and result are those of `monotone_cubic`.

    Notes
    -----
    Where two straight lines meet in a valley between two knots, the straight line is too high there. The
    cubic has a slope of 0 at the lowest knot and is too low beside it.
    """
    interval = _interval(knots, at)
    share = (at - knots[interval]) / (knots[interval + 1] - knots[interval])
    straight = values[..., interval] * (1.0 - share) + values[..., interval + 1] * share
    return np.maximum(straight, monotone_cubic(knots, values, at))


def cubic_beside_valleys(knots: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Interpolate along the last axis by `monotone_cubic`, and by `straight_or_cubic` beside turning points.

    Parameters and result are those of `monotone_cubic`. Where values rise or fall through both ends of an
    interval, the cubic is taken, which follows their curvature.
    """
    cubic = monotone_cubic(knots, values, at)
    if len(knots) < 3:
        return cubic
    rising = np.sign(np.diff(values, axis=-1))
    turns = rising[..., 1:] * rising[..., :-1] < 0.0
    none = np.zeros((*values.shape[:-1], 1), dtype=np.bool_)
    beside = np.concatenate([none, turns], axis=-1) | np.concatenate([turns, none], axis=-1)
    return np.where(beside[..., _interval(knots, at)], straight_or_cubic(knots, values, at), cubic)


def _slopes(width: FloatArray, secant: FloatArray) -> FloatArray:
    """Slopes at the knots, shape (..., knots): weighted harmonic means of the secants on both sides."""
    if secant.shape[-1] == 1:
        return np.repeat(secant, 2, axis=-1)
    before, after = secant[..., :-1], secant[..., 1:]
    weight_before, weight_after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = (weight_before / before + weight_after / after) / (weight_before + weight_after)
        inner = 1.0 / inverse
    turning = (np.sign(before) != np.sign(after)) | (before == 0.0) | (after == 0.0)
    ends = [
        _end_slope(width[0], width[1], secant[..., 0], secant[..., 1]),
        _end_slope(width[-1], width[-2], secant[..., -1], secant[..., -2]),
    ]
    return np.concatenate([ends[0][..., None], np.where(turning, 0.0, inner), ends[1][..., None]], axis=-1)


def _end_slope(
    width: np.float64, next_width: np.float64, secant: FloatArray, next_secant: FloatArray
) -> FloatArray:
    """Slope at an end, from three points, kept within what is monotone."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    wrong = np.sign(slope) != np.sign(secant)
    steep = (np.sign(secant) != np.sign(next_secant)) & (np.abs(slope) > 3.0 * np.abs(secant))
    return np.where(wrong, 0.0, np.where(steep, 3.0 * secant, slope))


class GridInterpolator:
    """Linear interpolation between points of a rectangular grid; beyond it the last cell goes on.

    Parameters
    ----------
    rows, columns : ndarray, shapes (rows,) and (columns,)
        Ascending, two or more of each.
    values : ndarray, shape (rows, columns) or (rows, columns, tables)
    """

    def __init__(self, rows: FloatArray, columns: FloatArray, values: npt.ArrayLike) -> None:
        self.rows, self.columns = rows, columns
        self.values = np.asarray(values, dtype=np.float64)

    def __call__(self, row: FloatArray, column: FloatArray) -> FloatArray:
        """Return the values at points whose coordinates are given by two arrays of one shape."""
        i, j = _interval(self.rows, row), _interval(self.columns, column)
        y = (row - self.rows[i]) / (self.rows[i + 1] - self.rows[i])
        z = (column - self.columns[j]) / (self.columns[j + 1] - self.columns[j])
        corners = (i, j, 1 - y, 1 - z), (i, j + 1, 1 - y, z), (i + 1, j, y, 1 - z), (i + 1, j + 1, y, z)
        if self.values.ndim == 2:
            terms = [self.values[k, m] * u * v for k, m, u, v in corners]
        else:  # in the order in which scipy multiplies
            terms = [self.values[k, m] * (u * v)[..., None] for k, m, u, v in corners]
        return np.asarray(terms[0] + terms[1] + terms[2] + terms[3])


def _interval(knots: FloatArray, at: FloatArray) -> IndexArray:
    """Return the number of the interval that each point lies in, or that is nearest."""
    return np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
