r"""Small probabilities of switching, with relative accuracy down to 1e-300.

The solver of `mtjchar.physics.fokker_planck` computes the error rate. If a pulse hardly ever switches, the
difference of the error rate from 1 is lost to rounding. This module solves the same equation for p = 1 - q,
the probability that a magnetization which starts at z has switched by the end of the pulse. It uses its
Laplace transform

.. math:: s \hat p - L \hat p = p(z, 0),                                                        (1)

on cells of the polar angle, between which L, exponentially fitted, is a chain of hops [1]_. The elimination
from the barrier's far side, where p = 1, uses sums of positive terms alone [2]_. Every p therefore has full
relative accuracy, however small it is. The inverse transform is a sum over a few points of a contour [3]_,
for any duration, along the path of steepest descent from the saddle of exp(s tau) p. The results for two cell
sizes are extrapolated to zero size.

A drive that holds the state makes p fall with time, in the end by many orders of magnitude. Then there is no
such saddle: right of the pole at s = 0, which every p has, exp(s tau) p has the size of p at early times.
Where p has fallen, `mtjchar.physics.changing_drive` follows the density step by step.

References
----------
.. [1] D. L. Scharfetter, H. K. Gummel, IEEE Trans. Electron Devices 16, 64 (1969),
   doi:10.1109/T-ED.1969.16566.
.. [2] W. K. Grassmann, M. I. Taksar, D. P. Heyman, Oper. Res. 33, 1107 (1985), doi:10.1287/opre.33.5.1107.
.. [3] J. A. C. Weideman, L. N. Trefethen, Math. Comp. 76, 1341 (2007), doi:10.1090/S0025-5718-07-01945-X.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.physics import changing_drive
from mtjchar.physics._polar_cells import LEAST, cells_needed, extrapolated, far_side, switched_at_rest
from mtjchar.physics.fokker_planck import FunctionOfZ, of_some

__all__ = [
    "LEAST",
    "mean_escape_time",
    "switching_probability",
]

ComplexArray = npt.NDArray[np.complex128]
Array = TypeVar("Array", FloatArray, ComplexArray)

_FINER = 1.25  # ratio of two numbers of cells
_POINTS = 12  # of the contour on one side of the real axis; the other side is its conjugate
_STEP = 0.65  # between them, over the width of the saddle
_FALLEN = 0.9  # of the probability at the start: lower ones are followed step by step
_TOGETHER = 256  # devices, and pulses that are computed together


def switching_probability(
    overdrive: FunctionOfZ,
    stability: FloatArray,
    field: FloatArray,
    device: IndexArray,
    reduced_time: FloatArray,
    *,
    at_rest: FloatArray | None = None,
) -> FloatArray:
    """Probability that a pulse switches, 1 - write error rate.

    Parameters
    ----------
    overdrive : callable
        i(z), as for `mtjchar.physics.fokker_planck.write_statistics`.
    stability, field : ndarray, shape (devices,)
        Delta and h, as for `mtjchar.physics.fokker_planck.write_statistics`.
    device : ndarray of int, shape (pulses,)
        The device of each pulse.
    reduced_time : ndarray, shape (pulses,)
        Over t_D, without an upper limit; values below 1e-6 are replaced by that.
    at_rest : ndarray, shape (devices,), optional
        Delta of the density before the pulse and of the relaxation after it, if that is not `stability`.

    Returns
    -------
    ndarray, shape (pulses,)
        From 1e-300 to 1. With overdrives from -0.2 to -0.9 and up to 60 t_D within 0.06 decades of
        tests/reference/held_drives.csv. What has switched counts as switched, also where the drive brings it
        back, as it soon does if it leaves no barrier beside the other state.
    """
    result = np.empty_like(reduced_time)
    tau = np.maximum(reduced_time, 1e-6)
    rest = stability if at_rest is None else at_rest
    for part, chains in _batches(overdrive, stability, field, np.unique(device), rest):
        within = np.full(len(stability), -1)
        within[part] = np.arange(len(part))
        pulses = np.flatnonzero(within[device] >= 0)
        for start in range(0, len(pulses), _TOGETHER):
            some = pulses[start : start + _TOGETHER]
            chosen = within[device[some]]
            result[some] = extrapolated(*(chain.switching(tau[some], chosen) for chain in chains))
        lowest = _FALLEN * chains[-1].at_start()
        fallen = pulses[result[pulses] < lowest[within[device[pulses]]]]
        if len(fallen):
            result[fallen] = _followed(overdrive, stability, field, rest, device[fallen], tau[fallen])
    return np.minimum(result, 1.0)


def mean_escape_time(overdrive: FunctionOfZ, stability: FloatArray, field: FloatArray) -> FloatArray:
    """Mean time in a constant drive until the magnetization has permanently left the well at +1.

    Parameters
    ----------
    overdrive, stability, field
        As for `switching_probability`.

    Returns
    -------
    ndarray, shape (devices,)
        Over t_D, from the density before the pulse; up to 1e300.
    """
    result = np.empty_like(stability)
    for part, chains in _batches(overdrive, stability, field, np.arange(len(stability)), stability):
        result[part] = 1.0 / extrapolated(*(1.0 / chain.escape() for chain in chains))
    return result


def _followed(
    overdrive: FunctionOfZ,
    stability: FloatArray,
    field: FloatArray,
    rest: FloatArray,
    device: IndexArray,
    tau: FloatArray,
) -> FloatArray:
    """Probability that pulses switch, of the densities of their devices, step by step."""
    used, system = np.unique(device, return_inverse=True)
    own = of_some(overdrive, used, len(stability))
    drive = own(np.linspace(-1.0, 1.0, 33)[:, None] * np.ones(len(used)))
    # All densities have the same steps: they meet each duration, and the time when they have settled.
    ends, number = np.unique(np.append(tau, changing_drive.SETTLED), return_inverse=True)
    ends = ends[: number[:-1].max() + 1]
    steps = np.diff(ends, prepend=0.0)[:, None] * np.ones(len(used))
    chance = changing_drive.switching_probability(
        lambda z, _: own(z), stability[used], field[used], steps,
        largest=drive.max(axis=0), smallest=drive.min(axis=0), at_rest=rest[used],
    )  # fmt: skip
    return np.asarray(chance[number[:-1], system])


def _batches(
    overdrive: FunctionOfZ, stability: FloatArray, field: FloatArray, used: IndexArray, rest: FloatArray
) -> Iterator[tuple[IndexArray, tuple[_Chain, _Chain]]]:
    """Devices that need about as many cells, and their chains of coarse and fine cells."""
    probe = np.linspace(-1.0, 1.0, 33)[:, None] * np.ones_like(stability)
    drive = overdrive(probe) - field
    # The far side is beyond the barriers with and without drive.
    barrier = np.maximum(np.abs(field), -drive.min(axis=0))
    end = far_side(stability, barrier)
    # Few different numbers: devices that differ little then have the same cells, and smooth differences.
    level = np.ceil(np.log(cells_needed(stability, end, np.abs(drive).max(axis=0))) / np.log(_FINER))
    order = used[np.argsort(level[used], kind="stable")]
    places = np.flatnonzero(np.diff(level[order])) + 1
    groups = (
        group[start : start + _TOGETHER]
        for group in np.split(order, places)
        for start in range(0, len(group), _TOGETHER)
    )
    for part in groups:
        own = of_some(overdrive, part, len(stability))
        count = int(np.ceil(_FINER ** level[part[0]]))
        yield (
            part,
            (
                _Chain.make(own, end[part], stability[part], field[part], rest[part], count),
                _Chain.make(own, end[part], stability[part], field[part], rest[part], 2 * count),
            ),
        )


class _Chain(NamedTuple):
    """Cells from beyond the barrier up to the pole; shape (cells, devices)."""

    up: FloatArray  # rate of hops to the next cell
    down: FloatArray  # to the previous one; from the first one to the region where p = 1
    switched: FloatArray  # p(z, 0), the probability to fall to -1 after the pulse
    weight: FloatArray  # of the density before the pulse

    @classmethod
    def make(
        cls,
        overdrive: FunctionOfZ,
        end: FloatArray,
        delta: FloatArray,
        field: FloatArray,
        rest: FloatArray,
        cells: int,
    ) -> _Chain:
        # Even points are the edges of cells, odd ones their middles.
        theta = np.linspace(end, np.zeros_like(end), 2 * cells + 1)
        z, sine = np.cos(theta), np.sin(theta)
        force = overdrive(z) - field - z
        rise = delta * (force[1:] + force[:-1]) * np.diff(z, axis=0)  # of Phi, from point to point
        volume = np.diff(z[::2], axis=0)
        # Hops have the rates D exp(-Phi) at the edge over exp(-Phi) in the cell.
        hop = sine[::2] * cells / (2.0 * delta * end)
        down = hop[:-1] * np.exp(rise[::2]) / volume
        up = hop[1:] * np.exp(-rise[1::2]) / volume
        up[-1] = 0.0
        middle = z[1::2]
        above = np.clip((z[2::2] + field) / volume, 0.0, 1.0)
        weight = volume * above * np.exp(-rest * (1.0 - middle) * (1.0 + middle + 2.0 * field))
        return cls(up, down, switched_at_rest(z[::2], sine[::2], rest, field), weight / weight.sum(axis=0))

    def at_start(self) -> FloatArray:
        """Probability to switch without a pulse."""
        return np.asarray((self.weight * self.switched).sum(axis=0))

    def switching(self, tau: FloatArray, device: IndexArray) -> FloatArray:
        """Probability that each of some pulses switches, with cells of this size."""
        path, share, estimate = self._path(tau, device)
        with np.errstate(over="ignore", invalid="ignore"):  # see below
            whole = self.transform(path, 1.0 / path, device)
        # The part that has switched at the start has a transform that falls off as 1/s only. It stays in the
        # sum if the drive holds the state and removes it.
        start = self.at_start()[device]
        with np.errstate(over="ignore", invalid="ignore"):
            later = (share * (whole - start[:, None] / path)).real.sum(axis=1)
            chance = np.where(later > 0.0, start + later, (share * whole).real.sum(axis=1))
        # If the probability is still near that of the start and about to rise by many orders of magnitude,
        # terms of the sum are far larger than the sum.
        return np.where((chance > 0.01 * estimate) & (chance < 1.5 * estimate), chance, estimate)

    def _path(self, tau: FloatArray, device: IndexArray) -> tuple[ComplexArray, ComplexArray, FloatArray]:
        """Points s of the contour of each pulse, the weight of p there, and the saddle's estimate."""
        # Steepest descent [3] from the saddle, the least value of exp(s tau) p for s on the real axis: there
        # the sum has no cancellation. Along ln s, first in wide steps, then in narrow ones.
        wide, narrow = np.log(2.0) * np.arange(-1.0, 9.0), 0.15 * np.arange(-2.0, 3.0)
        x = wide - np.log(tau)[:, None]
        height = np.exp(wide) + self._log_transform(x, device)
        row, lowest = np.arange(len(tau)), np.clip(height.argmin(axis=1), 1, len(wide) - 2)
        left, middle, right = (height[row, lowest + side] for side in (-1, 0, 1))
        aside = 0.5 * (left - right) / np.maximum(left - 2.0 * middle + right, 1e-9)
        x = x[row, lowest] + np.log(2.0) * np.clip(aside, -1.0, 1.0)
        values = self._log_transform(x[:, None] + narrow, device)
        slope, bend, twist = (values @ _differences(narrow)).T
        scaled = np.exp(x) * tau
        x -= np.clip((scaled + slope) / np.maximum(scaled + bend, 0.1 * scaled), -0.3, 0.3)
        s = np.exp(x)
        # Derivatives by s, with those of ln p by ln s.
        second = np.maximum(bend - slope, 0.5) / s**2
        third = (twist - 3.0 * bend + 2.0 * slope) / s**3
        width = 1.0 / np.sqrt(second)
        curve = np.clip(third / (6.0 * second), -0.5 / s, 0.0)
        y = width[:, None] * _STEP * (np.arange(_POINTS) + 0.5)
        path = s[:, None] + 1j * y + curve[:, None] * y**2
        along = (1.0 - 2j * curve[:, None] * y) * width[:, None] * _STEP / np.pi
        estimate = np.exp(scaled + values[:, 2]) * width / np.sqrt(2.0 * np.pi)
        return path, along * np.exp(path * tau[:, None]), estimate

    def _log_transform(self, x: FloatArray, device: IndexArray) -> FloatArray:
        return np.log(np.maximum(self.transform(np.exp(x), np.exp(-x), device), LEAST))

    def escape(self) -> FloatArray:
        """Mean time from the density before the pulse to the far side."""
        zero = np.zeros((self.up.shape[1], 1))
        unit = self._replace(switched=np.ones_like(self.switched))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # if it never leaves
            return np.asarray(unit.transform(zero, zero, np.arange(len(zero)))[:, 0])

    def transform(self, s: Array, edge: Array, device: IndexArray) -> Array:
        """Mean over the density before the pulse of p in (1), with p = edge at the far side.

        `s` and `edge` have the shape (pulses, points of the contour); `device` is that of each pulse.
        """
        # With p_j = a p_{j+1} + b, and 1 - a = c summed separately [2]; the mean over the points up to j
        # is A p_{j+1} + B.
        c, b, share, mean = np.ones_like(s), edge.copy(), np.zeros_like(s), np.zeros_like(s)
        leaving, inverse = np.empty_like(s), np.empty_like(s)
        for up, down, own, weight in zip(*(part[:, device, None] for part in self), strict=True):
            np.multiply(c, down, out=leaving)
            leaving += s
            np.reciprocal(np.add(leaving, up, out=inverse), out=inverse)
            np.multiply(leaving, inverse, out=c)
            b *= down
            b += own
            b *= inverse
            share += weight
            mean += np.multiply(share, b, out=leaving)
            inverse *= up
            share *= inverse
        return mean


def _differences(nodes: FloatArray) -> FloatArray:
    """Weights, shape (nodes, 3), that give the first three derivatives at 0 from values at the nodes."""
    powers = np.vander(nodes, increasing=True)
    return np.asarray(np.linalg.inv(powers)[1:4].T * [1.0, 2.0, 6.0])
