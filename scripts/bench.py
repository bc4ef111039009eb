"""Speed figures, side by side in one run: `make bench` prints the tables of docs/benchmarks.md.

Machines are noisy: every figure is the median of several rounds in which all candidates take turns, and what
counts is the ratio of two candidates, not a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from mtjchar.physics import fokker_planck
from mtjchar.spice.measure import write_waveforms
from mtjchar.spice.netlist import cell_parameters
from mtjchar.study import load_study
from mtjchar.sweep.sampling import sample_devices

ROUNDS = 5


def main() -> None:
    """Run all benchmarks on one core."""
    console = Console()
    with threadpool_limits(1):
        for title, candidates in (
            (
                "Fokker-Planck, 200 durations to tau = 20, own i (1.2 to 3) and Delta (35 to 60) each",
                fokker_planck_(),
            ),
            ("Axial cell in ngspice, one 12 ns write each", axial_cell()),
        ):
            console.print(timed(title, candidates))


def timed(title: str, candidates: dict[str, tuple[Callable[[], object], float, str]]) -> Table:
    """Time candidates in turn; each is a call, the number of units of work in it, and what a unit is."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for name, (call, _, _) in candidates.items():
        call()  # warm up
    for _ in range(ROUNDS):
        for name, (call, _, _) in candidates.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    table = Table(
        "candidate", "median", "least", "a", "ratio to the first", title=title, title_justify="left"
    )
    first = None
    for name, (_, units, unit) in candidates.items():
        median, least = statistics.median(seconds[name]) / units, min(seconds[name]) / units
        first = first or median
        table.add_row(name, _shown(median), _shown(least), unit, f"{median / first:.3g}")
    return table


def _shown(seconds: float) -> str:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns")):
        if seconds * factor >= 1.0:
            break
    return f"{seconds * factor:.3g} {unit}"


def fokker_planck_() -> dict[str, tuple[Callable[[], object], float, str]]:
    """A thousand devices in one call against one device a call."""
    rng = np.random.default_rng(1)
    overdrive, stability = rng.uniform(1.2, 3.0, 1000), rng.uniform(35.0, 60.0, 1000)
    tau = np.linspace(0.1, 20.0, 200)
    solve = fokker_planck.write_error_rate
    return {
        "1000 devices in one call": (
            lambda: solve(overdrive[:, None], stability[:, None], tau),
            1000,
            "device",
        ),
        "one device in a call": (lambda: solve(overdrive[0], stability[0], tau), 1, "device"),
    }


def axial_cell() -> dict[str, tuple[Callable[[], object], float, str]]:
    """A batch of cells in one netlist against one cell a netlist."""
    study = load_study("data/studies/demo.toml")
    cells = cell_parameters(study, sample_devices(study)[:100]).assign(u0=-2.5)
    return {
        "100 cells in one netlist": (
            lambda: write_waveforms(study, cells, "ap_to_p", 0.9, 12e-9), 100, "transient",
        ),
        "one cell in a netlist": (
            lambda: write_waveforms(study, cells[:1], "ap_to_p", 0.9, 12e-9), 1, "transient",
        ),
    }  # fmt: skip


if __name__ == "__main__":
    main()
