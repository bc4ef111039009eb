"""Print the tables of docs/bitwise.md: operations on the demo's cells, and on cells that vary little.

`python scripts/bitwise.py`, two minutes on one core. `python scripts/bitwise.py FOLDER` also writes the
figure of the second one.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from mtjchar.plotting import bitwise_figures
from mtjchar.study import Study, load_study
from mtjchar.surfaces import BitwiseSurface, average_bitwise
from mtjchar.sweep.run import run_sweep
from mtjchar.units import compact

FEW = {"points": 2}  # pulses: writes are not part of the tables
READ = {
    "voltage": {"start": "0.1 V", "stop": "0.2 V", "points": 3},
    "time": {"start": "100 ps", "stop": "1.2 ns", "points": 15},
    "bitwise": {"cells": 2, "tuples": 256},
}
BETTER = {"line_capacitance": "50 fF", "amplifier": {"offset": "1 mV"}}


def main() -> None:
    """Run both studies and print a row for each operation, at its best read."""
    demo = load_study("data/studies/demo.toml").with_(
        read=None, sweep={"devices": 16, "amplitude": FEW, "duration": FEW}
    )
    better = demo.with_(
        stack={"tmr": 2.0}, variability={"diameter": 0.01, "resistance_area_product": 0.01, "tmr": 0.02}
    )
    for name, study in (("demo", demo.with_(read=READ)), ("better", better.with_(read={**READ, **BETTER}))):
        print(name)
        surface = surface_of(study)
        rows(surface)
        if name == "better" and len(sys.argv) > 1:
            bitwise_figures(surface, sys.argv[1])


def surface_of(study: Study) -> BitwiseSurface:
    """Run a study with bitwise operations."""
    with tempfile.TemporaryDirectory() as folder:
        surface = average_bitwise(run_sweep(study, Path(folder) / "run", workers=1))
    assert surface is not None  # READ has bitwise operations
    return surface


def rows(surface: BitwiseSurface) -> None:
    """Print a row for each operation."""
    for name in surface.operations:
        voltage, time = surface.best_read(name)
        point = surface.point(name, voltage, time)
        references = ", ".join(f"{1e-3 * each:.2f} kΩ" for each in point.reference_resistance_ohm)
        rate = "below 1e-18" if point.error_rate < 1e-18 else f"{point.error_rate:.2g}"
        doubt = ", extrapolated" if point.extrapolated and point.error_rate >= 1e-18 else ""
        print(
            f"| {name.upper()} | {compact(voltage, 'V', 3)} | {1e12 * time:.0f} ps | {rate}{doubt} | "
            f"{1e15 * point.energy_J:.1f} fJ | {references} | "
            f"{or_none(point.largest_offset, f'{1e3 * point.largest_offset:.1f} mV')} | "
            f"{or_none(point.smallest_contrast, f'{point.smallest_contrast:.2f}')} | "
            f"{or_none(point.largest_spread, f'{point.largest_spread:.2f} times')} | "
            f"{point.disturb_rate:.1g} |"
        )


def or_none(value: float, words: str) -> str:
    """Say a value in words, if there is one."""
    return "none" if math.isnan(value) else words


if __name__ == "__main__":
    main()
