"""The tables of docs/inference.md: a network is programmed once, and time passes.

`python scripts/inference.py RUN` with the folder of a run that has a surface; `--dataset digits` for a look
at the form. With `--figure FOLDER` the last rows are drawn.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from mtjchar.network.allocation import Pulses
from mtjchar.network.datasets import load_dataset
from mtjchar.network.inference import infer_over_time
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.reads import ReadConditions
from mtjchar.network.retention import Retention
from mtjchar.network.tradeoff import write_conditions
from mtjchar.network.trainer import NETWORKS, PLANS, train
from mtjchar.plotting import inference_figure
from mtjchar.run import Run
from mtjchar.sweep.population import Population

DAY, YEAR = 86400.0, 365.25 * 86400.0
TIMES = {
    "0": 0.0, "1 day": DAY, "1 month": YEAR / 12, "1 year": YEAR, "10 years": 10 * YEAR,
}  # fmt: skip
ERROR_FREE = WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


def shown(row: pd.Series) -> str:
    """Write wrong bits and recognition rate."""
    accuracy, half = 100.0 * row["accuracy_mean"], 100.0 * row["accuracy_ci95"]
    return f"{row['wrong_bits_fraction']:.1e}, {accuracy:.1f} ± {half:.1f}"


def main() -> None:
    """Print a row a network, code, temperature and number of reads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["perceptron"])
    parser.add_argument("--codes", nargs="+", default=["twos_complement", "gray"])
    parser.add_argument("--temperatures", type=float, nargs="+", default=[300.0, 358.15], help="K")
    parser.add_argument("--diameters", type=float, nargs="+", default=[40.0, 60.0], help="nm")
    parser.add_argument("--reads", type=int, nargs="+", default=[0, 10**9])
    parser.add_argument("--disturb", type=float, default=1e-11, help="of a bit 1, each read")
    parser.add_argument("--read-error", type=float, default=1e-6, help="of either bit")
    parser.add_argument("--ber", type=float, default=1e-6, help="error rate of the programming")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()

    run, dataset = Run(options.run), load_dataset(options.dataset)
    pulse = run.surface.cheapest_pulse("both", options.ber)
    pulses = Pulses(np.full((1, 2), pulse.amplitude_V), np.full((1, 2), pulse.duration_s))
    conditions = write_conditions(run.surface, pulses)
    reads = ReadConditions((options.read_error, options.read_error), (0.0, options.disturb))
    print(f"| network | code | nm | K | reads | {' | '.join(TIMES)} |\n|{'---|' * (5 + len(TIMES))}")
    for network in options.networks:
        for code in options.codes:
            plan = replace(PLANS[network], code=code)
            trained = [train(dataset, plan, ERROR_FREE, seed) for seed in range(options.seeds)]
            for diameter, kelvin in product(options.diameters, options.temperatures):
                # Devices are drawn anew: how long they hold does not depend on the pulses that were swept.
                study = run.study.with_(junction={"diameter": 1e-9 * diameter})
                retention = Retention.of_devices(study, Population(study).draw(), kelvin)
                table = infer_over_time(
                    dataset, plan, [one.words for one in trained], conditions, retention,
                    read_conditions=reads, networks=[one.network for one in trained],
                    time_s=list(TIMES.values()), reads=np.array(options.reads)[:, None],
                )  # fmt: skip
                for count, rows in table.groupby("reads"):
                    cells = (
                        network,
                        code,
                        f"{diameter:g}",
                        f"{kelvin:g}",
                        f"{count:g}",
                        *(shown(row) for _, row in rows.iterrows()),
                    )
                    print(f"| {' | '.join(cells)} |", flush=True)
    if options.figure is not None:
        inference_figure(table, options.figure)


if __name__ == "__main__":
    main()
