"""Do the intervals of fits hold what they promise? Simulated data sets, fitted, and counted.

    .venv/bin/python scripts/fit_coverage.py                      all scenarios, 200 data sets each
    .venv/bin/python scripts/fit_coverage.py --only voltage --sets 50

Prints, for each parameter, how often the nominal 95 % interval holds the truth, and the mean deviation from
the truth over the mean standard error. docs/fitting.md keeps a run. Counts and loops are drawn from
the Fokker-Planck solver; in the scenario `ngspice` from the error rates of a sweep through ngspice.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table as Shown
from threadpoolctl import threadpool_limits

from mtjchar.stackfit import (
    Film,
    FitWarning,
    Table,
    fit_stack,
    pulses_at,
    simulate_counts,
    simulate_loops,
    table_of,
)
from mtjchar.stackfit.problem import nominal_values
from mtjchar.study import load_stack, load_study
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory

DURATIONS = np.geomspace(1e-9, 1e-6, 6)
SHORT = np.array([0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 4.0]) * 1e-9
SHARES = (0.03, 0.2, 0.5, 0.8, 0.97)
TRUTH = {"stability": 48.0, "critical_current": 5.3e-5, "relaxation_time": 1.05e-9}

Found = dict[str, tuple[float, float, float, float, float]]  # truth, value, standard error, lower, upper


def film(torque: str = "current") -> Film:
    """Ikeda's stack with a thin barrier. The truth differs from it by some 10 %."""
    stack = load_stack("data/stacks/ikeda2010.toml").model_copy(
        update={"resistance_area_product": 5e-12, "torque": torque}
    )
    return Film(stack, 40e-9)


def fitted(tables: list[Table], truth: dict[str, float], of: Film | None = None, **options: object) -> Found:
    """Fit, and put the truth beside what came out."""
    fit = fit_stack(tables, of or film(), starts=0, **options)  # type: ignore[arg-type]
    return {
        str(name): (
            truth[str(name)],
            float(row["value"]),
            float(row["standard_error"]),
            float(row["lower"]),
            float(row["upper"]),
        )
        for name, row in fit.table().iterrows()
    }


def voltage(rng: np.random.Generator) -> Found:
    """60 pulses of 1 ns to 1 us under voltage drive, 1e4 writes each."""
    counts = simulate_counts(film(), pulses_at(film(), DURATIONS, SHARES, values=TRUTH), rng, values=TRUTH)
    return fitted([table_of(counts)], TRUTH)


def one_direction(rng: np.random.Generator) -> Found:
    """30 pulses of 1 ns to 1 us from AP to P under voltage drive, 1e4 writes each."""
    pulses = pulses_at(film(), DURATIONS, SHARES, directions=["ap_to_p"], values=TRUTH)
    return fitted([table_of(simulate_counts(film(), pulses, rng, values=TRUTH))], TRUTH)


def offset(rng: np.random.Generator) -> Found:
    """60 pulses of 1 ns to 1 us under voltage drive with a stray field of -20 mT, 1e4 writes each."""
    truth = {**TRUTH, "offset_field": -0.02}
    counts = simulate_counts(film(), pulses_at(film(), DURATIONS, SHARES, values=truth), rng, values=truth)
    return fitted([table_of(counts)], truth, vary=list(truth))


def one_direction_offset(rng: np.random.Generator) -> Found:
    """35 pulses of 0.4 to 4 ns from AP to P with a stray field of -20 mT, 1e4 writes each."""
    truth = {**TRUTH, "offset_field": -0.02}
    pulses = pulses_at(film(), SHORT, SHARES, directions=["ap_to_p"], values=truth)
    return fitted([table_of(simulate_counts(film(), pulses, rng, values=truth))], truth, vary=list(truth))


def asymmetric(rng: np.random.Generator) -> Found:
    """Free everything, with an asymmetric torque and R-V curves."""
    truth = {**nominal_values(film()), **TRUTH, "slonczewski_lambda": 1.15, "tmr": 1.1, "tmr_half_bias": 0.55}
    counts = simulate_counts(film(), pulses_at(film(), DURATIONS, SHARES, values=truth), rng, values=truth)
    bias = pd.DataFrame(
        {"voltage_V": np.tile(np.linspace(0.02, 0.8, 14), 2), "state": ["P"] * 14 + ["AP"] * 14}
    )
    excess = truth["tmr"] / (1.0 + (bias["voltage_V"] / truth["tmr_half_bias"]) ** 2)
    parallel = truth["resistance_area_product"] / (0.25 * np.pi * 40e-9**2)
    exact = parallel * (1.0 + np.where(bias["state"] == "AP", excess, 0.0))
    bias["resistance_ohm"] = exact * (1.0 + 0.005 * rng.normal(size=len(bias)))
    names = [*TRUTH, "slonczewski_lambda", "resistance_area_product", "tmr", "tmr_half_bias"]
    return fitted([table_of(counts), table_of(bias)], truth, vary=names)


def torque_per_voltage(rng: np.random.Generator) -> Found:
    """60 pulses of 1 ns to 1 us under current drive, a torque per voltage, 1e4 writes each."""
    own, truth = film("voltage"), {**TRUTH, "critical_current": 7.3e-5}
    pulses = pulses_at(own, DURATIONS, SHARES, current=True, values=truth)
    return fitted([table_of(simulate_counts(own, pulses, rng, values=truth))], truth, own)


def thresholds(rng: np.random.Generator) -> Found:
    """Median switching currents at 13 durations of 3 ns to 1 ms, read to 1 %."""
    pulses = pulses_at(
        film(), np.geomspace(3e-9, 1e-3, 13), 0.5, directions=["p_to_ap"], current=True, values=TRUTH
    )
    current = pulses["current_A"].to_numpy()
    rows = pulses.assign(
        current_A=current * (1.0 + 0.01 * rng.normal(size=len(pulses))), current_error_A=0.01 * current
    )
    return fitted([table_of(rows)], TRUTH)


LOOPS = {**TRUTH, "offset_field": 0.006}
FIELD = {"anisotropy_field": 0.19}  # T, a little below what the moment of the film would give


def swept_fields(values: dict[str, float], rng: np.random.Generator) -> Table:
    """100 R-H loops."""
    return table_of(
        simulate_loops(film(), np.arange(-0.2, 0.2001, 5e-4), 100, rng, values=values), "loops.csv"
    )


def loops(rng: np.random.Generator) -> Found:
    """100 R-H loops in steps of 0.5 mT at 1 T/s, alone."""
    truth, start = {**LOOPS, **FIELD}, {"relaxation_time": TRUTH["relaxation_time"]}
    names = ["stability", "anisotropy_field", "offset_field"]
    return fitted([swept_fields(truth, rng)], truth, vary=names, start=start)


def joint(rng: np.random.Generator) -> Found:
    """Put 60 pulses and 100 loops together; the anisotropy field follows from the moment of the film."""
    counts = simulate_counts(film(), pulses_at(film(), DURATIONS, SHARES, values=LOOPS), rng, values=LOOPS)
    return fitted([table_of(counts), swept_fields(LOOPS, rng)], LOOPS)


def joint_field(rng: np.random.Generator) -> Found:
    """Put 60 pulses and 100 loops together; the anisotropy field is fitted."""
    truth = {**LOOPS, **FIELD}
    counts = simulate_counts(film(), pulses_at(film(), DURATIONS, SHARES, values=truth), rng, values=truth)
    return fitted([table_of(counts), swept_fields(truth, rng)], truth, vary=list(truth))


STUDY = """
stack = "{stack}"
[stack_overrides]
resistance_area_product = "5 ohm*um^2"
[junction]
diameter = "40 nm"
[cell]
bitline = {{ resistance = "0.1 ohm", capacitance = "0 F" }}
sourceline = {{ resistance = "0.1 ohm", capacitance = "0 F" }}
[cell.transistor]
model = "ideal"
on_resistance = "0.1 ohm"
[pulse]
rise = "1 ps"
fall = "1 ps"
[sweep]
amplitude = {{ start = "0.2 V", stop = "1.2 V", points = 21 }}
duration = {{ start = "1 ns", stop = "100 ns", points = 7 }}
devices = 1
"""


def swept() -> Iterator[Callable[[np.random.Generator], Found]]:
    """Error rates of a sweep through ngspice of the nominal device, without a transistor to speak of."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.toml"
        file.write_text(STUDY.format(stack=Path("data/stacks/ikeda2010.toml").resolve()))
        study = load_study(file)
        run_sweep(study, Path(folder) / "run", workers=1)
        samples = RunDirectory.open(Path(folder) / "run").samples()
        device = Population(study).nominal().iloc[0]
    truth = {
        "stability": device["thermal_stability"], "critical_current": device["critical_current_A"],
        "relaxation_time": device["relaxation_time_s"],
    }  # fmt: skip
    rows = samples[["direction", "amplitude_V", "duration_s"]].assign(trials=10_000)
    rate = samples["write_error_rate"].to_numpy()

    def draw(rng: np.random.Generator) -> Found:
        """147 pulses in each direction through ngspice's load lines and edges, 1e4 writes each."""
        return fitted([table_of(rows.assign(switched=rng.binomial(10_000, 1.0 - rate)))], truth)

    yield draw


SCENARIOS = {
    "voltage": voltage,
    "one_direction": one_direction,
    "offset": offset,
    "one_direction_offset": one_direction_offset,
    "asymmetric": asymmetric,
    "torque_per_voltage": torque_per_voltage,
    "thresholds": thresholds,
    "loops": loops,
    "joint": joint,
    "joint_field": joint_field,
    "ngspice": None,
}


def count(draw: Callable[[np.random.Generator], Found], sets: int, seed: int = 1) -> pd.DataFrame:
    """Coverage and bias over data sets: ``coverage`` and ``bias`` in standard errors by parameter."""
    rows = []
    for rng in np.random.default_rng(seed).spawn(sets):
        rows += [(name, *numbers) for name, numbers in draw(rng).items()]
    table = pd.DataFrame(rows, columns=["parameter", "truth", "value", "error", "lower", "upper"])
    table["held"] = (table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])
    table["deviation"] = table["value"] - table["truth"]
    means = table.groupby("parameter", sort=False)[["held", "deviation", "error", "value"]].mean()
    scatter = table.groupby("parameter", sort=False)["value"].std()
    return pd.DataFrame(
        {
            "coverage": means["held"], "bias": means["deviation"] / means["error"],
            "relative_error": means["error"] / means["value"].abs(), "scatter": scatter / means["error"],
        }
    )  # fmt: skip


def main() -> None:
    """Run the scenarios that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="one scenario; can be given again")
    parser.add_argument("--sets", type=int, default=200, help="data sets of each scenario")
    arguments = parser.parse_args()
    console = Console(width=110)
    warnings.simplefilter("ignore", FitWarning)
    for name in arguments.only or SCENARIOS:
        draw = SCENARIOS[name] or next(swept())
        with threadpool_limits(1):
            result = count(draw, arguments.sets)
        shown = Shown(
            "parameter", "coverage", "bias, σ", "scatter, σ", "standard error", title_justify="left"
        )
        shown.title = f"{name}: {(draw.__doc__ or '').splitlines()[0]} ({arguments.sets} sets)"
        for parameter, row in result.iterrows():
            shown.add_row(
                str(parameter), f"{row['coverage']:.1%}", f"{row['bias']:+.2f}", f"{row['scatter']:.2f}",
                f"{row['relative_error']:.2%}",
            )  # fmt: skip
        console.print(shown)


if __name__ == "__main__":
    main()
