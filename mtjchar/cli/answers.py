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
    """Tell the error rate and the energy of a pulse."""
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
    ber: Annotated[float, typer.Option(help="Error rate to reach, above 0 and below 1.")],
    vary: Annotated[Vary, typer.Option(help="What of the pulse may be chosen.")] = Vary.both,
    amplitude: Annotated[float | None, AMPLITUDE] = None,
    duration: Annotated[float | None, DURATION] = None,
    max_amplitude: Annotated[float | None, MAX_AMPLITUDE] = None,
    max_duration: Annotated[float | None, MAX_DURATION] = None,
    as_json: AsJson = False,
) -> None:
    """Find the cheapest pulse that reaches an error rate.

    Where only the duration varies the amplitude is kept at --amplitude (the study's nominal one if not
    given); where only the amplitude varies the duration at --duration (if not given, the one that reaches
    1e-9 at the nominal amplitude). --max-amplitude and --max-duration limit what may be chosen.
    """
    from mtjchar.surfaces.grid import targets

    for name, value, other in (
        ("amplitude", amplitude, Vary.duration),
        ("duration", duration, Vary.amplitude),
    ):
        if value is not None and vary is not other:
            raise InputError(
                f"--{name}", value=value, allowed=f"only with --vary {other.value}, which keeps it",
                remedy=f"--max-{name} limits it.",
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
        "its slope",
        f"{cheapest.ber_slope_per_V:.3g} decades per V, {1e-9 * cheapest.ber_slope_per_s:.3g} decades per ns",
    )
    table.add_row("energy", compact(cheapest.energy_J, "J", 4))
    console.print(table)
    for lever, value, grid in (
        (Vary.amplitude, cheapest.amplitude_V, surface.amplitudes),
        (Vary.duration, cheapest.duration_s, surface.durations),
    ):
        if vary in (lever, Vary.both) and np.isclose(value, grid[[0, -1]], rtol=1e-6, atol=0.0).any():
            console.print(f"The {lever.value} is at the edge of the sweep: a cheaper pulse may lie beyond.")


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Two or more run directories, the reference first.")
    ],
    out: Out,
    ber: Annotated[float, typer.Option(help="Error rate that the cheapest pulses are for.")] = 1e-9,
    as_json: AsJson = False,
) -> None:
    """Compare runs: what differs in their studies, and their cheapest pulses and error rates.

    OUT gets comparison.csv, worst_case.csv, differences.csv and a figure. The worst case has the cheapest
    pulse that holds in all of them. The reference pulse has the first run's nominal
    amplitude and the duration that reaches 1e-9 there in every direction.
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
            help="csv, parquet, json, netcdf, npz (or ber-matrix), verilog-a, verilog-a-table, "
            "ngspice-table; at an operating point: nvsim, nvmexplorer, nvmain; the junction itself: "
            "verilog-a-model, spice-model.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    ber: Annotated[float | None, typer.Option(help="Error rate of the operating point.")] = None,
    amplitude: Annotated[float | None, AMPLITUDE] = None,
    duration: Annotated[float | None, DURATION] = None,
    feature_size: Annotated[float | None, FEATURE_SIZE] = None,
    cell_area: Annotated[float | None, typer.Option(metavar="F2", help="Area of the cell in F^2.")] = None,
    clock: Annotated[float | None, CLOCK] = None,
    amplitudes: Annotated[Any, AMPLITUDES] = None,
    durations: Annotated[Any, DURATIONS] = None,
) -> None:
    """Write the surface, or the junction as a model, for another tool; docs/export.md describes the formats.

    An operating point is the cheapest pulse for --ber, with --amplitude or --duration where that one is
    fixed; or the pulse with --amplitude and --duration. --amplitudes and --durations interpolate csv,
    parquet, json, netcdf, npz and ber-matrix onto another grid.
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
    """Write a report of DIR as one HTML file, with figures to hover over."""
    from mtjchar.report import write_report

    writable_file(out)
    write_report(folder, out)
    console.print(f"wrote {out}", highlight=False)
