"""Residuals whose sum of squares is a deviance, and what that should be.

References
----------
.. [1] P. McCullagh, J. A. Nelder, Generalized Linear Models, 2nd ed. (1989): binomial deviance, 4.4.1;
   over-dispersion, 4.5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from mtjchar.stackfit.model import log_switching_rate

FloatArray = npt.NDArray[np.float64]

_FEW = 10.0  # expected counts from which a deviance is distributed like chi-square
_COUNTED = 80


def deviance_residuals(switched: FloatArray, trials: FloatArray, log_error_rate: FloatArray) -> FloatArray:
    """Signed square roots of the binomial deviance, positive where more switched than expected [1]_.

    Their sum of squares is -2 times the log-likelihood, up to what the data alone decide: least squares of
    them is maximum likelihood.
    """
    failed = trials - switched
    switching = log_switching_rate(log_error_rate)
    deviance = 2.0 * (
        special.xlogy(switched, switched / trials)
        - switched * switching
        + special.xlogy(failed, failed / trials)
        - failed * log_error_rate
    )
    expected = trials * np.exp(switching)
    return np.sign(switched - expected) * np.sqrt(np.maximum(deviance, 0.0))


def expected_deviance(trials: FloatArray, log_error_rate: FloatArray) -> FloatArray:
    """Mean deviance of each row if the model is right: 1, and less where few counts are expected."""
    rare = np.minimum(np.exp(log_error_rate), -np.expm1(log_error_rate))
    mean = np.ones_like(rare)
    few = trials * rare < _FEW
    if few.any():
        n, p = trials[few, None], np.maximum(rare[few, None], 1e-300)
        counts = np.minimum(np.arange(_COUNTED), n)
        weight = stats.binom.pmf(np.arange(_COUNTED), n, p)
        squared = deviance_residuals(counts, n, np.log1p(-p)) ** 2
        mean[few] = (weight * squared).sum(axis=1)
    return mean
