"""Sweeps with the transistor of an open kit against the generic one."""

from __future__ import annotations

from functools import partial

from rich.table import Table

from benchmarks.sweeps import seconds
from benchmarks.timing import Candidates, timed
from mtjchar.cells.kits import kit_model
from mtjchar.cells.transistor_netlist import source_of
from mtjchar.cells.transistor_probe import probe_transistor
from mtjchar.study import Study, load_study

DEVICES = 16
KITS = ("sky130", "gf180")


def tables() -> list[Table]:
    """Time the sweeps of the studies with kits, and how long ngspice takes to load the kits' transistors."""
    studies = {name: load_study(f"data/studies/{name}.toml").with_(read=None) for name in ("demo", *KITS)}
    sweeps: Candidates = {
        name: (partial(seconds, study.with_(sweep={"devices": DEVICES}), 1), DEVICES)
        for name, study in studies.items()
    }
    cards: Candidates = {name: (partial(_find, studies[name]), 1) for name in KITS}
    loads: Candidates = {name: (partial(_load, studies[name]), 1) for name in KITS}
    return [
        timed(f"Sweep of {DEVICES} devices, one process, by the transistor of the study", "device", sweeps),
        timed("Finding the card in the kit's files, once a process", "kit", cards),
        timed("Probe of a kit's transistor: two loads, currents and charges", "kit", loads),
    ]


def _find(study: Study) -> None:
    kit_model.cache_clear()
    source_of(study.cell.transistor)


def _load(study: Study) -> None:
    cell = study.cell
    probe_transistor(cell.transistor, temperature=cell.temperature, gate=cell.wordline_voltage, drain=0.5)
