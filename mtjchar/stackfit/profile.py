"""Profile likelihood: intervals that account for bounds and curvature.

The search uses the table of error rates, corrected with the solver's residuals and derivatives. The deviance
at each end is then checked with the solver itself. If it differs from the required one, the search continues
with the residuals and derivatives of the solver at that end.

References
----------
.. [1] D. J. Venzon, S. H. Moolgavkar, J. R. Stat. Soc. C 37, 87 (1988), doi:10.2307/2347496.
.. [2] C. G. Broyden, Math. Comp. 19, 577 (1965), doi:10.1090/S0025-5718-1965-0198670-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from mtjchar.arrays import FloatArray
from mtjchar.stackfit.minimize import Minimum, distance_left, inverse, minimize
from mtjchar.stackfit.problem import Between, Correction, Problem
from mtjchar.stackfit.search import bounds_of, correction
from mtjchar.statistics import NORMAL_QUANTILE

__all__ = ["ROOT_RISE", "Interval", "Profiles", "profile_intervals"]

ROOT_RISE = NORMAL_QUANTILE
"""Square root of the rise of the deviance at the ends of a 95 % interval."""

_CLOSE = 0.01  # of the root of the rise, at the end of a search
_CHECKED = 0.05  # of the root of the rise by the solver, for a correct end
_ROUNDS = 4
_MANY = 8  # parameters above which derivatives are not taken at every step
_CHORDS = 16
_CHORDS_END = 1e-2  # distance to the minimum, in units of the deviance
_STEPS = 40  # outwards; each is at most four times as large as the previous one
_LOWER = 0.01  # by which a deviance must be lower to be another minimum


class Interval(NamedTuple):
    """95 % interval of a parameter; an infinite end was not found between the bounds."""

    lower: float
    upper: float


class Profiles(NamedTuple):
    """Intervals of all parameters, and the point with the lowest deviance of the search."""

    intervals: tuple[Interval, ...]
    best: FloatArray
    square: float


@dataclass
class _Walk:
    """Search of one parameter for one end."""

    which: int
    side: float
    problem: Problem
    vector: FloatArray  # at the last end
    bounded: bool = False  # the bound was reached first


def profile_intervals(problem: Problem, best: Minimum, error: FloatArray, dispersion: float) -> Profiles:
    """Find where the deviance, minimized over the other parameters, has risen by 3.84 times the dispersion.

    Parameters
    ----------
    problem : Problem
        With the correction that belongs to `best`.
    best : Minimum
    error : ndarray
        Standard errors without over-dispersion: the first guess of the reach.
    dispersion : float
    """
    scale = np.maximum(error, 1e-12 * np.abs(best.vector) + 1e-300)
    walks = [_Walk(k, side, problem, best.vector) for k in range(len(best.vector)) for side in (-1.0, 1.0)]
    open_walks, lowest = walks, (best.vector, best.square)
    for _ in range(_ROUNDS):
        if not open_walks:
            break
        for walk in open_walks:
            _find_end(walk, best, scale, dispersion)
        squares = _solved_squares(problem, [walk.vector for walk in open_walks])
        for walk, square in zip(open_walks, squares, strict=True):
            if square < lowest[1] - _LOWER:
                lowest = (walk.vector, float(square))
        roots = np.sqrt(np.maximum(squares - best.square, 0.0) / dispersion)
        open_walks = [
            walk
            for walk, root in zip(open_walks, roots, strict=True)
            if not (root < ROOT_RISE + _CHECKED if walk.bounded else abs(root - ROOT_RISE) < _CHECKED)
        ]
        for walk in open_walks:
            assert isinstance(problem.correction, Correction)
            many = len(walk.vector) > _MANY
            far = correction(problem, walk.vector, problem.correction if many else None)
            walk.problem = problem.corrected(Between(problem.correction, far, walk.which))
    ends = [walk.side * np.inf if walk.bounded else float(walk.vector[walk.which]) for walk in walks]
    intervals = tuple(Interval(*pair) for pair in zip(ends[::2], ends[1::2], strict=True))
    return Profiles(intervals, *lowest)


def _solved_squares(problem: Problem, vectors: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(np.sum(problem.solved_residuals(np.array(vectors)) ** 2, axis=-1))


def _find_end(walk: _Walk, best: Minimum, scale: FloatArray, dispersion: float) -> None:
    """Find the end: the root of the signed root of the rise, nearly linear in the parameter [1]."""
    which, side = walk.which, walk.side
    bound = walk.problem.bounds[walk.problem.free[which]][int(side > 0)]
    center = float(best.vector[which])
    inside = [(center, best.vector)]  # from the centre outwards, with the others at the lowest deviance
    vectors = {center: best.vector}
    excess = {center: -ROOT_RISE}  # of the root of the rise over the required one

    def root_excess(place: float) -> float:
        if place not in excess:
            # The others start at the last point inside, and at its extrapolation: starting values from a
            # point far outside can remain at a wrong minimum.
            starts = [inside[-1][1], walk.vector]
            if len(inside) > 1:
                (x0, v0), (x1, v1) = inside[-2:]
                starts.append(v1 + (v1 - v0) * (place - x1) / (x1 - x0))
            if len(walk.vector) > _MANY:
                starts = starts[-1:]  # each takes seconds
            minimum = _by_chords(walk.problem, starts[-1], which, place, best) or min(
                (_held(walk.problem, start, which, place, scale) for start in starts),
                key=lambda minimum: minimum.square,
            )
            vectors[place] = minimum.vector
            excess[place] = float(np.sqrt(max(minimum.square - best.square, 0.0) / dispersion)) - ROOT_RISE
            if excess[place] < 0.0 and side * (place - inside[-1][0]) > 0.0:
                inside.append((place, minimum.vector))
        return excess[place]

    reach = abs(walk.vector[which] - center) or ROOT_RISE * np.sqrt(dispersion) * scale[which]
    for _ in range(_STEPS):
        place = center + side * reach
        if side * (place - bound) >= 0.0:
            place = bound
        rise = root_excess(place)
        if rise >= 0.0 or place == bound:
            break
        reach *= np.clip(1.1 * ROOT_RISE / max(rise + ROOT_RISE, 1e-3), 1.2, 4.0)
    walk.bounded = rise < 0.0
    if not walk.bounded:
        near = _CLOSE * abs(place - center) / ROOT_RISE
        place = float(brentq(root_excess, inside[-1][0], place, xtol=near))
        root_excess(place)
    walk.vector = vectors[place]


def _by_chords(
    problem: Problem, start: FloatArray, which: int, place: float, best: Minimum
) -> Minimum | None:
    """Minimum of many parameters with one held, without new derivatives; None if that does not lead to it.

    The derivatives are those at the lowest deviance; each step improves them [2]_.
    """
    if len(start) <= _MANY:
        return None
    bounds = bounds_of(problem)
    others = np.arange(len(start)) != which
    vector = start.copy()
    vector[which] = place
    size = np.linalg.norm(best.jacobian, axis=0)
    unit = 1.0 / np.where(size > 0.0, size, 1.0)
    slope = best.jacobian * unit
    center = best.vector
    before = problem.residuals(center[None])[0]
    for _ in range(_CHORDS):
        residual = problem.residuals(vector[None])[0]
        moved = (vector - center) / unit
        if moved @ moved > 0.0:
            slope = slope + np.outer(residual - before - slope @ moved, moved) / (moved @ moved)
        left = distance_left(residual, slope[:, others], vector[others], bounds[others])
        if left < _CHORDS_END:
            return Minimum(vector, float(residual @ residual), slope / unit, left)
        gradient = slope.T @ residual
        stuck = ((vector <= bounds[:, 0]) & (gradient > 0.0)) | ((vector >= bounds[:, 1]) & (gradient < 0.0))
        free = others & ~stuck
        step = np.zeros_like(vector)
        step[free] = -inverse(slope[:, free]) @ gradient[free]
        center, before = vector, residual
        vector = np.clip(vector + step * unit, *bounds.T)
    return None


def _held(problem: Problem, start: FloatArray, which: int, place: float, scale: FloatArray) -> Minimum:
    vector = start.copy()
    vector[which] = place
    return minimize(problem.residuals, vector, scale, bounds_of(problem), held=which)
