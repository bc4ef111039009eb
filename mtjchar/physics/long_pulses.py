r"""Pulses of any duration: the Fokker-Planck equation, its exponential tail, and rare switching.

If a pulse is long compared with the relaxation in the well, the error rate falls exponentially,

.. math:: \ln\mathrm{WER}(\tau) = \ln\mathrm{WER}(\tau_0) - \lambda (\tau - \tau_0),              (1)

with the smallest eigenvalue lambda of the operator of `mtjchar.physics.fokker_planck`: the rate of thermally
activated switching below the critical current, and near 2 (i - 1) above it. Pulses of seconds therefore
cost no more than nanoseconds, and retention over years is the same calculation. From then on the density is a
mixture of the initial and the final well, so that the mean of an observable such as the power is

.. math:: \langle f\rangle(\tau) = f_1 + [\langle f\rangle(\tau_0) - f_1] e^{-\lambda(\tau - \tau_0)},   (2)

with its mean f_1 over Boltzmann's density behind the barrier, with the drive on.

A pulse that hardly ever switches has an error rate near 1, of which a computer keeps 16 digits.
`log_exponent` therefore returns ln(-ln WER). For a small 1 - WER = p this is ln p; for a small WER it is the
logarithm of its number of orders of magnitude. Below p = 1e-4, or 1e-3 without a barrier, it comes from
`mtjchar.physics.rare_switching`, above ten times that from the equation for the error rate, and between them
from a mixture of both. Just after the start of a pulse p is less than lambda tau, because the density in the
well has to tilt first: at Delta = 58 and i = 0.33 by a factor 1.5 at tau = 20, and 1600 at tau = 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.integrate import cumulative_simpson

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, rare_switching
from mtjchar.physics.fokker_planck import Decay, FunctionOfZ, Stage, WriteStatistics, of_some

__all__ = [
    "HANDOVER",
    "OVERDRIVE",
    "decay_rate",
    "log_exponent",
    "mean_after",
    "or_by_escape",
    "slowest_decay",
    "with_rare_switching",
    "write_error_rate",
    "write_statistics",
]

OVERDRIVE = (-1.0, fokker_planck.OVERDRIVE_LIMIT)

HANDOVER = 40.0
"""Reduced time tau_0, times the overdrive if that is above 1: faster modes have decayed by then."""

_LEAST_EIGENVALUE = 1e-6  # rounding spoils smaller ones; the inverse mean escape time is as accurate
# Probability of switching between which two methods are mixed: with a barrier, and without.
_BARRIER, _RARE = (1e-4, 1e-3), (1e-3, 1e-2)
_IN_WELL_POINTS = 2001
_PROBE = np.linspace(-1.0, 1.0, 33)[:, None]


def log_exponent(
    overdrive: FunctionOfZ,
    stability: npt.ArrayLike,
    reduced_time: npt.ArrayLike,
    *,
    field: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Natural logarithm of -ln(write error rate), for pulses of any duration.

    Parameters
    ----------
    overdrive : callable
        i(z), as for `mtjchar.physics.fokker_planck.write_statistics`.
    stability : array_like, shape (devices,)
        Thermal stability Delta without field, 5 to 250.
    reduced_time : array_like, shape (devices, durations)
        Durations over t_D, at least 0, without an upper limit; values below 1e-6 are replaced by that.
    field : array_like, shape (devices,), optional
        Axial field over the anisotropy field, h, always on; positive if it holds the state before
        the write. Magnitude below 1.

    Returns
    -------
    ndarray, shape (devices, durations)
        At least -690.8, the logarithm of 1e-300. If switching is rare, for Delta from 25 to 120,
        overdrives from -0.2 to 0.9 and tau from 1 on, within 0.06, and for tau above 5 and overdrives
        above 0 within 0.005, of tests/reference/rare_switching.csv. Otherwise -ln WER has the accuracy of
        `mtjchar.physics.fokker_planck.write_error_rate`, and beyond tau = 40 that of `decay_rate`. Above
        overdrives of 3, a probability of switching below 0.01 in a pulse that is far too short may be off
        by a factor of 2.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Notes
    -----
    The result rises with the overdrive. It rises with the duration if the drive is towards the other state. A
    drive that holds the state first pulls back the part of the initial density that is at the barrier.

    A magnetization that has left the well does not return. Without drive, and for times near the retention
    time, the error rate therefore tends to 0 and not to the 1/2 of two equally occupied states. Probabilities
    below that of being at the barrier at rest, exp(-Delta (1 + h)^2), depend on where in the well a write
    counts as done.
    """
    delta, tau, h, barrier = _devices(overdrive, stability, reduced_time, field)
    fastest = np.maximum(np.abs(_force(overdrive, delta, h) + _PROBE).max(axis=0), 1.0)
    late = (tau > HANDOVER / fastest[:, None]).all(axis=1)
    logarithm = np.empty_like(tau)
    if late.any():
        # No march is needed where all durations are long.
        decay = slowest_decay(of_some(overdrive, late, len(delta)), delta[late], h[late])
        logarithm[late] = np.log(decay.amplitude)[:, None] - decay.rate[:, None] * tau[late]  # (1)
    if not late.all():
        drive = of_some(overdrive, ~late, len(delta))
        logarithm[~late] = _solve(drive, delta[~late], tau[~late], h[~late]).log_error_rate
    result = np.log(np.maximum(-logarithm, rare_switching.LEAST))

    def rare(device: IndexArray, duration: IndexArray) -> FloatArray:
        chance = rare_switching.switching_probability(overdrive, delta, h, device, tau[device, duration])
        return np.asarray(-np.log1p(-np.minimum(chance, 0.5)))

    return with_rare_switching(result, barrier, rare)


def with_rare_switching(
    log_exponent: FloatArray, barrier: BoolArray, rare: Callable[[IndexArray, IndexArray], FloatArray]
) -> FloatArray:
    """Replace ln(-ln WER) from the equation for the error rate where the switching is rare.

    Parameters
    ----------
    log_exponent : ndarray, shape (devices, durations)
        From the equation for the error rate.
    barrier : ndarray of bool, shape (devices,)
        Whether the drive leaves a barrier.
    rare : callable
        -ln WER from `mtjchar.physics.rare_switching`, for the positions of devices and durations.

    Returns
    -------
    ndarray, shape (devices, durations)
        See the docstring of the module for the limits between which both are mixed.
    """
    result = log_exponent.copy()
    low, high = np.log(np.where(barrier[:, None], _BARRIER, _RARE)).T[:, :, None]
    device, duration = np.nonzero(result < high)
    other = np.log(rare(device, duration))
    share = np.clip((result - low) / (high - low), 0.0, 1.0)[device, duration]
    result[device, duration] = other + share * (result[device, duration] - other)
    return result


def write_statistics(
    overdrive: FunctionOfZ,
    stability: npt.ArrayLike,
    reduced_time: npt.ArrayLike,
    observable: FunctionOfZ | None = None,
    *,
    field: npt.ArrayLike = 0.0,
    rise: Sequence[Stage] = (),
    fall: Sequence[Stage] = (),
    stored: FunctionOfZ | None = None,
) -> WriteStatistics:
    """`mtjchar.physics.fokker_planck.write_statistics` for pulses of any duration.

    Parameters
    ----------
    overdrive, stability, observable, field, rise, fall, stored
        As there.
    reduced_time : array_like, shape (devices, durations)
        Durations of the plateau over t_D, at least 0, without an upper limit.

    Returns
    -------
    WriteStatistics
        As there. Beyond a reduced time of 40, divided by the overdrive if that is above 1, the error
        rate follows equation 1, the observable equation 2.

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """
    delta, tau, h, _ = _devices(overdrive, stability, reduced_time, field)
    solved = _solve(overdrive, delta, tau, h, observable, rise, fall, stored)
    return WriteStatistics(np.exp(solved.log_error_rate), solved.integral, solved.final)


class _Solved(NamedTuple):
    log_error_rate: FloatArray
    integral: FloatArray  # this and the next as in WriteStatistics
    final: FloatArray


def _solve(
    overdrive: FunctionOfZ,
    delta: FloatArray,
    tau: FloatArray,
    field: FloatArray,
    observable: FunctionOfZ | None = None,
    rise: Sequence[Stage] = (),
    fall: Sequence[Stage] = (),
    stored: FunctionOfZ | None = None,
) -> _Solved:
    drives = [overdrive, *(stage.overdrive for stage in (*rise, *fall))]
    fastest = np.max([np.abs(_force(drive, delta, field) + _PROBE).max(axis=0) for drive in drives], axis=0)
    handover = HANDOVER / np.maximum(fastest, 1.0)[:, None]
    near = fokker_planck.write_statistics(
        overdrive, delta, np.minimum(tau, handover), observable,
        field=field, rise=rise, fall=fall, stored=stored,
    )  # fmt: skip
    logarithm = np.log(np.maximum(near.error_rate, np.finfo(float).tiny))
    integral, final = np.array(near.integral), np.array(near.final)
    late = np.flatnonzero((tau > handover).any(axis=1))
    if len(late):
        beyond = np.maximum(tau[late] - handover[late], 0.0)
        drive = of_some(overdrive, late, len(delta))
        rate = slowest_decay(drive, delta[late], field[late]).rate[:, None]
        logarithm[late] -= rate * beyond  # (1)
        if observable is not None:
            seen = of_some(observable, late, len(delta))
            after = mean_after(drive, seen, delta[late], field[late])[:, None]
            excess = np.where(beyond > 0.0, final[late] - after, 0.0)
            integral[late] += after * beyond - excess * np.expm1(-rate * beyond) / rate  # (2)
            final[late] += excess * np.expm1(-rate * beyond)
    return _Solved(logarithm, integral, final)


def slowest_decay(overdrive: FunctionOfZ, delta: FloatArray, field: FloatArray) -> Decay:
    """Decay of equation 1; if rounding spoils the eigenvalue, that of the mean time of escape."""
    decay = fokker_planck.slowest_decay(overdrive, delta, field)
    amplitude = np.where(decay.rate >= _LEAST_EIGENVALUE, decay.amplitude, 1.0)
    return Decay(or_by_escape(decay.rate, overdrive, delta, field), amplitude)


def or_by_escape(
    eigenvalue: FloatArray, overdrive: FunctionOfZ, delta: FloatArray, field: FloatArray
) -> FloatArray:
    """Return the eigenvalues, or inverse mean times of escape where rounding spoils an eigenvalue."""
    rate = eigenvalue.copy()
    slow = np.flatnonzero(~(eigenvalue >= _LEAST_EIGENVALUE))
    if len(slow):
        own = of_some(overdrive, slow, len(delta))
        rate[slow] = 1.0 / rare_switching.mean_escape_time(own, delta[slow], field[slow])
    return rate


def mean_after(
    overdrive: FunctionOfZ, observable: FunctionOfZ, delta: FloatArray, field: FloatArray
) -> FloatArray:
    """Mean of the observable over the well behind the barrier, with the drive on."""
    # In z = -cos(theta), from the far pole; the stationary density is exp(-Phi), see rare_switching.
    theta = np.linspace(0.0, np.pi, _IN_WELL_POINTS)[:, None] * np.ones_like(delta)
    z = -np.cos(theta)
    slope = 2.0 * delta * (overdrive(z) - field - z) * np.sin(theta)
    potential = cumulative_simpson(slope, x=theta, axis=0, initial=0.0)
    before_top = np.arange(len(z))[:, None] <= potential.argmax(axis=0)
    lowest = np.where(before_top, potential, np.inf).min(axis=0)
    weight = np.where(before_top, np.exp(np.minimum(lowest - potential, 0.0)) * np.sin(theta), 0.0)
    weight[0] += 1e-300  # only the pole is left if there is no well
    return np.asarray((weight * observable(z)).sum(axis=0) / weight.sum(axis=0))


def _devices(
    overdrive: FunctionOfZ, stability: npt.ArrayLike, reduced_time: npt.ArrayLike, field: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Arrays of the arguments, checked, and whether there is a barrier."""
    delta = np.asarray(stability, dtype=np.float64)
    tau = np.asarray(reduced_time, dtype=np.float64)
    h = np.broadcast_to(np.asarray(field, dtype=np.float64), delta.shape)
    force = _force(overdrive, delta, h)
    fokker_planck.check(np.abs(force + _PROBE).max(axis=0), delta, h)
    valid = (tau >= 0.0) & np.isfinite(tau)
    if not np.all(valid):
        raise InputError("reduced_time", value=float(tau[~valid].flat[0]), allowed="finite, at least 0")
    return delta, tau, h, force.min(axis=0) < 0.0


def _force(overdrive: FunctionOfZ, delta: FloatArray, field: FloatArray) -> FloatArray:
    return overdrive(_PROBE * np.ones_like(delta)) - field - _PROBE


def write_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Probability that a write fails, for pulses of any duration at constant overdrive.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, -1 to 50.
    stability : array_like
        Thermal stability Delta, 5 to 250.
    reduced_time : array_like
        Duration over t_D, at least 0, without an upper limit.

    Returns
    -------
    ndarray
        exp(-exp(`log_exponent`)), of the shape that the arguments broadcast to. At error rates below 0.9,
        and up to a reduced time of 40, divided by the overdrive if that is above 1, it is that of
        `mtjchar.physics.fokker_planck.write_error_rate`. Compared with that solver at its longest times,
        -ln WER is within 1e-3; for longer ones its accuracy is that of `decay_rate`.

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """
    i = np.asarray(overdrive, dtype=np.float64)
    _check_overdrive(i)
    with np.errstate(over="ignore"):
        return np.exp(-np.exp(fokker_planck.at_constant_overdrive(log_exponent, i, stability, reduced_time)))


def decay_rate(overdrive: npt.ArrayLike, stability: npt.ArrayLike) -> FloatArray:
    """Rate at which the logarithm of the error rate falls in a long pulse of constant overdrive, per t_D.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, -1 to 50.
    stability : array_like
        Thermal stability Delta, 5 to 250.

    Returns
    -------
    ndarray
        lambda of equation 1, of the shape that the arguments broadcast to; at least 1e-300. If
        it is above 1e-6 it is the eigenvalue itself, within 1e-4 of the slope of
        `mtjchar.physics.fokker_planck.write_error_rate`; below, the inverse of the mean time of escape,
        within 1e-3 (tests/test_long_pulses.py).

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """
    i = np.asarray(overdrive, dtype=np.float64)
    _check_overdrive(i)

    def solve(drive: FunctionOfZ, delta: FloatArray, tau: FloatArray) -> FloatArray:
        _, _, h, _ = _devices(drive, delta, tau, 0.0)
        return slowest_decay(drive, delta, h).rate[:, None] + 0.0 * tau

    return fokker_planck.at_constant_overdrive(solve, i, stability, 0.0)


def _check_overdrive(overdrive: FloatArray) -> None:
    low, high = OVERDRIVE
    valid = (overdrive >= low) & (overdrive <= high)
    if not np.all(valid):
        raise InputError("overdrive", value=float(overdrive[~valid].flat[0]), allowed=f"{low:g} to {high:g}")
