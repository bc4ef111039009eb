"""Speed figures, side by side in one run: `make bench` prints them, docs/benchmarks.md keeps a run.

Machines are noisy: every figure is the median of several rounds in which all candidates of a table take
turns, on one core, and what counts is the ratio of two candidates, not a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from mtjchar.physics import fokker_planck, llgs
from mtjchar.spice.measure import write_waveforms
from mtjchar.spice.netlist import cell_parameters
from mtjchar.study import load_study
from mtjchar.sweep.sampling import sample_devices

ROUNDS = 5
WALKERS, STEP = 10_000, 1e-12

Candidates = dict[str, tuple[Callable[[], object], float]]
"""A call by its name, and the number of units of work in it."""


def main() -> None:
    """Run all benchmarks on one core."""
    console = Console(width=100)
    with threadpool_limits(1):
        for title, unit, candidates in (
            ("Fokker-Planck: 200 durations to tau = 20, i 1.2 to 3, Delta 35 to 60", "device", devices()),
            ("Macrospin ensembles, thermal noise", "walker and step", ensembles()),
            ("Axial cell in ngspice, one 12 ns write each", "transient", axial_cells()),
        ):
            console.print(timed(title, unit, candidates))


def timed(title: str, unit: str, candidates: Candidates) -> Table:
    """Time the candidates in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for call, _ in candidates.values():
        call()  # warm up
    for _ in range(ROUNDS):
        for name, (call, _) in candidates.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    table = Table("", f"median a {unit}", "least", "ratio", title=title, title_justify="left")
    medians = {name: statistics.median(seconds[name]) / units for name, (_, units) in candidates.items()}
    first = next(iter(medians.values()))
    for name, (_, units) in candidates.items():
        table.add_row(
            name, shown(medians[name]), shown(min(seconds[name]) / units), f"{medians[name] / first:.3g}"
        )
    return table


def shown(seconds: float) -> str:
    """Write a time with a unit of its size."""
    size, unit = next(
        pair
        for pair in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
        if seconds >= pair[0] or pair[0] == 1e-9
    )
    return f"{seconds / size:.3g} {unit}"


def devices() -> Candidates:
    """Solve a thousand devices in one call, and one device in a call."""
    rng = np.random.default_rng(1)
    overdrive, stability = rng.uniform(1.2, 3.0, 1000), rng.uniform(35.0, 60.0, 1000)
    tau = np.linspace(0.1, 20.0, 200)
    solve = fokker_planck.write_error_rate
    return {
        "1000 devices in one call": (lambda: solve(overdrive[:, None], stability[:, None], tau), 1000),
        "one device in a call": (lambda: solve(overdrive[0], stability[0], tau), 1),
    }


def ensembles() -> Candidates:
    """Follow ensembles of macrospins: vector with all terms, reduced, and cmtj's junction where installed."""
    axial = llgs.Macrospin(1.257e6, 1.634e-24, 0.027, 0.1734)
    every = llgs.Macrospin(
        1.257e6, 1.634e-24, 0.027, 0.1734, lambda_=1.3, field_like=0.2, demagnetizing=(0.02, 0.03, 0.0),
        reference=(np.sin(0.1), 0.0, np.cos(0.1)), field=(5e-3, 0.0, 0.0),
    )  # fmt: skip
    steps = 100
    start = np.tile([[0.1], [0.0], [np.sqrt(0.99)]], WALKERS)

    def vector() -> object:
        rng = np.random.Generator(np.random.SFC64(1))
        return llgs.simulate(every, start, duration=steps * STEP, step=STEP, current=-9e-5, rng=rng)

    def reduced() -> object:
        rng = np.random.Generator(np.random.SFC64(1))
        return llgs.simulate_reduced(
            axial, start[2], duration=steps * STEP, step=STEP, current=-9e-5, rng=rng
        )

    candidates: Candidates = {
        "mtjchar, vector, all terms": (vector, WALKERS * steps),
        "mtjchar, reduced to m_z": (reduced, WALKERS * steps),
    }
    if find_spec("cmtj"):
        candidates["cmtj, Junction, Heun"] = (cmtj_junction(axial, 20_000), 20_000)
    return candidates


def cmtj_junction(spin: llgs.Macrospin, steps: int) -> Callable[[], object]:
    """Set up the same free layer in cmtj, one walker."""
    import cmtj

    thickness = 1.3e-9
    layer = cmtj.Layer(
        "free",
        mag=cmtj.CVector(0.1, 0.0, 0.995),
        anis=cmtj.CVector(0.0, 0.0, 1.0),
        Ms=1.58,
        thickness=thickness,
        cellSurface=spin.volume / thickness,
        demagTensor=[cmtj.CVector(0.0, 0.0, 0.0)] * 3,
        damping=spin.damping,
    )
    junction = cmtj.Junction([layer])
    junction.setLayerAnisotropyDriver("free", cmtj.ScalarDriver.getConstantDriver(1.09e5))
    junction.setLayerTemperatureDriver("free", cmtj.ScalarDriver.getConstantDriver(300.0))

    def run() -> object:
        junction.clearLog()
        return junction.runSimulation(steps * STEP, STEP, steps * STEP, solverMode=cmtj.SolverMode.Heun)

    return run


def axial_cells() -> Candidates:
    """Simulate a hundred cells in one netlist, and one cell in a netlist."""
    study = load_study("data/studies/demo.toml")
    cells = cell_parameters(study, sample_devices(study)[:100]).assign(u0=-2.5)
    return {
        "100 cells in one netlist": (lambda: write_waveforms(study, cells, "ap_to_p", 0.9, 12e-9), 100),
        "one cell in a netlist": (lambda: write_waveforms(study, cells[:1], "ap_to_p", 0.9, 12e-9), 1),
    }


if __name__ == "__main__":
    main()
