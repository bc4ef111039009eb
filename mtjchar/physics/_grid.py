"""Grids of the Fokker-Planck equation in u = artanh(z), and its adjoint operator on them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import BoolArray, FloatArray

_PER_ANGLE = 3.0  # points per angle of 1/sqrt(2 Delta)
_PER_ANGLE_AT_BARRIER = 4.0  # the same with a barrier, whose escape rate it determines
_PER_U = 8.0  # points per unit of u
_CAP = 0.015  # distance from z = +-1 over the thermal one
_DEEP = 45.0  # barrier, in kT, behind which nothing returns
_IN_WELL = 16.0  # barrier, in kT, where the committor has ended


class _Extent(NamedTuple):
    """Ends of the grids of devices, and ds/du = a sech(u) + b, for points at a distance of 1; (devices,)."""

    closest: FloatArray  # distance of the last point from z = 1
    a: FloatArray
    b: FloatArray
    first: FloatArray
    last: FloatArray

    @classmethod
    def of(
        cls, delta: FloatArray, fastest: FloatArray, field: FloatArray, barrier: BoolArray, *, whole: bool
    ) -> _Extent:
        # For the error rate alone the grid ends where the committor is below rounding: behind it nothing
        # returns. An observable changes further down to the floor of the well.
        closest = _CAP / (delta * (1.0 + fastest))
        top = np.arctanh(1.0 - closest)
        floor = 1.0 - 0.2 / delta
        bottom = -np.arctanh(floor if whole else np.minimum(np.sqrt(_DEEP / delta) + np.abs(field), floor))
        per_angle = np.where(barrier, _PER_ANGLE_AT_BARRIER, _PER_ANGLE)
        a, b = per_angle * np.sqrt(2.0 * delta), np.full_like(delta, _PER_U)
        first, last = (a * np.arcsin(np.tanh(end)) + b * end for end in (bottom, top))
        return cls(closest, a, b, first, last)

    @property
    def points(self) -> int:
        """Number of points that all devices need."""
        return 1 + int(np.ceil(np.max(self.last - self.first)))


class Grid(NamedTuple):
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
        cls,
        delta: FloatArray,
        fastest: FloatArray,
        field: FloatArray,
        barrier: BoolArray,
        *,
        whole: bool,
        least: int = 0,
    ) -> Grid:
        """Make the grids of devices, with one number of points, at least `least`."""
        extent = _Extent.of(delta, fastest, field, barrier, whole=whole)
        closest, a, b, first = extent.closest, extent.a, extent.b, extent.first
        points = max(extent.points, least)
        finer = (points - 1) / (extent.last - first)
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

    def generator(self, overdrive: FloatArray, stability: FloatArray | None = None) -> FloatArray:
        """Bands of the adjoint operator, shape (5, points, devices); fourth order, rows sum to 0.

        A `stability` replaces that of the density and of the committor: it is that of a hot junction.
        """
        delta = self.stability if stability is None else stability
        # d/du = s' d/ds and d2/du2 = s'^2 d2/ds2 + s'' d/ds.
        diffusion = 0.5 / (delta * self.from_top[2:-2] * self.from_bottom[2:-2])
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


def points_of(
    delta: FloatArray, fastest: FloatArray, field: FloatArray, barrier: BoolArray, *, whole: bool
) -> int:
    """Return the number of points of `Grid.make`; as its `least` it gives some of the devices equal grids."""
    return _Extent.of(delta, fastest, field, barrier, whole=whole).points


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


def apply(bands: FloatArray, field: FloatArray) -> FloatArray:
    """Product of a generator and a field, shape (points, devices)."""
    padded = np.pad(field, ((2, 2), (0, 0)))
    return np.asarray(sum(band * padded[k : k + len(field)] for k, band in enumerate(bands)))
