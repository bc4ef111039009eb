"""Energy of writes that end when the bit has switched (early write termination).

A detector monitors the current of each driven bit and ends its drive once the bit has its new value. Let the
survival probability S(t) be the probability that a bit has not switched by the time t. The mean time that it
is driven is the integral of S over the pulse. A surface provides S: the error rate of a pulse of duration t.

References
----------
P. Zhou, B. Zhao, J. Yang, Y. Zhang, ICCAD 2009, doi:10.1145/1687399.1687448. J. Park, T. Zheng, M. Erez, M.
Orshansky, IEEE Trans. VLSI Syst. 24, 1351 (2016), doi:10.1109/TVLSI.2015.2449739.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.integrate import cumulative_trapezoid

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.errors import InputError
from mtjchar.surfaces.grid import SurfaceGrid

__all__ = ["Detector", "driven_time", "terminated_energy", "write_energy"]

_STEPS = 400  # of the integral over the longest pulse


@dataclass(frozen=True)
class Detector:
    """A circuit that ends a write.

    The defaults are assumptions: 10 µA at 1 V, and two gate delays of a sense amplifier.

    Attributes
    ----------
    power_W : float
        Power per bit while it is driven, W, 0 or more.
    delay_s : float
        From the moment when a bit has its new value to the end of its drive, s, 0 or more.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    power_W: float = 10e-6
    delay_s: float = 0.5e-9

    def __post_init__(self) -> None:
        for name, unit in (("power_W", "W"), ("delay_s", "s")):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise InputError(f"{name} of the detector", value=value, allowed=f"finite, 0 {unit} or more")


def driven_time(
    surface: SurfaceGrid, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
) -> FloatArray:
    """Return the mean time until a bit has switched or the pulse is over.

    Parameters
    ----------
    surface : SurfaceGrid
    direction : str
        One of `surface.directions`.
    amplitude, duration : array_like
        V and s; they broadcast.

    Returns
    -------
    ndarray
        s. Up to the shortest duration of the surface no bit counts as switched, so the time is slightly
        too long if many have switched by then. Where error rates rise again, bits count as not switched that
        have been lost after it, at most as many as at the lowest rate before; the time is then too long, too.

    Raises
    ------
    OutsideGridError
        For a pulse outside the grid of the surface.
    """
    level, end = np.broadcast_arrays(np.asarray(amplitude, float), np.asarray(duration, float))
    at_end = surface.ber(direction, level, end)
    # One integral per amplitude, in geometric steps; each pulse ends within one of them.
    levels, row = np.unique(level, return_inverse=True)
    row = row.reshape(level.shape)
    times = np.geomspace(surface.durations[0], surface.durations[-1], _STEPS)
    survival = surface.ber(direction, levels[:, None], times)
    if direction in surface.rising:
        # Bits that are lost have switched before. The share that has not yet only falls.
        survival = np.minimum.accumulate(survival, axis=-1)
    integral = cumulative_trapezoid(survival, times, axis=-1, initial=0)
    last = np.clip(np.searchsorted(times, end, side="right") - 1, 0, _STEPS - 1)
    if direction in surface.rising:
        at_end = np.minimum(at_end, survival[row, last])
    rest = 0.5 * (end - times[last]) * (survival[row, last] + at_end)
    return np.asarray(times[0] + integral[row, last] + rest)


def terminated_energy(
    surface: SurfaceGrid,
    direction: Direction,
    amplitude: npt.ArrayLike,
    duration: npt.ArrayLike,
    detector: Detector,
    *,
    switching: bool = True,
) -> FloatArray:
    """Return the mean energy of a write that a detector ends.

    Parameters
    ----------
    surface : SurfaceGrid
    direction : str
        One of `surface.directions`.
    amplitude, duration : array_like
        V and s of the complete pulse; they broadcast.
    detector : Detector
    switching : bool
        Whether the bit has to switch; the drive of a bit that does not have to ends after the delay.

    Returns
    -------
    ndarray
        J, including the detector's energy.

    Raises
    ------
    OutsideGridError
        For a pulse outside the grid of the surface.

    Notes
    -----
    A complete write costs E = c + P T + (P0 - P) ∫S dt, with power P0 before switching and P after
    it, edges c, duration T; a redundant one costs R = c + P T. Then E - R is the additional energy before
    switching, and P is the slope of R over T. A terminated write costs E - R + c + P (∫S dt +
    delay), where the delay is cut at the end of the pulse. Powers are those of the population: a weak device,
    which is driven for longer, counts with the mean power.
    """
    level, end = np.broadcast_arrays(np.asarray(amplitude, float), np.asarray(duration, float))
    redundant = surface.energy(direction, level, end, switching=False)
    # At most all of it: a terminated pulse never costs more than the complete one.
    power = np.minimum(_plateau_power(surface, direction, level, end), redundant / end)
    edges = np.maximum(redundant - power * end, 0.0)  # 0 up to rounding
    before, extra = np.zeros_like(end), np.zeros_like(end)
    if switching:
        before = driven_time(surface, direction, level, end)
        # P0 is not negative.
        extra = np.maximum(surface.energy(direction, level, end) - redundant, -power * before)
    driven = np.minimum(before + detector.delay_s, end)
    return np.asarray(extra + edges + power * driven + detector.power_W * driven)


def write_energy(
    surface: SurfaceGrid,
    direction: Direction,
    amplitude: npt.ArrayLike,
    duration: npt.ArrayLike,
    detector: Detector | None,
    *,
    switching: bool = True,
) -> FloatArray:
    """Return the mean energy of a write, J: of the complete pulse, or with a detector up to the switching.

    Parameters and errors are those of `terminated_energy`.
    """
    if detector is None:
        return surface.energy(direction, amplitude, duration, switching=switching)
    return terminated_energy(surface, direction, amplitude, duration, detector, switching=switching)


def _plateau_power(
    surface: SurfaceGrid, direction: Direction, level: FloatArray, end: FloatArray
) -> FloatArray:
    """Power of a bit that has its new value, W: slope of the redundant energy over the duration."""
    shorter = np.maximum(0.8 * end, surface.durations[0])
    longer = np.minimum(1.25 * shorter, surface.durations[-1])
    low, high = (surface.energy(direction, level, at, switching=False) for at in (shorter, longer))
    return np.asarray((high - low) / (longer - shorter))
