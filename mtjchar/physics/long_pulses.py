r"""Write error rates of pulses of any duration: the Fokker-Planck equation and its straight tail.

Once a pulse has lasted long against the relaxation in the well, the error rate falls exponentially,

.. math:: \ln\mathrm{WER}(\tau) = \ln\mathrm{WER}(\tau_0) - \lambda (\tau - \tau_0),              (1)

with the smallest eigenvalue lambda of the operator of `mtjchar.physics.fokker_planck`: the rate of thermally
activated switching below the critical current, and near 2 (i - 1) above it. So seconds cost no more than
nanoseconds.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck
from mtjchar.physics.passage import BEYOND, mean_passage_time

FloatArray = npt.NDArray[np.float64]

OVERDRIVE = (-1.0, fokker_planck.OVERDRIVE_LIMIT)

_HANDOVER = 100.0  # tau_0, times the overdrive where that is above 1: faster modes have died out by then
_LEAST_EIGENVALUE = 1e-6  # rounding spoils smaller ones; there 1/T of the passage over the barrier is as good


def decay_rate(overdrive: npt.ArrayLike, stability: npt.ArrayLike) -> FloatArray:
    """Rate at which the logarithm of the error rate falls in a long pulse, per t_D.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, constant, -1 to 50.
    stability : array_like
        Thermal stability Delta, 5 to 250.

    Returns
    -------
    ndarray
        lambda of equation 1, of the shape that the arguments broadcast to; 0 where it is below 1e-300. Where
        it is above 1e-6 it is the eigenvalue itself, within 1e-4 of the slope of
        `mtjchar.physics.fokker_planck.write_error_rate`; below, the inverse of the mean time of escape,
        within 0.5 % (tests/test_long_pulses.py).

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """
    i, delta = np.broadcast_arrays(
        np.asarray(overdrive, dtype=np.float64), np.asarray(stability, dtype=np.float64)
    )
    shape, i, delta = i.shape, i.ravel(), delta.ravel()
    rate = np.empty(len(i))
    # Pairs in parts: both ways hold arrays of hundreds to thousands of points for each.
    for start in range(0, len(i), 256):
        part = slice(start, start + 256)
        rate[part] = 1.0 / mean_passage_time(i[part], delta[part], to=BEYOND)
        fast = rate[part] > 0.5 * _LEAST_EIGENVALUE
        if fast.any():
            constant = functools.partial(_constant, i[part][fast])
            rate[part][fast] = fokker_planck.slowest_eigenvalue(constant, delta[part][fast])
    return rate.reshape(shape)


def _constant(values: FloatArray, z: FloatArray) -> FloatArray:
    return np.broadcast_to(values, z.shape)


def write_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Probability that a write fails, for pulses of any duration.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, constant, -1 to 50.
    stability : array_like
        Thermal stability Delta, 5 to 250.
    reduced_time : array_like
        Duration over t_D, at least 0, without an upper limit.

    Returns
    -------
    ndarray
        Error rate, of the shape that the arguments broadcast to. Up to a reduced time of 100, divided by the
        overdrive where that is above 1, that of `mtjchar.physics.fokker_planck.write_error_rate`; beyond
        it is continued by equation 1. Against that solver at its longest times -ln WER is within 1e-3; for
        longer ones its accuracy is that of `decay_rate`.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Notes
    -----
    What has left the well does not come back: without drive, and for times that come near the retention time,
    the error rate goes to 0 and not to the 1/2 of two equally occupied states.
    """
    i, delta, tau = np.broadcast_arrays(
        *(np.asarray(one, dtype=np.float64) for one in (overdrive, stability, reduced_time))
    )
    low, high = OVERDRIVE
    for thing, values, valid, allowed in (
        ("overdrive", i, (i >= low) & (i <= high), f"{low:g} to {high:g}"),
        ("reduced_time", tau, (tau >= 0.0) & np.isfinite(tau), "finite, at least 0"),
    ):
        if not np.all(valid):
            raise InputError(thing, value=float(values[~valid].flat[0]), allowed=allowed)
    handover = _HANDOVER / np.maximum(i, 1.0)
    rate = fokker_planck.write_error_rate(i, delta, np.minimum(tau, handover))
    late = tau > handover
    if late.any():
        pairs, of_pair = np.unique(np.stack([i[late], delta[late]], axis=1), axis=0, return_inverse=True)
        slope = decay_rate(pairs[:, 0], pairs[:, 1])[of_pair.ravel()]
        rate = np.array(rate)
        rate[late] *= np.exp(-slope * (tau - handover)[late])  # (1)
    return rate
