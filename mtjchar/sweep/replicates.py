"""Weighted means over devices, and their intervals from independent replicates of the sample.

Arrays have the devices along axis 0 and the pulses along the others; NaN is a device without a result, which
is left out.

References
----------
A. B. Owen, Monte Carlo theory, methods and examples (2013), chapter 9 (importance sampling).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import t

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_OUTSIDE = 0.05  # of an interval, both sides together


def weighted_mean(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Self-normalized mean, sum(w x)/sum(w), over axis 0 (Owen, equation 9.3).

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
        Zero or positive; NaN where all values are.
    """
    used = np.where(np.isfinite(values), along(weight, values), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((used * zero_for_nan(values)).sum(axis=0) / used.sum(axis=0))


def replicate_interval(
    values: FloatArray, weight: FloatArray, replicate: IntArray
) -> tuple[FloatArray, FloatArray]:
    """95 % interval of the weighted mean of positive values, from independent replicates of the sample.

    Parameters
    ----------
    values : ndarray, shape (devices, ...)
    weight : ndarray, shape (devices,)
    replicate : ndarray of int, shape (devices,)
        Randomization that a device belongs to, from 0; at least two.

    Notes
    -----
    The mean over all is linear, to first order, in what each replicate adds, so that their scatter is its
    standard error: inside a replicate devices may depend on each other, as Sobol points do, which a bootstrap
    over devices could not see. Student's t with the number of replicates less one, on the logarithm of the
    mean, as the mean is positive and in the tail its error is a factor.
    """
    count = int(replicate.max()) + 1
    mean = weighted_mean(values, weight)
    used = np.where(np.isfinite(values), along(weight, values), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = used * zero_for_nan(values / mean - 1.0)
        sums = np.stack([excess[replicate == one].sum(axis=0) for one in range(count)])
        error = np.sqrt((sums**2).sum(axis=0) * count / (count - 1)) / used.sum(axis=0)
    factor = np.exp(t.ppf(1.0 - 0.5 * _OUTSIDE, count - 1) * error)
    return mean / factor, mean * factor


def along(weight: FloatArray, values: FloatArray) -> FloatArray:
    """Give weights of devices the dimensions of their values."""
    return weight.reshape(-1, *(1,) * (values.ndim - 1))


def zero_for_nan(values: FloatArray) -> FloatArray:
    """Put 0 in the place of what is not known."""
    return np.where(np.isfinite(values), values, 0.0)
