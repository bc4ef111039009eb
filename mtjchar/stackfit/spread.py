"""Counts over an array: the mean error rate of devices whose parameters have a spread."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.special import roots_hermitenorm

from mtjchar.arrays import FloatArray
from mtjchar.stackfit.likelihood import log_exponent_of
from mtjchar.stackfit.parameters import Values, names_of

__all__ = ["SPREADS", "mean_log_exponent"]

SPREADS = {"critical_current_spread": "critical_current", "stability_spread": "stability"}
"""Relative standard deviations, and the parameters of the devices that they are of."""

_POINTS = {"critical_current_spread": 13, "stability_spread": 9}
_COARSE_POINTS = 3  # of each of two spreads
_LEAST = 0.05  # of a parameter over its mean: the normal distribution ends above 0


def mean_log_exponent(
    values: Values, log_exponent: Callable[[Values], FloatArray], *, coarse: bool = False
) -> FloatArray:
    """ln(-ln) of the mean error rate of devices.

    Parameters
    ----------
    values : mapping
        With one or both of `SPREADS`.
    log_exponent : callable
        ln(-ln WER) of a device with the values that it is given, which have no spread.
    coarse : bool, optional
        Average over two spreads with 9 devices in place of 117: good enough to find a region.

    Notes
    -----
    Error rates are averaged, with Gauss-Hermite quadrature over independent normal distributions: for
    spreads up to 0.1 within 2 % of a fine sum, for mean rates down to 1e-7 (tests/test_terms.py).
    """
    spreads = [name for name in SPREADS if name in values]
    few = coarse and len(spreads) > 1
    rules = [
        zip(*roots_hermitenorm(_COARSE_POINTS if few else _POINTS[name]), strict=True) for name in spreads
    ]
    switched, failed = np.zeros(()), np.zeros(())
    for nodes in itertools.product(*rules):
        own, weight = {key: value for key, value in values.items() if key not in SPREADS}, 1.0
        for name, (node, share) in zip(spreads, nodes, strict=True):
            factor = np.maximum(1.0 + values[name] * node, _LEAST)
            own.update({key: own[key] * factor for key in names_of(SPREADS[name]) if key in own})
            weight *= share / np.sqrt(2.0 * np.pi)
        rate = np.exp(log_exponent(own))
        switched = switched + weight * -np.expm1(-rate)
        failed = failed + weight * np.exp(-rate)
    return log_exponent_of(switched, failed)
