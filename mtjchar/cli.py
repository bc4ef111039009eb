"""The command line.

Exit 0: done; 1: the work failed, and why; 2: the request was wrong.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mtjchar.errors import InputError, MissingToolError, MtjcharError
from mtjchar.study import Study, load_study
from mtjchar.units import parse_quantity

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Characterize write errors and write energy of STT-MRAM cells.",
)
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


class Direction(StrEnum):
    """Direction of a write."""

    p_to_ap = "p_to_ap"
    ap_to_p = "ap_to_p"


class DirectionOrBoth(StrEnum):
    """Direction of a write, or one pulse for both."""

    p_to_ap = "p_to_ap"
    ap_to_p = "ap_to_p"
    both = "both"


class Vary(StrEnum):
    """What of a pulse may be chosen."""

    amplitude = "amplitude"
    duration = "duration"
    both = "both"


def _quantity(unit: str, name: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return parse_quantity(text, unit, thing=name)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error

    read.__name__ = f"{unit} with unit"
    return read


StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="Study file (TOML), see docs/study.md.")]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Run directory of a sweep.")]
Out = Annotated[Path, typer.Option("--out", help="Directory for the results; made if missing.")]
Devices = Annotated[
    int | None, typer.Option(min=1, max=1_000_000, help="Number of devices, instead of the study's.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the sampling, instead of the study's.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; one for each core if not given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
AMPLITUDE = typer.Option(parser=_quantity("V", "amplitude"), metavar="V", help='For example "0.8 V".')
DURATION = typer.Option(
    parser=_quantity("s", "duration"), metavar="T", help='Half rise to half fall, for example "8 ns".'
)
FEATURE_SIZE = typer.Option(
    parser=_quantity("m", "feature size"),
    metavar="L",
    help='F, for example "28 nm"; otherwise the gate length.',
)
MAX_AMPLITUDE = typer.Option(
    parser=_quantity("V", "max amplitude"), metavar="V", help='Limit of the amplitude, for example "1 V".'
)
MAX_DURATION = typer.Option(
    parser=_quantity("s", "max duration"), metavar="T", help='Limit of the duration, for example "10 ns".'
)
CLOCK = typer.Option(
    parser=_quantity("Hz", "clock"), metavar="F", help='Of the memory, for example "400 MHz".'
)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing and how to get it."""
    from mtjchar.network.datasets import load_dataset
    from mtjchar.spice.ngspice import find_library, simulator

    def check_library() -> str:
        return f"version {simulator().ngspice_version}, {find_library()}"

    checks: dict[str, Callable[[], str]] = {
        "python": platform.python_version,
        "mtjchar": lambda: importlib.metadata.version("mtjchar"),
        "PySpice": lambda: importlib.metadata.version("PySpice"),
        "libngspice": check_library,
        "ngspice": _ngspice_command,
        "fashion-mnist": lambda: f"{len(load_dataset('fashion-mnist').train_images)} training images",
    }
    rows = []
    for name, check in checks.items():
        try:
            rows.append({"name": name, "found": True, "detail": check()})
        except MtjcharError as error:
            rows.append({"name": name, "found": False, "detail": str(error)})
    if as_json:
        _print_json({"ok": all(row["found"] for row in rows), "checks": rows})
    else:
        table = Table("", "what", "detail")
        for row in rows:
            table.add_row("ok" if row["found"] else "MISSING", str(row["name"]), str(row["detail"]))
        _out.print(table)
    if not all(row["found"] for row in rows):
        raise typer.Exit(1)


@app.command()
def run(
    study: StudyFile, out: Out, devices: Devices = None, seed: Seed = None, workers: Workers = None
) -> None:
    """Sweep, surface, tables and figures in one go."""
    _sweep(_study(study, devices, seed), out, workers)
    _surface(out)


@app.command()
def sweep(
    study: StudyFile, out: Out, devices: Devices = None, seed: Seed = None, workers: Workers = None
) -> None:
    """Run a study's sweep, or go on with one that was interrupted in the same directory."""
    _sweep(_study(study, devices, seed), out, workers)


@app.command()
def surface(folder: RunFolder) -> None:
    """Fit the surfaces to the samples in DIR; write surface.nc, tables/ and figures/."""
    _surface(folder)


@app.command()
def query(
    folder: RunFolder,
    direction: Annotated[Direction, typer.Option()],
    amplitude: Annotated[float, AMPLITUDE],
    duration: Annotated[float, DURATION],
    as_json: AsJson = False,
) -> None:
    """Tell the error rate and the energy of a pulse."""
    surface = _load(folder)
    ber = surface.ber(direction.value, amplitude, duration)
    lower, upper = surface.ber_interval(direction.value, amplitude, duration)
    bound = bool(surface.is_bound(direction.value, amplitude, duration))
    answer = {
        "ber": float(ber),
        "ber_lower": float(lower),
        "ber_upper": float(upper),
        "bound": bound,
        "energy_J": float(surface.energy(direction.value, amplitude, duration)),
        "redundant_energy_J": float(surface.energy(direction.value, amplitude, duration, switching=False)),
    }
    if as_json:
        _print_json(answer)
        return
    table = _answer_table()
    table.add_row("write error rate", _rate_in_words(answer["ber"], lower, upper, bound))
    table.add_row("energy, switching write", f"{1e12 * answer['energy_J']:.4g} pJ")
    table.add_row("energy, redundant write", f"{1e12 * answer['redundant_energy_J']:.4g} pJ")
    _out.print(table)


@app.command()
def pulse(
    folder: RunFolder,
    direction: Annotated[DirectionOrBoth, typer.Option()],
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
    for name, value, other in (
        ("amplitude", amplitude, Vary.duration),
        ("duration", duration, Vary.amplitude),
    ):
        if value is not None and vary is not other:
            raise InputError(
                f"--{name}", value=value, allowed=f"only with --vary {other.value}, which keeps it",
                remedy=f"--max-{name} limits it.",
            )  # fmt: skip
    found = _load(folder).cheapest_pulse(
        direction.value,
        ber,
        vary=vary.value,
        amplitude=amplitude,
        duration=duration,
        max_amplitude=max_amplitude,
        max_duration=max_duration,
    )
    if as_json:
        _print_json(found._asdict())
        return
    table = _answer_table()
    table.add_row("amplitude", f"{found.amplitude_V:.4g} V")
    table.add_row("duration", f"{1e9 * found.duration_s:.4g} ns")
    table.add_row(
        "write error rate", _rate_in_words(found.ber, found.ber_lower, found.ber_upper, found.bound)
    )
    table.add_row(
        "its slope",
        f"{found.ber_slope_per_V:.3g} decades per V, {1e-9 * found.ber_slope_per_s:.3g} decades per ns",
    )
    table.add_row("energy", f"{1e12 * found.energy_J:.4g} pJ")
    _out.print(table)


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Two or more run directories, the reference first.")
    ],
    out: Out,
    ber: Annotated[float, typer.Option(help="Error rate that the cheapest pulses are for.")] = 1e-9,
    as_json: AsJson = False,
) -> None:
    """Compare runs: what differs in their studies, and their cheapest pulses and error rates.

    OUT gets comparison.csv, differences.csv and a figure. The reference pulse has the first run's nominal
    amplitude and the duration that reaches 1e-9 there in every direction.
    """
    from mtjchar import plotting
    from mtjchar.surfaces.compare import compare as compare_runs

    comparison = compare_runs(folders, ber)
    _writable(out)
    _write_table(comparison.results, out / "comparison.csv")
    _write_table(comparison.differences.reset_index(allow_duplicates=True), out / "differences.csv")
    plotting.comparison_figure(comparison, out)
    if as_json:
        reference = comparison.reference
        _print_json(
            {
                "differences": comparison.differences.to_dict(orient="index"),
                "reference": None if reference is None else reference._asdict(),
                "results": comparison.results.to_dict(orient="records"),
            }
        )
        return
    _print_comparison(comparison)
    _out.print(f"wrote {out}/comparison.csv, differences.csv, comparison.png and comparison.svg")


@app.command()
def export(
    folder: RunFolder,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv, parquet, json, netcdf, npz (or ber-matrix), verilog-a, verilog-a-table, "
            "ngspice-table; at an operating point: nvsim, nvmexplorer, nvmain.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    ber: Annotated[float | None, typer.Option(help="Error rate of the operating point.")] = None,
    amplitude: Annotated[float | None, AMPLITUDE] = None,
    duration: Annotated[float | None, DURATION] = None,
    feature_size: Annotated[float | None, FEATURE_SIZE] = None,
    cell_area: Annotated[float | None, typer.Option(metavar="F2", help="Area of the cell in F^2.")] = None,
    clock: Annotated[float | None, CLOCK] = None,
) -> None:
    """Write the surface as a table for another tool; docs/export.md describes the formats.

    An operating point is the cheapest pulse for --ber, with --amplitude or --duration where that one is
    fixed; or the pulse with --amplitude and --duration.
    """
    from mtjchar.export import Settings, export_surface

    settings = Settings(ber, amplitude, duration, feature_size, cell_area, clock)
    for path in export_surface(_load(folder), format_, out, settings):
        _out.print(f"wrote {path}", highlight=False)


@app.command()
def tradeoff(
    folder: RunFolder,
    dataset: Annotated[str, typer.Option(help="fashion-mnist, or a folder with the four IDX files.")],
    out: Out,
    seeds: Annotated[int, typer.Option(min=2, help="Trainings for each pulse.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 3,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Train at cheaper and cheaper pulses: programming energy against recognition rate.

    Finished trainings are kept in OUT; the same command goes on after an interruption.
    """
    from mtjchar import plotting
    from mtjchar.network import tradeoff as experiment
    from mtjchar.network.trainer import TrainingPlan

    surface = _load(folder)
    _writable(out)
    with _progress("training", "trainings") as progress:
        table = experiment.tradeoff(
            surface,
            dataset,
            plan=TrainingPlan(epochs=epochs),
            seeds=seeds,
            kept=out / "trainings.jsonl",
            workers=workers,
            progress=progress,
        )
    table.to_csv(out / "tradeoff.csv", index=False)
    plotting.tradeoff_figure(table, out / "figures")
    best = experiment.best(table)
    if as_json:
        chosen = {row["lever"]: row for row in best.to_dict(orient="records")}
        _print_json({"rows": table.to_dict(orient="records"), "best": chosen})
        return
    _print_tradeoff(table)
    _out.print(experiment.one_line(table), highlight=False)


def main() -> None:
    """Run the command line; errors that mtjchar raises on purpose end without a traceback."""
    warnings.showwarning = _show_warning
    try:
        app(prog_name="mtjchar")
    except MtjcharError as error:
        _err.print(f"Error: {error}", style="red", markup=False, highlight=False)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        _err.print("Interrupted; what is finished is kept, the same command goes on with the rest.")
        sys.exit(1)


def _study(path: Path, devices: int | None, seed: int | None) -> Study:
    from mtjchar.sweep.sampling import nominal_device

    study = load_study(path)
    try:
        nominal_device(study)
    except InputError as error:
        raise InputError(
            f"{path}: {error.thing}", value=error.value, allowed=error.allowed, remedy=error.remedy
        ) from error
    changed = {name: value for name, value in (("devices", devices), ("seed", seed)) if value is not None}
    return study.model_copy(update={"sweep": study.sweep.model_copy(update=changed)})


def _sweep(study: Study, out: Path, workers: int | None) -> None:
    from mtjchar.sweep.run import sweep

    with _progress("sweep", "samples") as progress:
        sweep(study, out, workers=workers, progress=progress)
    _out.print(f"samples of {study.sweep.devices} devices in {out}")


def _surface(folder: Path) -> None:
    from mtjchar import plotting
    from mtjchar.export import export_surface
    from mtjchar.surfaces import fit_surface
    from mtjchar.surfaces.pulses import knob_table

    surface = fit_surface(folder)
    (folder / "tables").mkdir(exist_ok=True)
    export_surface(surface, "csv", folder / "tables" / "surface.csv")
    knobs = knob_table(surface) if surface.knows_energy else None
    if knobs is not None:
        _write_table(knobs, folder / "tables" / "knobs.csv")
    plotting.surface_figures(surface, folder / "figures", knobs)
    _out.print(f"wrote {folder}/surface.nc, tables/ and figures/")
    reliable = surface.cheapest_pulse
    for direction in surface.directions:
        with contextlib.suppress(MtjcharError):
            found = reliable(direction, 1e-9)
            _out.print(
                f"{direction}: cheapest pulse for a write error rate of 1e-9: {found.amplitude_V:.3f} V, "
                f"{1e9 * found.duration_s:.2f} ns, {1e12 * found.energy_J:.3f} pJ",
                highlight=False,
            )


def _load(folder: Path) -> Any:
    from mtjchar.surfaces import WriteSurface
    from mtjchar.sweep.store import RunDirectory

    RunDirectory.open(folder)
    return WriteSurface.load(folder / "surface.nc")


def _ngspice_command() -> str:
    path = shutil.which("ngspice")
    if path is None:
        raise MissingToolError("Needed to run netlists/ by hand. Debian, Ubuntu: apt install ngspice")
    return path


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise InputError("--out", value=str(folder), allowed="a directory that can be written")


def _write_table(table: Any, path: Path) -> None:
    from mtjchar.sweep.store import write_atomically

    write_atomically(path, lambda part: table.to_csv(part, index=False))


def _rate_in_words(ber: float, lower: float, upper: float, bound: bool) -> str:
    if bound:
        return f"below {upper:.3g} (95 %)"
    return f"{ber:.4g}   (95 %: {lower:.3g} to {upper:.3g})"


def _answer_table() -> Table:
    return Table(show_header=False, box=None)


def _print_json(data: object) -> None:
    sys.stdout.write(json.dumps(_without_nan(data), indent=2, allow_nan=False) + "\n")


def _without_nan(data: Any) -> Any:
    """JSON has null for what is not known, and no NaN."""
    if isinstance(data, dict):
        return {key: _without_nan(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_without_nan(value) for value in data]
    return None if isinstance(data, float) and math.isnan(data) else data


def _print_tradeoff(table: Any) -> None:
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    shown.add_column("lever", no_wrap=True)
    for name in ("V", "ns", "BER", "mJ", "saved", "accuracy %", "drop, points"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in table.itertuples():
        shown.add_row(
            row.lever,
            f"{row.amplitude_V:.3f}",
            f"{1e9 * row.duration_s:.2f}",
            f"{row.ber:.1e}",
            f"{1e3 * row.programming_energy_J:.3f}",
            f"{row.energy_saved_fraction:.1%}",
            f"{100 * row.accuracy_mean:.2f} ± {100 * row.accuracy_ci95:.2f}",
            f"{row.accuracy_drop_points:.2f} ± {row.accuracy_drop_ci95:.2f}",
        )
    _out.print(shown)


def _print_comparison(comparison: Any) -> None:
    differences, reference = comparison.differences, comparison.reference
    plain: dict[str, Any] = {"title_justify": "left", "box": None, "pad_edge": False, "padding": (0, 2, 0, 0)}
    shown = Table("key", *differences.columns, title="what differs", **plain)
    for row in differences.itertuples():
        shown.add_row(*row)
    _out.print(shown if len(differences) else "The studies do not differ.", highlight=False)
    rate = comparison.results["ber"].iloc[0]
    shown = Table(title=f"cheapest pulse for a BER of {rate:g}", **plain)
    for name in ("direction", "scenario"):
        shown.add_column(name, no_wrap=True)
    for name in ("V", "ns", "pJ", "BER at ref.", "median device", "median Δ", "median Ic0 (µA)"):
        shown.add_column(name, justify="right")
    for row in comparison.results.itertuples():
        shown.add_row(
            row.direction,
            row.scenario,
            _number(row.amplitude_V, ".3f"),
            _number(1e9 * row.duration_s, ".2f"),
            _number(1e12 * row.energy_J, ".3f"),
            _number(row.reference_ber, ".2g"),
            _number(row.reference_median_device_ber, ".2g"),
            _number(row.median_thermal_stability, ".1f"),
            _number(1e6 * row.median_critical_current_A, ".1f"),
        )
    _out.print("")
    _out.print(shown, highlight=False)
    _out.print(
        "reference: none, no duration of the first run has 1e-9 at its nominal amplitude"
        if reference is None
        else f"reference: {reference.amplitude_V:g} V for {1e9 * reference.duration_s:.3g} ns",
        highlight=False,
    )


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


class _Rate(ProgressColumn):
    """Work done a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s")


@contextlib.contextmanager
def _progress(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with rate and remaining time on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _err.print(f"Warning: {message}", style="yellow", markup=False, highlight=False)


if __name__ == "__main__":
    main()
