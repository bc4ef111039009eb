"""The search for the operating point of reads."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError, NoMarginError, UnreachableError
from mtjchar.surfaces.grid import refined
from mtjchar.surfaces.read_grid import ReadGrid, ReadPoint
from mtjchar.units import compact

__all__ = [
    "USUAL_DISTURB",
    "USUAL_ERROR",
    "check_margin",
    "operating_point",
    "read_of_all",
    "usual_point",
]

USUAL_ERROR, USUAL_DISTURB = 1e-9, 1e-12
"""Rates of the operating point where none are asked for: those of figures and comparisons."""

Minimize = Literal["time", "energy"]
"""What an operating point has the least of."""

MINIMIZE: tuple[Minimize, Minimize] = ("time", "energy")

_ROUNDS = 3  # of the search for the best voltage, each in a sixteenth of the previous range
_ROUND_POINTS = 33
_TIE = 1e-9  # relative
_ROUNDING = 1e-12  # of a decade


NO_POINT = ReadPoint(*(6 * (math.nan,)))
"""Point of a surface that has none."""


def operating_point(
    surface: ReadGrid, error: float, disturb: float, minimize: Minimize = "time"
) -> ReadPoint:
    """Find the fastest or the cheapest read that is right and does not disturb.

    Parameters, result and errors are those of `mtjchar.surfaces.ReadSurface.operating_point`.

    Notes
    -----
    At a voltage, the logarithms of rates are linear between the nodes of the interpolation, and so are the
    energies: the times that meet both limits, and the cheapest of them, follow exactly. The best voltage is
    searched from the nodes, and from the voltages at which the limits are met at a node in time, by repeated
    refinement around the best one.
    """
    for name, rate in (("error", error), ("disturb", disturb)):
        if not 0.0 < rate < 1.0:
            raise InputError(name, value=rate, allowed="a rate above 0 and below 1")
    if minimize not in MINIMIZE:
        raise InputError("minimize", value=minimize, allowed="'time' or 'energy'")
    check_margin(surface)
    found = _best_read([surface], error, disturb, minimize)
    if found is None:
        raise _unreachable(surface, error, disturb)
    return surface.point_at(*found)


def read_of_all(
    surfaces: Sequence[ReadGrid],
    minimize: Minimize = "time",
    error: float = USUAL_ERROR,
    disturb: float = USUAL_DISTURB,
) -> tuple[float, float] | None:
    """Find the fastest or the cheapest read that is right and does not disturb on any of several surfaces.

    Parameters
    ----------
    surfaces : sequence of ReadGrid
    minimize : {"time", "energy"}
        Of the energies at a read, the largest one counts.
    error, disturb : float

    Returns
    -------
    tuple of float or None
        Read voltage (V) and sensing time (s); None if there is none on the part that all grids have.
    """
    grids = [(surface.voltages, surface.times) for surface in surfaces]
    for axes in zip(*grids, strict=True):
        if max(axis[0] for axis in axes) >= min(axis[-1] for axis in axes):
            return None
    return _best_read(surfaces, error, disturb, minimize)


def _best_read(
    surfaces: Sequence[ReadGrid], error: float, disturb: float, minimize: Minimize
) -> tuple[float, float] | None:
    # Below the limits by a rounding error, so that they hold; above them where nothing else is left, so that
    # the rates of a read that is the only one can be asked for.
    for rounding in (-_ROUNDING, _ROUNDING):
        limits = np.log10(error) + rounding, np.log10(disturb) + rounding
        search = _Search(surfaces, limits, minimize == "energy")
        levels = search.levels()
        best, time = search.best(levels)
        if np.isfinite(time):
            break
    else:
        return None
    for _ in range(_ROUNDS):
        here = int(np.argmin(np.abs(levels - best)))
        ends = levels[max(here - 1, 0)], levels[min(here + 1, len(levels) - 1)]
        levels = np.union1d(np.linspace(*ends, _ROUND_POINTS), [best])
        best, time = search.best(levels)
    return best, time


def usual_point(surface: ReadGrid, minimize: Minimize = "time") -> ReadPoint | None:
    """Return the operating point for `USUAL_ERROR` and `USUAL_DISTURB`; None if there is none."""
    try:
        return operating_point(surface, USUAL_ERROR, USUAL_DISTURB, minimize)
    except (NoMarginError, UnreachableError):
        return None


def check_margin(surface: ReadGrid) -> None:
    """Refuse a surface without a read that tells the states apart.

    Raises
    ------
    NoMarginError
        If the smaller mean margin of both states is nowhere positive.
    """
    margin = surface.dataset["margin"].to_numpy().min(axis=0)
    if margin.max() > 0.0:
        return
    volts, time = np.unravel_index(int(np.argmax(margin)), margin.shape)
    at = f"{compact(surface.voltages[volts], 'V')} and {compact(surface.times[time], 's')}"
    raise NoMarginError(
        "sense margin", value=surface.margin_in_words(float(margin.max())),
        allowed="a margin above 0 in both states, at some read voltage and sensing time",
        problem=f"The cell cannot be sensed: the largest mean margin of the worse state, at {at}, is "
        f"{surface.margin_in_words(float(margin.max()))}.",
        remedy="Choose another reference, a larger TMR, or other voltages and times in [read].",
    )  # fmt: skip


class _Search:
    """Search at limits that are decimal logarithms of rates, where the grids of all surfaces are."""

    def __init__(self, surfaces: Sequence[ReadGrid], limits: tuple[float, float], cheapest: bool) -> None:
        self._surfaces, self._limits = surfaces, limits
        self._cheapest = cheapest
        self._voltages = _shared_nodes([surface.voltages for surface in surfaces])
        self._times = _shared_nodes([surface.times for surface in surfaces])

    def levels(self) -> FloatArray:
        """Voltages to start from, V: nodes, and where a limit is met at a node in time."""
        nodes = self._voltages
        start, end = _met(self._excess(nodes[:, None], self._times), axis=0)
        width = np.diff(nodes)[:, None]
        ends = [(nodes[:-1, None] + share * width)[np.isfinite(share)] for share in (start, end)]
        return np.unique(np.concatenate([nodes, *ends]))

    def best(self, levels: FloatArray) -> tuple[float, float]:
        """Best voltage (V) and time (s); the time is infinite where no voltage meets the limits."""
        start, end = _met(self._excess(levels[:, None], self._times), axis=1)
        width = np.diff(self._times)
        times = np.stack([self._times[:-1] + share * width for share in (start, end)])
        times = np.minimum(times, self._times[-1])
        met = np.isfinite(times)
        inside = np.where(met, times, self._times[0])
        energies = [surface.energy(levels[:, None], inside) for surface in self._surfaces]
        energy = np.where(met, np.max(energies, axis=0), np.inf)
        times = np.where(met, times, np.inf)
        first, second = (energy, times) if self._cheapest else (times, energy)
        if not met.any():
            return float(levels[0]), np.inf
        tied = first <= first.min() * (1.0 + _TIE)
        place = np.unravel_index(int(np.argmin(np.where(tied, second, np.inf))), times.shape)
        return float(levels[place[1]]), float(times[place])

    def _excess(self, voltage: FloatArray, time: FloatArray) -> FloatArray:
        """Decades by which rates exceed their limits, shape (4 for each surface, voltages, times)."""
        rates = [
            (rate(voltage, time, state), limit)
            for surface in self._surfaces
            for rate, limit in zip((surface.read_error_rate, surface.disturb_rate), self._limits, strict=True)
            for state in (0, 1)
        ]
        return np.stack([np.log10(rate) - limit for rate, limit in rates])


def _shared_nodes(axes: Sequence[FloatArray]) -> FloatArray:
    """Nodes of the interpolation on all axes, inside of each."""
    nodes = functools.reduce(np.union1d, map(refined, axes))
    start, end = max(axis[0] for axis in axes), min(axis[-1] for axis in axes)
    return np.asarray(nodes[(nodes >= start) & (nodes <= end)])


def _met(excess: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """Return the part of each interval between nodes in which all limits are met.

    Parameters
    ----------
    excess : ndarray, shape (limits, voltages, times)
        At the nodes; linear in between.
    axis : int
        Of the intervals: 0 the voltages, 1 the times.

    Returns
    -------
    start, end : ndarray
        Share of the interval at which the part begins and ends; NaN if there is none.
    """
    low, high = (excess[:, :-1], excess[:, 1:]) if axis == 0 else (excess[..., :-1], excess[..., 1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = low / (low - high)
    start = np.where(low <= 0.0, 0.0, np.where(high <= 0.0, crossing, np.nan)).max(axis=0)
    end = np.where(high <= 0.0, 1.0, np.where(low <= 0.0, crossing, np.nan)).min(axis=0)
    there = start <= end  # False for NaN
    return np.where(there, start, np.nan), np.where(there, end, np.nan)


def _unreachable(surface: ReadGrid, error: float, disturb: float) -> UnreachableError:
    """Say what the best possible reads are."""
    voltages, times = refined(surface.voltages), refined(surface.times)
    wrong = surface.read_error_rate(voltages[:, None], times)
    flipped = surface.disturb_rate(voltages[:, None], times)
    asked = f"No read on the grid has a read error rate of {error:g} and a disturb rate of {disturb:g}."
    parts = []
    for name, rate, other, limit, limited in (
        ("read error rate", wrong, flipped, disturb, "disturb rate"),
        ("disturb rate", flipped, wrong, error, "read error rate"),
    ):
        allowed = other <= limit
        if not allowed.any():
            place = np.unravel_index(int(np.argmin(other)), other.shape)
            parts.append(f"The lowest {limited} is {other[place]:.3g}, at {_at(voltages, times, place)}.")
            continue
        place = np.unravel_index(int(np.argmin(np.where(allowed, rate, np.inf))), rate.shape)
        parts.append(
            f"The lowest {name} with a {limited} of {limit:g} is {rate[place]:.3g}, at "
            f"{_at(voltages, times, place)}."
        )
    return UnreachableError(
        f"{asked} {' '.join(parts)} Ask for higher rates, or read over a larger grid in [read]."
    )


def _at(voltages: FloatArray, times: FloatArray, place: tuple[np.intp, ...]) -> str:
    return f"{compact(voltages[place[0]], 'V', 4)} and {compact(times[place[1]], 's', 4)}"
