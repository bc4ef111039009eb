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
.. [3] S. P. Norsett, BIT 18, 323 (1978): rational approximations of the exponential with one real pole.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import comb, roots_laguerre

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.errors import InputError
from mtjchar.physics._banded import Factors, factorize, transposed

__all__ = [
    "LONGEST",
    "OVERDRIVE_LIMIT",
    "STABILITY_RANGE",
    "Decay",
    "FunctionOfZ",
    "Stage",
    "WriteStatistics",
    "at_constant_overdrive",
    "check",
    "of_some",
    "slowest_decay",
    "write_error_rate",
    "write_statistics",
]

FunctionOfZ = Callable[[FloatArray], FloatArray]

STABILITY_RANGE = (5.0, 250.0)
OVERDRIVE_LIMIT = 50.0
LONGEST = 3000.0  # reduced time, times the overdrive if that is above 1; limited by memory

# exp(x) is approximated by sum_k c_k (1 - g x)^-k to order 8; with 1/g this root of the Laguerre polynomial
# L_8, c_0 vanishes at the end of a step and the method is L-stable [3]: one factorization, eight solves.
_ORDER = 8
_POLE = 1.0 / float(np.sort(roots_laguerre(_ORDER)[0])[3])
_TAYLOR = np.array([[comb(k + m - 1, m) * _POLE**m for k in range(_ORDER + 1)] for m in range(_ORDER + 1)])
_TAYLOR[:, 0] = np.eye(_ORDER + 1)[0]
# Row k: coefficients of c_k as a polynomial of the fraction theta of the step.
_DENSE = np.linalg.inv(_TAYLOR) / [math.factorial(m) for m in range(_ORDER + 1)]
_END = _DENSE.sum(axis=1)
_INTEGRAL = _DENSE @ (1.0 / np.arange(1.0, _ORDER + 2))  # over the step

_COURANT = 0.6  # step times overdrive; errors stay below 3e-4 (docs/verification.md)
_BATCH = 2048
_BETWEEN_CHECKS = 3  # steps
_SETTLED = 1e-4  # error rate below which a straight line of its logarithm is taken for the final decay
_STRAIGHT = 1e-6  # relative change of the slope per step

_ITERATIONS = 100
_CONVERGED = 1e-9

# Grid, see _Grid.
_PER_ANGLE = 3.0  # points per angle of 1/sqrt(2 Delta)
_PER_ANGLE_AT_BARRIER = 4.0  # the same with a barrier, whose escape rate it determines
_PER_U = 8.0  # points per unit of u
_CAP = 0.015  # distance from z = +-1 over the thermal one
_DEEP = 45.0  # barrier, in kT, behind which nothing returns
_IN_WELL = 16.0  # barrier, in kT, where the committor has ended


class Stage(NamedTuple):
    """A constant drive for a short time: a part of an edge of the pulse."""

    overdrive: FunctionOfZ  # as in `write_statistics`
    reduced_time: FloatArray  # shape (devices,), in units of each device's t_D
    observable: FunctionOfZ | None = None  # instead of that of the plateau


class WriteStatistics(NamedTuple):
    """Averages of a pulse over thermal noise; arrays of shape (devices, durations)."""

    error_rate: FloatArray
    integral: FloatArray
    final: FloatArray  # rate of growth of the integral with the plateau at its end


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


def of_some(function: FunctionOfZ, chosen: BoolArray | IndexArray, devices: int) -> FunctionOfZ:
    """Restrict a function of z of all devices to some of them."""

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
    grid = _Grid.make(delta, fastest, h, barrier, whole=observable is not None)
    remains, weight = grid.relaxed(), grid.weight
    # Contribution of the fall to the integral, as a function of the state at the end of the plateau.
    later = np.zeros_like(grid.z) if stored is None else np.array(stored(grid.z))
    for stage in reversed(fall):
        bands = grid.generator(stage.overdrive(grid.z))
        fields = [remains] if stage.observable is None else [remains, later, stage.observable(grid.z)]
        ends, integral = _pass(bands, np.stack(fields, axis=1), stage.reduced_time, fastest)
        remains = ends[:, 0]
        if stage.observable is not None:
            later = ends[:, 1] + integral
    sooner = np.zeros_like(delta)
    for stage in rise:
        bands = transposed(grid.generator(stage.overdrive(grid.z)))
        end, integral = _pass(bands, weight[:, None], stage.reduced_time, fastest)
        weight = end[:, 0]
        if stage.observable is not None:
            sooner += (integral * stage.observable(grid.z)).sum(axis=0)
    step = _COURANT / fastest
    longest = tau.max(axis=1, initial=0.0)
    bands = grid.generator(overdrive(grid.z))
    if observable is None:
        march = _march(bands, remains[:, None], weight, step, longest)
        return _read_out(march, step, tau)
    # d/dtau <s> = <L s> with the generator L, so that the mean of s at the end is one more integral.
    observed = observable(grid.z) + _apply(bands, later)
    march = _march(bands, np.stack([remains, observed], axis=1), weight, step, longest)
    sooner += (weight * later).sum(axis=0)
    statistics = _read_out(march, step, tau)
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
    grid = _Grid.make(stability, fastest, field, (drive - probe).min(axis=0) < 0.0, whole=False)
    bands, relaxed = -grid.generator(overdrive(grid.z)), grid.relaxed()
    bands[2] -= 1.0  # `factorize` adds it
    rate, right = _slowest_mode(bands, relaxed, grid.weight)
    bands[2] += 1.0
    bands = transposed(bands)
    bands[2] -= 1.0
    _, left = _slowest_mode(bands, grid.weight, relaxed)
    with np.errstate(invalid="ignore"):
        overlap = (left * right).sum(axis=0)
        return Decay(rate, (grid.weight * right).sum(axis=0) * (left * relaxed).sum(axis=0) / overlap)


def _slowest_mode(bands: FloatArray, start: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
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


class _Grid(NamedTuple):
    """Grids in u = artanh(z), one column per device, and the weights of the initial density on them.

    The points are equidistant in s, with ds/du = a sech(u) + b: between the wells the error rate varies over
    angles of 1/sqrt(2 Delta), whose differential is sech(u) du; near z = +-1 over shares of 1 - |z|.
    """

    z: FloatArray
    from_top: FloatArray  # 1 - z without cancellation, two ghost points on either side
    from_bottom: FloatArray  # 1 + z without cancellation
    slope: FloatArray  # ds/du
    curvature: FloatArray  # d2s/du2
    stability: FloatArray
    field: FloatArray
    weight: FloatArray
    whole: bool

    @classmethod
    def make(
        cls, delta: FloatArray, fastest: FloatArray, field: FloatArray, barrier: BoolArray, *, whole: bool
    ) -> _Grid:
        # For the error rate alone the grid ends where the committor is below rounding: behind it nothing
        # returns. An observable changes further down to the floor of the well.
        closest = _CAP / (delta * (1.0 + fastest))
        top = np.arctanh(1.0 - closest)
        floor = 1.0 - 0.2 / delta
        bottom = -np.arctanh(floor if whole else np.minimum(np.sqrt(_DEEP / delta) + np.abs(field), floor))
        per_angle = np.where(barrier, _PER_ANGLE_AT_BARRIER, _PER_ANGLE)
        a, b = per_angle * np.sqrt(2.0 * delta), np.full_like(delta, _PER_U)
        first, last = (a * np.arcsin(np.tanh(end)) + b * end for end in (bottom, top))
        points = 1 + int(np.ceil(np.max(last - first)))
        finer = (points - 1) / (last - first)
        a, b = a * finer, b * finer
        u = _at_equal_distances(a, b, first * finer + np.arange(-2, points + 2)[:, None])
        from_top, from_bottom = 2.0 / (1.0 + np.exp(2.0 * u)), 2.0 / (1.0 + np.exp(-2.0 * u))
        z, sech = np.tanh(u[2:-2]), 1.0 / np.cosh(u[2:-2])
        slope = a * sech + b
        # rho ~ exp(-Delta (1 - z^2 + 2 h (1 - z))) above the barrier, times dz/ds = (1 - z^2) du/ds.
        depth = from_top[2:-2] * (from_bottom[2:-2] + 2.0 * field)
        density = np.where(z > -field, np.exp(-delta * depth), 0.0)
        weight = density * from_top[2:-2] * from_bottom[2:-2] / slope
        weight[-1] *= 0.5
        steepness = 2.0 * delta * (1.0 + field)
        beyond = density[-1] * np.expm1(steepness * closest) / steepness
        nearest = from_top[-3:-6:-1]
        for k, share in enumerate(_lagrange(nearest, 0.5 * nearest[0])):
            weight[-1 - k] += beyond * share
        weight /= weight.sum(axis=0)
        return cls(z, from_top, from_bottom, slope, -a * sech * z, delta, field, weight, whole)

    def relaxed(self) -> FloatArray:
        """Probability to end in the well at z = +1 when the drive is off: the committor of the wells."""
        # D exp(-Phi) dq/dz = const with Phi = -Delta (z^2 + 2 h z), hence dq/du ~ exp(-Delta (z + h)^2), up
        # to the wells. A state about 12 kT below the barrier is in a well: a return from there belongs to
        # retention. The committor ends there smoothly, because a kink would cause a spurious error rate.
        well = 1.0 - 1.0 / (2.0 * self.stability)
        past_barrier = self.z + self.field
        deep = np.sqrt(_IN_WELL / self.stability)
        share = np.abs(past_barrier) / np.minimum(well + self.field * np.sign(past_barrier), deep)
        ending = np.maximum(1.0 - share**20, 0.0) ** 8
        change = np.exp(-self.stability * past_barrier**2) * ending / self.slope
        raw = np.cumsum(change, axis=0) - 0.5 * (change + change[0])
        return np.asarray(raw / raw[-1])

    def generator(self, overdrive: FloatArray) -> FloatArray:
        """Bands of the adjoint operator, shape (5, points, devices); fourth order, rows sum to 0."""
        # d/du = s' d/ds and d2/du2 = s'^2 d2/ds2 + s'' d/ds.
        diffusion = 0.5 / (self.stability * self.from_top[2:-2] * self.from_bottom[2:-2])
        drift = -(overdrive - self.field - self.z) * self.slope + diffusion * self.curvature
        first, second = (
            np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12.0,
            np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12.0,
        )
        bands = drift * first[:, None, None] + diffusion * self.slope**2 * second[:, None, None]
        # q is smooth in z up to z = +-1: ghost points follow from a parabola in 1 - z (1 + z at the bottom).
        # If the grid ends above the floor of the well, the error rate beyond it is 0.
        for row, ghost in ((0, -1), (0, -2), (1, -1)):
            _fold(bands, row, ghost, -1, self.from_top[::-1])
            if self.whole:
                _fold(bands, row, ghost, 1, self.from_bottom)
            else:
                bands[2 + ghost - row, row] = 0.0
        return bands


def _at_equal_distances(a: FloatArray, b: FloatArray, s: FloatArray) -> FloatArray:
    """Solve a arcsin(tanh u) + b u = s for u."""
    # For s > 0 the left side is concave and u starts below the root: Newton's iteration converges from there.
    distance = np.abs(s)
    u = np.maximum(distance / (a + b), (distance - 0.5 * np.pi * a) / b)
    for _ in range(8):
        u -= (a * np.arcsin(np.tanh(u)) + b * u - distance) / (a / np.cosh(u) + b)
    return np.copysign(u, s)


def _fold(bands: FloatArray, row: int, ghost: int, side: int, distance: FloatArray) -> None:
    """Replace the coupling of a row to a ghost point by couplings to the three outermost points.

    Rows and points count from the bottom if `side` is 1, from the top if it is -1.
    """
    at = row if side == 1 else -1 - row
    coupling = bands[2 + side * (ghost - row), at].copy()
    bands[2 + side * (ghost - row), at] = 0.0
    for point, share in enumerate(_lagrange(distance[2:5], distance[2 + ghost])):
        bands[2 + side * (point - row), at] += coupling * share


def _lagrange(nodes: FloatArray, at: FloatArray) -> list[FloatArray]:
    """Weights that extrapolate a polynomial from the nodes."""
    return [
        math.prod((at - other) / (node - other) for m, other in enumerate(nodes) if m != k)
        for k, node in enumerate(nodes)
    ]


def _apply(bands: FloatArray, field: FloatArray) -> FloatArray:
    """Product of a generator and a field, shape (points, devices)."""
    padded = np.pad(field, ((2, 2), (0, 0)))
    return np.asarray(sum(band * padded[k : k + len(field)] for k, band in enumerate(bands)))


def _pass(
    bands: FloatArray, fields: FloatArray, reduced_time: FloatArray, fastest: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Propagate fields, shape (points, fields, devices), through one constant drive.

    Returns the final fields, and the time integral of the last one.
    """
    steps = math.ceil(float(np.max(reduced_time * fastest, initial=0.0)) / _COURANT)
    step = reduced_time / max(steps, 1)
    factors = factorize(-_POLE * step * bands)
    integral = np.zeros_like(fields[:, -1])
    for _ in range(steps):
        stages, fields = _step(factors, fields)
        for share, stage in zip(_INTEGRAL, stages, strict=True):
            integral += share * stage[:, -1]
    return fields, step * integral


def _step(factors: Factors, fields: FloatArray) -> tuple[list[FloatArray], FloatArray]:
    """Stages of a step, and the fields at its end."""
    stages = [fields]
    for _ in range(_ORDER):
        stages.append(factors.solve(stages[-1]))
    end = sum((_END[k] * stages[k] for k in range(2, _ORDER + 1)), _END[1] * stages[1])
    return stages, end


class _March(NamedTuple):
    """Result of the time steps: for each device all steps that were computed for it."""

    moments: FloatArray  # (steps, stages, fields, devices), means over the density after the rise
    logarithms: FloatArray  # (steps + 1, devices), of the error rate at the ends of the steps
    last: IndexArray  # (devices,), the last step


def _march(
    bands: FloatArray, fields: FloatArray, weight: FloatArray, step: FloatArray, longest: FloatArray
) -> _March:
    """Step every device to its longest duration, or until its error rate falls exponentially."""
    factors = factorize(-_POLE * step * bands)
    last = np.maximum(np.ceil(longest / step).astype(np.intp), 1) - 1
    steps = int(last.max()) + 1
    # Zeros, because sums also include steps that are not computed for a device.
    moments = np.zeros((steps, _ORDER + 1, fields.shape[1], fields.shape[2]))
    logarithms = np.zeros((steps + 1, fields.shape[2]))
    active = np.arange(fields.shape[2])
    for taken in range(steps):
        stages, fields = _step(factors, fields)
        for k, stage in enumerate(stages):
            moments[taken, k][:, active] = np.einsum("zd,zfd->fd", weight, stage)
        rate = _END @ moments[taken, :, 0][:, active]
        logarithms[taken + 1, active] = np.log(rate.clip(np.finfo(float).tiny))
        if (taken + 1) % _BETWEEN_CHECKS == 0:
            slopes = np.diff(logarithms[taken - 2 : taken + 2, active], axis=0)
            bend = np.abs(np.diff(slopes, axis=0)).max(axis=0)
            straight = (rate < _SETTLED) & (bend <= _STRAIGHT * np.abs(slopes[-1]))
            going = ~straight & (last[active] > taken)
            last[active] = np.where(going, last[active], np.minimum(last[active], taken))
            if not going.any():
                break
            if not going.all():
                active, weight, fields = active[going], weight[:, going], fields[:, :, going]
                factors = factors.keep(going)
    return _March(moments, logarithms, last)


def _read_out(march: _March, step: FloatArray, tau: FloatArray) -> WriteStatistics:
    """Evaluate the dense output of the steps at the requested durations."""
    device = np.arange(len(step))[:, None]
    position = tau / step[:, None]
    index = np.minimum(position.astype(np.intp), march.last[:, None])
    theta = position - index
    inside = np.minimum(theta, 1.0)
    stage = march.moments[index, :, :, device]  # (devices, durations, stages, fields)

    powers = inside[..., None] ** np.arange(_ORDER + 1)
    rate = np.einsum("dtm,km,dtk->dt", powers, _DENSE, stage[..., 0])
    # Beyond the last step the logarithm of the error rate is extrapolated as a straight line.
    end = march.logarithms[march.last + 1, device[:, 0]][:, None]
    slope = np.minimum(end - march.logarithms[march.last, device[:, 0]][:, None], 0.0)
    rate = np.clip(np.where(theta > 1.0, np.exp(end + slope * (theta - 1.0)), rate), 0.0, 1.0)

    if march.moments.shape[2] == 1:
        return WriteStatistics(rate, np.zeros_like(rate), np.zeros_like(rate))
    integrated = powers * (inside / np.arange(1.0, _ORDER + 2)[:, None, None]).transpose(1, 2, 0)
    partial = np.einsum("dtm,km,dtk->dt", integrated, _DENSE, stage[..., 1])
    whole = np.einsum("k,skd->sd", _INTEGRAL, march.moments[:, :, 1])
    before = np.concatenate([np.zeros_like(whole[:1]), np.cumsum(whole, axis=0)])[index, device]
    final = np.einsum("dtm,km,dtk->dt", powers, _DENSE, stage[..., 1])
    after = final * np.maximum(theta - 1.0, 0.0)
    return WriteStatistics(rate, step[:, None] * (before + partial + after), final)
