"""Figures of pulses: error rates and thresholds with the curves of a fit, and residuals below them.

Each temperature (and each drive, where data are in volts and in amperes) is a row of panels, each direction a
column. Curves differ in colour, line style and marker; where they are many, a colour bar names them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.kind import SttCell
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.plotting.axes import LINES, MARKERS, logarithmic_axis
from mtjchar.stackfit import StackFit
from mtjchar.stackfit.problem import threshold_errors

__all__ = [
    "Styles",
    "points_of",
    "residual_axis",
    "switching_figure",
    "thresholds_figure",
    "time_words",
]

_MOST_IN_LEGEND = 8
_COLOURS = matplotlib.colormaps["viridis"]
_DARKEST_YELLOW = 0.88  # end of the colours that can be read on white
_DRIVES = {"amplitude_V": ("amplitude (V)", 1.0), "current_A": ("current (µA)", 1e6)}
_TIMES = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))
_WIDE = 2.5  # ratio of amplitudes from which on their axis is logarithmic
_LIMIT = 0.05  # chance of none or all, at the error rate that stands for them
_SIGMA = 0.1587  # beyond one standard deviation, on one side


@dataclass(frozen=True)
class Styles:
    """How curves are drawn: colour, line style and marker by the value that tells them apart."""

    values: FloatArray
    words: Callable[[float], str]
    title: str
    norm: Normalize

    @classmethod
    def of(cls, values: npt.ArrayLike, words: Callable[[float], str], title: str) -> Styles:
        """For these values, all positive, in their order."""
        known = np.unique(np.asarray(values, dtype=np.float64))
        low, high = known[0], known[-1]
        return cls(known, words, title, LogNorm(low, high) if high > low else LogNorm(low / 2, high * 2))

    def __call__(self, value: float) -> dict[str, Any]:
        """Keywords of a line, with its label."""
        place = int(np.searchsorted(self.values, value))
        return {
            "color": _COLOURS(_DARKEST_YELLOW * float(self.norm(value))), "label": self.words(value),
            "linestyle": LINES[place % len(LINES)], "marker": MARKERS[place % len(MARKERS)],
        }  # fmt: skip

    def explain(self, figure: Figure, axes: Sequence[Axes], more: Sequence[Line2D] = ()) -> None:
        """Add a legend, or a colour bar where curves are many."""
        handles = list(more)
        if len(self.values) <= _MOST_IN_LEGEND:
            handles = [Line2D([], [], markersize=4, **self(value)) for value in self.values] + handles
        else:
            colours = matplotlib.colors.ListedColormap(_COLOURS(np.linspace(0.0, _DARKEST_YELLOW, 256)))
            bar = figure.colorbar(
                ScalarMappable(self.norm, colours), ax=list(axes), aspect=40, pad=0.02, label=self.title
            )
            logarithmic_axis(bar.ax.yaxis, self.values, self.words)
        if handles:
            title = self.title if len(self.values) <= _MOST_IN_LEGEND else None
            figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False, title=title)


def time_words(seconds: float) -> str:
    """Write a duration with its unit."""
    size, unit = next(
        (pair for pair in reversed(_TIMES) if seconds >= 0.9999 * pair[0]), _TIMES[0]
    )  # below 1 ns in ns
    return f"{seconds / size:.3g} {unit}"


def points_of(fit: StackFit, kind: str) -> pd.DataFrame:
    """Rows of a kind with what the model says of them, and the temperature, direction and drive of each."""
    points = fit.points()
    points = points[points["kind"] == kind]
    empty = pd.Series(np.nan, index=points.index)
    kelvin = points.get("temperature_K", empty).fillna(fit.problem.temperature)
    direction = points.get("direction", empty).astype(object)
    volts, amperes = (points.get(name, empty) for name in _DRIVES)
    return points.assign(
        temperature_K=kelvin, direction=direction.fillna(DIRECTIONS[0]), stated=direction.notna(),
        level=volts.fillna(amperes), drive=np.where(volts.notna(), "amplitude_V", "current_A"),
    )  # fmt: skip


def switching_figure(fit: StackFit) -> Figure:
    """Draw counted error rates: over the amplitude, or over the duration where amplitudes are fewer.

    Parameters
    ----------
    fit : StackFit
        With switching counts.
    """
    points = _counted(points_of(fit, "switching"))
    sweep = points["duration_s"].nunique() > points["level"].nunique()
    if sweep:
        styles = Styles.of(points["level"], _level_words(points), "amplitude")
    else:
        styles = Styles.of(points["duration_s"], time_words, "duration")
    figure, panels = _panels(points)
    for (drive, kelvin, direction), (upper, lower) in panels.items():
        rows = _own(points, drive, kelvin, direction)
        over = "duration_s" if sweep else "level"
        factor = _along(upper, lower, rows, drive, over)
        _logit(upper, points["rate"])
        for value, own in _curves(rows, "level" if sweep else "duration_s"):
            style, fine = styles(value), _fine(rows[over])
            pulse = (value, fine) if sweep else (fine, value)
            rate = fit.error_rate(direction, *pulse, current=drive == "current_A", temperature=kelvin)
            _line(upper, factor * fine, rate, style)
            _rates(upper, factor * own[over], own, style)
            _residuals(lower, factor * own[over], own, style)
    _label(panels, "write error rate")
    styles.explain(figure, figure.axes, _limits(points))
    return figure


def thresholds_figure(fit: StackFit) -> Figure:
    """Draw amplitudes at stated error rates: over the duration, or below their error rates if these are more.

    Parameters
    ----------
    fit : StackFit
        With thresholds.
    """
    points = points_of(fit, "threshold")
    points = points.assign(error=threshold_errors(points), rate=np.exp(points["ln_error_rate"]))
    if points["duration_s"].nunique() < points["rate"].nunique():
        return _thresholds_over_amplitude(fit, points)
    styles = Styles.of(points["rate"], lambda rate: f"{rate:.3g}", "error rate")
    figure, panels = _panels(points)
    for (drive, kelvin, direction), (upper, lower) in panels.items():
        rows = _own(points, drive, kelvin, direction)
        factor = _along(upper, lower, rows, drive, "duration_s")
        times, (label, size) = factor * rows["duration_s"], _DRIVES[drive]
        upper.set_ylabel(label)
        for rate, own in _curves(rows, "rate"):
            style, fine = styles(rate), _fine(rows["duration_s"])
            curve = fit.amplitude(direction, rate, fine, current=drive == "current_A", temperature=kelvin)
            _line(upper, factor * fine, size * curve, style)
            upper.errorbar(times[own.index], size * own["level"], yerr=size * own["error"], **_dots(style))
            _residuals(lower, times[own.index], own, style)
    _label(panels, None)
    styles.explain(figure, figure.axes)
    return figure


def _thresholds_over_amplitude(fit: StackFit, points: pd.DataFrame) -> Figure:
    styles = Styles.of(points["duration_s"], time_words, "duration")
    figure, panels = _panels(points)
    for (drive, kelvin, direction), (upper, lower) in panels.items():
        rows = _own(points, drive, kelvin, direction)
        factor = _along(upper, lower, rows, drive, "level")
        _logit(upper, points["rate"])
        for duration, own in _curves(rows, "duration_s"):
            style, fine = styles(duration), _fine(rows["level"])
            rate = fit.error_rate(direction, fine, duration, current=drive == "current_A", temperature=kelvin)
            _line(upper, factor * fine, rate, style)
            upper.errorbar(factor * own["level"], own["rate"], xerr=factor * own["error"], **_dots(style))
            _residuals(lower, factor * own["level"], own, style)
    _label(panels, "write error rate")
    styles.explain(figure, figure.axes)
    return figure


def _counted(points: pd.DataFrame) -> pd.DataFrame:
    """Error rates with intervals of one standard deviation; where none or all failed, the limit of them."""
    trials, failed = points["trials"], points["trials"] - points["switched"]
    limit = 1.0 - _LIMIT ** (1.0 / trials)
    rate = np.where(failed == 0, limit, np.where(failed == trials, 1.0 - limit, failed / trials))
    ends = (stats.beta.ppf(level, failed + 0.5, trials - failed + 0.5) for level in (_SIGMA, 1.0 - _SIGMA))
    below, above = (np.abs(end - rate) for end in ends)
    return points.assign(rate=rate, failed=failed, below=below, above=above)


def _rates(axes: Axes, place: pd.Series[float], rows: pd.DataFrame, style: dict[str, Any]) -> None:
    """Draw counted error rates, and arrows where only a limit is known."""
    none, every = rows["failed"] == 0, rows["failed"] == rows["trials"]
    known = ~(none | every)
    own = rows[known]
    axes.errorbar(place[known], own["rate"], yerr=own[["below", "above"]].to_numpy().T, **_dots(style))
    for which, arrow in ((none, "$\\downarrow$"), (every, "$\\uparrow$")):
        axes.plot(
            place[which],
            rows["rate"][which],
            color=style["color"],
            marker=arrow,
            markersize=8,
            linestyle="none",
        )


def _limits(points: pd.DataFrame) -> list[Line2D]:
    """Entries of a legend for arrows that are drawn."""
    limits = []
    for which, arrow, words in (
        (points["failed"] == 0, "$\\downarrow$", "none failed:\n95 % upper limit"),
        (points["failed"] == points["trials"], "$\\uparrow$", "all failed:\n95 % lower limit"),
    ):
        if which.any():
            limits.append(
                Line2D([], [], color="0.3", marker=arrow, markersize=8, linestyle="none", label=words)
            )
    return limits


def _panels(points: pd.DataFrame) -> tuple[Figure, dict[tuple[str, float, str], tuple[Axes, Axes]]]:
    """Axes for curves and residuals, by drive, temperature and direction."""
    settings = sorted(
        {(str(drive), float(kelvin)) for drive, kelvin in points[["drive", "temperature_K"]].to_numpy()}
    )
    directions = [direction for direction in DIRECTIONS if (points["direction"] == direction).any()]
    figure = Figure(figsize=(4.4 * len(directions) + 1.4, 4.9 * len(settings)), layout="constrained")
    axes = figure.subplots(
        2 * len(settings), len(directions), squeeze=False, height_ratios=[3, 1] * len(settings)
    )
    panels: dict[tuple[str, float, str], tuple[Axes, Axes]] = {}
    for k, (drive, kelvin) in enumerate(settings):
        for j, direction in enumerate(directions):
            upper, lower = axes[2 * k, j], axes[2 * k + 1, j]
            own = _own(points, drive, kelvin, direction)
            if own.empty:
                upper.remove()
                lower.remove()
                continue
            lower.sharex(upper)
            upper.tick_params(labelbottom=False)
            title = SttCell.titles[direction] if own["stated"].any() else "direction not stated"
            upper.set_title(f"{title}, {kelvin:g} K" if len(settings) > 1 else title)
            panels[drive, kelvin, str(direction)] = (upper, lower)
    return figure, panels


def _own(points: pd.DataFrame, drive: str, kelvin: float, direction: str) -> pd.DataFrame:
    same = (points["drive"] == drive) & (points["temperature_K"] == kelvin)
    return points[same & (points["direction"] == direction)]


def _along(upper: Axes, lower: Axes, rows: pd.DataFrame, drive: str, over: str) -> float:
    """Set the axis of amplitudes or durations, and return the factor to its unit."""
    if over == "level":
        label, factor = _DRIVES[drive]
        lower.set_xlabel(label)
        levels = factor * rows["level"].to_numpy()
        if levels.max() > _WIDE * levels.min():
            upper.set_xscale("log")
            logarithmic_axis(lower.xaxis, levels)
        return factor
    upper.set_xscale("log")
    longest = rows["duration_s"].max()
    size, unit = next((pair for pair in reversed(_TIMES) if longest >= 10.0 * pair[0]), _TIMES[0])
    decades = np.log10(longest / rows["duration_s"].min())
    if decades > 4.0:
        logarithmic_axis(lower.xaxis, rows["duration_s"].to_numpy() / size, lambda x: time_words(size * x))
        lower.set_xlabel("duration")
    else:
        logarithmic_axis(lower.xaxis, rows["duration_s"].to_numpy() / size)
        lower.set_xlabel(f"duration ({unit})")
    return 1.0 / size


def _fine(values: pd.Series[float]) -> FloatArray:
    """Places of a curve: those of the data and a little beyond."""
    return np.geomspace(0.93 * float(values.min()), 1.07 * float(values.max()), 60)


def _curves(rows: pd.DataFrame, column: str) -> list[tuple[float, pd.DataFrame]]:
    """Rows of each curve, and the value that they share."""
    return [(float(value), rows[rows[column] == value]) for value in np.unique(rows[column])]


def _level_words(points: pd.DataFrame) -> Callable[[float], str]:
    """Write amplitudes with their unit, which their size tells where there are volts and amperes."""
    amperes = points.loc[points["drive"] == "current_A", "level"].to_numpy()
    return lambda value: f"{1e6 * value:.4g} µA" if value in amperes else f"{value:.4g} V"


def _line(axes: Axes, place: FloatArray, values: FloatArray, style: dict[str, Any]) -> None:
    axes.plot(place, values, linewidth=1.2, **{**style, "marker": ""})


def _dots(style: dict[str, Any]) -> dict[str, Any]:
    same = {name: style[name] for name in ("color", "marker")}
    return {**same, "linestyle": "none", "markersize": 4, "capsize": 2, "linewidth": 1.0}


def _residuals(axes: Axes, place: pd.Series[float], rows: pd.DataFrame, style: dict[str, Any]) -> None:
    axes.plot(
        place, rows["residual"], color=style["color"], marker=style["marker"], markersize=4, linestyle="none"
    )


def _logit(axes: Axes, rates: pd.Series[float]) -> None:
    """Set an axis of error rates that is logarithmic in both tails."""
    # The limits come first: curves reach rates that the scale cannot show.
    axes.set_ylim(min(0.25 * rates.min(), 0.05), 1.0 - min(0.25 * (1.0 - rates.max()), 0.05))
    axes.set_yscale("logit")


def _label(panels: dict[tuple[str, float, str], tuple[Axes, Axes]], upper_label: str | None) -> None:
    """Name the axes at the left, and frame the residuals."""
    named = set()
    for (*setting, _), (upper, lower) in panels.items():
        residual_axis(lower)
        upper.grid(alpha=0.3)
        if tuple(setting) not in named:
            named.add(tuple(setting))
            lower.set_ylabel("residual (σ)")
            if upper_label:
                upper.set_ylabel(upper_label)


def residual_axis(axes: Axes) -> None:
    """Mark zero and one standard error, with room for three."""
    axes.axhspan(-1.0, 1.0, color="0.9", zorder=0)
    axes.axhline(0.0, color="0.5", linewidth=0.8)
    reach = max(3.2, 1.1 * max(abs(end) for end in axes.get_ylim()))
    axes.set_ylim(-reach, reach)
    axes.grid(alpha=0.3)
