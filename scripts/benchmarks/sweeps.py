"""The sweep of a thousand devices against the loop that a user of PySpice would write."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PySpice.Spice.Netlist import Circuit
from rich.table import Table
from scipy.integrate import trapezoid

from benchmarks.timing import shown
from mtjchar.cells.stt.netlist import cell_parameters, high_line
from mtjchar.spice.libraries import netlist_folder
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Direction, Study, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep

FloatArray = npt.NDArray[np.float64]

DEVICES = 1000
SUBSET = 120
CORES = 2


def tables() -> list[Table]:
    """Time the demo's sweep with a thousand devices, and a random part of the same as a plain loop."""
    study = load_study("data/studies/demo.toml").with_(read=None)
    study = study.with_(sweep={"devices": DEVICES})
    pulses = study.sweep.amplitude.points * study.sweep.duration.points * len(study.sweep.directions)
    transients = DEVICES * pulses
    # The two take turns: half of the loop before the sweeps, half after them.
    loop = plain_loop(study)
    before = loop(SUBSET // 2)
    two, one = (seconds(study, workers) for workers in (CORES, 1))
    each = [*before, *loop(SUBSET - SUBSET // 2)]
    plain = statistics.mean(each) * transients

    title = f"Demo's study, {DEVICES} devices x {pulses} pulses = {transients:,} write transients"
    columns = ("", "whole sweep", "times as fast", "cell transients a second and core")
    compared = Table(*columns, title=title, title_justify="left")
    for name, took, cores in (
        (f"PySpice alone, one process ({SUBSET} measured)", plain, 1),
        ("mtjchar, 1 process", one, 1),
        (f"mtjchar, {CORES} processes", two, CORES),
    ):
        rate = transients / took / cores
        compared.add_row(name, f"{took:,.1f} s", f"{plain / took:,.0f}", f"{rate:,.0f}")
    error = statistics.stdev(each) / len(each) ** 0.5 / statistics.mean(each)
    compared.add_section()
    compared.add_row("one transient of the loop", shown(statistics.mean(each)), f"± {error:.0%}", "")
    compared.add_row(f"parallel efficiency, {CORES} processes", "", f"{one / two / CORES:.0%}", "")
    return [compared]


def seconds(study: Study, workers: int) -> float:
    """Whole sweep, from nothing to a finished run directory."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run_sweep(study, Path(folder) / "run", workers=workers)
        return time.perf_counter() - start


def plain_loop(study: Study) -> Callable[[int], list[float]]:
    """Return a call that simulates so many random writes, one by one, and gives the time of each, in s."""
    rng = np.random.default_rng(1)
    cells = cell_parameters(study.tables, Population(study).draw())
    amplitudes, durations = study.sweep.amplitude.values(), study.sweep.duration.values()
    first = cells.iloc[:1], study.sweep.directions[0], float(amplitudes[0]), float(durations[0])
    write(study, *first)  # warm up

    def run(count: int) -> list[float]:
        took = []
        for _ in range(count):
            cell = cells.iloc[[int(rng.integers(len(cells)))]]
            direction = study.sweep.directions[int(rng.integers(len(study.sweep.directions)))]
            pulse = float(rng.choice(amplitudes)), float(rng.choice(durations))
            start = time.perf_counter()
            write(study, cell, direction, *pulse)
            took.append(time.perf_counter() - start)
        return took

    return run


def write(
    study: Study, cell: pd.DataFrame, direction: Direction, amplitude: float, duration: float
) -> tuple[float, float]:
    """Simulate one write as PySpice's manual shows it; final m_z and energy (J)."""
    names = ("mtj_axial.lib", "nmos_generic.lib", "cell_1t1mtj.lib")
    rise, off = study.pulse.rise, study.pulse.rise + duration
    end = off + 2.0 * study.pulse.fall
    circuit = Circuit("one write")
    circuit.raw_spice = "\n".join((netlist_folder() / name).read_text() for name in names)
    high = high_line(study.tables, direction)
    for line in ("bitline", "sourceline"):
        level = amplitude if line == high else 0.0
        circuit.PulseVoltageSource(line, line, circuit.gnd, 0, level, duration - rise, 1.0, rise, rise, rise)
    word = study.cell.wordline_voltage
    circuit.PulseVoltageSource("word", "word", circuit.gnd, 0, word, off, 1.0, 0.0, rise, rise)
    start = 2.5 if direction == "p_to_ap" else -2.5
    circuit.X(
        "1", f"cell_free_layer_to_{study.cell.free_layer_to}",
        "bitline", "sourceline", "word", "mz", "t", "d",
        **{str(name): float(value) for name, value in cell.iloc[0].items()}, u0=start,
    )  # fmt: skip
    celsius = study.cell.temperature - 273.15
    bench = circuit.simulator(
        simulator="ngspice-shared", temperature=celsius, nominal_temperature=27, ngspice_shared=simulator()
    )
    analysis = bench.transient(step_time=10e-12, end_time=end, use_initial_condition=True)
    time_s = np.asarray(analysis.time, dtype=float)
    energy = sum(
        trapezoid(
            -np.asarray(analysis[line], float) * np.asarray(analysis.branches["v" + line], float), time_s
        )
        for line in ("bitline", "sourceline", "word")
    )
    return float(np.asarray(analysis["mz"], dtype=float)[-1]), float(energy)
