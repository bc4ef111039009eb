"""Rows and figures of the verification page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

FIGURES = Path(__file__).resolve().parents[2] / "docs/figures/verification"

COLOURS = ("#0b5394", "#c55a11", "#38761d", "#7b3294", "#666666", "#b8860b")


class Row(NamedTuple):
    """One comparison."""

    what: str
    how: str
    expected: str
    measured: str
    limit: str
    passed: bool


def at_most(what: str, how: str, expected: str, value: float, limit: float, show: str = "{:.2g}") -> Row:
    """Build a row of a deviation that may be `limit` at most."""
    return Row(what, how, expected, show.format(value), "≤ " + show.format(limit), abs(value) <= limit)


def between(
    what: str, how: str, expected: str, value: float, low: float, high: float, show: str = "{:.3g}"
) -> Row:
    """Build a row of a value with a lower and an upper limit."""
    limits = f"{show.format(low)} to {show.format(high)}"
    return Row(what, how, expected, show.format(value), limits, low <= value <= high)


def plain_ticks(ax: Axes, values: list[float]) -> None:
    """Label a logarithmic x axis with these numbers."""
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.xaxis.set_minor_locator(NullLocator())


@contextlib.contextmanager
def figure(name: str, columns: int = 1, rows: int = 1, height: float = 3.4) -> Iterator[list[Axes]]:
    """Yield axes of a figure and write it as PNG."""
    drawn = Figure(figsize=(min(4.6 * columns + 1.2 * (columns == 1), 10.0), height * rows), dpi=90)
    FigureCanvasAgg(drawn)
    axes = drawn.subplots(rows, columns, squeeze=False).ravel().tolist()
    yield axes
    for one in axes:
        one.grid(visible=True, which="major", linewidth=0.4, color="#dddddd")
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
        one.title.set_fontsize(10)
    drawn.tight_layout()
    FIGURES.mkdir(parents=True, exist_ok=True)
    drawn.savefig(FIGURES / f"{name}.png")
