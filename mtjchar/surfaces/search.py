"""The search for the cheapest pulse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.errors import InputError, OutsideGridError, UnreachableError
from mtjchar.surfaces.grid import RELIABLE, CheapestPulse, SurfaceGrid, Target, Vary, directions_of, refined
from mtjchar.units import compact

if TYPE_CHECKING:
    from mtjchar.cells.base import Direction

__all__ = [
    "Search",
    "cheapest_pulse",
    "cheapest_pulse_of_all",
    "pulse_at",
    "shortest_durations",
    "strongest_pulse",
]

_ROUNDS = 3  # of the search for the best amplitude, each in a sixteenth of the previous range
_ROUND_POINTS = 33


def cheapest_pulse(
    surface: SurfaceGrid,
    direction: Target,
    ber: float,
    *,
    vary: Vary = "both",
    amplitude: float | None = None,
    duration: float | None = None,
    max_amplitude: float | None = None,
    max_duration: float | None = None,
) -> CheapestPulse:
    """Find the pulse of least energy whose error rate is at most `ber`.

    Parameters, result and errors are those of `mtjchar.surfaces.WriteSurface.cheapest_pulse`, after the
    surface.
    """
    if not 0.0 < ber < 1.0:
        raise InputError("ber", value=ber, allowed="an error rate above 0 and below 1")
    if vary == "amplitude" and duration is None:
        duration = cheapest_pulse(surface, direction, RELIABLE, vary="duration").duration_s
    search = Search.within([surface], direction, ber, max_amplitude, max_duration)
    if vary == "duration":
        return search.by_duration(surface.nominal_amplitude if amplitude is None else amplitude)
    if vary == "amplitude" and duration is not None:
        return search.by_amplitude(duration)
    if vary == "both":
        return search.by_both()
    raise InputError("vary", value=vary, allowed="'amplitude', 'duration' or 'both'")


def cheapest_pulse_of_all(surfaces: Sequence[SurfaceGrid], direction: Target, ber: float) -> CheapestPulse:
    """Find the pulse of least energy whose error rate is at most `ber` on each of several surfaces.

    Parameters
    ----------
    surfaces : sequence of SurfaceGrid
        Of the same directions. The pulse is within the grids of all.
    direction : str
        One of their directions, or ``both``.
    ber : float
        Error rate to reach, above 0 and below 1.

    Returns
    -------
    CheapestPulse
        The minimized energy is the largest of those on the surfaces; all other values are those of the
        surface with the highest error rate.

    Raises
    ------
    UnreachableError
        If no pulse reaches the rate on all.
    OutsideGridError
        If the grids have no range of amplitudes and durations in common.
    """
    return Search.within(surfaces, direction, ber).by_both()


def strongest_pulse(surfaces: Sequence[SurfaceGrid], direction: Target) -> tuple[float, float]:
    """Return amplitude (V) and duration (s) of the pulse with the lowest error rate on several surfaces.

    It is the highest and longest one, unless error rates rise again. The highest rate on the surfaces counts.

    Parameters
    ----------
    surfaces : sequence of SurfaceGrid
        Of the same directions.
    direction : str
        One of their directions, or ``both``.

    Raises
    ------
    OutsideGridError
        If the grids have no range of amplitudes and durations in common.
    """
    search = Search.within(surfaces, direction, RELIABLE)
    return search.lowest(search.amplitudes, search.durations)


@dataclass(frozen=True)
class Search:
    """Search for the pulse of least energy, for one error rate and one set of limits.

    Where error rates rise again with amplitude or duration, it takes the first pulse that reaches the rate.

    Parameters
    ----------
    surfaces : tuple of SurfaceGrid
        One, or several; the pulse has to reach the rate on each of them. The largest energy counts.
    direction : str
        One of their directions, or ``both``: one pulse for all of them.
    ber : float
        Error rate to reach.
    highest, longest : float
        V and s: limits of the pulse, at most the end of the grid.
    amplitudes, durations : ndarray
        V and s, ascending: points at which the error rates of any surface may bend, within the grids of all.
    """

    surfaces: tuple[SurfaceGrid, ...]
    direction: Target
    ber: float
    highest: float
    longest: float
    amplitudes: FloatArray
    durations: FloatArray

    @classmethod
    def within(
        cls,
        surfaces: Sequence[SurfaceGrid],
        direction: Target,
        ber: float,
        max_amplitude: float | None = None,
        max_duration: float | None = None,
    ) -> Search:
        """Search within the grid and the limits, V and s.

        Raises
        ------
        OutsideGridError
            If no point of the grid is within a limit.
        """
        amplitudes = _common("amplitude", [surface.amplitudes for surface in surfaces])
        durations = _common("duration", [surface.durations for surface in surfaces])
        highest = _limit("max_amplitude", max_amplitude, amplitudes, "V")
        longest = _limit("max_duration", max_duration, durations, "s")
        return cls(tuple(surfaces), direction, ber, highest, longest, amplitudes, durations)

    @property
    def rises(self) -> bool:
        """Whether an error rate may rise with amplitude or duration."""
        return any(
            each in surface.rising
            for surface in self.surfaces
            for each in directions_of(surface, self.direction)
        )

    def by_duration(self, amplitude: float) -> CheapestPulse:
        """Shortest pulse of an amplitude, V; errors as `cheapest_pulse`."""
        _check_kept("amplitude", amplitude, self.highest, self.amplitudes, "V")
        duration = float(self._shortest(amplitude))
        if duration > self.longest:
            raise self._unreachable("duration", amplitude, self.longest)
        return self._pulse(amplitude, duration)

    def by_amplitude(self, duration: float) -> CheapestPulse:
        """Lowest pulse of a duration, s; errors as `cheapest_pulse`."""
        _check_kept("duration", duration, self.longest, self.durations, "s")
        amplitude = float(self._lowest(duration))
        if amplitude > self.highest:
            raise self._unreachable("amplitude", self.highest, duration)
        return self._pulse(amplitude, duration)

    def by_both(self) -> CheapestPulse:
        """Cheapest pulse of all; errors as `cheapest_pulse`."""
        levels = self._levels()
        if np.isnan(self._energy(levels)).any():
            raise InputError(
                "energy of the surface",
                value="not known",
                allowed="an energy at every pulse, to find the cheapest one",
                remedy="Choose the amplitude or the duration, or count the writes with their energies.",
            )
        for _ in range(_ROUNDS):
            best = int(np.argmin(self._energy(levels)))
            ends = levels[max(best - 1, 0)], levels[min(best + 1, len(levels) - 1)]
            levels = np.union1d(np.linspace(*ends, _ROUND_POINTS), levels[best])
        level = float(levels[np.argmin(self._energy(levels))])
        duration = float(self._shortest_allowed(level))
        if duration > self.longest:  # by rounding, at the bottom of a valley
            raise self._unreachable("both", self.highest, self.longest)
        return self._pulse(level, duration)

    def highest_amplitude(self, duration: float) -> float:
        """Highest amplitude, V, that reaches the rate with a duration (s); minus infinity if none does."""
        logs = self._logs(self.amplitudes, np.asarray(duration))
        return min(float(_reaching(self.amplitudes, logs, np.log10(self.ber))[1]), self.highest)

    def lowest(self, amplitudes: FloatArray, durations: FloatArray) -> tuple[float, float]:
        """Amplitude (V) and duration (s), of those given, with the lowest error rate."""
        if not self.rises:
            return float(amplitudes[-1]), float(durations[-1])
        logs = np.max(self._logs(amplitudes[:, None], durations), axis=0)
        row, column = np.unravel_index(int(np.argmin(logs)), logs.shape)
        return float(amplitudes[row]), float(durations[column])

    def _levels(self) -> FloatArray:
        """Amplitudes to start from, V: points of the grid, and those where pulses begin to reach the rate."""
        # Where the grid's shortest pulse begins to reach it, the energy has a kink, and usually its minimum.
        # If no rate rises, every amplitude reaches it from that of the longest pulse on.
        times = self.durations[self.durations < self.longest] if self.rises else self.durations[:1]
        first = self._lowest(np.append(times, self.longest))
        if first.min() > self.highest:
            raise self._unreachable("both", self.highest, self.longest)
        levels = np.append(self.amplitudes, first)
        return np.unique(np.clip(levels, first.min(), self.highest))

    def _pulse(self, amplitude: float, duration: float) -> CheapestPulse:
        """Describe a pulse on the surface with the highest error rate, with the largest energy of all."""
        pulses = [pulse_at(surface, self.direction, amplitude, duration) for surface in self.surfaces]
        worst = max(pulses, key=lambda pulse: pulse.ber)
        return worst._replace(energy_J=float(np.max([pulse.energy_J for pulse in pulses])))

    def _energy(self, amplitude: FloatArray) -> FloatArray:
        """Energy of the shortest pulses, J; infinite if none of an amplitude reaches the rate."""
        shortest = self._shortest_allowed(amplitude)
        reached = shortest <= self.longest
        pulses = amplitude, np.where(reached, shortest, self.longest)
        energies = [_mean_energy(surface, self.direction, *pulses) for surface in self.surfaces]
        return np.where(reached, np.max(energies, axis=0), np.inf)

    def _shortest_allowed(self, amplitude: npt.ArrayLike) -> FloatArray:
        """Shortest durations that reach the rate, s; above the limit if none within it does."""
        shortest = self._shortest(amplitude)
        # At the lowest amplitude rounding may put the rate just out of reach.
        return shortest if self.rises else np.minimum(shortest, self.longest)

    def _shortest(self, amplitude: npt.ArrayLike) -> FloatArray:
        """Shortest durations that reach the rate, s; infinite if none of the grid does."""
        logs = self._logs(np.asarray(amplitude)[..., None], self.durations)
        return _reaching(self.durations, logs, np.log10(self.ber))[0]

    def _lowest(self, duration: npt.ArrayLike) -> FloatArray:
        """Lowest amplitudes that reach the rate, V; infinite if none of the grid does."""
        logs = self._logs(self.amplitudes, np.asarray(duration)[..., None])
        return _reaching(self.amplitudes, logs, np.log10(self.ber))[0]

    def _logs(self, amplitude: FloatArray, duration: FloatArray) -> list[FloatArray]:
        """Decimal logarithms of all error rates that count."""
        return [
            np.log10(surface.ber(each, amplitude, duration))
            for surface in self.surfaces
            for each in directions_of(surface, self.direction)
        ]

    def _unreachable(self, vary: Vary, amplitude: float, duration: float) -> UnreachableError:
        if self.rises:
            return self._above_the_floor(vary, amplitude, duration)
        rate = _rate_in_words(self._pulse(amplitude, duration))
        volts, seconds = compact(amplitude, "V"), compact(duration, "s")
        varied, strongest = {
            "both": ("pulse on the grid", f"The strongest allowed, {volts} for {seconds},"),
            "duration": (f"duration at {volts}", f"The longest allowed, {seconds},"),
            "amplitude": (f"amplitude for {seconds}", f"The highest allowed, {volts},"),
        }[vary]
        return UnreachableError(
            f"No {varied} reaches {self.ber:g}. {strongest} has {rate}. Allow stronger pulses or sweep a "
            "larger grid."
        )

    def _above_the_floor(self, vary: Vary, amplitude: float, duration: float) -> UnreachableError:
        """Report the lowest error rate, its pulse, and why stronger ones are no remedy."""
        levels, times = self.amplitudes, self.durations
        levels = np.array([amplitude]) if vary == "duration" else levels[levels <= self.highest]
        times = np.array([duration]) if vary == "amplitude" else times[times <= self.longest]
        at = self.lowest(levels, times)
        floor = _rate_in_words(self._pulse(*at))
        volts, seconds = compact(at[0], "V", 4), compact(at[1], "s", 4)
        varied = {
            "both": "pulse on the grid",
            "duration": f"duration at {volts}",
            "amplitude": f"amplitude for {seconds}",
        }[vary]
        why = "Allow stronger pulses or sweep a larger grid."
        if at[0] < levels[-1] or at[1] < times[-1]:
            reasons = ", ".join(
                dict.fromkeys(one.rising_reason for one in self.surfaces if one.rising_reason)
            )
            why = f"Stronger pulses have higher rates again: {reasons}. Ask for a rate above that floor"
            lowest = vary != "duration" and at[0] == self.amplitudes[0]
            why += ", or sweep lower amplitudes." if lowest else "."
        return UnreachableError(
            f"No {varied} reaches {self.ber:g}. The lowest error rate, {floor}, is that of {volts} for "
            f"{seconds}. {why}"
        )


def _rate_in_words(pulse: CheapestPulse) -> str:
    if pulse.extrapolated:
        return pulse.rate.in_words()
    if pulse.bound:
        return f"a rate below {pulse.ber_upper:.3g} (95 %), since no error was counted"
    return f"{pulse.ber:.3g}"


def shortest_durations(
    surface: SurfaceGrid, direction: Direction, amplitude: FloatArray, ber: FloatArray
) -> FloatArray:
    """Return the shortest pulses of each amplitude that reach each error rate.

    Parameters
    ----------
    surface : SurfaceGrid
    direction : str
        One of `surface.directions`.
    amplitude : ndarray, shape (amplitudes,)
        V, within the grid.
    ber : ndarray, shape (rates,)
        Error rates above 0.

    Returns
    -------
    ndarray, shape (rates, amplitudes)
        s; infinite if no duration of the grid reaches the rate.
    """
    nodes = refined(surface.durations)
    rates = np.log10(surface.ber(direction, amplitude[:, None], nodes))
    return np.stack([_reaching(nodes, [rates], level)[0] for level in np.log10(ber)])


def pulse_at(surface: SurfaceGrid, direction: Target, amplitude: float, duration: float) -> CheapestPulse:
    """Return error rate with interval and slopes, and energy, of a pulse.

    A rate below 1e-18 is given as that bound, see `SurfaceGrid.stated_rate`.

    Parameters
    ----------
    surface : SurfaceGrid
    direction : str
        One of `surface.directions`, or ``both``: the higher error rate, and the mean energy of all writes.
    amplitude, duration : float
        V and s.

    Raises
    ------
    OutsideGridError, InputError
        As `SurfaceGrid.ber`.
    """
    rates = {
        each: float(surface.ber(each, amplitude, duration)) for each in directions_of(surface, direction)
    }
    worst = max(rates, key=rates.__getitem__)
    stated = surface.stated_rate(worst, amplitude, duration)
    below, above = _around(amplitude, surface.amplitudes)
    shorter, longer = _around(duration, surface.durations)
    return CheapestPulse(
        amplitude,
        duration,
        stated.ber,
        float(_mean_energy(surface, direction, amplitude, duration)),
        stated.lower,
        stated.upper,
        _decades(surface, direction, (below, duration), (above, duration)) / (above - below),
        _decades(surface, direction, (amplitude, shorter), (amplitude, longer)) / (longer - shorter),
        stated.bound,
        stated.effective_devices,
        stated.extrapolated,
    )


def _mean_energy(
    surface: SurfaceGrid,
    direction: Target,
    amplitude: npt.ArrayLike,
    duration: npt.ArrayLike,
) -> FloatArray:
    """Energy of a switching write, or with both directions the mean of all kinds of writes, J."""
    kinds = (True, False) if direction == "both" else (True,)
    energies = [
        surface.energy(each, amplitude, duration, switching=switching)
        for each in directions_of(surface, direction)
        for switching in kinds
    ]
    return np.asarray(np.mean(energies, axis=0))


def _decades(
    surface: SurfaceGrid,
    direction: Target,
    weak: tuple[float, float],
    strong: tuple[float, float],
) -> float:
    """Fall of log10 of the error rate from one pulse to another; negative if it falls."""
    rates = [
        [np.log10(surface.ber(each, *pulse)) for pulse in (weak, strong)]
        for each in directions_of(surface, direction)
    ]
    first, last = np.max(rates, axis=0)
    return float(last - first)


def _around(value: float, grid: FloatArray) -> tuple[float, float]:
    """Range of a slope: one step of the refined grid to either side, within the grid."""
    nodes = refined(grid)
    k = int(np.clip(np.searchsorted(nodes, value), 1, len(nodes) - 1))
    width = float(nodes[k] - nodes[k - 1])
    return max(value - width, float(grid[0])), min(value + width, float(grid[-1]))


def _common(name: str, grids: Sequence[FloatArray]) -> FloatArray:
    """Return the points of all refined grids that lie within each of the grids."""
    first, last = max(grid[0] for grid in grids), min(grid[-1] for grid in grids)
    if not first < last:
        raise OutsideGridError(
            f"{name} of the surfaces",
            value="grids that have none in common",
            allowed="grids with a common range",
            remedy="Sweep the same grid.",
        )
    nodes = np.unique(np.concatenate([[first, last], *(refined(grid) for grid in grids)]))
    return np.asarray(nodes[(nodes >= first) & (nodes <= last)])


def _limit(name: str, value: float | None, grid: FloatArray, unit: str) -> float:
    if value is None:
        return float(grid[-1])
    if not value >= grid[0]:
        raise OutsideGridError(
            name,
            value=compact(value, unit),
            allowed=f"at least {compact(grid[0], unit)}, where the grid of the surface begins",
            remedy="Allow more, or sweep a larger grid.",
        )
    return min(value, float(grid[-1]))


def _check_kept(name: str, value: float, limit: float, grid: FloatArray, unit: str) -> None:
    # A limit at the grid's end is no limit; pulses beyond the grid are refused by the surface.
    if limit < grid[-1] and value > limit * (1.0 + 1e-9):
        raise InputError(
            f"{name} that is kept",
            value=compact(value, unit),
            allowed=f"at most {compact(limit, unit)}, the limit",
            remedy=f"Give another {name}, or let it vary too.",
        )


def _reaching(nodes: FloatArray, values: Sequence[FloatArray], level: float) -> tuple[FloatArray, FloatArray]:
    """First and last position at which all of several piecewise linear functions are at or below a level.

    The functions have their values at the nodes on the last axis. Without such a position the results are
    plus and minus infinity.
    """
    # The highest of several functions bends between the nodes, each of them does not: in an interval, each is
    # at or below the level from one share of it to another.
    start, end = np.zeros(1), np.ones(1)
    for value in values:
        left, right = value[..., :-1], value[..., 1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = (left - level) / (left - right)
        start = np.maximum(start, np.where(left <= level, 0.0, np.where(right <= level, crossing, np.inf)))
        end = np.minimum(end, np.where(right <= level, 1.0, np.where(left <= level, crossing, -np.inf)))
    there = start <= end
    first = np.argmax(there, axis=-1)
    last = there.shape[-1] - 1 - np.argmax(there[..., ::-1], axis=-1)
    width = np.diff(nodes)

    def place(share: FloatArray, at: IndexArray) -> FloatArray:
        part = np.take_along_axis(share, at[..., None], axis=-1)[..., 0]
        return np.asarray(nodes[at] + part * width[at])

    found = there.any(axis=-1)
    start, end = (np.where(there, share, 0.0) for share in (start, end))
    return np.where(found, place(start, first), np.inf), np.where(found, place(end, last), -np.inf)
