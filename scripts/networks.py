"""The table of docs/networks.md: each network on Fashion-MNIST, trained and programmed with write errors.

`python scripts/networks.py`, some 15 minutes on one core; `--dataset digits` for a look at the form.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np

from mtjchar.network.datasets import load_dataset
from mtjchar.network.inference import program
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.trainer import PLANS, train

RATES = (0.0, 0.01, 0.03, 0.1, 0.3)


def conditions(rate: float) -> WriteConditions:
    """Give one error rate for both directions; energies do not matter here."""
    return WriteConditions((rate, rate), (0.0, 0.0), (0.0, 0.0))


def shown(accuracies: Iterable[float]) -> str:
    """Write the mean and the standard deviation of accuracies, in percent."""
    percent = 100.0 * np.array(list(accuracies))
    return f"{percent.mean():.1f} ± {percent.std(ddof=1):.1f}"


def main() -> None:
    """Print rows of the table as they are done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    dataset, seeds = load_dataset(options.dataset), range(options.seeds)
    print(f"| network | cells | | {' | '.join(f'{rate:g}' for rate in RATES)} |")
    print("|---|---|---|" + "---|" * len(RATES))
    for name, plan in PLANS.items():
        cells = plan.network_for(dataset).parameters * plan.bits
        trained = {rate: [train(dataset, plan, conditions(rate), seed) for seed in seeds] for rate in RATES}
        row = [shown(one.test_accuracy for one in results) for results in trained.values()]
        print(f"| {name} | {cells:,} | trained | {' | '.join(row)} |", flush=True)
        row = [
            shown(
                program(dataset, plan, one.words, conditions(rate), seed, one.network).test_accuracy
                for seed, one in enumerate(trained[0.0])
            )
            for rate in RATES
        ]
        print(f"| | | programmed once | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
