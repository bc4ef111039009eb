"""Interpolation of a surface: its axes, and its values between the grid points."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError, OutsideGridError
from mtjchar.surfaces import rising, tails
from mtjchar.surfaces.interpolation import GridInterpolator, monotone_cubic, straight_or_cubic
from mtjchar.surfaces.stored import SurfaceFile
from mtjchar.units import compact

if TYPE_CHECKING:  # not needed to query numbers, and slow to load
    import xarray as xr

    from mtjchar.cells.base import CellKind, Direction

__all__ = [
    "RELIABLE",
    "SMALLEST_RATE",
    "CheapestPulse",
    "SurfaceGrid",
    "Target",
    "Vary",
    "directions_of",
    "refined",
    "targets",
]

Vary = Literal["amplitude", "duration", "both"]
"""Quantity of a pulse to optimize."""

Target: TypeAlias = "Direction | Literal['both']"
"""Purpose of a pulse: one direction, or all directions of a surface."""

RELIABLE = 1e-9
"""Error rate of the reference pulse for comparisons."""

SMALLEST_RATE = 1e-300
"""Replaces an underflowed error rate before a logarithm is taken."""

_REFINEMENT = 8


class CheapestPulse(NamedTuple):
    """A pulse with its error rate and energy.

    Parameters
    ----------
    amplitude_V, duration_s : float
        The pulse.
    ber : float
        Error rate; for both directions the higher one.
    energy_J : float
        Mean energy of a write; for both directions over the switching and the redundant writes of both.
    ber_lower, ber_upper : float
        95 % interval of `ber`.
    ber_slope_per_V, ber_slope_per_s : float
        Slope of log10(`ber`), decades per V and decades per s.
    bound : bool
        Whether only `ber_upper` is known, see `SurfaceGrid.is_bound`.
    effective_devices : float
        Effective number of devices that determine `ber`, see `SurfaceGrid.effective_devices`.
    extrapolated : bool
        Whether too few devices determine `ber`, or it is below 1e-18.
    """

    amplitude_V: float
    duration_s: float
    ber: float
    energy_J: float
    ber_lower: float = math.nan
    ber_upper: float = math.nan
    ber_slope_per_V: float = math.nan
    ber_slope_per_s: float = math.nan
    bound: bool = False
    effective_devices: float = math.nan
    extrapolated: bool = False

    @property
    def rate(self) -> tails.StatedRate:
        """The error rate with its interval, bound and reliability."""
        return tails.StatedRate(
            self.ber, self.ber_lower, self.ber_upper, self.bound, self.effective_devices, self.extrapolated
        )


class SurfaceGrid:
    """Error rates and energies on a grid of amplitudes and durations, for each direction, with interpolation.

    Between the grid points log10(BER) is interpolated by monotone cubics, along the duration and then
    along the amplitude, onto a grid eight times finer. It is made monotone there, and is linear in between,
    so the error rate never rises with amplitude or duration. Energies are interpolated in the same way,
    without the monotone step. In the directions of `rising`, error rates may rise. Between two grid points
    they are then not below the straight line: a cubic that turns at the lowest point would be too low beside
    it.

    Parameters
    ----------
    dataset : xarray.Dataset or SurfaceFile
        With the variables of ``surface.nc``: ``ber``, ``ber_lower``, ``ber_upper``, ``ber_quantile``,
        ``energy`` (J) and ``redundant_energy`` (J) over direction, amplitude (V) and duration (s).
    """

    def __init__(self, dataset: xr.Dataset | SurfaceFile) -> None:
        self._source = dataset

    @functools.cached_property
    def dataset(self) -> xr.Dataset:
        """All of the surface."""
        return self._source.dataset() if isinstance(self._source, SurfaceFile) else self._source

    def _array(self, name: str) -> npt.NDArray[Any]:
        return np.asarray(self._source[name])

    def _of_direction(self, name: str, direction: Direction) -> npt.NDArray[Any]:
        """Values of a variable in one direction, shape (amplitudes, durations) or more."""
        return np.asarray(self._array(name)[self.directions.index(direction)])

    @functools.cached_property
    def directions(self) -> tuple[Direction, ...]:
        """Directions of the sweep."""
        return tuple(self._array("direction").tolist())

    @functools.cached_property
    def amplitudes(self) -> FloatArray:
        """Amplitudes of the grid, V."""
        return self._array("amplitude").astype(np.float64)

    @functools.cached_property
    def durations(self) -> FloatArray:
        """Durations of the grid, s."""
        return self._array("duration").astype(np.float64)

    @property
    def kind(self) -> CellKind[Any]:
        """Cell kind, by its name in the attribute ``cell_kind``.

        Versions without the attribute had one kind with these directions; it is that one.

        Raises
        ------
        InputError
            If there is no kind of that name, or it is not written in these directions.
        """
        from mtjchar.cells.kinds import KINDS
        from mtjchar.surfaces import schema

        kind = schema.kind_of(self.dataset)
        if kind is not None:
            return kind
        name = self.dataset.attrs.get(schema.KIND_ATTRIBUTE)
        if name is not None and name not in KINDS:
            raise InputError(
                f"attribute {schema.KIND_ATTRIBUTE} of the surface", value=name,
                allowed=f"one of {', '.join(KINDS)}",
                remedy="Read the surface where that kind of cell is known.",
            )  # fmt: skip
        raise InputError(
            "directions of the surface",
            value=", ".join(map(str, self.directions)),
            allowed=schema.directions_allowed(self.dataset),
            remedy="A kind of cell names its directions.",
        )

    @property
    def bit_directions(self) -> tuple[Direction, Direction]:
        """The directions that write a 1 over a 0 and a 0 over a 1, in this order.

        Raises
        ------
        InputError
            If one of them was not swept, or no cell kind has them.
        """
        directions = self.kind.directions
        if set(directions) != set(self.directions):
            raise InputError(
                "directions of the surface",
                value=", ".join(self.directions),
                allowed=" and ".join(directions),
                remedy="Sweep both directions.",
            )
        return directions

    def title(self, target: Target) -> str:
        """Return the title of a direction, or of ``both``, in figures and tables."""
        if target == "both":
            return "one pulse for both"
        from mtjchar.surfaces import schema

        kind = schema.kind_of(self.dataset)
        return target if kind is None else kind.titles.get(target, target)

    @functools.cached_property
    def rising(self) -> tuple[Direction, ...]:
        """Directions in which error rates may rise with amplitude and duration."""
        return rising.rising_directions(self._source.attrs)

    @property
    def rising_reason(self) -> str:
        """Reason why error rates rise in these directions; empty if they rise in none."""
        return str(self._source.attrs.get(rising.REASON_ATTRIBUTE, ""))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Limits of the model that the cell of the run is beyond, one sentence each."""
        return tuple(str(self._source.attrs.get(tails.WARNINGS_ATTRIBUTE, "")).splitlines())

    @property
    def nominal_amplitude(self) -> float:
        """Amplitude at which comparisons start, V."""
        return float(self._source.attrs["nominal_amplitude_V"])

    @property
    def enough_devices(self) -> float:
        """Effective devices that an interval requires; with fewer the error rate is extrapolated."""
        return float(self._source.attrs.get(tails.ENOUGH_ATTRIBUTE, tails.ENOUGH_DEVICES))

    def ber(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        extrapolate: bool = False,
    ) -> FloatArray:
        """Write error rate: mean over devices of the probability that a bit that has to switch does not.

        Parameters
        ----------
        direction : str
            One of `directions`.
        amplitude, duration : array_like
            V and s; they broadcast.
        extrapolate : bool, optional
            Extrapolate beyond the grid, linearly in log10(BER), instead of refusing. In the directions of
            `rising` it never goes below the rate at the edge of the grid.

        Returns
        -------
        ndarray
            Error rate, at most 1: the estimate, also if it is extrapolated; see `stated_rate`.

        Raises
        ------
        OutsideGridError
            For a pulse outside the grid, unless `extrapolate` is set.
        InputError
            For a direction that was not swept.
        """
        return self._rate("ber", direction, amplitude, duration, extrapolate)

    def ber_interval(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds of the 95 % interval of `ber`; same parameters and errors.

        For a rate below 1e-18 they are 0 and at least 1e-18. If `is_extrapolated`, they have no guaranteed
        coverage.
        """
        ber = self.ber(direction, amplitude, duration)
        lower = self._rate("ber_lower", direction, amplitude, duration, False)
        upper = self._rate("ber_upper", direction, amplitude, duration, False)
        upper = np.where(ber < tails.VERIFIED_RATE, np.maximum(upper, tails.VERIFIED_RATE), upper)
        # Between a rate and a bound the interpolated lower end would have no meaning.
        lower = np.where(self.is_bound(direction, amplitude, duration), 0.0, lower)
        return np.minimum(lower, ber), np.maximum(upper, ber)

    def is_bound(self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike) -> BoolArray:
        """Whether only an upper bound of the rate is known; same parameters and errors.

        This applies below 1e-18. It also applies if writes were counted and one of the surrounding grid
        points had no error; the bound then has 95 % confidence. It is the upper end of `ber_interval`; the
        lower one is 0.
        """
        level, time = self._pulses(direction, amplitude, duration, False)
        below = self.ber(direction, level, time) < tails.VERIFIED_RATE
        if "errors" not in self._source:
            return np.asarray(below)
        without = self._of_direction("errors", direction) == 0
        share = GridInterpolator(self.amplitudes, self.durations, without)(level, time)
        return np.asarray(below | (share > 0.0))

    def effective_devices(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
    ) -> FloatArray:
        """Effective number of devices that determine `ber`; same parameters and errors.

        Returns
        -------
        ndarray
            Interpolated in its logarithm between grid points. NaN if nothing varies from device to
            device, if no error was counted, and if the surface does not contain it.
        """
        level, time = self._pulses(direction, amplitude, duration, False)
        if "effective_devices" not in self._source:
            return np.full(level.shape, np.nan)
        values = self._of_direction("effective_devices", direction)
        unknown = np.isnan(values)
        stacked = np.stack([np.log(np.where(unknown, 1.0, values)), unknown], axis=-1)
        grid = GridInterpolator(self.amplitudes, self.durations, stacked)
        logs, share = np.moveaxis(grid(level, time), -1, 0)
        return np.asarray(np.where(share > 0.0, np.nan, np.exp(logs)))

    def is_extrapolated(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
    ) -> BoolArray:
        """Whether too few devices determine `ber`, or it is below 1e-18; same parameters and errors.

        The coverage of `ber_interval` is then not known.
        """
        return tails.is_extrapolated(
            self.ber(direction, amplitude, duration),
            self.effective_devices(direction, amplitude, duration),
            self.enough_devices,
        )

    def stated_rate(self, direction: Direction, amplitude: float, duration: float) -> tails.StatedRate:
        """Error rate of one pulse with its interval, bound and reliability; errors as for `ber`.

        A rate below 1e-18, for which nothing is verified, is given as the bound 1e-18.
        """
        return self.stated_rates(direction, amplitude, duration)[0]

    def stated_rates(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
    ) -> list[tails.StatedRate]:
        """`stated_rate` of many pulses; amplitudes and durations broadcast, the list is flat (C order)."""
        lower, upper = self.ber_interval(direction, amplitude, duration)
        columns = (
            np.maximum(self.ber(direction, amplitude, duration), tails.VERIFIED_RATE), lower, upper,
            self.is_bound(direction, amplitude, duration),
            self.effective_devices(direction, amplitude, duration),
            self.is_extrapolated(direction, amplitude, duration),
        )  # fmt: skip
        return [
            tails.StatedRate(*row) for row in zip(*(one.ravel().tolist() for one in columns), strict=True)
        ]

    def device_ber(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        quantile: float = 0.5,
    ) -> FloatArray:
        """Quantile over devices of the device's own write error rate; default: that of the median device.

        Parameters
        ----------
        direction : str
            One of `directions`.
        amplitude, duration : array_like
            V and s; they broadcast.
        quantile : float, optional
            One of the quantiles in the surface; 0.999 is a weak device.

        Raises
        ------
        InputError
            If the surface does not contain the quantile.
        OutsideGridError
            For a pulse outside the grid.
        """
        held = self._array("quantile").tolist() if "ber_quantile" in self._source else []
        if quantile not in held:
            raise InputError(
                "quantile",
                value=quantile,
                allowed=" or ".join(f"{value:g}" for value in held)
                or "none, the surface has no device quantiles",
            )
        return self._rate("ber_quantile", direction, amplitude, duration, False, quantile)

    def energy(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        switching: bool = True,
        at_supply: bool = False,
        extrapolate: bool = False,
    ) -> FloatArray:
        """Mean energy of one write, J.

        Parameters
        ----------
        direction : str
            One of `directions`.
        amplitude, duration : array_like
            V and s; they broadcast.
        switching : bool, optional
            Whether the bit has to switch; otherwise the energy of a redundant write in that direction.
        at_supply : bool, optional
            Energy from the supplies instead of the drivers; see `knows_supply_energy`.
        extrapolate : bool, optional
            Extrapolate beyond the grid instead of refusing.

        Returns
        -------
        ndarray
            J; NaN if the writes of a direction were counted without their energies, see `knows_energy`.

        Raises
        ------
        OutsideGridError, InputError
            As for `ber`, and at the supply for a surface without these energies.
        """
        name = ("" if switching else "redundant_") + ("supply_" if at_supply else "") + "energy"
        if at_supply and not self.knows_supply_energy:
            raise InputError(
                "energy", value="at the supply", allowed="energies that the surface has",
                remedy="Give supply_voltage in [cell] of the study and run the sweep again.",
            )  # fmt: skip
        return 10.0 ** self._evaluate(name, direction, amplitude, duration, extrapolate)

    @property
    def knows_energy(self) -> bool:
        """Whether the surface has energies; writes can be counted without."""
        return not any(np.isnan(self._array(name)).any() for name in ("energy", "redundant_energy"))

    @property
    def knows_supply_energy(self) -> bool:
        """Whether the surface has energies at the supply: those of a study with `supply_voltage`."""
        return "supply_energy" in self._source

    def extrapolated_points(self) -> BoolArray:
        """Whether the error rates of the grid are extrapolated, shape (directions, amplitudes, durations)."""
        known = "effective_devices" in self._source
        effective = self._array("effective_devices") if known else np.nan
        return tails.is_extrapolated(self._array("ber"), effective, self.enough_devices)

    def extrapolation_in_words(self) -> list[str]:
        """State how much of the grid is extrapolated, one line for each direction with such pulses."""
        lines = []
        for k, (direction, flags) in enumerate(zip(self.directions, self.extrapolated_points(), strict=True)):
            if flags.any():
                highest = float(self._array("ber")[k][flags].max())
                lines.append(
                    f"{direction}: {flags.sum()} of the {flags.size} error rates of the grid are "
                    f"extrapolated (fewer than {self.enough_devices:g} effective devices, or below "
                    f"{tails.VERIFIED_RATE:g}); the highest of them is {highest:.2g}."
                )
        return lines

    def _rate(
        self,
        name: str,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        extrapolate: bool,
        quantile: float | None = None,
    ) -> FloatArray:
        log_rate = self._evaluate(name, direction, amplitude, duration, extrapolate, quantile)
        return np.minimum(10.0**log_rate, 1.0)

    def _evaluate(
        self,
        name: str,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        extrapolate: bool,
        quantile: float | None = None,
    ) -> FloatArray:
        level, time = self._pulses(direction, amplitude, duration, extrapolate)
        interpolator = self._interpolator(name, direction, quantile)
        values = interpolator(level, time)
        if not (extrapolate and self._may_rise(name, direction)):
            return values
        level, time = (
            np.clip(at, axis[0], axis[-1]) for at, axis in ((level, self.amplitudes), (time, self.durations))
        )
        return np.maximum(values, interpolator(level, time))

    def _may_rise(self, name: str, direction: Direction) -> bool:
        return name.startswith("ber") and direction in self.rising

    def _pulses(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike, extrapolate: bool
    ) -> tuple[FloatArray, FloatArray]:
        """Amplitudes and durations, checked and broadcast to one shape."""
        if direction not in self.directions:
            raise InputError("direction", value=direction, allowed=" or ".join(map(repr, self.directions)))
        level, time = np.broadcast_arrays(
            np.asarray(amplitude, dtype=np.float64), np.asarray(duration, dtype=np.float64)
        )
        if extrapolate:
            return level, time
        return _inside("amplitude", level, self.amplitudes, "V"), _inside(
            "duration", time, self.durations, "s"
        )

    @functools.cached_property
    def _interpolators(self) -> dict[tuple[str, Direction, float | None], GridInterpolator]:
        """Interpolators that were asked for, as long as the surface lives."""
        return {}

    def _interpolator(self, name: str, direction: Direction, quantile: float | None) -> GridInterpolator:
        key = name, direction, quantile
        if key not in self._interpolators:
            self._interpolators[key] = self._new_interpolator(*key)
        return self._interpolators[key]

    def _new_interpolator(self, name: str, direction: Direction, quantile: float | None) -> GridInterpolator:
        values = self._of_direction(name, direction)
        if quantile is not None:
            values = values[..., self._array("quantile").tolist().index(quantile)]
        amplitudes, durations = refined(self.amplitudes), refined(self.durations)
        if np.isnan(values).any():
            unknown = np.full((len(amplitudes), len(durations)), np.nan)
            return GridInterpolator(amplitudes, durations, unknown)
        log = np.log10(np.maximum(values, SMALLEST_RATE))
        between = straight_or_cubic if self._may_rise(name, direction) else monotone_cubic
        fine = between(np.log(self.durations), log, np.log(durations))
        fine = between(self.amplitudes, fine.T, amplitudes).T
        if name.startswith("ber") and direction not in self.rising:
            for axis in (0, 1):
                fine = np.minimum.accumulate(fine, axis=axis)
        return GridInterpolator(amplitudes, durations, fine)


def targets(surface: SurfaceGrid) -> tuple[Target, ...]:
    """List the purposes of a pulse: each direction of a surface and, if it has two, both."""
    return (*surface.directions, "both") if len(surface.directions) > 1 else surface.directions


def directions_of(surface: SurfaceGrid, target: Target) -> tuple[Direction, ...]:
    """List the directions that a pulse for `target` serves."""
    return surface.directions if target == "both" else (target,)


def refined(grid: FloatArray) -> FloatArray:
    """Grid with seven additional points in each interval; the original points are kept exactly."""
    position = np.arange(len(grid), dtype=np.float64)
    fine = np.interp(np.linspace(0.0, len(grid) - 1.0, _REFINEMENT * (len(grid) - 1) + 1), position, grid)
    fine[::_REFINEMENT] = grid
    return fine


def _inside(thing: str, values: FloatArray, grid: FloatArray, unit: str) -> FloatArray:
    # Unit conversions round: a value outside by a rounding error counts as the edge.
    slack = 1e-9 * grid[-1]
    outside = ~((values >= grid[0] - slack) & (values <= grid[-1] + slack))
    if outside.any():
        raise OutsideGridError(
            thing,
            value=compact(float(values[outside].flat[0]), unit),
            allowed=f"{compact(grid[0], unit)} to {compact(grid[-1], unit)}, the grid of the surface",
            remedy="Sweep a larger grid, or ask for extrapolation in Python.",
        )
    return np.clip(values, grid[0], grid[-1])
