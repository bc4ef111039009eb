"""Commands to get started: stacks, studies, init and check."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mtjchar.cli import completion
from mtjchar.cli.common import AsJson, StudyFile, console, load_checked, print_json, warn
from mtjchar.errors import InputError
from mtjchar.files import make_folder, read_text, read_toml, write_text
from mtjchar.shipped import data_path, shipped
from mtjchar.units import compact, rough_time

if TYPE_CHECKING:
    import pandas as pd

    from mtjchar.study import Study

_SECONDS = 0.01  # per device, direction and amplitude on one core: the demo, `scripts/bench.py --only sweeps`
_READ_SECONDS = 0.002  # per cell, its states, and voltage: the demo, `scripts/bench.py --only reads`
_SIMULATED = 6  # voltages of reads; further ones follow from these
_BESIDE = 32  # groups of cells that the curves and the pilot of bitwise operations take as long as
_COARSE = 5  # points of a grid below which a surface is unreliable
_SPREAD = (0.05, 0.95)


def stacks(as_json: AsJson = False) -> None:
    """List the film stacks that come with mtjchar."""
    _list("stacks", {"film": "name", "reference": "reference"}, as_json)


def studies(as_json: AsJson = False) -> None:
    """List the studies that come with mtjchar."""
    _list("studies", {"stack": "stack", "transistor": "cell.transistor.model"}, as_json)


def _list(kind: str, columns: Mapping[str, str], as_json: bool) -> None:
    rows = []
    for name, file in shipped(kind).items():
        content = read_toml(file, kind)
        values = {column: _value_at(content, key) for column, key in columns.items()}
        rows.append({"name": name, **values, "file": str(file)})
    if as_json:
        print_json(rows)
        return
    table = Table("name", *columns)
    for row in rows:
        table.add_row(*list(row.values())[:-1])
    console.print(table)


def _value_at(content: dict[str, Any], key: str) -> str:
    """Value of a key of a file, by its path in the file; for another file only its name."""
    value: Any = content
    for part in key.split("."):
        value = value[part]
    return Path(value).stem if value.endswith(".toml") else value


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Folder for the study; created if missing.")
    ] = Path(),
    stack: Annotated[
        str,
        typer.Option(
            "--stack",
            metavar="NAME",
            help="Name of a stack; `mtjchar stacks` lists them.",
            autocompletion=completion.files_or("stacks", files=False),
        ),
    ] = "ikeda2010",
) -> None:
    """Write a commented example study to FOLDER/study.toml."""
    if stack not in shipped("stacks"):
        raise InputError(
            "--stack", value=stack,
            allowed=f"a stack that comes with mtjchar: {', '.join(shipped('stacks'))}",
            remedy="To use your own stack file, name it in the study, in the line `stack = ...`.",
        )  # fmt: skip
    file = folder / "study.toml"
    if file.exists():
        raise InputError(
            "FOLDER", value=str(folder), allowed="a folder without study.toml",
            remedy="Give another folder, or edit the study that is there.",
        )  # fmt: skip
    text = read_text(data_path() / "template.toml", "template", allowed="a file that comes with mtjchar")
    make_folder(folder)
    write_text(file, text.replace('stack = "ikeda2010"', f'stack = "{stack}"'))
    console.print(f"wrote {file}; next: mtjchar check {file}")


def check(study: StudyFile, as_json: AsJson = False) -> None:
    """Check STUDY without simulating: nominal device, spread, number of samples, time estimate."""
    from mtjchar.cells.transistor_netlist import source_of
    from mtjchar.sweep.bitwise_tasks import bitwise_of
    from mtjchar.sweep.population import Population
    from mtjchar.sweep.read_tasks import read_device_count, read_rows

    loaded = load_checked(study)
    kind, tables = loaded.kind, loaded.tables
    source_of(kind.transistor(tables))  # refuses a missing section or size
    population = Population(loaded)
    nominal, drawn = population.nominal(), population.draw()
    outlook = kind.foresee(tables, nominal, loaded.sweep.amplitude.stop)
    warnings = [*outlook.warnings, *_coarse(loaded), *_refused(loaded, drawn)]
    of_reads = read_seconds(loaded)
    seconds = None if loaded.counted else _seconds(loaded) + of_reads
    if as_json:
        print_json(
            {
                "study": str(study),
                "nominal": {name: float(nominal[name].iloc[0]) for name in kind.columns},
                "quantiles": {name: drawn[name].quantile(list(_SPREAD)).tolist() for name in kind.columns},
                "largest_overdrive": dict(outlook.largest_overdrive),
                "largest_read_overdrive": outlook.read_overdrive,
                "devices": loaded.sweep.devices,
                "samples": loaded.sweep.samples,
                "read_samples": read_rows(loaded),
                "seconds": seconds,
                "read_seconds": of_reads,
                "warnings": warnings,
                "complete": tomllib.loads(loaded.to_toml()),
            }
        )
        return
    description = kind.describe(tables)
    console.print(f"{description.name}. {description.words}")
    console.print(_devices(loaded, nominal, drawn))
    for direction, overdrive in outlook.largest_overdrive.items():
        console.print(
            f"{direction}: largest overdrive {overdrive:.3g}, at "
            f"{compact(loaded.sweep.amplitude.stop, 'V')} across {outlook.across} alone"
        )
    if outlook.read_overdrive is not None:
        console.print(
            f"reads: largest overdrive {outlook.read_overdrive:.3g}, at the largest read voltage across the "
            "junction alone; above 1 behind its transistor, a run refuses it"
        )
    cores = os.cpu_count() or 1
    console.print(f"{loaded.sweep.devices} devices, {loaded.sweep.samples:,} samples")
    read_samples = read_rows(loaded)
    if read_samples:
        console.print(
            f"reads: {read_device_count(loaded)} devices, {read_samples:,} samples; "
            f"about {rough_time(of_reads / cores)} on {cores} cores"
        )
    if (bitwise := bitwise_of(loaded)) is not None:
        console.print(f"bitwise operations: {bitwise.tuples} groups of cells, included in that time")
    if seconds is None:
        found = "estimated by splitting, or counted where that is not reliable" if loaded.split else "counted"
        console.print(f"Error rates of writes are {found}. There is no time estimate for that.")
    else:
        console.print(f"about {rough_time(seconds / cores)} on {cores} cores (rough estimate)")
    for words in warnings:
        warn(words)


def _devices(study: Study, nominal: pd.DataFrame, drawn: pd.DataFrame) -> Table:
    low, high = (f"{100.0 * share:g} % of devices below" for share in _SPREAD)
    table = Table("", "unit", "nominal", low, high)
    for name, label in study.kind.columns.items():
        values = [float(nominal[name].iloc[0]), *drawn[name].quantile(list(_SPREAD))]
        table.add_row(label.label, label.unit, *(f"{label.factor * value:.4g}" for value in values))
    return table


def _seconds(study: Study) -> float:
    sweep = study.sweep
    return _SECONDS * sweep.devices * len(sweep.directions) * sweep.amplitude.points


def read_seconds(study: Study) -> float:
    """Time of the reads on one core, and of the groups of cells that compute; 0 if there are none."""
    from mtjchar.sweep.bitwise_tasks import bitwise_of, reads_of_groups
    from mtjchar.sweep.read_tasks import read_device_count, reads_of

    reads, bitwise = reads_of(study), bitwise_of(study)
    simulated = 0
    if reads is not None:
        simulated += 2 * read_device_count(study) * min(len(reads.voltage_V), _SIMULATED)
    if bitwise is not None:
        cells, voltages = bitwise.cells, len(reads_of_groups(study).voltage_V)
        simulated += cells * 2**cells * (bitwise.tuples + _BESIDE) * min(voltages, _SIMULATED)
    return _READ_SECONDS * simulated


def _coarse(study: Study) -> list[str]:
    ranges: dict[str, Any] = {"amplitude": study.sweep.amplitude, "duration": study.sweep.duration}
    return [
        f"sweep.{name} has {swept.points} points, and the surface is interpolated between them. "
        f"Use more than {_COARSE}."
        for name, swept in ranges.items()
        if swept.points <= _COARSE
    ]


def _refused(study: Study, drawn: pd.DataFrame) -> list[str]:
    reasons = [reason for reason in study.kind.refusal(study.tables, drawn) if reason]
    if not reasons:
        return []
    return [f"{len(reasons)} of {len(drawn)} devices cannot be characterized; the first: {reasons[0]}."]
