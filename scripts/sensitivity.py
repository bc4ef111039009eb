"""How much the loss by failing writes depends on the training: the table of docs/results.md.

    .venv/bin/python scripts/sensitivity.py demo-run --dataset fashion-mnist

Each row is a change of the default training. Two settings are trained beside error-free writes: the pulse of
the lever ``duration`` in two's complement, and that of ``code`` in Gray code, each at one error rate.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtjchar.network.choice import Memory
from mtjchar.network.experiment import Experiment, MeasuredSetting
from mtjchar.network.reads import ReadConditions
from mtjchar.network.tradeoff import READ_ENERGY
from mtjchar.network.trainer import PLANS, TrainingPlan
from mtjchar.network.trainings import Trainings
from mtjchar.surfaces import WriteSurface

USUAL = PLANS["perceptron"]
PLANS_TO_COMPARE: dict[str, TrainingPlan] = {
    "as by default": USUAL,
    "full scale ± 0.1": replace(USUAL, full_scale=0.1),
    "full scale ± 0.5": replace(USUAL, full_scale=0.5),
    "full scale ± 1": replace(USUAL, full_scale=1.0),
    "6 bits": replace(USUAL, bits=6),
    "1 epoch": replace(USUAL, epochs=1),
    "20 epochs": replace(USUAL, epochs=20, learning_rate_decay=0.85),
    "batches of 25": replace(USUAL, batch_size=25, learning_rate=0.15),
    "batches of 400": replace(USUAL, batch_size=400),
    "momentum": replace(USUAL, optimizer="momentum", momentum=0.9, learning_rate=0.1 * USUAL.learning_rate),
    "convolutional": PLANS["convolutional"],
    "convolutional, full scale by layer": replace(PLANS["convolutional"], full_scale="initial"),
}


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder with a surface")
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--rates", type=float, nargs=2, default=(0.03, 0.3), help="two's complement, Gray code"
    )
    parser.add_argument("--kept", type=Path, help="file that finished trainings are added to")
    options = parser.parse_args()
    memory = Memory(WriteSurface.load(options.run / "surface.nc"), ReadConditions(energy_J=READ_ENERGY))
    shown = Table(
        title=f"Loss in points, {options.seeds} seeds; BER of two's complement and Gray code: {options.rates}"
    )
    for name in ("training", "error-free, %", "two's complement", "Gray code"):
        shown.add_column(name, justify="left" if name == "training" else "right")
    with Trainings(options.dataset, options.kept) as trainings:
        for name, plan in PLANS_TO_COMPARE.items():
            experiment = Experiment(memory, plan, options.seeds, options.seeds, trainings)
            losses = []
            for lever, rate in zip(("duration", "code"), options.rates, strict=True):
                experiment.search([lever], [rate], 0)
                losses.append(experiment.measured(lever)[0])
            shown.add_row(name, _accuracy(losses[0]), *map(_loss, losses))
    Console(width=110).print(shown)


def _accuracy(measured: MeasuredSetting) -> str:
    accuracies = [100.0 * outcome.test_accuracy for outcome in measured.error_free]
    return f"{sum(accuracies) / len(accuracies):.2f}"


def _loss(measured: MeasuredSetting) -> str:
    return f"{measured.drops.mean():.2f} ± {measured.drop_half_width:.2f}"


if __name__ == "__main__":
    main()
