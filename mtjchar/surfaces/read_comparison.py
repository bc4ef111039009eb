"""Reads and bitwise operations of several runs: their operating points, and the reads that suit all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mtjchar.surfaces.bitwise_surface import BitwiseSurface
from mtjchar.surfaces.read_search import MINIMIZE, NO_POINT, read_of_all, usual_point
from mtjchar.surfaces.read_surface import ReadSurface
from mtjchar.sweep.bitwise_tasks import bitwise_of
from mtjchar.sweep.read_tasks import reads_of
from mtjchar.sweep.store import RunDirectory

__all__ = ["best_operations", "operating_points", "read_surfaces", "reads_for_all"]

_OF_OPERATION = (
    "error_rate", "extrapolated", "energy_J", "disturb_rate", "largest_offset", "smallest_contrast",
    "largest_spread",
)  # fmt: skip


def read_surfaces(runs: Mapping[str, RunDirectory]) -> dict[str, ReadSurface]:
    """Load the read surfaces of the runs whose studies ask for reads, by scenario."""
    return {name: ReadSurface.of_run(run.path) for name, run in runs.items() if reads_of(run.study)}


def operating_points(surfaces: Mapping[str, ReadSurface]) -> pd.DataFrame:
    """Tabulate the fastest and the cheapest read of each scenario with the usual rates.

    Returns
    -------
    DataFrame
        As `reads` of `mtjchar.surfaces.comparison.Comparison`.
    """
    rows = []
    for name, surface in surfaces.items():
        margin = float(surface.dataset["margin_deviations"].min("state").max())
        for minimize in MINIMIZE:
            point = usual_point(surface, minimize) or NO_POINT
            rows.append(
                {"scenario": name, "minimize": minimize}
                | point._asdict()
                | {"margin_unit": surface.margin_unit, "largest_margin_deviations": margin}
            )
    return pd.DataFrame(rows)


def reads_for_all(surfaces: Mapping[str, ReadSurface]) -> pd.DataFrame:
    """Tabulate the fastest and the cheapest read that has the usual rates in all scenarios.

    Returns
    -------
    DataFrame
        As `worst_reads` of `mtjchar.surfaces.comparison.Comparison`.
    """
    rows = []
    for minimize in MINIMIZE if surfaces else ():
        read = read_of_all(list(surfaces.values()), minimize)
        rows.append({"minimize": minimize} | _worst_of(surfaces, read))
    return pd.DataFrame(rows)


def _worst_of(surfaces: Mapping[str, ReadSurface], read: tuple[float, float] | None) -> dict[str, Any]:
    """Return the worst value of each number of a read, and its scenario."""
    points = {name: NO_POINT if read is None else one.point_at(*read) for name, one in surfaces.items()}
    deviations = {
        name: np.nan if read is None else float(one.margin_deviations(*read))
        for name, one in surfaces.items()
    }
    found: dict[str, Any] = {
        "voltage_V": np.nan if read is None else read[0],
        "time_s": np.nan if read is None else read[1],
    }
    columns: tuple[tuple[str, str, dict[str, float], Callable[..., str]], ...] = (
        ("read_error_rate", "error_in", {name: one.read_error_rate for name, one in points.items()}, max),
        ("disturb_rate", "disturb_in", {name: one.disturb_rate for name, one in points.items()}, max),
        ("margin_deviations", "margin_in", deviations, min),
        ("energy_J", "energy_in", {name: one.energy_J for name, one in points.items()}, max),
    )
    for column, where, values, worst in columns:
        name = worst(values, key=values.__getitem__)
        found |= {column: values[name], where: "" if read is None else name}
    return found | {"extrapolated": any(one.extrapolated for one in points.values())}


def best_operations(runs: Mapping[str, RunDirectory]) -> pd.DataFrame:
    """Tabulate bitwise operations of the runs whose studies ask for some, each at its own best read.

    Returns
    -------
    DataFrame
        As `bitwise` of `mtjchar.surfaces.comparison.Comparison`.
    """
    rows = []
    for name, run in runs.items():
        if bitwise_of(run.study) is None:
            continue
        surface = BitwiseSurface.of_run(run.path)
        for operation in surface.operations:
            voltage, time = surface.best_read(operation)
            point = surface.point(operation, voltage, time)
            rows.append(
                {"scenario": name, "operation": operation, "voltage_V": voltage, "time_s": time}
                | {column: getattr(point, column) for column in _OF_OPERATION}
                | {"level_unit": surface.level_unit}
            )
    return pd.DataFrame(rows)
