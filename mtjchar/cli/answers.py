"""Commands that ask a surface: query, pulse, compare, export and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from mtjchar.cli.common import (
    AMPLITUDE,
    AMPLITUDES,
    CLOCK,
    DURATION,
    DURATIONS,
    FEATURE_SIZE,
    MAX_AMPLITUDE,
    MAX_DURATION,
    AsJson,
    DirectionName,
    Out,
    RunFolder,
    TargetName,
    Vary,
    answer_table,
    check_direction,
    console,
    load_surface,
    number_or_dash,
    print_json,
    writable_file,
)
from mtjchar.cli.comparison import comparison_as_json, print_comparison, write_comparison
from mtjchar.errors import InputError
from mtjchar.units import compact


def query(
    folder: RunFolder,
    direction: DirectionName,
    amplitude: Annotated[float, AMPLITUDE],
    duration: Annotated[float, DURATION],
    as_json: AsJson = False,
) -> None:
    """Print the write error rate and the energy of a pulse."""
    surface = load_surface(folder)
    check_direction(direction, surface.directions)
    rate = surface.stated_rate(direction, amplitude, duration)
    answer = {
        "ber": rate.ber,
        "ber_lower": rate.lower,
        "ber_upper": rate.upper,
        "bound": rate.bound,
        "effective_devices": rate.effective_devices,
        "extrapolated": rate.extrapolated,
        "energy_J": float(surface.energy(direction, amplitude, duration)),
        "redundant_energy_J": float(surface.energy(direction, amplitude, duration, switching=False)),
    }
    if surface.knows_supply_energy:
        for name, switching in (("supply_energy_J", True), ("redundant_supply_energy_J", False)):
            energy = surface.energy(direction, amplitude, duration, switching=switching, at_supply=True)
            answer[name] = float(energy)
    if as_json:
        print_json(answer)
        return
    table = answer_table()
    table.add_row("write error rate", rate.in_words())
    table.add_row("effective devices", number_or_dash(rate.effective_devices, ".3g"))
    table.add_row("energy, switching write", compact(answer["energy_J"], "J", 4))
    table.add_row("energy, redundant write", compact(answer["redundant_energy_J"], "J", 4))
    if surface.knows_supply_energy:
        table.add_row("switching write, at the supply", compact(answer["supply_energy_J"], "J", 4))
        table.add_row("redundant write, at the supply", compact(answer["redundant_supply_energy_J"], "J", 4))
    console.print(table)


def pulse(
    folder: RunFolder,
    direction: TargetName,
    ber: Annotated[
        float, typer.Option(metavar="RATE", help="Write error rate to reach, above 0 and below 1.")
    ],
    vary: Annotated[Vary, typer.Option(help="Which quantity to optimize.")] = Vary.both,
    amplitude: Annotated[float | None, AMPLITUDE] = None,
    duration: Annotated[float | None, DURATION] = None,
    max_amplitude: Annotated[float | None, MAX_AMPLITUDE] = None,
    max_duration: Annotated[float | None, MAX_DURATION] = None,
    as_json: AsJson = False,
) -> None:
    """Find the pulse of least energy that reaches a write error rate.

    With --vary duration, --amplitude fixes the amplitude (default: the nominal amplitude of the study). With
    --vary amplitude, --duration fixes the duration (default: the duration that reaches 1e-9 at the nominal
    amplitude).
    """
    from mtjchar.surfaces.grid import targets

    for name, value, other in (
        ("amplitude", amplitude, Vary.duration),
        ("duration", duration, Vary.amplitude),
    ):
        if value is not None and vary is not other:
            raise InputError(
                f"--{name}", value=value, allowed=f"nothing without --vary {other.value}",
                problem=f"--{name} fixes the {name}, so it needs --vary {other.value}.",
                remedy=f"To limit the {name}, give --max-{name}.",
            )  # fmt: skip
    surface = load_surface(folder)
    check_direction(direction, targets(surface))
    cheapest = surface.cheapest_pulse(
        direction,
        ber,
        vary=vary.value,
        amplitude=amplitude,
        duration=duration,
        max_amplitude=max_amplitude,
        max_duration=max_duration,
    )
    if as_json:
        print_json(cheapest._asdict())
        return
    table = answer_table()
    table.add_row("amplitude", compact(cheapest.amplitude_V, "V", 4))
    table.add_row("duration", compact(cheapest.duration_s, "s", 4))
    table.add_row("write error rate", cheapest.rate.in_words())
    table.add_row("effective devices", number_or_dash(cheapest.effective_devices, ".3g"))
    table.add_row(
        "sensitivity",
        f"{cheapest.ber_slope_per_V:.3g} decades per V, {1e-9 * cheapest.ber_slope_per_s:.3g} decades per ns",
    )
    table.add_row("energy", compact(cheapest.energy_J, "J", 4))
    console.print(table)
    for lever, value, grid in (
        (Vary.amplitude, cheapest.amplitude_V, surface.amplitudes),
        (Vary.duration, cheapest.duration_s, surface.durations),
    ):
        if vary in (lever, Vary.both) and np.isclose(value, grid[[0, -1]], rtol=1e-6, atol=0.0).any():
            console.print(
                f"The {lever.value} is at the edge of the sweep. A cheaper pulse may lie beyond it."
            )


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Two or more run directories, the reference first.")
    ],
    out: Out,
    ber: Annotated[
        float, typer.Option(metavar="RATE", help="Write error rate that the cheapest pulses reach.")
    ] = 1e-9,
    as_json: AsJson = False,
) -> None:
    """Compare runs: differences between their studies, cheapest pulses and error rates.

    Writes comparison.csv, worst_case.csv, differences.csv and a figure. The worst case is the cheapest pulse
    that reaches the error rate in all runs. The reference pulse has the nominal amplitude of the first run
    and the duration that reaches 1e-9 there in every direction.
    """
    from mtjchar.surfaces.compare import compare as compare_runs

    comparison = compare_runs(folders, ber)
    files = write_comparison(comparison, out)
    if as_json:
        print_json(comparison_as_json(comparison))
        return
    print_comparison(comparison)
    console.print(files, highlight=False)


def export(
    folder: RunFolder,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="The whole surface: csv, parquet, json, netcdf, npz (or ber-matrix), verilog-a, "
            "verilog-a-table, ngspice-table. One operating point: nvsim, nvmexplorer, nvmain. The junction "
            "alone: verilog-a-model, spice-model.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write.")],
    ber: Annotated[
        float | None, typer.Option(metavar="RATE", help="Write error rate of the operating point.")
    ] = None,
    amplitude: Annotated[float | None, AMPLITUDE] = None,
    duration: Annotated[float | None, DURATION] = None,
    feature_size: Annotated[float | None, FEATURE_SIZE] = None,
    cell_area: Annotated[float | None, typer.Option(metavar="F2", help="Cell area in units of F^2.")] = None,
    clock: Annotated[float | None, CLOCK] = None,
    amplitudes: Annotated[Any, AMPLITUDES] = None,
    durations: Annotated[Any, DURATIONS] = None,
) -> None:
    """Write the surface or the junction model for another tool; docs/export.md describes the formats.

    The operating point is the cheapest pulse that reaches --ber; --amplitude or --duration fixes one of its
    quantities. Without --ber, give both --amplitude and --duration. --amplitudes and --durations interpolate
    csv, parquet, json, netcdf, npz and ber-matrix onto another grid.
    """
    from mtjchar.export import Settings, export_surface

    settings = Settings(ber, amplitude, duration, feature_size, cell_area, clock, amplitudes, durations)
    writable_file(out)
    for path in export_surface(load_surface(folder), format_, out, settings):
        console.print(f"wrote {path}", highlight=False)


def report(
    folder: RunFolder,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="HTML file to write.")],
) -> None:
    """Write a report of DIR as one HTML file with interactive figures."""
    from mtjchar.report import write_report

    writable_file(out)
    write_report(folder, out)
    console.print(f"wrote {out}", highlight=False)
