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
from matplotlib.ticker import FuncFormatter, LogitFormatter
from scipy import stats

from mtjchar.arrays import FloatArray
from mtjchar.cells.stt.kind import SttCell
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.plotting.axes import LINES, MARKERS, logarithmic_axis
from mtjchar.stackfit import StackFit
from mtjchar.stackfit.problem import threshold_errors

__all__ = [
    "Panel",
    "PulseCurves",
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
_PLAIN = 0.0009  # error rate down to which, and to 1 minus which, ticks are decimals
_SIGMA = 0.1587  # beyond one standard deviation, on one side

Panel = tuple[str, float, str]
"""Of points that share axes: column of the amplitude, temperature (K) and direction."""


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

    @property
    def few(self) -> bool:
        """Whether a legend can name all curves."""
        return len(self.values) <= _MOST_IN_LEGEND

    def handles(self) -> list[Line2D]:
        """Entries of a legend; none where curves are many."""
        return [Line2D([], [], markersize=4, **self(value)) for value in self.values if self.few]

    def explain(self, figure: Figure, axes: Sequence[Axes], more: Sequence[Line2D] = ()) -> None:
        """Add a legend, or a colour bar where curves are many; beside one panel its legend stands inside."""
        if not self.few:
            colours = matplotlib.colors.ListedColormap(_COLOURS(np.linspace(0.0, _DARKEST_YELLOW, 256)))
            bar = figure.colorbar(
                ScalarMappable(self.norm, colours), ax=list(axes), aspect=40, pad=0.02, label=self.title
            )
            logarithmic_axis(bar.ax.yaxis, self.values, self.words)
        if handles := [*self.handles(), *more]:
            words: dict[str, Any] = {
                "handles": handles,
                "fontsize": 8,
                "title": self.title if self.few else None,
            }
            if len(axes) == 1:
                axes[0].legend(**words, edgecolor="none", framealpha=0.7)
            else:
                figure.legend(**words, loc="outside right upper", frameon=False)


def time_words(seconds: float) -> str:
    """Write a duration with its unit."""
    size, unit = next(
        (pair for pair in reversed(_TIMES) if seconds >= 0.9999 * pair[0]), _TIMES[0]
    )  # below 1 ns in ns
    return f"{seconds / size:.3g} {unit}"


def points_of(fit: StackFit, kind: str) -> pd.DataFrame:
    """Rows of a kind with what the model says of them, and the temperature, direction and drive of each.

    The curves are those of the diameter of the fit. Rows of other diameters are left out, unless there are
    no others.
    """
    points = fit.points()
    points = points[points["kind"] == kind]
    if fit.film is not None and "diameter_m" in points:
        own = points["diameter_m"].isna() | np.isclose(points["diameter_m"], fit.film.diameter)
        points = points[own] if own.any() else points
    empty = pd.Series(np.nan, index=points.index)
    kelvin = points.get("temperature_K", empty).fillna(fit.problem.temperature)
    direction = points.get("direction", empty).astype(object)
    volts, amperes = (points.get(name, empty) for name in _DRIVES)
    return points.assign(
        temperature_K=kelvin, direction=direction.fillna(DIRECTIONS[0]), stated=direction.notna(),
        level=volts.fillna(amperes), drive=np.where(volts.notna(), "amplitude_V", "current_A"),
    )  # fmt: skip


def at_rest(points: pd.DataFrame) -> pd.Series[bool]:
    """Whether nothing drives the bits of a row of `points_of`; an axis of amplitudes has no place for it."""
    return points["level"] == 0.0


@dataclass(frozen=True)
class PulseCurves:
    """What is drawn of the switching counts or the thresholds of a fit, and how.

    Parameters
    ----------
    fit : StackFit
    points : DataFrame
        Rows of one kind, as `points_of` gives them, with their error rate as `rate`.
    along : {"level", "duration_s"}
        Column of the horizontal axis.
    by : {"level", "duration_s", "rate"}
        Column whose values have a curve each.
    styles : Styles
        By the values of `by`.
    """

    fit: StackFit
    points: pd.DataFrame
    along: str
    by: str
    styles: Styles

    @classmethod
    def of(cls, fit: StackFit, kind: str) -> PulseCurves:
        """Choose axes for which the curves are few."""
        points = points_of(fit, kind)
        if kind == "switching":
            points = _counted(points[~at_rest(points)])
            if points["duration_s"].nunique() > points["level"].nunique():
                styles = Styles.of(points["level"], _level_words(points), "amplitude")
                return cls(fit, points, "duration_s", "level", styles)
        else:
            points = points.assign(error=threshold_errors(points), rate=np.exp(points["ln_error_rate"]))
            if points["duration_s"].nunique() >= points["rate"].nunique():
                styles = Styles.of(points["rate"], lambda rate: f"{rate:.3g}", "error rate")
                return cls(fit, points, "duration_s", "rate", styles)
        return cls(
            fit, points, "level", "duration_s", Styles.of(points["duration_s"], time_words, "duration")
        )

    @property
    def counted(self) -> bool:
        """Whether the points are counted errors; otherwise they are thresholds."""
        return "failed" in self.points

    def panels(self) -> list[Panel]:
        """Return what has axes of its own: data in volts first, temperatures upwards."""
        columns = ["drive", "temperature_K", "direction"]
        found = {(str(u), float(t), str(d)) for u, t, d in self.points[columns].to_numpy()}
        return sorted(found, key=lambda panel: (*panel[:2], DIRECTIONS.index(panel[2])))

    def rows(self, panel: Panel) -> pd.DataFrame:
        """Return the points of a panel."""
        drive, kelvin, direction = panel
        same = (self.points["drive"] == drive) & (self.points["temperature_K"] == kelvin)
        return self.points[same & (self.points["direction"] == direction)]

    def draw(self, panel: Panel, axes: Axes) -> None:
        """Draw points and curves of a panel."""
        (drive, kelvin, direction), rows = panel, self.rows(panel)
        factor, (level_label, size) = self.scale(panel, axes), _DRIVES[drive]
        setting: dict[str, Any] = {"current": drive == "current_A", "temperature": kelvin}
        if self.by == "rate":
            axes.set_ylabel(level_label)
        else:
            _logit(axes, self.points["rate"])
            axes.set_ylabel("write error rate")
        fine = _fine(rows[self.along])
        for value, own in _curves(rows, self.by):
            style, place = self.styles(value), factor * own[self.along]
            if self.by == "rate":
                _line(
                    axes, factor * fine, size * self.fit.amplitude(direction, value, fine, **setting), style
                )
                axes.errorbar(place, size * own["level"], yerr=size * own["error"], **_dots(style, capsize=2))
                continue
            pulse = (value, fine) if self.by == "level" else (fine, value)
            _line(axes, factor * fine, self.fit.error_rate(direction, *pulse, **setting), style)
            if self.counted:
                _rates(axes, place, own, style)
            else:
                axes.errorbar(place, own["rate"], xerr=factor * own["error"], **_dots(style, capsize=2))
        axes.grid(alpha=0.3)

    def draw_residuals(self, panel: Panel, axes: Axes) -> None:
        """Draw the residuals of a panel, in standard errors."""
        factor = self.scale(panel, axes)
        for value, own in _curves(self.rows(panel), self.by):
            axes.plot(factor * own[self.along], own["residual"], **_dots(self.styles(value)))
        residual_axis(axes)

    def scale(self, panel: Panel, axes: Axes) -> float:
        """Set and name the horizontal axis, and return the factor to its unit."""
        rows = self.rows(panel)
        return _amplitudes(axes, rows, panel[0]) if self.along == "level" else _durations(axes, rows)

    def title(self, panel: Panel) -> str:
        """Say what a panel shows."""
        stated = self.rows(panel)["stated"].any()
        title = SttCell.titles[panel[2]] if stated else "direction not stated"
        settings = {other[:2] for other in self.panels()}
        return f"{title}, {panel[1]:g} K" if len(settings) > 1 else title

    def explain(self, axes: Sequence[Axes]) -> None:
        """Name the curves, and the arrows where only a limit is known."""
        figure = axes[0].get_figure(root=True)
        assert figure is not None
        self.styles.explain(figure, axes, _limits(self.points) if self.counted else ())


def switching_figure(fit: StackFit) -> Figure:
    """Draw counted error rates: over the amplitude, or over the duration where amplitudes are fewer.

    Parameters
    ----------
    fit : StackFit
        With switching counts.
    """
    return _figure(PulseCurves.of(fit, "switching"))


def thresholds_figure(fit: StackFit) -> Figure:
    """Draw amplitudes at stated error rates: over the duration, or below their error rates if these are more.

    Parameters
    ----------
    fit : StackFit
        With thresholds.
    """
    return _figure(PulseCurves.of(fit, "threshold"))


def _figure(curves: PulseCurves) -> Figure:
    """Draw all panels: each temperature and drive a row, each direction a column, with residuals below."""
    panels = curves.panels()
    settings = list(dict.fromkeys(panel[:2] for panel in panels))
    directions = [direction for direction in DIRECTIONS if any(panel[2] == direction for panel in panels)]
    figure = Figure(figsize=(4.4 * len(directions) + 1.4, 4.9 * len(settings)), layout="constrained")
    axes = figure.subplots(
        2 * len(settings), len(directions), squeeze=False, height_ratios=[3, 1] * len(settings)
    )
    named = set()
    for k, j in np.ndindex(len(settings), len(directions)):
        panel, upper, lower = (*settings[k], directions[j]), axes[2 * k, j], axes[2 * k + 1, j]
        if panel not in panels:
            upper.remove()
            lower.remove()
            continue
        lower.sharex(upper)
        upper.set_title(curves.title(panel))
        curves.draw(panel, upper)
        curves.draw_residuals(panel, lower)
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
        # Named at the left; the amplitude of thresholds everywhere.
        if k in named:
            lower.set_ylabel("")
            upper.set_ylabel(upper.get_ylabel() if curves.by == "rate" else "")
        named.add(k)
    curves.explain(figure.axes)
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
    axes.errorbar(
        place[known], own["rate"], yerr=own[["below", "above"]].to_numpy().T, **_dots(style, capsize=2)
    )
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


def _amplitudes(axes: Axes, rows: pd.DataFrame, drive: str) -> float:
    """Set a horizontal axis of amplitudes, and return the factor to its unit."""
    label, factor = _DRIVES[drive]
    axes.set_xlabel(label)
    levels = factor * rows["level"].to_numpy()
    if levels.max() > _WIDE * levels.min():
        axes.set_xscale("log")
        logarithmic_axis(axes.xaxis, levels)
    return factor


def _durations(axes: Axes, rows: pd.DataFrame) -> float:
    """Set a horizontal axis of durations, and return the factor to its unit."""
    axes.set_xscale("log")
    durations = rows["duration_s"].to_numpy()
    size, unit = next((pair for pair in reversed(_TIMES) if durations.max() >= 10.0 * pair[0]), _TIMES[0])
    if np.log10(durations.max() / durations.min()) > 4.0:
        logarithmic_axis(axes.xaxis, durations / size, lambda x: time_words(size * x))
        axes.set_xlabel("duration")
    else:
        logarithmic_axis(axes.xaxis, durations / size)
        axes.set_xlabel(f"duration ({unit})")
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


def _dots(style: dict[str, Any], **more: Any) -> dict[str, Any]:
    same = {name: style[name] for name in ("color", "marker")}
    return {**same, "linestyle": "none", "markersize": 4, "linewidth": 1.0, **more}


def _logit(axes: Axes, rates: pd.Series[float]) -> None:
    """Set an axis of error rates that is logarithmic in both tails."""
    # The limits come first: curves reach rates that the scale cannot show.
    axes.set_ylim(min(0.25 * rates.min(), 0.05), 1.0 - min(0.25 * (1.0 - rates.max()), 0.05))
    axes.set_yscale("logit")
    exact = LogitFormatter()
    exact.set_locs([0.5])

    def words(rate: float, _: float) -> str:
        return f"{rate:.3g}" if _PLAIN <= rate <= 1.0 - _PLAIN else exact(rate)

    axes.yaxis.set_major_formatter(FuncFormatter(words))


def residual_axis(axes: Axes) -> None:
    """Mark zero and one standard error, with room for three."""
    axes.axhspan(-1.0, 1.0, color="0.9", zorder=0)
    axes.axhline(0.0, color="0.5", linewidth=0.8)
    reach = max(3.2, 1.1 * max(abs(end) for end in axes.get_ylim()))
    axes.set(ylim=(-reach, reach), ylabel="residual (σ)")
    axes.grid(alpha=0.3)
