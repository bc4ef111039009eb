"""A run as one HTML page that opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from mtjchar.errors import printable
from mtjchar.export.provenance import study_of
from mtjchar.files import write_text
from mtjchar.report.chapters import chapters, limits, reference_pulses
from mtjchar.report.drawings import Drawing, Place, draw, style_sheet
from mtjchar.report.pulses import Answers, answers
from mtjchar.report.tables import cheapest_pulses
from mtjchar.surfaces import WriteSurface
from mtjchar.sweep.store import RunDirectory

__all__ = ["write_report"]


def write_report(folder: str | Path, out: str | Path) -> None:
    """Write the report of a run.

    Parameters
    ----------
    folder : str or Path
        Run directory with a surface. Trade-offs in it, or in directories of it, are in the report too.
    out : str or Path
        HTML file; its size is about 2 MB.

    Raises
    ------
    InputError
        If there is no run directory, or no surface in it.
    """
    directory = RunDirectory.open(folder)
    surface = WriteSurface.of_run(directory.path)
    study = study_of(surface)
    pulses = reference_pulses(surface)
    asked = [(answers(surface, name, pulse), _map(surface, name)) for name, pulse in pulses.items()]
    parts = chapters(directory, surface, pulses)
    drawings = [*(drawing for _, drawing in asked), *(one for part in parts for one in part.drawings)]
    light, dark = style_sheet(drawings)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mtjchar", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    page = environment.get_template("report.html").render(
        cell=study.kind.describe(study.tables),
        cheapest=cheapest_pulses(surface),
        asked=asked,
        data={one.direction: _data(one) for one, _ in asked},
        chapters=parts,
        limits=limits(surface),
        light=light,
        dark=dark,
        attributes={key: value for key, value in surface.dataset.attrs.items() if key != "study"},
        study=surface.dataset.attrs["study"],
    )
    write_text(out, page)


def _shown(value: Any) -> Any:
    """Write out control characters of a text; what is markup already is the figures'."""
    return value if hasattr(value, "__html__") else printable(str(value), keep="\n\t")


def _map(surface: WriteSurface, direction: str) -> Drawing:
    title = surface.title(direction)
    return draw(
        f"ber_map-{direction}",
        lambda axes: surface.plot.ber_map(direction, axes),
        f"Write error rate over duration and amplitude, {title}",
        "Write error rate. The cross is the pulse of the sliders. Click on the map to move it.",
        place=Place(direction, "duration", "amplitude"),
        is_map=True,
    )


def _data(one: Answers) -> dict[str, Any]:
    """Return what the page's script looks up."""
    names = ("amplitude_V", "duration_s", "amplitudes", "durations", "marks", "remarks", "log_rate")
    return {**{name: getattr(one, name) for name in names}, "rows": list(one.rows.values())}
