"""Interpolation of a read surface: its axes, and its values between the grid points."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import InputError, OutsideGridError
from mtjchar.surfaces import tails
from mtjchar.surfaces.grid import SMALLEST_RATE, refined
from mtjchar.surfaces.interpolation import GridInterpolator, cubic_beside_valleys, monotone_cubic
from mtjchar.units import compact

if TYPE_CHECKING:  # not needed to query numbers, and slow to load
    import xarray as xr

__all__ = ["STATES", "ReadGrid", "ReadPoint", "State"]

State = Literal[0, 1]
"""State of a bit."""

STATES: tuple[State, State] = (0, 1)


class ReadPoint(NamedTuple):
    """A read with its rates; those of the worse state.

    Parameters
    ----------
    voltage_V, time_s : float
        Read voltage and sensing time.
    read_error_rate, disturb_rate : float
    margin : float
        Smaller mean sense margin, in the unit of the surface.
    energy_J : float
        Mean over both states.
    extrapolated : bool
        Whether too few devices carry one of the rates, or the read error rate is below 1e-18.
    """

    voltage_V: float
    time_s: float
    read_error_rate: float
    disturb_rate: float
    margin: float
    energy_J: float
    extrapolated: bool = False


class ReadGrid:
    """Read error rate, disturb rate, margin and energy on a grid of reads, by state.

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

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset

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

    @functools.cached_property
    def _interpolators(self) -> dict[tuple[str, State], GridInterpolator]:
        """Interpolators that were asked for, as long as the surface lives."""
        return {}

    def _interpolator(self, name: str, state: State) -> GridInterpolator:
        if (name, state) not in self._interpolators:
            self._interpolators[name, state] = self._new_interpolator(name, state)
        return self._interpolators[name, state]

    def _new_interpolator(self, name: str, state: State) -> GridInterpolator:
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
