"""The read surface of a thousand devices and the bitwise operations of a thousand pairs of cells."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from mtjchar.cli.starting import read_seconds
from mtjchar.study import Study, load_study
from mtjchar.surfaces import average_bitwise, average_reads
from mtjchar.sweep.run import run_sweep

DEVICES, VOLTAGES, TIMES = 1000, 12, 20
CORES = 2
FEW = {"points": 2}  # pulses: the writes beside the reads take little time, which is subtracted
GRID = {
    "voltage": {"start": 0.05, "stop": 0.2, "points": VOLTAGES},
    "time": {"start": 0.2e-9, "stop": 5e-9, "points": TIMES},
}


class Took(NamedTuple):
    """Time of something, s: on the clock, and of all processes together on their cores."""

    clock: float
    cores: float

    def less(self, other: Took) -> Took:
        """Time without that of something else."""
        return Took(self.clock - other.clock, self.cores - other.cores)

    def __str__(self) -> str:
        return f"{self.clock:.1f} s ({self.cores:.1f} s)"


def tables() -> list[Table]:
    """Time reads in each mode, and bitwise operations: the sweep less that without, and the average."""
    study = load_study("data/studies/demo.toml")
    study = study.with_(read=None, sweep={"devices": DEVICES, "amplitude": FEW, "duration": FEW})
    writes, _ = seconds(study, average_reads)
    title = (
        f"{DEVICES} devices or pairs of cells x {VOLTAGES} voltages x {TIMES} times, {CORES} processes;\n"
        "in brackets the time of all processes together"
    )
    table = Table(
        "what", "simulation", "average, file", "together", "estimate of check",
        title=title, title_justify="left",
    )  # fmt: skip
    for mode in ("discharge", "charge", "current"):
        read = study.with_(read={"mode": mode, **GRID})
        both, average = seconds(read, average_reads)
        _add(table, mode, both.less(writes), average, read_seconds(read))
    few = study.with_(sweep={"devices": 2})
    alone, _ = seconds(few.with_(read=GRID), average_reads)
    together = few.with_(read={**GRID, "bitwise": {"tuples": DEVICES}})
    both, average = seconds(together, average_bitwise)
    _add(table, "bitwise, pairs of cells", both.less(alone), average, read_seconds(together))
    return [table]


def _add(table: Table, name: str, simulation: Took, average: Took, estimate: float) -> None:
    whole = Took(simulation.clock + average.clock, simulation.cores + average.cores)
    table.add_row(name, str(simulation), str(average), str(whole), f"{estimate:.0f} s")


def seconds(study: Study, average: Callable[[Path], Any]) -> tuple[Took, Took]:
    """Time of a sweep, and of the average of its reads."""
    with tempfile.TemporaryDirectory() as folder:
        start = now()
        path = run_sweep(study, Path(folder) / "run", workers=CORES)
        swept = now()
        average(path)
        return swept.less(start), now().less(swept)


def now() -> Took:
    """Time on the clock, and of this process and the finished ones that it had started."""
    return Took(time.perf_counter(), sum(os.times()[:4]))
