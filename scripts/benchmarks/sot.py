"""SOT cells: a surface with counted and with split error rates, and splitting against plain counting."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.timing import Candidates, shown, timed
from mtjchar.physics import llgs, splitting
from mtjchar.study import load_study
from mtjchar.sweep.run import run_sweep

DEVICES, AMPLITUDES, DURATIONS = 4, 8, 12
WHOLE = 200  # devices of the surface for which the time is extrapolated
WALKERS, REPLICAS = 1600, 16


def tables() -> list[Table]:
    """Sweep in one process; splitting and counting on one core."""
    with threadpool_limits(1):
        return [
            surfaces(),
            timed("Error rates of a macrospin for 5 pulses, 1600 walkers", "walker", error_rates()),
        ]


def surfaces() -> Table:
    """Time a part of the 2T cell's sweep to 5 ns, both directions, and extrapolate it to the whole."""
    title = f"SOT surface of {DEVICES} devices x {AMPLITUDES} amplitudes x {DURATIONS} durations, one process"
    columns = ("error rates", "sweep", "a device", f"extrapolated to {WHOLE} devices on two cores")
    table = Table(*columns, title=title, title_justify="left")
    for name, trials in (("count", 1600), ("splitting", 1600), ("splitting", 400)):
        study = load_study("sot_2t").with_(
            sweep={
                "devices": DEVICES,
                "amplitude": {"points": AMPLITUDES},
                "duration": {"points": DURATIONS},
                "trials": trials,
                "rare_events": name,
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            run_sweep(study, Path(folder) / "run", workers=1)
            took = time.perf_counter() - start
        each = took / DEVICES
        table.add_row(f"{name}, {trials} trials", f"{took:.1f} s", shown(each), f"{each * WHOLE / 2:,.0f} s")
    return table


def error_rates() -> Candidates:
    """Split a write of an axially symmetric macrospin of stability 40, and count the same trials."""
    spin = llgs.Macrospin(1e6, 8.28e-25, 0.1, 0.4)
    current = -2.0 * spin.critical_current
    durations = np.linspace(2.0, 12.0, 5) * spin.relaxation_time
    start = np.tile([[0.1], [0.0], [np.sqrt(0.99)]], WALKERS)

    def count() -> object:
        """Follow all trials to the end of the longest pulse."""
        rng = np.random.Generator(np.random.SFC64(1))
        step = llgs.largest_step(spin, current)
        return llgs.simulate(spin, start, duration=durations[-1], step=step, current=current, rng=rng)

    def split() -> object:
        rng = np.random.Generator(np.random.SFC64(1))
        return splitting.write_error_rate(
            spin, [current], durations, target=-1.0, walkers=WALKERS // REPLICAS, replicas=REPLICAS, rng=rng
        )

    return {"counting": (count, WALKERS), "splitting, to 1e-9": (split, WALKERS)}
