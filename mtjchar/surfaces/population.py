"""From the samples of single devices to the surface of the population."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from mtjchar.errors import SimulationError
from mtjchar.study import Study
from mtjchar.surfaces.surface import WriteSurface
from mtjchar.sweep.store import RunDirectory

FloatArray = npt.NDArray[np.float64]

QUANTILES = (0.05, 0.5, 0.95, 0.999)
_RESAMPLES = 1000
_MOST_FAILED = 0.01


def fit_surface(run: str | Path) -> WriteSurface:
    """Average the samples of a run over its devices and keep the surface as ``surface.nc``.

    Parameters
    ----------
    run : str or Path
        Run directory of a finished sweep.

    Returns
    -------
    WriteSurface
        Error rate (mean over devices, with the 95 % percentile interval of a bootstrap over devices, and
        device quantiles) and mean energies.

    Raises
    ------
    InputError
        If the directory holds no samples.
    SimulationError
        If samples are missing, or more than 1 % of the devices failed at some pulse: their error rates
        are unknown, and leaving them out would make the surface look better than it is.

    Warns
    -----
    UserWarning
        If up to 1 % failed and were left out.
    """
    directory = RunDirectory.open(run)
    study, samples = directory.study, directory.samples()
    expected = study.sweep.devices * study.sweep.amplitude.points * study.sweep.duration.points
    expected *= len(study.sweep.directions)
    if len(samples) != expected:
        raise SimulationError(
            f"{directory.path} holds {len(samples)} of {expected} samples; `mtjchar sweep` goes on with it."
        )
    failed = samples["status"].to_numpy() != "ok"
    _judge_failures(samples, failed)
    surface = WriteSurface(_dataset(study, samples))
    surface.save(directory.path / "surface.nc")
    return surface


def _judge_failures(samples: pd.DataFrame, failed: npt.NDArray[np.bool_]) -> None:
    if not failed.any():
        return
    share = pd.Series(failed).groupby([samples["direction"], samples["amplitude_V"]]).mean().max()
    reason = samples["reason"].to_numpy()[failed][0]
    message = (
        f"{failed.sum()} of {len(failed)} samples failed, up to {share:.2%} at one pulse; the first: {reason}"
    )
    if share > _MOST_FAILED:
        raise SimulationError(f"{message}. A surface needs 99 % of the devices at every pulse.")
    warnings.warn(f"{message}. They are left out of the means.", stacklevel=3)


def _dataset(study: Study, samples: pd.DataFrame) -> xr.Dataset:
    amplitudes = np.unique(samples["amplitude_V"])
    durations = np.unique(samples["duration_s"])
    directions = list(study.sweep.directions)
    columns: dict[str, list[FloatArray]] = {
        name: [] for name in ("ber", "ber_lower", "ber_upper", "ber_quantile", "energy", "redundant")
    }
    for direction in directions:
        rows = samples[samples["direction"] == direction]
        cube = (study.sweep.devices, len(amplitudes), len(durations))
        rate, energy, redundant = (
            rows[name].to_numpy().reshape(cube)
            for name in ("write_error_rate", "energy_J", "redundant_energy_J")
        )
        rng = np.random.default_rng([study.sweep.seed, directions.index(direction)])
        lower, upper = _bootstrap(rate, rng)
        mean = np.nanmean(rate, axis=0)
        columns["ber"].append(mean)
        columns["ber_lower"].append(np.minimum(lower, mean))
        columns["ber_upper"].append(np.maximum(upper, mean))
        columns["ber_quantile"].append(np.moveaxis(np.nanquantile(rate, QUANTILES, axis=0), 0, -1))
        columns["energy"].append(np.nanmean(energy, axis=0))
        columns["redundant"].append(np.nanmean(redundant, axis=0))
    dims = ("direction", "amplitude", "duration")
    stacked = {name: np.stack(column) for name, column in columns.items()}
    return xr.Dataset(
        {
            "ber": (dims, stacked["ber"], {"units": "1", "long_name": "write error rate, mean over devices"}),
            "ber_lower": (dims, stacked["ber_lower"], {"units": "1", "long_name": "2.5 % bound of ber"}),
            "ber_upper": (dims, stacked["ber_upper"], {"units": "1", "long_name": "97.5 % bound of ber"}),
            "ber_quantile": ((*dims, "quantile"), stacked["ber_quantile"], {"units": "1"}),
            "energy": (dims, stacked["energy"], {"units": "J", "long_name": "energy of a switching write"}),
            "redundant_energy": (dims, stacked["redundant"], {"units": "J"}),
        },
        coords={
            "direction": directions,
            "amplitude": ("amplitude", amplitudes, {"units": "V"}),
            "duration": ("duration", durations, {"units": "s", "long_name": "half rise to half fall"}),
            "quantile": ("quantile", list(QUANTILES)),
        },
        attrs={
            "study": study.to_toml(),
            "seed": study.sweep.seed,
            "devices": study.sweep.devices,
            "nominal_amplitude_V": study.nominal_amplitude,
            "interval": f"95 %, percentile bootstrap over devices, {_RESAMPLES} resamples",
            "mtjchar_version": version("mtjchar"),
        },
    )


def _bootstrap(rate: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """95 % percentile interval of the mean over devices (axis 0), failed devices left out."""
    devices, shape = len(rate), rate.shape[1:]
    flat = rate.reshape(devices, -1)
    counts = rng.multinomial(devices, np.full(devices, 1.0 / devices), size=_RESAMPLES).astype(float)
    known = np.isfinite(flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = counts @ np.where(known, flat, 0.0) / (counts @ known.astype(float))
    lower, upper = np.nanquantile(means, [0.025, 0.975], axis=0)
    return lower.reshape(shape), upper.reshape(shape)
