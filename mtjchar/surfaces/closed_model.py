"""A closed physical model of a write surface: few parameters with uncertainties, which extrapolate.

It applies to cells with a junction that a current through it switches; other cell kinds have only the table.

The table (`mtjchar.surfaces.WriteSurface`) interpolates and refuses pulses outside its grid.
docs/surface_model.md describes the model and its accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.cells import Direction
from mtjchar.cells.stt.kind import SttCell
from mtjchar.errors import InputError
from mtjchar.statistics import NORMAL_QUANTILE
from mtjchar.study.load import read_written
from mtjchar.surfaces.energy_model import EnergyFit, extrapolation_error, fit_energy, fit_load
from mtjchar.surfaces.grid import SurfaceGrid
from mtjchar.surfaces.rate_model import Junction, Load, RateFit, fit_rate
from mtjchar.sweep.population import Population
from mtjchar.units import compact

__all__ = ["GOOD_ENOUGH", "RANGE", "DirectionModel", "SurfaceModel", "fit_model"]

RANGE = (1e-15, 0.9999)
"""Range of the fitted error rates."""

_START = {"p_to_ap": 1.0, "ap_to_p": -1.0}
"""m_z of the junction before a write."""

GOOD_ENOUGH = 0.1
"""Decades. A model with a larger deviation at any point reports it."""

_GOOD_ENERGY = 0.01
_LEAST_POINTS = 25
_LEAST_AMPLITUDES = 4


@dataclass(frozen=True)
class DirectionModel:
    """The model of one direction and its deviation from the surface.

    Attributes
    ----------
    rate : RateFit
    energy : EnergyFit or None
        None if the surface has no energies.
    residuals : xarray.Dataset
        ``log10_ber`` and the surface's own ``standard_error`` of it (decades, NaN where a point was not
        fitted), ``extrapolated`` (whether the surface's error rate is), ``energy`` and ``redundant_energy``
        (relative), model minus surface, over amplitude (V) and duration (s).
    reduced_chi_square : float
    """

    rate: RateFit
    energy: EnergyFit | None
    residuals: xr.Dataset
    reduced_chi_square: float

    def log10_ber(self, amplitude: FloatArray, duration: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Decimal logarithm of the error rate and its standard error; V and s, of one shape."""
        log = self.rate.log10_ber(amplitude, duration)
        own = self.rate.standard_error(amplitude, duration)
        return log, np.hypot(own, _scatter(self.residuals, amplitude, duration, log))


@dataclass(frozen=True)
class SurfaceModel:
    """Error rates and energies of a closed physical model, inside and outside the grid.

    Attributes
    ----------
    fits : mapping of Direction to DirectionModel
    """

    fits: Mapping[Direction, DirectionModel]

    def ber(self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike) -> FloatArray:
        """Write error rate, mean over devices.

        Parameters
        ----------
        direction : str
            One of `fits`.
        amplitude, duration : array_like
            V and s, above 0; they broadcast.

        Returns
        -------
        ndarray
            Error rate, at most 1; 0 if it is below the smallest floating-point number.

        Raises
        ------
        InputError
            For a direction that was not swept, or pulses that are not finite and positive.
        """
        fit = self._of(direction)
        return np.asarray(10.0 ** fit.rate.log10_ber(*_pulses(amplitude, duration)))

    def ber_interval(
        self, direction: Direction, amplitude: npt.ArrayLike, duration: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds of the 95 % interval of `ber`; same parameters and errors.

        Notes
        -----
        Normal in log10 BER. The variance is that of the parameters (delta method) plus the square of the
        scatter of the residuals, which grows in proportion to the distance from the fitted points (in widths
        of the grid) and, below the lowest fitted rate, to the logarithm of the rate. Nothing is verified
        below 1e-18, see `mtjchar.surfaces.tails`.
        """
        fit = self._of(direction)
        level, time = _pulses(amplitude, duration)
        log, error = fit.log10_ber(level, time)
        reach = NORMAL_QUANTILE * error
        return 10.0 ** (log - reach), np.minimum(10.0 ** (log + reach), 1.0)

    def energy(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        switching: bool = True,
    ) -> FloatArray:
        """Mean energy of one write, J.

        Parameters
        ----------
        direction : str
            One of `fits`.
        amplitude, duration : array_like
            V and s, above 0; they broadcast.
        switching : bool, optional
            Whether the bit has to switch; otherwise the energy of a redundant write in that direction.

        Raises
        ------
        InputError
            As for `ber`, and if the surface has no energies.
        """
        fit = self._of(direction)
        level, time = _pulses(amplitude, duration)
        return _energies(fit, direction).energy(level, time, fit.rate.log10_ber, switching=switching)

    def energy_interval(
        self,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        *,
        switching: bool = True,
    ) -> tuple[FloatArray, FloatArray]:
        """Bounds of the 95 % interval of `energy`; same parameters and errors.

        Notes
        -----
        The variance has three parts. The first is the change of the mean time before the switching if log10
        BER is off by its own standard error, all along the pulse. The second is the largest residual, because
        residuals are systematic and not noise. The third applies beyond the amplitudes of the grid and is
        proportional to the distance; its size is measured by leaving amplitudes out of the fit and predicting
        them. The sampling of devices is not included, because the energies of a surface have no interval.
        """
        fit = self._of(direction)
        level, time = _pulses(amplitude, duration)

        def energy(errors: float) -> FloatArray:
            def log10_ber(level: FloatArray, time: FloatArray) -> FloatArray:
                log, error = fit.log10_ber(level, time)
                return np.minimum(log + errors * error, 0.0)

            return _energies(fit, direction).energy(level, time, log10_ber, switching=switching)

        residual = fit.residuals["energy" if switching else "redundant_energy"]
        outside = residual.attrs["error_a_width_outside"] * _beyond(residual["amplitude"].to_numpy(), level)
        middle = energy(0.0)
        error = np.hypot(0.5 * (energy(1.0) - energy(-1.0)), outside * middle)
        reach = np.hypot(NORMAL_QUANTILE * error, float(np.abs(residual).max()) * middle)
        return np.maximum(middle - reach, 0.0), middle + reach

    def parameters(self, direction: Direction) -> xr.Dataset:
        """Fitted values with units, standard errors and correlations.

        Returns
        -------
        xarray.Dataset
            ``value``, ``standard_error`` and ``unit`` over ``parameter``; ``correlation`` over ``parameter``
            and ``other``. ``form``, the chosen form of the current over amplitude, is an attribute.

        Raises
        ------
        InputError
            For a direction that was not swept.
        """
        rate = self._of(direction).rate
        error = np.sqrt(np.diag(rate.covariance))
        correlation = rate.covariance / np.outer(error, error)
        return xr.Dataset(
            {
                "value": ("parameter", rate.values),
                "standard_error": ("parameter", error),
                "unit": ("parameter", list(rate.units)),
                "correlation": (("parameter", "other"), correlation),
            },
            coords={"parameter": list(rate.names), "other": list(rate.names)},
            attrs={"form": rate.form.name},
        )

    def residuals(self, direction: Direction) -> xr.Dataset:
        """Return model minus surface on the grid, see `DirectionModel.residuals`.

        Raises
        ------
        InputError
            For a direction that was not swept.
        """
        return self._of(direction).residuals

    def report(self) -> str:
        """Parameters, misfit, and a statement if the model is not good enough, as text."""
        return "\n\n".join(_report(direction, fit, self) for direction, fit in self.fits.items())

    def _of(self, direction: Direction) -> DirectionModel:
        if direction not in self.fits:
            raise InputError("direction", value=direction, allowed=" or ".join(map(repr, self.fits)))
        return self.fits[direction]


def fit_model(surface: SurfaceGrid) -> SurfaceModel:
    """Fit the closed model to a surface, separately for each direction.

    Parameters
    ----------
    surface : SurfaceGrid

    Returns
    -------
    SurfaceModel

    Raises
    ------
    InputError
        If the cells are of a kind without such a model, or error rates rise again; if a direction has fewer
        than 25 points between error rates of 1e-15 and 0.9999 with a lower bound above 0, or has them at
        fewer than 4 amplitudes.
    """
    for direction in surface.directions:
        if direction not in _START:
            raise InputError(
                "directions of the surface",
                value=", ".join(surface.directions),
                allowed=" or ".join(_START),
                remedy="The closed model is that of a junction; the table of the surface has no such limit.",
            )
    if surface.rising:
        raise InputError(
            "error rates of the surface",
            value=f"rise again in {', '.join(surface.rising)}: {surface.rising_reason}",
            allowed="rates that only fall with amplitude and duration, as those of the closed model do",
            remedy="Ask the table of the surface, and sweep the pulses that you need.",
        )
    return SurfaceModel({direction: _fit_direction(surface, direction) for direction in surface.directions})


def _fit_direction(surface: SurfaceGrid, direction: Direction) -> DirectionModel:
    data = surface.dataset.sel(direction=direction)
    ber, lower, upper, switching, redundant = (
        np.asarray(data[name].transpose("amplitude", "duration").to_numpy(), dtype=np.float64)
        for name in ("ber", "ber_lower", "ber_upper", "energy", "redundant_energy")
    )
    amplitude, duration = surface.amplitudes, surface.durations
    used = (ber >= RANGE[0]) & (ber <= RANGE[1]) & (lower > 0.0) & np.isfinite(upper)
    _check_points(direction, used)
    has_energy = bool(np.all(switching > 0.0) and np.all(redundant > 0.0))
    load: Load | None = None
    if has_energy:
        load = fit_load(amplitude, duration, ber, switching, redundant)
        load = load._replace(junction=_junction(surface, direction))

    level, time = np.broadcast_arrays(amplitude[:, None], duration[None, :])
    log = np.log10(ber[used])
    error = np.log10(upper[used] / lower[used]) / (2.0 * NORMAL_QUANTILE)
    rate, chi_square = fit_rate(level[used], time[used], log, error, load, GOOD_ENOUGH)
    misfit, own_error = np.full((2, *ber.shape), np.nan)
    misfit[used] = rate.log10_ber(level[used], time[used]) - log
    own_error[used] = error

    extrapolated = surface.is_extrapolated(direction, amplitude[:, None], duration)
    columns = {"log10_ber": misfit, "standard_error": own_error, "extrapolated": extrapolated}
    energy = None
    if load is not None:
        energy = fit_energy(load, amplitude, duration, switching, redundant, rate.log10_ber)
        for name, given, kind in (("energy", switching, True), ("redundant_energy", redundant, False)):
            columns[name] = energy.energy(level, time, rate.log10_ber, switching=kind) / given - 1.0
    residuals = xr.Dataset(
        {name: (("amplitude", "duration"), values) for name, values in columns.items()},
        coords={"amplitude": ("amplitude", amplitude), "duration": ("duration", duration)},
        attrs={"lowest_log10_ber": float(log.min())},
    )
    if energy is not None:
        errors = extrapolation_error(amplitude, duration, ber, switching, redundant, rate.log10_ber)
        for name, away in zip(("energy", "redundant_energy"), errors, strict=True):
            residuals[name].attrs["error_a_width_outside"] = away
    return DirectionModel(rate, energy, residuals, chi_square)


def _junction(surface: SurfaceGrid, direction: Direction) -> Junction | None:
    """Junction of an STT study; None without one, with a torque per current or a second barrier."""
    text = str(surface.dataset.attrs.get("study", ""))
    if not text:
        return None
    study = read_written(text, "attribute study of the surface")
    if study.kind.name != SttCell.name:
        return None
    if study.stack.torque == "current" or study.stack.second_barrier is not None:
        return None
    device = Population(study).nominal().iloc[0]
    return Junction(
        float(device["parallel_resistance_ohm"]),
        float(device["tmr"]),
        study.stack.tmr_half_bias,
        _START[direction],
    )


def _check_points(direction: Direction, used: BoolArray) -> None:
    points, amplitudes = int(used.sum()), int(used.any(axis=1).sum())
    if points < _LEAST_POINTS or amplitudes < _LEAST_AMPLITUDES:
        raise InputError(
            f"points of {direction} with an error rate between {RANGE[0]:g} and {RANGE[1]:g}",
            value=f"{points} at {amplitudes} amplitudes",
            allowed=f"at least {_LEAST_POINTS} at {_LEAST_AMPLITUDES} amplitudes",
            remedy="Sweep a grid that has more pulses between never and always writing.",
        )


def _energies(fit: DirectionModel, direction: Direction) -> EnergyFit:
    if fit.energy is None:
        raise InputError(
            "energy of the surface model", value=direction, allowed="a surface that holds energies"
        )
    return fit.energy


def _pulses(amplitude: npt.ArrayLike, duration: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    level, time = np.broadcast_arrays(
        np.asarray(amplitude, dtype=np.float64), np.asarray(duration, dtype=np.float64)
    )
    for thing, values, unit in (("amplitude", level, "V"), ("duration", time, "s")):
        wrong = ~(np.isfinite(values) & (values > 0.0))
        if wrong.any():
            raise InputError(thing, value=float(values[wrong].flat[0]), allowed=f"finite, above 0 {unit}")
    return level, time


def _scatter(residuals: xr.Dataset, level: FloatArray, time: FloatArray, log: FloatArray) -> FloatArray:
    """Estimate the standard deviation, in decades, due to the misfit of the model."""
    misfit = residuals["log10_ber"].to_numpy()
    spread = np.sqrt(np.nanmean(misfit**2))
    outside = _beyond(residuals["amplitude"].to_numpy(), level)
    outside = outside + _beyond(np.log(residuals["duration"].to_numpy()), np.log(time))
    # If nearly every write fails, log10 BER is near 0 for any model, so the misfit is not visible.
    depth = np.minimum(-log, 1.0) * np.maximum(log / residuals.attrs["lowest_log10_ber"], 1.0)
    return np.asarray(spread * (1.0 + outside) * depth)


def _beyond(grid: FloatArray, values: FloatArray) -> FloatArray:
    """Distance from a grid over its width; 0 inside."""
    outside = np.maximum(np.maximum(grid[0] - values, values - grid[-1]), 0.0)
    return np.asarray(outside / (grid[-1] - grid[0]))


def _report(direction: Direction, fit: DirectionModel, model: SurfaceModel) -> str:
    table = model.parameters(direction)
    lines = [
        f"{direction}: current of the {fit.rate.form.name} form, reduced chi-square "
        f"{fit.reduced_chi_square:.3g}"
    ]
    for name in table["parameter"].to_numpy():
        row = table.sel(parameter=name)
        value, error = float(row["value"]), float(row["standard_error"])
        lines.append(f"  {name:17s} {value:11.4g} +- {error:8.2g} {row['unit'].item()}".rstrip())
    lines += _strongest_correlations(table)
    lines += [
        _rate_statement(fit.residuals),
        *_tail_statement(fit.residuals),
        *_energy_statements(fit.residuals),
    ]
    return "\n".join(lines)


def _strongest_correlations(table: xr.Dataset) -> list[str]:
    names = table["parameter"].to_numpy()
    matrix = table["correlation"].to_numpy()
    pairs = [
        (abs(matrix[j, k]), j, k) for j in range(len(names)) for k in range(j) if abs(matrix[j, k]) > 0.9
    ]
    strong = [f"{names[k]} and {names[j]} {matrix[j, k]:+.2f}" for _, j, k in sorted(pairs, reverse=True)[:5]]
    return [f"  strongest correlations: {'; '.join(strong)}"] if strong else []


def _rate_statement(residuals: xr.Dataset) -> str:
    values = residuals["log10_ber"].to_numpy()
    size = np.nan_to_num(np.abs(values))
    count, fitted = int((size > GOOD_ENOUGH).sum()), int(np.isfinite(values).sum())
    row, column = np.unravel_index(int(size.argmax()), size.shape)
    amplitude, duration = residuals["amplitude"].to_numpy(), residuals["duration"].to_numpy()
    at = f"{compact(amplitude[row], 'V', 4)} and {compact(duration[column], 's', 4)}"
    worst = f"{values[row, column]:+.2f} decades at {at}"
    limit = f"off by more than {GOOD_ENOUGH:g} decade"
    if count == 0:
        return f"  error rate: no point of {fitted} is {limit}; the worst by {worst}"
    rows, columns = np.nonzero(size > GOOD_ENOUGH)
    reach = NORMAL_QUANTILE * residuals["standard_error"].to_numpy()[rows, columns]
    beyond = int((size[rows, columns] > reach).sum())
    return (
        f"  error rate: NOT GOOD ENOUGH, {count} of {fitted} points are {limit}, "
        f"between {compact(amplitude[rows.min()], 'V', 4)} and {compact(amplitude[rows.max()], 'V', 4)}, "
        f"{compact(duration[columns.min()], 's', 4)} and {compact(duration[columns.max()], 's', 4)}, "
        f"{beyond} of them beyond the surface's own 95 % interval; the worst by {worst}"
    )


def _tail_statement(residuals: xr.Dataset) -> list[str]:
    """State how many of the fitted error rates are extrapolated in the surface itself."""
    fitted = np.isfinite(residuals["log10_ber"].to_numpy())
    count = int((fitted & residuals["extrapolated"].to_numpy()).sum())
    if not count:
        return []
    return [
        f"  tail: too few effective devices carry {count} of {fitted.sum()} fitted points; there the model's "
        "intervals are too narrow"
    ]


def _energy_statements(residuals: xr.Dataset) -> list[str]:
    lines = []
    for name, words in (("energy", "energy"), ("redundant_energy", "energy of redundant writes")):
        if name in residuals:
            worst = float(np.abs(residuals[name]).max())
            verdict = "" if worst <= _GOOD_ENERGY else "NOT GOOD ENOUGH, "
            lines.append(f"  {words}: {verdict}off by at most {worst:.2%}")
    return lines or ["  energy: none in the surface"]
