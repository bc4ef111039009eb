"""Minimum of a deviance: Levenberg-Marquardt steps with batched derivatives, and the remaining distance.

References
----------
.. [1] F. James, M. Roos, Comput. Phys. Commun. 10, 343 (1975), doi:10.1016/0010-4655(75)90039-9: MINUIT and
   its estimated distance to the minimum.
.. [2] M. A. Branch, T. F. Coleman, Y. Li, SIAM J. Sci. Comput. 21, 1 (1999), doi:10.1137/S1064827595289108.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from mtjchar.arrays import BoolArray, FloatArray

__all__ = ["Minimum", "Residuals", "distance_left", "inverse", "jacobian", "minimize", "one_sided"]

Residuals = Callable[[FloatArray], FloatArray]

_STEP = 1e-2  # of a derivative, in natural sizes; third differences are below 1e-4 of first ones
_TOLERANCE = 1e-9  # relative, of the sum of squares and of a step
_MOST = 100  # evaluations of the residuals
_AT_BOUND = 1e-6  # of the distance between the bounds
_FLAT = 1e-100
_LEAST_STRENGTH = 1e-14  # of the information along a combination of parameters, over the largest: rounding


class Minimum(NamedTuple):
    """The minimum of a sum of squares.

    Attributes
    ----------
    vector : ndarray, shape (parameters,)
    square : float
        Sum of squares of the residuals.
    jacobian : ndarray, shape (rows, parameters that are not held)
    distance : float
        Estimated distance to the minimum in units of the sum of squares: the amount by which a Gauss-Newton
        step would lower it [1]_. Parameters at a bound that the step would cross do not count.
    """

    vector: FloatArray
    square: float
    jacobian: FloatArray
    distance: float


def minimize(
    residuals: Residuals,
    start: FloatArray,
    scale: FloatArray,
    bounds: FloatArray,
    held: int | None = None,
    most: int = _MOST,
) -> Minimum:
    """Minimize a sum of squares by Gauss-Newton steps in a trust region [2]_.

    Parameters
    ----------
    residuals : callable
        Of vectors of shape (sets, parameters); returns an array of shape (sets, rows).
    start : ndarray, shape (parameters,)
    scale : ndarray, shape (parameters,)
        Natural sizes of steps.
    bounds : ndarray, shape (parameters, 2)
    held : int, optional
        A fixed parameter.
    most : int, optional
        Evaluations of the residuals after which it ends where it is.
    """
    moving = np.arange(len(start)) != (-1 if held is None else held)

    def whole(part: FloatArray) -> FloatArray:
        vector = start.copy()
        vector[moving] = part * scale[moving]
        return vector

    def function(part: FloatArray) -> FloatArray:
        return np.asarray(residuals(whole(part)[None])[0])

    def slope(part: FloatArray) -> FloatArray:
        return np.asarray(jacobian(residuals, whole(part), scale, bounds, moving) * scale[moving])

    if not moving.any():
        residual = residuals(start[None])[0]
        return Minimum(start, float(residual @ residual), np.empty((len(residual), 0)), 0.0)
    lower, upper = bounds.T
    inside = np.clip(start, lower + 1e-9 * (upper - lower), upper - 1e-9 * (upper - lower))
    result = least_squares(
        function, (inside / scale)[moving], slope,
        bounds=((lower / scale)[moving], (upper / scale)[moving]),
        ftol=_TOLERANCE, xtol=_TOLERANCE, gtol=_TOLERANCE, max_nfev=most,
    )  # fmt: skip
    vector, matrix = whole(result.x), np.asarray(result.jac)
    distance = distance_left(result.fun, matrix, vector[moving], bounds[moving])
    return Minimum(vector, 2.0 * float(result.cost), matrix / scale[moving], distance)


def jacobian(
    residuals: Residuals, vector: FloatArray, scale: FloatArray, bounds: FloatArray, moving: BoolArray
) -> FloatArray:
    """Take derivatives of the residuals by central differences, in one call; shape (rows, moving)."""
    shift = np.diag(_STEP * scale)[moving]
    points = np.clip(np.concatenate([vector - shift, vector + shift]), *bounds.T)
    below, above = np.split(residuals(points), 2)
    width = np.einsum("kp,kp->k", np.split(points, 2)[1] - np.split(points, 2)[0], shift != 0.0)
    return np.asarray(((above - below) / width[:, None]).T)


def one_sided(vector: FloatArray, scale: FloatArray, bounds: FloatArray) -> FloatArray:
    """Points a small step away, for differences to one side; row k moves parameter k, away from its bound."""
    step = _STEP * scale
    return np.asarray(vector + np.diag(np.where(vector + step <= bounds[:, 1], step, -step)))


def distance_left(residual: FloatArray, slope: FloatArray, vector: FloatArray, bounds: FloatArray) -> float:
    """Estimate the distance to the minimum, see `Minimum`."""
    size = np.linalg.norm(slope, axis=0)
    scaled = slope / np.where(size > 0.0, size, 1.0)
    gradient = scaled.T @ residual
    lower, upper = bounds.T
    reach = _AT_BOUND * (upper - lower)
    stuck = ((vector < lower + reach) & (gradient > 0.0)) | ((vector > upper - reach) & (gradient < 0.0))
    left = ~stuck
    return float(gradient[left] @ inverse(scaled[:, left]) @ gradient[left])


def inverse(scaled: FloatArray) -> FloatArray:
    """Inverse of the information, from derivatives by parameters in their natural sizes."""
    if not scaled.shape[1]:
        return np.empty((0, 0))
    # Singular values show the combinations that the data leave open.
    strength, axes = np.linalg.eigh(scaled.T @ scaled)
    # Where no row changes, as far out in a plateau, the matrix is zero.
    least = max(_LEAST_STRENGTH * strength[-1], _FLAT)
    return np.asarray((axes / np.maximum(strength, least)) @ axes.T)
