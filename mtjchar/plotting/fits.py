"""Figures of fits: data and model, residuals, and where to measure next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtjchar.cells.stt.kind import SttCell
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.plotting.axes import COLOURS, LINES, MARKERS, logarithmic_axis, new_axes
from mtjchar.plotting.files import plain, save
from mtjchar.plotting.fit_curves import (
    points_of,
    residual_axis,
    switching_figure,
    thresholds_figure,
)
from mtjchar.stackfit import StackFit, information_map

__all__ = ["fit_figures", "narrowing_map", "next_figure"]


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
    if fit.problem.pulses is not None:
        paths += save(switching_figure(fit), folder, "fit_switching")
    if len(fit.problem.data.thresholds):
        paths += save(thresholds_figure(fit), folder, "fit_thresholds")
    if len(fit.problem.data.resistance):
        paths += save(_resistance(fit), folder, "fit_resistance")
    if len(fit.problem.data.loops):
        paths += save(_loops(fit), folder, "fit_loops")
    if narrow is not None:
        paths += save(next_figure(fit, narrow), folder, "next_measurement")
    return paths


def _drive(rows: pd.DataFrame) -> tuple[str, str, float]:
    """Column of the amplitude, its label, and the factor to the unit of the label."""
    if "amplitude_V" in rows and rows["amplitude_V"].notna().any():
        return "amplitude_V", "amplitude (V)", 1.0
    return "current_A", "current (µA)", 1e6


def _resistance(fit: StackFit) -> Figure:
    points = points_of(fit, "resistance")
    figure, upper, lower = _with_residuals()
    for k, (state, rows) in enumerate(points.groupby("state")):
        rows = rows.sort_values("voltage_V")
        dots: dict[str, Any] = {
            "color": COLOURS[k],
            "marker": MARKERS[k],
            "linestyle": "none",
            "markersize": 4,
        }
        upper.plot(rows["voltage_V"], 1e-3 * rows["expected"], linestyle=LINES[k], color=COLOURS[k])
        upper.plot(rows["voltage_V"], 1e-3 * rows["observed"], label=str(state).upper(), **dots)
        lower.plot(rows["voltage_V"], rows["residual"], **dots)
    upper.set(ylabel="resistance (kΩ)", ylim=(0.0, None))
    lower.set_xlabel("voltage (V)")
    upper.legend(frameon=False)
    residual_axis(lower)
    return figure


def _with_residuals() -> tuple[Figure, Axes, Axes]:
    figure = Figure(figsize=(6.0, 5.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    lower.set_ylabel("residual (σ)")
    upper.grid(alpha=0.3)
    return figure, upper, lower


def _loops(fit: StackFit) -> Figure:
    points = points_of(fit, "loop")
    figure, upper, lower = _with_residuals()
    keys = ["file", "sweep_rate_T_per_s", "temperature_K"]
    sweeps = {key: k for k, (key, _) in enumerate(points.groupby(keys))}
    for (*key, towards_p), rows in points[points["stop_T"] > 0.0].groupby([*keys, "towards_p"]):
        rows, k = rows.sort_values("stop_T"), sweeps[tuple(key)]
        place = (1e3 * rows["upwards"] * rows["stop_T"]).to_numpy()
        # Shares of each step's trials become that of all loops.
        model, counted = (1.0 - np.cumprod(1.0 - rows[name].to_numpy()) for name in ("expected", "observed"))
        label = "AP → P" if towards_p == 1.0 else "P → AP"
        if len(sweeps) > 1:
            label += f", {plain(Path(str(key[0])).name)}, {key[1]:.3g} T/s, {key[2]:g} K"
        # Directions differ in line and marker, sweeps in colour.
        first = towards_p == 1.0
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[(2 * k + first) % len(MARKERS)]
        dots: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4}
        upper.plot(place, model, linewidth=1.2, linestyle=LINES[int(first)], color=colour)
        shown = (counted > 0.0) & (counted < 1.0)
        upper.plot(place[shown], counted[shown], label=label, **dots)
        lower.plot(place[shown], rows["residual"].to_numpy()[shown], **dots)
    near = points.loc[(points["expected"] > 1e-4) & (points["expected"] < 0.9999)]
    edges = 1e3 * near["upwards"] * near["stop_T"]
    upper.set(ylabel="share that switched", xlim=(edges.min() - 5.0, edges.max() + 5.0))
    lower.set_xlabel("field (mT)")
    upper.legend(frameon=False, fontsize=8)
    residual_axis(lower)
    return figure


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
    points = _pulsed(fit)
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
    """Map how far one more measurement narrows a parameter, over amplitude and duration.

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
    axes, points, direction = new_axes(ax), _pulsed(fit), direction or DIRECTIONS[0]
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
    axes.plot(1e9 * own["duration_s"], factor * own[column], "k.", markersize=3)
    axes.set(xscale="log", yscale="log", xlabel="duration (ns)", ylabel=label)
    axes.set_title(SttCell.titles[direction])
    logarithmic_axis(axes.xaxis, 1e9 * durations)
    logarithmic_axis(axes.yaxis, factor * amplitudes)
    kelvin, figure = table["temperature_K"].iloc[0], axes.get_figure()
    assert figure is not None
    figure.colorbar(picture, ax=axes, label=f"standard error of {parameter},\nafter/before, at {kelvin:g} K")
    return axes


def _pulsed(fit: StackFit) -> pd.DataFrame:
    """Rows of the fit that are pulses."""
    return pd.concat([rows for rows in fit.problem.data[:2] if len(rows)])
