"""What figures share: ticks that can be read, and lines that all eyes tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from mtjchar.arrays import FloatArray

__all__ = [
    "COLOURS",
    "LINES",
    "MARKERS",
    "ON_MAP",
    "line_style",
    "logarithmic_axis",
    "marker_style",
    "new_axes",
    "start_at_zero",
]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
"""Of Okabe and Ito, which the colour-blind tell apart; without their yellows, too pale on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (3, 3)))
"""Line styles. There is one marker more, so that 42 lines with markers differ in one or the other."""


ON_MAP = ("#ffffff", "#1a1a1a")
"""Lines on a colour map: on its dark half, and on its light one."""


def line_style(k: int) -> dict[str, Any]:
    """Colour and line style of the k-th line: the first six differ in both, the first 36 in one."""
    turn = k // len(LINES)
    return {"color": COLOURS[(k + turn) % len(COLOURS)], "linestyle": LINES[k % len(LINES)]}


def marker_style(k: int) -> dict[str, Any]:
    """Colour, line style and marker of the k-th line: the first 42 differ in line style or marker."""
    return {**line_style(k), "marker": MARKERS[k % len(MARKERS)]}


def new_axes(ax: Axes | None) -> Axes:
    """Return the axes; new ones in a figure of their own, which notebooks show, where there are none."""
    if ax is not None:
        return ax
    from matplotlib import pyplot  # here: a program that draws into files needs no window system

    return pyplot.subplots(layout="constrained")[1]


def start_at_zero(axes: Axes) -> None:
    """Let the vertical axis begin at zero, and end above the data of all axes that share it."""
    axes.autoscale(axis="y")
    axes.set_ylim(bottom=0.0)


def plain(value: float) -> str:
    """Write a number without an exponent."""
    return np.format_float_positional(float(f"{value:.6g}"), trim="-")


def logarithmic_axis(axis: Axis, values: FloatArray, words: Callable[[float], str] = plain) -> None:
    """Set ticks at 1, 2 and 5 of each decade, or as many as are readable, all written out.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        With a logarithmic scale.
    values : ndarray
        Which the axis shows; positive.
    words : callable, optional
        Writes a tick.
    """
    decades = np.log10(np.max(values) / np.min(values))
    steps = (1.0,) if decades > 4.0 else (1.0, 2.0, 5.0) if decades > 1.2 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.set_major_locator(LogLocator(subs=steps, numticks=6 if decades > 4.0 else 30))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator() if decades > 4.0 else LogLocator(subs=range(1, 10), numticks=30))
