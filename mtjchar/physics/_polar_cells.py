"""Cells of the polar angle, on which small probabilities of switching are computed.

`mtjchar.physics.rare_switching` and `mtjchar.physics.changing_drive` solve the Fokker-Planck equation on
them.
"""

from __future__ import annotations

import numpy as np

from mtjchar.arrays import FloatArray, IndexArray

LEAST = 1e-300
"""Smallest probability and rate; lower values are replaced by it."""

_PER_ANGLE = 5.0  # cells per angle of 1/sqrt(2 Delta), at first; then twice as many
_DEEP = 45.0  # barrier, in kT, behind which nothing returns
_IN_WELL = 16.0  # barrier, in kT, where the committor has ended


def extrapolated(coarse: FloatArray, fine: FloatArray) -> FloatArray:
    """Extrapolate to zero cell size, of which the errors of the logarithms are of second order."""
    first, second = (np.log(np.maximum(values, LEAST)) for values in (coarse, fine))
    return np.asarray(np.maximum(np.exp(second + np.clip(second - first, -10.0, 10.0) / 3.0), LEAST))


def far_side(stability: FloatArray, barrier: FloatArray, deep: float = _DEEP) -> FloatArray:
    """Polar angle (rad) that is `deep` kT behind a barrier at ``z = -barrier``."""
    return np.arccos(-np.minimum(np.sqrt(deep / stability) + barrier, 1.0 - 0.2 / stability))


def cells_needed(
    stability: FloatArray, end: FloatArray, drive: FloatArray, per_angle: float = _PER_ANGLE
) -> IndexArray:
    """Count coarse cells up to the angle `end` with the largest magnitude of a drive."""
    fastest = np.maximum(drive, 1.0)
    return np.ceil(per_angle * np.sqrt(2.0 * stability) * fastest * end).astype(np.intp)


def switched_at_rest(edge: FloatArray, sine: FloatArray, delta: FloatArray, field: FloatArray) -> FloatArray:
    """Probability of falling to -1 without drive: p(z, 0), with full relative accuracy."""
    # dp/dtheta ~ exp(-Delta (z + h)^2)/sin theta, ending smoothly in the wells as `fokker_planck` does it.
    past_barrier = edge + field
    well = 1.0 - 1.0 / (2.0 * delta)
    deep = np.sqrt(_IN_WELL / delta)
    share = np.abs(past_barrier) / np.minimum(well + field * np.sign(past_barrier), deep)
    ending = np.maximum(1.0 - share**20, 0.0) ** 8
    change = np.exp(-delta * past_barrier**2) * ending / np.maximum(sine, 1e-9)
    total = np.cumsum(change[::-1], axis=0)[::-1]
    return np.asarray(total[1:] / total[:1])
