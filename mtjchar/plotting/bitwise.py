"""Figures of bitwise operations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mtjchar.physics.bitwise import OPERATIONS
from mtjchar.plotting.axes import ON_MAP, line_style, logarithmic_axis, new_axes
from mtjchar.plotting.files import save
from mtjchar.surfaces.bitwise_surface import BitwiseSurface
from mtjchar.surfaces.tails import VERIFIED_RATE
from mtjchar.units import compact

__all__ = ["TITLES", "BitwisePlots", "bitwise_figures"]

_LOWEST, _HIGHEST = VERIFIED_RATE, 0.5
_ROOM = 3.0  # below the lowest rate
_WIDEST = 2.6  # points, of a line
_BELOW = 0.06  # the middle of a row, where its error rates begin
_DARK = 0.45  # of the colours: below, text is white
TITLES = {"and": "AND", "or": "OR", "xor": "XOR", "majority": "majority"}
"""Names of operations for people."""


def bitwise_figures(surface: BitwiseSurface, folder: str | Path) -> list[Path]:
    """Draw the truth tables with their error rates, and the error rate against the sensing time.

    Parameters
    ----------
    surface : BitwiseSurface
    folder : str or Path
        Where the figure goes; made if missing.

    Returns
    -------
    list of Path
        The files, a PNG and an SVG.
    """
    figure = Figure(figsize=(10.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    plots = BitwisePlots(surface)
    plots.truth_tables(ax=left)
    plots.against_time(ax=right)
    return save(figure, Path(folder), "bitwise")


class BitwisePlots:
    """Figures of a surface of bitwise operations, each drawn into axes: `BitwiseSurface.plot`.

    The read is by default the one of the grid with which the worst operation has its lowest error rate.

    Parameters
    ----------
    surface : BitwiseSurface
    """

    def __init__(self, surface: BitwiseSurface) -> None:
        self._surface = surface

    def __dir__(self) -> list[str]:
        return [name for name in vars(BitwisePlots) if not name.startswith("_")]

    def truth_tables(
        self, voltage: float | None = None, time: float | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the result of each operation for each combination of inputs, with its error rate.

        A star marks rates that are extrapolated. Those below 1e-18, the lowest that is verified, read so.
        """
        surface, axes = self._surface, new_axes(ax)
        volts, seconds = self._read(voltage, time)
        points = [surface.point(name, volts, seconds) for name in surface.operations]
        rates = np.array([list(point.error_rates.values()) for point in points])
        norm, colours = LogNorm(_LOWEST, _HIGHEST), colormaps["viridis"]
        shown = np.clip(np.nan_to_num(rates, nan=_HIGHEST), _LOWEST, _HIGHEST)
        image = axes.imshow(shown, norm=norm, cmap=colours, aspect="auto")
        cells = len(surface.inputs[0])
        doubtful = surface.dataset["extrapolated"].sel(voltage=volts, time=seconds, method="nearest")
        for row, name in enumerate(surface.operations):
            for column, right in enumerate(OPERATIONS[cells][name].truth):
                rate, star = rates[row, column], "*" if doubtful.to_numpy()[row, column] > 0 else ""
                words = f"{rate:.1e}{star}" if rate > _LOWEST else f"below {_LOWEST:.0e}"
                style: dict[str, Any] = {
                    "ha": "center",
                    "color": ON_MAP[int(norm(shown[row, column]) > _DARK)],
                }
                axes.text(column, row, f"{int(right)}", va="bottom", fontsize=14, **style)
                size = 9 if cells == 2 else 7
                axes.text(column, row + _BELOW, words, va="top", fontsize=size, **style)
        axes.set_xticks(range(len(surface.inputs)), surface.inputs)
        axes.set_yticks(range(len(points)), [TITLES[name] for name in surface.operations])
        axes.set_xticks(np.arange(1, len(surface.inputs)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(points)) - 0.5, minor=True)
        axes.grid(which="minor", color=ON_MAP[0], linewidth=1.5)
        axes.tick_params(which="both", length=0)
        starred = any(text.get_text().endswith("*") for text in axes.texts)
        axes.set_xlabel("states of the cells (0: P, 1: AP)" + "; *: extrapolated" * starred)
        axes.set_title(f"result and error rate at {compact(volts, 'V', 3)}, {compact(seconds, 's', 3)}")
        axes.figure.colorbar(image, ax=axes, label="error rate")
        return axes

    def against_time(self, voltage: float | None = None, ax: Axes | None = None) -> Axes:
        """Draw the error rate of the worst inputs of each operation against the sensing time."""
        surface, axes = self._surface, new_axes(ax)
        volts, _ = self._read(voltage, None)
        times = np.geomspace(surface.times[0], surface.times[-1], 200)
        for k, name in enumerate(surface.operations):
            # Operations may have the same rate: the later ones are thinner, and leave the earlier ones seen.
            width = _WIDEST - 0.6 * k
            rates = surface.error_rate(name, volts, times)
            axes.plot(1e9 * times, rates, label=TITLES[name], linewidth=width, **line_style(k))
        axes.set_xscale("log")
        axes.set_yscale("log")
        logarithmic_axis(axes.xaxis, 1e9 * times)
        lowest = min(float(np.min(surface.error_rate(name, volts, times))) for name in surface.operations)
        axes.set_ylim(bottom=max(lowest / _ROOM, _LOWEST), top=1.0)
        axes.set_xlabel("sensing time (ns)")
        axes.set_ylabel("error rate of the worst inputs")
        axes.set_title(f"read voltage {compact(volts, 'V', 3)}")
        axes.legend(frameon=False)
        return axes

    def _read(self, voltage: float | None, time: float | None) -> tuple[float, float]:
        volts, seconds = self._surface.best_read("all")
        return volts if voltage is None else voltage, seconds if time is None else time
