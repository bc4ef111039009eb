"""Commands that make a run: doctor, run, sweep and surface."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import typer
from rich.table import Table

from mtjchar.cli.common import (
    AsJson,
    Devices,
    Out,
    RunFolder,
    Seed,
    StudyFile,
    Workers,
    console,
    print_json,
    progress_bar,
    write_table,
)
from mtjchar.errors import InputError, MissingToolError, MtjcharError
from mtjchar.study import Study, load_study


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
    study: StudyFile, out: Out, devices: Devices = None, seed: Seed = None, workers: Workers = None
) -> None:
    """Sweep, surface, tables and figures in one go."""
    _sweep(_study(study, devices, seed), out, workers)
    _surface(out)


def sweep(
    study: StudyFile, out: Out, devices: Devices = None, seed: Seed = None, workers: Workers = None
) -> None:
    """Run a study's sweep, or go on with one that was interrupted in the same directory."""
    _sweep(_study(study, devices, seed), out, workers)


def surface(folder: RunFolder) -> None:
    """Fit the surfaces to the samples in DIR; write surface.nc, tables/ and figures/."""
    _surface(folder)


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

    with progress_bar("sweep", "samples") as progress:
        sweep(study, out, workers=workers, progress=progress)
    console.print(f"samples of {study.sweep.devices} devices in {out}")


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
        write_table(knobs, folder / "tables" / "knobs.csv")
    plotting.surface_figures(surface, folder / "figures", knobs)
    console.print(f"wrote {folder}/surface.nc, tables/ and figures/")
    reliable = surface.cheapest_pulse
    for direction in surface.directions:
        with contextlib.suppress(MtjcharError):
            found = reliable(direction, 1e-9)
            console.print(
                f"{direction}: cheapest pulse for a write error rate of 1e-9: {found.amplitude_V:.3f} V, "
                f"{1e9 * found.duration_s:.2f} ns, {1e12 * found.energy_J:.3f} pJ",
                highlight=False,
            )


def _ngspice_command() -> str:
    path = shutil.which("ngspice")
    if path is None:
        raise MissingToolError("Needed to run netlists/ by hand. Debian, Ubuntu: apt install ngspice")
    return path
