"""The levers of a pulse: the cost of shortening, lowering, and both together at each error rate."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.arrays import FloatArray
from mtjchar.errors import UnreachableError
from mtjchar.surfaces.grid import RELIABLE, CheapestPulse, SurfaceGrid, Target, Vary, targets
from mtjchar.surfaces.search import cheapest_pulse

__all__ = ["LEVER_RATES", "OUT_OF_REACH", "compare_levers", "lever_table", "reached"]

LEVER_RATES: FloatArray = np.logspace(-12.0, -1.0, 23)
"""Error rates at which the levers are compared."""

OUT_OF_REACH = CheapestPulse(np.nan, np.nan, np.nan, np.nan)
"""Values in tables if no pulse reaches a rate."""


def compare_levers(
    surface: SurfaceGrid,
    direction: Target,
    ber: npt.ArrayLike = LEVER_RATES,
    levers: Sequence[Vary] = get_args(Vary),
) -> pd.DataFrame:
    """Compare the cost of shortening, lowering, and both together at each error rate.

    Parameters
    ----------
    surface : SurfaceGrid
    direction : str
        One of `surface.directions`, or ``both``.
    ber : array_like, optional
        Error rates, each above 0 and below 1.
    levers : sequence of str, optional
        Levers to compare; default: all three.

    Returns
    -------
    DataFrame
        One row per lever and error rate: `direction`, `lever`, `ber` (requested), `amplitude_V`,
        `duration_s`, `pulse_ber` (rate of the pulse: lower than requested where the grid ends),
        `energy_J`, `effective_devices` and `extrapolated` (of `pulse_ber`; False if out of reach). Lever
        ``duration`` keeps the nominal amplitude, ``amplitude`` the duration that reaches 1e-9 there,
        ``both`` is free. NaN if the rate is out of reach.

    Raises
    ------
    InputError
        For an invalid direction or error rate.
    """
    reliable: float | None = None
    if "amplitude" in levers:
        with contextlib.suppress(UnreachableError):
            reliable = cheapest_pulse(surface, direction, RELIABLE, vary="duration").duration_s
    rows = []
    for lever in levers:
        for rate in np.atleast_1d(np.asarray(ber, dtype=np.float64)).tolist():
            pulse = None
            if lever != "amplitude" or reliable is not None:
                pulse = reached(surface, direction, rate, lever, reliable)
            pulse = pulse or OUT_OF_REACH
            rows.append(
                {
                    "direction": direction,
                    "lever": lever,
                    "ber": rate,
                    "amplitude_V": pulse.amplitude_V,
                    "duration_s": pulse.duration_s,
                    "pulse_ber": pulse.ber,
                    "energy_J": pulse.energy_J,
                    "effective_devices": pulse.effective_devices,
                    "extrapolated": pulse.extrapolated,
                }
            )
    return pd.DataFrame(rows)


def lever_table(surface: SurfaceGrid) -> pd.DataFrame:
    """`compare_levers` of every direction and of one pulse for both, at two rates per decade."""
    return pd.concat([compare_levers(surface, target) for target in targets(surface)], ignore_index=True)


def reached(
    surface: SurfaceGrid,
    direction: Target,
    ber: float,
    vary: Vary = "both",
    duration: float | None = None,
) -> CheapestPulse | None:
    """Cheapest pulse as `cheapest_pulse` finds it, or None if the rate is out of reach."""
    try:
        return cheapest_pulse(surface, direction, ber, vary=vary, duration=duration)
    except UnreachableError:
        return None
