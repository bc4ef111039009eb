"""Comparison of scenarios: runs at several corners and temperatures, of several transistors or stacks."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.cells.footprint import Footprint
from mtjchar.errors import InputError, printable
from mtjchar.statistics import weighted_quantiles
from mtjchar.surfaces.grid import RELIABLE, CheapestPulse, Target, directions_of, targets
from mtjchar.surfaces.levers import LEVER_RATES, OUT_OF_REACH, compare_levers, reached
from mtjchar.surfaces.read_comparison import (
    best_operations,
    operating_points,
    read_surfaces,
    reads_for_all,
)
from mtjchar.surfaces.search import pulse_at
from mtjchar.surfaces.surface import WriteSurface
from mtjchar.surfaces.worst_case import worst_case
from mtjchar.sweep.store import RunDirectory

__all__ = ["Comparison", "compare", "energy_curves"]


@dataclass(frozen=True)
class Comparison:
    """Differences between runs, in their studies and in their results.

    Parameters
    ----------
    surfaces : dict of str to WriteSurface
        By the name of the scenario.
    differences : DataFrame
        A row for each key of the study that differs (the index), a column for each scenario with its value
        in the form of the study file, empty if it has none.
    reference : CheapestPulse or None
        The first run's nominal amplitude with the duration that has a BER of 1e-9 there in every direction;
        None if no duration has.
    results : DataFrame
        A row per direction (``both``: one pulse for both) and scenario: `direction`, `scenario`, the cheapest
        pulse for `ber` as `amplitude_V`, `duration_s`, `energy_J`, with its `effective_devices` and whether
        its rate is `extrapolated`; `reference_ber` (with `reference_effective_devices` and
        `reference_extrapolated`) and `reference_median_device_ber`, those of the population and of the median
        device at the reference pulse; medians over the devices of the columns that the cell kind names
        in `compared`; `transistor_width_m` and `area_F2` of its cell. NaN if out of reach, outside the
        scenario's grid, or not defined by the scenario's kind of cell.
    reads : DataFrame
        A row per scenario with a read surface, and for the fastest and the cheapest read (`minimize`) with a
        read error rate of 1e-9 and a disturb rate of 1e-12: `scenario`, `minimize`, the fields of
        `mtjchar.surfaces.ReadPoint`, NaN if out of reach, and `margin_unit`; the largest margin of the
        worse state over the grid, in standard deviations, is `largest_margin_deviations`. Empty without any.
    worst_reads : DataFrame
        A row for the fastest and the cheapest read that has these rates in all scenarios (`minimize`):
        `voltage_V` and `time_s`, NaN if there is none on the part that all grids have; the worst
        `read_error_rate`, `disturb_rate`, `margin_deviations` and `energy_J` there, each with its scenario as
        `error_in`, `disturb_in`, `margin_in` and `energy_in`; `extrapolated`, whether a rate of any scenario
        is. Empty if no run has a read surface.
    bitwise : DataFrame
        A row per scenario with bitwise operations and per operation, at the read of the grid with its lowest
        error rate: `scenario`, `operation`, `voltage_V`, `time_s`, the numbers of
        `mtjchar.surfaces.BitwisePoint`, and `level_unit`, the unit of `largest_offset`. Empty without any.
    worst_case : DataFrame
        A row per direction: the cheapest pulse that reaches the rate in all scenarios, and the worst
        scenario, as `mtjchar.surfaces.worst_case.worst_case` returns it.
    """

    surfaces: dict[str, WriteSurface]
    differences: pd.DataFrame
    reference: CheapestPulse | None
    results: pd.DataFrame
    worst_case: pd.DataFrame
    reads: pd.DataFrame = field(default_factory=pd.DataFrame)
    worst_reads: pd.DataFrame = field(default_factory=pd.DataFrame)
    bitwise: pd.DataFrame = field(default_factory=pd.DataFrame)


def compare(runs: Sequence[str | Path], ber: float = RELIABLE) -> Comparison:
    """Compare run directories.

    Parameters
    ----------
    runs : sequence of str or Path
        Two or more run directories with surfaces; a scenario has the name of its folder.
    ber : float, optional
        Error rate of the cheapest pulses.

    Raises
    ------
    InputError
        For fewer than two directories, the same one twice, one without a surface or device table, runs of
        different directions, or an invalid error rate.
    """
    folders = [Path(run) for run in runs]
    _check_folders(folders)
    directories = dict(zip(_names(folders), map(RunDirectory.open, folders), strict=True))
    surfaces = {name: WriteSurface.of_run(run.path) for name, run in directories.items()}
    first = next(iter(surfaces.values()))
    _check_directions(directories, surfaces)
    reference = reached(first, "both", RELIABLE, "duration")
    rows = [
        {"direction": target, "scenario": name, "ber": ber}
        | _answers(surface, target, ber, reference)
        | _medians(directories[name], surface)
        | _footprint(directories[name], surface)
        for target in targets(first)
        for name, surface in surfaces.items()
    ]
    results = pd.DataFrame(rows)
    worst = worst_case(surfaces, results)
    reads = read_surfaces(directories)
    return Comparison(
        surfaces, _differences(directories), reference, results, worst,
        operating_points(reads), reads_for_all(reads), best_operations(directories),
    )  # fmt: skip


def energy_curves(comparison: Comparison) -> pd.DataFrame:
    """Energy of the cheapest pulse over the error rate, at each decade of `LEVER_RATES`.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    DataFrame
        `scenario`, and the columns of `mtjchar.surfaces.compare_levers` for its lever ``both``.
    """
    tables = [
        compare_levers(surface, target, LEVER_RATES[::2], levers=("both",)).assign(scenario=name)
        for name, surface in comparison.surfaces.items()
        for target in targets(surface)
    ]
    return pd.concat(tables, ignore_index=True)


def _answers(
    surface: WriteSurface,
    target: Target,
    ber: float,
    reference: CheapestPulse | None,
) -> dict[str, float | bool]:
    cheapest = reached(surface, target, ber) or OUT_OF_REACH
    answers = {
        "amplitude_V": cheapest.amplitude_V,
        "duration_s": cheapest.duration_s,
        "energy_J": cheapest.energy_J,
        "effective_devices": cheapest.effective_devices,
        "extrapolated": cheapest.extrapolated,
    }
    there, median = OUT_OF_REACH, np.nan
    if reference is not None:
        pulse = reference.amplitude_V, reference.duration_s
        try:
            there = pulse_at(surface, target, *pulse)
            median = max(
                float(surface.device_ber(direction, *pulse)) for direction in directions_of(surface, target)
            )
        except InputError:
            pass  # it was swept over other pulses, or counted without quantiles of devices
    return answers | {
        "reference_ber": there.ber,
        "reference_effective_devices": there.effective_devices,
        "reference_extrapolated": there.extrapolated,
        "reference_median_device_ber": median,
    }


def _medians(run: RunDirectory, surface: WriteSurface) -> dict[str, float]:
    devices = run.devices()
    weight = devices["weight"].to_numpy()
    return {
        f"median_{name}": float(weighted_quantiles(devices[name].to_numpy(), weight, (0.5,))[0])
        for name in surface.kind.compared
    }


def _footprint(run: RunDirectory, surface: WriteSurface) -> dict[str, float]:
    found = surface.kind.footprint(run.study.tables)
    return {name: np.nan if found is None else getattr(found, name) for name in Footprint._fields}


def _differences(runs: dict[str, RunDirectory]) -> pd.DataFrame:
    studies = {name: _flat(tomllib.loads(run.study.to_toml())) for name, run in runs.items()}
    table = pd.DataFrame(studies, dtype=object).fillna("").astype(str).map(_rounded)
    return table[table.nunique(axis=1) > 1].rename_axis("key")


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _rounded(value: str) -> str:
    """Value without the rounding errors of unit conversion: 3.0000000000000004e-07 m is 3e-07 m."""
    number, *unit = value.split(" ", 1)
    try:
        return " ".join([f"{float(number):.9g}", *unit])
    except ValueError:
        return value


def _names(folders: list[Path]) -> list[str]:
    """Names of the folders, with as many of their parents as are needed to distinguish them."""
    parts = [folder.resolve().parts for folder in folders]
    depth = 1
    while len({path[-depth:] for path in parts}) < len(parts):
        depth += 1
    names = [printable("/".join(path[-depth:])) for path in parts]
    if len(set(names)) < len(names):
        raise InputError("run directories", value=names, allowed="different names")
    return names


def _check_folders(folders: list[Path]) -> None:
    if len(folders) < 2:
        raise InputError(
            "run directories",
            value=[str(folder) for folder in folders],
            allowed="two or more",
            remedy="`mtjchar pulse` and `mtjchar query` answer for a single run.",
        )
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise InputError(
                "run directories",
                value=str(folder),
                allowed="each directory once",
                remedy="It is given twice.",
            )
        seen.add(folder.resolve())


def _check_directions(runs: dict[str, RunDirectory], surfaces: dict[str, WriteSurface]) -> None:
    first = next(iter(surfaces))
    for name, surface in surfaces.items():
        if set(surface.directions) != set(surfaces[first].directions):
            raise InputError(
                f"directions of {runs[name].path}",
                value=", ".join(surface.directions),
                allowed=f"{', '.join(surfaces[first].directions)}, as in {runs[first].path}",
                remedy="Sweep the same directions, or compare runs that have them.",
            )
