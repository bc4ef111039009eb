"""Estimates over devices: weighted means, quantiles, effective numbers, intervals; counts.

Arrays have the devices along axis 0 and the pulses along the others; NaN is a device without a result, which
is left out.

References
----------
A. B. Owen, Monte Carlo theory, methods and examples (2013), chapter 9 (importance sampling).
C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934), doi:10.1093/biomet/26.4.404.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, t

from mtjchar.sweep.replicates import along, replicate_interval, weighted_mean, zero_for_nan

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

__all__ = [
    "RESAMPLES",
    "CountedRate",
    "bootstrap",
    "clopper_pearson",
    "draw_interval",
    "effective_number",
    "replicate_interval",
    "weighted_mean",
    "weighted_quantiles",
]

RESAMPLES = 1000
_OUTSIDE = 0.05  # of an interval, both sides together; of a bound, on its one side


class CountedRate(NamedTuple):
    """Error rate from counts and its 95 % bounds."""

    rate: FloatArray
    lower: FloatArray
    upper: FloatArray


def effective_number(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return how many devices carry a weighted mean: (sum w x)^2/sum (w x)^2 over axis 0.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
        Zero or positive.
    weight : ndarray, shape (devices,)

    Returns
    -------
    ndarray
        NaN where the mean is 0.
    """
    carried = zero_for_nan(values * along(weight, values))
    # Scaled first: the square of a small error rate underflows.
    largest = carried.max(axis=0)
    with np.errstate(invalid="ignore"):
        carried = carried / largest
    return np.asarray(carried.sum(axis=0) ** 2 / (carried**2).sum(axis=0))


def weighted_quantiles(values: FloatArray, weight: FloatArray, quantiles: Sequence[float]) -> FloatArray:
    """Quantiles over axis 0, on the last axis of the result.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
    quantiles : sequence of float

    Notes
    -----
    Each sorted value stands in the middle of its weight, and in between is interpolated; with equal weights
    these are the quantiles of `numpy.quantile`.
    """
    flat = values.reshape(len(values), -1)
    found = np.full((flat.shape[1], len(quantiles)), np.nan)
    for pulse, column in enumerate(flat.T):
        used = np.isfinite(column) & (weight > 0.0)
        if used.any():
            order = np.argsort(column[used], kind="stable")
            w = weight[used][order]
            middle = np.cumsum(w) - 0.5 * w
            place = (middle - middle[0]) / max(middle[-1] - middle[0], np.finfo(float).tiny)
            found[pulse] = np.interp(quantiles, place, column[used][order])
    return found.reshape(*values.shape[1:], len(quantiles))


def bootstrap(
    values: FloatArray, rng: np.random.Generator, weight: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """95 % percentile interval of the mean over devices that are drawn one by one.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    rng : numpy.random.Generator
    weight : ndarray, shape (devices,), optional
        Resampled together with the values; 1 if not given.

    Notes
    -----
    Of devices from one Sobol sequence, which covers the distribution more evenly than chance does, the
    interval is wider than it need be.
    """
    devices, shape = len(values), values.shape[1:]
    flat = values.reshape(devices, -1)
    counts = rng.multinomial(devices, np.full(devices, 1.0 / devices), size=RESAMPLES).astype(float)
    used = np.isfinite(flat) * (1.0 if weight is None else weight[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        means = counts @ (used * zero_for_nan(flat)) / (counts @ used)
    lower, upper = np.nanquantile(means, [0.5 * _OUTSIDE, 1.0 - 0.5 * _OUTSIDE], axis=0)
    return lower.reshape(shape), upper.reshape(shape)


def draw_interval(
    values: FloatArray, weight: FloatArray, replicate: IntArray
) -> tuple[FloatArray, FloatArray]:
    """95 % interval of the weighted mean of another draw like the replicates.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
    replicate : ndarray of int, shape (devices,)
        Draw that a device belongs to, from 0: a stack that may be the true one.

    Notes
    -----
    Prediction interval of the logarithm of the mean, by Student's t: the replicates do not average out, as
    one stack is the true one.
    """
    count = int(replicate.max()) + 1
    means = [weighted_mean(values[replicate == one], weight[replicate == one]) for one in range(count)]
    with np.errstate(invalid="ignore"):
        logarithm = np.log(np.maximum(np.stack(means), np.finfo(float).tiny))
    center, scatter = logarithm.mean(axis=0), logarithm.std(axis=0, ddof=1)
    reach = t.ppf(1.0 - 0.5 * _OUTSIDE, count - 1) * np.sqrt(1.0 + 1.0 / count) * scatter
    return np.exp(center - reach), np.exp(np.minimum(center + reach, 0.0))


def clopper_pearson(errors: npt.ArrayLike, trials: npt.ArrayLike) -> CountedRate:
    """Error rate from counted writes.

    Parameters
    ----------
    errors, trials : array_like
        Counts; they broadcast.

    Returns
    -------
    CountedRate
        errors/trials, the maximum of the binomial likelihood, and its exact 95 % interval (Clopper and
        Pearson). Without errors the likelihood has its maximum at 0, which nobody should design with: then
        rate and upper bound are both the one-sided 95 % bound 1 - 0.05^(1/trials), the lower bound is 0.
    """
    failed, written = np.broadcast_arrays(
        np.asarray(errors, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    none, all_ = failed == 0.0, failed == written
    bound = -np.expm1(np.log(_OUTSIDE) / written)
    # The beta distribution has no parameter 0; the limits are known.
    lower = beta.ppf(0.5 * _OUTSIDE, np.maximum(failed, 1.0), written - failed + 1.0)
    upper = beta.ppf(1.0 - 0.5 * _OUTSIDE, failed + 1.0, np.maximum(written - failed, 1.0))
    return CountedRate(
        np.where(none, bound, failed / written),
        np.where(none, 0.0, lower),
        np.where(none, bound, np.where(all_, 1.0, upper)),
    )
