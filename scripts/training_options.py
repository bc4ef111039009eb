"""The table of docs/memory.md: word lengths, scales, optimizers and accumulation on Fashion-MNIST.

`python scripts/training_options.py`, some 5 minutes on one core; `--dataset digits` for a look at the form.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from networks import conditions, shown

from mtjchar.network.datasets import load_dataset
from mtjchar.network.trainer import PLANS, train

RATES = (0.0, 0.1)
PERCEPTRON = PLANS["perceptron"]
CONVOLUTIONAL = replace(PLANS["convolutional"], epochs=1)
MOMENTUM = replace(PERCEPTRON, optimizer="momentum", learning_rate=0.03)
ADAM = replace(PERCEPTRON, optimizer="adam", learning_rate=1e-3)
VARIANTS = {
    "perceptron": PERCEPTRON,
    "2 bits": replace(PERCEPTRON, bits=2),
    "3 bits": replace(PERCEPTRON, bits=3),
    "a scale for each layer, `initial`": replace(PERCEPTRON, full_scale="initial"),
    "4 batches an update": replace(PERCEPTRON, accumulate=4),
    "momentum": MOMENTUM,
    "momentum, state in MRAM": replace(MOMENTUM, state_full_scale=0.05),
    "Adam": ADAM,
    "Adam, state in MRAM": replace(ADAM, state_full_scale=0.01),
    "convolutional, one epoch": CONVOLUTIONAL,
    "convolutional, one epoch, a scale for each layer, `initial`": replace(
        CONVOLUTIONAL, full_scale="initial"
    ),
}


def main() -> None:
    """Print rows of the table as they are done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    dataset, seeds = load_dataset(options.dataset), range(options.seeds)
    print(f"| plan | {' | '.join(f'{rate:g}' for rate in RATES)} |\n|---|---|---|")
    for name, plan in VARIANTS.items():
        row = [
            shown(train(dataset, plan, conditions(rate), seed).test_accuracy for seed in seeds)
            for rate in RATES
        ]
        print(f"| {name} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
