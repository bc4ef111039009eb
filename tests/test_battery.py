"""Bad inputs and faults, by class, through the command line: each ends with a code and a message.

Every case is a command, what was done to its inputs, the exit code and a word that the message has to have.
For all of them: no traceback, a message of readable length, and no temporary file left. After a fault of the
disk the same command gives, byte for byte, what it gives undisturbed. docs/reliability.md counts the cases.
"""

import errno
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from common import DEMO, ROOT, InPlace

from mtjchar.surfaces import average_devices
from mtjchar.sweep.run import run_sweep

STACK = ROOT / "data/stacks/ikeda2010.toml"

QUERY = "query {run} --direction p_to_ap --amplitude '0.7 V' --duration '4 ns'"
PULSE = "pulse {run} --direction both --ber 0.1"
EXPORT = "export {run} --format csv --out {out}/table.csv"
SURFACE = "surface {run}"
REPORT = "report {run} --out {out}/report.html"
COMPARE = "compare {other} {run} --out {out}/comparison"
FIT = "fit {data} --stack {stack} --out {out}/fitted.toml"
TRADEOFF = (
    "tradeoff {run} --dataset digits --out {out}/tradeoff --levers duration --seeds 2 --search-steps 0 "
    "--epochs 1 --workers 1"
)
SWEEP = "sweep {study} --out {out}/new --workers 1"
READERS = {"query": QUERY, "pulse": PULSE, "export": EXPORT, "report": REPORT, "compare": COMPARE}


class Case(NamedTuple):
    """A command that has to end with a message."""

    command: str
    word: str
    code: int = 2
    spoil: Callable[[Path], None] = lambda _: None  # is given the folder with run/, study.toml, data.csv


# ---- the place where everything is tried ------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder of good inputs; not to be changed."""
    folder = tmp_path_factory.mktemp("good")
    numbers = {
        "amplitude": {"start": 0.5, "stop": 1.0, "points": 4},
        "duration": {"start": 1e-9, "stop": 40e-9, "points": 5},
        "devices": 2,
    }
    study = DEMO.with_(sweep=numbers)
    run_sweep(study, folder / "run", executor=InPlace())
    average_devices(folder / "run")
    shutil.copytree(folder / "run", folder / "other")
    (folder / "study.toml").write_text(study.to_toml())
    rows = "".join(f"{k},{40 + 0.1 * k:.1f},{1.2 + 0.01 * (k % 5):.2f}\n" for k in range(20))
    (folder / "data.csv").write_text("device,diameter_nm,tmr\n" + rows)
    (folder / "out").mkdir()
    return folder


@pytest.fixture
def place(good, tmp_path):
    """A copy of it, to be spoiled."""
    return shutil.copytree(good, tmp_path / "place")


def filled(command, place):
    """Arguments of a command of the table."""
    words = {
        "run": place / "run", "other": place / "other", "out": place / "out", "study": place / "study.toml",
        "data": place / "data.csv", "stack": STACK, "place": place,
    }  # fmt: skip
    return [word.format(**words) for word in shlex.split(command)]


def checked(call, command, place, code, word):
    """Run a command; see to its code, its words and what it leaves."""
    ended, said, errors = call(*filled(command, place))
    assert ended == code, errors or said
    assert re.search(word, errors, re.DOTALL), errors
    assert len(errors) < 3000
    assert left_over(place) == []


def left_over(place):
    return list(place.rglob(".part-*"))


def tree(folder):
    """Content of all files; the lock and what names a moment are no results."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".sweep.")
    }


# ---- what can be done to the inputs -----------------------------------------------------------------


def content(name, data):
    """Give a file this content."""
    return lambda place: _replace(place / name).write_bytes(data)


def text(name, old, new):
    """Replace text in a file; it has to be there."""

    def spoil(place):
        before = (place / name).read_text()
        assert old in before
        (place / name).write_text(before.replace(old, new))

    return spoil


def folder(name):
    """Put a folder in the place of a file."""
    return lambda place: _replace(place / name).mkdir()


def pipe(name):
    """Put a pipe in the place of a file, which nobody writes to."""
    return lambda place: os.mkfifo(_replace(place / name))


def link(name, to):
    """Put a link in the place of a file."""
    return lambda place: _replace(place / name).symlink_to(to)


def large(name, size):
    """Make a file large, without using the disk."""

    def spoil(place):
        with (place / name).open("r+b") as file:
            file.truncate(size)

    return spoil


def gone(name):
    """Remove a file or folder."""
    return lambda place: _replace(place / name)


def _replace(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


def surface(change):
    """Change the dataset of surface.nc."""

    def spoil(place):
        file = place / "run" / "surface.nc"
        with xr.open_dataset(file, engine="h5netcdf") as dataset:
            changed = change(dataset.load())
        with warnings.catch_warnings():  # NetCDF has no complex numbers
            warnings.simplefilter("ignore")
            changed.to_netcdf(file, engine="h5netcdf", invalid_netcdf=True)

    return spoil


def value(name, number):
    """Put a number into a variable of surface.nc."""

    def change(dataset):
        dataset[name] = dataset[name].astype(complex if isinstance(number, complex) else float)
        dataset[name][0, 1, 2] = number
        return dataset

    return surface(change)


def attribute(name, new):
    """Change an attribute of surface.nc."""
    return surface(lambda dataset: dataset.assign_attrs({name: new}))


def record(**words):
    """Change sweep.json."""

    def spoil(place):
        file = place / "run" / "sweep.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **words}))

    return spoil


def devices(change):
    """Change devices.parquet, and drop its checksum as an earlier version would have."""

    def spoil(place):
        file = place / "run" / "devices.parquet"
        change(pd.read_parquet(file)).to_parquet(file)
        record(devices_sha256=None)(place)

    return spoil


def part(change, metadata=True):
    """Change a part of the samples and give it the checksum of what it then holds."""

    def spoil(place):
        file = sorted((place / "run" / "samples").iterdir())[0]
        table = pq.read_table(file)
        changed = pa.Table.from_pandas(change(table.to_pandas()), preserve_index=False)
        kept = {b"mtjchar": table.schema.metadata[b"mtjchar"]} if metadata else None
        sink = pa.BufferOutputStream()
        pq.write_table(changed.replace_schema_metadata(kept), sink)
        _part(file, sink.getvalue().to_pybytes())

    return spoil


def raw_part(data):
    """Give a part this content, with its right checksum."""
    return lambda place: _part(sorted((place / "run" / "samples").iterdir())[0], data)


def _part(file, data):
    digest = hashlib.sha256(data).hexdigest()[:16]
    file.with_name(f"{file.name.split('.')[0]}.{digest}.parquet").write_bytes(data)
    file.unlink()


BRACKETS = b"[" * 10_000

# ---- requests that are wrong ------------------------------------------------------------------------

OPTIONS = [
    *(Case(f"query {{run}} --direction p_to_ap --amplitude '{amplitude}' --duration '4 ns'", word)
      for amplitude, word in [
          ("0.7", "unit"), ("0.7 A", "V"), ("9 V", "grid"), ("-1 V", "grid"), ("nan V", "amplitude"),
          ("inf V", "amplitude"), ("1e999 V", "amplitude"), ("V", "amplitude"), ("", "amplitude"),
          ("0.7 V; rm", "amplitude"), ("[red]0.7 V", "amplitude"), ("\x1b[2J", "amplitude"),
          ("9" * 5000 + " V", "amplitude"),
      ]),
    *(Case(f"query {{run}} --direction p_to_ap --amplitude '0.7 V' --duration '{duration}'", word)
      for duration, word in [("4 V", "s"), ("0 s", "grid"), ("1 s", "grid"), ("nan s", "duration")]),
    Case(QUERY.replace("p_to_ap", "up"), "direction"),
    Case("query {place}/none --direction p_to_ap --amplitude '0.7 V' --duration '4 ns'", "run directory"),
    Case("query {study} --direction p_to_ap --amplitude '0.7 V' --duration '4 ns'", "run directory"),
    Case("query {out} --direction p_to_ap --amplitude '0.7 V' --duration '4 ns'", "study.toml"),
    *(Case(f"pulse {{run}} --direction both --ber {ber}", "above 0 and below 1|valid number")
      for ber in ("0", "1", "2", "-0.1", "nan", "inf", "x")),
    Case(PULSE + " --vary everything", "vary"),
    Case(PULSE + " --amplitude '0.7 V'", "--amplitude"),
    Case(PULSE + " --max-amplitude '0.1 V'", "amplitude"),
    Case(PULSE + " --max-duration '1 ps'", "duration"),
    *(Case(f"{SWEEP} --limit '{limit}'", "limit") for limit in ("0 s", "-1 s", "nan s", "inf s", "1 V")),
    *(Case(f"{SWEEP} --devices {count}", "devices") for count in ("0", "-1", "1000001", "x", "1e3")),
    *(Case(f"{SWEEP} --seed {seed}", "seed") for seed in ("-1", str(2**63), str(10**30), "x")),
    *(Case(f"{SWEEP} --workers {count}", "workers") for count in ("0", "1000000000", "-3")),
    Case(f"{SWEEP} --json-log {{study}}", "--json-log"),
    Case(f"{SWEEP} --json-log {{run}}/sweep.json", "--json-log"),
    Case(f"{SWEEP} --json-log {{run}}/surface.nc", "--json-log"),
    Case(f"{SWEEP} --json-log {{out}}", "log"),
    Case(f"{SWEEP} --json-log {{place}}/none/log", "log"),
    Case(f"{SWEEP} --json-log {{place}}/data.csv", "log", spoil=pipe("data.csv")),
    Case(f"{SWEEP} --cluster nonsense", "--cluster"),
    Case(f"{SWEEP} --cluster tcp://127.0.0.1:1", "--cluster"),
    Case("sweep {study} --out {place}", "study of your own"),
    Case("sweep {place}/none.toml --out {out}/new", "it does not exist"),
    Case("sweep {study} --out {data}/new", "directory"),
    Case("sweep {study} --out {data}", "directory"),
    Case("sweep {study} --out {out}/" + "n" * 300, "name"),
    Case("sweep {study} --out {other} --seed 2", "seed"),
    *(Case(f"{SURFACE} --allow-failed {share}", "allow-failed") for share in ("-1", "1", "x")),
    Case("export {run} --format word --out {out}/t", "verilog-a"),
    Case(EXPORT + " --ber 1e-3", "--ber"),
    Case("export {run} --format csv --out {out}", "directory"),
    Case("export {run} --format csv --out {out}/none/t", "directory that exists"),
    Case("export {run} --format nvsim --out {out}/t", "operating point|--ber"),
    Case("compare {run} --out {out}/c", "two or more"),
    Case("compare {run} {run} --out {out}/c", "twice"),
    Case("compare {run} {other} --out {out}/c --ber 0", "ber"),
    Case("compare {run} {other} --out {data}", "directory"),
    Case("report {run} --out {out}", "directory"),
    Case("report {run} --out {out}/none/r.html", "directory that exists"),
    Case(TRADEOFF.replace("digits", "none"), "data set"),
    Case(TRADEOFF.replace("digits", "{out}"), "train-images"),
    Case(TRADEOFF.replace("duration", "magic"), "lever"),
    Case(TRADEOFF.replace("--seeds 2", "--seeds 1"), "seeds"),
    Case(TRADEOFF.replace("--epochs 1", "--epochs 0"), "epochs"),
    Case(TRADEOFF + " --read-energy '1 V'", "read energy"),
    Case(TRADEOFF + " --retries -1", "retries"),
    Case(TRADEOFF + " --network brain", "network"),
    Case(TRADEOFF + " --cells none", "cells"),
    Case(TRADEOFF.replace("{out}/tradeoff", "{data}"), "directory"),
    Case(FIT.replace("{data}", "{place}/none.csv"), "it does not exist"),
    Case(FIT.replace("{stack}", "{place}/none.toml"), "it does not exist"),
    Case(FIT + " --vary everything", "everything"),
    Case(FIT + " --diameter '40 V'", "diameter"),
    Case(FIT + " --temperature '-1 K'", "temperature"),
    Case(FIT + " --columns {place}/none.toml", "none.toml"),
    Case(FIT.replace("{out}/fitted.toml", "{data}"), "overwritten"),
    Case(FIT.replace("{out}/fitted.toml", "{out}"), "directory"),
    Case("bogus", "bogus"),
    Case("query", "DIR"),
    Case(QUERY + " --bogus", "bogus"),
]  # fmt: skip

# ---- files that are no files, or not these ----------------------------------------------------------

TABLE = b"device,diameter_nm,tmr\n1,40,1.2\n"
FILES = [
    *(Case(command, "study|stack|data|CSV|TOML|columns|file", spoil=damage)
      for name, command in [
          ("study.toml", SWEEP), ("data.csv", FIT), ("run/study.toml", QUERY),
          ("mapping.toml", FIT + " --columns {place}/mapping.toml"),
      ]
      for damage in [
          content(name, b"\x00" * 100), content(name, b"\xff\xfea\x00"), content(name, b"="),
          content(name, BRACKETS), content(name, b"a = " + BRACKETS), folder(name), pipe(name),
          link(name, "/dev/zero"), link(name, name.rsplit("/", 1)[-1]), gone(name),
          content(name, b"\x89PNG\r\n\x1a\n" + bytes(range(256))), content(name, b"a" * 200_000),
      ]),
    Case(SWEEP, "bytes", spoil=large("study.toml", 2_000_000_000)),
    Case(FIT, "bytes", spoil=large("data.csv", 2_000_000_000)),
    Case(QUERY, "bytes", spoil=large("run/surface.nc", 2_000_000_000)),
    Case(SURFACE, "bytes", spoil=large("run/devices.parquet", 2_000_000_000)),
    *(Case(command, "study|data|rows|stack", spoil=content(name, b""))
      for name, command in [("study.toml", SWEEP), ("data.csv", FIT), ("run/study.toml", QUERY)]),
    Case(FIT, "at most", spoil=content("data.csv", b"a," * 1_000_000 + b"\n" + b"1," * 1_000_000)),
    Case(FIT, "", spoil=content("data.csv", b"x" * 200_000 + b",tmr\n1,2\n")),
    Case(FIT, "", spoil=content("data.csv", b'device,tmr\n1,"' + b"9" * 200_000 + b'"\n')),
]  # fmt: skip

# ---- a run directory is input -----------------------------------------------------------------------

WRONG_SURFACES = {
    "renamed dimension": (surface(lambda one: one.rename(amplitude="voltage")), "dimensions of ber"),
    "transposed": (surface(lambda one: one.transpose("duration", ...)), "dimensions of ber"),
    "scalar": (surface(lambda one: one.assign(ber=0.5)), "dimensions of ber"),
    "strings": (surface(lambda one: one.assign(energy=one["energy"].astype(str))), "energy"),
    "complex": (value("ber", 0.5 + 0.1j), "ber|surface file"),
    "infinite": (value("energy", np.inf), "energy"),
    "not a number": (value("ber", np.nan), "ber"),
    "negative": (value("ber", -0.1), "ber"),
    "above 1": (value("ber", 1.5), "ber"),
    "negative energy": (value("redundant_energy", -1e-12), "redundant_energy"),
    "wrong interval": (value("ber_lower", 1.0), "ber_lower|ber_upper"),
    "missing variable": (surface(lambda one: one.drop_vars("redundant_energy")), "redundant_energy"),
    "falling amplitudes": (surface(lambda one: one.isel(amplitude=slice(None, None, -1))), "ascending"),
    "one amplitude": (surface(lambda one: one.isel(amplitude=[0])), "amplitude"),
    "unknown direction": (surface(lambda one: one.assign_coords(direction=["up", "down"])), "direction"),
    "one direction twice": (
        surface(lambda one: one.assign_coords(direction=["p_to_ap", "p_to_ap"])), "direction"
    ),
    "no nominal amplitude": (
        surface(lambda one: one.drop_attrs(deep=False)), "nominal_amplitude_V"
    ),
    "nominal amplitude in words": (attribute("nominal_amplitude_V", "high"), "nominal_amplitude_V"),
    "infinite nominal amplitude": (attribute("nominal_amplitude_V", np.inf), "nominal_amplitude_V"),
    "study that is a number": (attribute("study", 3), "study"),
    "study that is garbage": (attribute("study", "[["), "study"),
    "study of something else": (attribute("study", "a = 1"), "study"),
    "empty": (content("run/surface.nc", b""), "surface"),
    "garbage": (content("run/surface.nc", bytes(range(256)) * 40), "surface"),
    "cut": (lambda place: os.truncate(place / "run/surface.nc", 3000), "surface"),
    "folder": (folder("run/surface.nc"), "surface"),
    "pipe": (pipe("run/surface.nc"), "surface"),
    "missing": (gone("run/surface.nc"), "surface"),
}  # fmt: skip

_FEW = {"query", "compare"}  # the others load a surface by the same line
SURFACES = {
    f"{name}, {title}": Case(READERS[name], word, spoil=spoil)
    for title, (spoil, word) in WRONG_SURFACES.items()
    for name in READERS
    if name in _FEW or title in ("transposed", "missing", "garbage")
}


def words_in(column):
    """Put words into a column of numbers of the samples."""
    return part(lambda one: one.assign(**{column: "x"}))


RUNS = [
    *(Case(command, "sweep.json|JSON", spoil=spoil)
      for command in (SURFACE, QUERY)
      for spoil in [
          content("run/sweep.json", b"[]"), content("run/sweep.json", BRACKETS),
          content("run/sweep.json", b"{"),
          content("run/sweep.json", b"\xff\xfe"), folder("run/sweep.json"), pipe("run/sweep.json"),
          record(devices_used=-1), record(devices_used="all"), record(versions=[1]), record(study_sha256=7),
      ]),
    *(Case(SURFACE, word, spoil=spoil) for spoil, word in [
        (devices(lambda one: one.drop(columns="weight")), "weight"),
        (devices(lambda one: one.drop(columns="thermal_stability")), "thermal_stability"),
        (devices(lambda one: one.assign(weight=-1.0)), "weight"),
        (devices(lambda one: one.assign(weight=0.0)), "weight"),
        (devices(lambda one: one.assign(weight=np.nan)), "weight"),
        (devices(lambda one: one.assign(weight="1")), "weight"),
        (devices(lambda one: one.assign(replicate=-1)), "replicate"),
        (devices(lambda one: one.head(1)), "devices"),
        (content("run/devices.parquet", b"PAR1"), "devices"), (folder("run/devices.parquet"), "devices"),
        (pipe("run/devices.parquet"), "devices"), (gone("run/devices.parquet"), "devices"),
        (words_in("write_error_rate"), "write_error_rate"), (words_in("amplitude_V"), "amplitude_V"),
        (words_in("device"), "device"), (words_in("energy_J"), "energy_J"),
        (part(lambda one: one.assign(write_error_rate=2.0)), "write_error_rate"),
        (part(lambda one: one.assign(write_error_rate=-1.0)), "write_error_rate"),
        (part(lambda one: one.assign(write_error_rate=np.nan)), "write_error_rate"),
        (part(lambda one: one.assign(energy_J=np.inf)), "energy_J"),
        (part(lambda one: one.assign(duration_s=-one["duration_s"])), "duration_s"),
        (part(lambda one: one.assign(duration_s=2.0 * one["duration_s"])), "duration_s"),
        (part(lambda one: one.assign(device=one["device"] + 0.5)), "device"),
        (part(lambda one: one.assign(status="fine")), "status"),
        (part(lambda one: one.assign(direction="up")), "direction|amplitude"),
        (part(lambda one: one.drop(columns="trials")), "trials"),
        (part(lambda one: one.drop(columns="status")), "status"),
        (raw_part(b"PAR1"), "Parquet"), (raw_part(b""), "Parquet"), (raw_part(bytes(range(256))), "Parquet"),
        (lambda place: (place / "run/samples/x.0123456789abcdef.parquet").mkdir(), "directory"),
        (lambda place: os.mkfifo(place / "run/samples/x.0123456789abcdef.parquet"), "pipe"),
        (content("run/samples/x.parquet", b"PAR1"), "checksum"),
        (folder("run/samples"), "samples"), (content("run/samples", b""), "samples"),
        (content("run/tables", b""), "directory"), (content("run/figures", b""), "directory"),
        (text("run/study.toml", "seed = 1", "seed = 2"), "changed after its sweep"),
        (content("run/study.toml", b"a = 1"), "study.toml"),
    ]),
    *(Case("sweep {place}/run/study.toml --out {run} --workers 1", word, spoil=spoil) for spoil, word in [
        (lambda place: (place / "run/samples/folder").mkdir(), "samples"),
        (content("run/samples/other.parquet", b"PAR1"), "checksum"),
        (content("run/samples", b""), "directory"),
    ]),
    *(Case(REPORT, word, spoil=content("run/tradeoff.csv", data)) for data, word in [
        (b"", "tradeoff.csv"), (b"\x00\xff", "trade-off"), (b"lever,code\nreliable,1\n", "column"),
        (b"lever\n" + b'"' * 1001, "tradeoff.csv"), (b"a,b\n1\n", "column"),
    ]),
    Case(REPORT, "pipe", spoil=pipe("run/tradeoff.csv")),
    Case(TRADEOFF, "trainings", spoil=lambda one: (one / "out/tradeoff/trainings.jsonl").mkdir(parents=True)),
]  # fmt: skip


def _ids(cases):
    return [f"{case.command.split()[0]}-{number}" for number, case in enumerate(cases)]


@pytest.mark.parametrize("case", OPTIONS, ids=_ids(OPTIONS))
def test_request_that_is_wrong(case, place, call):
    case.spoil(place)
    before = tree(place)
    checked(call, case.command, place, case.code, case.word)
    assert tree(place) == before  # it ended before it wrote anything


@pytest.mark.parametrize("case", FILES, ids=_ids(FILES))
def test_file_that_is_none(case, place, call):
    case.spoil(place)
    checked(call, case.command, place, case.code, case.word)


@pytest.mark.parametrize("case", SURFACES.values(), ids=SURFACES)
def test_surface_that_is_none(case, place, call):
    case.spoil(place)
    checked(call, case.command, place, case.code, case.word)


@pytest.mark.parametrize("case", RUNS, ids=_ids(RUNS))
def test_run_directory_that_is_none(case, place, call):
    case.spoil(place)
    checked(call, case.command, place, case.code, case.word)


# ---- faults of the disk -----------------------------------------------------------------------------


def failing(patch, step, number, at):
    """Let a step of writing a file fail, the first time or a later one."""
    count = 0

    def strike(really, *arguments, **named):
        nonlocal count
        count += 1
        if count == at:
            raise OSError(number, os.strerror(number))
        return really(*arguments, **named)

    if step == "write":
        opened = os.fdopen

        def fdopen(handle, mode="r", *rest, **named):
            return strike(opened, handle, mode, *rest, **named) if "w" in mode else opened(handle, mode)

        patch.setattr("mtjchar.files.os.fdopen", fdopen)
        return
    owner, name = {"make": (tempfile, "mkstemp"), "sync": (os, "fsync"), "rename": (Path, "replace")}[step]
    really = getattr(owner, name)
    patch.setattr(owner, name, lambda *arguments, **named: strike(really, *arguments, **named))


TABLES = "export {run} --format ngspice-table --out {out}/table.lib"
FAULTS = [
    *((EXPORT, step, number, 1) for step in ("make", "write", "sync", "rename")
      for number in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)),
    *((TABLES, step, errno.ENOSPC, at) for step in ("make", "write", "sync", "rename") for at in (1, 3, 7)),
    *((REPORT, step, errno.EIO, 1) for step in ("make", "write", "sync", "rename")),
    *((FIT, step, errno.EIO, 1) for step in ("make", "write", "sync", "rename")),
    *((TRADEOFF, step, errno.ENOSPC, at) for step, at in [
        ("make", 1), ("make", 3), ("write", 2), ("rename", 4), ("sync", 1), ("sync", 5), ("sync", 20)
    ]),
    (SURFACE, "write", errno.EIO, 6),
]  # fmt: skip


@pytest.fixture(scope="module")
def results():
    """What the commands give undisturbed, each computed once."""
    return {}


@pytest.mark.parametrize(
    ("command", "step", "number", "at"),
    FAULTS,
    ids=[
        f"{command.split()[0]}-{step}-{errno.errorcode[number]}-{at}" for command, step, number, at in FAULTS
    ],
)
def test_fault_of_the_disk_is_said_and_leaves_nothing(
    command, step, number, at, place, good, call, results, tmp_path, monkeypatch
):
    if command not in results:
        whole = shutil.copytree(good, tmp_path / "undisturbed" / "place")
        assert call(*filled(command, whole))[0] == 0
        results[command] = tree(whole)
    with monkeypatch.context() as patch:
        failing(patch, step, number, at)
        checked(call, command, place, 1, f"cannot be written: {os.strerror(number)}.*results are kept")
    assert call(*filled(command, place))[0] == 0
    assert tree(place) == results[command]


def test_file_system_that_cannot_sync_is_no_reason_to_give_up(place, call, monkeypatch):
    assert call(*filled(EXPORT, place))[0] == 0
    before = tree(place)
    for file in (place / "out").iterdir():
        file.unlink()

    def refuse(_handle):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", refuse)
    assert call(*filled(EXPORT, place))[0] == 0
    assert tree(place) == before
