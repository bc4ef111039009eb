"""Residuals whose sum of squares is a deviance, and its expected value.

References
----------
.. [1] P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (1989): binomial deviance, 4.4.1;
   over-dispersion, 4.5.
.. [2] F. E. Satterthwaite, Biometrics Bull. 2, 110 (1946), doi:10.2307/3002019.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special, stats

from mtjchar.arrays import FloatArray

__all__ = ["Moments", "deviance_moments", "deviance_residuals", "log_exponent_of", "tail_probability"]


_LEAST = 1e-300  # probability: below, its logarithm is not a number
_FEW = 10.0  # expected counts above which a deviance is distributed like chi-square
_COUNTED = 80


def deviance_residuals(switched: FloatArray, trials: FloatArray, log_error_rate: FloatArray) -> FloatArray:
    """Signed square roots of the binomial deviance, positive where more switched than expected [1]_.

    Their sum of squares is -2 times the log-likelihood, up to a term that depends on the data alone: least
    squares of them is maximum likelihood.
    """
    failed = trials - switched
    switching = np.log(np.maximum(-np.expm1(log_error_rate), _LEAST))
    deviance = 2.0 * (
        special.xlogy(switched, switched / trials)
        - switched * switching
        + special.xlogy(failed, failed / trials)
        - failed * log_error_rate
    )
    expected = trials * np.exp(switching)
    return np.sign(switched - expected) * np.sqrt(np.maximum(deviance, 0.0))


class Moments(NamedTuple):
    """Mean and variance of deviances for a correct model."""

    mean: FloatArray
    variance: FloatArray


def deviance_moments(trials: FloatArray, log_error_rate: FloatArray) -> Moments:
    """Return moments of each row's deviance: 1 and 2, as of chi-square, unless few counts are expected."""
    rare = np.minimum(np.exp(log_error_rate), -np.expm1(log_error_rate))
    mean, variance = np.ones_like(rare), np.full_like(rare, 2.0)
    few = trials * rare < _FEW
    if few.any():
        n, p = trials[few, None], np.maximum(rare[few, None], 1e-300)
        counts = np.minimum(np.arange(_COUNTED), n)
        weight = stats.binom.pmf(np.arange(_COUNTED), n, p)
        squared = deviance_residuals(counts, n, np.log1p(-p)) ** 2
        mean[few] = (weight * squared).sum(axis=1)
        variance[few] = (weight * squared**2).sum(axis=1) - mean[few] ** 2
    return Moments(mean, variance)


def tail_probability(deviance: float, expected: float, scale: float) -> float:
    """Probability of such a large deviance: of a chi-square with the right mean and variance [2]_.

    Parameters
    ----------
    deviance, expected : float
        The deviance, and its expected value.
    scale : float
        Its variance over twice its mean: 1 for chi-square, more if few counts are expected.
    """
    return float(stats.chi2.sf(deviance / scale, max(expected, 1.0) / scale))


def log_exponent_of(switched: FloatArray, failed: FloatArray) -> FloatArray:
    """ln(-ln WER) from the shares of the writes that switch and that fail.

    The sum of both is 1. The smaller one gives the result, with all its digits; it is at least
    ln(1e-300).
    """
    few = switched < 0.5
    exponent = np.where(few, -np.log1p(-np.minimum(switched, 0.5)), -np.log(np.maximum(failed, _LEAST)))
    return np.asarray(np.log(np.maximum(exponent, _LEAST)))
