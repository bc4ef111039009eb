"""The surface that answers: what error rate and energy a pulse has, and which pulse is cheapest."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.interpolate import PchipInterpolator, RegularGridInterpolator

from mtjchar.errors import InputError, OutsideGridError, UnreachableError
from mtjchar.study import Direction
from mtjchar.sweep.store import write_atomically

FloatArray = npt.NDArray[np.float64]
Vary = Literal["amplitude", "duration", "both"]

RELIABLE = 1e-9
"""Error rate of the pulse that others are compared with."""

_REFINEMENT = 8
_FLOOR = 1e-300  # log10 of an error rate that underflowed


class CheapestPulse(NamedTuple):
    """A pulse, and what it does."""

    amplitude_V: float
    duration_s: float
    ber: float
    energy_J: float


class WriteSurface:
    """Write error rate and write energy over amplitude and duration, for each direction.

    Between the grid points log10(BER) is interpolated by monotone cubics, along the duration and then
    along the amplitude, onto a grid eight times finer, made monotone there, and linearly in between: the
    error rate never rises with amplitude or duration. Energies likewise in log10, without the last step.

    Parameters
    ----------
    dataset : xarray.Dataset
        As ``surface.nc`` holds it: ``ber``, ``ber_lower``, ``ber_upper``, ``ber_quantile``, ``energy`` (J)
        and ``redundant_energy`` (J) over direction, amplitude (V) and duration (s).
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset

    @classmethod
    def load(cls, path: str | Path) -> WriteSurface:
        """Read a ``surface.nc``.

        Raises
        ------
        InputError
            If the file is missing or no surface.
        """
        try:
            with xr.open_dataset(path, engine="h5netcdf") as dataset:
                loaded = dataset.load()
            _ = loaded["ber"], loaded["energy"], loaded["redundant_energy"]
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                "surface file",
                value=str(path),
                allowed="a surface.nc",
                remedy="`mtjchar surface` makes it from the samples of a run directory.",
            ) from error
        return cls(loaded)

    def save(self, path: str | Path) -> None:
        """Write the surface as NetCDF-4, whole or not at all."""
        write_atomically(Path(path), lambda part: self.dataset.to_netcdf(part, engine="h5netcdf"))

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that were swept."""
        return tuple(self.dataset["direction"].to_numpy().tolist())

    @property
    def amplitudes(self) -> FloatArray:
        """Amplitudes of the grid, V."""
        return np.asarray(self.dataset["amplitude"].to_numpy(), dtype=np.float64)

    @property
    def durations(self) -> FloatArray:
        """Durations of the grid, s."""
        return np.asarray(self.dataset["duration"].to_numpy(), dtype=np.float64)

    @property
    def nominal_amplitude(self) -> float:
        """Amplitude that comparisons start from, V."""
        return float(self.dataset.attrs["nominal_amplitude_V"])

    def ber(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        extrapolate: bool = False,
    ) -> FloatArray:
        """Write error rate: mean over devices of the probability that a bit that has to switch has not.

        Parameters
        ----------
        direction : {"p_to_ap", "ap_to_p"}
        amplitude, duration : array_like
            V and s; they broadcast.
        extrapolate : bool, optional
            Go on beyond the grid, linearly in log10(BER), instead of refusing.

        Returns
        -------
        ndarray
            Error rate, at most 1.

        Raises
        ------
        OutsideGridError
            For a pulse outside the grid, unless extrapolation is asked for.
        InputError
            For a direction that was not swept.
        """
        return self._rate("ber", direction, amplitude, duration, extrapolate)

    def ber_interval(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds of the 95 % interval of `ber`; same parameters and errors."""
        ber = self.ber(direction, amplitude, duration)
        lower = self._rate("ber_lower", direction, amplitude, duration, False)
        upper = self._rate("ber_upper", direction, amplitude, duration, False)
        return np.minimum(lower, ber), np.maximum(upper, ber)

    def energy(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        switching: bool = True,
        extrapolate: bool = False,
    ) -> FloatArray:
        """Mean energy of one write, J.

        Parameters
        ----------
        direction : {"p_to_ap", "ap_to_p"}
        amplitude, duration : array_like
            V and s; they broadcast.
        switching : bool, optional
            Whether the bit has to switch; otherwise the energy of a redundant write in that direction.
        extrapolate : bool, optional
            Go on beyond the grid instead of refusing.

        Raises
        ------
        OutsideGridError, InputError
            As for `ber`.
        """
        name = "energy" if switching else "redundant_energy"
        return 10.0 ** self._evaluate(name, direction, amplitude, duration, extrapolate)

    def cheapest_pulse(
        self,
        direction: Direction | Literal["both"],
        ber: float,
        *,
        vary: Vary = "both",
        amplitude: float | None = None,
        duration: float | None = None,
    ) -> CheapestPulse:
        """Find the pulse of least energy whose error rate is at most `ber`.

        Parameters
        ----------
        direction : {"p_to_ap", "ap_to_p", "both"}
            With ``both`` one pulse serves both directions: the worse error rate counts, and the energy is
            the mean of the switching and the redundant writes of both.
        ber : float
            Error rate, between 0 and 1.
        vary : {"amplitude", "duration", "both"}, optional
            What may be chosen.
        amplitude : float, optional
            V, kept where only the duration varies; the study's nominal amplitude if not given.
        duration : float, optional
            s, kept where only the amplitude varies; if not given the one that reaches 1e-9 at the nominal
            amplitude, in the same direction.

        Returns
        -------
        CheapestPulse

        Raises
        ------
        UnreachableError
            If no pulse of the grid reaches the rate, saying what the grid does reach.
        OutsideGridError, InputError
            For arguments out of range.
        """
        if not 0.0 < ber < 1.0:
            raise InputError("ber", value=ber, allowed="an error rate above 0 and below 1")
        directions = self.directions if direction == "both" else (direction,)
        if vary == "duration":
            level = self.nominal_amplitude if amplitude is None else amplitude
            candidates = [(level, self._shortest(directions, level, ber))]
        elif vary == "amplitude":
            if duration is None:
                duration = self.cheapest_pulse(direction, RELIABLE, vary="duration").duration_s
            candidates = [(self._lowest(directions, duration, ber), duration)]
        elif vary == "both":
            nodes = _refined(self.amplitudes)
            candidates = [(float(level), self._shortest(directions, float(level), ber)) for level in nodes]
        else:
            raise InputError("vary", value=vary, allowed="'amplitude', 'duration' or 'both'")
        reached = np.array([pair for pair in candidates if np.isfinite(pair).all()])
        if len(reached) == 0:
            raise UnreachableError(self._not_reached(directions, ber, vary, amplitude, duration))
        energy = self._mean_energy(directions, reached[:, 0], reached[:, 1], direction == "both")
        level, time = (float(value) for value in reached[np.argmin(energy)])
        worst = max(float(self.ber(one, level, time)) for one in directions)
        return CheapestPulse(level, time, worst, float(energy.min()))

    def to_frame(self) -> pd.DataFrame:
        """Return the grid as a table, one row a direction, amplitude and duration, units in the names."""
        data = self.dataset
        table = (
            data.drop_vars("ber_quantile").drop_dims("quantile", errors="ignore").to_dataframe().reset_index()
        )
        quantiles = (
            data["ber_quantile"].stack(row=("direction", "amplitude", "duration")).transpose("row", ...)
        )
        for k, quantile in enumerate(data["quantile"].to_numpy()):
            table[f"device_ber_q{100 * quantile:g}"] = quantiles.to_numpy()[:, k]
        return table.rename(
            columns={
                "amplitude": "amplitude_V",
                "duration": "duration_s",
                "energy": "energy_J",
                "redundant_energy": "redundant_energy_J",
            }
        )

    def _mean_energy(
        self, directions: Sequence[Direction], amplitude: FloatArray, duration: FloatArray, all_writes: bool
    ) -> FloatArray:
        kinds = (True, False) if all_writes else (True,)
        energies = [
            self.energy(direction, amplitude, duration, switching=kind)
            for direction in directions
            for kind in kinds
        ]
        return np.asarray(np.mean(energies, axis=0))

    def _shortest(self, directions: Sequence[Direction], amplitude: float, ber: float) -> float:
        """Shortest duration that reaches `ber` at an amplitude; infinite where none of the grid does."""
        nodes = _refined(self.durations)
        rates = [np.log10(self.ber(direction, amplitude, nodes)) for direction in directions]
        return _first_at_or_below(nodes, np.max(rates, axis=0), np.log10(ber))

    def _lowest(self, directions: Sequence[Direction], duration: float, ber: float) -> float:
        """Lowest amplitude that reaches `ber` at a duration; infinite where none of the grid does."""
        nodes = _refined(self.amplitudes)
        rates = [np.log10(self.ber(direction, nodes, duration)) for direction in directions]
        return _first_at_or_below(nodes, np.max(rates, axis=0), np.log10(ber))

    def _not_reached(
        self,
        directions: Sequence[Direction],
        ber: float,
        vary: Vary,
        amplitude: float | None,
        duration: float | None,
    ) -> str:
        best_amplitude = self.amplitudes[-1]
        if vary == "duration":
            best_amplitude = self.nominal_amplitude if amplitude is None else amplitude
        best_duration = self.durations[-1] if vary != "amplitude" or duration is None else duration
        best = max(float(self.ber(one, best_amplitude, best_duration)) for one in directions)
        return (
            f"No pulse of the surface has an error rate of {ber:g} when {vary} may be chosen: the longest "
            f"and highest, {best_amplitude:g} V for {best_duration:g} s, has {best:.3g}. Sweep longer or "
            "higher pulses."
        )

    def _rate(
        self,
        name: str,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        extrapolate: bool,
    ) -> FloatArray:
        log_rate = self._evaluate(name, direction, amplitude, duration, extrapolate)
        return np.minimum(10.0**log_rate, 1.0)

    def _evaluate(
        self,
        name: str,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        extrapolate: bool,
    ) -> FloatArray:
        if direction not in self.directions:
            raise InputError("direction", value=direction, allowed=" or ".join(map(repr, self.directions)))
        level, time = np.broadcast_arrays(
            np.asarray(amplitude, dtype=np.float64), np.asarray(duration, dtype=np.float64)
        )
        if not extrapolate:
            level = _inside("amplitude", level, self.amplitudes, "V")
            time = _inside("duration", time, self.durations, "s")
        points = np.stack([level, time], axis=-1)
        return np.asarray(self._interpolator(name, direction)(points)).reshape(level.shape)

    @functools.cache  # noqa: B019 (a surface holds a dozen small tables as long as it lives)
    def _interpolator(self, name: str, direction: Direction) -> RegularGridInterpolator:
        values = self.dataset[name].sel(direction=direction).to_numpy()
        log = np.log10(np.maximum(values, _FLOOR))
        amplitudes, durations = _refined(self.amplitudes), _refined(self.durations)
        fine = PchipInterpolator(np.log(self.durations), log, axis=1)(np.log(durations))
        fine = PchipInterpolator(self.amplitudes, fine, axis=0)(amplitudes)
        if name.startswith("ber"):
            for axis in (0, 1):
                fine = np.minimum.accumulate(fine, axis=axis)
        return RegularGridInterpolator((amplitudes, durations), fine, bounds_error=False, fill_value=None)


def _refined(grid: FloatArray) -> FloatArray:
    """Grid with seven points in each interval, keeping those there are exactly."""
    position = np.arange(len(grid), dtype=np.float64)
    fine = np.interp(np.linspace(0.0, len(grid) - 1.0, _REFINEMENT * (len(grid) - 1) + 1), position, grid)
    fine[::_REFINEMENT] = grid
    return fine


def _first_at_or_below(nodes: FloatArray, values: FloatArray, level: float) -> float:
    """Where a falling, piecewise linear function first reaches a level; infinite where it does not."""
    below = np.flatnonzero(values <= level)
    if len(below) == 0:
        return float("inf")
    k = int(below[0])
    if k == 0:
        return float(nodes[0])
    share = (values[k - 1] - level) / (values[k - 1] - values[k])
    return float(nodes[k - 1] + share * (nodes[k] - nodes[k - 1]))


def _inside(thing: str, values: FloatArray, grid: FloatArray, unit: str) -> FloatArray:
    # Unit conversions round: what is outside by a rounding error is on the edge.
    slack = 1e-9 * grid[-1]
    outside = ~((values >= grid[0] - slack) & (values <= grid[-1] + slack))
    if outside.any():
        raise OutsideGridError(
            thing,
            value=float(values[outside].flat[0]),
            allowed=f"{grid[0]:g} to {grid[-1]:g} {unit}, the grid of the surface",
            remedy="Sweep a larger grid, or ask for extrapolation in Python.",
        )
    return np.clip(values, grid[0], grid[-1])
