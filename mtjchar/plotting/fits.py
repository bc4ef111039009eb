"""Figures of fits: data and model, residuals, and where to measure next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtjchar.plotting.files import save
from mtjchar.plotting.surfaces import TITLES
from mtjchar.stackfit import StackFit, information_map
from mtjchar.study import DIRECTIONS

FloatArray = npt.NDArray[np.float64]

_MOST_CURVES = 10


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
        paths += save(_switching(fit), folder, "fit_switching")
    if len(fit.problem.data.thresholds):
        paths += save(_thresholds(fit), folder, "fit_thresholds")
    if len(fit.problem.data.resistance):
        paths += save(_resistance(fit), folder, "fit_resistance")
    if len(fit.problem.data.loops):
        paths += save(_loops(fit), folder, "fit_loops")
    if narrow is not None:
        paths += save(next_figure(fit, narrow), folder, "next_measurement")
    return paths


def _points(fit: StackFit, kind: str) -> pd.DataFrame:
    """Rows of a kind with what the model says of them, and the temperature of each."""
    points = fit.points()
    points = points[points["kind"] == kind]
    kelvin = points.get("temperature_K", pd.Series(np.nan, index=points.index))
    return points.assign(temperature_K=kelvin.fillna(fit.problem.temperature))


def _drive(rows: pd.DataFrame) -> tuple[str, str, float]:
    """Column of the amplitude, its label, and the factor to the unit of the label."""
    if "amplitude_V" in rows and rows["amplitude_V"].notna().any():
        return "amplitude_V", "amplitude (V)", 1.0
    return "current_A", "current (µA)", 1e6


def _switching(fit: StackFit) -> Figure:
    points = _points(fit, "switching")
    directions = [one for one in DIRECTIONS if (points["direction"] == one).any()]
    figure = Figure(figsize=(4.6 * len(directions), 5.2), layout="constrained")
    axes = figure.subplots(
        2, len(directions), squeeze=False, sharex="col", height_ratios=[3, 1], sharey="row"
    )
    for (upper, lower), direction in zip(axes.T, directions, strict=True):
        _switched(fit, points[points["direction"] == direction], direction, upper, lower)
    axes[0, 0].set_ylabel("share that switched")
    axes[1, 0].set_ylabel("residual (σ)")
    return figure


def _switched(fit: StackFit, rows: pd.DataFrame, direction: str, upper: Axes, lower: Axes) -> None:
    column, label, factor = _drive(rows)
    curves = np.unique(rows[["temperature_K", "duration_s"]].to_numpy(dtype=np.float64), axis=0)
    shown = curves[np.unique(np.linspace(0, len(curves) - 1, _MOST_CURVES).round().astype(int))]
    several = rows["temperature_K"].nunique() > 1
    fine = np.linspace(0.95 * rows[column].min(), 1.05 * rows[column].max(), 200)
    for kelvin, duration in shown:
        own = rows[(rows["duration_s"] == duration) & (rows["temperature_K"] == kelvin)]
        rate = fit.error_rate(
            direction, fine, duration, current=column == "current_A", temperature=float(kelvin)
        )
        words = f"{_time(duration)}, {kelvin:g} K" if several else _time(duration)
        (line,) = upper.plot(factor * fine, 1.0 - rate, label=words, linewidth=1.2)
        error = np.sqrt(np.maximum(own["observed"] * (1.0 - own["observed"]), 0.0) / own["trials"])
        upper.errorbar(
            factor * own[column], own["observed"], yerr=error, fmt="o", markersize=3.5, capsize=2,
            color=line.get_color(),
        )  # fmt: skip
        lower.plot(factor * own[column], own["residual"], "o", markersize=3.5, color=line.get_color())
    upper.set(title=TITLES[direction], ylim=(-0.03, 1.03))
    # With temperatures the words are too long to stand between the curves in two columns.
    upper.legend(frameon=several, framealpha=0.85, fontsize=7, ncols=1 if several else 2)
    lower.axhline(0.0, color="0.5", linewidth=0.8)
    lower.set_xlabel(label)
    for one in (upper, lower):
        one.grid(alpha=0.3)


def _thresholds(fit: StackFit) -> Figure:
    points = _points(fit, "threshold")
    column, label, factor = _drive(points)
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    groups = ["direction", "probability"] if "direction" in points else ["probability"]
    several = points["temperature_K"].nunique() > 1
    for (*key, kelvin), rows in points.groupby([*groups, "temperature_K"]):
        rows = rows.sort_values("duration_s")
        curve = _threshold_curve(fit, rows, column)
        words = [TITLES.get(str(one), f"{one:.0%} switch" if isinstance(one, float) else "") for one in key]
        words += [f"{kelvin:g} K"] if several else []
        (line,) = upper.semilogx(1e9 * curve[0], factor * curve[1], label=", ".join(words))
        color = line.get_color()
        upper.plot(1e9 * rows["duration_s"], factor * rows[column], "o", color=color, markersize=4)
        lower.plot(1e9 * rows["duration_s"], rows["residual"], "o", color=color, markersize=4)
    lower.axhline(0.0, color="0.5", linewidth=0.8)
    lower.axhspan(-1.0, 1.0, color="0.85", zorder=0)
    upper.set_ylabel(label)
    lower.set(ylabel="residual (σ)", xlabel="duration (ns)")
    upper.legend(frameon=False, fontsize=8)
    for one in (upper, lower):
        one.grid(alpha=0.3)
    return figure


def _threshold_curve(fit: StackFit, rows: pd.DataFrame, column: str) -> tuple[FloatArray, FloatArray]:
    from mtjchar.stackfit.model import Pulses

    duration = np.geomspace(rows["duration_s"].min(), rows["duration_s"].max(), 120)
    kelvin = rows["temperature_K"].iloc[0]
    many = pd.DataFrame({column: np.ones(120), "duration_s": duration, "temperature_K": kelvin})
    if "direction" in rows:
        many["direction"] = rows["direction"].iloc[0]
    share = np.full(120, rows["probability"].iloc[0])
    pulses = Pulses.of(many, fit.problem.temperature)
    return duration, fit.problem.model.threshold(fit.values, pulses, share)


def _resistance(fit: StackFit) -> Figure:
    points = _points(fit, "resistance")
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.subplots()
    for state, rows in points.groupby("state"):
        rows = rows.sort_values("voltage_V")
        (line,) = axes.plot(rows["voltage_V"], 1e-3 * rows["expected"], label=str(state).upper())
        axes.plot(rows["voltage_V"], 1e-3 * rows["observed"], "o", markersize=4, color=line.get_color())
    axes.set(xlabel="voltage (V)", ylabel="resistance (kΩ)", ylim=(0.0, None))
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure


def _loops(fit: StackFit) -> Figure:
    points = _points(fit, "loop")
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.subplots()
    keys = ["file", "towards_p", "sweep_rate_T_per_s", "temperature_K"]
    several = len(points.drop_duplicates([keys[0], *keys[2:]])) > 1
    for (file, towards_p, rate, kelvin), rows in points[points["stop_T"] > 0.0].groupby(keys):
        rows = rows.sort_values("stop_T")
        place = 1e3 * rows["upwards"] * rows["stop_T"]
        # Shares of each step's trials become that of all loops.
        model, counted = (1.0 - np.cumprod(1.0 - rows[name].to_numpy()) for name in ("expected", "observed"))
        words = "AP → P" if towards_p == 1.0 else "P → AP"
        label = f"{words}, {Path(str(file)).name}, {rate:.3g} T/s, {kelvin:g} K" if several else words
        (line,) = axes.plot(place, model, label=label, linewidth=1.2)
        shown = (counted > 0.0) & (counted < 1.0)
        axes.plot(place[shown], counted[shown], "o", markersize=3.5, color=line.get_color())
    near = points.loc[(points["expected"] > 1e-4) & (points["expected"] < 0.9999)]
    edges = 1e3 * near["upwards"] * near["stop_T"]
    axes.set(xlabel="field (mT)", ylabel="share that switched", xlim=(edges.min() - 5.0, edges.max() + 5.0))
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure


def next_figure(fit: StackFit, parameter: str, trials: int = 10_000) -> Figure:
    """Map how far one more measurement narrows a parameter, over amplitude and duration.

    Parameters
    ----------
    fit : StackFit
    parameter : str
        A free parameter of the fit.
    trials : int, optional
        Writes of the measurement.
    """
    points = pd.concat([rows for rows in fit.problem.data[:2] if len(rows)])
    column, label, factor = _drive(points)
    directions = [one for one in DIRECTIONS if one in set(points.get("direction", [DIRECTIONS[0]]))]
    figure = Figure(figsize=(4.6 * len(directions), 3.9), layout="constrained")
    row = figure.subplots(1, len(directions), squeeze=False, sharey=True)[0]
    durations = np.geomspace(points["duration_s"].min() / 3.0, 100.0 * points["duration_s"].max(), 60)
    amplitudes = np.geomspace(0.5 * points[column].min(), 1.5 * points[column].max(), 150)
    for axes, direction in zip(row, directions, strict=True):
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
        axes.set(xscale="log", yscale="log", xlabel="duration (ns)", title=TITLES[direction])
    row[0].set_ylabel(label)
    kelvin = table["temperature_K"].iloc[0]
    figure.colorbar(
        picture, ax=list(row), label=f"standard error of {parameter},\nafter/before, at {kelvin:g} K"
    )
    return figure


def _time(seconds: float) -> str:
    size, unit = next(
        pair
        for pair in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (0.0, ""))
        if seconds >= 0.9999 * pair[0]
    )
    return f"{seconds / size:.3g} {unit}" if size else f"{1e9 * seconds:.3g} ns"
