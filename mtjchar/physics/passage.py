r"""Mean times of the axially symmetric macrospin: switching, read disturb and retention.

The Fokker-Planck equation of `mtjchar.physics.fokker_planck`, integrated in closed form. With the
stationary density exp(-Phi), Phi(z) = 2 Delta (i z - z^2/2), and the diffusion D(z) = (1 - z^2)/(2 Delta),
the mean time from z0 to the first passage through z1 < z0 is [1]_

.. math:: T(z_0) = \int_{z_1}^{z_0} dy \frac{e^{\Phi(y)}}{D(y)} \int_y^1 dx\, e^{-\Phi(x)}.

References
----------
.. [1] P. Hanggi, P. Talkner, M. Borkovec, Rev. Mod. Phys. 62, 251 (1990), doi:10.1103/RevModPhys.62.251.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid
from scipy.interpolate import PchipInterpolator

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.physics.fokker_planck import LONGEST, OVERDRIVE_LIMIT, STABILITY_RANGE, write_error_rate

__all__ = ["BEYOND", "escape_rate", "mean_passage_time", "switching_time_quantile"]

_POINTS = 6001
_DURATIONS = 1200  # over six decades

BEYOND = -0.9
"""m_z below which nothing returns over the barrier."""


def mean_passage_time(overdrive: npt.ArrayLike, stability: npt.ArrayLike, to: float = 0.0) -> FloatArray:
    """Mean time until m_z first reaches `to`, from thermal equilibrium in the well at +1.

    With ``to=0`` and an overdrive above 1 this is the mean switching time.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, constant, -1 to 50; positive towards -1.
    stability : array_like
        Thermal stability Delta, 5 to 250.
    to : float, optional
        m_z to be reached, -0.999 to 0.5.

    Returns
    -------
    ndarray
        Reduced time, in units of t_D; infinite if it is above 1e300. Relative error below 1e-3, see
        tests/test_passage.py.

    Raises
    ------
    InputError
        For values out of range.
    """
    i, delta = np.broadcast_arrays(
        np.asarray(overdrive, dtype=np.float64), np.asarray(stability, dtype=np.float64)
    )
    low, high = STABILITY_RANGE
    for thing, values, least, most in (
        ("overdrive", i, -1.0, OVERDRIVE_LIMIT),
        ("stability", delta, low, high),
        ("to", np.asarray(to), -0.999, 0.5),
    ):
        inside = (values >= least) & (values <= most)
        if not np.all(inside):
            raise InputError(thing, value=float(values[~inside].flat[0]), allowed=f"{least:g} to {most:g}")
    u = np.linspace(np.arctanh(to), np.arctanh(1.0 - 1e-4 / (high * OVERDRIVE_LIMIT)), _POINTS)
    z, step = np.tanh(u), u[1] - u[0]
    shape = (-1,) + (1,) * i.ndim
    height = (1.0 - z**2).reshape(shape)
    potential = 2.0 * delta * (i * z.reshape(shape) - 0.5 * z.reshape(shape) ** 2)
    # [1], inner integral, from the top down and in logarithms; in each interval the potential is a line.
    slope = np.diff(potential, axis=0)
    fitted = np.where(np.abs(slope) < 1e-8, 1.0, -np.expm1(-slope) / np.where(slope == 0.0, 1.0, slope))
    parts = np.log(step * fitted * 0.5 * (height[1:] + height[:-1])) - potential[:-1]
    inner = np.logaddexp.accumulate(parts[::-1], axis=0)[::-1]
    # [1], outer integral: dy/D = 2 Delta du.
    with np.errstate(over="ignore"):
        rate = 2.0 * delta * np.exp(np.minimum(potential[:-1] + inner, 700.0))
        rate = np.where(potential[:-1] + inner >= 700.0, np.inf, rate)
        passage = np.concatenate(
            [np.zeros_like(rate[:1]), np.cumsum(0.5 * step * (rate[1:] + rate[:-1]), axis=0)]
        )
    start = np.where(z[:-1].reshape(shape) > 0.0, np.exp(-delta * height[:-1]) * height[:-1], 0.0)
    return np.asarray(trapezoid(start * passage, dx=step, axis=0) / trapezoid(start, dx=step, axis=0))


def switching_time_quantile(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, probability: npt.ArrayLike
) -> FloatArray:
    """Duration by which a share of the writes has switched: the distribution of the switching time.

    The switching time of one write is the duration of the shortest pulse that switches it, so its
    distribution function is 1 - write error rate. Its mean agrees with ``mean_passage_time(to=0)`` within
    1e-3.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, constant, magnitude up to 50.
    stability : array_like
        Thermal stability Delta, 5 to 250.
    probability : array_like
        Share that has switched, above 0 and below 1; 0.5 gives the median.

    Returns
    -------
    ndarray
        Reduced time, in units of t_D, of the shape that the arguments broadcast to; infinite if it is
        above 3000, or above 3000 divided by the overdrive if that is above 1.

    Raises
    ------
    InputError
        For values out of range.
    """
    i, delta, share = np.broadcast_arrays(
        *(np.asarray(argument, dtype=np.float64) for argument in (overdrive, stability, probability))
    )
    inside = (share > 0.0) & (share < 1.0)
    if not np.all(inside):
        raise InputError("probability", value=float(share[~inside].flat[0]), allowed="above 0 and below 1")
    duration = np.geomspace(1e-6, 1.0, _DURATIONS) * LONGEST / np.maximum(i, 1.0)[..., None]
    rates = write_error_rate(i[..., None], delta[..., None], duration)
    remaining = np.minimum.accumulate(np.log(rates.clip(np.finfo(float).tiny)), axis=-1)
    quantile = np.full(i.shape, np.inf)
    for k in np.ndindex(i.shape):
        wanted = np.log1p(-share[k])
        if remaining[k][-1] <= wanted:
            # Strictly falling, to be inverted: before the first switch the rate is constant.
            rate, first = np.unique(remaining[k], return_index=True)
            quantile[k] = np.exp(PchipInterpolator(rate, np.log(duration[k][first]))(wanted))
    return quantile


def escape_rate(overdrive: npt.ArrayLike, stability: npt.ArrayLike) -> FloatArray:
    """Rate of leaving the well at +1 for good: read disturb (0 < i < 1) and retention (i = 0).

    The probability of having left after a time tau, long compared with 1, is 1 - exp(-rate tau).

    Parameters
    ----------
    overdrive : array_like
        I/Ic0 of the read current, -1 to 0.95; positive if it drives towards the other state.
    stability : array_like
        Thermal stability Delta; the barrier Delta (1 - i)^2 has to be at least 3.

    Returns
    -------
    ndarray
        Rate per t_D.

    Raises
    ------
    InputError
        For values out of range, and if the barrier is too low for two states.
    """
    i, delta = np.broadcast_arrays(
        np.asarray(overdrive, dtype=np.float64), np.asarray(stability, dtype=np.float64)
    )
    barrier = delta * (1.0 - i) ** 2
    if not np.all((i <= 0.95) & (barrier >= 3.0)):
        worst = float(np.where(i <= 0.95, barrier, 0.0).min())
        raise InputError(
            "barrier Delta (1 - i)^2",
            value=worst,
            allowed="at least 3, with an overdrive of at most 0.95",
            remedy="With less there is no state to leave: use fokker_planck.write_error_rate.",
        )
    return 1.0 / mean_passage_time(i, delta, to=BEYOND)
