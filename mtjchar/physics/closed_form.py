r"""Approximate closed forms for the switching of the axially symmetric macrospin.

All are in the units of `mtjchar.physics.fokker_planck`: the write starts at m_z = +1, the overdrive i = I/Ic0
drives it towards -1, and times are in units of t_D = (1 + alpha^2) / (alpha gamma mu0 Hk). That module is the
reference for one device, and the accuracies below were measured against it. Outside its range of validity
a form still returns a value, with a `ValidityWarning`.

References
----------
.. [1] W. H. Butler et al., IEEE Trans. Magn. 48, 4684 (2012), doi:10.1109/TMAG.2012.2209122.
.. [2] W. F. Brown, Phys. Rev. 130, 1677 (1963), doi:10.1103/PhysRev.130.1677.
.. [3] J. Z. Sun, Phys. Rev. B 62, 570 (2000), doi:10.1103/PhysRevB.62.570.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError

__all__ = [
    "ValidityWarning",
    "butler_error_rate",
    "matched_error_rate",
    "neel_brown_error_rate",
    "neel_brown_rate",
    "sun_switching_time",
    "switching_time",
]

_LOWEST_STABILITY = 20.0
_LOWEST_BARRIER = 6.0


class ValidityWarning(UserWarning):
    """A closed form was used outside its range of validity."""


def butler_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    r"""Write error rate of the precessional regime after Butler et al.

    Parameters
    ----------
    overdrive : array_like
        i, above 1; holds from 3.
    stability : array_like
        Thermal stability Delta, positive; holds from 20.
    reduced_time : array_like
        Duration over t_D, at least 0.

    Returns
    -------
    ndarray
        Error rate, of the shape that the arguments broadcast to.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Warns
    -----
    ValidityWarning
        For an overdrive below 3 or a stability below 20.

    Notes
    -----
    .. math:: 1 - \exp\left[-\frac{\pi^2}{4} \frac{\Delta (i-1)}{i\, e^{2(i-1)\tau} - 1}\right]

    [1]_. Its ratio to the Fokker-Planck equation at error rates of 0.1 to 1e-12:

    =====  ===========  ===========  ===========
    i      Delta = 40   Delta = 60   Delta = 100
    =====  ===========  ===========  ===========
    1.5    2.5 - 12.7   2.5 - 8.2    2.5 - 5.4
    2      1.5 - 2.1    1.5 - 1.9    1.5 - 1.8
    3      1.06         1.06         1.06 - 1.07
    4      0.91 - 0.87  0.91 - 0.89  0.91 - 0.90
    5      0.84 - 0.79  0.84 - 0.81  0.84 - 0.82
    8      0.74 - 0.71  0.75 - 0.72  0.75 - 0.73
    =====  ===========  ===========  ===========

    It is nearly exact around i = 3, where two errors cancel, and approaches pi^2/16 = 0.62 of the exact value
    for large i. The reason is the factor pi^2/4; see `matched_error_rate`.
    """
    i, delta, tau = _pulse(overdrive, stability, reduced_time)
    _warn("butler_error_rate", i < 3.0, "overdrives from 3", i)
    _warn("butler_error_rate", delta < _LOWEST_STABILITY, "stabilities from 20", delta)
    return _tail(np.full_like(i, 0.25 * np.pi**2), i, delta, tau)


def matched_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    r"""Write error rate of the precessional regime with the exact path to the equator.

    Parameters
    ----------
    overdrive : array_like
        i, above 1; holds from 2.
    stability, reduced_time : array_like
        As in `butler_error_rate`.

    Returns
    -------
    ndarray
        Error rate, of the shape that the arguments broadcast to. At error rates of 0.9 to 1e-12 and Delta
        from 40 within 6 % of the Fokker-Planck equation for i from 3, 8 % at 2.5 and 40 % at 2; at
        Delta = 20 and rates to 1e-6 within 7 % for i from 2.5 and 35 % at 2.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Warns
    -----
    ValidityWarning
        For an overdrive below 2 or a stability below 20.

    Notes
    -----
    Near the pole the density stays exponential in x = 1 - z, with the mean
    [i exp(2 (i-1) tau) - 1] / [2 Delta (i-1)]: thermal noise matters there and the drift is linear. Far from
    the pole only the drift matters, and `switching_time` determines the largest x that fails. Matching both
    gives Butler's expression with another factor instead of pi^2/4:

    .. math:: K(i) = 2 \cdot 2^{(i-1)/(i+1)} (1 - 1/i)^{2/(i+1)},

    0.95 at i = 1.5, 2.31 at i = 3 and 4 for large i.
    """
    i, delta, tau = _pulse(overdrive, stability, reduced_time)
    _warn("matched_error_rate", i < 2.0, "overdrives from 2", i)
    _warn("matched_error_rate", delta < _LOWEST_STABILITY, "stabilities from 20", delta)
    # x = 1 - z at the start that reaches z = 0 at tau: (K/2) exp(-2 (i-1) tau), from `switching_time`.
    factor = 2.0 * 2.0 ** ((i - 1.0) / (i + 1.0)) * (1.0 - 1.0 / i) ** (2.0 / (i + 1.0))
    return _tail(factor, i, delta, tau)


def _tail(factor: FloatArray, i: FloatArray, delta: FloatArray, tau: FloatArray) -> FloatArray:
    # [1], with `factor` for pi^2/4; divided by the exponential so that nothing overflows.
    decay = np.exp(-2.0 * (i - 1.0) * tau)
    return np.asarray(-np.expm1(-factor * delta * (i - 1.0) * decay / (i - decay)))


def neel_brown_rate(overdrive: npt.ArrayLike, stability: npt.ArrayLike) -> FloatArray:
    r"""Rate of thermally activated switching below the critical current, per t_D.

    Parameters
    ----------
    overdrive : array_like
        i, between -1 and 1.
    stability : array_like
        Thermal stability Delta, positive; holds if the barrier Delta (1-i)^2 is at least 6.

    Returns
    -------
    ndarray
        Rate in units of 1/t_D, of the shape that the arguments broadcast to.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Warns
    -----
    ValidityWarning
        For a barrier below 6 (in units of kB T).

    Notes
    -----
    In the axial case the current acts like a field along the axis, so that Brown's rate [2]_ holds with the
    field over Hk replaced by i; the exponent of the barrier is 2:

    .. math:: \sqrt{\Delta/\pi}\, (1 - i^2)(1 - i) \exp[-\Delta (1 - i)^2].

    Higher than the Fokker-Planck equation by 20 % at a barrier of 6, 12 % at 10, 7 % at 15 and 4 % at 20.
    Only the path over the barrier is counted, not the path back, which matters for i near 0 once the
    rate times the duration comes near 1.
    """
    i, delta = _broadcast(overdrive, stability)
    _check("overdrive", i, np.abs(i) < 1.0, "between -1 and 1", "From 1 see butler_error_rate.")
    _check("stability", delta, delta > 0.0, "finite, positive")
    barrier = delta * (1.0 - i) ** 2
    _warn("neel_brown_rate", barrier < _LOWEST_BARRIER, "barriers Delta (1 - i)^2 from 6", barrier)
    # [2], high-barrier limit of the axial case.
    return np.asarray(np.sqrt(delta / np.pi) * (1.0 - i**2) * (1.0 - i) * np.exp(-barrier))


def neel_brown_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Write error rate exp(-rate tau) of the thermally activated regime.

    Parameters
    ----------
    overdrive, stability : array_like
        As in `neel_brown_rate`.
    reduced_time : array_like
        Duration over t_D, at least 0; holds from 15/(1-i). Switching starts 3/(1-i) to 4/(1-i) late, once
        the density is stationary. This delay is neglected; it is a quarter of the exponent at 15/(1-i).

    Returns
    -------
    ndarray
        Error rate, of the shape that the arguments broadcast to.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Warns
    -----
    ValidityWarning
        As in `neel_brown_rate`, and for durations below 15/(1-i).
    """
    i, delta, tau = _broadcast(overdrive, stability, reduced_time)
    _check("reduced_time", tau, tau >= 0.0, "finite, at least 0")
    rate = neel_brown_rate(i, delta)
    _warn("neel_brown_error_rate", tau * (1.0 - i) < 15.0, "durations from 15/(1 - i)", tau)
    return np.asarray(np.exp(-rate * tau))


def sun_switching_time(overdrive: npt.ArrayLike, angle: npt.ArrayLike) -> FloatArray:
    r"""Switching time without noise after Sun, in units of t_D.

    Parameters
    ----------
    overdrive : array_like
        i, above 1; holds from 3.
    angle : array_like
        Polar angle at the start, rad, above 0 and below pi/2; holds to 0.3. The median of the thermal
        distribution is about sqrt(ln 2 / Delta), its root mean square 1/sqrt(Delta).

    Returns
    -------
    ndarray
        Time to the equator over t_D, of the shape that the arguments broadcast to.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Warns
    -----
    ValidityWarning
        For an overdrive below 3 or an angle above 0.3 rad.

    Notes
    -----
    .. math:: \tau = \frac{1}{i - 1} \ln\frac{\pi}{2 \theta_0}

    [3]_. With the median angle it is 1.10, 1.01, 0.97 and 0.93 times the median switching time of the
    Fokker-Planck equation at i = 3, 5, 8 and 20 (Delta = 40), but 1.3 times at i = 2 and 1.6 at 1.5. Without
    noise the exact time is that of `switching_time`.
    """
    i, theta = _start(overdrive, angle)
    _warn("sun_switching_time", i < 3.0, "overdrives from 3", i)
    _warn("sun_switching_time", theta > 0.3, "angles up to 0.3 rad", theta)
    # [3], exponential growth of a small angle, extrapolated to pi/2.
    return np.asarray(np.log(0.5 * np.pi / theta) / (i - 1.0))


def switching_time(overdrive: npt.ArrayLike, angle: npt.ArrayLike) -> FloatArray:
    r"""Exact time from a polar angle to the equator without noise, in units of t_D.

    Parameters
    ----------
    overdrive : array_like
        i, above 1.
    angle : array_like
        Polar angle at the start, rad, above 0 and below pi/2.

    Returns
    -------
    ndarray
        Time over t_D, of the shape that the arguments broadcast to; exact.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Notes
    -----
    The integral of dz / [(i - z)(1 - z^2)] from 0 to z = cos(angle), by partial fractions:

    .. math:: \tau = -\frac{\ln(1-z)}{2(i-1)} + \frac{\ln(1+z)}{2(i+1)} + \frac{\ln(1 - z/i)}{i^2-1}.
    """
    i, theta = _start(overdrive, angle)
    # 1 - z and i - z without cancellation.
    x = 2.0 * np.sin(0.5 * theta) ** 2
    late = -np.log(x) / (2.0 * (i - 1.0)) + np.log(2.0 - x) / (2.0 * (i + 1.0))
    return np.asarray(late + np.log(((i - 1.0) + x) / i) / (i**2 - 1.0))


def _broadcast(*arguments: npt.ArrayLike) -> list[FloatArray]:
    return list(np.broadcast_arrays(*(np.asarray(argument, dtype=np.float64) for argument in arguments)))


def _pulse(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    i, delta, tau = _broadcast(overdrive, stability, reduced_time)
    _check("overdrive", i, i > 1.0, "finite, above 1", "Below 1 see neel_brown_rate.")
    _check("stability", delta, delta > 0.0, "finite, positive")
    _check("reduced_time", tau, tau >= 0.0, "finite, at least 0")
    return i, delta, tau


def _start(overdrive: npt.ArrayLike, angle: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    i, theta = _broadcast(overdrive, angle)
    _check("overdrive", i, i > 1.0, "finite, above 1", "Below 1 nothing switches without noise.")
    _check("angle", theta, (theta > 0.0) & (theta < 0.5 * np.pi), "above 0 and below pi/2")
    return i, theta


def _check(thing: str, values: FloatArray, valid: BoolArray, allowed: str, remedy: str = "") -> None:
    valid = valid & np.isfinite(values)
    if not valid.all():
        raise InputError(thing, value=float(values[~valid].flat[0]), allowed=allowed, remedy=remedy)


def _warn(form: str, outside: BoolArray, range_: str, values: FloatArray) -> None:
    if outside.any():
        worst = float(values[outside].flat[0])
        message = f"{form} holds for {range_}; got {worst:g}. fokker_planck has no such limit."
        warnings.warn(message, ValidityWarning, stacklevel=3)
