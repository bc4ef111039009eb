"""Average of the samples of single devices to the surface of the population."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.stats
import xarray as xr

from mtjchar import statistics
from mtjchar.arrays import FloatArray, IntArray
from mtjchar.errors import InputError, SimulationError
from mtjchar.files import checksum, write_bytes
from mtjchar.physics import splitting
from mtjchar.study import Study
from mtjchar.surfaces import rising, tails
from mtjchar.surfaces.schema import KIND_ATTRIBUTE
from mtjchar.surfaces.surface import WriteSurface
from mtjchar.sweep import failures
from mtjchar.sweep.population import Population
from mtjchar.sweep.schemas import AGAIN
from mtjchar.sweep.store import MOST_FAILED, RunDirectory

__all__ = [
    "COUNTED", "QUANTILES", "SPLIT", "average_devices", "averaged", "judge_failures", "surface_dataset",
]  # fmt: skip

QUANTILES = (0.05, 0.5, 0.95, 0.999)
COUNTED = (
    "error rates are counted: ber is errors/trials over all devices; where no error was seen it is the 95 % "
    "upper bound 1 - 0.05^(1/trials), ber_lower is 0 and ber_upper the bound"
)
"""Attributes of surfaces from counts."""
SPLIT = (
    "error rates are from splitting of weighted walkers, in independent replicas: ber is their mean over "
    "devices; errors is the number of counted errors with the same relative scatter. Devices whose rates "
    "were counted all the same are pooled as in surfaces from counts"
)
"""The same of surfaces from splitting."""

_VARIABLES = {
    "ber": ("1", "write error rate, mean over devices"),
    "ber_lower": ("1", "2.5 % bound of ber"),
    "ber_upper": ("1", "97.5 % bound of ber"),
    "ber_quantile": ("1", "quantile over devices of their error rates"),
    "effective_devices": (
        "1",
        "effective number of devices that carry ber, (sum w r)^2/sum (w r)^2; NaN where nothing varies from "
        "device to device, no error was counted, or the number of counted devices is not known",
    ),
    "extrapolated": ("1", "whether too few effective devices carry ber, or it is below 1e-18"),
    "trials": ("1", "counted writes"),
    "errors": ("1", "counted writes that failed, or as many as have the scatter of weighted ones"),
    "energy": ("J", "energy of a switching write"),
    "redundant_energy": ("J", "energy of a write of what is there already"),
    "supply_energy": ("J", "energy of a switching write at the supply"),
    "redundant_supply_energy": ("J", "energy of a redundant write at the supply"),
}


def average_devices(run: str | Path, *, most_failed: float = MOST_FAILED) -> WriteSurface:
    """Average the samples of a run over its devices and write the result as ``surface.nc``.

    Parameters
    ----------
    run : str or Path
        Run directory of a finished sweep.
    most_failed : float, optional
        Share of the devices that may have failed at a direction and amplitude and be left out; default 0.01.

    Returns
    -------
    WriteSurface
        Error rate (mean over devices, weighted where devices have weights, with its 95 % interval, device
        quantiles and the effective number of devices) and mean energies. Counted error rates also have
        ``trials`` and ``errors``, and are never below the resolution of that number of trials.

    Raises
    ------
    InputError
        If the directory contains no samples, or its table of devices is damaged.
    SimulationError
        If samples are missing, or more devices failed at some pulse than `most_failed` allows: their error
        rates are unknown, and leaving them out would make the surface look better than it is.

    Warns
    -----
    UserWarning
        If fewer devices failed and were left out; the attribute ``failed`` of the surface states it.
    """
    directory = RunDirectory.open(run)
    study, samples = directory.study, directory.samples()
    devices = directory.devices()
    expected = len(devices) * study.sweep.amplitude.points * study.sweep.duration.points
    expected *= len(study.sweep.directions)
    if len(samples) != expected:
        raise SimulationError(
            f"{directory.path} holds {len(samples)} of {expected} samples. Run `mtjchar sweep` to continue."
        )
    _check_grid(directory, samples, len(devices))
    failed = judge_failures(samples, devices["weight"].to_numpy(), most_failed)
    versions = directory.record().versions
    provenance = {"samples_made_with": ", ".join(f"{name} {number}" for name, number in versions.items())}
    if failed:
        provenance["failed"] = failed
    nominal = Population(study).nominal()
    if warnings := study.kind.foresee(study.tables, nominal, study.sweep.amplitude.stop).warnings:
        provenance[tails.WARNINGS_ATTRIBUTE] = "\n".join(warnings)
    surface = WriteSurface(_dataset(study, samples, devices).assign_attrs(provenance))
    content = surface.to_netcdf()
    write_bytes(directory.path / "surface.nc", content)
    directory.note(surface_file_sha256=checksum(content))
    return surface


def _check_grid(directory: RunDirectory, samples: pd.DataFrame, devices: int) -> None:
    """Refuse samples of other devices and pulses than the study's, and incomplete samples."""
    sweep = directory.study.sweep
    keys = {
        "device": np.arange(devices),
        "direction": np.array(sorted(sweep.directions), dtype=object),
        "amplitude_V": sweep.amplitude.values(),
        "duration_s": sweep.duration.values(),
    }
    wanted = np.meshgrid(*keys.values(), indexing="ij")
    for name, values in zip(keys, wanted, strict=True):
        if not np.array_equal(samples[name].to_numpy(), values.ravel()):
            raise InputError(
                f"{directory.path / 'samples'}: column {name}", value="other values than the study's",
                allowed="each device, direction and pulse of study.toml once", remedy=AGAIN,
            )  # fmt: skip


def judge_failures(samples: pd.DataFrame, weight: FloatArray, most_failed: float) -> str:
    """Describe the failures, empty if there are none; refuse too many of them."""
    failed = samples["status"].to_numpy() != "ok"
    if not failed.any():
        return ""
    weight = weight[samples["device"].to_numpy()]
    # Counted and weighted: light devices are a small part of the population, but they determine its tail.
    share = max(failures.worst_share(failures.count_failed(samples, size)) for size in (weight, weight > 0.0))
    reason = samples["reason"].to_numpy()[failed][0].splitlines()[0]
    message = (
        f"{failed.sum()} of {len(failed)} samples failed, up to {share:.2%} at one pulse; the first: {reason}"
    )
    if share > most_failed:
        allowed = failures.share_to_allow(share)
        remedy = "The folder failures/ of the sweep gives the reasons."
        if allowed < 1.0:
            remedy = f"`mtjchar surface DIR --allow-failed {allowed:g}` makes a surface of the others."
        raise SimulationError(
            f"{message}. A surface needs {1.0 - most_failed:.0%} of the devices at every pulse. {remedy}"
        )
    warnings.warn(f"{message}. They are left out of the means.", stacklevel=3)
    return message


def _dataset(study: Study, samples: pd.DataFrame, devices: pd.DataFrame) -> xr.Dataset:
    amplitudes = np.unique(samples["amplitude_V"])
    durations = np.unique(samples["duration_s"])
    directions = list(study.sweep.directions)
    weight, replicate = devices["weight"].to_numpy(), devices["replicate"].to_numpy()
    counted = bool((samples["trials"] > 0).any())
    drawn = study.kind.draws_nominal(study.tables)
    plain = bool(replicate.max() > 0 and np.all(weight == 1.0)) and not (drawn or counted)
    varied = drawn or any(spread.sigma > 0.0 for _, spread in study.tables.spreads())
    parts = []
    for direction in directions:
        rows = samples[samples["direction"] == direction]
        cube = (len(devices), len(amplitudes), len(durations))
        rate, energy, redundant, trials = (
            rows[name].to_numpy().reshape(cube)
            for name in ("write_error_rate", "energy_J", "redundant_energy_J", "trials")
        )
        rng = np.random.default_rng([study.sweep.seed, directions.index(direction)])
        interval = statistics.draw_interval if drawn else statistics.replicate_interval
        rates = (
            _split(rate, rows["standard_error"].to_numpy().reshape(cube), trials, rng)
            if study.split
            else _counted(rate, trials, rng)
            if counted
            else averaged(rate, weight, replicate, rng, interval, plain)
        )
        effective = statistics.effective_number(rate, weight)
        if not varied:  # identical devices are the whole population, whatever their number
            effective = np.full_like(effective, np.nan)
        parts.append(
            {
                **rates,
                "ber_quantile": statistics.weighted_quantiles(rate, weight, QUANTILES),
                "effective_devices": effective,
                "energy": statistics.weighted_mean(energy, weight),
                "redundant_energy": statistics.weighted_mean(redundant, weight),
                **{
                    name.removesuffix("_J"): statistics.weighted_mean(
                        rows[name].to_numpy().reshape(cube), weight
                    )
                    for name in study.kind.further_columns(study.tables)
                },
            }
        )
    attributes = {
        "study": study.to_toml(),
        KIND_ATTRIBUTE: study.kind.name,
        "seed": study.sweep.seed,
        "devices": len(devices),
        "nominal_amplitude_V": study.nominal_amplitude,
        tails.ENOUGH_ATTRIBUTE: tails.enough_of_plain_sample(len(devices)) if plain else tails.ENOUGH_DEVICES,
        **_in_words(counted, replicate, weight, drawn),
        **(_SPLIT_IN_WORDS if study.split else {}),
        **rising.attributes(study.kind.rising(study.tables)),
    }
    values = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return surface_dataset(directions, amplitudes, durations, values, attributes)


def averaged(
    rate: FloatArray,
    weight: FloatArray,
    replicate: IntArray,
    rng: np.random.Generator,
    interval: Callable[[FloatArray, FloatArray, IntArray], tuple[FloatArray, FloatArray]],
    plain: bool,
) -> dict[str, FloatArray]:
    """Average exact error rates over devices, with the interval: ``ber``, ``ber_lower``, ``ber_upper``."""
    mean = statistics.weighted_mean(rate, weight)
    if replicate.max() > 0:
        lower, upper = interval(rate, weight, replicate)
        if plain:  # the distribution of such means is skewed, which the scatter of replicates does not show
            low, high = statistics.bootstrap(rate, rng)
            lower, upper = np.minimum(lower, low), np.maximum(upper, high)
    else:
        lower, upper = statistics.bootstrap(rate, rng)
    return {
        "ber": mean,
        "ber_lower": np.minimum(lower, mean),
        "ber_upper": np.clip(upper, mean, np.maximum(mean, 1.0)),
    }


def _counted(rate: FloatArray, trials: IntArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Pool counts; the interval is that of all writes together, united with that over devices."""
    written = np.where(np.isfinite(rate), trials, 0)
    errors = np.rint(np.where(written > 0, rate, 0.0) * written).sum(axis=0)
    written = written.sum(axis=0)
    pooled = statistics.clopper_pearson(errors, written)
    lower, upper = statistics.bootstrap(rate, rng)
    return {
        "ber": pooled.rate,
        "ber_lower": np.minimum(lower, pooled.lower),
        "ber_upper": np.maximum(upper, pooled.upper),
        "trials": written,
        "errors": errors.astype(np.int64),
    }


def _split(
    rate: FloatArray, error: FloatArray, trials: IntArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Average rates from splitting, with standard errors, and pool those that are counted (NaN)."""
    known, split = np.isfinite(rate), np.isfinite(error)
    devices = np.maximum(split.sum(axis=0), 1)
    mean = np.where(split, rate, 0.0).sum(axis=0) / devices
    # Devices are independent; few replicas stand behind the error of each.
    relative = np.sqrt(np.where(split, error**2, 0.0).sum(axis=0)) / devices
    relative /= np.maximum(mean, np.finfo(float).tiny)
    reach = np.exp(scipy.stats.t.ppf(1.0 - 0.5 * statistics.OUTSIDE, splitting.REPLICAS - 1) * relative)
    written = np.where(known & ~split, trials, 0)
    failed = np.rint(np.where(written > 0, rate, 0.0) * written).sum(axis=0)
    pooled = statistics.clopper_pearson(failed, np.maximum(written.sum(axis=0), 1))
    share = split.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    lower, upper = statistics.bootstrap(rate, rng)
    none = ~split.any(axis=0)
    alike = np.where(none, 0.0, np.maximum(np.rint(np.where(none, 1.0, relative) ** -2.0), 1.0))
    ber = share * mean + (1.0 - share) * pooled.rate
    return {
        "ber": ber,
        "ber_lower": np.minimum(lower, share * mean / reach + (1.0 - share) * pooled.lower),
        "ber_upper": np.clip(upper, share * mean * reach + (1.0 - share) * pooled.upper, 1.0).clip(ber),
        "trials": np.where(known, trials, 0).sum(axis=0),
        "errors": (failed + alike).astype(np.int64),
    }


_SPLIT_IN_WORDS = {
    "interval": f"95 %, percentile bootstrap over devices, {statistics.RESAMPLES} resamples, united with "
    "Student's t over the replicas of splitting, in ln(ber)",
    "counts": SPLIT,
}


def _in_words(counted: bool, replicate: IntArray, weight: FloatArray, drawn: bool) -> dict[str, str]:
    """Attributes that state the origin of estimate and interval."""
    sampling = "devices as they are distributed, weight 1"
    interval = f"95 %, percentile bootstrap over devices, {statistics.RESAMPLES} resamples"
    if np.any(weight != 1.0):
        sampling = "importance sampling over the variability, self-normalized weights"
    if replicate.max() > 0:
        interval = f"95 %, Student's t over {replicate.max() + 1} independent Sobol replicates, in ln(ber)"
        if not np.any(weight != 1.0):
            interval += f", united with a percentile bootstrap over devices, {statistics.RESAMPLES} resamples"
    if drawn:
        sampling += f"; {replicate.max() + 1} stacks drawn from the covariance of the study's fit"
        interval = (
            f"95 %, prediction over {replicate.max() + 1} stacks drawn from a fit, Student's t in ln(ber)"
        )
    if counted:
        interval = f"95 %, percentile bootstrap over devices, {statistics.RESAMPLES} resamples"
        interval += ", united with the Clopper-Pearson interval of the pooled counts"
        return {"sampling": sampling, "interval": interval, "counts": COUNTED}
    return {"sampling": sampling, "interval": interval}


def surface_dataset(
    directions: Sequence[str],
    amplitudes: FloatArray,
    durations: FloatArray,
    values: Mapping[str, npt.NDArray[np.generic]],
    attributes: Mapping[str, object],
) -> xr.Dataset:
    """Assemble a surface.

    Parameters
    ----------
    directions : sequence of str
    amplitudes, durations : ndarray
        V and s, ascending.
    values : mapping
        Over (direction, amplitude, duration): ``ber``, its bounds, ``effective_devices``, ``energy``, … ;
        ``ber_quantile`` over `QUANTILES` too, on the last axis. ``extrapolated`` is added.
    attributes : mapping
        Of the whole; the version and the rule for ``extrapolated`` are added.
    """
    dims = ("direction", "amplitude", "duration")
    enough_devices = float(str(attributes.get(tails.ENOUGH_ATTRIBUTE, tails.ENOUGH_DEVICES)))
    extrapolated = tails.is_extrapolated(values["ber"], values["effective_devices"], enough_devices)
    values = {**values, "extrapolated": extrapolated}
    ordered = [name for name in _VARIABLES if name in values]
    return xr.Dataset(
        {
            name: (
                (*dims, "quantile") if name == "ber_quantile" else dims,
                values[name],
                {"units": _VARIABLES[name][0], "long_name": _VARIABLES[name][1]},
            )
            for name in ordered
        },
        coords={
            "direction": directions,
            "amplitude": ("amplitude", amplitudes, {"units": "V"}),
            "duration": ("duration", durations, {"units": "s", "long_name": "half rise to half fall"}),
            "quantile": ("quantile", list(QUANTILES)),
        },
        attrs={**attributes, "tails": tails.rule(enough_devices), "mtjchar_version": version("mtjchar")},
    )
