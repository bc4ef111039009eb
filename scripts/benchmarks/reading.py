"""The read surface of a thousand devices, from the reference to read.nc."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from rich.table import Table

from mtjchar.study import Study, load_study
from mtjchar.surfaces import average_reads
from mtjchar.sweep.read_tasks import reads_of
from mtjchar.sweep.run import run_sweep

DEVICES, VOLTAGES, TIMES = 1000, 12, 20
CORES = 2
FEW = {"points": 2}  # pulses: the writes beside the reads take little time, which is subtracted


def tables() -> list[Table]:
    """Time the demo's reads, in each mode: the sweep with reads less that without, and the average."""
    study = load_study("data/studies/demo.toml")
    study = study.with_(read=None, sweep={"devices": DEVICES, "amplitude": FEW, "duration": FEW})
    title = f"Read surface of {DEVICES} devices x {VOLTAGES} voltages x {TIMES} times, {CORES} processes"
    table = Table("mode", "reads", "average, read.nc", "together", title=title, title_justify="left")
    writes, _ = seconds(study)
    grid = {
        "voltage": {"start": 0.05, "stop": 0.2, "points": VOLTAGES},
        "time": {"start": 0.2e-9, "stop": 5e-9, "points": TIMES},
    }
    for mode in ("discharge", "charge", "current"):
        read = study.with_(read={"mode": mode, **grid})
        assert reads_of(read) is not None
        both, average = seconds(read)
        reads = both - writes
        table.add_row(mode, f"{reads:.1f} s", f"{average:.1f} s", f"{reads + average:.1f} s")
    return [table]


def seconds(study: Study) -> tuple[float, float]:
    """Time of a sweep, and of the average of its reads."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        path = run_sweep(study, Path(folder) / "run", workers=CORES)
        swept = time.perf_counter()
        average_reads(path)
        return swept - start, time.perf_counter() - swept
