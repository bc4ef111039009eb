"""Figures of a read surface: the window in which reads are right and do not disturb, and the sense margin."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mtjchar.arrays import BoolArray, FloatArray
from mtjchar.errors import NoMarginError, UnreachableError
from mtjchar.plotting.axes import COLOURS, LINES, logarithmic_axis, new_axes
from mtjchar.plotting.files import save
from mtjchar.surfaces.grid import SMALLEST_RATE
from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR, Minimize
from mtjchar.surfaces.read_surface import ReadSurface
from mtjchar.units import compact

__all__ = ["ReadPlots", "read_figures"]

_POINTS = 200
_LOWEST_RATE = 1e-15
_MOST_CURVES = 6
_MILLI, _MICRO = 1e3, 1e6
_WINDOW, _PALE = COLOURS[2], 0.35


def read_figures(surface: ReadSurface, folder: str | Path) -> list[Path]:
    """Draw the window of operating points and the margin of a read surface.

    Parameters
    ----------
    surface : ReadSurface
    folder : str or Path
        Where the figures go; made if missing.

    Returns
    -------
    list of Path
        The files, a PNG and an SVG each.
    """
    plots, paths = ReadPlots(surface), []
    window = Figure(figsize=(6.4, 4.8), layout="constrained")
    plots.window(window.subplots())
    margins = Figure(figsize=(9.2, 3.9), layout="constrained")
    left, right = margins.subplots(1, 2)
    plots.margin(left)
    plots.margin_deviations(right)
    for name, figure in (("read_window", window), ("read_margin", margins)):
        paths += save(figure, Path(folder), name)
    return paths


class ReadPlots:
    """Figures of a read surface, each drawn into axes: `ReadSurface.plot`.

    Every method takes axes (new ones, in a figure that a notebook shows, if not given), and returns them.

    Parameters
    ----------
    surface : ReadSurface
    """

    def __init__(self, surface: ReadSurface) -> None:
        self._surface = surface

    def __repr__(self) -> str:
        return f"figures of {self._surface!r}: {', '.join(self.__dir__())}"

    def __dir__(self) -> list[str]:
        return [name for name in vars(ReadPlots) if not name.startswith("_")]

    def window(
        self, ax: Axes | None = None, *, error: float = USUAL_ERROR, disturb: float = USUAL_DISTURB
    ) -> Axes:
        """Map the read error rate over sensing time and read voltage, with the window where both rates hold.

        Parameters
        ----------
        ax : Axes, optional
        error, disturb : float, optional
            Largest read error rate and disturb rate of the worse state.
        """
        axes, surface = new_axes(ax), self._surface
        voltage, time = self._fine()
        wrong = np.maximum(surface.read_error_rate(voltage[:, None], time), SMALLEST_RATE)
        flipped = np.maximum(surface.disturb_rate(voltage[:, None], time), SMALLEST_RATE)
        grid = 1e9 * time, voltage
        # Whole decades, so that what the cell can do takes all shades.
        lowest = max(_LOWEST_RATE, 10.0 ** math.floor(math.log10(min(wrong.min(), error))))
        norm = LogNorm(lowest, 1.0)
        mesh = axes.pcolormesh(*grid, np.maximum(wrong, lowest), norm=norm, cmap="Greys", rasterized=True)
        # Of both the excess over the limit in decades: the window is where the larger one is negative.
        excess = np.maximum(np.log10(wrong / error), np.log10(flipped / disturb))
        shown: list[Line2D | Patch] = []
        if (excess < 0.0).any():
            axes.contourf(*grid, excess, levels=[-1e3, 0.0], colors=[_WINDOW], alpha=_PALE)
            shown.append(Patch(color=_WINDOW, alpha=_PALE, label="both hold"))
        for k, (rate, limit, words) in enumerate(
            ((wrong, error, "read error rate"), (flipped, disturb, "disturb rate"))
        ):
            if rate.min() < limit < rate.max():
                line = {"colors": COLOURS[k], "linestyles": LINES[k], "linewidths": 1.6}
                axes.contour(*grid, np.log10(rate), levels=[np.log10(limit)], **line)
                shown.append(Line2D([], [], label=f"{words} {limit:g}", color=COLOURS[k], linestyle=LINES[k]))
        shown += self._points(axes, error, disturb) or self._lowest(axes, wrong, flipped <= disturb, grid)
        axes.set(xscale="log", xlabel="sensing time (ns)", ylabel="read voltage (V)")
        logarithmic_axis(axes.xaxis, 1e9 * time)
        figure = axes.get_figure()
        assert figure is not None
        extend: Literal["min", "neither"] = "min" if wrong.min() < lowest else "neither"
        figure.colorbar(mesh, ax=axes, label="read error rate of the worse state", extend=extend)
        if not any(isinstance(one, Patch) for one in shown):
            axes.set_title(
                f"no read has an error rate of {error:g} and a disturb rate of {disturb:g}", fontsize=9
            )
        if shown:
            axes.legend(
                handles=shown,
                loc="upper center",
                bbox_to_anchor=(0.5, -0.15),
                ncols=2,
                fontsize=8,
                frameon=False,
            )
        return axes

    def _points(self, axes: Axes, error: float, disturb: float) -> list[Line2D]:
        """Mark the fastest and the cheapest read, if there are any; return them for a legend."""
        shown = []
        looks: dict[Minimize, tuple[str, str, float]] = {
            "time": ("fastest", "o", 9.0),
            "energy": ("cheapest", "s", 6.0),
        }
        for minimize, (words, marker, size) in looks.items():
            try:
                point = self._surface.operating_point(error, disturb, minimize)
            except (NoMarginError, UnreachableError):
                return []
            style: dict[str, Any] = {
                "marker": marker,
                "markersize": size,
                "color": "black",
                "fillstyle": "none",
            }
            label = f"{words}: {compact(point.voltage_V, 'V', 3)}, {compact(point.time_s, 's', 3)}"
            if point.extrapolated:
                label += ", extrapolated"
            shown += axes.plot(
                1e9 * point.time_s, point.voltage_V, linestyle="none", clip_on=False, label=label, **style
            )
        return shown

    def _lowest(
        self, axes: Axes, wrong: FloatArray, allowed: BoolArray, grid: tuple[FloatArray, FloatArray]
    ) -> list[Line2D]:
        """Mark the read with the lowest error rate among those that disturb little enough."""
        if not allowed.any():
            return []
        row, column = np.unravel_index(int(np.argmin(np.where(allowed, wrong, np.inf))), wrong.shape)
        time, voltage = float(grid[0][column]), float(grid[1][row])
        label = (
            f"lowest read error rate, {wrong[row, column]:.1e}: "
            f"{compact(voltage, 'V', 3)}, {compact(1e-9 * time, 's', 3)}"
        )
        return axes.plot(
            time,
            voltage,
            "kD",
            markersize=6.0,
            fillstyle="none",
            linestyle="none",
            clip_on=False,
            label=label,
        )

    def margin(self, ax: Axes | None = None) -> Axes:
        """Draw the smaller mean sense margin of both states over the sensing time, for up to six voltages."""
        factor, unit = (_MILLI, "mV") if self._surface.margin_unit == "V" else (_MICRO, "µA")
        return self._over_time(
            ax, lambda volts, time: factor * self._surface.margin(volts, time), f"sense margin ({unit})"
        )

    def margin_deviations(self, ax: Axes | None = None) -> Axes:
        """Draw the margin over the standard deviation of devices, offset, noise and reference together."""
        return self._over_time(ax, self._surface.margin_deviations, "sense margin (standard deviations)")

    def _over_time(
        self, ax: Axes | None, values: Callable[[float, FloatArray], FloatArray], label: str
    ) -> Axes:
        axes, surface = new_axes(ax), self._surface
        _, time = self._fine()
        places = np.unique(np.linspace(0, len(surface.voltages) - 1, _MOST_CURVES).round().astype(int))
        colours = colormaps["viridis"](np.linspace(0.0, 0.88, len(places)))
        for k, (place, colour) in enumerate(zip(places, colours, strict=True)):
            voltage = float(surface.voltages[place])
            style = {"color": colour, "linestyle": LINES[k % len(LINES)]}
            axes.plot(1e9 * time, values(voltage, time), label=compact(voltage, "V", 3), **style)
        axes.axhline(0.0, color="0.5", linewidth=0.8)
        axes.set(xscale="log", xlabel="sensing time (ns)", ylabel=label)
        logarithmic_axis(axes.xaxis, 1e9 * time)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, edgecolor="none", framealpha=0.7)
        return axes

    def _fine(self) -> tuple[FloatArray, FloatArray]:
        voltages, times = self._surface.voltages, self._surface.times
        return (
            np.linspace(voltages[0], voltages[-1], _POINTS),
            np.geomspace(times[0], times[-1], _POINTS),
        )
