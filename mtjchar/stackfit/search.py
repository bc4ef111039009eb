"""Search for the maximum of the likelihood: a coarse search, the table's minima, and the solver's minimum.

The table of error rates finds the region, the Fokker-Planck solver the minimum: Levenberg-Marquardt steps on
the solver's own residuals, with its own derivatives, until the deviance is stationary.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.stackfit.loops import field_scale
from mtjchar.stackfit.minimize import (
    Minimum,
    Residuals,
    distance_left,
    inverse,
    jacobian,
    minimize,
    one_sided,
)
from mtjchar.stackfit.parameters import PARAMETERS, steps_at
from mtjchar.stackfit.problem import Correction, Problem, largest_current
from mtjchar.stackfit.spread import SPREADS

__all__ = [
    "approached",
    "bounds_of",
    "corrected",
    "correction",
    "derivatives",
    "lowest",
    "minimize_briefly",
    "minimize_solved",
    "minimize_table",
    "put",
    "rivals",
    "scales",
    "search",
    "starts",
    "table_minima",
    "without_spreads",
]

# Points of the coarse search, beside the starting values.
_CURRENTS = np.geomspace(0.1, 2.5, 16)  # over the largest current of the data
_OFFSETS = (-0.25, 0.25)  # over the largest allowed offset, beside that of the loops or none
_FIELDS = np.geomspace(1.1, 6.0, 12)  # anisotropy field over the coercive field
_CLIPPED = 1e3  # residuals, so that one row does not dominate the coarse search
_AT_ONCE = 2000  # sets of parameters
_MOST_TOGETHER = 1000  # combinations of the values of a coarse search, each with all currents
_BRIEFLY = 4  # evaluations
_LEAPS = 8
_APPROACHES = 5
_FALLEN, _ROUNDING = 1e-3, 8e-3  # of the deviance by a step, and distance, of a search that stays where it is
_LAST = 20  # evaluations
_NO_RIVAL, _NO_RIVAL_SHARE = (
    10.0,
    0.1,
)  # deviance above the lowest, near the minimum, of one that stays higher
_HOPELESS = 1000.0  # deviance of a row on average
_NEAR = 1.0  # distance in standard errors within which the slope of a correction serves
_FALLS = 0.1  # ratio of two distances to the minimum; if it is larger, a slope serves no longer
_STATIONARY = 1e-4  # distance to the minimum, in units of the deviance: a hundredth of a standard error

_APART = 3.0  # distance in standard errors below which two minima are the same
_RIVAL = (50.0, 1.5)  # deviance above the lowest, and over it, up to which a minimum of the table is tried


def scales(problem: Problem, vector: FloatArray) -> FloatArray:
    """Natural sizes of steps of the free parameters."""
    return steps_at(problem.parameters, vector)


def bounds_of(problem: Problem) -> FloatArray:
    """Bounds of the free parameters, shape (parameters, 2)."""
    return np.array([problem.bounds[name] for name in problem.free]).reshape(-1, 2)


def minimize_table(problem: Problem, start: FloatArray) -> Minimum:
    """Minimize the deviance of the table, with the problem's correction."""
    return minimize(problem.residuals, start, scales(problem, start), bounds_of(problem))


def minimize_briefly(problem: Problem, start: FloatArray) -> Minimum:
    """Take a few steps towards the minimum of `minimize_table`: enough to see whether it leads anywhere."""
    return minimize(problem.residuals, start, scales(problem, start), bounds_of(problem), most=_BRIEFLY)


def minimize_solved(problem: Problem, start: FloatArray, known: Correction | None = None) -> Minimum:
    """Minimize the deviance of the Fokker-Planck solver itself.

    The table, corrected with the solver's residuals and derivatives, has the curvature of a long valley, so
    its minima lead to the solver's in few steps. If they do not, Levenberg-Marquardt steps follow.

    The difference of both derivatives changes slowly: it serves within a standard error of the point at which
    it was computed, as long as the distance to the minimum falls.

    Parameters
    ----------
    problem : Problem
    start : ndarray, shape (parameters,)
    known : Correction, optional
        One near `start`, whose slope can serve, apart from columns of NaN.
    """
    return _finished(problem, _leaped(problem, start, known))


def _leaped(problem: Problem, start: FloatArray, known: Correction | None = None) -> Minimum:
    """Take the steps of `minimize_solved` by the corrected table; the lowest point if they do not end."""
    bounds = bounds_of(problem)
    vector = np.clip(start, *bounds.T)
    if known is None:
        vector, _ = approached(problem, vector)
    best: Minimum | None = None
    plain, made, last = problem.corrected(None), known, np.inf
    falls = True  # the distance that is left
    for _ in range(_LEAPS):
        of_table = derivatives(plain.residuals, problem, vector)
        if made is not None:
            away = _distance(of_table + np.nan_to_num(made.slope), vector - made.center)
            made = made if falls and away < _NEAR else None
        made = correction(problem, vector, made)
        own, slope = problem.corrected(made), of_table + made.slope
        residual = own.residuals(vector)
        square, distance = float(residual @ residual), distance_left(residual, slope, vector, bounds)
        # In a valley that is nearly flat, what is left can be the rounding of the derivatives.
        stays = best is not None and abs(best.square - square) < _FALLEN and distance < _ROUNDING
        if best is None or square < best.square or stays or distance < _STATIONARY:
            best = Minimum(vector, square, slope, distance)
        if stays or distance < _STATIONARY:
            break
        falls, last = distance < _FALLS * last, distance
        vector = minimize_table(own, vector).vector
    assert best is not None  # the first point is one
    return best


def _finished(problem: Problem, minimum: Minimum) -> Minimum:
    """Minimum by Levenberg-Marquardt steps on the solver, where those by the corrected table have not ended.

    A model that is far from all data gets none: no step makes it describe them.
    """
    if minimum.distance < _ROUNDING or minimum.square > _HOPELESS * problem.rows:
        return minimum
    size = scales(problem, minimum.vector)
    return minimize(problem.solved_residuals, minimum.vector, size, bounds_of(problem), most=_LAST)


def approached(problem: Problem, vector: FloatArray) -> tuple[FloatArray, float]:
    """Point near the solver's minimum, and about its deviance.

    It is the table's minimum with the solver's residuals, again and again. Without derivatives of the solver,
    each step takes one solution of every row.
    """
    plain, none = problem.corrected(None), np.zeros((problem.rows, len(vector)))
    best, least = vector, np.inf
    for _ in range(_APPROACHES):
        own = plain.corrected(Correction(vector, _difference(plain, vector[None])[0], none))
        square = float(np.sum(own.residuals(vector) ** 2))
        if square >= least:
            break
        best, least = vector, square
        minimum = minimize_table(own, vector)
        if _distance(minimum.jacobian, minimum.vector - vector) < _NEAR:
            return minimum.vector, minimum.square
        vector = minimum.vector
    return best, least


def _distance(slope: FloatArray, step: FloatArray) -> float:
    """Length of a step of the parameters in standard errors."""
    return float(np.linalg.norm(slope @ step))


def search(problem: Problem, first: Mapping[str, float], count: int) -> Minimum:
    """Find the lowest deviance.

    Parameters
    ----------
    problem : Problem
    first : mapping
        Starting values.
    count : int
        Number of the best points of the coarse search from which minimizations start; 0: only from `first`.
    """
    return lowest(problem, [rival.vector for rival in table_minima(problem, first, count)])


def table_minima(problem: Problem, first: Mapping[str, float], count: int) -> list[Minimum]:
    """Minima of the table from which the solver's can be reached, lowest first; arguments as of `search`."""
    # An average over two spreads takes nine times as long: the region is that of devices that are equal.
    equal, places = without_spreads(problem)
    minima = [minimize_table(equal, start) for start in starts(equal, first, count)]
    if count and equal is problem:
        minima += [minimize_table(equal, start) for start in _nested(equal, first, minima)]
    regions = rivals(minima)[: max(count, 1)]
    if equal is problem:
        return regions
    base = np.array([first[name] for name in problem.free])
    return rivals([minimize_table(problem, put(base, places, region.vector)) for region in regions])


def lowest(problem: Problem, vectors: Sequence[FloatArray]) -> Minimum:
    """Return the lowest of the solver's minima near some points, the first of which is the table's lowest."""
    best = _leaped(problem, vectors[0])
    for start in vectors[1:] if best.square < _HOPELESS * problem.rows else ():
        vector, square = approached(problem, start)
        if square < best.square + _NO_RIVAL + _NO_RIVAL_SHARE * best.square:
            best = min(best, _leaped(problem, vector), key=lambda minimum: minimum.square)
    return _finished(problem, best)


def without_spreads(problem: Problem) -> tuple[Problem, IndexArray]:
    """Return a problem without its two spreads, and the places of the other parameters; else the same."""
    kept = [k for k, parameter in enumerate(problem.parameters) if parameter.root not in SPREADS]
    if len(problem.parameters) - len(kept) < len(SPREADS):
        return problem, np.arange(len(problem.parameters))
    others = tuple(problem.parameters[k] for k in kept)
    return dataclasses.replace(problem, parameters=others, correction=None), np.array(kept)


def put(base: FloatArray, places: IndexArray, values: FloatArray) -> FloatArray:
    """Return a copy of a vector with other values at some places."""
    vector = base.copy()
    vector[places] = values
    return vector


def rivals(minima: Sequence[Minimum]) -> list[Minimum]:
    """Distinct minima that are low enough to become the lowest one by the solver, lowest first."""
    distinct = _distinct(sorted(minima, key=lambda minimum: minimum.square))
    more, times = _RIVAL
    limit = max(distinct[0].square + more, times * distinct[0].square)
    return [minimum for minimum in distinct if minimum.square <= limit]


def _distinct(minima: Sequence[Minimum]) -> list[Minimum]:
    """Minima that differ by more than a few standard errors, in their order."""
    kept: list[Minimum] = []
    for minimum in minima:
        apart = (np.linalg.norm(other.jacobian @ (minimum.vector - other.vector)) for other in kept)
        if all(distance > _APART for distance in apart):
            kept.append(minimum)
    return kept


def _nested(problem: Problem, first: Mapping[str, float], minima: Sequence[Minimum]) -> list[FloatArray]:
    """Minima of the models with one further parameter less: more parameters never fit worse.

    Those to which the valley of the lowest minimum leads are left out.
    """
    best = min(minima, key=lambda minimum: minimum.square)
    size = scales(problem, best.vector)
    covariance = inverse(best.jacobian * size) * np.outer(size, size)
    starts = []
    for k, parameter in enumerate(problem.parameters):
        if parameter.default:
            continue
        vector = best.vector.copy()
        vector[k] = first[parameter.name]
        less = minimize(problem.residuals, vector, scales(problem, vector), bounds_of(problem), held=k)
        along = covariance[:, k] / covariance[k, k] * (vector[k] - best.vector[k])
        if np.linalg.norm(best.jacobian @ (less.vector - best.vector - along)) > _APART:
            starts.append(less.vector)
    return starts


def starts(problem: Problem, first: Mapping[str, float], count: int) -> list[FloatArray]:
    """Points to start from, best first: `first`, and the best ones of a coarse search around it."""
    base = np.array([first[name] for name in problem.free])
    if count < 1 or set(problem.data.kinds) <= {"resistance"}:
        return [base]
    # One value for both directions of a parameter.
    roots = list(dict.fromkeys(parameter.root for parameter in problem.parameters))
    scanned = [root for root in roots if root in ("critical_current", "anisotropy_field")]
    others = [root for root in roots if root not in scanned]
    outer = _combinations([_values(problem, first, root) for root in others])
    inner = list(itertools.product(*(_values(problem, first, root) for root in scanned)))
    points = np.array([[*one, *two] for one in outer for two in inner]).reshape(-1, len(roots))
    columns = [(*others, *scanned).index(parameter.root) for parameter in problem.parameters]
    lower, upper = bounds_of(problem).T
    vectors = np.clip(points[:, columns], lower, upper)
    # The best of each scan: its variable depends most on the others.
    squares = _rough_squares(problem, vectors).reshape(-1, len(inner))
    best = np.argmin(squares, axis=1) + len(inner) * np.arange(len(squares))
    order = np.argsort(squares.min(axis=1), kind="stable")
    return [base, *vectors[best[order[:count]]]]


def _combinations(values: Sequence[FloatArray]) -> list[tuple[float, ...]]:
    """All combinations of values; of many parameters, those with up to two that are not at their first value.

    The number of all combinations grows exponentially with the number of parameters.
    """
    if np.prod([float(len(own)) for own in values]) <= _MOST_TOGETHER:
        return list(itertools.product(*values))
    first = [own[0] for own in values]
    found = dict.fromkeys([tuple(first)])
    for pair in itertools.combinations(range(len(values)), 2):
        for chosen in itertools.product(*(values[k] for k in pair)):
            point = list(first)
            for k, value in zip(pair, chosen, strict=True):
                point[k] = value
            found[tuple(point)] = None
    return list(found)


def _values(problem: Problem, first: Mapping[str, float], root: str) -> FloatArray:
    """Values of a parameter in a coarse search."""
    name = next(parameter.name for parameter in problem.parameters if parameter.root == root)
    low, high = problem.bounds[name]
    if root == "critical_current":
        groups = problem.pulses, problem.thresholds
        return _CURRENTS * largest_current(problem.model, problem.fixed_or_nominal(), *groups)
    if root == "anisotropy_field":
        return _FIELDS * field_scale(problem.data.loops).coercive
    more = PARAMETERS[root].search
    if root == "offset_field":
        more = tuple(share * high for share in _OFFSETS)
    values = np.clip([first[name], *more], low, high)
    _, places = np.unique(values, return_index=True)
    return np.asarray(values[np.sort(places)])


def _rough_squares(problem: Problem, vectors: FloatArray) -> FloatArray:
    parts = np.array_split(vectors, max(1, -(-len(vectors) // _AT_ONCE)))
    return np.concatenate(
        [np.sum(np.clip(problem.residuals(part), -_CLIPPED, _CLIPPED) ** 2, axis=-1) for part in parts]
    )


def corrected(problem: Problem, minimum: Minimum) -> Problem:
    """Return the problem, its table corrected by the solver's residuals and derivatives at its minimum."""
    plain, vector = problem.corrected(None), minimum.vector
    slope = minimum.jacobian - derivatives(plain.residuals, problem, vector)
    return problem.corrected(Correction(vector, _difference(plain, vector[None])[0], slope))


def correction(problem: Problem, vector: FloatArray, known: Correction | None = None) -> Correction:
    """Find the correction of the table's residuals near a vector, by the solver's derivatives.

    The difference of solver and table is smooth and small, so that a difference to one side gives its
    derivatives: half of the solver's work for central ones.

    Parameters
    ----------
    problem : Problem
    vector : ndarray, shape (parameters,)
    known : Correction, optional
        One near the vector whose slope serves, apart from columns of NaN.
    """
    plain, bounds = problem.corrected(None), bounds_of(problem)
    slope = np.full((problem.rows, len(vector)), np.nan) if known is None else known.slope.copy()
    open_ = np.flatnonzero(np.isnan(slope).any(axis=0))
    points = one_sided(vector, scales(problem, vector), bounds)
    shift, *moved = _difference(plain, np.concatenate([vector[None], points[open_]]))
    for k, own in zip(open_, moved, strict=True):
        slope[:, k] = (own - shift) / (points[k, k] - vector[k])
    return Correction(vector, shift, slope)


def _difference(plain: Problem, vectors: FloatArray) -> FloatArray:
    """Residuals of the solver less those of the table, shape (sets, rows)."""
    return np.asarray(plain.solved_residuals(vectors) - plain.residuals(vectors))


def derivatives(residuals: Residuals, problem: Problem, vector: FloatArray) -> FloatArray:
    """Return derivatives of residuals by all free parameters, shape (rows, parameters)."""
    every = np.ones(len(vector), dtype=bool)
    return jacobian(residuals, vector, scales(problem, vector), bounds_of(problem), every)
