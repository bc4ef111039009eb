"""The tables of docs/finetuning.md: pretrained networks are adapted in memory, and what the memory takes.

`python scripts/finetuning.py RUN` with the folder of a run that has a surface; `--dataset digits` for a look
at the form. Pretrained networks are kept in a folder and not trained again.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtjchar.arrays import FloatArray
from mtjchar.network.allocation import Demand, Pilot
from mtjchar.network.choice import Memory, write_conditions
from mtjchar.network.datasets import load_dataset
from mtjchar.network.encoding import Words
from mtjchar.network.finetuning import TASKS, Adaptation, FineTuning, Task, finetune, pretrain
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.levers import LEVERS, ExactDesign
from mtjchar.network.optimizers import OPTIMIZERS
from mtjchar.network.reads import ReadConditions
from mtjchar.network.trainer import PLANS, TrainingPlan, train
from mtjchar.statistics import mean_half_width
from mtjchar.surfaces import WriteSurface

PILOT_SEED = 1000  # no other training has it
LARGEST_LOSS = 0.5  # points, upper end of the interval
ERROR_FREE = WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
EXACT = {
    "complete pulses": ExactDesign("gray", "bits", pulse_per_direction=True),
    "early termination": ExactDesign("gray", "bits", pulse_per_direction=True, early_termination=True),
    "all bits, early termination": ExactDesign("gray", pulse_per_direction=True, early_termination=True),
}


class Designs(NamedTuple):
    """Conditions of the approximate memory, and of exact ones by name, whose errors do not count."""

    approximate: WriteConditions
    exact: dict[str, WriteConditions]


def pretrained(task: Task, plan: TrainingPlan, seed: int, folder: Path) -> Words:
    """Train once, or take what an earlier run has kept."""
    digest = hashlib.sha256(repr((plan, seed)).encode())
    digest.update(task.pretraining.train_images.data)
    file = folder / f"{digest.hexdigest()[:24]}.npy"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(file, pretrain(task, plan, seed))
    words: Words = np.load(file)
    return words


def designs(memory: Memory, task: Task, plan: TrainingPlan, words: Words, lever: str, rate: float) -> Designs:
    """Choose pulses for what an error-free adaptation demands."""
    pilot = Pilot(plan.fixed_point())
    counts = train(task.adaptation, plan, ERROR_FREE, PILOT_SEED, watch=pilot, initial=words).ledger
    demand = Demand(counts.switching.astype(float), counts.redundant.astype(float), pilot.harm)
    exact = {}
    for name, design in EXACT.items():
        pulses = memory.exact_pulses(design, counts, plan.bits)
        detector = memory.detector if design.early_termination else None
        conditions = write_conditions(memory.surface, pulses, detector=detector)
        exact[name] = replace(conditions, read_before_write=design.skip == "bits")
    return Designs(memory.setting(lever, LEVERS[lever], rate, demand).conditions, exact)


def shown(values: FloatArray, digits: int) -> str:
    """Write mean and half width of the 95 % interval."""
    return f"{np.mean(values):.{digits}f} ± {mean_half_width(values):.{digits}f}"


def pulses_J(adaptation: Adaptation, conditions: WriteConditions) -> float:
    """Energy of the pulses alone."""
    return adaptation.ledger.energy_J(replace(conditions, read_energy_J=0.0))


def print_learning(name: str, results: Sequence[FineTuning], chosen: Designs) -> None:
    """Print what was learnt, what the pulses took and how often cells switched."""
    free = np.array([100.0 * one.error_free.test_accuracy for one in results])
    cheap = np.array([100.0 * one.approximate.test_accuracy for one in results])
    upper = (free - cheap).mean() + mean_half_width(free - cheap)
    exact = [np.mean([pulses_J(one.error_free, each) for one in results]) for each in chosen.exact.values()]
    approximate = np.mean([pulses_J(one.approximate, chosen.approximate) for one in results])
    pulses = [one.approximate.pulses for one in results]
    cells = (
        name, f"{np.mean([100.0 * one.accuracy_before for one in results]):.1f}", shown(free, 1),
        shown(cheap, 1), shown(free - cheap, 2), "yes" if upper <= LARGEST_LOSS else "no",
        *(f"{1e9 * energy:.0f}" for energy in (*exact, approximate)),
        f"{np.mean([each.mean() for each in pulses]):.2f}", f"{max(each.max() for each in pulses)}",
    )  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def energy_rows(
    name: str, results: Sequence[FineTuning], chosen: Designs, reads: Sequence[int], energies: Sequence[float]
) -> list[str]:
    """Give rows of the whole memory energy over that of the reads that compute."""
    rows = []
    adaptations = {
        **{key: ([one.error_free for one in results], each) for key, each in chosen.exact.items()},
        "approximate": ([one.approximate for one in results], chosen.approximate),
    }
    for images in reads:
        for own in (True, False):
            for design, (outcomes, conditions) in adaptations.items():
                over = [
                    np.mean(
                        [
                            one.energy_over_reads(
                                conditions, energy, images_per_read=images, update_reads=own
                            )
                            for one in outcomes
                        ]
                    )
                    for energy in energies
                ]
                reading = "its own" if own else "with the backward pass"
                cells = name, f"{images}", reading, design, *(f"{ratio:.3f}" for ratio in over)
                rows.append(f"| {' | '.join(cells)} |")
    return rows


def head(*columns: str) -> str:
    """Write the head of a table."""
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--lever", choices=LEVERS, default="all")
    parser.add_argument("--rate", type=float, default=0.05, help="error rate of the approximate writes")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=100, help="images a batch")
    parser.add_argument("--accumulate", type=int, default=8, help="batches an update")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam")
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--decay", type=float, default=0.7, help="factor on it from epoch to epoch")
    parser.add_argument(
        "--read-energies", type=float, nargs="+", default=[20.0, 50.0, 100.0, 250.0], help="fJ"
    )
    parser.add_argument("--images-per-read", type=int, nargs="+", default=[1, 10], help="beside --batch")
    parser.add_argument("--kept", type=Path, default=Path("build/pretrained"))
    return parser.parse_args(arguments)


def main() -> None:
    """Print rows of the first table as they are done, then the second."""
    options = options_of()
    energies = [1e-15 * energy for energy in options.read_energies]
    memory = Memory(WriteSurface.load(options.run / "surface.nc"), ReadConditions(energy_J=energies[0]))
    dataset = load_dataset(options.dataset)
    before = replace(PLANS["convolutional"], code="gray")
    plan = replace(
        before, epochs=options.epochs, batch_size=options.batch, accumulate=options.accumulate,
        optimizer=options.optimizer, learning_rate=options.learning_rate,
        learning_rate_decay=options.decay,
    )  # fmt: skip
    reads = sorted({*options.images_per_read, options.batch})
    pulses = (f"{name}, nJ" for name in (*EXACT, "approximate"))
    learning = "task", "before", "exact", "approximate", "loss, points", "holds"
    print(head(*learning, *pulses, "pulses per cell, mean", "maximum"), flush=True)
    rows: list[str] = []
    for name in options.tasks:
        task = TASKS[name](dataset)
        pilot = pretrained(task, before, PILOT_SEED, options.kept)
        chosen = designs(memory, task, plan, pilot, options.lever, options.rate)
        results = [
            finetune(task, plan, chosen.approximate, seed, pretrained(task, before, seed, options.kept))
            for seed in range(options.first_seed, options.first_seed + options.seeds)
        ]
        print_learning(name, results, chosen)
        rows += energy_rows(name, results, chosen, reads, energies)
    reading = "task", "images per read", "read of the update", "writes"
    print("\n" + head(*reading, *(f"{energy:g} fJ" for energy in options.read_energies)))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
