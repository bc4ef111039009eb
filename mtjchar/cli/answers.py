"""Commands that ask a surface: query, pulse, compare, export and report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mtjchar.cli import completion
from mtjchar.cli.common import (
    AMPLITUDE,
    AMPLITUDES,
    AMPLITUDES_ASKED,
    CLOCK,
    DURATION,
    DURATIONS,
    DURATIONS_ASKED,
    FEATURE_SIZE,
    MAX_AMPLITUDE,
    MAX_DURATION,
    AnyDirection,
    AsJson,
    Out,
    RunFolder,
    Vary,
    answer_table,
    check_direction,
    console,
    load_bitwise,
    load_reads,
    load_surface,
    number_or_dash,
    print_json,
    warn,
    writable_file,
)
from mtjchar.cli.comparison import comparison_as_json, print_comparison, write_comparison
from mtjchar.errors import InputError
from mtjchar.units import compact

if TYPE_CHECKING:
    from mtjchar.cli.questions import Question
    from mtjchar.surfaces import WriteSurface

_WIDEST = 120  # of a table, characters: what does not fit a terminal is wrapped by it, not cut

_ENERGIES = {
    "energy_J": "energy, switching write",
    "redundant_energy_J": "energy, redundant write",
    "supply_energy_J": "switching write, at the supply",
    "redundant_supply_energy_J": "redundant write, at the supply",
}


def query(
    folder: RunFolder,
    direction: AnyDirection = None,
    amplitude: Annotated[list[Any] | None, AMPLITUDES_ASKED] = None,
    duration: Annotated[list[Any] | None, DURATIONS_ASKED] = None,
    pulses: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table of pulses instead (CSV): columns amplitude_V, duration_s and, optionally, direction.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the write error rate and the energy of pulses.

    Of several amplitudes and durations all combinations are answered. With both directions there is an answer
    for each of them and for one pulse that serves both: the worse error rate, the mean energies.
    """
    from mtjchar.cli import questions

    asked = _asked(direction or "", amplitude, duration, pulses)
    surface = load_surface(folder)
    found = questions.answers(surface, asked)
    alone = len(found) == 1 and bool(direction) and pulses is None
    if as_json:
        print_json(found[0] if alone else found)
    elif alone:
        console.print(_one_answer(found[0]))
    else:
        console.print(_table_of_answers(found), width=_WIDEST)


def _asked(
    direction: str,
    amplitude: Sequence[Sequence[float]] | None,
    duration: Sequence[Sequence[float]] | None,
    pulses: Path | None,
) -> list[Question]:
    """Take the pulses from the options or the table."""
    from mtjchar.cli import questions

    given = {"--amplitude": amplitude, "--duration": duration}
    if pulses is not None:
        if named := [option for option, values in given.items() if values]:
            raise InputError(
                named[0], value="--pulses", allowed="only without --pulses",
                problem=f"{named[0]} and --pulses cannot be given together.",
                remedy="The table has amplitudes and durations.",
            )  # fmt: skip
        return questions.read_pulses(pulses, direction)
    for option, values in given.items():
        if not values:
            raise InputError(
                option, value=None, allowed="at least one value",
                problem=f"{option} is missing.",
                remedy="Give --amplitude and --duration, or a table of pulses with --pulses.",
            )  # fmt: skip
    levels, times = (list(itertools.chain(*values or ())) for values in given.values())
    return questions.questions(direction, levels, times)


def _one_answer(answer: Mapping[str, Any]) -> Table:
    from mtjchar.cli.questions import stated_rate

    table = answer_table()
    table.add_row("write error rate", stated_rate(answer).in_words())
    table.add_row("effective devices", number_or_dash(answer["effective_devices"], ".3g"))
    for name, words in _ENERGIES.items():
        if name in answer:
            table.add_row(words, compact(answer[name], "J", 4))
    return table


def _table_of_answers(found: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out several answers, a line each."""
    from mtjchar.cli.questions import stated_rate

    titles = ["", "pulse", "", "BER", "95 % interval", "devices", "switching", "redundant"]
    if "supply_energy_J" in found[0]:
        titles += ["at supply", "redundant"]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title, justify="left" if title in ("", "95 % interval") else "right", no_wrap=True)
    table.columns[2].justify = "right"
    for answer in found:
        rate = stated_rate(answer)
        table.add_row(
            str(answer["direction"]),
            compact(answer["amplitude_V"], "V", 4),
            compact(answer["duration_s"], "s", 4),
            "" if rate.bound else f"{rate.ber:.3g}",
            rate.interval_in_words(),
            number_or_dash(rate.effective_devices, ".3g"),
            *(compact(answer[name], "J", 3) for name in _ENERGIES if name in answer),
        )
    return table


def pulse(
    folder: RunFolder,
    ber: Annotated[
        float, typer.Option(metavar="RATE", help="Write error rate to reach, above 0 and below 1.")
    ],
    direction: AnyDirection = None,
    vary: Annotated[Vary, typer.Option(help="Which quantity to optimize.")] = Vary.both,
    amplitude: Annotated[float | None, AMPLITUDE] = None,
    duration: Annotated[float | None, DURATION] = None,
    max_amplitude: Annotated[float | None, MAX_AMPLITUDE] = None,
    max_duration: Annotated[float | None, MAX_DURATION] = None,
    as_json: AsJson = False,
) -> None:
    """Find the pulse of least energy that reaches a write error rate, in one direction or in both.

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
    target = targets(surface)[-1] if direction is None else direction
    check_direction(target, targets(surface))
    cheapest = surface.cheapest_pulse(
        target,
        ber,
        vary=vary.value,
        amplitude=amplitude,
        duration=duration,
        max_amplitude=max_amplitude,
        max_duration=max_duration,
    )
    highest = _highest_amplitude(surface, target, ber, cheapest.duration_s, max_amplitude)
    if as_json:
        print_json({"direction": target, **cheapest._asdict(), **highest})
        return
    table = answer_table()
    table.add_row("direction", target)
    table.add_row("amplitude", compact(cheapest.amplitude_V, "V", 4))
    table.add_row("duration", compact(cheapest.duration_s, "s", 4))
    table.add_row("write error rate", cheapest.rate.in_words())
    table.add_row("effective devices", number_or_dash(cheapest.effective_devices, ".3g"))
    table.add_row(
        "sensitivity",
        f"{cheapest.ber_slope_per_V:.3g} decades per V, {1e-9 * cheapest.ber_slope_per_s:.3g} decades per ns",
    )
    table.add_row("energy", compact(cheapest.energy_J, "J", 4))
    for value in highest.values():
        # At the end of the sweep, or at a limit, nothing is known of higher ones.
        end = min(max_amplitude or math.inf, float(surface.amplitudes[-1]))
        why = surface.rising_reason if value < end else "or more"
        table.add_row("highest amplitude", f"{compact(value, 'V', 4)}   ({why})")
    console.print(table)
    for lever, value, grid in (
        (Vary.amplitude, cheapest.amplitude_V, surface.amplitudes),
        (Vary.duration, cheapest.duration_s, surface.durations),
    ):
        if vary in (lever, Vary.both) and any(
            math.isclose(value, end, rel_tol=1e-6) for end in grid[[0, -1]]
        ):
            console.print(
                f"The {lever.value} is at the edge of the sweep. A cheaper pulse may lie beyond it."
            )


def _highest_amplitude(
    surface: WriteSurface, target: str, ber: float, duration: float, limit: float | None
) -> dict[str, float]:
    """Highest amplitude that reaches the rate with this duration; empty where error rates only fall."""
    from mtjchar.surfaces.search import Search

    search = Search.within([surface], target, ber, limit)
    return {"highest_amplitude_V": search.highest_amplitude(duration)} if search.rises else {}


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
    from mtjchar.surfaces.comparison import compare as compare_runs

    comparison = compare_runs(folders, ber)
    files = write_comparison(comparison, out)
    for name, surface in comparison.surfaces.items():
        for words in surface.warnings:
            warn(f"{name}: {words}")
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
            help=" ".join(f"{what}: {', '.join(names)}." for what, names in completion.FORMATS.items()),
            autocompletion=completion.formats,
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
    csv, parquet, json, netcdf, npz and ber-matrix onto another grid. If the run has surfaces of reads and of
    bitwise operations, tables of them are written beside those of the writes, and cell files have its read.
    """
    from mtjchar.export import Settings, export_surface

    reads = load_reads(folder)
    settings = Settings(
        ber, amplitude, duration, feature_size, cell_area, clock, amplitudes, durations, reads,
        load_bitwise(folder),
    )  # fmt: skip
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
