"""Do terms of the model come back, and does the comparison of models find them? Simulated data, counted.

    .venv/bin/python scripts/fit_terms.py                              all terms, 100 data sets each
    .venv/bin/python scripts/fit_terms.py --only self_heating --sets 20
    .venv/bin/python scripts/fit_terms.py --compare                    also ranks the models: slower

Counts are drawn from the Fokker-Planck solver. Prints, for each parameter, how often the interval of
1.96 standard errors holds the truth; and how often the model with the true term is the first of all models
that `compare_terms` ranks. docs/fitting.md keeps a run.
"""

from __future__ import annotations

import argparse
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from fit_coverage import DURATIONS, SHARES, film
from fit_coverage import TRUTH as DEVICE
from rich.console import Console
from rich.table import Table as Shown
from threadpoolctl import threadpool_limits

from mtjchar.stackfit import (
    TERMS,
    FitWarning,
    Table,
    compare_terms,
    pulses_at,
    simulate_counts,
    table_of,
)
from mtjchar.stackfit.minimize import inverse
from mtjchar.stackfit.search import minimize_solved, minimize_table, scales
from mtjchar.stackfit.setup import set_up


class Case(NamedTuple):
    """A term with its true parameters, and the pulses that show it."""

    truth: dict[str, float]
    temperatures: tuple[float, ...] = (300.0,)
    diameters: tuple[float, ...] = ()
    torque: str = "current"
    factors: tuple[float, ...] = ()  # of amplitudes, for additional pulses


CASES = {
    "no further term": Case({}),
    "dead_time": Case({"dead_time": 1e-10}),
    "rise_time": Case({"rise_time": 1.5e-10}),
    "series_resistance": Case({"series_resistance": 300.0}),
    "missed_writes": Case({"missed_writes": 0.01}, factors=(1.3, 1.6)),
    "false_switches": Case({"false_switches": 0.01}, factors=(0.4, 0.7)),
    "critical_current_spread": Case({"critical_current_spread": 0.04}),
    "stability_spread": Case({"stability_spread": 0.06}),
    "drift": Case({"drift": 0.03}),
    "self_heating": Case({"thermal_resistance_area": 1e-9, "thermal_time": 1e-8}, (253.15, 300.0, 358.15)),
    "back_hopping": Case(
        {"back_hopping_current": 1.1e-4, "back_hopping_stability": 40.0}, factors=(1.3, 1.6, 1.9)
    ),
    # With a torque per current the second torque is the same as a smaller critical current.
    "second_barrier": Case({"second_torque": 0.6, "series_resistance": 400.0}, torque="voltage"),
    "sub_volume": Case({"exchange_stiffness": 2e-12}, diameters=(20e-9, 30e-9, 40e-9, 60e-9)),
    "temperature_laws": Case(
        {"anisotropy_exponent": 2.6, "polarization_exponent": 1.4}, (253.15, 300.0, 358.15)
    ),
}


def measured(case: Case, rng: np.random.Generator) -> Table:
    """Draw counts of 1e4 writes for each pulse."""
    junction, truth = film(case.torque), {**DEVICE, **case.truth}
    on = pulses_at(junction, DURATIONS, SHARES, values=DEVICE)
    more = on[on.index % len(SHARES) == 2]
    rows = [on, *(more.assign(amplitude_V=factor * more["amplitude_V"]) for factor in case.factors)]
    pulses = pd.concat(
        [group.assign(temperature_K=kelvin) for kelvin in case.temperatures for group in rows],
        ignore_index=True,
    )
    if case.diameters:
        # The amplitudes that a junction of each diameter needs are those of the pulses of the first one.
        pulses = pd.concat([pulses.assign(diameter_m=width) for width in case.diameters], ignore_index=True)
    pulses = pulses.sample(frac=1.0, random_state=rng).reset_index(drop=True)
    pulses["line"] = np.arange(len(pulses)) + 2
    return table_of(simulate_counts(junction, pulses, rng, values=truth))


def distances(case: Case, table: Table) -> dict[str, float]:
    """Deviations from the truth over the standard errors."""
    truth = {**DEVICE, **case.truth}
    setup = set_up([table], film(case.torque), list(truth), (), truth)
    start = np.array([setup.start[name] for name in setup.problem.free])
    best = minimize_solved(setup.problem, minimize_table(setup.problem, start).vector)
    size = scales(setup.problem, best.vector)
    error = np.sqrt(np.diag(inverse(best.jacobian * size))) * size
    return {
        name: float((best.vector[k] - truth[name]) / error[k]) for k, name in enumerate(setup.problem.free)
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore", FitWarning)
    shown = Shown("term", "parameter", "truth", "95 % interval holds it", "right model first")
    with threadpool_limits(1):
        for name, case in CASES.items():
            if options.only not in (None, name):
                continue
            found, first = [], 0
            for seed in range(options.sets):
                table = measured(case, np.random.default_rng([options.seed, seed]))
                found.append(distances(case, table))
                if options.compare:
                    best = compare_terms([table], film(case.torque), vary=list(DEVICE), intervals=False).terms
                    first += best == ((name,) if name in TERMS else ())
            held = pd.DataFrame(found).abs().lt(1.96).mean()
            for k, (parameter, value) in enumerate({**DEVICE, **case.truth}.items()):
                ranked = f"{first} of {options.sets}" if options.compare and k == 0 else ""
                shown.add_row(
                    name if k == 0 else "", parameter, f"{value:.4g}", f"{held[parameter]:.0%}", ranked
                )
    Console().print(shown)


if __name__ == "__main__":
    main()
