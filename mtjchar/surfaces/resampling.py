"""A surface on another grid of pulses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.errors import InputError
from mtjchar.surfaces.grid import refined
from mtjchar.surfaces.surface import WriteSurface
from mtjchar.units import compact

__all__ = ["resample"]

_PULSE = ("amplitude", "duration")


def resample(
    surface: WriteSurface, amplitudes: npt.ArrayLike | None = None, durations: npt.ArrayLike | None = None
) -> WriteSurface:
    """Interpolate a surface onto another grid.

    Parameters
    ----------
    surface : WriteSurface
    amplitudes, durations : array_like, optional
        V and s, two or more different values of each, within the grid of `surface`. If neither is given,
        the grid is eight times finer than that of `surface`, so that linear interpolation of log10(BER) on it
        equals `surface`. If one is given, the other axis keeps its values.

    Returns
    -------
    WriteSurface
        With the variables that `WriteSurface` interpolates: error rates with interval, device quantiles and
        effective devices, and energies. Other variables over amplitude or duration, such as counts, are left
        out.

    Raises
    ------
    OutsideGridError
        For a pulse outside the grid.
    InputError
        For fewer than two values.

    Examples
    --------
    >>> import mtjchar
    >>> surface = mtjchar.WriteSurface.load("run/surface.nc")
    >>> mtjchar.surfaces.resample(surface, amplitudes=[0.7, 0.75, 0.8]).amplitudes
    array([0.7 , 0.75, 0.8 ])
    """
    finer = refined if amplitudes is None and durations is None else np.asarray
    axes = {
        "amplitude": finer(surface.amplitudes) if amplitudes is None else _axis("amplitudes", amplitudes),
        "duration": finer(surface.durations) if durations is None else _axis("durations", durations),
    }
    old = surface.dataset
    kept = [name for name in old.data_vars if not set(old[name].dims) & set(_PULSE)]
    new = old[kept].drop_vars(_PULSE, errors="ignore").assign_coords(direction=old["direction"])
    new = new.assign_coords({name: (name, values, old[name].attrs) for name, values in axes.items()})
    if "quantile" in old.coords:
        new = new.assign_coords(quantile=old["quantile"])
    for name, values in _interpolated(surface, axes["amplitude"], axes["duration"]).items():
        new[name] = (old[name].dims, values.astype(old[name].dtype), old[name].attrs)
    return WriteSurface(new.assign_attrs(resampled=_in_words(surface)))


def _axis(name: str, values: npt.ArrayLike) -> FloatArray:
    axis = np.unique(np.asarray(values, dtype=np.float64))
    if len(axis) < 2 or not np.isfinite(axis).all():
        raise InputError(name, value=axis.tolist(), allowed="two or more different finite values")
    return axis


def _interpolated(
    surface: WriteSurface, amplitudes: FloatArray, durations: FloatArray
) -> dict[str, npt.NDArray[np.generic]]:
    """Values by the names of the surface's variables."""
    at = amplitudes[:, None], durations[None, :]
    rows: dict[Direction, dict[str, npt.NDArray[np.generic]]] = {}
    for direction in surface.directions:
        lower, upper = surface.ber_interval(direction, *at)
        rows[direction] = {
            "ber": surface.ber(direction, *at),
            "ber_lower": lower,
            "ber_upper": upper,
            "effective_devices": surface.effective_devices(direction, *at),
            "extrapolated": surface.is_extrapolated(direction, *at),
            "energy": surface.energy(direction, *at),
            "redundant_energy": surface.energy(direction, *at, switching=False),
        }
        if "ber_quantile" in surface.dataset:
            quantiles = surface.dataset["quantile"].to_numpy().tolist()
            rates = [surface.device_ber(direction, *at, quantile=quantile) for quantile in quantiles]
            rows[direction]["ber_quantile"] = np.stack(rates, axis=-1)
        if surface.knows_supply_energy:
            for name, switching in (("supply_energy", True), ("redundant_supply_energy", False)):
                rows[direction][name] = surface.energy(direction, *at, switching=switching, at_supply=True)
    names = [name for name in rows[surface.directions[0]] if name in surface.dataset]
    return {name: np.stack([rows[direction][name] for direction in surface.directions]) for name in names}


def _in_words(surface: WriteSurface) -> str:
    volts, seconds = surface.amplitudes, surface.durations
    return (
        f"from {len(volts)} amplitudes, {compact(volts[0], 'V')} to {compact(volts[-1], 'V')}, "
        f"and {len(seconds)} durations, {compact(seconds[0], 's')} to {compact(seconds[-1], 's')}"
    )
