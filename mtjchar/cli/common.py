"""What the commands share: consoles, arguments, progress and the form of answers."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TextIO, cast

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

from mtjchar.cli import completion
from mtjchar.cli.interrupts import interrupts
from mtjchar.errors import InputError, did_you_mean, printable
from mtjchar.files import is_file, is_folder, read_text, write_text
from mtjchar.units import compact, parse_quantity, rough_time

if TYPE_CHECKING:
    from mtjchar.study import Study
    from mtjchar.surfaces import BitwiseSurface, ReadSurface, WriteSurface


class _Messages(io.TextIOBase):
    """Standard error; what cannot be shown is dropped: a terminal may close before a sweep has ended."""

    @property
    def _stream(self) -> TextIO | None:
        # A progress bar puts something in the place of standard error that writes to this very console.
        stream: TextIO | None = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
        return stream

    def write(self, text: str) -> int:
        """Show text if anybody is there."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Show what was written if anybody is there."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Descriptor of standard error."""
        if self._stream is None:
            raise OSError("standard error is closed")
        return self._stream.fileno()


class PlainConsole(Console):
    """A console to which all text is just text, whatever its brackets, colons and control characters say."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(soft_wrap=True, markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Take a text to be shown, cells of tables among them."""
        return super().render_str(printable(text, keep="\n\t"), **settings)


_FIRST_LINE, _GROWTH, _MOST_APART = 2.0, 0.25, 600.0  # s, and share of the time so far, between lines
_MOST_POINTS = 10_000
"""Points of an axis of a table."""

console = PlainConsole()
error_console = PlainConsole(file=cast(IO[str], _Messages()))


class Vary(StrEnum):
    """Which quantity of a pulse to optimize."""

    amplitude = "amplitude"
    duration = "duration"
    both = "both"


def quantity(unit: str, name: str) -> Callable[[str], float]:
    """Read an argument with a unit into a number in this SI unit."""

    def read(text: str) -> float:
        try:
            return parse_quantity(text, unit, thing=name)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error

    read.__name__ = f"{unit} with unit"
    return read


def grid(unit: str, name: str, spaced: Callable[[float, float, int], Any]) -> Callable[[str], list[float]]:
    """Read a list of quantities, or START:STOP:POINTS, into numbers in this SI unit."""

    def read(text: str) -> list[float]:
        try:
            start, colon, rest = text.partition(":")
            if not colon:
                return [parse_quantity(part, unit, thing=name) for part in text.split(",")]
            stop, _, points = rest.partition(":")
            if not points.strip().isdecimal() or not 2 <= int(points) <= _MOST_POINTS:
                allowed = f"values separated by commas, or START:STOP:POINTS with 2 to {_MOST_POINTS} points"
                raise InputError(name, value=text, allowed=allowed)
            first, last = (parse_quantity(part, unit, thing=name) for part in (start, stop))
            return [float(value) for value in spaced(first, last, int(points))]
        except InputError as error:
            raise typer.BadParameter(str(error)) from error

    read.__name__ = f"{unit} with unit"
    return read


def _geometric(start: float, stop: float, points: int) -> Any:
    import numpy as np

    if min(start, stop) <= 0.0:
        raise InputError("durations", value=compact(min(start, stop), "s"), allowed="durations above 0")
    return np.geomspace(start, stop, points)


def _linear(start: float, stop: float, points: int) -> Any:
    import numpy as np

    return np.linspace(start, stop, points)


StudyFile = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY",
        help="Study file (TOML); see docs/study.md.",
        autocompletion=completion.files_or("studies"),
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Run directory of a sweep.")]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Directory for the results; created if missing.")
]
Devices = Annotated[
    int | None,
    typer.Option(min=1, max=1_000_000, metavar="N", help="Number of devices (default: the study's)."),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2**63 - 1, metavar="N", help="Seed of the sampling (default: the study's)."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=1024, metavar="N", help="Number of worker processes (default: one per core)."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler of the cluster to run on: tcp://HOST:PORT or tls://HOST:PORT.",
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Certificate authority of the cluster (PEM file), for tls://."),
]
TlsCert = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Certificate of this client (PEM file), for tls://.")
]
TlsKey = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Private key of --tls-cert (PEM file), if it is in a separate file."),
]
JsonLog = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Append events to FILE, one JSON object per line.")
]
AllowFailed = Annotated[
    float,
    typer.Option(
        min=0.0, max=0.99, metavar="SHARE", help="Largest share of failed devices to accept at any pulse."
    ),
]
AnyDirection = Annotated[
    str | None,
    typer.Option(
        "--direction",
        metavar="NAME",
        help="Write direction, one of the study's, or both (the default).",
        autocompletion=completion.directions,
    ),
]
LIMIT = typer.Option(
    parser=quantity("s", "limit"),
    metavar="T",
    help='Time limit for one device in one direction, after which its process is stopped, such as "10 s".',
)
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]
AMPLITUDE = typer.Option(
    parser=quantity("V", "amplitude"), metavar="V", help='Pulse amplitude, such as "0.8 V".'
)
DURATION = typer.Option(
    parser=quantity("s", "duration"),
    metavar="T",
    help='Pulse duration from half rise to half fall, such as "8 ns".',
)
AMPLITUDES_ASKED = typer.Option(
    "--amplitude",
    parser=grid("V", "amplitude", _linear),
    metavar="V,...",
    help='Pulse amplitude, such as "0.8 V"; several as a list, "0.7 V, 0.8 V", as START:STOP:POINTS, or by '
    "repeating the option.",
)
DURATIONS_ASKED = typer.Option(
    "--duration",
    parser=grid("s", "duration", _geometric),
    metavar="T,...",
    help='Pulse duration from half rise to half fall, such as "8 ns"; several likewise.',
)
READ_VOLTAGES_ASKED = typer.Option(
    "--voltage",
    parser=grid("V", "voltage", _linear),
    metavar="V,...",
    help='Read voltage, such as "0.1 V"; several as a list, "0.1 V, 0.2 V", as START:STOP:POINTS, or by '
    "repeating the option.",
)
SENSING_TIMES_ASKED = typer.Option(
    "--time",
    parser=grid("s", "time", _geometric),
    metavar="T,...",
    help='Sensing time, from the start of the read to the decision, such as "5 ns"; several likewise.',
)
AMPLITUDES = typer.Option(
    parser=grid("V", "amplitudes", _linear),
    metavar="V,...",
    help='Amplitudes of the table: a list, "0.7 V, 0.8 V", or START:STOP:POINTS, "0.4 V:1.2 V:81", with '
    "linear spacing.",
)
DURATIONS = typer.Option(
    parser=grid("s", "durations", _geometric),
    metavar="T,...",
    help='Durations of the table: a list, "5 ns, 8 ns", or START:STOP:POINTS, "1 ns:60 ns:81", with '
    "logarithmic spacing.",
)
FEATURE_SIZE = typer.Option(
    parser=quantity("m", "feature size"),
    metavar="L",
    help='Feature size F, such as "28 nm" (default: the gate length).',
)
MAX_AMPLITUDE = typer.Option(
    parser=quantity("V", "max amplitude"), metavar="V", help='Largest amplitude to use, such as "1 V".'
)
MAX_DURATION = typer.Option(
    parser=quantity("s", "max duration"), metavar="T", help='Longest duration to use, such as "10 ns".'
)
CLOCK = typer.Option(
    parser=quantity("Hz", "clock"), metavar="F", help='Clock frequency of the memory, such as "400 MHz".'
)


def warn(text: str, *, loud: bool = False) -> None:
    """Say something on standard error."""
    style = "bold red" if loud else "yellow"
    error_console.print(text, style=style, highlight=False)


def load_checked(path: Path) -> Study:
    """Load a study whose nominal device holds two states."""
    from mtjchar.study import load_study
    from mtjchar.sweep.population import Population

    study = load_study(path)
    try:
        Population(study).nominal()
    except InputError as error:
        raise error.within(str(path)) from error
    return study


def load_surface(folder: Path) -> WriteSurface:
    """Load the surface of a run directory, and say beyond which limits of the model its cell is."""
    from mtjchar.surfaces import WriteSurface

    surface = WriteSurface.of_run(folder)
    for words in surface.warnings:
        warn(words)
    return surface


def load_reads(folder: Path) -> ReadSurface | None:
    """Load the read surface of a run directory; None if its study asks for none. A missing one is refused."""
    from mtjchar.surfaces import ReadSurface

    asked = is_file(folder / "read.nc") or _has_table(folder, "read")
    return ReadSurface.of_run(folder) if asked else None


def load_bitwise(folder: Path) -> BitwiseSurface | None:
    """Load the surface of bitwise operations of a run directory; as `load_reads`."""
    from mtjchar.surfaces import BitwiseSurface

    asked = is_file(folder / "bitwise.nc") or _has_table(folder, "read", "bitwise")
    return BitwiseSurface.of_run(folder) if asked else None


def _has_table(folder: Path, *keys: str) -> bool:
    """Whether the study of a run has a table; to read all of the study takes a second."""
    try:
        table: Any = tomllib.loads(read_text(folder / "study.toml", "study file", allowed="a study"))
    except (InputError, tomllib.TOMLDecodeError):
        return False  # who reads the study will say so
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return bool(table)


def one_of(thing: str, name: str, allowed: Iterable[str]) -> InputError:
    """Refuse a name that is none of those there are."""
    names = list(allowed)
    return InputError(
        thing, value=name, allowed=" or ".join(map(repr, names)), remedy=did_you_mean(name, names)
    )


def check_direction(direction: str, allowed: Iterable[str]) -> None:
    """Refuse a --direction that the surface does not have."""
    if direction not in (names := list(allowed)):
        raise one_of("--direction", direction, names)


def writable(folder: Path, option: str = "--out") -> None:
    """Make a directory for results, or refuse one that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise InputError(option, value=str(folder), allowed="a directory that can be written")


def writable_file(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse an --out that is no file that can be written, or one of the files that are read."""
    if not is_folder(path.parent):
        raise InputError("--out", value=str(path), allowed="a file in a directory that exists")
    if is_folder(path):
        raise InputError(
            "--out", value=str(path), allowed="a file that can be written", remedy="It is a directory."
        )
    # A file that does not exist yet is made in the directory.
    if not os.access(path if is_file(path) else path.parent, os.W_OK):
        raise InputError("--out", value=str(path), allowed="a file that can be written")
    if is_file(path) and any(is_file(file) and file.samefile(path) for file in inputs):
        raise InputError(
            "--out", value=str(path), allowed="a file that is not read", remedy="It would be overwritten."
        )


def write_table(table: Any, path: Path) -> None:
    """Write a table as CSV for spreadsheets, whole or not at all."""
    table = table.map(_cell)
    write_text(path, table.set_axis([_cell(name) for name in table.columns], axis=1).to_csv(index=False))


def _cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value, keep="\n\t\r")
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def answer_table() -> Table:
    """Lay out an answer, one line per quantity."""
    return Table(show_header=False, box=None)


def print_json(data: object) -> None:
    """Answer as JSON."""
    sys.stdout.write(json.dumps(_finite(data), indent=2, allow_nan=False) + "\n")


def _finite(data: Any) -> Any:
    """JSON has null for what is not known or open, and neither NaN nor infinity."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def number_or_dash(value: float, form: str) -> str:
    """Write a number, or a dash where it is not known."""
    return "-" if math.isnan(value) else format(value, form)


class _Rate(ProgressColumn):
    """Work done a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s")


class Bar:
    """A bar on the screen: called with what is done and all there is, it shows it."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress, self._what = progress, what
        self._failed, self._workers = "", ""
        self._task = progress.add_task(what, total=None, visible=False)  # until there is work

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work is; raise an interrupt that was lost on the way."""
        interrupts.check()
        self._progress.update(self._task, completed=done, total=total, visible=True)

    def failed(self, count: int) -> None:
        """Show how many have failed so far."""
        self._failed = f", {count} failed" if count else ""
        self._describe()

    def workers(self, count: int) -> None:
        """Show where a cluster has no worker."""
        self._workers = "" if count else ", waiting for workers (0)"
        self._progress.update(self._task, visible=True)
        self._describe()

    def _describe(self) -> None:
        self._progress.update(self._task, description=f"{self._what}{self._failed}{self._workers}")


class LogLines:
    """What `Bar` shows as lines of a log, at intervals that grow from two seconds to ten minutes."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._failed = ""
        self._first: tuple[float, int] | None = None
        self._next = _FIRST_LINE

    def __call__(self, done: int, total: int) -> None:
        """Write a line if it is time; raise an interrupt that was lost on the way."""
        interrupts.check()
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
        start, before = self._first
        elapsed = now - start
        if elapsed < self._next:
            return
        self._next = elapsed + min(_FIRST_LINE + _GROWTH * elapsed, _MOST_APART)
        rate = (done - before) / elapsed
        left = f", about {rough_time((total - done) / rate)} left" if rate > 0.0 and done < total else ""
        share = f"{done:,} of {total:,} {self._unit} ({100 * done // max(total, 1)} %)"
        warn(f"{self._what}: {share}{self._failed}{left}")

    def failed(self, count: int) -> None:
        """Mention how many have failed so far."""
        self._failed = f", {count} failed" if count else ""

    def workers(self, count: int) -> None:
        """Do nothing: a cluster without workers has its own message."""


@contextlib.contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Bar | LogLines]:
    """Show a bar with rate and remaining time on standard error, or lines where that is no terminal."""
    if not error_console.is_terminal:
        yield LogLines(what, unit)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=error_console) as bar:
        yield Bar(bar, what)
