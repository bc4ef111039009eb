"""Write energy of the shipped SOT cells over the word-line voltage, and their sizes, as in docs/sot.md.

    .venv/bin/python -m scripts.sot_cells

The nominal device of each cell writes for 3 ns, with the amplitude at which its error rate is 1e-6. Error
rates come from splitting. A third cell is the 3T cell with wider transistors: two of them together are as
wide as the write transistor of the 2T cell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.cells.base import Counting, Direction
from mtjchar.study import Study, load_study
from mtjchar.sweep.population import Population

__all__ = ["Write", "cells", "write_at"]

DURATION = 3e-9
"""Duration of the writes, s."""

RATE = 1e-6
"""Error rate of the writes."""

VOLTAGES = (1.2, 1.4, 1.6)
"""Word-line voltages, V."""

WALKERS = 3200
SEED = 1
_AMPLITUDES = np.linspace(0.3, 0.75, 5)


class Write(NamedTuple):
    """A write of the nominal device; NaN if no amplitude reaches the error rate.

    Attributes
    ----------
    amplitude : float
        V.
    energy : float
        J, of a write that switches.
    current : float
        Mean of the currents in both halves of the channel with the junction in its new state, A.
    """

    amplitude: float
    energy: float
    current: float


def cells() -> dict[str, Study]:
    """Return the studies of the cells, by their names in the table."""
    two, three = load_study("sot_2t"), load_study("sot_3t")
    half = 0.5 * two.cell.transistor.width
    wide = three.with_(cell={"transistor": {"width": half}, "read_width": half})
    return {"2T": two, "3T": three, "3T, wide": wide}


def write_at(study: Study, direction: Direction, voltage: float) -> Write:
    """Find the write with the error rate `RATE`, at a voltage of the word lines (V)."""
    study = study.with_(cell={"wordline_voltage": voltage})
    device = Population(study).nominal().reset_index(drop=True)
    pulses = study.pulses.at(_AMPLITUDES, DURATION)
    currents = study.kind.drive(study.tables, device, direction, pulses)
    found = study.kind.average(
        study.tables, device, direction, currents, pulses, Counting(WALKERS, SEED, True)
    )
    assert found.standard_error is not None
    split = np.isfinite(found.standard_error[0, :, 0])
    rate = np.log(found.error_rate[0, split, 0])
    if not split.any() or rate.min() > np.log(RATE) or rate.max() < np.log(RATE):
        return Write(np.nan, np.nan, np.nan)
    falling = np.minimum.accumulate(rate)

    def at(values: FloatArray) -> float:
        return float(np.interp(-np.log(RATE), -falling, values[split]))

    new = -1 if direction == study.kind.directions[1] else 0  # of the cosines: P, AP
    return Write(at(_AMPLITUDES), at(found.energy_J[0, :, 0]), at(np.abs(currents.channel_A[0, 0, :, new])))


def _words(write: Write) -> str:
    if np.isnan(write.energy):
        return "-"
    return f"{write.amplitude:.3f} V, {1e6 * write.current:.0f} µA, {1e15 * write.energy:.0f} fJ"


def _print() -> None:
    studies, best = cells(), dict[tuple[str, str], float]()
    for name, study in studies.items():
        size = study.kind.footprint(study.tables)
        assert size is not None
        width = 1e9 * size.transistor_width_m
        print(f"{name}: width of all transistors {width:.0f} nm, area {size.area_F2:.1f} F²")
    print(f"| word line | direction | {' | '.join(studies)} | 3T over 2T | 3T, wide, over 2T |")
    print("|---" * (len(studies) + 4) + "|")
    for voltage in VOLTAGES:
        for direction in reversed(studies["2T"].kind.directions):
            writes = {name: write_at(study, direction, voltage) for name, study in studies.items()}
            for name, write in writes.items():
                best[name, direction] = np.fmin(best.get((name, direction), np.inf), write.energy)
            over = [writes[name].energy / writes["2T"].energy for name in ("3T", "3T, wide")]
            row = " | ".join([*map(_words, writes.values()), *(f"{ratio:.2f}" for ratio in over)])
            print(f"| {voltage:.1f} V | {direction} | {row} |", flush=True)
    for (name, direction), energy in best.items():
        print(
            f"{name}, {direction}, best: {1e15 * energy:.0f} fJ, over 2T {energy / best['2T', direction]:.2f}"
        )


if __name__ == "__main__":
    _print()
