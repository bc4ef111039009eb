"""Figure of a trade-off."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mtjchar.plotting.files import save

_LARGEST_DROP_SHOWN = -5.0  # points; what lies below is in the table


def tradeoff_figure(table: pd.DataFrame, folder: str | Path) -> list[Path]:
    """Draw recognition rate against programming energy, one line a lever.

    Parameters
    ----------
    table : DataFrame
        As `mtjchar.network.tradeoff.tradeoff` returns it.
    folder : str or Path
        Where the figure goes; made if missing.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for lever, rows in table.groupby("lever", sort=False):
        rows = rows.sort_values("energy_saved_fraction")
        axes.errorbar(
            100.0 * rows["energy_saved_fraction"],
            -rows["accuracy_drop_points"],
            yerr=rows["accuracy_drop_ci95"],
            marker="s" if lever == "reliable" else "o",
            markersize=4,
            capsize=2,
            linestyle="none" if lever == "reliable" else "-",
            label=lever,
        )
    axes.axhline(-1.0, color="0.6", linewidth=0.8, linestyle="--")
    axes.annotate("1 point lost", (0.2, -1.0), xycoords=("axes fraction", "data"), va="bottom", color="0.4")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], _LARGEST_DROP_SHOWN))
    axes.set_xlabel("programming energy saved against the reliable pulse (%)")
    axes.set_ylabel("recognition rate against error-free writes (points)")
    axes.legend(title="lever", frameon=False)
    axes.grid(alpha=0.3)
    return save(figure, Path(folder), "tradeoff")
