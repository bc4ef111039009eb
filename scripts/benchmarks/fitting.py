"""Fits of a stack to tester data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.timing import Candidates, timed
from mtjchar.physics import rate_table
from mtjchar.stackfit import TERMS, Film, FitWarning, fit_stack, pulses_at, simulate_counts, table_of
from mtjchar.study import load_stack

HEATING = {"thermal_resistance_area": 1e-9, "thermal_time": 1e-8}
ARRAY = {
    "critical_current_spread": 0.03, "stability_spread": 0.04, "dead_time": 5e-11, "missed_writes": 2e-3,
    "series_resistance": 200.0, "exchange_stiffness": 4e-12,
}  # fmt: skip
DIAMETERS = (25e-9, 40e-9, 60e-9)
TEMPERATURES = (253.15, 300.0, 358.15)
DURATIONS, SHARES = np.geomspace(1e-9, 1e-6, 6), (0.03, 0.2, 0.5, 0.8, 0.97)


def tables() -> list[Table]:
    """All on one core."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return [
            timed("Joint fit of 60 switching points, 1e4 trials each, three parameters", "fit", fits()),
            timed(
                "Fit of 180 points at three temperatures, with self-heating, five parameters", "fit", heated()
            ),
            timed("Fit of 200 points of an array, with 13 terms, 19 parameters", "fit", all_terms()),
        ]


def thin() -> Film:
    """Ikeda's junction with a thin barrier."""
    stack = load_stack("data/stacks/ikeda2010.toml").model_copy(
        update={"resistance_area_product": 5e-12, "torque": "current"}
    )
    return Film(stack, 40e-9)


def heated() -> Candidates:
    """Fit a device with a term of self-heating; without intervals, and with those."""
    film = thin()
    on = pulses_at(film, DURATIONS, SHARES)
    pulses = pd.concat([on.assign(temperature_K=kelvin) for kelvin in TEMPERATURES], ignore_index=True)
    table = table_of(simulate_counts(film, pulses, np.random.default_rng(1), values=HEATING))

    def fit(*, intervals: bool) -> object:
        return fit_stack([table], film, terms=["self_heating"], starts=0, intervals=intervals)

    return {
        "one start, no intervals": (lambda: fit(intervals=False), 1),
        "the same with intervals": (lambda: fit(intervals=True), 1),
    }


def all_terms() -> Candidates:
    """Fit an array at three temperatures and with three diameters, with every term that its data can show."""
    film, truth = thin(), {**HEATING, **ARRAY}
    on = pulses_at(film, DURATIONS, SHARES)
    more = on[on.index % len(SHARES) == 2]
    rows = [on, *(more.assign(amplitude_V=factor * more["amplitude_V"]) for factor in (0.6, 1.4))]
    pulses = pd.concat(
        [
            group.assign(temperature_K=kelvin, diameter_m=width)
            for kelvin in TEMPERATURES for width in DIAMETERS for group in rows
        ],
        ignore_index=True,
    ).sample(n=200, random_state=1)  # fmt: skip
    counts = simulate_counts(film, pulses, np.random.default_rng(1), values=truth)
    table = table_of(counts.assign(line=np.arange(len(counts)) + 2))
    terms = [name for name in TERMS if name not in ("offset_field", "torque_asymmetry")]

    def fit(*, intervals: bool) -> object:
        return fit_stack([table], film, terms=terms, intervals=intervals)

    return {
        "no intervals": (lambda: fit(intervals=False), 1),
        "with intervals": (lambda: fit(intervals=True), 1),
    }


def fits() -> Candidates:
    """Fit with everything; with the table of error rates computed anew; from one start without intervals."""
    film = thin()
    counts = simulate_counts(film, pulses_at(film, DURATIONS, SHARES), np.random.default_rng(1))
    table = table_of(counts)

    def first_of_a_process() -> object:
        rate_table._table.cache_clear()
        return fit_stack([table], film)

    return {
        "minimum by the solver, intervals checked with it": (lambda: fit_stack([table], film), 1),
        "the same, first fit of a process": (first_of_a_process, 1),
        "one start, no intervals": (lambda: fit_stack([table], film, starts=0, intervals=False), 1),
    }
