"""Write energies of the sweep against trajectories in the same circuit."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from mtjchar.sweep.sampling import nominal_device

from mtjchar.study import Direction, Study
from mtjchar.sweep.tasks import Task, characterize
from verification.report import Row, at_most

REFERENCE = Path(__file__).resolve().parents[2] / "tests/reference/write_energy.csv"


def reference() -> pd.DataFrame:
    """Read the table of an independent Langevin code; its head says how it was made."""
    return pd.read_csv(REFERENCE, comment="#")


def study_of(rows: pd.DataFrame) -> Study:
    """Make a study of the table's device with the lines, amplitude and durations of some of its rows."""
    first = rows.iloc[0]
    line = {"resistance": first["line_resistance_ohm"], "capacitance": first["line_capacitance_F"]}
    durations = tuple(rows["duration_s"])
    return Study.model_validate(
        {
            "stack": {
                "name": "reference",
                "reference": "tests/reference/write_energy.csv",
                "free_layer_thickness": 1.6e-9,
                "saturation_magnetization": 1e6,
                "interfacial_anisotropy": 1.13e-3,
                "demagnetization": "sato-ishii",
                "damping": 0.01,
                "spin_polarization": 0.65,
                "resistance_area_product": 5e-12,
                "tmr": 1.5,
                "torque": "current",
                "tmr_half_bias": 0.5,
            },
            "junction": {"diameter": 35e-9},
            "cell": {
                "transistor": {"model": "ideal", "on_resistance": 1000.0},
                "bitline": line,
                "sourceline": line,
            },
            "pulse": {"rise": first["rise_s"], "fall": first["rise_s"]},
            "sweep": {
                "amplitude": {
                    "start": first["amplitude_V"],
                    "stop": first["amplitude_V"] + 0.1,
                    "points": 2,
                },
                "duration": {
                    "start": durations[0],
                    "stop": durations[-1],
                    "points": len(durations),
                    "spacing": "refined",
                    "grid": durations,
                },
                "devices": 1,
            },
        }
    )


def samples_of(study: Study, direction: Direction) -> pd.DataFrame:
    """Characterize the nominal device at the lower amplitude; a row for each duration."""
    table = characterize(Task(study, nominal_device(study), direction))
    lower: pd.DataFrame = table[table["amplitude_V"] == table["amplitude_V"].min()]
    return lower.reset_index(drop=True)


def energies() -> list[Row]:
    """Compare energies and error rates with the table."""
    rows = []
    for (_, key), expected in reference().groupby(["lines", "direction"], sort=False):
        expected, direction = expected.reset_index(drop=True), cast(Direction, key)
        got = samples_of(study_of(expected), direction)
        first = expected.iloc[0]
        how = (
            f"{direction}, {first['amplitude_V']:g} V, lines of {first['line_resistance_ohm']:g} ohm, "
            f"{1e15 * first['line_capacitance_F']:.0f} fF, edges of {1e9 * first['rise_s']:.1f} ns"
        )
        source = "3,000 trajectories in the circuit"
        for name, words in (("energy_J", "energy"), ("redundant_energy_J", "energy of a redundant write")):
            away = (got[name] / expected[name] - 1.0).abs().max()
            rows.append(at_most(f"{words}, relative", how, source, float(away), 3e-3))
        counted = expected["write_error_rate"].notna()
        off = (got["write_error_rate"] - expected["write_error_rate"])[counted].abs()
        share = off / expected["write_error_rate_se"][counted]
        rows.append(at_most("error rate, standard errors", how, source, float(np.max(share)), 3.0))
    return rows
