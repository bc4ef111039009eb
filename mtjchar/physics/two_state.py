r"""A bit as a Markov chain of two states: its flip probability after a time and a number of reads.

A bit in state s leaves it at the rate k_s, and each read flips it with the probability d_s. Over an interval
h with a read at its end, a row vector of the probabilities of both states is multiplied by the matrix

.. math:: T = e^{Q h} D,\quad Q = \begin{pmatrix} -k_0 & k_0 \\ k_1 & -k_1 \end{pmatrix},\quad
          D = \begin{pmatrix} 1 - d_0 & d_0 \\ d_1 & 1 - d_1 \end{pmatrix}.                        (1)

Any such matrix with the off-diagonal elements a and b has the eigenvalues 1 and 1 - a - b, so that [1]_

.. math:: T^n = I + \frac{1 - (1 - a - b)^n}{a + b} \begin{pmatrix} -a & a \\ b & -b \end{pmatrix}.   (2)

Determinants multiply: (1 - a - b)^n = (1 - d_0 - d_1)^n exp[-(k_0 + k_1) n h].

References
----------
.. [1] J. R. Norris, Markov Chains, Cambridge University Press (1997), example 1.1.4,
   doi:10.1017/CBO9780511810633.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError

__all__ = ["flip_probabilities"]


def flip_probabilities(
    escape_rate: npt.ArrayLike, disturb_rate: npt.ArrayLike, time: npt.ArrayLike, reads: npt.ArrayLike = 0
) -> FloatArray:
    """Probability that a bit is in the other state after a time and a number of reads.

    The reads are equally spaced, the last one at the end of the time. Flips back are included: after a long
    time the bit is in each state with its equilibrium probability.

    Parameters
    ----------
    escape_rate : array_like, shape (..., 2)
        Rate of leaving state 0 and state 1, 1/s, at least 0.
    disturb_rate : array_like, shape (..., 2)
        Probability that a read flips a bit in state 0 and in state 1, 0 to 1.
    time : array_like
        Time since the bit was written, s, at least 0; infinity is allowed. Its shape broadcasts with those
        of the rates without their last axis, and with that of `reads`.
    reads : array_like of int, optional
        Number of reads in that time, at least 0.

    Returns
    -------
    ndarray, shape (..., 2)
        Of a bit that was written as 0 and of one that was written as 1; exact up to rounding.

    Raises
    ------
    InputError
        For values out of range.

    Examples
    --------
    A bit that leaves its state once in ten years on average is wrong with nearly one half after a century:

    >>> year = 365.25 * 86400.0
    >>> flip_probabilities([0.1 / year, 0.1 / year], [0.0, 0.0], 100.0 * year).round(6)
    array([0.5, 0.5])

    A read that flips only zeros leaves (1 - 1e-3)^n of them unchanged:

    >>> flip_probabilities([0.0, 0.0], [1e-3, 0.0], 0.0, reads=100).round(4)
    array([0.0952, 0.    ])
    """
    escape, disturb = _pairs("escape_rate", escape_rate), _pairs("disturb_rate", disturb_rate)
    span, count = np.asarray(time, dtype=np.float64), np.asarray(reads, dtype=np.float64)
    _check("escape_rate", escape, (escape >= 0.0) & np.isfinite(escape), "finite, at least 0")
    _check("disturb_rate", disturb, (disturb >= 0.0) & (disturb <= 1.0), "0 to 1")
    _check("time", span, span >= 0.0, "at least 0")
    _check("reads", count, (count >= 0.0) & (count == np.floor(count)), "integers, at least 0")
    k0, k1, d0, d1, span, n = np.broadcast_arrays(
        escape[..., 0], escape[..., 1], disturb[..., 0], disturb[..., 1], span, count
    )
    d0, d1 = np.where(n > 0.0, d0, 0.0), np.where(n > 0.0, d1, 0.0)
    either = d0 + d1
    decay = (k0 + k1) * np.where(k0 + k1 > 0.0, span, 0.0)  # none at rate 0, even after infinity
    # Equation 1: off-diagonal elements of exp(Q h), then with the read.
    r0, r1 = _shares(k0, k1, -np.expm1(-decay / np.maximum(n, 1.0)))
    a, b = d0 + r0 * (1.0 - either), d1 + r1 * (1.0 - either)
    # The power in equation 2, in logarithms: a + b may be far below the rounding of 1.
    with np.errstate(divide="ignore"):  # certain flips: nothing is left
        below = np.log1p(-np.minimum(either, 1.0))
        log_power = n * np.where(either < 1.0, below, np.log(np.abs(either - 1.0))) - decay
    alternates = (either > 1.0) & (np.fmod(n, 2.0) == 1.0)
    left = np.where(alternates, 1.0 + np.exp(log_power), 0.0 - np.expm1(log_power))
    return np.stack(_shares(a, b, left), axis=-1)


def _shares(a: FloatArray, b: FloatArray, both: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Divide into parts in the ratio of a to b; none if both are 0."""
    total = np.where(a + b > 0.0, a + b, 1.0)
    return a / total * both, b / total * both


def _pairs(thing: str, values: npt.ArrayLike) -> FloatArray:
    pairs = np.asarray(values, dtype=np.float64)
    if pairs.ndim < 1 or pairs.shape[-1] != 2:
        raise InputError(f"shape of {thing}", value=pairs.shape, allowed="(..., 2), one for each state")
    return pairs


def _check(thing: str, values: FloatArray, valid: BoolArray, allowed: str) -> None:
    if not valid.all():
        raise InputError(thing, value=float(values[~valid].flat[0]), allowed=allowed)
