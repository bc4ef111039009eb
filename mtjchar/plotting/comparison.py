"""Figures of scenarios side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtjchar.arrays import FloatArray
from mtjchar.plotting.axes import (
    COLOURS,
    LINES,
    MARKERS,
    logarithmic_axis,
    marker_style,
    new_axes,
    start_at_zero,
)
from mtjchar.plotting.files import plain, save
from mtjchar.plotting.surfaces import LOWEST_RATE
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.comparison import Comparison, energy_curves
from mtjchar.surfaces.grid import Target, directions_of, targets

__all__ = ["comparison_figure", "scenario_energies", "scenario_error_rates"]

_WIDTH = 4.2  # inches a column
_LETTERS = 11  # of a legend in an inch; the line beside a name takes the room of five
_MOST_COLUMNS = 5
_POINTS, _MARKED = 300, 47  # of a curve; every 47th has a marker


def comparison_figure(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Draw error rate against duration, and energy of the cheapest pulse against error rate.

    Lines differ in colour, style and marker. Where the studies differ in two keys, colours and markers stand
    for the values of one and styles for those of the other. A star is the cheapest pulse that holds in all
    scenarios.

    Parameters
    ----------
    comparison : Comparison
    folder : str or Path
        Where the figure goes; made if missing.

    Returns
    -------
    list of Path
        A PNG and an SVG.
    """
    columns, curves = targets(_first(comparison)), energy_curves(comparison)
    figure = Figure(figsize=(_WIDTH * len(columns), 7.4), layout="constrained")
    grid = figure.subplots(2, len(columns), sharex="row", sharey="row", squeeze=False)
    for (upper, lower), target in zip(grid.T, columns, strict=True):
        scenario_error_rates(comparison, target, upper)
        scenario_energies(comparison, target, lower, curves).set_title("")
    for axes in grid[:, 1:].flat:
        axes.set_ylabel("")
    handles, labels = grid[1, 0].get_legend_handles_labels()
    room = _LETTERS * _WIDTH * len(columns) / (5 + max(map(len, labels)))
    figure.legend(
        handles, labels, loc="outside upper center", frameon=False, handlelength=3.0,
        ncols=int(np.clip(room, 1, _MOST_COLUMNS)),
    )  # fmt: skip
    return save(figure, Path(folder), "comparison")


def scenario_error_rates(
    comparison: Comparison, target: Target | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the write error rate of each scenario over the duration, at the first one's nominal amplitude.

    Parameters
    ----------
    comparison : Comparison
    target : str, optional
        A direction, or ``both``: the worse of the two rates. The first direction if not given.
    ax : Axes, optional
        New ones, with a legend, if not given.
    """
    axes, first = new_axes(ax), _first(comparison)
    target, amplitude = target or first.directions[0], first.nominal_amplitude
    styles = _styles(comparison)
    for k, (name, surface) in enumerate(comparison.surfaces.items()):
        marked = (5 * k % _MARKED, _MARKED)
        axes.plot(
            *_rate_curve(surface, target, amplitude), **styles[name], markevery=marked, label=plain(name)
        )
    axes.set(xscale="log", xlabel="duration (ns)", yscale="log", ylim=(LOWEST_RATE, 2.0))
    axes.set(ylabel=f"write error rate at {amplitude:g} V", title=first.title(target))
    durations = np.concatenate([surface.durations for surface in comparison.surfaces.values()])
    logarithmic_axis(axes.xaxis, 1e9 * durations)
    axes.grid(alpha=0.3)
    if ax is None:
        axes.legend(frameon=False, fontsize=8)
    return axes


def scenario_energies(
    comparison: Comparison,
    target: Target | None = None,
    ax: Axes | None = None,
    table: pd.DataFrame | None = None,
) -> Axes:
    """Draw the energy of the cheapest pulse of each scenario over its error rate.

    Parameters
    ----------
    comparison : Comparison
    target : str, optional
        A direction, or ``both``: one pulse for both. The first direction if not given.
    ax : Axes, optional
        New ones, with a legend, if not given.
    table : DataFrame, optional
        As `mtjchar.surfaces.compare.energy_curves` returns it; worked out if not given.
    """
    axes, first = new_axes(ax), _first(comparison)
    target, styles = target or first.directions[0], _styles(comparison)
    table = energy_curves(comparison) if table is None else table
    for name in comparison.surfaces:
        rows = table[(table["scenario"] == name) & (table["direction"] == target)]
        # Against the pulse's own rate: where the grid ends a line ends too.
        axes.plot(rows["pulse_ber"], 1e12 * rows["energy_J"], **styles[name], label=plain(name))
    pulse = comparison.worst_case.set_index("direction").loc[target]
    axes.plot(
        pulse["ber"], 1e12 * pulse["energy_J"], "k*", markersize=9, linestyle="none",
        label="pulse that holds in all",
    )  # fmt: skip
    axes.set(xscale="log", xlabel="write error rate of the pulse", ylabel="energy of the cheapest pulse (pJ)")
    axes.set_title(first.title(target))
    start_at_zero(axes)
    axes.grid(alpha=0.3)
    if ax is None:
        axes.legend(frameon=False, fontsize=8)
    return axes


def _first(comparison: Comparison) -> WriteSurface:
    return next(iter(comparison.surfaces.values()))


def _styles(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Colour, style and marker of the line of each scenario."""
    names = list(comparison.surfaces)
    by_key = sorted(comparison.differences[names].to_numpy(), key=lambda row: -len(set(row)))
    if len(by_key) == 2:
        first, second = ([list(dict.fromkeys(row)).index(value) for value in row] for row in by_key)
        told_apart = len(set(zip(first, second, strict=True))) == len(names)
        if told_apart and max(first) < len(COLOURS) and max(second) < len(LINES):
            return {
                name: {"color": COLOURS[j], "marker": MARKERS[j], "linestyle": LINES[k], "markersize": 4}
                for name, j, k in zip(names, first, second, strict=True)
            }
    return {name: {**marker_style(k), "markersize": 4} for k, name in enumerate(names)}


def _rate_curve(surface: WriteSurface, target: Target, amplitude: float) -> tuple[FloatArray, FloatArray]:
    """Durations, ns, and error rates (for both the worse one); empty outside the grid."""
    if not surface.amplitudes[0] <= amplitude <= surface.amplitudes[-1]:
        return np.empty(0), np.empty(0)
    duration = np.geomspace(surface.durations[0], surface.durations[-1], _POINTS)
    rates = np.stack([surface.ber(each, amplitude, duration) for each in directions_of(surface, target)])
    return 1e9 * duration, rates.max(axis=0)
