"""Surface of bitwise operations: error rates and energy over read voltage and sensing time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.display import Figures
from mtjchar.errors import InputError, MtjcharError, OutsideGridError
from mtjchar.files import MOST_DATA, read_bytes, write_bytes
from mtjchar.surfaces.interpolation import GridInterpolator
from mtjchar.units import compact

if TYPE_CHECKING:  # slow to load
    import pandas as pd

__all__ = ["FILE", "BitwisePoint", "BitwiseSurface"]

FILE = "bitwise.nc"
"""Name of the file in a run directory."""

_LEAST = 1e-300
_ROUNDING = 1e-9
_REQUIRED = {
    "error_rate": ("operation", "inputs", "voltage", "time"),
    "error_rate_lower": ("operation", "inputs", "voltage", "time"),
    "error_rate_upper": ("operation", "inputs", "voltage", "time"),
    "extrapolated": ("operation", "inputs", "voltage", "time"),
    "energy": ("operation", "inputs", "voltage", "time"),
    "reference": ("operation", "comparison", "voltage", "time"),
    "reference_resistance": ("operation", "comparison", "voltage", "time"),
    "largest_offset": ("operation", "voltage", "time"),
    "smallest_contrast": ("operation", "voltage", "time"),
    "largest_spread": ("operation", "voltage", "time"),
    "disturb_rate": ("inputs", "voltage", "time"),
}
_RATES = ("error_rate", "error_rate_lower", "error_rate_upper", "disturb_rate")
_ALLOWED, _REMEDY = "a bitwise.nc", "Run `mtjchar surface DIR` on a run whose study has [read.bitwise]."


class BitwisePoint(NamedTuple):
    """A bitwise operation at one read voltage and sensing time.

    Attributes
    ----------
    error_rate : float
        Of the worst combination of inputs.
    error_rates : dict
        Of each combination, ``"00"``, ``"01"``, ...
    extrapolated : bool
        Whether that of the worst combination is extrapolated.
    energy_J : float
        Mean over the combinations.
    disturb_rate : float
        Probability that any of the cells flips, of the worst combination.
    reference : tuple of float
        Means, one for each comparison, in the unit of the level.
    reference_resistance_ohm : tuple of float
        Resistance in place of each junction of a nominal column that gives the reference; NaN if none does.
    largest_offset : float
        Deviation of the offset with which the operation has an error rate of 1e-6; NaN if there is none.
    smallest_contrast : float
        TMR with which it has; NaN if none in the range is large enough.
    largest_spread : float
        Variability of the levels with which it has, over the study's, at most 10; NaN if there is none.
    """

    error_rate: float
    error_rates: dict[str, float]
    extrapolated: bool
    energy_J: float
    disturb_rate: float
    reference: tuple[float, ...]
    reference_resistance_ohm: tuple[float, ...]
    largest_offset: float
    smallest_contrast: float
    largest_spread: float


class BitwiseSurface:
    """Bitwise operations over read voltage and sensing time.

    Between the points of the grid, logarithms of rates and all other values are interpolated linearly in the
    voltage and in the logarithm of the time.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `mtjchar.surfaces.bitwise_average.bitwise_dataset` makes it.

    Attributes
    ----------
    dataset : xarray.Dataset
    operations, inputs : tuple of str
    voltages, times : ndarray
        The grid, V and s.
    """

    plot = Figures("mtjchar.plotting.bitwise", "BitwisePlots")
    """Figures of the surface: `mtjchar.plotting.bitwise.BitwisePlots`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset
        self.operations: tuple[str, ...] = tuple(dataset["operation"].to_numpy().tolist())
        self.inputs: tuple[str, ...] = tuple(dataset["inputs"].to_numpy().tolist())
        self.voltages: FloatArray = dataset["voltage"].to_numpy()
        self.times: FloatArray = dataset["time"].to_numpy()

    @property
    def level_unit(self) -> str:
        """Unit of levels, references and offsets, V or A."""
        return str(self.dataset["reference"].attrs.get("units", "V"))

    def __repr__(self) -> str:
        return f"BitwiseSurface({', '.join(self.operations)}, inputs {self.inputs[0]} to {self.inputs[-1]})"

    @classmethod
    def load(cls, path: str | Path) -> BitwiseSurface:
        """Read a ``bitwise.nc``.

        Raises
        ------
        InputError
            If the file is missing or is not a surface of bitwise operations.
        """
        content = read_bytes(path, "bitwise surface", allowed=_ALLOWED, remedy=_REMEDY, most=MOST_DATA)
        try:
            with xr.open_dataset(io.BytesIO(content), engine="h5netcdf") as dataset:
                _check(dataset, str(path))
                return cls(dataset.load())
        except MtjcharError:
            raise
        except Exception as error:  # readers of damaged files raise many kinds of errors
            raise InputError(
                "bitwise surface", value=str(path), allowed=_ALLOWED, remedy=f"{error}. {_REMEDY}"
            ) from error

    @classmethod
    def of_run(cls, folder: str | Path) -> BitwiseSurface:
        """Read the surface of a run directory.

        Raises
        ------
        InputError
            If there is none, or it is of another study.
        """
        from mtjchar.sweep.bitwise_tasks import bitwise_of  # imported here: slow to load
        from mtjchar.sweep.store import RunDirectory

        directory, file = RunDirectory.open(folder), Path(folder) / FILE
        if bitwise_of(directory.study) is None:
            raise InputError(
                "bitwise operations", value=None, allowed="a run of a study with a table [read.bitwise]",
                problem=f"{folder} has no bitwise operations.",
                remedy="Its study has no table [read.bitwise].",
            )  # fmt: skip
        surface = cls.load(file)
        directory.check_study_of(surface.dataset.attrs.get("study"), file)
        return surface

    def to_netcdf(self) -> bytes:
        """Return the content of a NetCDF-4 file."""
        return bytes(self.dataset.to_netcdf(engine="h5netcdf"))

    def save(self, path: str | Path) -> None:
        """Write the surface as NetCDF-4, completely or not at all."""
        write_bytes(path, self.to_netcdf())

    def error_rate(
        self, operation: str, voltage: npt.ArrayLike, time: npt.ArrayLike, inputs: str | None = None
    ) -> FloatArray:
        """Probability of a wrong result.

        Parameters
        ----------
        operation : str
            One of `operations`.
        voltage, time : array_like
            V and s; they broadcast.
        inputs : str, optional
            One of `inputs`; default: the worst of them.

        Raises
        ------
        InputError
            For an operation or inputs that the surface does not have.
        OutsideGridError
            For a read outside of the grid.
        """
        rates = self._at("error_rate", operation, voltage, time)
        return np.asarray(rates.max(axis=0) if inputs is None else rates[self._place("inputs", inputs)])

    def energy(
        self, operation: str, voltage: npt.ArrayLike, time: npt.ArrayLike, inputs: str | None = None
    ) -> FloatArray:
        """Energy of an operation, J; the mean over the inputs if none are given. Else as `error_rate`."""
        energies = self._at("energy", operation, voltage, time)
        return np.asarray(
            energies.mean(axis=0) if inputs is None else energies[self._place("inputs", inputs)]
        )

    def references(self, operation: str, voltage: npt.ArrayLike, time: npt.ArrayLike) -> FloatArray:
        """Levels of the references, shape (comparisons, ...), V or A. Errors as `error_rate`."""
        found = self._at("reference", operation, voltage, time)
        return found[~np.isnan(found.reshape(len(found), -1)).all(axis=1)]

    def point(self, operation: str, voltage: float, time: float) -> BitwisePoint:
        """All numbers of an operation at one read voltage and sensing time. Errors as `error_rate`."""
        rates = self._at("error_rate", operation, voltage, time)
        worst = int(np.argmax(rates))

        def one(name: str) -> float:
            return float(self._at(name, operation, voltage, time))

        def each(name: str) -> tuple[float, ...]:
            values = self._at(name, operation, voltage, time)
            return tuple(map(float, values[: len(self.references(operation, voltage, time))]))

        return BitwisePoint(
            error_rate=float(rates[worst]),
            error_rates=dict(zip(self.inputs, map(float, rates), strict=True)),
            extrapolated=bool(self._at("extrapolated", operation, voltage, time)[worst] > 0.0),
            energy_J=float(self.energy(operation, voltage, time)),
            disturb_rate=float(self._at("disturb_rate", None, voltage, time).max()),
            reference=each("reference"),
            reference_resistance_ohm=each("reference_resistance"),
            largest_offset=one("largest_offset"),
            smallest_contrast=one("smallest_contrast"),
            largest_spread=one("largest_spread"),
        )

    def best_read(self, operation: str) -> tuple[float, float]:
        """Read voltage (V) and sensing time (s) of the grid with the lowest rate of the worst inputs.

        With ``"all"`` in place of an operation that of the worst operation counts.
        """
        rates = self.dataset["error_rate"].to_numpy().max(axis=1)
        rates = rates.max(axis=0) if operation == "all" else rates[self._place("operation", operation)]
        voltage, time = np.unravel_index(np.nanargmin(rates), rates.shape)
        return float(self.voltages[voltage]), float(self.times[time])

    def to_frame(self) -> pd.DataFrame:
        """Return the grid as a table, one row per operation, inputs, voltage and time, units in the names."""
        data, rows = self.dataset, ("operation", "inputs", "voltage", "time")
        flat = {}
        for name, variable in data.data_vars.items():
            if "comparison" not in variable.dims:
                flat[str(name)] = variable
                continue
            for k, place in enumerate(data["comparison"].to_numpy()):
                one = variable.sel(comparison=place, drop=True)
                flat[str(name).replace("reference", f"reference{k + 1}")] = one
        units = {**{str(name): one.attrs.get("units", "1") for name, one in flat.items()}}
        units |= {name: data[name].attrs["units"] for name in ("voltage", "time")}
        table: pd.DataFrame = xr.Dataset(flat).to_dataframe(dim_order=list(rows)).reset_index()
        return table.rename(columns={name: f"{name}_{unit}" for name, unit in units.items() if unit != "1"})

    def _at(
        self, name: str, operation: str | None, voltage: npt.ArrayLike, time: npt.ArrayLike
    ) -> FloatArray:
        """Interpolate a variable; leading dimensions first."""
        values = self.dataset[name].to_numpy().astype(np.float64)
        if operation is not None:
            values = values[self._place("operation", operation)]
        volts = _inside("voltage", voltage, self.voltages, "V")
        seconds = _inside("time", time, self.times, "s")
        volts, seconds = np.broadcast_arrays(volts, seconds)
        logarithmic = name in _RATES
        grid = np.moveaxis(values.reshape(-1, *values.shape[-2:]), 0, -1)
        unknown = np.isnan(grid)
        known = np.where(unknown, 1.0, grid)
        numbers = np.log(np.maximum(known, _LEAST)) if logarithmic else known
        found, doubt = (
            np.moveaxis(
                GridInterpolator(self.voltages, np.log(self.times), table)(volts, np.log(seconds)), -1, 0
            )
            for table in (numbers, unknown.astype(np.float64))
        )
        # A point without a number leaves none in the cells of the grid around it, except at their corners.
        found = np.where(doubt > _ROUNDING, np.nan, np.exp(found) if logarithmic else found)
        return np.reshape(found, (*values.shape[:-2], *volts.shape))

    def _place(self, dim: str, name: str) -> int:
        names = self.operations if dim == "operation" else self.inputs
        if name not in names:
            raise InputError(dim, value=name, allowed=", ".join(names))
        return names.index(name)


def _inside(thing: str, values: npt.ArrayLike, grid: FloatArray, unit: str) -> FloatArray:
    """Values inside of the grid, with a slack for rounding."""
    numbers = np.asarray(values, dtype=np.float64)
    slack = 1e-9 * grid[-1]
    outside: BoolArray = np.asarray(~((numbers >= grid[0] - slack) & (numbers <= grid[-1] + slack)))
    if outside.any():
        raise OutsideGridError(
            thing, value=compact(float(numbers[outside].flat[0]), unit),
            allowed=f"{compact(grid[0], unit)} to {compact(grid[-1], unit)}, the grid of the surface",
            remedy=f"Give [read] {thing} a larger range and run the sweep again.",
        )  # fmt: skip
    return np.clip(numbers, grid[0], grid[-1])


def _check(dataset: xr.Dataset, thing: str) -> None:
    """Refuse a dataset that is no surface of bitwise operations."""
    for name, dims in _REQUIRED.items():
        found = dataset[name].dims if name in dataset else "no such variable"
        if found != dims:
            raise InputError(
                f"{thing}: {name}", value=found, allowed=f"dimensions {', '.join(dims)}", remedy=_REMEDY
            )
    for name in ("voltage", "time"):
        grid = dataset[name].to_numpy() if name in dataset.coords else np.empty(0)
        if not (grid.dtype.kind == "f" and len(grid) >= 2 and grid[0] > 0.0 and (np.diff(grid) > 0.0).all()):
            raise InputError(
                f"{thing}: {name}", value=grid.tolist()[:8], allowed="two or more ascending numbers above 0",
                remedy=_REMEDY,
            )  # fmt: skip
    for name in _RATES:
        rates = dataset[name].to_numpy()
        if ((rates < 0.0) | (rates > 1.0)).any():  # NaN: no reads there
            raise InputError(
                f"{thing}: {name}", value="values beyond 0 to 1", allowed="rates", remedy=_REMEDY
            )
