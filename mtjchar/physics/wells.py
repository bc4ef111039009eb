r"""The two energy wells of a perpendicular free layer in a field, and the barrier between them.

Over kB T the energy of the macrospin is

.. math:: E = -\Delta [ m_z^2 - (B_s/B_k) m_y^2 + 2\, B \cdot m / B_k ],                            (1)

with the anisotropy field B_k between z and x, and B_s = mu0 Ms (Ny - Nx) >= 0 of an ellipse whose long axis
lies along x [1]_.

References
----------
.. [1] E. C. Stoner and E. P. Wohlfarth, Phil. Trans. R. Soc. A 240, 599 (1948), doi:10.1098/rsta.1948.0007.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray, IndexArray
from mtjchar.physics._macrospin import Macrospin, energy

__all__ = ["Vector", "Wells", "WriteWells", "wells"]

Vector = tuple[float, float, float]

_ANGLES = 361  # of the polar angle: barriers are accurate to 2e-5 of the stability
_HALVINGS = 32
_DEVICES = 2048  # at a time, for the memory
_DEPTH = 12.0  # kB T below the saddle: a magnetization there returns with a probability of about 6e-6
_THERMAL = 3.0  # kB T above the bottom of a well: nearly all magnetizations at rest there are below


class Wells(NamedTuple):
    """Wells of a batch of devices, arrays of shape (devices,).

    Attributes
    ----------
    barrier_p, barrier_ap : ndarray
        Energy from the bottom of the well at m_z > 0 (P), and of the other (AP), to the saddle, over kB
        T; 0 if the field leaves only one well, or the easy direction is in the plane.
    saddle : ndarray
        m_z of the saddle between the wells: with less energy than the saddle's, a magnetization above
        this m_z is in the P well and one below it in the AP well. NaN if there are no two wells.
    saddle_energy : ndarray
        Equation 1 at the saddle.
    """

    barrier_p: FloatArray
    barrier_ap: FloatArray
    saddle: FloatArray
    saddle_energy: FloatArray


class WriteWells(NamedTuple):
    """Wells of one device in a write: conditions for a settled magnetization, and the side that is written.

    Attributes
    ----------
    saddle : float
        m_z.
    saddle_energy : float
        kB T, as `llgs.energy`.
    barriers : tuple of float
        kB T, of the initial and of the written well.
    target : float
        1: P, -1: AP.
    """

    saddle: float
    saddle_energy: float
    barriers: tuple[float, float]
    target: float

    @classmethod
    def of(cls, both: Wells, k: int, target: float) -> WriteWells:
        """Use the wells of device `k`."""
        p, ap = float(both.barrier_p[k]), float(both.barrier_ap[k])
        barriers = (ap, p) if target > 0.0 else (p, ap)
        return cls(float(both.saddle[k]), float(both.saddle_energy[k]), barriers, target)

    @property
    def least_energy(self) -> float:
        """Energy above which a magnetization is not settled, kB T."""
        return self.saddle_energy - min(_DEPTH, 0.5 * min(self.barriers))

    def written(self, m: FloatArray) -> BoolArray:
        """Whether states (3, walkers) are on the written side."""
        return np.asarray(self.target * (m[2] - self.saddle) > 0.0)

    def settled(self, spin: Macrospin, m: FloatArray) -> BoolArray:
        """Whether states (3, walkers) are so deep in a well that they stay there."""
        return np.asarray(energy(spin, m) < self.least_energy)

    def held(self, spin: Macrospin, m: FloatArray) -> BoolArray:
        """Whether states (3, walkers) are in thermal equilibrium in the written well."""
        limit = min(self.least_energy, self.saddle_energy - self.barriers[1] + _THERMAL)
        return np.asarray((energy(spin, m) < limit) & self.written(m))

    def level(
        self, spin: Macrospin, m: FloatArray, halvings: int, edges: FloatArray
    ) -> tuple[IndexArray, FloatArray]:
        """Bins of states (3, walkers) and their energies.

        The first `halvings` bins are those below the saddle in the initial well. Their edges are its barrier
        divided by powers of 2, above the bottom. The others have `edges` in kB T above the saddle, ascending
        through 0: first those of the written well, then those above the saddle, where the wells are one.
        """
        height = energy(spin, m)
        over = height - self.saddle_energy
        tiny = np.finfo(float).tiny
        halved = -np.log2(np.maximum(1.0 + over / self.barriers[0], tiny))
        initial = (over < 0.0) & ~self.written(m)
        further = halvings + np.searchsorted(edges, over)
        return np.where(initial, np.clip(halved, 0.0, halvings - 1.0).astype(np.intp), further), height


def wells(
    stability: npt.ArrayLike, anisotropy_field: npt.ArrayLike, in_plane: npt.ArrayLike, field: Vector
) -> Wells:
    """Find both wells and the lowest saddle between them.

    Parameters
    ----------
    stability : array_like, shape (devices,)
        Thermal stability Delta without field.
    anisotropy_field : array_like, shape (devices,)
        B_k = mu0 Hk between z and x, T.
    in_plane : array_like, shape (devices,)
        B_s = mu0 Ms (Ny - Nx), T, at least 0; 0 for a circle.
    field : tuple of float
        External field, T.

    Notes
    -----
    At every polar angle the energy is lowest in the quadrant of the field's in-plane component, at one
    azimuth that varies continuously with the polar angle. The path over the saddle follows that azimuth,
    and the saddle is the maximum of this lowest energy between its two minima. With h = B/B_k along z the
    barriers are Delta (1 + h)^2 and Delta (1 - h)^2, exactly; otherwise they are accurate to 2e-5 Delta.
    """
    columns = np.broadcast_arrays(
        *(np.asarray(each, dtype=np.float64) for each in (stability, anisotropy_field, in_plane))
    )
    delta, bk, bs = (np.atleast_1d(column) for column in columns)
    perpendicular = (delta > 0.0) & (bk > 0.0)
    safe = np.where(perpendicular, bk, 1.0)
    h = np.array(field)[:, None] / safe
    if field[0] == 0.0 and field[1] == 0.0:
        extremes = _axial(h[2])
    else:
        parts = [slice(start, start + _DEVICES) for start in range(0, len(delta), _DEVICES)]
        extremes = np.concatenate([_tilted(h[:, part], (bs / safe)[part]) for part in parts], axis=1)
    up, down, saddle, energy = np.where(perpendicular, extremes, [[0.0], [0.0], [np.nan], [np.nan]])
    return Wells(delta * up, delta * down, saddle, delta * energy)


def _axial(h: FloatArray) -> FloatArray:
    """Rows barrier_p, barrier_ap, saddle, energy, over Delta, in a field along z; path over the long axis."""
    two = np.abs(h) < 1.0
    up, down = np.where(two, (1.0 + h) ** 2, 0.0), np.where(two, (1.0 - h) ** 2, 0.0)
    return np.stack([up, down, np.where(two, -h, np.nan), np.where(two, h**2, np.nan)])


def _tilted(h: FloatArray, shape: FloatArray) -> FloatArray:
    """Like `_axial`, in any field (3, devices)."""
    polar = np.linspace(0.0, np.pi, _ANGLES)[:, None]
    sine, cosine = np.sin(polar), np.cos(polar)
    along, across = np.abs(h[0]), np.abs(h[1])
    s, c = _azimuth(along, across, shape * sine)
    in_plane = 2.0 * sine * (along * c + across * s) - shape * (sine * s) ** 2
    energy = -(cosine**2 + 2.0 * h[2] * cosine + in_plane)

    inner = energy[1:-1]
    minimum = np.zeros(energy.shape, dtype=bool)
    minimum[1:-1] = (inner < energy[:-2]) & (inner <= energy[2:])
    minimum[0], minimum[-1] = energy[0] <= energy[1], energy[-1] < energy[-2]
    two = minimum.sum(axis=0) >= 2
    first = np.argmax(minimum, axis=0)
    last = _ANGLES - 1 - np.argmax(minimum[::-1], axis=0)
    row = np.arange(_ANGLES)[:, None]
    top = np.argmax(np.where((row >= first) & (row <= last), energy, -np.inf), axis=0)
    (_, bottom_p), (_, bottom_ap), (angle, height) = (_vertex(energy, k) for k in (first, last, top))
    result = np.stack([height - bottom_p, height - bottom_ap, np.cos(angle), height])
    return np.where(two, result, [[0.0], [0.0], [np.nan], [np.nan]])


def _azimuth(along: FloatArray, across: FloatArray, shape: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sine and cosine of the azimuth from 0 to pi/2 of least energy, shape (angles, devices)."""
    low: FloatArray = np.zeros(shape.shape)
    if not across.any():
        return low, np.ones(shape.shape)
    high = low + 0.5 * np.pi
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        s, c = np.sin(middle), np.cos(middle)
        uphill = along * s - across * c + shape * s * c >= 0.0
        high = np.where(uphill, middle, high)
        low = np.where(uphill, low, middle)
    return np.asarray(np.sin(high), np.float64), np.asarray(np.cos(high), np.float64)


def _vertex(energy: FloatArray, row: IndexArray) -> tuple[FloatArray, FloatArray]:
    """Polar angle and energy at the vertex of the parabola through a row and its neighbours."""
    step, device = np.pi / (_ANGLES - 1), np.arange(energy.shape[1])
    # Beyond a pole the energy continues at another azimuth; there the extremum is the pole itself.
    inside = (row > 0) & (row < _ANGLES - 1)
    k = np.clip(row, 1, _ANGLES - 2)
    before, here, after = (energy[k + offset, device] for offset in (-1, 0, 1))
    curvature = before - 2.0 * here + after
    slope = 0.5 * (after - before)
    shift = np.where(inside & (curvature != 0.0), -slope / np.where(curvature == 0.0, 1.0, curvature), 0.0)
    value = np.where(inside, here + 0.5 * slope * shift, energy[row, device])
    return np.asarray((row + shift) * step, np.float64), value
