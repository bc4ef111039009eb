"""Average of the reads of single devices to the read surface of the population."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its submodules are loaded on use
import xarray as xr

from mtjchar import statistics
from mtjchar.arrays import FloatArray
from mtjchar.cells.reading import Reads
from mtjchar.errors import InputError, SimulationError
from mtjchar.surfaces import tails
from mtjchar.surfaces.average import QUANTILES, averaged, judge_failures
from mtjchar.surfaces.read_surface import ReadSurface
from mtjchar.surfaces.schema import KIND_ATTRIBUTE
from mtjchar.sweep import read_store
from mtjchar.sweep.importance import Shift
from mtjchar.sweep.part_folders import READ_SAMPLES
from mtjchar.sweep.read_population import controls
from mtjchar.sweep.read_tasks import margin_column, read_rows, reads_of, total_deviation
from mtjchar.sweep.reading import as_counted
from mtjchar.sweep.schemas import AGAIN
from mtjchar.sweep.store import MOST_FAILED, RunDirectory

__all__ = ["average_reads"]

_DEVICES_PER_CONTROL = 8  # a fit needs more devices than functions

_LONG_NAMES = {
    "read_error_rate": "read error rate, mean over devices, offset, noise and reference",
    "read_error_rate_lower": "2.5 % bound of read_error_rate",
    "read_error_rate_upper": "97.5 % bound of read_error_rate",
    "read_error_rate_quantile": "quantile over devices of their read error rates",
    "effective_devices": "effective number of devices that carry read_error_rate; NaN if nothing varies",
    "extrapolated": "whether too few effective devices carry read_error_rate, or it is below 1e-18",
    "disturb_rate": "probability that a read flips the state, mean over devices",
    "disturb_rate_lower": "2.5 % bound of disturb_rate",
    "disturb_rate_upper": "97.5 % bound of disturb_rate",
    "disturb_effective_devices": "effective number of devices that carry disturb_rate; NaN if nothing varies",
    "disturb_extrapolated": "whether too few effective devices carry disturb_rate",
    "margin": "sense margin, mean over devices: distance from the mean reference to the level of the state",
    "margin_deviations": "sense margin over the standard deviation of devices, offset, noise and reference",
    "energy": "energy of a read, mean over devices",
}


def average_reads(run: str | Path, *, most_failed: float = MOST_FAILED) -> ReadSurface | None:
    """Average the reads of a run over its devices and write the result as ``read.nc``.

    Parameters
    ----------
    run : str or Path
        Run directory of a finished sweep.
    most_failed : float, optional
        Share of the devices that may have failed at a read voltage and be left out; default 0.01.

    Returns
    -------
    ReadSurface or None
        None if the study asks for no reads.

    Raises
    ------
    InputError
        If the directory contains no reads, or a table of them is damaged.
    SimulationError
        If samples are missing, or more devices failed at some read voltage than `most_failed` allows.

    Warns
    -----
    UserWarning
        If fewer devices failed and were left out.
    """
    directory = RunDirectory.open(run)
    study = directory.study
    reads = reads_of(study)
    if reads is None:
        return None
    samples, devices = directory.samples(READ_SAMPLES), read_store.read_devices(directory)
    if len(samples) != read_rows(study):
        raise SimulationError(
            f"{directory.path} holds {len(samples)} of {read_rows(study)} samples of reads. "
            "Run `mtjchar sweep` to continue."
        )
    _check_grid(directory, reads, samples, len(devices))
    failed = judge_failures(as_counted(samples), devices["weight"].to_numpy(), most_failed)
    versions = directory.record().versions
    provenance = {"samples_made_with": ", ".join(f"{name} {number}" for name, number in versions.items())}
    if failed:
        provenance["failed"] = failed
    surface = ReadSurface(_dataset(directory, reads, samples, devices).assign_attrs(provenance))
    surface.save(directory.path / "read.nc")
    return surface


def _check_grid(directory: RunDirectory, reads: Reads, samples: pd.DataFrame, devices: int) -> None:
    """Refuse samples of other devices and reads than the study's."""
    keys = {
        "device": np.arange(devices),
        "state": np.arange(2),
        "voltage_V": reads.voltage_V,
        "time_s": reads.time_s,
    }
    wanted = np.meshgrid(*keys.values(), indexing="ij")
    for name, values in zip(keys, wanted, strict=True):
        if not np.array_equal(samples[name].to_numpy(), values.ravel()):
            raise InputError(
                f"{directory.path / READ_SAMPLES.name}: column {name}", value="other values than the study's",
                allowed="each device, state and read of study.toml once", remedy=AGAIN,
            )  # fmt: skip


def _dataset(
    directory: RunDirectory, reads: Reads, samples: pd.DataFrame, devices: pd.DataFrame
) -> xr.Dataset:
    study = directory.study
    shape = (len(devices), 2, len(reads.voltage_V), len(reads.time_s))
    margin, error, disturb, energy = (
        samples[name].to_numpy().reshape(shape)
        for name in (margin_column(reads), "read_error_rate", "disturb_rate", "energy_J")
    )
    shift = read_store.read_shift(directory, devices)
    mean = _Mean(devices, shift, study.kind.draws_nominal(study.tables), study.sweep.seed)
    varied = any(spread.sigma > 0.0 for _, spread in study.tables.spreads()) or mean.drawn
    weight = devices["weight"].to_numpy()
    average = mean.of(margin)
    between = np.maximum(mean.of((margin - average) ** 2), 0.0)
    total = total_deviation(reads, read_store.read_reference(directory))
    values: dict[str, npt.NDArray[np.generic]] = {
        **mean.rates("read_error_rate", error),
        "read_error_rate_quantile": statistics.weighted_quantiles(error, weight, QUANTILES),
        "effective_devices": mean.effective(error, varied),
        **mean.rates("disturb_rate", disturb),
        "disturb_effective_devices": mean.effective(disturb, varied),
        "margin": average,
        "margin_deviations": average / np.maximum(np.sqrt(between + total**2), np.finfo(float).tiny),
        "energy": mean.of(energy),
    }
    values["extrapolated"] = tails.is_extrapolated(
        values["read_error_rate"], values["effective_devices"], mean.enough
    )
    values["disturb_extrapolated"] = np.asarray(
        np.asarray(values["disturb_effective_devices"], dtype=np.float64) < mean.enough
    )
    attributes = {
        "study": study.to_toml(),
        KIND_ATTRIBUTE: study.kind.name,
        "seed": study.sweep.seed,
        "devices": len(devices),
        "margin_unit": reads.unit,
        "offset": reads.offset,
        "noise": reads.noise,
        tails.ENOUGH_ATTRIBUTE: mean.enough,
        "tails": tails.rule(mean.enough),
        "mtjchar_version": version("mtjchar"),
        **mean.in_words(),
    }
    return _assembled(reads, values, attributes)


def _assembled(
    reads: Reads, values: Mapping[str, npt.NDArray[np.generic]], attributes: Mapping[str, object]
) -> xr.Dataset:
    dims = ("state", "voltage", "time")
    units = {"margin": reads.unit, "energy": "J"}
    return xr.Dataset(
        {
            name: (
                (*dims, "quantile") if name.endswith("_quantile") else dims,
                values[name],
                {"units": units.get(name, "1"), "long_name": long_name},
            )
            for name, long_name in _LONG_NAMES.items()
        },
        coords={
            "state": ("state", [0, 1]),
            "voltage": ("voltage", reads.voltage_V, {"units": "V", "long_name": "read voltage"}),
            "time": ("time", reads.time_s, {"units": "s", "long_name": "sensing time"}),
            "quantile": ("quantile", list(QUANTILES)),
        },
        attrs=dict(attributes),
    )


class _Mean:
    """Means over the devices that are read, with their intervals."""

    def __init__(self, devices: pd.DataFrame, shift: Shift | None, drawn: bool, seed: int) -> None:
        self.drawn = drawn
        self._weight = devices["weight"].to_numpy()
        self._replicate = devices["replicate"].to_numpy().astype(np.int64)
        self._in_replicates = bool(self._replicate.max() > 0)
        self._plain = self._in_replicates and bool(np.all(self._weight == 1.0)) and not drawn
        self._rng = np.random.default_rng([seed, 0x5EAD])
        self._controls: tuple[FloatArray, FloatArray] | None = None
        if shift is not None and not drawn:
            functions = controls(shift, devices)
            if _DEVICES_PER_CONTROL * len(functions[1]) <= len(devices):
                self._controls = functions

    @property
    def enough(self) -> float:
        """Effective devices that an interval requires."""
        devices = len(self._weight)
        return tails.enough_of_plain_sample(devices) if self._plain else tails.ENOUGH_DEVICES

    def effective(self, rate: FloatArray, varied: bool) -> FloatArray:
        """Effective number of devices that carry a rate; identical devices are the whole population."""
        effective = statistics.effective_number(rate, self._weight)
        return effective if varied else np.full_like(effective, np.nan)

    def of(self, values: FloatArray) -> FloatArray:
        """Return the mean of values that are not rates."""
        if self._controls is None or not np.isfinite(values).all():
            return statistics.weighted_mean(values, self._weight)
        return statistics.controlled_mean(values, self._weight, self._replicate, *self._controls)[0]

    def rates(self, name: str, rate: FloatArray) -> dict[str, npt.NDArray[np.generic]]:
        """Return the mean of rates and its 95 % interval, by names that begin with `name`."""
        interval = statistics.draw_interval if self.drawn else statistics.replicate_interval
        found = averaged(rate, self._weight, self._replicate, self._rng, interval, self._plain)
        bounds = found["ber"], found["ber_lower"], found["ber_upper"]
        if self._controls is not None and np.isfinite(rate).all():
            bounds = self._with_controls(rate, *bounds)
        return dict(zip((name, f"{name}_lower", f"{name}_upper"), bounds, strict=True))

    def _with_controls(
        self, rate: FloatArray, mean: FloatArray, lower: FloatArray, upper: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Take the mean with control variates where its interval is narrower."""
        assert self._controls is not None
        better, error = statistics.controlled_mean(rate, self._weight, self._replicate, *self._controls)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            quantile = scipy.stats.t.ppf(1.0 - 0.5 * statistics.OUTSIDE, int(self._replicate.max()))
            factor = np.exp(quantile * error / better)
            narrower = (better > 0.0) & (better <= 1.0) & (factor**2 < upper / lower)
        return (
            np.where(narrower, better, mean),
            np.where(narrower, better / factor, lower),
            np.where(narrower, np.minimum(better * factor, 1.0), upper),
        )

    def in_words(self) -> dict[str, str]:
        """Attributes that state the origin of estimate and interval."""
        sampling = "devices as they are distributed, weight 1"
        interval = f"95 %, percentile bootstrap over devices, {statistics.RESAMPLES} resamples"
        if self._in_replicates:
            replicates = f"{self._replicate.max() + 1} independent Sobol replicates"
            interval = f"95 %, Student's t over {replicates}, in ln(rate)"
        if np.any(self._weight != 1.0):
            sampling = "importance sampling over the variability, self-normalized weights"
        if self._controls is not None:
            sampling += f"; {len(self._controls[1])} control variates where they make the interval narrower"
        return {"sampling": sampling, "interval": interval}
