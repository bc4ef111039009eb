"""Read surface: read error rate, disturb rate, sense margin and energy of a read, and operating points."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.display import Figures, html_table
from mtjchar.errors import InputError, MtjcharError, OutsideGridError
from mtjchar.files import MOST_DATA, read_bytes, write_bytes
from mtjchar.surfaces import read_search, tails
from mtjchar.surfaces.grid import SMALLEST_RATE, refined
from mtjchar.surfaces.interpolation import GridInterpolator, cubic_beside_valleys, monotone_cubic
from mtjchar.surfaces.read_search import Minimize, ReadPoint
from mtjchar.units import compact

if TYPE_CHECKING:  # not needed to query numbers, and slow to load
    import pandas as pd
    import xarray as xr

__all__ = ["STATES", "ReadSurface", "State"]

State = Literal[0, 1]
"""State of a bit."""

STATES: tuple[State, State] = (0, 1)

_AGAIN = "Run `mtjchar surface DIR` to make it from the reads in DIR."


class ReadSurface:
    """Read error rate, disturb rate, sense margin and energy over read voltage and sensing time, by state.

    Between the grid points, logarithms of rates are interpolated by monotone cubics, along the logarithm of
    the time and then along the voltage, onto a grid eight times finer; it is linear in between. Disturb rates
    never fall with time. Read error rates may have valleys over time and voltage: beside the lowest point
    they are not below the straight line. Margins and energies are interpolated in the same way, without
    logarithms.

    Parameters
    ----------
    dataset : xarray.Dataset
        With the variables of ``read.nc`` over state, voltage (V) and time (s).
    """

    plot = Figures("mtjchar.plotting.reading", "ReadPlots")
    """Figures of the surface: `mtjchar.plotting.reading.ReadPlots`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset

    def __repr__(self) -> str:
        spans = (
            f"{compact(grid[0], unit, 4)} to {compact(grid[-1], unit, 4)} ({len(grid)} values)"
            for grid, unit in ((self.voltages, "V"), (self.times, "s"))
        )
        return f"ReadSurface({', '.join(spans)}, {self.dataset.attrs.get('devices', '?')} devices)"

    def _repr_html_(self) -> str:
        rows: dict[str, object] = {"reads": repr(self)}
        for name, words in (("read_error_rate", "read error rate"), ("disturb_rate", "disturb rate")):
            values = self.dataset[name].max("state").to_numpy()
            rows[words] = f"{values.min():.2g} to {values.max():.2g}"
        rows["sense margin, at most"] = self.margin_in_words(float(self._of_both("margin").max()))
        for name in ("devices", "seed", "interval", "mtjchar_version"):
            if name in self.dataset.attrs:
                rows[name] = self.dataset.attrs[name]
        return html_table("ReadSurface", rows)

    @classmethod
    def of_run(cls, folder: str | Path) -> ReadSurface:
        """Read the read surface of a run directory.

        Raises
        ------
        InputError
            If there is no run or no read surface of it, or the surface is of another study than its samples.
        """
        from mtjchar.sweep.read_tasks import reads_of
        from mtjchar.sweep.store import RunDirectory

        directory, file = RunDirectory.open(folder), Path(folder) / "read.nc"
        if reads_of(directory.study) is None:
            raise InputError(
                "reads", value=None, allowed="a run of a study with a table [read]",
                problem=f"{folder} has no reads.", remedy="Its study has no table [read].",
            )  # fmt: skip
        surface = cls.load(file)
        directory.check_study_of(surface.dataset.attrs.get("study"), file)
        return surface

    @classmethod
    def load(cls, path: str | Path) -> ReadSurface:
        """Read a ``read.nc``.

        Raises
        ------
        InputError
            If the file is missing or is not a read surface; the message names the error.
        """
        import xarray as xr  # imported here: it takes half a second to load

        from mtjchar.surfaces.read_schema import check_reads

        allowed = "a read.nc"
        content = read_bytes(path, "read surface", allowed=allowed, remedy=_AGAIN, most=MOST_DATA)
        try:
            with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as dataset:
                check_reads(dataset, str(path), _AGAIN)
                return cls(dataset.load())
        except MtjcharError:
            raise
        except Exception as error:  # readers of damaged files raise many kinds of errors
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                "read surface", value=str(path), allowed=allowed, remedy=f"{first}. {_AGAIN}"
            ) from error

    def save(self, path: str | Path) -> None:
        """Write the surface as NetCDF-4, completely or not at all.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        write_bytes(path, self.to_netcdf())

    def to_netcdf(self) -> bytes:
        """Return the content of a NetCDF-4 file."""
        # In memory: HDF5 ends the interpreter if the disk is full.
        return bytes(self.dataset.to_netcdf(engine="h5netcdf"))

    @functools.cached_property
    def voltages(self) -> FloatArray:
        """Read voltages of the grid, V."""
        return self.dataset["voltage"].to_numpy().astype(np.float64)

    @functools.cached_property
    def times(self) -> FloatArray:
        """Sensing times of the grid, s."""
        return self.dataset["time"].to_numpy().astype(np.float64)

    @property
    def margin_unit(self) -> str:
        """Unit of the sense margin, V or A."""
        return str(self.dataset.attrs["margin_unit"])

    def read_error_rate(
        self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None
    ) -> FloatArray:
        """Probability that a read gives the other bit, mean over devices, offset, noise and reference.

        Parameters
        ----------
        voltage, time : array_like
            V and s; they broadcast.
        state : {0, 1}, optional
            State that is read; by default the higher rate of both states counts.

        Raises
        ------
        OutsideGridError
            For a read outside the grid.
        """
        return self._rate("read_error_rate", voltage, time, state)

    def disturb_rate(
        self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None
    ) -> FloatArray:
        """Probability that a read flips the state, mean over devices; as `read_error_rate`."""
        return self._rate("disturb_rate", voltage, time, state)

    def interval(
        self,
        rate: Literal["read_error_rate", "disturb_rate"],
        voltage: npt.ArrayLike,
        time: npt.ArrayLike,
        state: State | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds of the 95 % interval of a rate; as `read_error_rate`.

        Where the rate is extrapolated (`is_extrapolated`) they have no guaranteed coverage.
        """
        middle = self._rate(rate, voltage, time, state)
        lower, upper = (self._rate(f"{rate}_{end}", voltage, time, state) for end in ("lower", "upper"))
        return np.minimum(lower, middle), np.maximum(upper, middle)

    def is_extrapolated(
        self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None
    ) -> BoolArray:
        """Whether too few devices carry the read error rate, or it is below 1e-18; as `read_error_rate`."""
        rate = self.read_error_rate(voltage, time, state)
        enough = self._known(self._evaluate("effective_devices", voltage, time, state, np.fmin))
        return tails.is_extrapolated(rate, enough, self._enough)

    def is_disturb_extrapolated(
        self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None
    ) -> BoolArray:
        """Whether too few devices carry the disturb rate; as `read_error_rate`."""
        enough = self._known(self._evaluate("disturb_effective_devices", voltage, time, state, np.fmin))
        return np.asarray(enough < self._enough)

    def margin(self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None) -> FloatArray:
        """Mean sense margin in `margin_unit`; without a state the smaller one; as `read_error_rate`."""
        return self._evaluate("margin", voltage, time, state, np.minimum)

    def margin_deviations(
        self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None
    ) -> FloatArray:
        """Mean sense margin over the standard deviation of devices, offset, noise and reference together."""
        return self._evaluate("margin_deviations", voltage, time, state, np.minimum)

    def energy(self, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None = None) -> FloatArray:
        """Mean energy of a read, J; without a state the mean of both; as `read_error_rate`."""
        return self._evaluate("energy", voltage, time, state, lambda zero, one: 0.5 * (zero + one))

    def operating_point(self, error: float, disturb: float, minimize: Minimize = "time") -> ReadPoint:
        """Find the fastest or the cheapest read that is right and does not disturb.

        Parameters
        ----------
        error, disturb : float
            Largest read error rate and disturb rate, of the worse state; above 0 and below 1.
        minimize : {"time", "energy"}, optional

        Returns
        -------
        ReadPoint
            Continuous in voltage and time.

        Raises
        ------
        NoMarginError
            If the mean margin is nowhere positive in both states: the cell cannot be sensed.
        UnreachableError
            If no read of the grid meets both; the message gives the best possible ones.
        InputError
            For rates that are not allowed.
        """
        return read_search.operating_point(self, error, disturb, minimize)

    def point_at(self, voltage: float, time: float) -> ReadPoint:
        """Return everything about one read; errors as for `read_error_rate`."""
        read = voltage, time
        return ReadPoint(
            float(voltage),
            float(time),
            float(self.read_error_rate(*read)),
            float(self.disturb_rate(*read)),
            float(self.margin(*read)),
            float(self.energy(*read)),
            bool(self.is_extrapolated(*read) | self.is_disturb_extrapolated(*read)),
        )

    def margin_in_words(self, margin: float) -> str:
        """Write a margin with its unit."""
        return compact(margin, self.margin_unit, 4)

    def to_frame(self) -> pd.DataFrame:
        """Return the grid as a table, one row per state, voltage and time, units in the names."""
        data = self.dataset
        table = data.drop_dims("quantile").to_dataframe().reset_index()
        quantiles = data["read_error_rate_quantile"].to_numpy().reshape(len(table), -1)
        for k, quantile in enumerate(data["quantile"].to_numpy()):
            table[f"device_read_error_rate_q{100 * quantile:g}"] = quantiles[:, k]
        units = {
            "voltage": "voltage_V", "time": "time_s", "energy": "energy_J",
            "margin": f"margin_{self.margin_unit}",
        }  # fmt: skip
        return table.rename(columns=units)

    @property
    def _enough(self) -> float:
        return float(self.dataset.attrs.get(tails.ENOUGH_ATTRIBUTE, tails.ENOUGH_DEVICES))

    @staticmethod
    def _known(logarithm: FloatArray) -> FloatArray:
        """Effective devices from their logarithm; NaN, where nothing varies, counts as enough."""
        return np.where(np.isnan(logarithm), np.inf, np.exp(logarithm))

    def _of_both(self, name: str) -> FloatArray:
        """Return a variable of the worse state on the grid, shape (voltages, times); margins and rates."""
        values = self.dataset[name].to_numpy().astype(np.float64)
        return np.asarray(values.min(axis=0) if name.startswith("margin") else values.max(axis=0))

    def _rate(
        self, name: str, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None
    ) -> FloatArray:
        return np.minimum(10.0 ** self._evaluate(name, voltage, time, state, np.maximum), 1.0)

    def _evaluate(
        self, name: str, voltage: npt.ArrayLike, time: npt.ArrayLike, state: State | None, of_both: Any
    ) -> FloatArray:
        volts, seconds = np.broadcast_arrays(
            np.asarray(voltage, dtype=np.float64), np.asarray(time, dtype=np.float64)
        )
        volts = _inside("read voltage", volts, self.voltages, "V")
        seconds = _inside("sensing time", seconds, self.times, "s")
        if state is not None and state not in STATES:
            raise InputError("state", value=state, allowed="0 or 1")
        if state is not None:
            return self._interpolator(name, state)(volts, seconds)
        zero, one = (self._interpolator(name, each)(volts, seconds) for each in STATES)
        return np.asarray(of_both(zero, one))

    @functools.cache  # noqa: B019 (a surface holds a few small tables as long as it lives)
    def _interpolator(self, name: str, state: State) -> GridInterpolator:
        values = self.dataset[name].to_numpy()[state].astype(np.float64)
        voltages, times = refined(self.voltages), refined(self.times)
        rate = "rate" in name
        if name.endswith("effective_devices"):
            with np.errstate(divide="ignore"):
                return GridInterpolator(self.voltages, self.times, np.log(values))
        if rate:
            values = np.log10(np.maximum(values, SMALLEST_RATE))
        between = cubic_beside_valleys if name.startswith("read_error_rate") else monotone_cubic
        fine = between(np.log(self.times), values, np.log(times))
        fine = between(self.voltages, fine.T, voltages).T
        if name.startswith("disturb_rate"):
            fine = np.maximum.accumulate(fine, axis=1)
        return GridInterpolator(voltages, times, fine)


def _inside(thing: str, values: FloatArray, grid: FloatArray, unit: str) -> FloatArray:
    # Unit conversions round: a value outside by a rounding error counts as the edge.
    slack = 1e-9 * grid[-1]
    outside = ~((values >= grid[0] - slack) & (values <= grid[-1] + slack))
    if outside.any():
        raise OutsideGridError(
            thing,
            value=compact(float(values[outside].flat[0]), unit),
            allowed=f"{compact(grid[0], unit)} to {compact(grid[-1], unit)}, the grid of the read surface",
            remedy="Read over a larger grid: the table [read] of the study gives it.",
        )
    return np.clip(values, grid[0], grid[-1])
