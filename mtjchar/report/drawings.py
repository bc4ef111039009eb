"""Figures of a report: those of `mtjchar.plotting` as SVG inside the page, in colours for light and dark."""

from __future__ import annotations

import colorsys
import html
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mtjchar.cells import Direction
from mtjchar.plotting.axes import ON_MAP

__all__ = ["Drawing", "Place", "draw", "style_sheet"]

_WIDTH, _HEIGHT = 4.7, 3.9  # inches of 72 units: text of 10 units is readable on a phone
# Likewise, around the axes; of a map beside its colour bar.
_LEFT, _RIGHT, _BESIDE_BAR, _TOP, _BOTTOM, _LINE = 0.85, 0.15, 0.3, 0.32, 0.58, 0.2
_DPI = 200  # of maps, which are pixels
_COLUMNS = (4, 8), (3, 13), (2, 26)  # of a legend, by its longest word
_PAPER = "#fefefe"  # stands for the ground of the page
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_ON_MAP = (*ON_MAP, to_hex(colormaps["viridis"](0.0)))  # colours of lines on a map, and of its legend
# In the dark: lightness of black, how far white is below it, and the least of a colour that is no grey.
_LIGHTEST, _RANGE, _LEAST = 0.93, 0.86, 0.6
_GREY = 0.1


class Place(NamedTuple):
    """Where in a figure a pulse is marked.

    Attributes
    ----------
    direction : str
        Whose pulse.
    x, y : {"amplitude", "duration", "rate"}
        What the axes are: V, ns, or the error rate.
    """

    direction: Direction
    x: str
    y: str


class Drawing(NamedTuple):
    """A figure of the page.

    Attributes
    ----------
    svg : str
        Markup, to be put into the page as it is.
    text : str
        Caption.
    colours : frozenset of str
        Those that `style_sheet` has to say.
    wide : bool
        Whether it takes the width of two.
    """

    svg: str
    text: str
    colours: frozenset[str]
    wide: bool


def draw(
    name: str,
    plot: Callable[[Axes], Axes],
    title: str,
    text: str,
    *,
    place: Place | None = None,
    is_map: bool = False,
    wide: bool = False,
) -> Drawing:
    """Draw a figure for the page.

    Parameters
    ----------
    name : str
        Of the figure, unique on the page.
    plot : callable
        Draws into the axes that it is given.
    title : str
        What the figure is, for those who do not see it.
    text : str
        Caption.
    place : Place, optional
        Where the pulse of the sliders is marked.
    is_map : bool, optional
        Whether lines lie on a colour map, so that their colours stay in the dark.
    wide : bool, optional
        Whether the figure takes the width of two.
    """
    # Words as outlines: the figure is the same whatever fonts a reader has.
    settings: Any = {
        "svg.hashsalt": name,
        "svg.fonttype": "path",
        "axes.facecolor": _PAPER,
        "axes.titley": 1.0,
    }
    with rc_context(settings):
        figure = Figure(figsize=(_WIDTH, _HEIGHT)) if not wide else _wide_figure()
        axes = plot(figure.subplots())
        if not wide:
            _set_margins(figure, is_map, 0 if is_map else _legend_below(figure, axes))
        content = io.BytesIO()
        figure.savefig(content, format="svg", dpi=_DPI, transparent=True, metadata={"Date": None})
    svg = content.getvalue().decode()
    svg, colours = _themed(svg, _ON_MAP if is_map else ())
    attributes = f'role="img" aria-label="{html.escape(title)}"'
    if place is not None:
        attributes += f' data-place="{html.escape(_place_in_page(place, axes, svg))}"'
    return Drawing(_inside_page(svg, attributes), text, colours, wide)


def _wide_figure() -> Figure:
    return Figure(figsize=(2.0 * _WIDTH, _HEIGHT), layout="constrained")


def _set_margins(figure: Figure, is_map: bool, legend_lines: int) -> None:
    """Leave room for labels: the same in all figures, which lines their axes up on the page."""
    right = _BESIDE_BAR if is_map else _RIGHT
    bottom = _BOTTOM + _LINE * legend_lines
    figure.subplots_adjust(
        left=_LEFT / _WIDTH, right=1.0 - right / _WIDTH, top=1.0 - _TOP / _HEIGHT, bottom=bottom / _HEIGHT
    )


def _legend_below(figure: Figure, axes: Axes) -> int:
    """Move the legend out of the axes, where it would cover lines and marks; return how many lines it has."""
    legend = axes.get_legend()
    if legend is None:
        return 0
    labels = [text.get_text() for text in legend.get_texts()]
    legend.remove()
    longest = max(map(len, labels))
    columns = next((count for count, most in _COLUMNS if longest <= most), 1)
    figure.legend(
        handles=[one for one in legend.legend_handles if one is not None], labels=labels,
        loc="lower center", ncols=columns, fontsize=9, frameon=False, borderaxespad=0.1,
    )  # fmt: skip
    return -(-len(labels) // columns)


def _inside_page(svg: str, attributes: str) -> str:
    """Leave of an SVG file what belongs inside a page: no head, no size, no style for everything else."""
    svg = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    svg = re.sub(r"^<svg[^>]*>", f"<svg {box[0]} {attributes}>", svg)
    svg = re.sub(r"(?s)<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg)
    used = set(re.findall(r'(?:#|url\(#)([\w-]+)[")]', svg))
    return re.sub(r' id="([\w-]+)"', lambda found: found[0] if found[1] in used else "", svg)


def _themed(svg: str, kept: Iterable[str]) -> tuple[str, frozenset[str]]:
    """Give colours names that the page's style sheet has a value for, and say which."""
    found = frozenset(_COLOUR.findall(svg)) - set(kept)
    # An element without a colour of its own is black; the style sheet says so of the whole figure.
    return _COLOUR.sub(lambda one: f"var(--c{one[0][1:]})" if one[0] in found else one[0], svg), found


def style_sheet(drawings: Iterable[Drawing]) -> tuple[str, str]:
    """Values of the colours of figures, in the light and in the dark."""
    colours = sorted(frozenset[str]().union(*(one.colours for one in drawings)))
    light = "".join(
        f"--c{colour[1:]}: {'var(--paper)' if colour in (_PAPER, '#ffffff') else colour}; "
        for colour in colours
    )
    dark = "".join(
        f"--c{colour[1:]}: {_in_the_dark(colour)}; "
        for colour in colours
        if colour not in (_PAPER, "#ffffff")
    )
    return light, dark


def _in_the_dark(colour: str) -> str:
    """Turn the lightness of a colour round, and keep its hue: what is dark on white is light on black."""
    red, green, blue = (int(colour[k : k + 2], 16) / 255.0 for k in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    turned_lightness = max(_LIGHTEST - _RANGE * lightness, 0.0 if saturation < _GREY else _LEAST)
    turned = colorsys.hls_to_rgb(hue, turned_lightness, saturation)
    return "#" + "".join(f"{round(255.0 * part):02x}" for part in turned)


def _place_in_page(place: Place, axes: Axes, svg: str) -> str:
    """Describe as JSON where the axes lie in the SVG, and what they show."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    part = axes.get_position()
    return json.dumps(
        {
            "direction": place.direction,
            "box": [
                round(value, 2)
                for value in (
                    part.x0 * width, (1.0 - part.y1) * height, part.width * width, part.height * height
                )
            ],
            "x": [place.x, *map(float, axes.get_xlim()), axes.get_xscale() == "log"],
            "y": [place.y, *map(float, axes.get_ylim()), axes.get_yscale() == "log"],
        }
    )  # fmt: skip
