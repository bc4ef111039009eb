"""Write surface: error rate and energy of a pulse, and the cheapest pulse."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mtjchar.arrays import FloatArray
from mtjchar.display import Figures, html_table
from mtjchar.errors import InputError, MtjcharError
from mtjchar.files import MOST_DATA, read_bytes, write_bytes
from mtjchar.surfaces import search
from mtjchar.surfaces.grid import CheapestPulse, SurfaceGrid, Target, Vary
from mtjchar.surfaces.stored import unchanged_surface
from mtjchar.surfaces.tails import VERIFIED_RATE
from mtjchar.units import compact

if TYPE_CHECKING:  # not needed to query numbers, and slow to load
    import pandas as pd

    from mtjchar.surfaces.closed_model import SurfaceModel

__all__ = ["WriteSurface"]


class WriteSurface(SurfaceGrid):
    """Write error rate and write energy over amplitude and duration, for each direction.

    `mtjchar.surfaces.grid.SurfaceGrid` describes the interpolation.

    Parameters
    ----------
    dataset : xarray.Dataset
        With the variables of ``surface.nc``: ``ber``, ``ber_lower``, ``ber_upper``, ``ber_quantile``,
        ``energy`` (J) and ``redundant_energy`` (J) over direction, amplitude (V) and duration (s).
    """

    plot = Figures("mtjchar.plotting.surfaces", "SurfacePlots")
    """Figures of the surface: `mtjchar.plotting.surfaces.SurfacePlots`."""

    def __repr__(self) -> str:
        devices = self.dataset.attrs.get("devices")
        return (
            f"WriteSurface({' and '.join(self.directions)}, {_span(self.amplitudes, 'V')}, "
            f"{_span(self.durations, 's')}{'' if devices is None else f', {devices} devices'})"
        )

    def _repr_html_(self) -> str:
        rates = self.dataset["ber"].to_numpy()
        rows = {
            "directions": ", ".join(map(self.title, self.directions)),
            "amplitude": _span(self.amplitudes, "V"),
            "duration": _span(self.durations, "s"),
            "write error rate": f"{max(rates.min(), VERIFIED_RATE):.2g} to {rates.max():.2g}, "
            f"{self.extrapolated_points().mean():.0%} of the grid extrapolated",
        }
        for name in ("devices", "seed", "interval", "mtjchar_version"):
            if name in self.dataset.attrs:
                rows[name] = self.dataset.attrs[name]
        return html_table("WriteSurface", rows)

    @classmethod
    def of_run(cls, folder: str | Path) -> WriteSurface:
        """Read the surface of a run directory.

        Raises
        ------
        InputError
            If there is no run or no surface of it, or the surface is of another study than its samples.
        """
        folder = Path(folder)
        if (unchanged := unchanged_surface(folder)) is not None:
            return cls(unchanged)
        from mtjchar.sweep.store import RunDirectory

        directory, file = RunDirectory.open(folder), folder / "surface.nc"
        surface = cls.load(file)
        directory.check_study_of(surface.dataset.attrs.get("study"), file)
        return surface

    @classmethod
    def load(cls, path: str | Path) -> WriteSurface:
        """Read a ``surface.nc``.

        Raises
        ------
        InputError
            If the file is missing or is not a surface; the message names the error.
        """
        import xarray as xr

        from mtjchar.surfaces import schema

        allowed, remedy = "a surface.nc", "Run `mtjchar surface DIR` to make it from the samples in DIR."
        content = read_bytes(path, "surface file", allowed=allowed, remedy=remedy, most=MOST_DATA)
        try:
            with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as dataset:
                schema.check(dataset, str(path), remedy)
                return cls(dataset.load())
        except MtjcharError:
            raise
        except Exception as error:  # readers of damaged files raise many kinds of errors
            raise InputError(
                "surface file", value=str(path), allowed=allowed, remedy=f"{_first_line(error)}. {remedy}"
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
    def model(self) -> SurfaceModel:
        """Closed model of the surface, which extrapolates; fitted on first use.

        Raises
        ------
        InputError
            As `mtjchar.surfaces.closed_model.fit_model`.
        """
        from mtjchar.surfaces.closed_model import fit_model  # imported here: lmfit takes long to load

        return fit_model(self)

    def cheapest_pulse(
        self,
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

        Parameters
        ----------
        direction : str
            One of `directions`, or ``both``: one pulse for both directions. The higher error rate then
            counts, and the energy is the mean of the switching and the redundant writes of both.
        ber : float
            Error rate, between 0 and 1.
        vary : {"amplitude", "duration", "both"}, optional
            Quantity to optimize.
        amplitude : float, optional
            V, kept if only the duration varies; default: the study's nominal amplitude.
        duration : float, optional
            s, kept if only the amplitude varies; default: the duration that reaches 1e-9 at the nominal
            amplitude, in the same direction.
        max_amplitude, max_duration : float, optional
            V and s, limits of the pulse; default: those of the grid.

        Returns
        -------
        CheapestPulse

        Raises
        ------
        UnreachableError
            If no pulse within grid and limits reaches the rate; the message gives the lowest rate.
        OutsideGridError, InputError
            For arguments out of range, or if both may vary but the energies are not known.
        """
        return search.cheapest_pulse(
            self,
            direction,
            ber,
            vary=vary,
            amplitude=amplitude,
            duration=duration,
            max_amplitude=max_amplitude,
            max_duration=max_duration,
        )

    def at_bound(self, bound: Literal["lower", "upper"]) -> WriteSurface:
        """Return the surface whose error rates are the lower or upper ends of this one's 95 % intervals."""
        return type(self)(self.dataset.assign(ber=self.dataset[f"ber_{bound}"]))

    def to_frame(self) -> pd.DataFrame:
        """Return the grid as a table, one row per direction, amplitude and duration, units in the names."""
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


def _span(values: FloatArray, unit: str) -> str:
    return f"{compact(values[0], unit, 4)} to {compact(values[-1], unit, 4)} ({len(values)} values)"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
