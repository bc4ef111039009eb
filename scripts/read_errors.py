"""Recognition rate over the error rate of reads, for docs/reading.md.

`python scripts/read_errors.py` trains the perceptron on Fashion-MNIST, about three minutes on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from rich.console import Console

from mtjchar.network.datasets import load_dataset
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.passes import PassReads
from mtjchar.network.reads import ReadConditions
from mtjchar.network.trainer import PLANS, train

RATES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1)
FREE = (0.0, 0.0)


def main() -> None:
    """Train and print rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    dataset, console = load_dataset(options.dataset), Console(width=200)
    right = WriteConditions(FREE, FREE, FREE, read_before_write=True)
    for name in ("before writes", "of the passes that compute"):
        cells = []
        for rate in RATES:
            both = (rate, rate)
            conditions = replace(right, read_error_rate=both) if name == "before writes" else right
            passes = None if name == "before writes" else PassReads(ReadConditions(both))
            found = [
                100.0 * train(dataset, PLANS["perceptron"], conditions, seed, passes=passes).test_accuracy
                for seed in range(options.seeds)
            ]
            cells.append(f"{np.mean(found):.1f} ± {np.std(found, ddof=1):.1f}")
        console.print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
