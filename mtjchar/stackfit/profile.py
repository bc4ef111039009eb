"""Profile likelihood: intervals that know bounds and curvature.

References
----------
.. [1] D. J. Venzon, S. H. Moolgavkar, J. R. Stat. Soc. C 37, 87 (1988), doi:10.2307/2347496.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

FloatArray = npt.NDArray[np.float64]

ROOT_RISE = 1.959964
"""Square root of the rise of the deviance at the ends of a 95 % interval."""

_ROUNDS = 12
_CLOSE = 0.02  # of the root of the rise


class LeastSquares(Protocol):
    """A sum of squares over named parameters."""

    @property
    def free(self) -> Sequence[str]:
        """Names."""

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        """Of each parameter."""

    def residuals(self, vector: FloatArray) -> FloatArray:
        """Return what is squared."""


class Interval(NamedTuple):
    """95 % interval of a parameter; an end that is infinite was not found between the bounds."""

    lower: float
    upper: float


def minimize(
    problem: LeastSquares, start: FloatArray, scale: FloatArray, held: int | None = None
) -> tuple[FloatArray, float, FloatArray]:
    """Minimize the sum of squares, with one parameter held or none.

    Returns
    -------
    vector : ndarray
    square : float
        Sum of squares of the residuals.
    jacobian : ndarray, shape (rows, free parameters that are not held)
    """
    moving = np.arange(len(start)) != (-1 if held is None else held)
    if not moving.any():
        residual = problem.residuals(start)
        return start, float(residual @ residual), np.empty((len(residual), 0))
    lower, upper = np.array([problem.bounds[name] for name in problem.free]).T

    # In units of `scale`: scipy's steps of differences are those of numbers of order one.
    unit = scale[moving]

    def residuals(part: FloatArray) -> FloatArray:
        whole = start.copy()
        whole[moving] = part * unit
        return problem.residuals(whole)

    inside = np.clip(start, lower + 1e-9 * (upper - lower), upper - 1e-9 * (upper - lower))
    found = least_squares(
        residuals, inside[moving] / unit, bounds=(lower[moving] / unit, upper[moving] / unit),
        ftol=1e-9, xtol=1e-9, gtol=1e-9, max_nfev=60,
    )  # fmt: skip
    vector = start.copy()
    vector[moving] = found.x * unit
    return vector, 2.0 * float(found.cost), np.asarray(found.jac) / unit


def profile_interval(
    problem: LeastSquares, best: FloatArray, least: float, error: FloatArray, which: int, dispersion: float
) -> Interval:
    """Where the deviance, minimized over the other parameters, has risen by 3.84 times the dispersion.

    Parameters
    ----------
    problem : LeastSquares
    best : ndarray
        Where the deviance is least.
    least : float
        That deviance.
    error : ndarray
        Standard errors, the first guess of the reach.
    which : int
        Parameter.
    dispersion : float
    """
    ends = [_end(problem, best, least, error, which, dispersion, side) for side in (-1.0, 1.0)]
    return Interval(*ends)


def _end(
    problem: LeastSquares,
    best: FloatArray,
    least: float,
    error: FloatArray,
    which: int,
    dispersion: float,
    side: float,
) -> float:
    """Root of the signed root of the rise, nearly linear in the parameter [1], by regula falsi."""
    bound = problem.bounds[problem.free[which]][int(side > 0)]
    scale = np.maximum(error, 1e-12 * np.abs(best) + 1e-300)
    vector = best.copy()
    inside, outside = (best[which], 0.0), (np.nan, np.nan)
    place = best[which] + side * ROOT_RISE * np.sqrt(dispersion) * error[which]
    for _ in range(_ROUNDS):
        if side * (place - bound) >= 0.0:
            place = bound
        vector = vector.copy()
        vector[which] = place
        vector, square, _ = minimize(problem, vector, scale, held=which)
        root = float(np.sqrt(max(square - least, 0.0) / dispersion))
        if abs(root - ROOT_RISE) < _CLOSE:
            return float(place)
        if root < ROOT_RISE:
            if place == bound:
                return side * np.inf
            inside = (place, root)
        else:
            outside = (place, root)
        if np.isnan(outside[0]):
            # Not far enough yet: on along the line, at least half again as far and at most four times.
            reach = (place - best[which]) * np.clip(1.1 * ROOT_RISE / max(root, 1e-3), 1.5, 4.0)
            place = best[which] + reach
        else:
            share = np.clip((ROOT_RISE - inside[1]) / (outside[1] - inside[1]), 0.1, 0.9)
            place = inside[0] + share * (outside[0] - inside[0])
    return float(place)
