"""Solvers of the junction: Fokker-Planck, macrospin ensembles, the axial cell in ngspice."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.timing import Candidates, timed
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.physics import fokker_planck, llgs
from mtjchar.physics.spin_orbit import SpinOrbitTorque
from mtjchar.study import load_study
from mtjchar.sweep.population import Population

WALKERS, STEP = 10_000, 1e-12


def tables() -> list[Table]:
    """All on one core."""
    with threadpool_limits(1):
        return [
            timed(
                "Fokker-Planck: 200 durations to tau = 20, i 1.2 to 3, Delta 35 to 60", "device", devices()
            ),
            timed("Macrospin ensembles, thermal noise", "walker and step", ensembles()),
            timed("Axial cell in ngspice, one 12 ns write each", "transient", axial_cells()),
        ]


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

    def on_load_line() -> object:
        """Both currents depend on the angle; a channel below the junction."""
        rng = np.random.Generator(np.random.SFC64(1))
        return llgs.simulate_on_load_line(
            every, start, duration=steps * STEP, step=STEP, current=[-9e-5, 1e-5, 1e-6, 1e-7],
            spin_orbit=SpinOrbitTorque(257.0, field_like=0.2), channel_current=[4e-4, 1e-5, 1e-6, 1e-7],
            rng=rng,
        )  # fmt: skip

    def reduced() -> object:
        rng = np.random.Generator(np.random.SFC64(1))
        return llgs.simulate_reduced(
            axial, start[2], duration=steps * STEP, step=STEP, current=-9e-5, rng=rng
        )

    candidates: Candidates = {
        "mtjchar, vector, all terms": (vector, WALKERS * steps),
        "the same on load lines, with spin-orbit torque": (on_load_line, WALKERS * steps),
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
    cells = cell_parameters(study.tables, Population(study).draw()[:100]).assign(u0=-2.5)
    return {
        "100 cells in one netlist": (
            lambda: write_waveforms(study.tables, cells, "ap_to_p", study.pulses.at(0.9, 12e-9)),
            100,
        ),
        "one cell in a netlist": (
            lambda: write_waveforms(study.tables, cells[:1], "ap_to_p", study.pulses.at(0.9, 12e-9)),
            1,
        ),
    }
