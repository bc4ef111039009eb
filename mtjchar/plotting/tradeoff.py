"""Figure of a trade-off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mtjchar.network.levers import BASELINE
from mtjchar.network.tradeoff import baseline_in_words
from mtjchar.plotting.axes import logarithmic_axis, marker_style, new_axes
from mtjchar.plotting.files import save

__all__ = ["energies_over_reads", "losses", "tradeoff_figure"]

_LARGEST_SHOWN = 5.0  # points lost; what lies below, and intervals that reach beyond, are in the table
_EXACT = "*p<>dh1234"  # markers of exact designs: those of no lever
_BESIDE: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}  # no name on a curve
_TICKS = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]) / 100.0


def tradeoff_figure(table: pd.DataFrame, by_read_energy: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Draw recognition rate over programming energy, and programming energy over the energy of a read.

    Parameters
    ----------
    table : DataFrame
        As `mtjchar.network.tradeoff.tradeoff` returns it. Rows with fresh seeds have large markers, filled
        where the loss is shown to be at most one point, with the band of the saving. Exact designs are black.
    by_read_energy : DataFrame
        As `mtjchar.network.tradeoff.over_read_energies` returns it.
    folder : str or Path
        Where the figure goes; made if missing.
    """
    figure = Figure(figsize=(14.0, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1.0])
    losses(table, left)
    energies_over_reads(by_read_energy, right)
    figure.suptitle(baseline_in_words(table), fontsize=9)
    return save(figure, Path(folder), "tradeoff")


def losses(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw recognition rate against that of error-free writes over programming energy.

    Parameters
    ----------
    table : DataFrame
        As for `tradeoff_figure`.
    ax : Axes, optional
        New ones if not given.
    """
    axes = new_axes(ax)
    exact = table[table["exact"]]
    for row, marker in zip(exact.to_dict("records"), _EXACT, strict=False):
        baseline = row["lever"] == BASELINE
        axes.plot(
            1.0 - row["energy_saved_fraction"],
            -row["accuracy_drop_points"],
            marker,
            markersize=6,
            markerfacecolor="black" if baseline else "none",
            color="black",
            label=f"{row['lever']} (baseline)" if baseline else f"{row['lever']} (exact)",
        )
    for k, (lever, rows) in enumerate(table[~table["exact"]].groupby("lever", sort=False)):
        _draw_lever(axes, str(lever), rows, k)
    axes.axhline(-1.0, color="0.6", linewidth=0.8, linestyle="--")
    axes.annotate("1 point lost", (0.98, -1.0), xycoords=("axes fraction", "data"), va="top", ha="right")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -_LARGEST_SHOWN), min(high, 0.4 * _LARGEST_SHOWN))
    axes.set_xscale("log")
    lowest = 1.0 - table["energy_saved_fraction"].max()
    axes.set_xticks(_TICKS[lowest / 2.0 < _TICKS], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set_xlim(0.7 * lowest, 1.3)
    axes.set_xlabel("programming energy, share of the baseline's")
    axes.set_ylabel("recognition rate against error-free writes (points)")
    axes.set_title("Large markers: fresh seeds, filled where the loss holds", fontsize=9)
    axes.legend(frameon=False, fontsize=7, **_BESIDE)
    axes.grid(alpha=0.3)
    return axes


def _draw_lever(axes: Axes, lever: str, rows: pd.DataFrame, k: int) -> None:
    """Draw the line of a search, and larger markers for what was trained again with fresh seeds."""
    style, confirmed, holds = marker_style(k), rows["confirmed"], rows["verdict"] == "holds"
    line: dict[str, Any] = {"markersize": 4, "linewidth": 1.0, "label": lever, **style}
    fresh: dict[str, Any] = {"markersize": 9, **style, "linestyle": "none"}
    for part, look in (
        (rows[~confirmed].sort_values("energy_saved_fraction"), line),
        (rows[confirmed & holds], fresh),
        (rows[confirmed & ~holds], {**fresh, "markerfacecolor": "white"}),
    ):
        if part.empty and look is not line:  # the line has the name
            continue
        saved = part["energy_saved_fraction"]
        band = np.nan_to_num([part["energy_saved_upper"] - saved, saved - part["energy_saved_lower"]])
        axes.errorbar(
            1.0 - saved, -part["accuracy_drop_points"], yerr=part["accuracy_drop_ci95"],
            xerr=None if look is line else np.clip(band, 0.0, None), capsize=2, elinewidth=0.7, **look,
        )  # fmt: skip


def energies_over_reads(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw programming energy over the energy of a read.

    Parameters
    ----------
    table : DataFrame
        As `mtjchar.network.tradeoff.over_read_energies` returns it.
    ax : Axes, optional
        New ones if not given.
    """
    axes, femto = new_axes(ax), 1e15
    first = table.groupby("read_energy_J", sort=False).first()
    exact = first["programming_energy_J"] / (1.0 - first["saved_against_exact_fraction"])
    axes.plot(femto * exact.index, 1e6 * exact, "k-", linewidth=2.0, label="best exact design")
    for k, (lever, rows) in enumerate(table.groupby("lever", sort=False)):
        axes.plot(
            femto * rows["read_energy_J"], 1e6 * rows["programming_energy_J"], markersize=5,
            markerfacecolor="none" if rows["exact"].all() else None, label=lever, **marker_style(k),
        )  # fmt: skip
    axes.set_yscale("log")
    logarithmic_axis(axes.yaxis, 1e6 * table["programming_energy_J"].to_numpy())
    axes.set_xlabel("energy of a read (fJ a bit)")
    axes.set_ylabel("programming energy of a training (µJ)")
    axes.set_title("Hollow markers: no write fails", fontsize=9)
    axes.legend(frameon=False, fontsize=7, **_BESIDE)
    axes.grid(alpha=0.3, which="both")
    return axes
