r"""Bitwise operations of cells on one bit line that are read at once.

The level at the input of the sense amplifier depends on how many of the cells are in state 1. A comparison
with a reference between the levels of k - 1 and of k ones asks whether there are at least k ones [1]_ [2]_.
For two cells this is OR (k = 1) and AND (k = 2). XOR needs both comparisons. For three cells it is OR,
majority and AND.

A comparison of a level x with a reference of mean r is wrong with the probability

.. math:: p = \Phi(-m/\sigma),\quad m = \pm(x - r),                                              (1)

where m is positive on the right side of the reference, and sigma is the standard deviation of all normal
terms: offset, noise, and variability of the reference. The result is wrong if an odd number of its
comparisons is wrong. For two of them, which share the level but not the amplifier, that is

.. math:: p_1 (1 - p_2) + p_2 (1 - p_1).                                                          (2)

The error rate of a population is the mean of equation 2 over tuples of cells. Noise of the bit line that both
amplifiers share is treated as independent; this changes equation 2 by a factor within 1 +- 2 min(p_1, p_2).

References
----------
.. [1] H. Cai et al., Interplay Bitwise Operation in Emerging MRAM for Efficient In-memory Computing, CCF
   Transactions on High Performance Computing (2020).
.. [2] S. Jain et al., Computing in Memory with Spin-Transfer Torque Magnetic RAM, arXiv:1703.02118 (2017).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise
from scipy.special import ndtr

from mtjchar.arrays import BoolArray, FloatArray, IndexArray, IntArray
from mtjchar.errors import InputError
from mtjchar.statistics import weighted_mean

__all__ = [
    "OPERATIONS",
    "Operation",
    "combinations",
    "error_rates",
    "largest_offset",
    "largest_spread",
    "mean_error_rates",
    "normal_reference",
    "optimal_references",
    "smallest_tmr",
]

_ROUNDS = 30  # over the references of an operation; each gains at least a factor of 3
_SETTLED = 1e-6  # change of a reference, in ranges of the levels, that ends the rounds
_FAR = 30.0  # standard deviations on both sides of a reference, beyond which rates would underflow
_LEAST = 1e-300  # error rates of the search are at least this
_LOWEST_OFFSET = 1e-4  # of the range of levels, lower end of the search for an offset
_SPREADS = 1e-3, 10.0  # bounds of the search for a variability
_TOLERANCES = {"xatol": 1e-8, "xrtol": 0.0, "fatol": 1e-6, "frtol": 0.0}


class Operation(NamedTuple):
    """A bitwise operation of cells on one bit line.

    Attributes
    ----------
    name : str
    cells : int
        Number of cells that are read at once.
    thresholds : tuple of int
        Ascending. Each comparison asks whether at least this many cells are in state 1. The result is 1 if
        the answer is yes in an odd number of comparisons.
    """

    name: str
    cells: int
    thresholds: tuple[int, ...]

    @property
    def truth(self) -> BoolArray:
        """Right result for each of `combinations`, shape (combinations,)."""
        return np.asarray(self.passed.sum(axis=0) % 2 == 1)

    @property
    def passed(self) -> BoolArray:
        """Right answer of each comparison, shape (comparisons, combinations)."""
        ones = combinations(self.cells).sum(axis=1)
        return np.asarray(ones >= np.array(self.thresholds)[:, None])


OPERATIONS = {
    2: {"and": Operation("and", 2, (2,)), "or": Operation("or", 2, (1,)), "xor": Operation("xor", 2, (1, 2))},
    3: {
        "and": Operation("and", 3, (3,)),
        "or": Operation("or", 3, (1,)),
        "majority": Operation("majority", 3, (2,)),
    },
}
"""Operations by the number of cells and by name.

NAND, NOR and XNOR are the inverted results, with the same error rates.
"""


def combinations(cells: int) -> IntArray:
    """States of the cells in each combination of inputs: 00, 01, 10, 11 for two cells.

    Returns
    -------
    ndarray of int, shape (2**cells, cells)
    """
    return np.arange(2**cells)[:, None] >> np.arange(cells)[::-1] & 1


def error_rates(
    levels: npt.ArrayLike,
    operation: Operation,
    references: npt.ArrayLike,
    deviation: npt.ArrayLike,
    one_is_higher: bool = True,
) -> FloatArray:
    """Error rate of each tuple of cells for each combination of inputs, equations 1 and 2.

    Parameters
    ----------
    levels : array_like, shape (tuples, combinations, ...)
        Levels in the order of `combinations`; V or A.
    operation : Operation
    references : array_like, shape (comparisons, ...)
        Means, in the order of the operation's thresholds.
    deviation : array_like, shape (comparisons, ...)
        Standard deviation of each comparison: offset, noise and reference together; 0 is allowed.
    one_is_higher : bool, optional
        Whether the level rises with the number of ones.

    Returns
    -------
    ndarray, shape (tuples, combinations, ...)
        NaN for a tuple without levels. A level that equals the reference at deviation 0 gives 1/2.

    Raises
    ------
    InputError
        For another number of combinations or references, or a negative deviation.

    Examples
    --------
    AND with margins of four standard deviations on both sides of the reference:

    >>> levels = [[0.0, 0.1, 0.1, 0.2]]
    >>> error_rates(levels, OPERATIONS[2]["and"], [0.15], [0.0125]).round(7)
    array([[0.00e+00, 3.17e-05, 3.17e-05, 3.17e-05]])
    """
    level, reference, sigma = _checked(levels, operation, references, deviation)
    sign = 1.0 if one_is_higher else -1.0
    return _rates(sign * level, operation.passed, sign * reference, sigma)[1]


def mean_error_rates(rates: FloatArray, weight: npt.ArrayLike | None = None) -> FloatArray:
    """Mean over the tuples of a population, shape (combinations, ...); tuples with NaN are left out.

    Parameters
    ----------
    rates : ndarray, shape (tuples, combinations, ...)
        As `error_rates` returns them.
    weight : array_like, shape (tuples,), optional
        Of each tuple; 1 if not given.
    """
    return weighted_mean(rates, _weights(weight, len(rates)))


def normal_reference(
    lower: npt.ArrayLike, lower_deviation: npt.ArrayLike, upper: npt.ArrayLike, upper_deviation: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Best reference between two normally distributed levels, and the error rate on either side.

    The error rates Phi(-(r - lower)/lower_deviation) and Phi(-(upper - r)/upper_deviation) are equal at

        r = (lower * upper_deviation + upper * lower_deviation)/(lower_deviation + upper_deviation).

    Parameters
    ----------
    lower, upper : array_like
        Means of the levels.
    lower_deviation, upper_deviation : array_like
        Standard deviations, including offset and noise of the amplifier; their sum is positive.

    Returns
    -------
    reference, error_rate : ndarray

    Examples
    --------
    >>> reference, rate = normal_reference(0.0, 0.01, 0.1, 0.01)
    >>> round(float(reference), 6), float(f"{rate:.4g}")
    (0.05, 2.867e-07)
    """
    low, s_low, high, s_high = (
        np.asarray(values, np.float64) for values in (lower, lower_deviation, upper, upper_deviation)
    )
    both = s_low + s_high
    return (low * s_high + high * s_low) / both, ndtr(-(high - low) / both)


def optimal_references(
    levels: npt.ArrayLike,
    operation: Operation,
    deviation: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    one_is_higher: bool = True,
) -> FloatArray:
    """Find the references that minimize the error rate of the worst combination of inputs.

    Parameters
    ----------
    levels : array_like, shape (tuples, combinations, ...)
    operation : Operation
    deviation : array_like, shape (comparisons, ...)
        As for `error_rates`.
    weight : array_like, shape (tuples,), optional
    one_is_higher : bool, optional

    Returns
    -------
    ndarray, shape (comparisons, ...)
        NaN where no tuple has levels.

    Notes
    -----
    A reference that moves up makes the combinations below it safer and those above it worse. Its best place,
    with the others fixed, is therefore where the worst of both sides are equal, the root of a monotone
    function. The references of an operation take turns until they stay. If sigma is so small that a gap
    between the levels has no errors at all, the reference is in the middle of the gap.
    """
    flat, sigma, weights, shape = _ascending(levels, operation, deviation, weight, one_is_higher)
    found = _best(flat, operation, sigma, weights).reshape(-1, *shape)
    return found if one_is_higher else -found


def largest_offset(
    levels: npt.ArrayLike,
    operation: Operation,
    noise: npt.ArrayLike,
    target: float = 1e-6,
    weight: npt.ArrayLike | None = None,
    one_is_higher: bool = True,
) -> FloatArray:
    """Largest standard deviation of the offset with which an operation reaches an error rate.

    Parameters
    ----------
    levels : array_like, shape (tuples, combinations, ...)
    operation : Operation
    noise : array_like, shape (comparisons, ...)
        Standard deviation of all normal terms except the offset.
    target : float, optional
        Error rate of the worst combination with the best references; above 0, below 0.1.
    weight : array_like, shape (tuples,), optional
    one_is_higher : bool, optional

    Returns
    -------
    ndarray, shape (...)
        In the unit of the levels; NaN if no offset above 1e-4 of the range of the levels is small enough.
    """
    _check_target(target)
    flat, noises, weights, shape = _ascending(levels, operation, noise, weight, one_is_higher)
    low, high = _range(flat)

    def excess(log_offset: FloatArray, pulse: FloatArray) -> FloatArray:
        at = pulse.astype(np.intp)
        sigma = np.hypot(noises[:, at], np.exp(log_offset))
        return np.asarray(_log_worst(flat[..., at], operation, sigma, weights) - np.log(target))

    with np.errstate(divide="ignore"):
        upper = np.log(high - low)
    found = _root(excess, upper + np.log(_LOWEST_OFFSET), upper)
    return np.exp(found).reshape(shape)


def largest_spread(
    levels: npt.ArrayLike,
    operation: Operation,
    deviation: npt.ArrayLike,
    target: float = 1e-6,
    weight: npt.ArrayLike | None = None,
    one_is_higher: bool = True,
) -> FloatArray:
    """Largest variability of the levels with which an operation reaches an error rate.

    Parameters
    ----------
    levels : array_like, shape (tuples, combinations, ...)
    operation : Operation
    deviation : array_like, shape (comparisons, ...)
        As for `error_rates`.
    target : float, optional
        Error rate of the worst combination with the best references; above 0, below 0.1.
    weight : array_like, shape (tuples,), optional
    one_is_higher : bool, optional

    Returns
    -------
    ndarray, shape (...)
        Factor of the distances of the levels from the means of their combinations, at most 10; NaN if a
        thousandth is still too much.
    """
    _check_target(target)
    flat, sigmas, weights, shape = _ascending(levels, operation, deviation, weight, one_is_higher)
    mean = weighted_mean(flat, weights)

    def excess(log_factor: FloatArray, pulse: FloatArray) -> FloatArray:
        at = pulse.astype(np.intp)
        scaled = mean[:, at] + np.exp(log_factor) * (flat[..., at] - mean[:, at])
        return np.asarray(_log_worst(scaled, operation, sigmas[:, at], weights) - np.log(target))

    low, high = (np.full(flat.shape[2], np.log(bound)) for bound in _SPREADS)
    found = np.exp(_root(excess, low, high))
    enough = excess(high, np.arange(flat.shape[2], dtype=np.float64)) <= 0.0
    return np.where(enough, _SPREADS[1], found).reshape(shape)


def smallest_tmr(
    levels_at: Callable[[FloatArray, IndexArray], FloatArray],
    operation: Operation,
    deviation: npt.ArrayLike,
    bounds: tuple[float, float],
    target: float = 1e-6,
    weight: npt.ArrayLike | None = None,
    one_is_higher: bool = True,
) -> FloatArray:
    """Smallest TMR with which an operation reaches an error rate, for a list of pulses.

    Parameters
    ----------
    levels_at : callable
        Takes the TMR of some pulses, shape (some,), and their positions in the list, shape (some,); returns
        levels of shape (tuples, combinations, some).
    operation : Operation
    deviation : array_like, shape (comparisons, pulses)
        As for `error_rates`.
    bounds : tuple of float
        Lowest and highest TMR of the search; the error rate falls between them.
    target : float, optional
        Error rate of the worst combination with the best references; above 0, below 0.1.
    weight : array_like, shape (tuples,), optional
    one_is_higher : bool, optional

    Returns
    -------
    ndarray, shape (pulses,)
        The lower bound if it is sufficient; NaN if the upper one is not.
    """
    _check_target(target)
    sigma, sign = np.asarray(deviation, np.float64), 1.0 if one_is_higher else -1.0

    def excess(tmr: FloatArray, pulse: FloatArray) -> FloatArray:
        at = pulse.astype(np.intp)
        levels = sign * levels_at(tmr, at)
        worst = _log_worst(levels, operation, sigma[:, at], _weights(weight, len(levels)))
        return np.asarray(worst - np.log(target))

    pulses = np.arange(sigma.shape[1], dtype=np.float64)
    low, high = (np.full(sigma.shape[1], bound) for bound in bounds)
    found = _root(excess, low, high)
    return np.where(excess(low, pulses) <= 0.0, low, found)


def _best(levels: FloatArray, operation: Operation, sigma: FloatArray, weights: FloatArray) -> FloatArray:
    """Best references of ascending levels, shape (comparisons, pulses)."""
    count = len(operation.thresholds)
    ones = combinations(operation.cells).sum(axis=1)
    edges = (-1, *operation.thresholds, operation.cells + 1)
    sides = [np.flatnonzero((ones >= below) & (ones < above)) for below, above in pairwise(edges)]
    low, high = _range(levels)
    sharp = np.stack([_not_too_sharp(levels, sides[k], sides[k + 1], sigma[k]) for k in range(count)])
    search = _Search(levels, operation.passed, sides, sharp, weights, low, high - low)
    place = np.full((count, levels.shape[2]), np.linspace(0.0, 1.0, count + 2)[1:-1, None])
    moving = np.arange(levels.shape[2])
    for _ in range(_ROUNDS if count > 1 else 1):
        before = place[:, moving]
        for k in range(count):
            place[k, moving] = search.turn(place, k, moving)
        moving = moving[(np.abs(place[:, moving] - before) > _SETTLED).any(axis=0)]
        if len(moving) == 0:
            break
    return np.asarray(low + (high - low) * place)


class _Search(NamedTuple):
    """Search for references; their places are counted from the lowest to the highest level, 0 to 1."""

    levels: FloatArray
    passed: BoolArray
    sides: list[IndexArray]
    sigma: FloatArray
    weights: FloatArray
    low: FloatArray
    span: FloatArray

    def turn(self, place: FloatArray, k: int, moving: IndexArray) -> FloatArray:
        """Best places of reference `k` for some pulses, between its neighbours, with all others fixed."""
        members, split = np.concatenate(self.sides[k : k + 2]), len(self.sides[k])
        near, passed = self.levels[:, members], self.passed[:, members]
        others = [j for j in range(len(place)) if j != k]
        fixed = (self.low + self.span * place)[others]
        even, odd = _rates(near, passed[others], fixed, self.sigma[others])

        def lean(at_place: FloatArray, pulse: FloatArray) -> FloatArray:
            at = pulse.astype(np.intp)
            reference = self.low[at] + self.span[at] * at_place
            right, wrong = _comparison(near[..., at], passed[k], reference, self.sigma[k, at])
            mean = weighted_mean(even[..., at] * wrong + odd[..., at] * right, self.weights)
            logarithm = np.log(np.maximum(mean, _LEAST))
            return np.asarray(logarithm[:split].max(axis=0) - logarithm[split:].max(axis=0))

        lower = place[k - 1, moving] if k > 0 else np.zeros(len(moving))
        upper = place[k + 1, moving] if k + 1 < len(place) else np.ones(len(moving))
        root = _root(lean, lower, upper, moving)
        # Without a change of sign both ends are equally bad, as far as this reference matters.
        return np.where(np.isfinite(root), root, 0.5 * (lower + upper))


def _not_too_sharp(levels: FloatArray, below: IndexArray, above: IndexArray, sigma: FloatArray) -> FloatArray:
    """Deviation for the search, with which the error rates beside a gap of the levels do not underflow."""
    gap = _range(levels[:, above])[0] - _range(levels[:, below])[1]
    least = np.finfo(float).tiny + 1e-9 * np.abs(gap)
    return np.asarray(np.maximum(np.maximum(sigma, 0.5 * gap / _FAR), least))


def _log_worst(
    levels: FloatArray, operation: Operation, sigma: FloatArray, weights: FloatArray
) -> FloatArray:
    """Logarithm of the error rate of the worst combination with the best references, shape (pulses,)."""
    rates = _rates(levels, operation.passed, _best(levels, operation, sigma, weights), sigma)[1]
    return np.asarray(np.log(np.maximum(weighted_mean(rates, weights).max(axis=0), _LEAST)))


def _rates(
    levels: FloatArray, passed: BoolArray, references: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Probabilities that an even and an odd number of comparisons is wrong; levels rise with the ones."""
    even, odd = np.ones_like(levels), np.zeros_like(levels)
    for k, (reference, deviation) in enumerate(zip(references, sigma, strict=True)):
        right, wrong = _comparison(levels, passed[k], reference, deviation)
        even, odd = even * right + odd * wrong, odd * right + even * wrong
    return even, odd


def _comparison(
    levels: FloatArray, passed: BoolArray, reference: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Probabilities that one comparison is right and wrong, equation 1."""
    side = np.where(passed, 1.0, -1.0).reshape(-1, *(1,) * (levels.ndim - 2))
    margin = side * (levels - reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where((margin == 0.0) & (sigma == 0.0), 0.0, margin / sigma)
    return ndtr(z), ndtr(-z)


def _root(
    function: Callable[..., FloatArray],
    low: FloatArray,
    high: FloatArray,
    position: IndexArray | None = None,
) -> FloatArray:
    """Roots between `low` and `high`, elementwise; NaN where the sign does not change.

    The function also takes the positions of the elements, as numbers; by default from 0.
    """
    positions = np.arange(len(low)) if position is None else position
    solve: Any = elementwise.find_root  # its stubs know functions of one argument only
    with np.errstate(all="ignore"):
        found = solve(
            function, (low, high), args=(positions.astype(np.float64),), tolerances=_TOLERANCES,
            maxiter=80,
        )  # fmt: skip
    return np.where(found.status == -1, np.nan, np.asarray(found.x, np.float64))


def _range(levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest level of each pulse; NaN where there is none."""
    known = np.isfinite(levels)
    low = np.where(known, levels, np.inf).min(axis=(0, 1))
    high = np.where(known, levels, -np.inf).max(axis=(0, 1))
    some = np.isfinite(low)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def _weights(weight: npt.ArrayLike | None, tuples: int) -> FloatArray:
    """Weights of the tuples, shape (tuples,)."""
    weights = np.ones(tuples) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != (tuples,) or not (weights >= 0.0).all():
        raise InputError("weight", value=weights.shape, allowed=f"{tuples} numbers, at least 0")
    return weights


def _ascending(
    levels: npt.ArrayLike,
    operation: Operation,
    deviation: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    one_is_higher: bool,
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[int, ...]]:
    """Levels that rise with the ones, deviations and weights, with one axis for all pulses; its shape."""
    shape = np.shape(levels)[2:]
    level, _, sigma = _checked(levels, operation, np.zeros((len(operation.thresholds), *shape)), deviation)
    flat = (1.0 if one_is_higher else -1.0) * level.reshape(*level.shape[:2], -1)
    return flat, sigma.reshape(len(sigma), -1), _weights(weight, len(level)), shape


def _checked(
    levels: npt.ArrayLike, operation: Operation, references: npt.ArrayLike, deviation: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Arrays of the right shapes; the references and deviations with those of the pulses."""
    level = np.asarray(levels, np.float64)
    inputs = 2**operation.cells
    if level.ndim < 2 or level.shape[1] != inputs:
        raise InputError(
            "shape of levels", value=level.shape,
            allowed=f"(tuples, {inputs}, ...): {operation.name} has {inputs} combinations of inputs",
        )  # fmt: skip
    comparisons, pulses = len(operation.thresholds), level.shape[2:]
    arrays = []
    for thing, values in (("references", references), ("deviation", deviation)):
        array = np.asarray(values, np.float64)
        if array.ndim < 1 or len(array) != comparisons:
            raise InputError(
                f"shape of {thing}", value=array.shape, allowed=f"({comparisons}, ...), one per comparison"
            )
        array = array.reshape(array.shape + (1,) * (len(pulses) + 1 - array.ndim))
        arrays.append(np.broadcast_to(array, (comparisons, *pulses)))
    if (arrays[1] < 0.0).any():
        raise InputError("deviation", value=float(np.nanmin(arrays[1])), allowed="at least 0")
    return level, arrays[0], arrays[1]


def _check_target(target: float) -> None:
    if not 0.0 < target < 0.1:
        raise InputError("target", value=target, allowed="above 0, below 0.1")
