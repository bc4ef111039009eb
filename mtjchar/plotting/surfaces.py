"""Figures of surfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.plotting.axes import (
    COLOURS,
    LINES,
    ON_MAP,
    line_style,
    logarithmic_axis,
    new_axes,
    start_at_zero,
)
from mtjchar.plotting.files import save
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.grid import RELIABLE, Target, targets
from mtjchar.surfaces.levers import lever_table
from mtjchar.units import compact

__all__ = ["LOWEST_RATE", "SurfacePlots", "surface_figures"]

_LEVERS = {
    "duration": "duration, at the nominal amplitude",
    "amplitude": "amplitude, at the reliable duration",
    "both": "best of both",
}
_ENERGY = "energy of a switching write (pJ)"
_EXTRAPOLATED = "extrapolated"
_WHAT_IS = "extrapolated: too few devices carry the error rate, or it is below 1e-18"
_PALE = 0.35
_LIGHT_HALF = 0.65  # of viridis: from here on dark lines are easier to see than white ones
_DARKEST_YELLOW = 0.88  # end of the colours that can be read on white
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
    plots = SurfacePlots(surface)
    figures = {
        "ber_map": _side_by_side(surface.directions, plots.ber_map, note=_note(surface)),
        "ber_against_duration": _side_by_side(
            surface.directions, plots.ber_against_duration, note=_note(surface), sharey=True
        ),
        "ber_against_amplitude": _side_by_side(
            surface.directions, plots.ber_against_amplitude, note=_note(surface), sharey=True
        ),
    }
    if surface.knows_energy:
        table = lever_table(surface) if levers is None else levers
        figures["energy_map"] = _side_by_side(surface.directions, plots.energy_map)
        figures["knobs"] = _side_by_side(
            targets(surface), lambda target, ax: plots.cheapest_pulses(target, ax, table), legend=False
        )
    return [path for name, figure in figures.items() for path in save(figure, Path(folder), name)]


class SurfacePlots:
    """Figures of a surface, each drawn into axes: `WriteSurface.plot`.

    Every method takes a direction (the first of the surface if not given) and axes (new ones, in a figure
    that a notebook shows, if not given), and returns the axes.

    Parameters
    ----------
    surface : WriteSurface

    Examples
    --------
    >>> import mtjchar
    >>> surface = mtjchar.WriteSurface.load("run/surface.nc")
    >>> axes = surface.plot.ber_map("ap_to_p")
    >>> axes.get_xlabel()
    'duration (ns)'
    """

    def __init__(self, surface: WriteSurface) -> None:
        self._surface = surface

    def __repr__(self) -> str:
        return f"figures of {self._surface!r}: {', '.join(self.__dir__())}"

    def __dir__(self) -> list[str]:
        return [name for name in vars(SurfacePlots) if not name.startswith("_")]

    def ber_map(self, direction: Direction | None = None, ax: Axes | None = None) -> Axes:
        """Map the write error rate over duration and amplitude; what is extrapolated is hatched."""
        surface, axes = self._surface, new_axes(ax)
        direction = self._first(direction)
        amplitude, duration = self._fine()
        rates = surface.ber(direction, amplitude[:, None], duration)
        levels = [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e-1]
        self._map(axes, direction, rates, LogNorm(LOWEST_RATE, 1.0), "write error rate", levels)
        extrapolated = surface.is_extrapolated(direction, amplitude[:, None], duration)
        if extrapolated.any():
            region = axes.contourf(
                1e9 * duration, amplitude, extrapolated.astype(float),
                levels=[0.5, 1.5], colors="none", hatches=["////"],
            )  # fmt: skip
            region.set_edgecolor(ON_MAP[0])  # of the hatch
            region.set_linewidth(0.0)
            hatched = Patch(
                facecolor=colormaps["viridis"](0.0), edgecolor=ON_MAP[0], hatch="////", label=_EXTRAPOLATED
            )
            axes.legend(handles=[hatched], loc="lower left", fontsize=7)
        return axes

    def energy_map(
        self, direction: Direction | None = None, ax: Axes | None = None, *, switching: bool = True
    ) -> Axes:
        """Map the energy of a switching write over duration and amplitude; or of a redundant one."""
        surface, axes = self._surface, new_axes(ax)
        direction = self._first(direction)
        amplitude, duration = self._fine()
        energy = 1e12 * surface.energy(direction, amplitude[:, None], duration, switching=switching)
        label = _ENERGY if switching else "energy of a redundant write (pJ)"
        norm = LogNorm(energy.min(), energy.max())
        self._map(axes, direction, energy, norm, label, [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
        bar = axes.collections[0].colorbar
        assert bar is not None
        logarithmic_axis(bar.ax.yaxis, energy)
        return axes

    def ber_against_duration(self, direction: Direction | None = None, ax: Axes | None = None) -> Axes:
        """Draw the write error rate over the duration, for six amplitudes, with its 95 % interval."""
        axes, durations = new_axes(ax), self._surface.durations
        direction = self._first(direction)
        for style, amplitude in _six(self._surface.amplitudes):
            self._curve(axes, direction, amplitude, durations, style, compact(amplitude, "V", 3))
        axes.set(xscale="log", xlabel="duration (ns)")
        logarithmic_axis(axes.xaxis, 1e9 * durations)
        return self._rates(axes, direction)

    def ber_against_amplitude(self, direction: Direction | None = None, ax: Axes | None = None) -> Axes:
        """Draw the write error rate over the amplitude, for six durations, with its 95 % interval."""
        axes, amplitudes = new_axes(ax), self._surface.amplitudes
        direction = self._first(direction)
        for style, duration in _six(self._surface.durations):
            self._curve(axes, direction, amplitudes, duration, style, compact(duration, "s", 3))
        axes.set(xlabel="amplitude (V)")
        return self._rates(axes, direction)

    def device_quantiles(
        self, direction: Direction | None = None, ax: Axes | None = None, *, amplitude: float | None = None
    ) -> Axes:
        """Draw the mean over devices, and how often a share of the devices fails at most, over the duration.

        Parameters
        ----------
        direction : str, optional
        ax : Axes, optional
        amplitude : float, optional
            V, within the grid; the nominal one if not given.

        Raises
        ------
        OutsideGridError
            For an amplitude outside the grid.
        """
        axes, surface = new_axes(ax), self._surface
        direction = self._first(direction)
        amplitude = surface.nominal_amplitude if amplitude is None else amplitude
        durations = surface.durations
        self._curve(axes, direction, amplitude, durations, {"color": COLOURS[-1], "linestyle": "-"}, "mean")
        fine = np.geomspace(durations[0], durations[-1], 300)
        # Where no error was counted no quantile is known.
        bound = surface.is_bound(direction, amplitude, fine)
        quantiles = surface.dataset["quantile"].to_numpy() if "ber_quantile" in surface.dataset else ()
        for k, quantile in enumerate(quantiles[::-1]):
            rate = surface.device_ber(direction, amplitude, fine, quantile=float(quantile))
            style = {"color": COLOURS[k % len(COLOURS)], "linestyle": LINES[1 + k % (len(LINES) - 1)]}
            label = f"{100.0 * quantile:g} % of the devices"
            axes.plot(1e9 * fine, np.where(bound, np.nan, rate), label=label, **style)
        axes.set(xscale="log", xlabel="duration (ns)")
        logarithmic_axis(axes.xaxis, 1e9 * durations)
        self._rates(axes, direction)
        axes.set_title(f"{surface.title(direction)}, {compact(amplitude, 'V', 3)}")
        return axes

    def cheapest_pulses(
        self, target: Target | None = None, ax: Axes | None = None, table: pd.DataFrame | None = None
    ) -> Axes:
        """Draw the energy of the cheapest pulse over its error rate: by its duration, its amplitude, or both.

        `target` may be ``both``; `table` is that of `mtjchar.surfaces.levers.lever_table`, if it is there.
        """
        axes, target = new_axes(ax), target or self._surface.directions[0]
        table = lever_table(self._surface) if table is None else table
        of_target = table[table["direction"] == target]
        for k, (lever, label) in enumerate(_LEVERS.items()):
            rows = of_target[of_target["lever"] == lever]
            # Against the pulse's own rate: where the grid ends a line ends too.
            axes.plot(rows["pulse_ber"], 1e12 * rows["energy_J"], label=label, **line_style(k))
        reliable = of_target[
            (of_target["lever"] == "duration") & np.isclose(of_target["ber"] / RELIABLE, 1.0)
        ]
        axes.plot(
            reliable["pulse_ber"], 1e12 * reliable["energy_J"], "ko", markersize=4, label="reliable pulse"
        )
        energy = "mean energy of all writes (pJ)" if target == "both" else _ENERGY
        axes.set(xscale="log", xlabel="write error rate of the pulse", title=self._surface.title(target))
        axes.set_ylabel(energy)
        start_at_zero(axes)
        axes.grid(alpha=0.3)
        if ax is None:
            axes.legend(frameon=False, fontsize=8)
        return axes

    def _first(self, direction: Direction | None) -> Direction:
        return self._surface.directions[0] if direction is None else direction

    def _fine(self) -> tuple[FloatArray, FloatArray]:
        amplitudes, durations = self._surface.amplitudes, self._surface.durations
        return (
            np.linspace(amplitudes[0], amplitudes[-1], 160),
            np.geomspace(durations[0], durations[-1], 160),
        )

    def _map(
        self,
        axes: Axes,
        direction: Direction,
        values: FloatArray,
        norm: LogNorm,
        label: str,
        levels: list[float],
    ) -> None:
        amplitude, duration = self._fine()
        mesh = axes.pcolormesh(
            1e9 * duration,
            amplitude,
            np.maximum(values, LOWEST_RATE),
            norm=norm,
            cmap="viridis",
            rasterized=True,
        )
        colours = [ON_MAP[int(norm(level) > _LIGHT_HALF)] for level in levels]
        lines = axes.contour(1e9 * duration, amplitude, values, levels=levels, colors=colours, linewidths=0.8)
        axes.clabel(lines, fmt="%g", fontsize=7)
        title = self._surface.title(direction)
        axes.set(xscale="log", xlabel="duration (ns)", ylabel="amplitude (V)", title=title)
        logarithmic_axis(axes.xaxis, 1e9 * duration)
        figure = axes.get_figure()
        assert figure is not None
        figure.colorbar(mesh, ax=axes, label=label)

    def _curve(
        self,
        axes: Axes,
        direction: Direction,
        amplitude: npt.ArrayLike,
        duration: npt.ArrayLike,
        style: dict[str, Any],
        label: str,
    ) -> None:
        """Draw the error rate along the axis that is an array; pale where it is extrapolated."""
        surface = self._surface
        by_duration = np.ndim(duration) == 1
        grid = np.asarray(duration if by_duration else amplitude, dtype=np.float64)
        fine, unit = np.geomspace(grid[0], grid[-1], 300), 1e9 if by_duration else 1.0
        pulse = (amplitude, fine) if by_duration else (fine, duration)
        rate, extrapolated = surface.ber(direction, *pulse), surface.is_extrapolated(direction, *pulse)
        axes.plot(unit * fine, np.where(extrapolated, np.nan, rate), label=label, **style)
        if (shown := extrapolated & (rate > LOWEST_RATE)).any():
            pale = np.where(shown, rate, np.nan)
            axes.plot(unit * fine, pale, alpha=_PALE, linewidth=1.0, label=_EXTRAPOLATED, **style)
        lower, upper = surface.ber_interval(direction, amplitude, duration)
        known = ~surface.is_extrapolated(direction, amplitude, duration)
        axes.fill_between(
            unit * grid, lower, upper, where=known, color=style["color"], alpha=0.2, linewidth=0
        )

    def _rates(self, axes: Axes, direction: Direction) -> Axes:
        axes.set(
            yscale="log",
            ylim=(LOWEST_RATE, 2.0),
            ylabel="write error rate",
            title=self._surface.title(direction),
        )
        axes.grid(alpha=0.3)
        handles, labels = axes.get_legend_handles_labels()
        lines = [handle for handle, label in zip(handles, labels, strict=True) if label != _EXTRAPOLATED]
        if len(lines) < len(handles):
            lines.append(Line2D([], [], color="0.3", alpha=_PALE, linewidth=1.0, label=_EXTRAPOLATED))
        axes.legend(handles=lines, fontsize=8, edgecolor="none", framealpha=0.7)
        return axes


def _six(values: FloatArray) -> list[tuple[dict[str, Any], float]]:
    """Up to six of the values from first to last, each with the style of its line."""
    places = np.unique(np.linspace(0, len(values) - 1, 6).round().astype(int))
    colours = colormaps["viridis"](np.linspace(0.0, _DARKEST_YELLOW, len(places)))
    return [
        ({"color": colour, "linestyle": LINES[k % len(LINES)]}, float(values[place]))
        for k, (colour, place) in enumerate(zip(colours, places, strict=True))
    ]


def _side_by_side(
    parts: Sequence[str],
    draw: Callable[[str, Axes], Axes],
    *,
    note: str = "",
    sharey: bool = False,
    legend: bool = True,
) -> Figure:
    """Draw the same for each direction, from left to right; without `legend` one above all."""
    figure = Figure(figsize=(4.6 * len(parts), 3.9), layout="constrained")
    row = figure.subplots(1, len(parts), sharey=sharey, squeeze=False)[0]
    for part, axes in zip(parts, row, strict=True):
        draw(part, axes)
    for axes in row[1:] if sharey else ():
        axes.set_ylabel("")
    if note:
        figure.supxlabel(note, fontsize=8)
    if not legend:
        handles = row[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _note(surface: WriteSurface) -> str:
    return _WHAT_IS if surface.extrapolated_points().any() else ""
