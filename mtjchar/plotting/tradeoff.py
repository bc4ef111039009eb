"""Figure of a trade-off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mtjchar.network.tradeoff import BASELINE, baseline_in_words
from mtjchar.plotting.files import save

__all__ = ["tradeoff_figure"]

_LARGEST_SHOWN = 5.0  # points lost; what lies below, and intervals that reach beyond, are in the table
_TICKS = np.array([2, 3, 5, 10, 20, 30, 50, 100]) / 100.0


def tradeoff_figure(table: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Draw recognition rate against programming energy, one line a lever.

    Parameters
    ----------
    table : DataFrame
        As `mtjchar.network.tradeoff.tradeoff` returns it. Rows with fresh seeds are drawn as stars.
    folder : str or Path
        Where the figure goes; made if missing.
    """
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots()
    for k, (lever, rows) in enumerate(table.groupby("lever", sort=False)):
        colour = "black" if lever == BASELINE else f"C{k - 1}"
        searched = rows[~rows["confirmed"]].sort_values("energy_saved_fraction")
        axes.errorbar(
            1.0 - searched["energy_saved_fraction"],
            -searched["accuracy_drop_points"],
            yerr=searched["accuracy_drop_ci95"],
            marker="s" if lever == BASELINE else "o",
            markersize=4,
            capsize=2,
            linewidth=1.0,
            elinewidth=0.7,
            linestyle="none" if lever == BASELINE else "-",
            color=colour,
            label=lever,
        )
        fresh = rows[rows["confirmed"]]
        axes.plot(
            1.0 - fresh["energy_saved_fraction"],
            -fresh["accuracy_drop_points"],
            "*",
            markersize=10,
            markeredgecolor="white",
            color=colour,
        )
    axes.axhline(-1.0, color="0.6", linewidth=0.8, linestyle="--")
    axes.annotate("1 point lost", (0.98, -1.0), xycoords=("axes fraction", "data"), va="top", ha="right")
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -_LARGEST_SHOWN), min(high, 0.4 * _LARGEST_SHOWN))
    axes.set_xscale("log")
    lowest = 1.0 - table["energy_saved_fraction"].max()
    axes.set_xticks(_TICKS[lowest / 2.0 < _TICKS], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlim(0.8 * lowest, 1.15)
    axes.set_xlabel("programming energy, share of the baseline's")
    axes.set_ylabel("recognition rate against error-free writes (points)")
    axes.set_title(baseline_in_words(table) + " Stars: fresh seeds.", fontsize=8)
    axes.legend(title="lever", frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    return save(figure, Path(folder), "tradeoff")
