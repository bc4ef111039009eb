"""Figure of what a programmed network does over time and reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mtjchar.plotting.axes import logarithmic_axis, marker_style, new_axes
from mtjchar.plotting.files import save
from mtjchar.units import compact

__all__ = ["accuracy_over_time", "inference_figure", "wrong_bits_over_time"]


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
    accuracy_over_time(table, above).set_xlabel("")
    wrong_bits_over_time(table, below)
    return save(figure, Path(folder), name)


def accuracy_over_time(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the recognition rate with its 95 % interval; same table as `inference_figure`.

    Parameters
    ----------
    table : DataFrame
    ax : Axes, optional
        New ones if not given.
    """
    axes, x = new_axes(ax), _along(table)
    for k, (label, rows) in enumerate(_lines(table, x)):
        axes.errorbar(
            rows[x], rows["accuracy_mean"], yerr=rows["accuracy_ci95"],
            markersize=3, capsize=2, linewidth=1.0, label=label, **marker_style(k),
        )  # fmt: skip
    axes.set_ylabel("recognition rate")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, fontsize=8)
    return _time_axis(axes, table, x)


def wrong_bits_over_time(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the fraction of wrong bits; same table as `inference_figure`.

    Parameters
    ----------
    table : DataFrame
    ax : Axes, optional
        New ones if not given.
    """
    axes, x = new_axes(ax), _along(table)
    for k, (label, rows) in enumerate(_lines(table, x)):
        axes.plot(
            rows[x], rows["wrong_bits_fraction"], markersize=3, linewidth=1.0, label=label, **marker_style(k),
        )  # fmt: skip
    axes.set_ylabel("wrong bits, fraction")
    if (table["wrong_bits_fraction"] > 0.0).any():
        axes.set_yscale("log")
    if ax is None:
        axes.legend(frameon=False, fontsize=8)
    return _time_axis(axes, table, x)


def _along(table: pd.DataFrame) -> str:
    return "time_s" if table["time_s"].nunique() > 1 else "reads"


def _lines(table: pd.DataFrame, x: str) -> list[tuple[str, pd.DataFrame]]:
    """Rows of each line, and its label."""
    lines = []
    for value, rows in table.groupby("reads" if x == "time_s" else "time_s", sort=True):
        number = float(str(value))
        label = f"{number:g} reads" if x == "time_s" else compact(number, "s", 3)
        lines.append((label, rows[(rows[x] > 0) & np.isfinite(rows[x])].sort_values(x)))
    return lines


def _time_axis(axes: Axes, table: pd.DataFrame, x: str) -> Axes:
    axes.set_xlabel("time after programming (s)" if x == "time_s" else "reads of every cell")
    axes.set_xscale("log")
    shown = table[x][(table[x] > 0) & np.isfinite(table[x])].to_numpy(dtype=np.float64)
    if len(shown) and shown.max() < _POWERS * shown.min():
        logarithmic_axis(axes.xaxis, shown)
    axes.grid(alpha=0.3)
    return axes


_POWERS = 1e4
"""Ratio of times from which on powers of ten are ticks that can be read."""
