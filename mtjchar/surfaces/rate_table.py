"""Error rates of single devices from a table, for fits that ask for millions of them.

`mtjchar.physics.fokker_planck.write_error_rate` takes milliseconds for each pair of overdrive and stability.
The table is computed by it once in a process, in seconds, and then takes a microsecond a point.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.interpolate import NdBSpline, make_interp_spline

from mtjchar.physics.fokker_planck import write_error_rate

FloatArray = npt.NDArray[np.float64]

OVERDRIVE = (0.02, 9.0)
STABILITY = (14.0, 150.0)

_END = 30.0  # scaled time from which on the logarithm is a straight line


def log_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Natural logarithm of the write error rate at constant overdrive.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, 1. What lies outside of 0.02 to 9 is taken for the nearer end.
    stability : array_like
        Thermal stability Delta, 1. What lies outside of 14 to 150 is taken for the nearer end.
    reduced_time : array_like
        Duration over t_D, 1; below 0 it counts as 0.

    Returns
    -------
    ndarray
        At most 0, of the shape that the arguments broadcast to. For stabilities from 20, overdrives from 0.1
        to 4 and rates up to 0.9999 within 0.01 of `write_error_rate` (0.004 decades) or, in the tail, 0.1 %
        of the logarithm.
    """
    i, delta, tau = np.broadcast_arrays(
        np.clip(np.asarray(overdrive, dtype=np.float64), *OVERDRIVE),
        np.clip(np.asarray(stability, dtype=np.float64), *STABILITY),
        np.maximum(np.asarray(reduced_time, dtype=np.float64), 0.0),
    )
    table = _table()
    pair = np.stack([i, np.log(delta)], axis=-1)
    time = tau * _slope_scale(i)
    early = np.minimum(time, _END)
    value = np.asarray(table.early(np.concatenate([pair, early[..., None]], axis=-1)))
    late = time > _END
    if late.any():
        value[late] += table.slope(pair[late]) * (time - early)[late]
    return np.minimum(value, 0.0)


def log_error_rate_on_load_line(
    overdrive: FloatArray, feedback: FloatArray, stability: FloatArray, reduced_time: FloatArray
) -> FloatArray:
    r"""Natural logarithm of the write error rate where the overdrive changes with the magnetization.

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
        `mtjchar.physics.fokker_planck.write_statistics`, for rates from 0.9999 to 1e-16.

    Notes
    -----
    i(z) - z is linear in z, so that with c = 1 + a i/2 the Fokker-Planck equation
    (doi:10.1109/TMAG.2012.2209122) is that of the constant overdrive i (1 + a/2)/c at stability c Delta and
    reduced time c tau. The density before the pulse is still that of Delta: its mean distance from the pole,
    1/(2 Delta), is c times the one that belongs to c Delta. While the pole repels at the rate
    2 (i - 1), that is worth a time, which is added.
    """
    c = 1.0 + 0.5 * feedback * overdrive
    constant = overdrive * (1.0 + 0.5 * feedback) / c
    past = np.maximum(constant - 1.0, 1e-9)
    gain = np.log1p((c - 1.0) * past / (1.0 + past)) / (2.0 * past)
    return log_error_rate(constant, c * stability, np.where(reduced_time > 0.0, c * reduced_time + gain, 0.0))


class _Table(NamedTuple):
    early: NdBSpline  # over overdrive, ln Delta and scaled time up to _END
    slope: NdBSpline  # beyond, over the first two


@functools.cache
def _table() -> _Table:
    i = np.concatenate(
        [np.linspace(OVERDRIVE[0], 0.5, 7)[:-1], np.linspace(0.5, 2.0, 26)[:-1], np.geomspace(2.0, 9.0, 12)]
    )
    delta = np.geomspace(*STABILITY, 12)
    time = np.concatenate(
        [np.linspace(0.0, 4.0, 21)[:-1], np.linspace(4.0, 10.0, 16)[:-1], np.linspace(10.0, _END, 11)]
    )
    rate = write_error_rate(i[:, None, None], delta[:, None], time / _slope_scale(i)[:, None, None])
    log = np.minimum(np.log(rate), 0.0)
    slope = (log[..., -1] - log[..., -2]) / (time[-1] - time[-2])
    axes = (i, np.log(delta), time)
    return _Table(_tensor_spline(axes, log), _tensor_spline(axes[:2], slope))


def _tensor_spline(axes: tuple[FloatArray, ...], values: FloatArray) -> NdBSpline:
    """Tensor product of cubic splines through values on a grid."""
    knots = []
    for axis, nodes in enumerate(axes):
        spline = make_interp_spline(nodes, values, k=3, axis=axis)
        values = np.moveaxis(spline.c, 0, axis)
        knots.append(spline.t)
    return NdBSpline(tuple(knots), np.ascontiguousarray(values), 3)


def _slope_scale(overdrive: FloatArray) -> FloatArray:
    """Smooth stand-in for the slope of the logarithm over reduced time: 2 (i - 1) for large i."""
    past = overdrive - 1.0
    return past + np.sqrt(past**2 + 0.3)
