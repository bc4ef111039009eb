"""Commands that make a run: doctor, run, sweep and surface."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mtjchar.cli.common import (
    LIMIT,
    AllowFailed,
    AsJson,
    Bar,
    Cluster,
    Devices,
    JsonLog,
    LogLines,
    Out,
    RunFolder,
    Seed,
    StudyFile,
    TlsCa,
    TlsCert,
    TlsKey,
    Workers,
    console,
    load_checked,
    print_json,
    progress_bar,
    warn,
    write_table,
)
from mtjchar.cli.comparison import print_comparison, write_comparison
from mtjchar.errors import InputError, MissingToolError, MtjcharError, SimulationError, UnreachableError
from mtjchar.files import is_file, is_folder, make_folder, storing
from mtjchar.units import compact

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mtjchar.study import Study
    from mtjchar.surfaces import ReadSurface, WriteSurface

Place = tuple[str | None, Path | None, Path | None, Path | None]
"""Address of a cluster, and the files for it."""

Corners = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="Process corners to run: corners of an open kit, or sections of the transistor library that "
        "replace the last section of the study.",
    ),
]
Temperatures = Annotated[
    str | None,
    typer.Option(metavar="T,...", help='Temperatures to run, such as "-40 degC,25 degC,125 degC".'),
]


def doctor(as_json: AsJson = False) -> None:
    """Check the installation; name missing parts and how to install them.

    Exits with 1 if a required part is missing.
    """
    from mtjchar.cells.kits import KITS
    from mtjchar.network.datasets import load_dataset
    from mtjchar.spice.ngspice import find_library, simulator

    def check_library() -> str:
        osdi = "loads" if simulator().loads_osdi else "cannot load"
        return f"version {simulator().ngspice_version}, {osdi} OSDI models, {find_library()}"

    checks: dict[str, Callable[[], str]] = {
        "python": platform.python_version,
        "mtjchar": lambda: importlib.metadata.version("mtjchar"),
        "PySpice": lambda: importlib.metadata.version("PySpice"),
        "libngspice": check_library,
        "ngspice": _ngspice_command,
    }
    optional: dict[str, Callable[[], str]] = {
        # Of the training of the demo; a smaller data set comes with mtjchar.
        "fashion-mnist": lambda: f"{len(load_dataset('fashion-mnist').train_images)} training images",
    } | {f"kit {name}": functools.partial(_kit_package, name) for name in KITS}
    rows = []
    for name, check in {**checks, **optional}.items():
        try:
            found, detail = True, check()
        except MtjcharError as error:
            found, detail = False, str(error)
        rows.append({"name": name, "needed": name in checks, "found": found, "detail": detail})
    complete = all(row["found"] for row in rows if row["needed"])
    if as_json:
        print_json({"ok": complete, "checks": rows})
    else:
        table = Table("", "part", "detail")
        for row in rows:
            lacks = "MISSING" if row["needed"] else "not installed, optional"
            table.add_row("ok" if row["found"] else lacks, str(row["name"]), str(row["detail"]))
        console.print(table)
    if not complete:
        raise typer.Exit(1)


def run(
    study: StudyFile,
    out: Out,
    devices: Devices = None,
    seed: Seed = None,
    workers: Workers = None,
    cluster: Cluster = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    limit: Annotated[float | None, LIMIT] = None,
    json_log: JsonLog = None,
    allow_failed: AllowFailed = 0.01,
    corners: Corners = None,
    temperatures: Temperatures = None,
) -> None:
    """Run a study: sweep, surface, tables and figures.

    With --corners or --temperatures: one run for each combination, such as DIR/ff_125C, and their comparison
    in DIR. After an interruption, run the same command to continue.
    """
    from mtjchar.study import scenarios
    from mtjchar.sweep.run import run_scenarios

    one, place = _study(study, devices, seed), (cluster, tls_ca, tls_cert, tls_key)
    if corners is None and temperatures is None:
        _sweep(one, out, workers, place, limit, json_log)
        _surface(out, allow_failed)
        return
    studies = scenarios(one, corners=_listed(corners), temperatures=_listed(temperatures))
    with _watched(place, json_log) as (executor, bar, watch):
        paths = run_scenarios(
            studies, out, workers=workers, executor=executor, limit=limit, progress=bar, log=watch
        )
    _compare_all(paths, out, allow_failed)


def sweep(
    study: StudyFile,
    out: Out,
    devices: Devices = None,
    seed: Seed = None,
    workers: Workers = None,
    cluster: Cluster = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    limit: Annotated[float | None, LIMIT] = None,
    json_log: JsonLog = None,
) -> None:
    """Run only the sweep of a study. After an interruption, run the same command to continue.

    Exits with 1 if more than 1 % of the samples failed at any direction and amplitude.
    """
    from mtjchar.sweep.store import MOST_FAILED

    place = (cluster, tls_ca, tls_cert, tls_key)
    if _sweep(_study(study, devices, seed), out, workers, place, limit, json_log) > MOST_FAILED:
        raise typer.Exit(1)


def surface(folder: RunFolder, allow_failed: AllowFailed = 0.01) -> None:
    """Average the samples in DIR over the devices; write surface.nc, tables/ and figures/.

    If the study says how cells are read, it also writes read.nc.
    """
    _surface(folder, allow_failed)


def _study(path: Path, devices: int | None, seed: int | None) -> Study:
    study = load_checked(path)
    changed = {name: value for name, value in (("devices", devices), ("seed", seed)) if value is not None}
    return study.model_copy(update={"sweep": study.sweep.model_copy(update=changed)})


def _sweep(
    study: Study,
    out: Path,
    workers: int | None,
    place: Place,
    limit: float | None,
    json_log: Path | None,
) -> float:
    """Sweep; returns the largest share of failed samples at one direction and amplitude."""
    from mtjchar.sweep.run import run_sweep

    with _watched(place, json_log) as (executor, bar, watch):
        run_sweep(study, out, workers=workers, executor=executor, limit=limit, progress=bar, log=watch)
    console.print(f"samples in {out}")
    return watch.worst


class _Watch:
    """Shows and writes down what happens in sweeps; `worst` is the largest share of failed samples."""

    def __init__(self, bar: Bar | LogLines, write: Callable[[Mapping[str, object]], None]) -> None:
        self._bar, self._write = bar, write
        self.worst = 0.0

    def __call__(self, event: Mapping[str, object]) -> None:
        """Take an event as `mtjchar.run_sweep` describes it."""
        self.worst = max(self.worst, float(str(event.get("worst_share", 0.0))))
        self._bar.failed(int(str(event["failed"])))
        if "workers" in event:
            self._bar.workers(int(str(event["workers"])))
        if "text" in event:
            scenario = f"{event['scenario']}: " if "scenario" in event else ""
            warn(f"{scenario}{event['text']}", loud=event["event"] == "failures")
        self._write(event)


@contextlib.contextmanager
def _watched(place: Place, json_log: Path | None) -> Iterator[tuple[Executor | None, Bar | LogLines, _Watch]]:
    """Give the cluster that is named, if any, and what shows the progress of sweeps there."""
    from mtjchar.sweep.cluster import TlsFiles, cluster

    address, *tls = place
    if address is None and any(tls):
        files = [str(file) for file in tls if file]
        raise InputError(
            "--tls-ca, --tls-cert, --tls-key", value=files, allowed="only with --cluster tls://..."
        )
    where = contextlib.nullcontext() if address is None else cluster(address, TlsFiles(*tls))
    with where as executor, progress_bar("sweep", "samples") as bar, _log_file(json_log) as write:
        yield executor, bar, _Watch(bar, write)


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Give a function that adds a line of JSON to a file; without a file it does nothing."""
    if path is None:
        yield lambda _: None
        return
    _check_log(path)
    with contextlib.ExitStack() as stack:
        with storing(path, "log"):
            file = stack.enter_context(path.open("a", encoding="utf-8", buffering=1))

        def write(event: Mapping[str, object]) -> None:
            with storing(path, "log"):
                file.write(json.dumps(event) + "\n")

        yield write
        with storing(path, "log"):
            file.close()


def _check_log(path: Path) -> None:
    """Refuse to add to a file that something else needs, and a pipe that nobody reads."""
    allowed = "a new file, or one that `mtjchar sweep --json-log` has written"
    if path.is_fifo():
        with storing(path, "log"):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        first = file.readline(100_000)
    try:
        known = "event" in json.loads(first)
    except (ValueError, TypeError, RecursionError):
        known = False
    if not known:
        raise InputError(
            "--json-log",
            value=str(path),
            allowed=allowed,
            remedy="This file is something else: give another one.",
        )


def _listed(text: str | None) -> list[str] | None:
    """Take a list apart that stands between commas."""
    return text if text is None else [part.strip() for part in text.split(",")] if text.strip() else []


def _compare_all(runs: Mapping[str, Path], out: Path, allow_failed: float) -> None:
    """Make the surfaces of scenarios and compare them; one without a surface does not hold up the others."""
    from mtjchar.surfaces.comparison import compare

    made = []
    with progress_bar("surfaces", "scenarios") as bar:
        for number, (name, path) in enumerate(runs.items()):
            bar(number, len(runs))
            try:
                _average_once(path, allow_failed)
                made.append(path)
            except SimulationError as error:
                warn(f"{name}: {error}", loud=True)
        bar(len(runs), len(runs))
    console.print(f"runs in {out}: {', '.join(path.name for path in made)}")
    if len(made) > 1:
        comparison = compare(made)
        files = write_comparison(comparison, out)
        print_comparison(comparison)
        console.print(files, highlight=False)
    if len(made) < len(runs):
        raise typer.Exit(1)


def _average_once(folder: Path, allow_failed: float) -> None:
    """Make what `_average` makes, unless it was made of the same samples before."""
    from mtjchar.sweep.read_tasks import reads_of
    from mtjchar.sweep.store import RunDirectory

    directory, file = RunDirectory.open(folder), folder / "surface.nc"
    reads = reads_of(directory.study) is None or is_file(folder / "read.nc")
    there = reads and all(is_folder(folder / name) for name in ("tables", "figures")) and is_file(file)
    if there and directory.record().surface_sha256 == directory.digest_with(file):
        return
    surface = _average(folder, allow_failed)
    if "failed" not in surface.dataset.attrs:  # how many may have failed can be asked for anew
        directory.note(surface_sha256=directory.digest_with(file))


def _average(folder: Path, allow_failed: float) -> WriteSurface:
    """Average over the devices; write surface, tables and figures."""
    from mtjchar.surfaces import average_devices, average_reads
    from mtjchar.sweep.lock import locked
    from mtjchar.sweep.store import RunDirectory

    RunDirectory.open(folder)
    with locked(folder, say=warn):
        surface = average_devices(folder, most_failed=allow_failed)
        _tables_and_figures(surface, folder)
        if (reads := average_reads(folder, most_failed=allow_failed)) is not None:
            _read_tables_and_figures(reads, folder)
    return surface


def _surface(folder: Path, allow_failed: float) -> None:
    surface = _average(folder, allow_failed)
    console.print(f"wrote {folder}/surface.nc, tables/ and figures/")
    for direction in surface.directions:
        with contextlib.suppress(MtjcharError):
            cheapest = surface.cheapest_pulse(direction, 1e-9)
            console.print(
                f"{direction}: cheapest pulse for a write error rate of 1e-9: "
                f"{compact(cheapest.amplitude_V, 'V', 4)}, "
                f"{compact(cheapest.duration_s, 's', 4)}, {compact(cheapest.energy_J, 'J', 4)}"
                f"{', extrapolated' if cheapest.extrapolated else ''}",
                highlight=False,
            )
    for line in surface.extrapolation_in_words():
        warn(line)
    _tell_reads(folder)


def _tell_reads(folder: Path) -> None:
    """Print the fastest read of a run that has reads, or why there is none."""
    from mtjchar.surfaces import ReadSurface
    from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR

    if not is_file(folder / "read.nc"):
        return
    console.print(f"wrote {folder}/read.nc")
    reads = ReadSurface.load(folder / "read.nc")
    try:
        point = reads.operating_point(USUAL_ERROR, USUAL_DISTURB)
    except (InputError, UnreachableError) as error:
        warn(str(error))
        return
    console.print(
        f"read: fastest with a read error rate of {USUAL_ERROR:g} and a disturb rate of {USUAL_DISTURB:g}: "
        f"{compact(point.voltage_V, 'V', 4)}, {compact(point.time_s, 's', 4)}, "
        f"{compact(point.energy_J, 'J', 4)}{', extrapolated' if point.extrapolated else ''}",
        highlight=False,
    )


def _tables_and_figures(surface: WriteSurface, folder: Path) -> None:
    from mtjchar import plotting
    from mtjchar.export import export_surface
    from mtjchar.surfaces.levers import lever_table

    make_folder(folder / "tables")
    export_surface(surface, "csv", folder / "tables" / "surface.csv")
    levers = lever_table(surface) if surface.knows_energy else None
    if levers is not None:
        write_table(levers, folder / "tables" / "knobs.csv")
    plotting.surface_figures(surface, folder / "figures", levers)


def _read_tables_and_figures(reads: ReadSurface, folder: Path) -> None:
    from mtjchar import plotting

    write_table(reads.to_frame(), folder / "tables" / "read.csv")
    plotting.read_figures(reads, folder / "figures")


def _kit_package(kit: str) -> str:
    from mtjchar.cells.kits import installed

    package = installed(kit)
    return f"{package} {importlib.metadata.version(package)}"


def _ngspice_command() -> str:
    path = shutil.which("ngspice")
    if path is None:
        raise MissingToolError("Needed to run netlists/ by hand. Debian, Ubuntu: apt install ngspice")
    return path
