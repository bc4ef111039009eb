"""Error rates of single devices of a sweep, at any pulse of the surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.cells import Direction
from mtjchar.errors import InputError
from mtjchar.statistics import weighted_mean
from mtjchar.surfaces.grid import SMALLEST_RATE
from mtjchar.surfaces.surface import WriteSurface
from mtjchar.sweep.store import RunDirectory

__all__ = ["DeviceRates"]


class DeviceRates:
    """Write error rate of each device of a run, interpolated between the pulses of the sweep.

    Parameters
    ----------
    surface : WriteSurface
        Surface of the run; its error rate is the weighted mean of the devices'.
    weight : ndarray, shape (devices,)
        Share of each device in the population, in any unit.
    rates : dict
        For each direction the devices' error rates on the grid, shape (devices, amplitudes, durations).
    rows : ndarray of int, shape (devices,), optional
        Rows of the devices in the run's table; default: all.
    """

    def __init__(
        self,
        surface: WriteSurface,
        weight: FloatArray,
        rates: dict[Direction, FloatArray],
        rows: IndexArray | None = None,
    ) -> None:
        self.surface, self.weight = surface, weight
        self.rows: IndexArray = np.arange(len(weight)) if rows is None else rows
        self._logs = {
            direction: np.log10(np.maximum(values, SMALLEST_RATE)) for direction, values in rates.items()
        }

    @classmethod
    def load(cls, run: str | Path, surface: WriteSurface) -> DeviceRates:
        """Read the samples of a run. Devices without a result at some pulse are left out.

        Raises
        ------
        InputError
            If the directory contains no samples of the surface's grid.
        """
        directory = RunDirectory.open(run)
        samples, weight = directory.samples(), directory.devices()["weight"].to_numpy()
        grid = len(surface.amplitudes), len(surface.durations)
        rates = {}
        for direction in surface.directions:
            values = samples.loc[samples["direction"] == direction, "write_error_rate"].to_numpy()
            if len(values) != len(weight) * grid[0] * grid[1]:
                raise InputError(
                    f"samples of {direction} in {directory.path}",
                    value=len(values),
                    allowed=f"{len(weight) * grid[0] * grid[1]}, {len(weight)} devices on the surface's grid",
                    remedy="Run `mtjchar sweep` and `mtjchar surface` with this directory again.",
                )
            rates[direction] = values.reshape(len(weight), *grid)
        whole = np.all([np.isfinite(values).all(axis=(1, 2)) for values in rates.values()], axis=0)
        of_whole = {name: values[whole] for name, values in rates.items()}
        return cls(surface, weight[whole], of_whole, np.flatnonzero(whole))

    def rates(self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike) -> FloatArray:
        """Write error rate of each device.

        Rates are interpolated in log10 by monotone cubics, then scaled so that the weighted mean is the
        surface's error rate; a rate is at most 1.

        Parameters
        ----------
        direction : str
            One of `surface.directions`.
        amplitude, duration : array_like
            V and s; they broadcast.

        Returns
        -------
        ndarray, shape (devices, ...)

        Raises
        ------
        OutsideGridError
            For a pulse outside the grid.
        """
        population = self.surface.ber(direction, amplitude, duration)
        level, time = np.broadcast_arrays(np.asarray(amplitude, float), np.asarray(duration, float))
        by_duration = PchipInterpolator(np.log(self.surface.durations), self._logs[direction], axis=2)
        logs_of_pulses = [
            PchipInterpolator(self.surface.amplitudes, by_duration(np.log(t)), axis=1)(v)
            for v, t in zip(level.ravel(), time.ravel(), strict=True)
        ]
        logs = np.reshape(logs_of_pulses, (*level.shape, len(self.weight)))
        rates = np.minimum(10.0 ** np.moveaxis(logs, -1, 0), 1.0)
        # If rates are cut at 1, the others compensate for it.
        for _ in range(20):
            rates = np.minimum(rates * population / weighted_mean(rates, self.weight), 1.0)
        return np.asarray(rates)
