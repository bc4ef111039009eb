"""Read surface: read error rate, disturb rate, sense margin and energy of a read, and operating points."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from mtjchar.display import Figures, html_table
from mtjchar.errors import InputError, MtjcharError
from mtjchar.files import MOST_DATA, read_bytes, write_bytes
from mtjchar.surfaces import read_search
from mtjchar.surfaces.read_grid import ReadGrid, ReadPoint
from mtjchar.surfaces.read_search import Minimize
from mtjchar.units import compact

if TYPE_CHECKING:  # not needed to query numbers, and slow to load
    import pandas as pd

__all__ = ["ReadSurface"]

_AGAIN = "Run `mtjchar surface DIR` to make it from the reads in DIR."


class ReadSurface(ReadGrid):
    """Read error rate, disturb rate, sense margin and energy over read voltage and sensing time, by state.

    `mtjchar.surfaces.read_grid.ReadGrid` describes the interpolation.

    Parameters
    ----------
    dataset : xarray.Dataset
        With the variables of ``read.nc`` over state, voltage (V) and time (s).
    """

    plot = Figures("mtjchar.plotting.reading", "ReadPlots")
    """Figures of the surface: `mtjchar.plotting.reading.ReadPlots`."""

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
