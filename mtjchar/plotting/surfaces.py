"""Figures of surfaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mtjchar.plotting.files import save
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.grid import RELIABLE, targets
from mtjchar.surfaces.levers import lever_table

__all__ = ["LOWEST_RATE", "surface_figures"]

_LEVERS = {
    "duration": "duration, at the nominal amplitude",
    "amplitude": "amplitude, at the reliable duration",
    "both": "best of both",
}
_ENERGIES = {"both": "mean energy of all writes (pJ)"}
_ENERGY = "energy of a switching write (pJ)"
_EXTRAPOLATED = "{}: extrapolated, too few devices carry the error rate or it is below 1e-18"
LOWEST_RATE = 1e-15
"""Where maps of the error rate end."""


def surface_figures(
    surface: WriteSurface, folder: str | Path, levers: pd.DataFrame | None = None
) -> list[Path]:
    """Draw maps of error rate and energy, the error rate along each axis, and the comparison of the levers.

    Parameters
    ----------
    surface : WriteSurface
    folder : str or Path
        Where the figures go; made if missing.
    levers : DataFrame, optional
        As `mtjchar.surfaces.levers.lever_table` returns it; worked out if not given.

    Returns
    -------
    list of Path
        The files, a PNG and an SVG each; those about energy only where the surface knows it.
    """
    figures = {
        "ber_map": _maps(surface, "ber"),
        "ber_against_duration": _curves(surface, against="duration"),
        "ber_against_amplitude": _curves(surface, against="amplitude"),
    }
    if surface.knows_energy:
        figures["energy_map"] = _maps(surface, "energy")
        figures["knobs"] = _levers(surface, lever_table(surface) if levers is None else levers)
    return [path for name, figure in figures.items() for path in save(figure, Path(folder), name)]


def _maps(surface: WriteSurface, quantity: str) -> Figure:
    figure = Figure(figsize=(4.6 * len(surface.directions), 3.8), layout="constrained")
    row = figure.subplots(1, len(surface.directions), squeeze=False)[0]
    amplitude = np.linspace(surface.amplitudes[0], surface.amplitudes[-1], 160)
    duration = np.geomspace(surface.durations[0], surface.durations[-1], 160)
    for axes, direction in zip(row, surface.directions, strict=True):
        if quantity == "ber":
            values = surface.ber(direction, amplitude[:, None], duration)
            norm, label = LogNorm(LOWEST_RATE, 1.0), "write error rate"
            levels = [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e-1]
        else:
            values = 1e12 * surface.energy(direction, amplitude[:, None], duration)
            norm, label = LogNorm(values.min(), values.max()), "energy of a switching write (pJ)"
            levels = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
        extrapolated = surface.is_extrapolated(direction, amplitude[:, None], duration)
        mesh = axes.pcolormesh(
            1e9 * duration,
            amplitude,
            np.maximum(values, LOWEST_RATE),
            norm=norm,
            cmap="viridis",
            rasterized=True,
        )
        lines = axes.contour(1e9 * duration, amplitude, values, levels=levels, colors="white", linewidths=0.8)
        axes.clabel(lines, fmt="%g", fontsize=7)
        if quantity == "ber" and extrapolated.any():
            axes.contourf(
                1e9 * duration,
                amplitude,
                extrapolated.astype(float),
                levels=[0.5, 1.5],
                colors="none",
                hatches=["////"],
            )
            figure.supxlabel(_EXTRAPOLATED.format("hatched"), fontsize=8)
        axes.set(xscale="log", xlabel="duration (ns)", ylabel="amplitude (V)", title=surface.title(direction))
        figure.colorbar(mesh, ax=axes, label=label)
    return figure


def _curves(surface: WriteSurface, against: str) -> Figure:
    figure = Figure(figsize=(4.6 * len(surface.directions), 3.8), layout="constrained")
    row = figure.subplots(1, len(surface.directions), sharey=True, squeeze=False)[0]
    by_duration = against == "duration"
    grid, kept = surface.durations, surface.amplitudes
    if not by_duration:
        grid, kept = kept, grid
    fine = np.geomspace(grid[0], grid[-1], 300)
    for axes, direction in zip(row, surface.directions, strict=True):
        for k in np.unique(np.linspace(0, len(kept) - 1, 6).round().astype(int)):
            pulse = (kept[k], fine) if by_duration else (fine, kept[k])
            points = (kept[k], grid) if by_duration else (grid, kept[k])
            unit = 1e9 if by_duration else 1.0
            label = f"{kept[k]:.2f} V" if by_duration else f"{1e9 * kept[k]:.3g} ns"
            rate, extrapolated = surface.ber(direction, *pulse), surface.is_extrapolated(direction, *pulse)
            (line,) = axes.plot(unit * fine, np.where(extrapolated, np.nan, rate), label=label)
            if (shown := extrapolated & (rate > LOWEST_RATE)).any():
                axes.plot(unit * fine, np.where(shown, rate, np.nan), ":", color=line.get_color())
                figure.supxlabel(_EXTRAPOLATED.format("dotted"), fontsize=8)
            lower, upper = surface.ber_interval(direction, *points)
            known = ~surface.is_extrapolated(direction, *points)
            axes.fill_between(
                unit * grid, lower, upper, where=known, color=line.get_color(), alpha=0.2, linewidth=0
            )
        axes.set(
            yscale="log",
            ylim=(LOWEST_RATE, 2.0),
            xscale="log" if by_duration else "linear",
            xlabel="duration (ns)" if by_duration else "amplitude (V)",
            title=surface.title(direction),
        )
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    row[0].set_ylabel("write error rate")
    return figure


def _levers(surface: WriteSurface, table: pd.DataFrame) -> Figure:
    columns = targets(surface)
    figure = Figure(figsize=(4.2 * len(columns), 3.9), layout="constrained")
    row = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, target in zip(row, columns, strict=True):
        of_target = table[table["direction"] == target]
        for (lever, label), style in zip(_LEVERS.items(), ("-", "-", "--"), strict=True):
            rows = of_target[of_target["lever"] == lever]
            # Against the pulse's own rate: where the grid ends a line ends too.
            axes.plot(rows["pulse_ber"], 1e12 * rows["energy_J"], style, label=label)
        reliable = of_target[
            (of_target["lever"] == "duration") & np.isclose(of_target["ber"] / RELIABLE, 1.0)
        ]
        axes.plot(
            reliable["pulse_ber"], 1e12 * reliable["energy_J"], "ko", markersize=4, label="reliable pulse"
        )
        axes.set(xscale="log", xlabel="write error rate of the pulse", title=surface.title(target))
        axes.set(ylim=(0.0, None), ylabel=_ENERGIES.get(target, _ENERGY))
        axes.grid(alpha=0.3)
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure
