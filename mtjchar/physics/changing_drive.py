r"""Small probabilities of switching in a drive that changes with time, with full relative accuracy.

`mtjchar.physics.rare_switching` needs a constant drive. During a read the drive changes: the word line turns
the cell on, and the line that it discharges or charges loses its voltage. This module follows the density of
the magnetization from equilibrium in the well at +1, on the same chain of cells [1]_,
:math:`d\rho/d\tau = L^T \rho`. All steps are sums of positive terms, so that the smallest values of the
density have full relative accuracy too:

* in short steps powers of :math:`1 + d\tau\, L^T`, combined to second order [2]_; the results for two cell
  sizes are extrapolated to zero size;
* after `SETTLED` relaxation times implicit steps of any length, :math:`\rho' - d\tau\, L^T \rho' = \rho`. By
  then the well is in equilibrium with a drive that no longer changes, and the flow over the barrier is
  constant.

What has switched by some time is the part that has left the chain, and the sum of the density times the
probability to fall to -1 from there without drive.

References
----------
.. [1] D. L. Scharfetter, H. K. Gummel, IEEE Trans. Electron Devices 16, 64 (1969),
   doi:10.1109/T-ED.1969.16566.
.. [2] S. Gottlieb, C.-W. Shu, E. Tadmor, SIAM Review 43, 89 (2001), doi:10.1137/S003614450036757X.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack

from mtjchar.arrays import FloatArray
from mtjchar.physics._polar_cells import LEAST, cells_needed, extrapolated, far_side, switched_at_rest

__all__ = ["SETTLED", "DriveOfStep", "switching_probability"]

SETTLED = 8.0
"""Time over t_D from which on steps are implicit."""

DriveOfStep = Callable[[FloatArray, int], FloatArray]
"""Mean overdrive in a step at z, shape (points, systems)."""

_PER_ANGLE = 3.5  # cells per angle of 1/sqrt(2 Delta), at first; then twice as many
_DEEP = 12.0  # barrier, in kT, behind which nothing returns but 1e-5
_STAGES = 4  # of a short step, one power of 1 + dL each; positive up to a length of one less
_IMPLICIT = 4  # implicit steps with fine cells in place of one with coarse cells


def switching_probability(
    overdrive: DriveOfStep,
    stability: FloatArray,
    field: FloatArray,
    step: FloatArray,
    *,
    largest: FloatArray,
    smallest: FloatArray,
    at_rest: FloatArray | None = None,
) -> FloatArray:
    """Probability that a drive has switched the magnetization, after each step.

    Parameters
    ----------
    overdrive : callable
        Called with z, shape (points, systems), and the number of a step; returns the mean of i(z) in it,
        positive towards -1.
    stability, field : ndarray, shape (systems,)
        Delta and h, as for `mtjchar.physics.fokker_planck.write_statistics`.
    step : ndarray, shape (steps, systems)
        Lengths over t_D. The drive should change little in each.
    largest, smallest : ndarray, shape (systems,)
        Bounds of the overdrive, over z and all steps.
    at_rest : ndarray, shape (systems,), optional
        Delta of the density before the drive and of the relaxation after it, if that is not `stability`.

    Returns
    -------
    ndarray, shape (steps, systems)
        From 1e-300 to 1: the drive ends after that step, and the magnetization relaxes without it.
    """
    end = far_side(stability, np.maximum(np.abs(field), field - smallest), _DEEP)
    drive = np.maximum(np.abs(largest), np.abs(smallest)) + np.abs(field)
    cells = cells_needed(stability, end, drive, _PER_ANGLE)
    count = int(cells.max())
    rest = stability if at_rest is None else at_rest
    coarse, fine = (
        _solved(overdrive, stability, rest, field, end, step, number, implicit)
        for number, implicit in ((count, 1), (2 * count, _IMPLICIT))
    )
    return np.minimum(extrapolated(coarse, fine), 1.0)


def _solved(
    overdrive: DriveOfStep,
    delta: FloatArray,
    rest: FloatArray,
    field: FloatArray,
    end: FloatArray,
    steps: FloatArray,
    cells: int,
    implicit: int,
) -> FloatArray:
    """Probability after each step, with cells of one size."""
    # Even points are the edges of cells, odd ones their middles, as in `rare_switching`.
    theta = np.linspace(end, np.zeros_like(end), 2 * cells + 1)
    z, sine = np.cos(theta), np.sin(theta)
    volume, middle = np.diff(z[::2], axis=0), z[1::2]
    above = np.clip((z[2::2] + field) / volume, 0.0, 1.0)
    density = volume * above * np.exp(-rest * (1.0 - middle) * (1.0 + middle + 2.0 * field))
    # The first row collects what has left the chain.
    density = np.concatenate([np.zeros((1, len(delta))), density / density.sum(axis=0)])
    switched = np.concatenate([np.ones((1, len(delta))), switched_at_rest(z[::2], sine[::2], rest, field)])
    hop = sine[::2] * cells / (2.0 * delta * end)
    lower, upper = hop[:-1] / volume, hop[1:] / volume
    half, at_rest = delta * np.diff(z, axis=0), field + z
    elapsed = np.zeros_like(delta)
    result = np.empty_like(steps)
    for number, length in enumerate(steps):
        force = overdrive(z, number) - at_rest
        rise = np.exp(half * (force[1:] + force[:-1]))  # of the potential, from point to point
        down, up = lower * rise[::2], upper / rise[1::2]
        up[-1] = 0.0
        if elapsed.min() < SETTLED:
            density = _advance(length * up, length * down, density)
        else:
            for _ in range(implicit):
                density = _implicit(length / implicit * up, length / implicit * down, density)
        elapsed += length
        result[number] = (density * switched).sum(axis=0)
    return np.maximum(result, LEAST)


def _advance(up: FloatArray, down: FloatArray, density: FloatArray) -> FloatArray:
    """Advance by a step in short steps; `up` and `down` are rates times the length of the step."""
    leaving = up + down
    count = int(np.ceil(leaving.max() / (_STAGES - 1)))
    share = 1.0 / (max(count, 1) * (_STAGES - 1))
    up, down, stay = up[:-1] * share, down * share, 1.0 - leaving * share
    product, after = np.empty_like(down), np.empty_like(density)
    density = density.copy()
    for _ in range(count):
        before = density.copy()
        for _ in range(_STAGES):
            after[0] = density[0]
            np.multiply(stay, density[1:], out=after[1:])
            np.multiply(down, density[1:], out=product)
            np.add(after[:-1], product, out=after[:-1])
            np.multiply(up, density[1:-1], out=product[1:])
            np.add(after[2:], product[1:], out=after[2:])
            density, after = after, density
        density *= (_STAGES - 1.0) / _STAGES
        before /= _STAGES
        density += before
    return density


def _implicit(up: FloatArray, down: FloatArray, density: FloatArray) -> FloatArray:
    """Advance by one implicit step, all systems at once: without couplings they are one band matrix."""
    diagonal = (1.0 + up + down).T.ravel()
    # Columns are dominated by their diagonals, so that no rows are exchanged and no signs differ.
    below, above = -up.T.ravel()[:-1], -down.T
    above[:, 0] = 0.0
    *_, solution, _ = lapack.dgtsv(below, diagonal, above.ravel()[1:], density[1:].T.ravel())
    inside = solution.reshape(density[1:].T.shape).T
    return np.concatenate([density[:1] + down[:1] * inside[:1], inside])
