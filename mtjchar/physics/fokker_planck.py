r"""Write error rate of the axially symmetric macrospin from its Fokker-Planck equation.

The magnetization along the axis, z = m_z, starts in the well at z = +1 and is driven towards z = -1.
In reduced time tau = t/t_D its probability density obeys

.. math:: \partial_\tau \rho = \partial_z [ (i(z) - z)(1 - z^2) \rho + (1 - z^2)/(2\Delta) \partial_z \rho ],

with the overdrive i(z) = I(z)/I_c0 [1]_, [2]_. This module solves the adjoint equation for q(z, tau), the
probability that a magnetization which starts at z has not switched after tau. In u = artanh(z) it reads

.. math:: \partial_\tau q = -(i - z) \partial_u q + \cosh^2(u)/(2\Delta) \partial_u^2 q

and q varies smoothly even where the density collapses into the wells. All durations come from one solution,
and so does the time integral of an observable such as the power. Relaxation after the pulse is the initial
condition of q: the probability to end in the well at +1 without drive.

References
----------
.. [1] W. H. Butler et al., IEEE Trans. Magn. 48, 4684 (2012), doi:10.1109/TMAG.2012.2209122.
.. [2] M. Tzoufras, AIP Advances 8, 056002 (2018), doi:10.1063/1.5003832.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.errors import InputError
from mtjchar.physics._banded import factorize, transposed
from mtjchar.physics._grid import Grid, apply
from mtjchar.physics._time_steps import COURANT, Mode, WriteStatistics, march, propagate, read_out

__all__ = [
    "LONGEST",
    "OVERDRIVE_LIMIT",
    "STABILITY_RANGE",
    "Decay",
    "FunctionOfZ",
    "Mode",
    "OfDevices",
    "Stage",
    "WriteStatistics",
    "at_constant_overdrive",
    "check",
    "of_some",
    "slowest_decay",
    "slowest_mode",
    "write_error_rate",
    "write_statistics",
]

FunctionOfZ = Callable[[FloatArray], FloatArray]

STABILITY_RANGE = (5.0, 250.0)
OVERDRIVE_LIMIT = 50.0
LONGEST = 3000.0  # reduced time, times the overdrive if that is above 1; limited by memory

_BATCH = 2048
_ITERATIONS = 100
_CONVERGED = 1e-9


class Stage(NamedTuple):
    """A constant drive for a short time: a part of an edge of the pulse."""

    overdrive: FunctionOfZ  # as in `write_statistics`
    reduced_time: FloatArray  # shape (devices,), in units of each device's t_D
    observable: FunctionOfZ | None = None  # instead of that of the plateau


def write_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Probability that a write with constant overdrive fails, including relaxation after the pulse.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, dimensionless, magnitude up to 50; negative if it holds the state. Constant during the
        pulse and over m_z.
    stability : array_like
        Thermal stability Delta, dimensionless, 5 to 250.
    reduced_time : array_like
        Duration over t_D = (1 + alpha^2) / (alpha gamma mu0 Hk), dimensionless, 0 to 3000, or to
        3000 divided by the overdrive if that is above 1.

    Returns
    -------
    ndarray
        Error rate, of the shape that the three arguments broadcast to. For Delta from 20 to 120 and
        overdrives from 0.3 to 8 the relative error is below 3e-4 for rates down to 1e-15, compared with
        tests/reference/fokker_planck.csv. Below 1e-4, once its logarithm is a straight line, the rate is
        extrapolated along it. Up to Delta = 20, rates below about 1e-8 depend on the definition of a well.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Notes
    -----
    Equations 1 and 2 of the module's docstring. Elements that share overdrive and stability are solved
    once, whatever the number of their durations.
    """
    return at_constant_overdrive(
        lambda drive, delta, tau: write_statistics(drive, delta, tau).error_rate,
        overdrive,
        stability,
        reduced_time,
    )


def at_constant_overdrive(
    solve: Callable[[FunctionOfZ, FloatArray, FloatArray], FloatArray],
    overdrive: npt.ArrayLike,
    stability: npt.ArrayLike,
    reduced_time: npt.ArrayLike,
) -> FloatArray:
    """Call `solve` with i(z), Delta and durations; equal overdrive and stability make one device.

    Parameters
    ----------
    solve : callable
        Takes i(z), stabilities of shape (devices,) and reduced times of shape (devices, durations), and
        returns numbers of the shape of the last.
    overdrive, stability, reduced_time : array_like
        As for `write_error_rate`.

    Returns
    -------
    ndarray
        Of the shape that the three arguments broadcast to.
    """
    i, delta = np.broadcast_arrays(
        np.asarray(overdrive, dtype=np.float64), np.asarray(stability, dtype=np.float64)
    )
    tau = np.asarray(reduced_time, dtype=np.float64)
    shape = np.broadcast_shapes(i.shape, tau.shape)
    pairs, of_pair = np.unique(np.stack([i.ravel(), delta.ravel()], axis=1), axis=0, return_inverse=True)
    row = np.broadcast_to(of_pair.reshape(i.shape), shape).ravel()
    order = np.argsort(row, kind="stable")
    counts = np.bincount(row, minlength=len(pairs))
    column = np.empty_like(row)
    column[order] = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    durations = np.broadcast_to(tau, shape).ravel()
    # Missing durations repeat the longest one, which costs nothing.
    longest = np.zeros(len(pairs))
    with np.errstate(invalid="ignore"):  # invalid values are refused below
        np.maximum.at(longest, row, durations)
    times = np.repeat(longest[:, None], max(counts, default=0), axis=1)
    times[row, column] = durations

    result = np.empty_like(times)
    for start in range(0, len(pairs), _BATCH):
        part = slice(start, start + _BATCH)
        constant = functools.partial(_constant, pairs[part, 0])
        result[part] = solve(constant, pairs[part, 1], times[part])
    return result[row, column].reshape(shape)


@dataclass(frozen=True)
class OfDevices:
    """Function of z that keeps its numbers of each device, so that some devices cost less than all.

    Attributes
    ----------
    function : callable
        Takes z, shape (points, devices), and the columns; returns values of the shape of z.
    columns : tuple of ndarray, shape (..., devices)
    """

    function: Callable[..., FloatArray]
    columns: tuple[FloatArray, ...]

    def __call__(self, z: FloatArray, /) -> FloatArray:
        """Values at z."""
        return self.function(z, *self.columns)

    def some(self, chosen: BoolArray | IndexArray) -> OfDevices:
        """Return the function of some of the devices."""
        return OfDevices(self.function, tuple(column[..., chosen] for column in self.columns))


def of_some(function: FunctionOfZ, chosen: BoolArray | IndexArray, devices: int) -> FunctionOfZ:
    """Restrict a function of z of all devices to some of them."""
    if isinstance(function, OfDevices):
        return function.some(chosen)

    def own(z: FloatArray) -> FloatArray:
        of_all = np.zeros((len(z), devices))
        of_all[:, chosen] = z
        return function(of_all)[:, chosen]

    return own


def _constant(values: FloatArray, z: FloatArray) -> FloatArray:
    return np.broadcast_to(values, z.shape)


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
    """Error rate and mean time integral of an observable for a batch of devices.

    Parameters
    ----------
    overdrive : callable
        i(z): takes m_z of shape (points, devices), +1 being the state before the write, and returns the
        overdrive of each device there, same shape: the load line over Ic0, including the torque asymmetry.
    stability : array_like, shape (devices,)
        Thermal stability Delta without field, 5 to 250.
    reduced_time : array_like, shape (devices, durations)
        Durations of the plateau of the pulse in units of each device's t_D, at least 0.
    observable : callable, optional
        f(z), like `overdrive`; for example the power in W.
    field : array_like, shape (devices,), optional
        Axial field over the anisotropy field, h, always on; positive if it holds the state before
        the write. Magnitude below 1.
    rise, fall : sequence of Stage, optional
        Drives before and after the plateau, in the order of time. A stage without an observable adds
        nothing to the integral.
    stored : callable, optional
        s(z), like `overdrive`: a function of the state, in units of the observable times t_D, whose mean at
        the end of the plateau is added to the integral.

    Returns
    -------
    WriteStatistics
        `error_rate`; `integral`, the mean of the integral of f(z(tau)) over plateau, rise and fall, in units
        of the observable times t_D; `final`, the rate of growth of the integral with the plateau at its end
        (both
        zeros without an observable). All of shape (devices, durations).

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """
    delta = np.asarray(stability, dtype=np.float64)
    tau = np.asarray(reduced_time, dtype=np.float64)
    h = np.broadcast_to(np.asarray(field, dtype=np.float64), delta.shape)
    probe = np.linspace(-1.0, 1.0, 33)[:, None] * np.ones_like(delta)
    drives = [overdrive, *(stage.overdrive for stage in (*rise, *fall))]
    fastest = np.max([np.abs(drive(probe) - h).max(axis=0) for drive in drives], axis=0)
    check(fastest, delta, h)
    _check_time(tau, fastest)
    fastest = np.maximum(fastest, 1.0)

    barrier = (overdrive(probe) - h - probe).min(axis=0) < 0.0
    grid = Grid.make(delta, fastest, h, barrier, whole=observable is not None)
    remains, weight = grid.relaxed(), grid.weight
    # Contribution of the fall to the integral, as a function of the state at the end of the plateau.
    later = np.zeros_like(grid.z) if stored is None else np.array(stored(grid.z))
    for stage in reversed(fall):
        bands = grid.generator(stage.overdrive(grid.z))
        fields = [remains] if stage.observable is None else [remains, later, stage.observable(grid.z)]
        ends, integral = propagate(bands, np.stack(fields, axis=1), stage.reduced_time, fastest)
        remains = ends[:, 0]
        if stage.observable is not None:
            later = ends[:, 1] + integral
    sooner = np.zeros_like(delta)
    for stage in rise:
        bands = transposed(grid.generator(stage.overdrive(grid.z)))
        end, integral = propagate(bands, weight[:, None], stage.reduced_time, fastest)
        weight = end[:, 0]
        if stage.observable is not None:
            sooner += (integral * stage.observable(grid.z)).sum(axis=0)
    step = COURANT / fastest
    longest = tau.max(axis=1, initial=0.0)
    bands = grid.generator(overdrive(grid.z))
    if observable is None:
        return read_out(march(bands, remains[:, None], weight, step, longest), step, tau)
    # d/dtau <s> = <L s> with the generator L, so that the mean of s at the end is one more integral.
    observed = observable(grid.z) + apply(bands, later)
    marched = march(bands, np.stack([remains, observed], axis=1), weight, step, longest)
    sooner += (weight * later).sum(axis=0)
    statistics = read_out(marched, step, tau)
    return statistics._replace(integral=statistics.integral + sooner[:, None])


class Decay(NamedTuple):
    """Decay of the error rate at the end of a long pulse, arrays of shape (devices,)."""

    rate: FloatArray  # per t_D, with an absolute rounding error of about 1e-11; smaller rates may be NaN
    amplitude: FloatArray


def slowest_decay(overdrive: FunctionOfZ, stability: FloatArray, field: FloatArray) -> Decay:
    """Slowest decay of the error rate in a constant pulse: amplitude exp(-rate tau), for large tau.

    Parameters
    ----------
    overdrive : callable
        i(z), as for `write_statistics`.
    stability : ndarray, shape (devices,)
        Delta, in the range of `write_error_rate`.
    field : ndarray, shape (devices,)
        h, as for `write_statistics`.

    Notes
    -----
    The rate is the smallest eigenvalue of the operator. With its right and left eigenvectors r and l, the
    density rho before the pulse and the committor c after it, the amplitude is (rho r) (l c)/(l r).
    """
    probe = np.linspace(-1.0, 1.0, 33)[:, None] * np.ones_like(stability)
    drive = overdrive(probe) - field
    fastest = np.maximum(np.abs(drive).max(axis=0), 1.0)
    check(fastest, stability, field)
    grid = Grid.make(stability, fastest, field, (drive - probe).min(axis=0) < 0.0, whole=False)
    relaxed = grid.relaxed()
    mode = slowest_mode(grid.generator(overdrive(grid.z)), relaxed, grid.weight)
    with np.errstate(invalid="ignore"):
        before, after = (grid.weight * mode.right).sum(axis=0), (mode.left * relaxed).sum(axis=0)
        return Decay(mode.rate, before * after / (mode.left * mode.right).sum(axis=0))


def slowest_mode(bands: FloatArray, relaxed: FloatArray, density: FloatArray) -> Mode:
    """Find the slowest mode of a generator.

    Parameters
    ----------
    bands : ndarray, shape (5, points, devices)
        Of `mtjchar.physics._grid.Grid.generator`.
    relaxed, density : ndarray, shape (points, devices)
        Approximations of the right and of the left vector: the committor, and a density in the well.
    """
    bands = -bands
    bands[2] -= 1.0  # `factorize` adds it
    rate, right = _inverse_iteration(bands, relaxed, density)
    bands[2] += 1.0
    bands = transposed(bands)
    bands[2] -= 1.0
    _, left = _inverse_iteration(bands, density, relaxed)
    return Mode(rate, right, left)


def _inverse_iteration(
    bands: FloatArray, start: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Smallest eigenvalue and its vector by inverse iteration; the next one is about twice as large."""
    mode, eigenvalue = start, np.zeros(start.shape[1])
    # An eigenvalue below rounding makes the matrix singular; the result may be NaN.
    with np.errstate(all="ignore"):
        factors = factorize(bands)
        for _ in range(_ITERATIONS):
            mean = (mode * weight).sum(axis=0)
            mode = factors.solve(mode[:, None])[:, 0] / mean
            before, eigenvalue = eigenvalue, 1.0 / (mode * weight).sum(axis=0)
            mode *= eigenvalue
            if not np.any(np.abs(eigenvalue - before) > _CONVERGED * np.abs(eigenvalue) + 1e-12):
                break
    return np.asarray(eigenvalue), mode


def check(overdrive: FloatArray, stability: FloatArray, field: FloatArray) -> None:
    """Refuse devices out of range, arrays of shape (devices,); `overdrive` is the largest magnitude."""
    low, high = STABILITY_RANGE
    one_well = "magnitude below 1: beyond there is one well only"
    most = f"finite, magnitude up to {OVERDRIVE_LIMIT:g}"
    for thing, values, valid, allowed in (
        ("field", field, np.abs(field) < 1.0, one_well),
        ("overdrive", overdrive, overdrive <= OVERDRIVE_LIMIT, most),
        ("stability", stability, (stability >= low) & (stability <= high), f"{low:g} to {high:g}"),
    ):
        if not np.all(valid):
            raise InputError(thing, value=float(values[~valid].flat[0]), allowed=allowed)


def _check_time(reduced_time: FloatArray, overdrive: FloatArray) -> None:
    valid = (reduced_time >= 0) & (reduced_time * np.maximum(overdrive, 1.0)[:, None] <= LONGEST)
    if not np.all(valid):
        raise InputError(
            "reduced_time",
            value=float(reduced_time[~valid].flat[0]),
            allowed=f"0 to {LONGEST:g}, divided by the overdrive where that is above 1",
            remedy="mtjchar.physics.long_pulses.write_statistics takes pulses of any duration.",
        )
