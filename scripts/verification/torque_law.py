"""Both laws of the torque: against an independent review, and against each other where they are one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtjchar.cells.stt.axial import average_over_noise
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.study import Direction, Study, load_study
from mtjchar.sweep.population import Population
from verification.energies import reference, samples_of, study_of
from verification.report import Row, at_most, between

REVIEW: dict[tuple[str, Direction], float] = {
    ("current", "p_to_ap"): 10.7,
    ("current", "ap_to_p"): 11.1,
    ("voltage", "p_to_ap"): 19.0,
    ("voltage", "ap_to_p"): 10.2,
}
"""Time, ns, to a BER of 1e-9 of the demo's nominal device at 0.8 V, with Sato and Ishii's factors."""

_AMPLITUDES = np.array([0.8])


def duration(study: Study, direction: Direction, error_rate: float = 1e-9) -> float:
    """Duration, ns, after which the nominal device has an error rate at 0.8 V."""
    device, durations = Population(study).nominal(), np.linspace(6e-9, 26e-9, 201)
    lines = load_lines(
        study.tables, cell_parameters(study.tables, device), direction, study.pulses.at(_AMPLITUDES)
    )
    rate = average_over_noise(
        study.tables, device, direction, lines, study.pulses.at(_AMPLITUDES, durations)
    ).error_rate[0, 0]
    return 1e9 * float(np.interp(-np.log10(error_rate), -np.log10(rate), durations))


def laws() -> list[Row]:
    """Compare durations of the demo with the review, and both laws at zero bias."""
    old = {"demagnetization": "sato-ishii", "interfacial_anisotropy": 1.3e-3}
    demo, rows = load_study("data/studies/demo.toml").with_(read=None), []
    for (law, direction), expected in REVIEW.items():
        found = duration(demo.with_(stack={"torque": law, **old}), direction)
        how = f"demo, {direction}, 0.8 V, Sato-Ishii, torque per {law}"
        source = f"another program: {expected} ns"
        rows.append(
            between("duration of a BER of 1e-9, ns", how, source, found, expected - 0.06, expected + 0.06)
        )
    return rows + zero_bias()


def zero_bias() -> list[Row]:
    """Compare both laws where they are one: a TMR without bias dependence, and Lambda^2 = 1 + TMR."""
    rows, table = [], reference()
    for direction in DIRECTIONS:
        own = table[(table["lines"] == "default") & (table["direction"] == direction)].reset_index(drop=True)
        study = study_of(own).with_(stack={"tmr_half_bias": 9.9})
        polarization = study.stack.spin_polarization
        other = {
            "torque": "current",
            # At the junction's voltage, some 0.58 V.
            "slonczewski_lambda": float(np.sqrt(1.0 + study.stack.tmr / (1.0 + (0.58 / 9.9) ** 2))),
            "spin_polarization": polarization / (1.0 + polarization**2),
        }
        first, second = (
            np.log(samples_of(one, direction)["write_error_rate"])
            for one in (study.with_(stack={"torque": "voltage"}), study.with_(stack=other))
        )
        rows.append(
            at_most(
                "logarithm of the error rate, relative",
                f"{direction}, half bias 9.9 V, torque per voltage",
                "torque per current, Λ² = 1 + TMR, P/(1 + P²)",
                largest(first, second),
                5e-3,
            )
        )
    return rows


def largest(first: pd.Series, second: pd.Series) -> float:
    """Largest relative difference."""
    return float((first / second - 1.0).abs().max())
