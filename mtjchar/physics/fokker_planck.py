r"""Write error rate of the axially symmetric macrospin from its Fokker-Planck equation.

The magnetization along the axis, z = m_z, starts in the well at z = +1 and is driven towards z = -1.
In reduced time tau = t/t_D its probability density obeys

.. math:: \partial_\tau \rho = \partial_z [ (i(z) - z)(1 - z^2) \rho + (1 - z^2)/(2\Delta) \partial_z \rho ],

with the overdrive i(z) = I(z)/I_c0 [1]_, [2]_. Solved here is the adjoint equation for q(z, tau), the
probability that a magnetization which starts at z has not switched after tau. In u = artanh(z) it reads

.. math:: \partial_\tau q = -(i - z) \partial_u q + \cosh^2(u)/(2\Delta) \partial_u^2 q

and q varies smoothly where the density collapses into the wells. All durations come from one march, and
so does the time integral of an observable such as the power. Relaxation after the pulse is the initial
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
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import comb, roots_laguerre

from mtjchar.errors import InputError
from mtjchar.physics._banded import factorize

FloatArray = npt.NDArray[np.float64]
FunctionOfZ = Callable[[FloatArray], FloatArray]

STABILITY_RANGE = (5.0, 250.0)
OVERDRIVE_LIMIT = 50.0

# exp(x) is approximated by sum_k c_k (1 - g x)^-k to order 8; with 1/g this root of the Laguerre polynomial
# L_8, c_0 vanishes at the end of a step and the method is L-stable [3]: one factorization, eight solves.
_ORDER = 8
_POLE = 1.0 / float(np.sort(roots_laguerre(_ORDER)[0])[3])
_TAYLOR = np.array([[comb(k + m - 1, m) * _POLE**m for k in range(_ORDER + 1)] for m in range(_ORDER + 1)])
_TAYLOR[:, 0] = np.eye(_ORDER + 1)[0]
# Row k: coefficients of c_k as a polynomial of the fraction theta of the step.
_DENSE = np.linalg.inv(_TAYLOR) / [math.factorial(m) for m in range(_ORDER + 1)]

_RESOLVED = 1e-16  # below this rounding shows, and the rate goes on by its last slope
_DEAD = 1e-18
_BETWEEN_CULLS = 4  # steps
_LONGEST = 3000.0  # reduced time times overdrive; what one march keeps in memory
_BATCH = 2048
_COURANT = 0.6  # step times overdrive; errors stay below 2e-4 (tests/test_fokker_planck.py)


class WriteStatistics(NamedTuple):
    """What a pulse does on average over thermal noise; arrays of shape (devices, durations)."""

    error_rate: FloatArray
    integral: FloatArray


def write_error_rate(
    overdrive: npt.ArrayLike, stability: npt.ArrayLike, reduced_time: npt.ArrayLike
) -> FloatArray:
    """Probability that a write with constant overdrive fails, relaxation after the pulse included.

    Parameters
    ----------
    overdrive : array_like
        I/Ic0, dimensionless, magnitude up to 50; negative where it holds the state. Constant during the
        pulse and over m_z.
    stability : array_like
        Thermal stability Delta, dimensionless, 5 to 250.
    reduced_time : array_like
        Duration over t_D = (1 + alpha^2) / (alpha gamma mu0 Hk), dimensionless, 0 to 3000, or to
        3000 divided by the overdrive where that is above 1.

    Returns
    -------
    ndarray
        Error rate, of the shape that the three arguments broadcast to. For Delta from 20 to 120 and
        overdrives from 0.3 to 8 the relative error is below 1e-3 for rates down to 1e-9 and below 1e-2 down
        to 1e-15; rates below 1e-16 are continued by their exponential slope.

    Raises
    ------
    InputError
        For values that are not finite or out of range.

    Notes
    -----
    Equations 1 and 2 of the module's docstring. Elements that share overdrive and stability are solved
    once, whatever the number of their durations.
    """
    i, delta, tau = np.broadcast_arrays(
        *(np.asarray(argument, dtype=np.float64) for argument in (overdrive, stability, reduced_time))
    )
    shape = i.shape
    pairs, row = np.unique(np.stack([i.ravel(), delta.ravel()], axis=1), axis=0, return_inverse=True)
    row = row.ravel()
    order = np.argsort(row, kind="stable")
    counts = np.bincount(row, minlength=len(pairs))
    column = np.empty_like(row)
    column[order] = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    times = np.zeros((len(pairs), max(counts, default=0)))
    times[row, column] = tau.ravel()

    rate = np.empty_like(times)
    for start in range(0, len(pairs), _BATCH):
        part = slice(start, start + _BATCH)
        constant = functools.partial(_constant, pairs[part, 0])
        rate[part] = write_statistics(constant, pairs[part, 1], times[part]).error_rate
    return rate[row, column].reshape(shape)


def _constant(values: FloatArray, z: FloatArray) -> FloatArray:
    return np.broadcast_to(values, z.shape)


def write_statistics(
    overdrive: FunctionOfZ,
    stability: npt.ArrayLike,
    reduced_time: npt.ArrayLike,
    observable: FunctionOfZ | None = None,
) -> WriteStatistics:
    """Error rate and mean time integral of an observable for a batch of devices.

    Parameters
    ----------
    overdrive : callable
        i(z), takes m_z of shape (points, devices), +1 being the state the write starts from, and returns
        the overdrive of each device there, same shape: the load line over Ic0, torque asymmetry included.
    stability : array_like, shape (devices,)
        Thermal stability Delta, 5 to 250.
    reduced_time : array_like, shape (devices, durations)
        Durations in units of each device's t_D, at least 0.
    observable : callable, optional
        f(z), like `overdrive`; for example the power in W.

    Returns
    -------
    WriteStatistics
        `error_rate`, and `integral`, the mean of the integral of f(z(tau)) over the pulse, in units of
        the observable times t_D (zeros without an observable); both of shape (devices, durations).

    Raises
    ------
    InputError
        For values that are not finite or out of range.
    """
    delta = np.asarray(stability, dtype=np.float64)
    tau = np.asarray(reduced_time, dtype=np.float64)
    probe = np.linspace(-1.0, 1.0, 33)[:, None] * np.ones_like(delta)
    fastest = np.abs(overdrive(probe)).max(axis=0)
    _check(fastest, delta, tau)

    grid = _Grid.make(delta, fastest, whole=observable is not None)
    fields = [grid.relaxed()]
    if observable is not None:
        fields.append(np.array(observable(grid.z)))
    step = _COURANT / np.maximum(fastest, 1.0)
    longest = tau.max(axis=1, initial=0.0)
    moments = _march(grid.generator(overdrive(grid.z)), np.stack(fields, axis=1), grid.weight, step, longest)
    return _read_out(moments, step, tau)


def _check(overdrive: FloatArray, stability: FloatArray, reduced_time: FloatArray) -> None:
    low, high = STABILITY_RANGE
    for thing, values, valid, allowed in (
        (
            "overdrive",
            overdrive,
            overdrive <= OVERDRIVE_LIMIT,
            f"finite, magnitude up to {OVERDRIVE_LIMIT:g}",
        ),
        ("stability", stability, (stability >= low) & (stability <= high), f"{low:g} to {high:g}"),
        (
            "reduced_time",
            reduced_time,
            (reduced_time >= 0) & (reduced_time * np.maximum(overdrive, 1.0)[:, None] <= _LONGEST),
            f"0 to {_LONGEST:g}, divided by the overdrive where that is above 1",
        ),
    ):
        if not np.all(valid):
            raise InputError(thing, value=float(values[~valid].flat[0]), allowed=allowed)


class _Grid(NamedTuple):
    """Uniform grids in u = artanh(z), one column a device, and the weights of the initial density on them."""

    z: FloatArray
    from_top: FloatArray  # 1 - z without cancellation, two ghost points on either side
    from_bottom: FloatArray  # 1 + z likewise
    spacing: FloatArray
    stability: FloatArray
    weight: FloatArray

    @classmethod
    def make(cls, delta: FloatArray, fastest: FloatArray, *, whole: bool) -> _Grid:
        # q and the density vary over 1 - z ~ 1/(2 Delta (1 + i)) at the top. At the bottom the grid goes to
        # the floor of the well; for the error rate alone only to where the committor is below rounding:
        # from there nothing returns, but an observable goes on changing down to the well.
        closest = 0.002 / (delta * (1.0 + fastest))
        top = np.arctanh(1.0 - closest)
        well = 1.0 - 0.2 / delta
        bottom = -np.arctanh(well if whole else np.minimum(np.sqrt(80.0 / delta), well))
        # The transition between the wells, 1/sqrt(2 Delta) wide, has to be resolved, or it leaves wiggles.
        points = 1 + int(np.ceil(np.max((top - bottom) * np.maximum(np.sqrt(2.0 * delta) / 0.3, 25.0))))
        spacing = (top - bottom) / (points - 1)
        u = bottom + np.arange(-2, points + 2)[:, None] * spacing
        from_top, from_bottom = 2.0 / (1.0 + np.exp(2.0 * u)), 2.0 / (1.0 + np.exp(-2.0 * u))
        z = np.tanh(u[2:-2])
        # rho ~ exp(-Delta (1 - z^2)) on z > 0, du-weighted by dz/du = 1 - z^2.
        density = np.where(z > 0.0, np.exp(-delta * from_top[2:-2] * from_bottom[2:-2]), 0.0)
        weight = density * from_top[2:-2] * from_bottom[2:-2] * spacing
        weight[-1] *= 0.5
        beyond = density[-1] * np.expm1(2.0 * delta * closest) / (2.0 * delta)
        nearest = from_top[-3:-6:-1]
        for k, share in enumerate(_lagrange(nearest, 0.5 * nearest[0])):
            weight[-1 - k] += beyond * share
        return cls(z, from_top, from_bottom, spacing, delta, weight / weight.sum(axis=0))

    def relaxed(self) -> FloatArray:
        """Probability to end in the well at z = +1 when the drive is off: the committor of the wells."""
        # D exp(-Phi) dq/dz = const with Phi = -Delta z^2, hence dq/du ~ exp(-Delta z^2), up to the wells. It
        # ends there smoothly: a kink of exp(-Delta) would leave an error rate of its own in the tail.
        well = 1.0 - 1.0 / (2.0 * self.stability)
        slope = np.exp(-self.stability * self.z**2) * np.maximum(1.0 - (self.z / well) ** 8, 0.0) ** 16
        raw = np.cumsum(slope, axis=0) - 0.5 * (slope + slope[0])
        return np.asarray(raw / raw[-1])

    def generator(self, overdrive: FloatArray) -> FloatArray:
        """Bands of the adjoint operator, shape (5, points, devices); fourth order, rows sum to 0."""
        drift = -(overdrive - self.z) / self.spacing
        diffusion = 1.0 / (
            2.0 * self.stability * self.from_top[2:-2] * self.from_bottom[2:-2] * self.spacing**2
        )
        first, second = (
            np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12.0,
            np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12.0,
        )
        bands = drift * first[:, None, None] + diffusion * second[:, None, None]
        # q is smooth in z up to z = +-1: ghost points follow from a line in 1 - z (1 + z at the bottom).
        for row, ghost in ((0, -1), (0, -2), (1, -1)):
            for side, distance in ((1, self.from_bottom), (-1, self.from_top[::-1])):
                _fold(bands, row, ghost, side, distance)
        return bands


def _fold(bands: FloatArray, row: int, ghost: int, side: int, distance: FloatArray) -> None:
    """Replace the coupling of a row to a ghost point by couplings to the two outermost points.

    Rows and points count from the bottom where `side` is 1, from the top where it is -1.
    """
    at = row if side == 1 else -1 - row
    coupling = bands[2 + side * (ghost - row), at].copy()
    bands[2 + side * (ghost - row), at] = 0.0
    for point, share in enumerate(_lagrange(distance[2:4], distance[2 + ghost])):
        bands[2 + side * (point - row), at] += coupling * share


def _lagrange(nodes: FloatArray, at: FloatArray) -> list[FloatArray]:
    """Weights that extrapolate a polynomial through the nodes."""
    return [
        math.prod((at - other) / (node - other) for m, other in enumerate(nodes) if m != k)
        for k, node in enumerate(nodes)
    ]


def _march(
    bands: FloatArray, fields: FloatArray, weight: FloatArray, step: FloatArray, longest: FloatArray
) -> FloatArray:
    """Step every device to its longest duration, or until its error rate is lost in rounding.

    Returns
    -------
    ndarray, shape (steps, stages, fields, devices)
        Mean of each stage of each step over the initial density.
    """
    bands = -_POLE * step * bands
    solve = factorize(bands)
    end = _DENSE.sum(axis=1)
    steps = np.maximum(np.ceil(longest / step).astype(int), 1)
    moments = np.empty((steps.max(), _ORDER + 1, fields.shape[1], fields.shape[2]))
    active = np.arange(fields.shape[2])
    for taken in range(len(moments)):
        stages = [fields]
        for _ in range(_ORDER):
            stages.append(solve(stages[-1]))
        for k, stage in enumerate(stages):
            moments[taken, k][:, active] = np.einsum("zd,zfd->fd", weight, stage)
        fields = sum((end[k] * stages[k] for k in range(2, _ORDER + 1)), end[1] * stages[1])
        if (taken + 1) % _BETWEEN_CULLS == 0:
            means = np.einsum("zd,zfd->fd", weight, fields)
            going = (means[0] > _DEAD) & (steps[active] > taken + 1)
            # What is not followed further stays as it is: with all stages equal the dense output is constant.
            moments[taken + 1 :, :, :, active[~going]] = means[:, ~going]
            if not going.any():
                return moments[: taken + 1]
            if not going.all():
                active, weight, fields = active[going], weight[:, going], fields[:, :, going]
                bands = bands[:, :, going]
                solve = factorize(bands)
    return moments


def _read_out(moments: FloatArray, step: FloatArray, tau: FloatArray) -> WriteStatistics:
    """Evaluate the dense output of the march at the durations asked for."""
    taken = len(moments)
    device = np.arange(len(step))[:, None]
    position = tau / step[:, None]
    index = np.minimum(position.astype(np.intp), taken - 1)
    theta = position - index
    inside = np.minimum(theta, 1.0)
    stage = moments[index, :, :, device]  # (devices, durations, stages, fields)

    powers = inside[..., None] ** np.arange(_ORDER + 1)
    rate = np.einsum("dtm,km,dtk->dt", powers, _DENSE, stage[..., 0])
    at_steps = np.einsum("k,skd->sd", _DENSE.sum(axis=1), moments[:, :, 0])
    rate = _continue_tail(rate, position, at_steps)

    if moments.shape[2] == 1:
        return WriteStatistics(rate, np.zeros_like(rate))
    integrated = powers * (inside / np.arange(1.0, _ORDER + 2)[:, None, None]).transpose(1, 2, 0)
    partial = np.einsum("dtm,km,dtk->dt", integrated, _DENSE, stage[..., 1])
    whole = np.einsum("m,km,skd->sd", 1.0 / np.arange(1.0, _ORDER + 2), _DENSE, moments[:, :, 1])
    before = np.concatenate([np.zeros_like(whole[:1]), np.cumsum(whole, axis=0)])[index, device]
    final = np.einsum("k,kd->d", _DENSE.sum(axis=1), moments[-1, :, 1])[:, None]
    return WriteStatistics(rate, step[:, None] * (before + partial + final * np.maximum(theta - 1.0, 0.0)))


def _continue_tail(rate: FloatArray, position: FloatArray, at_steps: FloatArray) -> FloatArray:
    """Where the rate is lost in rounding, or the march has ended, go on by the last exponential slope."""
    resolved = np.logical_and.accumulate(at_steps > _RESOLVED, axis=0)
    last = resolved.sum(axis=0) - 1
    device = np.arange(at_steps.shape[1])
    log_rate = np.log(np.concatenate([np.ones_like(at_steps[:1]), at_steps.clip(np.finfo(float).tiny)]))
    slope = np.minimum(log_rate[last + 1, device] - log_rate[last, device], 0.0)
    beyond = np.maximum(position - (last[:, None] + 1.0), 0.0)
    tail = np.exp(log_rate[last + 1, device][:, None] + slope[:, None] * beyond)
    return np.clip(np.where(beyond > 0.0, tail, rate), 0.0, 1.0)
