"""A run as one HTML page that opens without a network: figures to hover over, tables, and their sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mtjchar.arrays import FloatArray
from mtjchar.cells import Direction
from mtjchar.errors import MtjcharError, printable
from mtjchar.export.provenance import study_of
from mtjchar.files import write_text
from mtjchar.network.results import read_tradeoff
from mtjchar.network.tradeoff import band_in_words, one_line, shown
from mtjchar.plotting.surfaces import LOWEST_RATE
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.grid import RELIABLE, targets
from mtjchar.sweep.failures import Tally
from mtjchar.sweep.population import Population
from mtjchar.sweep.store import RunDirectory

__all__ = [
    "Section",
    "cheapest_pulses",
    "device_spread",
    "figures",
    "sample_counts",
    "trade_offs",
    "write_report",
]

_TARGETS = (1e-6, RELIABLE)
_POINTS = 61
_WEAKEST = 0.999
_LAYOUT = {"height": 460, "margin": {"t": 40, "b": 50}, "template": "plotly_white"}


class Section(NamedTuple):
    """A table of the page.

    Attributes
    ----------
    title : str
    columns : list of str
    rows : list of list of str
    text : str
        What has to be said of it; may be empty.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    text: str


def write_report(folder: str | Path, out: str | Path) -> None:
    """Write the report of a run.

    Parameters
    ----------
    folder : str or Path
        Run directory with a surface. Trade-offs in it, or in directories of it, are told too.
    out : str or Path
        HTML file; some 5 MB, most of it the library that draws the figures.

    Raises
    ------
    InputError
        If there is no run directory, or no surface in it.
    """
    directory = RunDirectory.open(folder)
    file = directory.path / "surface.nc"
    surface = WriteSurface.load(file)
    directory.check_study_of(surface.dataset.attrs.get("study"), file)
    study = study_of(surface)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mtjchar", "templates"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    page = environment.get_template("report.html").render(
        cell=study.kind.describe(study.tables),
        sections=[
            cheapest_pulses(surface),
            device_spread(directory, surface),
            sample_counts(directory),
            *trade_offs(directory.path),
        ],
        figures=[
            # The first brings the library along that draws all of them.
            (title, figure.to_html(full_html=False, include_plotlyjs=number == 0, div_id=f"figure-{number}"))
            for number, (title, figure) in enumerate(figures(surface).items())
        ],
        attributes={key: value for key, value in surface.dataset.attrs.items() if key != "study"},
        study=surface.dataset.attrs["study"],
    )
    write_text(out, page)


def _shown(value: Any) -> Any:
    """Write out control characters of a text; what is markup already is the figures'."""
    return value if hasattr(value, "__html__") else printable(str(value), keep="\n\t")


def cheapest_pulses(surface: WriteSurface) -> Section:
    """Tabulate the cheapest pulses for two error rates."""
    rows, text = [], ["Energy is that of a switching write; of one pulse for both, the mean of all writes."]
    for target in _TARGETS:
        for direction in targets(surface):
            row = [f"{target:.0e}", surface.title(direction)]
            try:
                pulse = surface.cheapest_pulse(direction, target)
            except MtjcharError as error:
                rows.append([*row, "-", "-", "-", "-", "-"])
                text.append(str(error))
                continue
            rows.append(
                [
                    *row,
                    f"{pulse.amplitude_V:.3f} V",
                    f"{1e9 * pulse.duration_s:.2f} ns",
                    f"{1e12 * pulse.energy_J:.3f} pJ",
                    pulse.rate.interval_in_words(),
                    "-" if np.isnan(pulse.effective_devices) else f"{pulse.effective_devices:.3g}",
                ]
            )
    text += surface.extrapolation_in_words()
    columns = [
        "write error rate",
        "direction",
        "amplitude",
        "duration",
        "energy of a write",
        "95 % interval",
        "effective devices",
    ]
    return Section("Cheapest pulses", columns, rows, " ".join(text))


def device_spread(directory: RunDirectory, surface: WriteSurface) -> Section:
    """Tabulate what devices there were."""
    devices, nominal = directory.devices(), Population(study_of(surface)).nominal().iloc[0]
    weight = devices["weight"].to_numpy(dtype=np.float64)
    rows = []
    for column, (name, unit, factor) in surface.kind.columns.items():
        if column not in devices:  # of a run of an earlier version
            continue
        values = factor * devices[column].to_numpy(dtype=np.float64)
        mean = float(np.average(values, weights=weight))
        deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
        shown = (factor * float(nominal[column]), mean, deviation)
        rows.append([f"{name} ({unit})" if unit else name, *(f"{value:.4g}" for value in shown)])
    return Section(
        "Devices",
        ["", "nominal", "mean", "standard deviation"],
        rows,
        f"{len(devices)} devices, each with its weight.",
    )


def sample_counts(directory: RunDirectory) -> Section:
    """Tabulate what became of the simulations."""
    tally = Tally()
    for file in sorted((directory.path / "samples").glob("*.parquet")):
        tally.add(directory.read_part(file, ["direction", "amplitude_V", "status", "reason"]))
    return Section(
        "Samples",
        ["status", "samples"],
        [[status, f"{count:,}"] for status, count in sorted(tally.status.items())],
        tally.words() or "A sample is a device, a direction and a pulse; none failed.",
    )


def trade_offs(folder: Path) -> list[Section]:
    """Tabulate what trainings in this memory can save, where there were any: exact designs first."""
    sections = []
    for file in sorted([*folder.glob("tradeoff.csv"), *folder.glob("*/tradeoff.csv")]):
        table = read_tradeoff(file)
        rows = [
            [
                row["lever"],
                row["code"],
                f"{row['ber']:.2g}",
                f"{1e6 * row['programming_energy_J']:.4g}",
                f"{row['energy_saved_fraction']:.1%}",
                band_in_words(row),
                f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f}",
                "no write fails" if row["exact"] else "writes may fail",
                "not shown" if row["not_shown"] else "holds",
                ", ".join(words for flag, words in _FLAGS.items() if row.get(flag, False)) or "-",
            ]
            for row in shown(table).to_dict("records")
        ]
        columns = [
            "lever", "code", "BER", "energy of a training (µJ)", "saved", "band (%)", "loss (points)",
            "writes", "at most 1 point lost", "pulses",
        ]  # fmt: skip
        sections.append(Section(f"Trade-off: {file.parent.name}", columns, rows, one_line(table)))
    return sections


_FLAGS = {
    "at_edge": "at the edge of the sweep",
    "at_limit": "at the highest error rate allowed",
    "extrapolated": "error rate extrapolated",
}


def figures(surface: WriteSurface) -> dict[str, go.Figure]:
    """Draw what there is to hover over.

    Returns
    -------
    dict
        Figure by title: map of the error rate, error rate against duration at the nominal amplitude, and
        map of the energy where the surface knows it.
    """
    drawn = {
        "Write error rate": _maps(surface, _rate, "Viridis", "%{customdata:.2e}"),
        f"Write error rate at {surface.nominal_amplitude:.3g} V": _curves(surface),
    }
    if surface.knows_energy:
        drawn["Energy of a switching write"] = _maps(surface, _picojoule, "Cividis", "%{customdata:.3f} pJ")
    return drawn


def _rate(surface: WriteSurface, direction: Direction, amplitude: FloatArray, duration: FloatArray) -> Any:
    return np.maximum(surface.ber(direction, amplitude, duration), LOWEST_RATE)


def _picojoule(
    surface: WriteSurface, direction: Direction, amplitude: FloatArray, duration: FloatArray
) -> Any:
    return 1e12 * surface.energy(direction, amplitude, duration)


def _maps(surface: WriteSurface, value: Callable[..., Any], colours: str, hover: str) -> go.Figure:
    """Draw a map for each direction, in colours that go with the logarithm."""
    amplitude = np.linspace(surface.amplitudes[0], surface.amplitudes[-1], _POINTS)
    duration = np.geomspace(surface.durations[0], surface.durations[-1], _POINTS)
    figure = make_subplots(
        1,
        len(surface.directions),
        shared_yaxes=True,
        subplot_titles=[surface.title(direction) for direction in surface.directions],
    )
    for column, direction in enumerate(surface.directions, start=1):
        at = amplitude[None, :], duration[:, None]
        drawn = value(surface, direction, *at)
        remark = np.where(surface.is_extrapolated(direction, *at), ", error rate extrapolated", "")
        contours = go.Contour(
            x=amplitude,
            y=1e9 * duration,
            z=np.log10(drawn),
            customdata=drawn,
            text=remark,
            hovertemplate="%{x:.3f} V, %{y:.3g} ns: " + hover + "%{text}<extra></extra>",
            coloraxis="coloraxis",
        )
        figure.add_trace(contours, row=1, col=column)
        figure.update_xaxes(title_text="amplitude (V)", row=1, col=column)
    figure.update_yaxes(type="log")
    figure.update_yaxes(title_text="duration (ns)", row=1, col=1)
    figure.update_layout(
        coloraxis={"colorscale": colours, "colorbar": {"tickprefix": "10<sup>", "ticksuffix": "</sup>"}},
        **_LAYOUT,
    )
    return figure


def _curves(surface: WriteSurface) -> go.Figure:
    figure = go.Figure()
    duration = np.geomspace(surface.durations[0], surface.durations[-1], 4 * _POINTS)
    amplitude = surface.nominal_amplitude
    for direction, colour in zip(surface.directions, ("31, 119, 180", "214, 39, 40"), strict=False):
        rate = surface.ber(direction, amplitude, duration)
        lower, upper = surface.ber_interval(direction, amplitude, duration)
        weak = surface.device_ber(direction, amplitude, duration, quantile=_WEAKEST)
        # Where no error was counted no quantile is known.
        weak = np.where(surface.is_bound(direction, amplitude, duration), np.nan, weak)
        extrapolated = surface.is_extrapolated(direction, amplitude, duration)
        shared = {"x": 1e9 * duration, "line": {"color": f"rgb({colour})"}}
        name = surface.title(direction)
        hover = "%{x:.3g} ns: %{y:.2e}"
        known = np.where(extrapolated, np.nan, rate)
        figure.add_trace(go.Scatter(**shared, y=known, name=name, hovertemplate=hover))
        if (shown := extrapolated & (rate > LOWEST_RATE)).any():
            line = {"color": f"rgb({colour})", "dash": "dash"}
            figure.add_trace(
                go.Scatter(
                    x=1e9 * duration, y=np.where(shown, rate, np.nan), line=line,
                    name=f"{name}, extrapolated", hovertemplate=hover + ", extrapolated",
                )
            )  # fmt: skip
        x, low, high = (values[~extrapolated] for values in (1e9 * duration, lower, upper))
        figure.add_trace(
            go.Scatter(
                x=np.r_[x, x[::-1]], y=np.r_[high, low[::-1]], fill="toself",
                fillcolor=f"rgba({colour}, 0.2)", line={"width": 0}, hoverinfo="skip",
                name=f"{name}, 95 % interval",
            )
        )  # fmt: skip
        dashed = {**shared, "line": {"color": f"rgb({colour})", "dash": "dot"}}
        label = f"{name}, {_WEAKEST:.1%} of the devices are below"
        figure.add_trace(go.Scatter(**dashed, y=weak, name=label, hovertemplate="%{x:.3g} ns: %{y:.2e}"))
    figure.update_xaxes(type="log", title_text="duration (ns)")
    figure.update_yaxes(
        type="log", title_text="write error rate", range=[np.log10(LOWEST_RATE), 0.2], exponentformat="power"
    )
    figure.update_layout(legend={"orientation": "h", "y": -0.2}, **_LAYOUT)
    return figure
