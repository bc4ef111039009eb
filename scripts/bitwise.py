"""Print the table of docs/bitwise.md: what operations need on two cells that vary little.

`python scripts/bitwise.py`, a minute or two on one core.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mtjchar.study import load_study
from mtjchar.surfaces import average_bitwise
from mtjchar.sweep.run import run_sweep

FEW = {"points": 2}  # pulses: writes are not part of the table
READ = {
    "voltage": {"start": "0.1 V", "stop": "0.2 V", "points": 3},
    "time": {"start": "150 ps", "stop": "1.2 ns", "points": 9},
    "line_capacitance": "50 fF",
    "amplifier": {"offset": "1 mV"},
    "bitwise": {"cells": 2, "tuples": 256},
}
VOLTAGE = 0.2  # V


def main() -> None:
    """Run the study and print a row for each operation, at its best sensing time."""
    study = load_study("data/studies/demo.toml").with_(
        stack={"tmr": 2.0},
        variability={"diameter": 0.01, "resistance_area_product": 0.01, "tmr": 0.02},
        read=READ,
        sweep={"devices": 16, "amplitude": FEW, "duration": FEW},
    )
    with tempfile.TemporaryDirectory() as folder:
        surface = average_bitwise(run_sweep(study, Path(folder) / "run", workers=1))
    assert surface is not None  # READ has bitwise operations
    for name in surface.operations:
        time = surface.times[surface.error_rate(name, VOLTAGE, surface.times).argmin()]
        point = surface.point(name, VOLTAGE, float(time))
        references = ", ".join(f"{1e-3 * each:.2f} kΩ" for each in point.reference_resistance_ohm)
        print(
            f"| {name.upper()} | {1e12 * time:.0f} ps | {point.error_rate:.2g}"
            f"{', extrapolated' * point.extrapolated} | {1e15 * point.energy_J:.1f} fJ | {references} | "
            f"{1e3 * point.largest_offset:.1f} mV | {point.smallest_contrast:.2f} | "
            f"{point.largest_spread:.1f} times |"
        )
    print(f"largest disturb rate {point.disturb_rate:.1g}")


if __name__ == "__main__":
    main()
