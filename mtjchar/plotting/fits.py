"""Figures of fits: data and model, residuals, and where to measure next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtjchar.cells.stt.kind import SttCell
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.errors import InputError
from mtjchar.plotting.axes import (
    COLOURS,
    LINES,
    MARKERS,
    logarithmic_axis,
    marker_style,
    new_axes,
    start_at_zero,
)
from mtjchar.plotting.files import plain, save
from mtjchar.plotting.fit_curves import (
    Panel,
    PulseCurves,
    at_rest,
    points_of,
    residual_axis,
    switching_figure,
    thresholds_figure,
    time_words,
)
from mtjchar.stackfit import StackFit, information_map
from mtjchar.stackfit.design import pulse_rows

__all__ = ["correlation_map", "data_and_model", "fit_figures", "narrowing_map", "next_figure", "residuals"]

Kind = Literal["switching", "rest", "threshold", "resistance", "loop"]
"""Of data, as ``kind`` of `StackFit.points`; rest are switching counts of bits at rest."""

_DARK = 0.6  # correlation from which on its colour is too dark for black


def fit_figures(fit: StackFit, folder: str | Path, narrow: str | None = None) -> list[Path]:
    """Draw data with the model and the residuals of a fit.

    Parameters
    ----------
    fit : StackFit
    folder : str or Path
        Where the figures go; made if missing.
    narrow : str, optional
        Parameter for which a map of the next measurement is drawn too.
    """
    folder = Path(folder)
    paths = []
    there = _kinds(fit)
    if "switching" in there:
        paths += save(switching_figure(fit), folder, "fit_switching")
    if "rest" in there:
        paths += save(_with_residuals(fit, "rest"), folder, "fit_retention")
    if len(fit.problem.data.thresholds):
        paths += save(thresholds_figure(fit), folder, "fit_thresholds")
    if len(fit.problem.data.resistance):
        paths += save(_with_residuals(fit, "resistance"), folder, "fit_resistance")
    if len(fit.problem.data.loops):
        paths += save(_with_residuals(fit, "loop"), folder, "fit_loops")
    if narrow is not None:
        paths += save(next_figure(fit, narrow), folder, "next_measurement")
    return paths


def _drive(rows: pd.DataFrame) -> tuple[str, str, float]:
    """Column of the amplitude, its label, and the factor to the unit of the label."""
    if "amplitude_V" in rows and rows["amplitude_V"].notna().any():
        return "amplitude_V", "amplitude (V)", 1.0
    return "current_A", "current (µA)", 1e6


def _with_residuals(fit: StackFit, kind: Kind) -> Figure:
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    data_and_model(fit, kind, ax=upper).set_xlabel("")
    residuals(fit, kind, ax=lower)
    return figure


def data_and_model(
    fit: StackFit,
    kind: Kind = "switching",
    direction: str | None = None,
    ax: Axes | None = None,
    *,
    temperature: float | None = None,
    current: bool | None = None,
) -> Axes:
    """Draw data of a kind, and the curves of the model with the fitted values.

    Parameters
    ----------
    fit : StackFit
    kind : {"switching", "rest", "threshold", "resistance", "loop"}, optional
        Of switching counts error rates are drawn, of loops and bits at rest the share that switched.
    direction : str, optional
        Of pulses. The first one with data if not given.
    ax : Axes, optional
        New ones if not given.
    temperature : float, optional
        Of pulses, K. The lowest one with data if not given.
    current : bool, optional
        Of pulses: those in amperes or those in volts. Volts if not given and there are any.

    Raises
    ------
    InputError
        For a kind, a direction or a temperature without data.
    """
    axes = new_axes(ax)
    draw = _DRAW.get(_known(fit, kind))
    if draw is not None:
        draw(fit, axes, None)
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.3)
        return axes
    curves = PulseCurves.of(fit, kind)
    panel = _panel(curves, direction, temperature, current)
    axes.set_title(curves.title(panel))
    curves.draw(panel, axes)
    curves.explain([axes])
    return axes


def residuals(
    fit: StackFit,
    kind: Kind = "switching",
    direction: str | None = None,
    ax: Axes | None = None,
    *,
    temperature: float | None = None,
    current: bool | None = None,
) -> Axes:
    """Draw how far the data are from the model, in standard errors.

    Parameters
    ----------
    fit, kind, direction, ax, temperature, current
        As for `data_and_model`.

    Raises
    ------
    InputError
        For a kind, a direction or a temperature without data.
    """
    axes = new_axes(ax)
    draw = _DRAW.get(_known(fit, kind))
    if draw is not None:
        draw(fit, None, axes)
        residual_axis(axes)
        return axes
    curves = PulseCurves.of(fit, kind)
    panel = _panel(curves, direction, temperature, current)
    axes.set_title(curves.title(panel))
    curves.draw_residuals(panel, axes)
    return axes


def _kinds(fit: StackFit) -> list[str]:
    """Kinds of data that the fit has."""
    there = set(fit.points()["kind"])
    if "switching" in there:
        resting = at_rest(points_of(fit, "switching"))
        there = there - {"switching"} | ({"rest"} if resting.any() else set())
        there |= set() if resting.all() else {"switching"}
    return [name for name in get_args(Kind) if name in there]


def _known(fit: StackFit, kind: str) -> str:
    """Return the kind if the fit has data of it."""
    there = _kinds(fit)
    if kind not in there:
        raise InputError(
            "kind of data to draw", value=kind, allowed=", ".join(there),
            remedy="A fit draws the kinds of data that it was made of.",
        )  # fmt: skip
    return kind


def _panel(
    curves: PulseCurves, direction: str | None, temperature: float | None, current: bool | None
) -> Panel:
    """Return the first panel with what was asked for."""
    panels = curves.panels()
    for panel in panels:
        drive, kelvin, towards = panel
        if direction not in (None, towards) or current not in (None, drive == "current_A"):
            continue
        if temperature is None or np.isclose(temperature, kelvin):
            return panel
    raise InputError(
        "data to draw",
        value=f"direction {direction}, temperature {temperature}, current {current}",
        allowed="; ".join(f"{towards}, {kelvin:g} K, {drive}" for drive, kelvin, towards in panels),
        remedy="Leave out what need not be chosen.",
    )


def _draw_resistance(fit: StackFit, upper: Axes | None, lower: Axes | None) -> None:
    for k, (state, rows) in enumerate(points_of(fit, "resistance").groupby("state")):
        rows = rows.sort_values("voltage_V")
        dots: dict[str, Any] = {
            "color": COLOURS[k], "marker": MARKERS[k], "linestyle": "none", "markersize": 4,
        }  # fmt: skip
        if upper is not None:
            upper.plot(rows["voltage_V"], 1e-3 * rows["expected"], linestyle=LINES[k], color=COLOURS[k])
            upper.plot(rows["voltage_V"], 1e-3 * rows["observed"], label=str(state).upper(), **dots)
            upper.set(ylabel="resistance (kΩ)", xlabel="voltage (V)")
            start_at_zero(upper)
        if lower is not None:
            lower.plot(rows["voltage_V"], rows["residual"], **dots)
            lower.set_xlabel("voltage (V)")


def _draw_rest(fit: StackFit, upper: Axes | None, lower: Axes | None) -> None:
    """Draw the share of the bits that are in the other state, over the time at rest."""
    points = points_of(fit, "switching")
    points = points[at_rest(points)]
    for axes in (axes for axes in (upper, lower) if axes is not None):
        axes.set(xlabel="time at rest (s)", xscale="log")
        logarithmic_axis(axes.xaxis, points["duration_s"].to_numpy())
    for k, ((kelvin, direction), rows) in enumerate(points.groupby(["temperature_K", "direction"])):
        style, time = marker_style(k), rows["duration_s"]
        dots: dict[str, Any] = {**style, "linestyle": "none", "markersize": 4}
        if upper is not None:
            fine = np.geomspace(time.min(), time.max(), 200)
            stays = fit.error_rate(str(direction), 0.0, fine, temperature=float(str(kelvin)))
            upper.plot(fine, 1.0 - stays, linewidth=1.2, **{**style, "marker": ""})
            label = f"{SttCell.titles[str(direction)]}, {kelvin:g} K"
            upper.plot(time, rows["switched"] / rows["trials"], label=label, **dots)
            upper.set_ylabel("share in the other state")
        if lower is not None:
            lower.plot(time, rows["residual"], **dots)


def _draw_loops(fit: StackFit, upper: Axes | None, lower: Axes | None) -> None:
    points = points_of(fit, "loop")
    keys = ["file", "sweep_rate_T_per_s", "temperature_K"]
    sweeps = {key: k for k, (key, _) in enumerate(points.groupby(keys))}
    near = points.loc[(points["expected"] > 1e-4) & (points["expected"] < 0.9999)]
    edges = 1e3 * near["upwards"] * near["stop_T"]
    for axes in (axes for axes in (upper, lower) if axes is not None):
        axes.set(xlabel="field (mT)", xlim=(edges.min() - 5.0, edges.max() + 5.0))
    for (*key, towards_p), rows in points[points["stop_T"] > 0.0].groupby([*keys, "towards_p"]):
        rows, k = rows.sort_values("stop_T"), sweeps[tuple(key)]
        place = (1e3 * rows["upwards"] * rows["stop_T"]).to_numpy()
        # Shares of each step's trials become that of all loops.
        model, counted = (1.0 - np.cumprod(1.0 - rows[name].to_numpy()) for name in ("expected", "observed"))
        label = "AP → P" if towards_p == 1.0 else "P → AP"
        if len(sweeps) > 1:
            label += f", {plain(Path(str(key[0])).name)}, {key[1]:.3g} T/s, {key[2]:g} K"
        style = marker_style(2 * k + (towards_p == 1.0))
        dots: dict[str, Any] = {**style, "linestyle": "none", "markersize": 4}
        shown = (counted > 0.0) & (counted < 1.0)
        if upper is not None:
            upper.plot(place, model, linewidth=1.2, **{**style, "marker": ""})
            upper.plot(place[shown], counted[shown], label=label, **dots)
            upper.set_ylabel("share that switched")
        if lower is not None:
            lower.plot(place[shown], rows["residual"].to_numpy()[shown], **dots)


_DRAW = {"rest": _draw_rest, "resistance": _draw_resistance, "loop": _draw_loops}
"""Kinds that are drawn into one panel."""


def correlation_map(fit: StackFit, ax: Axes | None = None) -> Axes:
    """Map the correlations between the fitted parameters.

    Parameters
    ----------
    fit : StackFit
    ax : Axes, optional
        New ones if not given.
    """
    axes = new_axes(ax)
    table = fit.correlation()
    picture = axes.imshow(table, vmin=-1.0, vmax=1.0, cmap="RdBu")
    axes.set_yticks(range(len(table)), table.index)
    axes.set_xticks(range(len(table)), table.columns, rotation=60, ha="right")
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        colour = "white" if abs(value) > _DARK else "black"
        axes.text(
            column, row, f"{round(value, 1) + 0.0:.1f}", ha="center", va="center", fontsize=7, color=colour
        )
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(picture, ax=axes, label="correlation")
    return axes


def next_figure(fit: StackFit, parameter: str, trials: int = 10_000) -> Figure:
    """Map how far one more measurement narrows a parameter, for each direction.

    Parameters
    ----------
    fit : StackFit
    parameter : str
        A free parameter of the fit.
    trials : int, optional
        Writes of the measurement.
    """
    points = pd.concat(pulse_rows(fit.problem))
    stated = set(points.get("direction", [DIRECTIONS[0]]))
    directions = [direction for direction in DIRECTIONS if direction in stated]
    figure = Figure(figsize=(5.0 * len(directions), 3.9), layout="constrained")
    row = figure.subplots(1, len(directions), squeeze=False, sharey=True)[0]
    for axes, direction in zip(row, directions, strict=True):
        narrowing_map(fit, parameter, direction, axes, trials=trials)
    for axes in row[1:]:
        axes.set_ylabel("")
    return figure


def narrowing_map(
    fit: StackFit,
    parameter: str,
    direction: str | None = None,
    ax: Axes | None = None,
    *,
    trials: int = 10_000,
) -> Axes:
    """Map how far one more measurement narrows a parameter, over duration (ns) and amplitude (V or µA).

    Parameters
    ----------
    fit : StackFit
    parameter : str
        A free parameter of the fit.
    direction : str, optional
        The first one if not given.
    ax : Axes, optional
        New ones if not given.
    trials : int, optional
        Writes of the measurement.
    """
    axes, points, direction = new_axes(ax), pd.concat(pulse_rows(fit.problem)), direction or DIRECTIONS[0]
    column, label, factor = _drive(points)
    durations = np.geomspace(points["duration_s"].min() / 3.0, 100.0 * points["duration_s"].max(), 60)
    amplitudes = np.geomspace(0.5 * points[column].min(), 1.5 * points[column].max(), 150)
    table = information_map(
        fit, parameter, direction=direction, durations=durations, amplitudes=amplitudes, trials=trials
    )
    shape = (len(durations), len(amplitudes))
    picture = axes.pcolormesh(
        1e9 * durations, factor * amplitudes, table["narrowing"].to_numpy().reshape(shape).T, vmax=1.0,
        shading="gouraud", rasterized=True, cmap="viridis_r",
    )  # fmt: skip
    own = points[points["direction"] == direction] if "direction" in points else points
    axes.plot(
        1e9 * own["duration_s"],
        factor * own[column],
        "o",
        color="black",
        markeredgecolor="white",
        markersize=5,
    )
    axes.set(xscale="log", yscale="log", xlabel="duration", ylabel=label)
    axes.set_title(SttCell.titles[direction])
    logarithmic_axis(axes.xaxis, 1e9 * durations, lambda duration: time_words(1e-9 * duration))
    logarithmic_axis(axes.yaxis, factor * amplitudes)
    kelvin, figure = table["temperature_K"].iloc[0], axes.get_figure()
    assert figure is not None
    figure.colorbar(picture, ax=axes, label=f"standard error of {parameter},\nafter/before, at {kelvin:g} K")
    return axes
