"""Error rates of single devices from a table, for fits that need millions of them.

`mtjchar.physics.fokker_planck.write_error_rate` takes milliseconds for each pair of overdrive and stability.
The table is computed by it once per process, in seconds, and then takes a microsecond per point. It covers
pulses of any duration, like `mtjchar.physics.long_pulses`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import NdBSpline, make_interp_spline

from mtjchar.arrays import FloatArray
from mtjchar.physics.fokker_planck import at_constant_overdrive, write_error_rate
from mtjchar.physics.long_pulses import decay_rate, log_exponent

__all__ = ["OVERDRIVE", "STABILITY", "log_decay_rate", "log_error_rate", "log_error_rate_on_load_line"]

OVERDRIVE = (-0.5, 20.0)
STABILITY = (10.0, 250.0)

_END = 40.0  # scaled time from which on the logarithm is a straight line
_FALLEN = (0.35, 0.4)  # of c in `log_error_rate_on_load_line`
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_FLOOR = 1e-5  # of -ln WER in the table of frequent switching
_HIGHEST = 4.0  # overdrive in the table of rare switching
_LOWEST = 0.35  # in that of frequent switching
# ln(-ln WER) from which the tables are mixed, over a decade, for some overdrives.
_MIXED = np.array([[_LOWEST, 0.55, 2.5, _HIGHEST], np.log([1e2, 1e-2, 1e-2, 2e-4])])


def log_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Natural logarithm of the write error rate at constant overdrive.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, 1. Values outside -0.5 to 20 are replaced by the nearer limit.
    stability : array_like
        Thermal stability Delta, 1. Values outside 10 to 250 are replaced by the nearer limit.
    reduced_time : array_like
        Duration over t_D, 1, without an upper limit; below 0 it counts as 0.

    Returns
    -------
    ndarray
        At most 0, of the shape that the arguments broadcast to. For stabilities from 20 to 120 and overdrives
        from 0.05 to 15 the error rate is within 0.001 of that of `mtjchar.physics.long_pulses`, and for
        overdrives to 4 and rates below 0.9 its logarithm within 1 %, or 0.01 for rates below 0.9999. For
        stabilities from 10 to 240 the error rate is within 0.005. It rises with overdrive and duration.

        If a pulse hardly ever switches, -ln WER has a relative accuracy. For switching probabilities from
        1e-18 up, stabilities from 20 to 120 and times that are not below those in which rates change, it
        is within 8 % of `mtjchar.physics.long_pulses.log_exponent` for overdrives from 0 to 1, 20 % from
        -0.2 to 0 and from 1 to 1.5, 60 % up to 3. Outside, probabilities below 1e-3 in pulses that are
        far too short have the right order of magnitude only, and so have those below 1e-10 at overdrives
        below -0.2.
    """
    i, delta, tau = np.broadcast_arrays(
        np.clip(np.asarray(overdrive, dtype=np.float64), *OVERDRIVE),
        np.clip(np.asarray(stability, dtype=np.float64), *STABILITY),
        np.maximum(np.asarray(reduced_time, dtype=np.float64), 0.0),
    )
    table = _table()
    pair = np.stack([i, np.log(delta)], axis=-1)
    time = tau * _scale(i)
    early = np.minimum(time, _END)
    frequent = np.stack([np.maximum(i, _LOWEST), pair[..., 1], np.log1p(2.0 * early)], axis=-1)
    exponent = np.exp(table.early(frequent))
    often = np.log(np.maximum(exponent - _FLOOR, 1e-300))
    # Above its highest overdrive, the values of the table of rare switching at the same scaled time are used.
    rare = table.rare(
        np.minimum(np.concatenate([pair, frequent[..., 2:]], axis=-1), [_HIGHEST, np.inf, np.inf])
    )
    share = np.clip((rare - np.interp(i, *_MIXED)) / np.log(10.0), 0.0, 1.0)
    value = np.array(-np.exp(share * often + (1.0 - share) * rare))
    late = time > _END
    if late.any():
        value[late] -= np.exp(table.decay(pair[late])) * np.asarray(tau - early / _scale(i))[late]
    return value


def log_decay_rate(overdrive: npt.ArrayLike, stability: npt.ArrayLike) -> FloatArray:
    """Natural logarithm of `mtjchar.physics.long_pulses.decay_rate`, from the table.

    Parameters
    ----------
    overdrive, stability : array_like
        As in `log_error_rate`.

    Returns
    -------
    ndarray
        Of the shape that the arguments broadcast to; within 0.02 for overdrives from -0.5 to 2 and
        stabilities from 20 to 120.
    """
    i, delta = np.broadcast_arrays(
        np.clip(np.asarray(overdrive, dtype=np.float64), *OVERDRIVE),
        np.clip(np.asarray(stability, dtype=np.float64), *STABILITY),
    )
    return np.asarray(_table().decay(np.stack([i, np.log(delta)], axis=-1)))


def log_error_rate_on_load_line(
    overdrive: FloatArray, feedback: FloatArray, stability: FloatArray, reduced_time: FloatArray
) -> FloatArray:
    r"""Natural logarithm of the write error rate if the overdrive changes with the magnetization.

    Parameters
    ----------
    overdrive : ndarray
        I/Ic0 in the state before the write, 1.
    feedback : ndarray
        Relative change of the overdrive up to the state after the write, 1, above -1: the load line is
        i(z) = i [1 + a (1 - z)/2] with z = 1 before the write.
    stability, reduced_time : ndarray
        As in `log_error_rate`.

    Returns
    -------
    ndarray
        Of the shape that the arguments broadcast to. For a from -0.4 to 0.6 within 0.005 decades of
        `mtjchar.physics.fokker_planck.write_statistics`, for rates from 0.9999 to 1e-16; for a from -0.55 to
        1.2 the rate itself is within 0.01. If switching is rare, from a probability of 1e-18 up and for
        reduced times from 4 on, -ln WER is within 20 % of `mtjchar.physics.long_pulses.log_exponent` for
        overdrives from 0.05 to 0.6, within 60 % from -0.1 on.

    Notes
    -----
    i(z) - z is linear in z, so that with c = 1 + a i/2 the Fokker-Planck equation
    (doi:10.1109/TMAG.2012.2209122) is that of the constant overdrive i (1 + a/2)/c at stability c Delta and
    reduced time c tau. The density before the pulse is still that of Delta: its mean distance from the pole,
    1/(2 Delta), is c times the one that belongs to c Delta. Since the pole repels at the rate
    2 (i - 1), this corresponds to a time, which is added.

    If the current falls so much that c is below 0.4, the path near the pole dominates. The error rate
    is then that of the constant overdrive i, delayed by the additional time to reach m_z = 0; within 0.03.
    """
    full = 1.0 + 0.5 * feedback * overdrive
    c = np.maximum(full, _FALLEN[0])
    constant = overdrive * (1.0 + 0.5 * feedback) / c
    past = np.maximum(constant - 1.0, 1e-9)
    gain = np.log1p((c - 1.0) * past / (1.0 + past)) / (2.0 * past)
    scaled = np.where(reduced_time > 0.0, c * reduced_time + gain, 0.0)
    mapped = log_error_rate(constant, c * stability, scaled)
    falls = full < _FALLEN[1]
    if not np.any(falls):
        return mapped
    i, a, delta, tau = np.broadcast_arrays(overdrive, feedback, stability, reduced_time)
    falls = np.broadcast_to(falls, tau.shape)
    share = np.clip((_FALLEN[1] - full) / (_FALLEN[1] - _FALLEN[0]), 0.0, 1.0)
    late = tau[falls] - _later(i[falls], a[falls])
    share = np.broadcast_to(share, tau.shape)[falls]
    mapped[falls] += share * (log_error_rate(i[falls], delta[falls], late) - mapped[falls])
    return mapped


def _later(overdrive: FloatArray, feedback: FloatArray) -> FloatArray:
    """Delay in reduced time of a changing overdrive relative to the constant one at m_z = 0."""
    z, weight = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
    constant = overdrive[:, None] - z
    changing = constant + 0.5 * (feedback * overdrive)[:, None] * (1.0 - z)
    least = 1e-2  # if it stalls, it does not arrive in time anyway
    slower = 1.0 / np.maximum(changing, least) - 1.0 / np.maximum(constant, least)
    return np.asarray((slower / (1.0 - z**2)) @ weight)


class _Table(NamedTuple):
    early: NdBSpline  # ln(-ln WER + floor) over overdrive, ln Delta and ln(1 + 2 s), scaled time s up to _END
    rare: NdBSpline  # ln(-ln WER) over the same, fewer points, overdrives up to _HIGHEST
    decay: NdBSpline  # logarithm of the decay rate beyond, over the first two


@functools.cache
def _table() -> _Table:
    i = np.concatenate(
        [[_LOWEST, 0.45, 0.53], np.linspace(0.6, 2.0, 24)[:-1], np.geomspace(2.0, OVERDRIVE[1], 13)]
    )
    delta = np.geomspace(*STABILITY, 18)
    time = np.concatenate([np.linspace(0.0, 10.0, 65)[:-1], np.linspace(10.0, _END, 15)])
    rate = write_error_rate(i[:, None, None], delta[:, None], time / _scale(i)[:, None, None])
    exponent = -np.log(np.clip(rate, np.finfo(float).tiny, 1.0))
    axes = (i, np.log(delta), np.log1p(2.0 * time))
    held = np.concatenate([np.linspace(-0.5, 0.35, 12)[:-1], i])
    return _Table(
        _tensor_spline(axes, np.log(exponent + _FLOOR)),
        _rare_table(),
        _tensor_spline((held, axes[1]), np.log(decay_rate(held[:, None], delta))),
    )


def _rare_table() -> NdBSpline:
    i = np.concatenate(
        [[-0.5, -0.3, -0.15, -0.07, 0.0, 0.07, 0.15], np.linspace(0.25, 1.3, 8), [1.5, 2.0, 2.8, _HIGHEST]]
    )
    delta = np.array([STABILITY[0], 14.0, 20.0, 32.0, 55.0, 90.0, 150.0, STABILITY[1]])
    place = np.linspace(0.0, np.log1p(2.0 * _END), 12)
    tau = 0.5 * np.expm1(place) / _scale(i)[:, None, None]
    exponent = at_constant_overdrive(log_exponent, i[:, None, None], delta[:, None], tau)
    return _tensor_spline((i, np.log(delta), place), exponent)


def _tensor_spline(axes: tuple[FloatArray, ...], values: FloatArray) -> NdBSpline:
    """Tensor product of cubic splines through values on a grid."""
    knots = []
    for axis, nodes in enumerate(axes):
        spline = make_interp_spline(nodes, values, k=3, axis=axis)
        values = np.moveaxis(spline.c, 0, axis)
        knots.append(spline.t)
    return NdBSpline(tuple(knots), np.ascontiguousarray(values), 3)


def _scale(overdrive: FloatArray) -> FloatArray:
    """Inverse of the reduced time in which error rates change, smoothed: 2 (i - 1) for large i."""
    past = overdrive - 1.0
    return past + np.sqrt(past**2 + 0.3) + 0.4
