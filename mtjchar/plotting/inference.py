"""Figure of what a programmed network does over time and reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mtjchar.plotting.files import save

__all__ = ["inference_figure"]


def inference_figure(table: pd.DataFrame, folder: str | Path, name: str = "inference") -> list[Path]:
    """Draw recognition rate and wrong bits over time, one line a number of reads.

    Where there is one time only they are drawn over the number of reads.

    Parameters
    ----------
    table : DataFrame
        As `mtjchar.network.inference.infer_over_time` returns it. Rows at time 0 and infinity are left out of
        the lines.
    folder : str or Path
        Where the figure goes; made if missing.
    name : str, optional
        Name of its files without ending.
    """
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    over_time = table["time_s"].nunique() > 1
    x, other = ("time_s", "reads") if over_time else ("reads", "time_s")
    for value, rows in table.groupby(other, sort=True):
        shown = rows[(rows[x] > 0) & np.isfinite(rows[x])].sort_values(x)
        label = f"{value:.3g} reads" if over_time else f"{value:.3g} s"
        above.errorbar(
            shown[x], shown["accuracy_mean"], yerr=shown["accuracy_ci95"], marker="o", markersize=3,
            capsize=2, linewidth=1.0, label=label,
        )  # fmt: skip
        below.plot(shown[x], shown["wrong_bits_fraction"], marker="o", markersize=3, linewidth=1.0)
    above.set_ylabel("recognition rate")
    above.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    above.legend(frameon=False, fontsize=8)
    below.set_ylabel("wrong bits, fraction")
    if (table["wrong_bits_fraction"] > 0.0).any():
        below.set_yscale("log")
    below.set_xlabel("time after programming (s)" if over_time else "reads of every cell")
    below.set_xscale("log")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return save(figure, Path(folder), name)
