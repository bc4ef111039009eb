"""Recognition rate of binarized networks over the error rate, as in arXiv:1908.04085: table and figure.

`python scripts/binarized_errors.py MNIST_FOLDER fashion-mnist`; docs/networks.md says where to get MNIST.
What is in `--table` is not measured again, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mtjchar.network.datasets import Dataset, load_dataset
from mtjchar.network.inference import program
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.trainer import PLANS, TrainingResult, train

PLAN = replace(PLANS["binarized"], hidden=(500,), epochs=12)

# Write error rates. Half of the bits have to switch when a network is programmed: half as many are wrong.
PROGRAMMED = (0.0, 2e-4, 6e-4, 2e-3, 6e-3, 0.02, 0.06, 0.2, 0.4, 0.6)
TRAINED = (0.0, 0.02, 0.2, 0.6)
PROGRAMMINGS = 5  # of each trained network

ONCE, LEFT, BOTH = "programmed once", "trained", "trained and programmed"


class Key(NamedTuple):
    """What a recognition rate is of."""

    dataset: str
    way: str
    rate: float
    seed: int


def conditions(rate: float) -> WriteConditions:
    """Give one error rate for both directions; energies do not matter here."""
    return WriteConditions((rate, rate), (0.0, 0.0), (0.0, 0.0))


def programmed(dataset: Dataset, trained: TrainingResult, rate: float, seed: int) -> float:
    """Give the mean recognition rate over programmings of one network."""
    results = [
        program(dataset, PLAN, trained.words, conditions(rate), 1000 * seed + k, trained.network)
        for k in range(PROGRAMMINGS)
    ]
    return float(np.mean([one.test_accuracy for one in results]))


def measure(folder: str, seeds: int, table: Path) -> dict[Key, float]:
    """Give recognition rates of a data set, and add those that are new to the table."""
    dataset = load_dataset(folder)
    found = read(table)
    for seed in range(seeds):
        for training in TRAINED:
            if Key(dataset.name, LEFT, training, seed) in found:
                continue
            trained = train(dataset, PLAN, conditions(training), seed)
            new = {Key(dataset.name, LEFT, training, seed): trained.test_accuracy}
            for rate in PROGRAMMED if training == 0.0 else (training,):
                way = ONCE if training == 0.0 else BOTH
                new[Key(dataset.name, way, rate, seed)] = programmed(dataset, trained, rate, seed)
            add(table, new)
            found |= new
            print(
                f"{dataset.name}: seed {seed}, trained at {training:g}: {trained.test_accuracy:.4f}",
                flush=True,
            )
    return {key: value for key, value in found.items() if key.dataset == dataset.name and key.seed < seeds}


def read(table: Path) -> dict[Key, float]:
    """Read what was measured before."""
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        return {Key(a, b, float(c), int(d)): float(e) for a, b, c, d, e in csv.reader(file)}


def add(table: Path, new: dict[Key, float]) -> None:
    """Append to the table."""
    with table.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*key, value] for key, value in new.items())


def percent(rates: dict[Key, float], way: str, rate: float) -> NDArray[np.float64]:
    """Give the recognition rates of all seeds, %."""
    return 100.0 * np.array([value for key, value in rates.items() if key[1:3] == (way, rate)])


def shown(rates: dict[Key, float], way: str, rate: float) -> str:
    """Write mean and standard deviation over seeds."""
    values = percent(rates, way, rate)
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}" if len(values) else ""


def halved(rates: ArrayLike) -> NDArray[np.float64]:
    """Give the bit error rates of write error rates."""
    return np.asarray(rates, dtype=np.float64) / 2.0


def doubled(rates: ArrayLike) -> NDArray[np.float64]:
    """Give the write error rates of bit error rates."""
    return np.asarray(rates, dtype=np.float64) * 2.0


def draw(axes: Axes, rates: dict[Key, float], name: str) -> None:
    """Draw the three ways over the write error rate."""
    for colour, way in enumerate((ONCE, LEFT, BOTH)):
        places = sorted({key.rate for key in rates if key.way == way and key.rate > 0.0})
        values = [percent(rates, way, place) for place in places]
        axes.errorbar(
            places, [one.mean() for one in values], yerr=[one.std(ddof=1) for one in values],
            marker="os^"[colour], markersize=4, capsize=2, linewidth=1.0, color=f"C{colour}", label=way,
        )  # fmt: skip
    axes.axhline(percent(rates, LEFT, 0.0).mean(), color="black", linewidth=0.8, label="without errors")
    axes.axvline(2e-3, color="0.6", linewidth=0.8, linestyle="--")
    axes.annotate(
        "arXiv:1908.04085:\nlittle impact\nup to here", (2e-3, 0.05), xycoords=("data", "axes fraction"),
        xytext=(-4, 0), textcoords="offset points", ha="right", fontsize=8, color="0.3",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("write error rate")
    axes.set_ylabel("recognition rate (%)")
    axes.set_title(name, fontsize=10)
    axes.grid(alpha=0.3)
    wrong = axes.secondary_xaxis("top", functions=(halved, doubled))
    wrong.set_xlabel("bit error rate after programming once", fontsize=8)


def main() -> None:
    """Measure, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", help="names, or folders with IDX files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", type=Path, default=Path("binarized_errors.csv"))
    parser.add_argument("--figure", type=Path, default=Path("binarized_errors.png"))
    options = parser.parse_args()
    figure = Figure(figsize=(4.6 * len(options.datasets) + 0.6, 4.2), layout="constrained", dpi=90)
    panels = figure.subplots(1, len(options.datasets), squeeze=False)[0]
    for axes, folder in zip(panels, options.datasets, strict=True):
        rates = measure(folder, options.seeds, options.table)
        name = load_dataset(folder).name
        print(
            f"\n| {name}: write error rate | bit error rate | {ONCE} | {LEFT} | {BOTH} |\n" + "|---" * 5 + "|"
        )
        for rate in sorted({*PROGRAMMED, *TRAINED}):
            row = [shown(rates, way, rate) for way in (ONCE, LEFT, BOTH)]
            print(f"| {rate:g} | {rate / 2:g} | {' | '.join(row)} |")
        draw(axes, rates, name)
    panels[0].legend(frameon=False, fontsize=8, loc="center left")
    figure.savefig(options.figure)


if __name__ == "__main__":
    main()
