"""Commands that make a run: doctor, run, sweep and surface."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

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
    Out,
    RunFolder,
    Seed,
    StudyFile,
    TlsCa,
    TlsCert,
    TlsKey,
    Workers,
    console,
    error_console,
    print_json,
    progress_bar,
    write_table,
)
from mtjchar.errors import InputError, MissingToolError, MtjcharError
from mtjchar.files import make_folder
from mtjchar.study import Study, load_study

_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C has ended


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
        print_json({"ok": all(row["found"] for row in rows), "checks": rows})
    else:
        table = Table("", "what", "detail")
        for row in rows:
            table.add_row("ok" if row["found"] else "MISSING", str(row["name"]), str(row["detail"]))
        console.print(table)
    if not all(row["found"] for row in rows):
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
) -> None:
    """Sweep, surface, tables and figures in one go."""
    _sweep(_study(study, devices, seed), out, workers, (cluster, tls_ca, tls_cert, tls_key), limit, json_log)
    _surface(out, allow_failed)


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
    """Run a study's sweep, or go on with one that was interrupted in the same directory."""
    _sweep(_study(study, devices, seed), out, workers, (cluster, tls_ca, tls_cert, tls_key), limit, json_log)


def surface(folder: RunFolder, allow_failed: AllowFailed = 0.01) -> None:
    """Fit the surfaces to the samples in DIR; write surface.nc, tables/ and figures/."""
    _surface(folder, allow_failed)


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


def _sweep(
    study: Study,
    out: Path,
    workers: int | None,
    place: tuple[str | None, Path | None, Path | None, Path | None],
    limit: float | None,
    json_log: Path | None,
) -> None:
    from mtjchar.sweep.cluster import TlsFiles, cluster
    from mtjchar.sweep.run import sweep

    address, *tls = place
    if address is None and any(tls):
        files = [str(file) for file in tls if file]
        raise InputError(
            "--tls-ca, --tls-cert, --tls-key", value=files, allowed="only with --cluster tls://..."
        )
    where = contextlib.nullcontext() if address is None else cluster(address, TlsFiles(*tls))
    try:
        with (
            where as executor,
            progress_bar("sweep", "samples") as bar,
            _logged(json_log, bar) as log,
            _interruptible(bar) as progress,
        ):
            sweep(study, out, workers=workers, executor=executor, limit=limit, progress=progress, log=log)
    except KeyboardInterrupt:
        error_console.print("Interrupted; what is finished is kept, the same command goes on with the rest.")
        raise typer.Exit(_INTERRUPTED) from None
    console.print(f"samples in {out}")


@contextlib.contextmanager
def _interruptible(bar: Bar) -> Iterator[Callable[[int, int], None]]:
    """Let Ctrl-C end a sweep, and SIGTERM, which a batch system sends when the time is up.

    Python drops a KeyboardInterrupt that falls into a finalizer or a library's callback. The next step of the
    progress then raises it. A terminal interrupts the workers too; what that does to the sweep is no error.
    """
    asked = threading.Event()

    def interrupt(*_: object) -> None:
        asked.set()
        raise KeyboardInterrupt

    def progress(done: int, total: int) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        bar(done, total)

    before = signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield progress
    except Exception as error:
        if asked.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _logged(file: Path | None, bar: Bar) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Show what a sweep says above its bar, and add all that happens to a file."""
    with contextlib.ExitStack() as stack:
        try:
            lines = stack.enter_context(file.open("a", encoding="utf-8", buffering=1)) if file else None
        except OSError as error:
            raise InputError("--json-log", value=str(file), allowed="a file that can be written") from error

        def log(what: Mapping[str, object]) -> None:
            bar.failed(int(str(what["failed"])))
            if "workers" in what:
                bar.workers(int(str(what["workers"])))
            if "text" in what:
                loud = what["event"] == "failures"
                style = "bold red" if loud else "yellow"
                error_console.print(what["text"], style=style, markup=False, highlight=False)
            if lines is not None:
                lines.write(json.dumps(what) + "\n")

        yield log


def _surface(folder: Path, allow_failed: float) -> None:
    from mtjchar import plotting
    from mtjchar.export import export_surface
    from mtjchar.surfaces import fit_surface, tails
    from mtjchar.surfaces.pulses import knob_table

    surface = fit_surface(folder, most_failed=allow_failed)
    make_folder(folder / "tables")
    export_surface(surface, "csv", folder / "tables" / "surface.csv")
    knobs = knob_table(surface) if surface.knows_energy else None
    if knobs is not None:
        write_table(knobs, folder / "tables" / "knobs.csv")
    plotting.surface_figures(surface, folder / "figures", knobs)
    console.print(f"wrote {folder}/surface.nc, tables/ and figures/")
    reliable = surface.cheapest_pulse
    for direction in surface.directions:
        with contextlib.suppress(MtjcharError):
            found = reliable(direction, 1e-9)
            console.print(
                f"{direction}: cheapest pulse for a write error rate of 1e-9: {found.amplitude_V:.3f} V, "
                f"{1e9 * found.duration_s:.2f} ns, {1e12 * found.energy_J:.3f} pJ"
                f"{', extrapolated' if found.extrapolated else ''}",
                highlight=False,
            )
    for line in tails.summary(surface):
        error_console.print(line, style="yellow", highlight=False)


def _ngspice_command() -> str:
    path = shutil.which("ngspice")
    if path is None:
        raise MissingToolError("Needed to run netlists/ by hand. Debian, Ubuntu: apt install ngspice")
    return path
