"""Random subsets: which of many bits fail, without a draw for each."""

from __future__ import annotations

import math

import numpy as np

from mtjchar.arrays import IntArray

__all__ = ["DENSE", "random_places"]

DENSE = 0.15
"""Rate from which on a draw for each place is as fast as one for each place that is drawn."""


def random_places(count: int, rate: float, rng: np.random.Generator) -> IntArray:
    """Draw places out of `count`, each with the same probability and independently of all others.

    At low rates the gaps between the drawn places are drawn instead, which are geometric: the time goes
    with the number of places that come out, not with `count`.

    Parameters
    ----------
    count : int
        Number of places to draw from, 0 or more.
    rate : float
        Probability of each, 0 to 1.
    rng : numpy.random.Generator
        Source of the draws; rates of 0 and 1 need none.

    Returns
    -------
    ndarray of int64
        Places from 0 to `count` - 1, ascending.

    Notes
    -----
    With E exponential of mean 1, floor(E/-ln(1 - rate)) has the geometric distribution of the number of
    places that are passed over (L. Devroye, *Non-Uniform Random Variate Generation* (1986), section X.2).
    Double precision limits the probability of a place to some 1e-16 relative.
    """
    if count == 0 or rate <= 0.0:
        return np.empty(0, dtype=np.int64)
    if rate >= 1.0:
        return np.arange(count)
    if rate >= DENSE:
        return np.flatnonzero(rng.random(count) < rate)
    mean_gap = -1.0 / math.log1p(-rate)
    expected = count * rate
    # Enough for all but one in some thousand cases; those draw on.
    size = int(expected + 3.0 * math.sqrt(expected)) + 2
    parts, last = [], -1
    while last < count:
        gaps = rng.standard_exponential(size)
        gaps *= mean_gap
        # Beyond the end it does not matter how far; int64 would not hold the gaps of the lowest rates.
        np.minimum(gaps, count, out=gaps)
        places = gaps.astype(np.int64)  # rounds down
        places += 1
        places[0] += last
        places.cumsum(out=places)
        last = int(places[-1])
        parts.append(places)
    drawn = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return drawn[: drawn.searchsorted(count)]
