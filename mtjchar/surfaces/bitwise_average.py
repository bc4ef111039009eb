"""Average of the reads of groups of cells to the error rates of bitwise operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from mtjchar import statistics
from mtjchar.arrays import FloatArray, IndexArray
from mtjchar.cells.reading import Reads
from mtjchar.errors import SimulationError
from mtjchar.physics import bitwise
from mtjchar.physics.bitwise import Operation
from mtjchar.study import Study
from mtjchar.surfaces import tails
from mtjchar.surfaces.average import judge_failures
from mtjchar.surfaces.bitwise_surface import FILE, BitwiseSurface
from mtjchar.surfaces.read_average import PopulationMean
from mtjchar.surfaces.schema import KIND_ATTRIBUTE
from mtjchar.sweep import read_store
from mtjchar.sweep.bitwise_tasks import bitwise_of, group_rows, reads_of_groups
from mtjchar.sweep.importance import Shift
from mtjchar.sweep.part_folders import GROUP_SAMPLES
from mtjchar.sweep.population import Population
from mtjchar.sweep.reading import as_counted
from mtjchar.sweep.store import MOST_FAILED, RunDirectory

__all__ = ["TARGET", "Curves", "Groups", "References", "average_bitwise", "bitwise_dataset"]

TARGET = 1e-6
"""Error rate for which a surface gives the offset, variability and contrast that an operation needs."""

_RATE = ("operation", "inputs", "voltage", "time")
_WORST = ("operation", "voltage", "time")
_COMPARED = ("operation", "comparison", "voltage", "time")
_INPUTS = ("inputs", "voltage", "time")

_VARIABLES = {
    "error_rate": (_RATE, "1", "probability of a wrong result, mean over groups of cells"),
    "error_rate_lower": (_RATE, "1", "2.5 % bound of error_rate"),
    "error_rate_upper": (_RATE, "1", "97.5 % bound of error_rate"),
    "effective_groups": (_RATE, "1", "effective number of groups that carry error_rate"),
    "extrapolated": (_RATE, "1", "whether too few effective groups carry error_rate, or it is below 1e-18"),
    "energy": (_RATE, "J", "energy of the operation: drivers, word lines, precharge and all decisions"),
    "reference": (_COMPARED, "level", "mean of the reference; NaN for a comparison that is not made"),
    "reference_deviation": (_COMPARED, "level", "standard deviation of the reference"),
    "reference_resistance": (
        _COMPARED,
        "ohm",
        "resistance that gives this reference in place of each junction of a nominal column",
    ),
    "largest_offset": (_WORST, "level", "largest deviation of the offset for 1e-6; NaN if there is none"),
    "smallest_contrast": (
        _WORST,
        "1",
        "smallest relative difference of the resistances (TMR) for 1e-6; NaN if it is beyond the range",
    ),
    "largest_spread": (
        _WORST,
        "1",
        "largest variability of the levels for 1e-6, over the study's, at most 10; NaN if there is none",
    ),
    "disturb_rate": (_INPUTS, "1", "probability that the read flips any of the cells"),
    "level": (_INPUTS, "level", "common level of the cells, mean over groups"),
    "level_deviation": (_INPUTS, "level", "standard deviation of the level over groups"),
}


def average_bitwise(run: str | Path, *, most_failed: float = MOST_FAILED) -> BitwiseSurface | None:
    """Average the groups of a run and write the result as ``bitwise.nc``.

    Parameters
    ----------
    run : str or Path
        Run directory of a finished sweep.
    most_failed : float, optional
        Share of the groups that may have failed at a read voltage and be left out; default 0.01.

    Returns
    -------
    BitwiseSurface or None
        None if the study asks for no bitwise operations.

    Raises
    ------
    InputError
        If the directory contains no groups, or a table of them is damaged.
    SimulationError
        If samples are missing, or more groups failed at some read voltage than `most_failed` allows.

    Warns
    -----
    UserWarning
        If fewer groups failed and were left out.
    """
    directory = RunDirectory.open(run)
    study = directory.study
    asked = bitwise_of(study)
    if asked is None:
        return None
    reads, samples = reads_of_groups(study), directory.samples(GROUP_SAMPLES)
    if len(samples) != group_rows(study):
        raise SimulationError(
            f"{directory.path} holds {len(samples)} of {group_rows(study)} samples of bitwise reads. "
            "Run `mtjchar sweep` to continue."
        )
    devices = read_store.read_table(directory, "bitwise_devices")
    table = read_store.read_table(directory, "bitwise_curves")
    failed = judge_failures(as_counted(samples), devices["weight"].to_numpy(), most_failed)
    curves, references = _curves(study, reads, table)
    versions = directory.record().versions
    attributes = {
        "study": study.to_toml(),
        KIND_ATTRIBUTE: study.kind.name,
        "seed": study.sweep.seed,
        "groups": asked.tuples,
        "level_unit": reads.unit,
        "samples_made_with": ", ".join(f"{name} {number}" for name, number in versions.items()),
        **({"failed": failed} if failed else {}),
    }
    groups = _groups(directory, reads, samples, devices, float(table["decision_J"].iloc[0]))
    surface = BitwiseSurface(bitwise_dataset(groups, reads, asked.chosen(), curves, references, attributes))
    surface.save(directory.path / FILE)
    return surface


class Groups(NamedTuple):
    """Reads of groups of cells; shape (groups, combinations, voltages, times).

    Attributes
    ----------
    level, disturb_rate, energy_J : ndarray
        As in `mtjchar.cells.reading.SensedTogether`; NaN where a read failed.
    decision_J : float
        Energy of one decision of an amplifier.
    weight : ndarray, shape (groups,)
    mean : PopulationMean
        Makes means over the groups with their intervals.
    varied : bool
        Whether groups differ.
    """

    level: FloatArray
    disturb_rate: FloatArray
    energy_J: FloatArray
    decision_J: float
    weight: FloatArray
    mean: PopulationMean
    varied: bool


class Curves(NamedTuple):
    """Levels of nominal cells, by which resistances and contrasts are converted.

    Attributes
    ----------
    resistance : ndarray, shape (resistances,)
        Ascending, ohm.
    resistance_level : ndarray, shape (resistances, voltages, times)
    contrast : ndarray, shape (contrasts,)
        Ascending; one is the study's.
    contrast_level : ndarray, shape (contrasts, combinations, voltages, times)
    nominal : float
        The study's contrast.
    """

    resistance: FloatArray
    resistance_level: FloatArray
    contrast: FloatArray
    contrast_level: FloatArray
    nominal: float

    def resistance_at(self, level: FloatArray) -> FloatArray:
        """Resistance of a level, shape (voltages, times); NaN outside of the curve."""
        found = np.full(level.shape, np.nan)
        for place in np.ndindex(level.shape):
            curve = self.resistance_level[(slice(None), *place)]
            order = np.argsort(curve)
            if np.isfinite(level[place]) and np.isfinite(curve).all():
                found[place] = np.interp(
                    level[place], curve[order], self.resistance[order], left=np.nan, right=np.nan
                )
        return found


class References(NamedTuple):
    """Levels of given references, one above each number of ones; shape (cells, voltages, times)."""

    mean: FloatArray
    deviation: FloatArray


def bitwise_dataset(
    groups: Groups,
    reads: Reads,
    operations: Sequence[Operation],
    curves: Curves,
    references: References | None,
    attributes: Mapping[str, object],
) -> xr.Dataset:
    """Average groups of cells to a surface of bitwise operations.

    Parameters
    ----------
    groups : Groups
    reads : Reads
    operations : sequence of Operation
        All of as many cells.
    curves : Curves
    references : References or None
        None: those that minimize the error rate of the worst combination of inputs.
    attributes : mapping
        Of the whole; the version and the rule for ``extrapolated`` are added.

    Notes
    -----
    Another contrast changes the level of each group, compared with that of all cells in state 0, by the
    factor by which it changes that of the nominal cells. Their spreads change by the same factor.
    """
    parts = [_operation(groups, reads, operation, curves, references) for operation in operations]
    values = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    values |= _of_inputs(groups, operations[0].cells)
    states = bitwise.combinations(operations[0].cells)
    unit = {"level": reads.unit}
    return xr.Dataset(
        {
            name: (dims, values[name], {"units": unit.get(units, units), "long_name": words})
            for name, (dims, units, words) in _VARIABLES.items()
        },
        coords={
            "operation": [operation.name for operation in operations],
            "inputs": ["".join(map(str, row)) for row in states],
            "comparison": np.arange(values["reference"].shape[1]),
            "voltage": ("voltage", reads.voltage_V, {"units": "V", "long_name": "read voltage"}),
            "time": ("time", reads.time_s, {"units": "s", "long_name": "sensing time"}),
        },
        attrs={
            **attributes,
            "offset": reads.offset,
            "noise": reads.noise,
            "contrast": curves.nominal,
            "target": TARGET,
            **groups.mean.in_words(),
            tails.ENOUGH_ATTRIBUTE: groups.mean.enough,
            "tails": tails.rule(groups.mean.enough),
            "mtjchar_version": version("mtjchar"),
        },
    )


def _groups(
    directory: RunDirectory, reads: Reads, samples: pd.DataFrame, devices: pd.DataFrame, decision_J: float
) -> Groups:
    """Arrange the samples of the groups."""
    study, asked = directory.study, bitwise_of(directory.study)
    assert asked is not None, "groups of a study without bitwise operations"
    shape = (asked.tuples, 2**asked.cells, len(reads.voltage_V), len(reads.time_s))
    level, disturb, energy = (
        samples[name].to_numpy().reshape(shape)
        for name in (f"level_{reads.unit}", "disturb_rate", "energy_J")
    )
    of_groups, record = devices.iloc[:: asked.cells], directory.record().bitwise_shift
    shift = None if record is None else Shift(np.array(record.directions), np.array(record.reach))
    drawn = study.kind.draws_nominal(study.tables)
    varied = drawn or any(spread.sigma > 0.0 for _, spread in study.tables.spreads())
    mean = PopulationMean(of_groups, shift, drawn, study.sweep.seed)
    return Groups(level, disturb, energy, decision_J, of_groups["weight"].to_numpy(), mean, varied)


def _curves(study: Study, reads: Reads, table: pd.DataFrame) -> tuple[Curves, References | None]:
    """Arrange the curves, and find the references of the study on them."""
    asked = bitwise_of(study)
    assert asked is not None, "curves of a study without bitwise operations"
    grid = len(reads.voltage_V), len(reads.time_s)

    def levels(curve: int) -> tuple[FloatArray, FloatArray]:
        rows = table[table["curve"] == curve]
        values = np.unique(rows["value"].to_numpy())
        return values, rows[f"level_{reads.unit}"].to_numpy().reshape(len(values), -1, *grid)

    resistance, of_resistance = levels(0)
    contrast, of_contrast = levels(1)
    nominal = study.kind.resistances(Population(study).nominal())
    curves = Curves(resistance, of_resistance[:, 0], contrast, of_contrast, nominal[1] / nominal[0] - 1.0)
    if asked.references == "optimal":
        return curves, None

    def level_at(value: FloatArray) -> FloatArray:
        nearest = np.abs(resistance - value[:, None]).argmin(axis=1)
        return np.asarray(curves.resistance_level[nearest])

    given = np.array(asked.references)
    above, below = (level_at(given * (1.0 + sign * asked.spread)) for sign in (1.0, -1.0))
    return curves, References(level_at(given), 0.5 * np.abs(above - below))


def _operation(
    groups: Groups, reads: Reads, operation: Operation, curves: Curves, given: References | None
) -> dict[str, npt.NDArray[np.generic]]:
    """Variables of one operation."""
    higher, weight = reads.one_is_higher, groups.weight
    ones, grid = np.array(operation.thresholds) - 1, groups.level.shape[2:]
    own = np.hypot(reads.offset, reads.noise)
    deviation = np.zeros((len(ones), *grid)) if given is None else given.deviation[ones]
    sigma = np.hypot(own, deviation)
    if given is None:
        reference = bitwise.optimal_references(groups.level, operation, sigma, weight, higher)
    else:
        reference = given.mean[ones]
    rates = bitwise.error_rates(groups.level, operation, reference, sigma, higher)
    averaged = groups.mean.rates("error_rate", rates)
    effective = groups.mean.effective(rates, groups.varied)
    flat = sigma.reshape(len(ones), -1)
    noise = np.hypot(reads.noise, deviation)
    return {
        **averaged,
        "effective_groups": effective,
        "extrapolated": tails.is_extrapolated(
            averaged["error_rate"], effective, groups.mean.enough
        ).astype(np.float64),
        "energy": statistics.weighted_mean(groups.energy_J, weight) + len(ones) * groups.decision_J,
        "reference": _padded(reference),
        "reference_deviation": _padded(deviation),
        "reference_resistance": _padded(np.stack([curves.resistance_at(level) for level in reference])),
        "largest_offset": bitwise.largest_offset(groups.level, operation, noise, TARGET, weight, higher),
        "largest_spread": bitwise.largest_spread(groups.level, operation, sigma, TARGET, weight, higher),
        "smallest_contrast": bitwise.smallest_tmr(
            _LevelsAt(groups.level, curves), operation, flat,
            (float(curves.contrast[0]), float(curves.contrast[-1])), TARGET, weight, higher,
        ).reshape(grid),
    }  # fmt: skip


class _LevelsAt:
    """Levels of the groups at other contrasts, for `mtjchar.physics.bitwise.smallest_tmr`."""

    def __init__(self, level: FloatArray, curves: Curves) -> None:
        self._level = level.reshape(*level.shape[:2], -1)
        self._low = self._level[:, :1]
        nominal = curves.contrast_level.reshape(*curves.contrast_level.shape[:2], -1)
        away = nominal - nominal[:, :1]
        own = int(np.argmin(np.abs(curves.contrast - curves.nominal)))
        with np.errstate(invalid="ignore", divide="ignore"):
            self._factor = np.where(away[own] == 0.0, 1.0, away / away[own])
        self._knots = np.log(curves.contrast)

    def __call__(self, contrast: FloatArray, pulse: IndexArray) -> FloatArray:
        place = np.interp(np.log(contrast), self._knots, np.arange(len(self._knots)))
        below = np.minimum(place.astype(np.intp), len(self._knots) - 2)
        share = place - below
        factor = self._factor[below, :, pulse] * (1.0 - share)[:, None]
        factor = factor + self._factor[below + 1, :, pulse] * share[:, None]
        low = self._low[..., pulse]
        return np.asarray(low + (self._level[..., pulse] - low) * factor.T)


def _of_inputs(groups: Groups, cells: int) -> dict[str, FloatArray]:
    """Variables that all operations have in common."""
    level, weight = groups.level, groups.weight
    mean = statistics.weighted_mean(level, weight)
    variance = statistics.weighted_mean((level - mean) ** 2, weight)
    first = statistics.weighted_mean(groups.disturb_rate, weight)
    # Cells of a group are drawn alike: what holds for the first holds for each with its own state first.
    states = bitwise.combinations(cells)
    powers = 2 ** np.arange(cells)[::-1]
    any_of = sum(first[np.roll(states, -cell, axis=1) @ powers] for cell in range(cells))
    return {
        "disturb_rate": np.minimum(any_of, 1.0),
        "level": mean,
        "level_deviation": np.sqrt(variance),
    }


def _padded(values: FloatArray) -> FloatArray:
    """Values of two comparisons, shape (2, ...); NaN for a missing one."""
    missing = np.full((2 - len(values), *values.shape[1:]), np.nan)
    return np.concatenate([values, missing])
