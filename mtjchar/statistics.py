"""Estimates over devices and from counts: weighted means, quantiles, effective numbers, intervals.

Arrays have the devices along axis 0 and the pulses along the others. NaN means a device without a result; it
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
import scipy  # its submodules are loaded on use: scipy.stats takes longer than a query

from mtjchar.arrays import FloatArray, IntArray

__all__ = [
    "NORMAL_QUANTILE",
    "OUTSIDE",
    "RESAMPLES",
    "CountedRate",
    "bootstrap",
    "clopper_pearson",
    "controlled_mean",
    "draw_interval",
    "effective_number",
    "expected_half_width",
    "mean_half_width",
    "replicate_interval",
    "weighted_mean",
    "weighted_quantiles",
]

OUTSIDE = 0.05
"""Probability outside a 95 % interval, on both sides together; for a bound, on its one side."""

NORMAL_QUANTILE = 1.959964
"""Standard errors from the middle of a normal 95 % interval to either end."""

RESAMPLES = 1000
"""Number of bootstrap samples."""


class CountedRate(NamedTuple):
    """Error rate from counts and its 95 % bounds."""

    rate: FloatArray
    lower: FloatArray
    upper: FloatArray


def weighted_mean(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Self-normalized mean, sum(w x)/sum(w), over axis 0 (Owen, equation 9.3).

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
        Zero or positive; NaN if all values of a device are NaN.
    """
    used = np.where(np.isfinite(values), _along(weight, values), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((used * _zero_for_nan(values)).sum(axis=0) / used.sum(axis=0))


def replicate_interval(
    values: FloatArray, weight: FloatArray, replicate: IntArray
) -> tuple[FloatArray, FloatArray]:
    """95 % interval of the weighted mean of positive values, from independent replicates of the sample.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
    replicate : ndarray of int, shape (devices,)
        Number of the randomization that a device belongs to, from 0; at least two.

    Notes
    -----
    To first order, the mean is linear in the contributions of the replicates, so their scatter is its
    standard error. Devices inside a replicate may depend on each other, as Sobol points do; a bootstrap
    over devices would ignore that. The interval uses Student's t with the number of replicates minus one, on
    the logarithm of the mean, because the mean is positive and its error in the tail is a factor.
    """
    count = int(replicate.max()) + 1
    mean = weighted_mean(values, weight)
    used = np.where(np.isfinite(values), _along(weight, values), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = used * _zero_for_nan(values / mean - 1.0)
        sums = np.stack([excess[replicate == group].sum(axis=0) for group in range(count)])
        error = np.sqrt((sums**2).sum(axis=0) * count / (count - 1)) / used.sum(axis=0)
    factor = np.exp(scipy.stats.t.ppf(1.0 - 0.5 * OUTSIDE, count - 1) * error)
    return mean / factor, mean * factor


def controlled_mean(
    values: FloatArray, weight: FloatArray, replicate: IntArray, controls: FloatArray, expected: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean of a weighted sample with the help of functions whose means are known.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
        Finite.
    weight : ndarray, shape (devices,)
        Ratio of the densities, mean about 1.
    replicate : ndarray of int, shape (devices,)
        Number of the randomization that a device belongs to, from 0; at least two.
    controls : ndarray, shape (devices, controls)
        Functions of the devices.
    expected : ndarray, shape (controls,)
        Their means over the distribution.

    Returns
    -------
    mean, error : ndarray
        The mean, and its standard error from the scatter of the replicates.

    Notes
    -----
    The values are fitted by the controls, and only the residuals are averaged over the sample: control
    variates, with coefficients from least squares in the sampled density (Owen, 8.9 and 9.10). The
    error counts the fitted coefficients.
    """
    devices, count = len(values), int(replicate.max()) + 1
    carried = values.reshape(devices, -1) * weight[:, None]
    largest = np.maximum(np.abs(carried).max(axis=0), np.finfo(float).tiny)
    carried = carried / largest
    weighted = controls * weight[:, None]
    size = np.maximum(np.abs(weighted).max(axis=0), np.finfo(float).tiny)
    coefficients = np.linalg.lstsq(weighted / size, carried, rcond=1e-10)[0] / size[:, None]
    residual = carried - weighted @ coefficients
    mean = expected @ coefficients + residual.mean(axis=0)
    residual = residual - residual.mean(axis=0)
    sums = np.stack([residual[replicate == group].sum(axis=0) for group in range(count)])
    free = max(devices - controls.shape[1], 1)
    error = np.sqrt((sums**2).sum(axis=0) * count / (count - 1) / (devices * free))
    shape = values.shape[1:]
    return (mean * largest).reshape(shape), (error * largest).reshape(shape)


def effective_number(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the effective number of devices in a weighted mean: (sum w x)^2/sum (w x)^2 over axis 0.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
        Zero or positive.
    weight : ndarray, shape (devices,)

    Returns
    -------
    ndarray
        NaN if the mean is 0.
    """
    carried = _zero_for_nan(values * _along(weight, values))
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
    Each sorted value is at the middle of its weight; values in between are interpolated. With equal weights
    these are the quantiles of `numpy.quantile`. Numpy takes weights only with the method ``inverted_cdf``,
    which steps from one device to the next; in a tail such a step can be two decades.
    """
    flat = values.reshape(len(values), -1)
    interpolated = np.full((flat.shape[1], len(quantiles)), np.nan)
    for pulse, column in enumerate(flat.T):
        used = np.isfinite(column) & (weight > 0.0)
        if used.any():
            order = np.argsort(column[used], kind="stable")
            w = weight[used][order]
            middle = np.cumsum(w) - 0.5 * w
            place = (middle - middle[0]) / max(middle[-1] - middle[0], np.finfo(float).tiny)
            interpolated[pulse] = np.interp(quantiles, place, column[used][order])
    return interpolated.reshape(*values.shape[1:], len(quantiles))


def bootstrap(
    values: FloatArray, rng: np.random.Generator, weight: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """95 % percentile interval of the mean over independently drawn devices.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    rng : numpy.random.Generator
    weight : ndarray, shape (devices,), optional
        Resampled together with the values; 1 if not given.

    Notes
    -----
    For devices of one Sobol sequence, which covers the distribution more evenly than random numbers, the
    interval is wider than necessary. `scipy.stats.bootstrap` is no replacement: it does not leave out devices
    that failed at single pulses, does not resample weights with the values, and takes three times as long.
    """
    devices, shape = len(values), values.shape[1:]
    flat = values.reshape(devices, -1)
    counts = rng.multinomial(devices, np.full(devices, 1.0 / devices), size=RESAMPLES).astype(float)
    used = np.isfinite(flat) * (1.0 if weight is None else weight[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        means = counts @ (used * _zero_for_nan(flat)) / (counts @ used)
    lower, upper = np.nanquantile(means, [0.5 * OUTSIDE, 1.0 - 0.5 * OUTSIDE], axis=0)
    return lower.reshape(shape), upper.reshape(shape)


def draw_interval(
    values: FloatArray, weight: FloatArray, replicate: IntArray
) -> tuple[FloatArray, FloatArray]:
    """95 % prediction interval of the weighted mean of one further draw like the replicates.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
    replicate : ndarray of int, shape (devices,)
        Number of the draw that a device belongs to, from 0: a stack that may be the true one.

    Notes
    -----
    The interval is that of the logarithm of the mean, by Student's t. The replicates do not average out,
    because one stack is the true one.
    """
    count = int(replicate.max()) + 1
    means = [weighted_mean(values[replicate == group], weight[replicate == group]) for group in range(count)]
    with np.errstate(invalid="ignore"):
        logarithm = np.log(np.maximum(np.stack(means), np.finfo(float).tiny))
    center, scatter = logarithm.mean(axis=0), logarithm.std(axis=0, ddof=1)
    reach = scipy.stats.t.ppf(1.0 - 0.5 * OUTSIDE, count - 1) * np.sqrt(1.0 + 1.0 / count) * scatter
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
        Pearson). Without errors the likelihood has its maximum at 0, which is no use for a design. Then
        rate and upper bound are both the one-sided 95 % bound 1 - 0.05^(1/trials), and the lower bound is 0.
    """
    failed, written = np.broadcast_arrays(
        np.asarray(errors, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    none, all_ = failed == 0.0, failed == written
    bound = -np.expm1(np.log(OUTSIDE) / written)
    # The beta distribution has no parameter 0; the limits are known.
    lower = scipy.stats.beta.ppf(0.5 * OUTSIDE, np.maximum(failed, 1.0), written - failed + 1.0)
    upper = scipy.stats.beta.ppf(1.0 - 0.5 * OUTSIDE, failed + 1.0, np.maximum(written - failed, 1.0))
    return CountedRate(
        np.where(none, bound, failed / written),
        np.where(none, 0.0, lower),
        np.where(none, bound, np.where(all_, 1.0, upper)),
    )


def mean_half_width(values: FloatArray, looks: int = 1, step: float = 0.0) -> float:
    """Half the width of the 95 % interval of a mean, by Student's t.

    Parameters
    ----------
    values : ndarray, shape (repetitions,)
        Independent; at least two.
    looks : int, optional
        How often more values may be added depending on the interval. With more than one, the interval is
        wider, so that the intervals of all looks cover the mean in 95 % of cases (Bonferroni).
    step : float, optional
        The values are multiples of this number. A few values can be equal by chance, as if there were no
        scatter; therefore the variance of rounding, step**2/12, is added.
    """
    return expected_half_width(values, len(values), looks, step)


def expected_half_width(values: FloatArray, repetitions: int, looks: int = 1, step: float = 0.0) -> float:
    """Half the width that `mean_half_width` would give for this number of repetitions with the same scatter.

    Parameters
    ----------
    values : ndarray, shape (repetitions,)
        Independent; at least two.
    repetitions : int
        At least two.
    looks, step : int, float, optional
        As for `mean_half_width`.
    """
    error = np.sqrt((np.var(values, ddof=1) + step**2 / 12.0) / repetitions)
    return float(scipy.stats.t.ppf(1.0 - 0.5 * OUTSIDE / looks, repetitions - 1) * error)


def _along(weight: FloatArray, values: FloatArray) -> FloatArray:
    """Give device weights the dimensions of their values."""
    return weight.reshape(-1, *(1,) * (values.ndim - 1))


def _zero_for_nan(values: FloatArray) -> FloatArray:
    """Replace NaN and infinite values by 0."""
    return np.where(np.isfinite(values), values, 0.0)
