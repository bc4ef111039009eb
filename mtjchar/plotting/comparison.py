"""The figure of scenarios side by side."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mtjchar.arrays import FloatArray
from mtjchar.plotting.axes import logarithmic_axis
from mtjchar.plotting.files import plain, save
from mtjchar.plotting.surfaces import LOWEST_RATE
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.comparison import Comparison, energy_curves
from mtjchar.surfaces.grid import Target, directions_of, targets

__all__ = ["comparison_figure"]

_COLOURS = matplotlib.color_sequences["tab10"]
_LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
_WIDTH = 4.2  # inches a column
_LETTERS = 11  # of a legend in an inch; the line beside a name takes the room of five
_MOST_COLUMNS = 5


def comparison_figure(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Draw error rate against duration, and energy of the cheapest pulse against error rate.

    Lines differ in colour and in style. Where the studies differ in two keys, colours stand for the values of
    one and styles for those of the other. A star is the cheapest pulse that holds in all scenarios.

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
    surfaces, curves = comparison.surfaces, energy_curves(comparison)
    styles = _styles(comparison)
    first = next(iter(surfaces.values()))
    columns, amplitude = targets(first), first.nominal_amplitude
    figure = Figure(figsize=(_WIDTH * len(columns), 7.4), layout="constrained")
    grid = figure.subplots(2, len(columns), sharex="row", sharey="row", squeeze=False)
    worst = comparison.worst_case.set_index("direction")
    for (upper, lower), target in zip(grid.T, columns, strict=True):
        for name, surface in surfaces.items():
            upper.plot(*_rate_curve(surface, target, amplitude), **styles[name], label=plain(name))
            rows = curves[(curves["scenario"] == name) & (curves["direction"] == target)]
            # Against the pulse's own rate: where the grid ends a line ends too.
            lower.plot(rows["pulse_ber"], 1e12 * rows["energy_J"], **styles[name])
        pulse = worst.loc[target]
        lower.plot(
            pulse["ber"], 1e12 * pulse["energy_J"], "k*", markersize=9, linestyle="none",
            label="pulse that holds in all",
        )  # fmt: skip
        upper.set(
            xscale="log",
            yscale="log",
            ylim=(LOWEST_RATE, 2.0),
            title=first.title(target),
            xlabel="duration (ns)",
        )
        logarithmic_axis(upper.xaxis, 1e9 * first.durations)
        lower.set(xscale="log", xlabel="write error rate of the pulse")
        for axes in (upper, lower):
            axes.grid(alpha=0.3)
    grid[1, 0].set_ylim(bottom=0.0)
    grid[0, 0].set_ylabel(f"write error rate at {amplitude:g} V")
    grid[1, 0].set_ylabel("energy of the cheapest pulse (pJ)")
    entries = [axes.get_legend_handles_labels() for axes in grid[:, 0]]
    handles, labels = (list(itertools.chain(*parts)) for parts in zip(*entries, strict=True))
    room = _LETTERS * _WIDTH * len(columns) / (5 + max(map(len, labels)))
    figure.legend(
        handles, labels, loc="outside upper center", frameon=False, handlelength=3.0,
        ncols=int(np.clip(room, 1, _MOST_COLUMNS)),
    )  # fmt: skip
    return save(figure, Path(folder), "comparison")


def _styles(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Colour and style of the line of each scenario."""
    names = list(comparison.surfaces)
    by_key = sorted(comparison.differences[names].to_numpy(), key=lambda row: -len(set(row)))
    if len(by_key) == 2:
        colour, line = ([list(dict.fromkeys(row)).index(value) for value in row] for row in by_key)
        told_apart = len(set(zip(colour, line, strict=True))) == len(names)
        if told_apart and max(colour) < len(_COLOURS) and max(line) < len(_LINES):
            return _lines(names, colour, line)
    # Nine colours and five styles: 45 lines before the first two are the same.
    count = range(len(names))
    return _lines(names, [k % 9 for k in count], [k % len(_LINES) for k in count])


def _lines(names: list[str], colour: list[int], line: list[int]) -> dict[str, dict[str, Any]]:
    return {
        name: {"color": _COLOURS[c], "linestyle": _LINES[k]}
        for name, c, k in zip(names, colour, line, strict=True)
    }


def _rate_curve(surface: WriteSurface, target: Target, amplitude: float) -> tuple[FloatArray, FloatArray]:
    """Durations, ns, and error rates (for both the worse one); empty outside the grid."""
    if not surface.amplitudes[0] <= amplitude <= surface.amplitudes[-1]:
        return np.empty(0), np.empty(0)
    duration = np.geomspace(surface.durations[0], surface.durations[-1], 300)
    rates = np.stack([surface.ber(each, amplitude, duration) for each in directions_of(surface, target)])
    return 1e9 * duration, rates.max(axis=0)
