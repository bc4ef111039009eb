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

from mtjchar.network.binarized import BinarizedPerceptron, Signs
from mtjchar.network.datasets import Dataset, load_dataset
from mtjchar.network.inference import program
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.trainer import PLANS, TrainingPlan, TrainingResult, train

SMALL = PLANS["binarized"]
LARGE = replace(SMALL, hidden=(1000,), epochs=8)

# Write error rates. Half of the bits have to switch when a network is programmed: half as many are wrong.
PROGRAMMED = (0.0, 2e-4, 6e-4, 2e-3, 6e-3, 0.01, 0.03, 0.1, 0.3, 0.6)
TRAINED = (0.0, 0.01, 0.03, 0.1, 0.3)  # of the small network; the large one learns without errors
PROGRAMMINGS = 3  # of each trained network

ONCE, CALIBRATED = "programmed once", "programmed once, calibrated"
LEFT, BOTH = "trained", "trained and programmed"
CURVES = [(LARGE, ONCE), (SMALL, ONCE), (SMALL, CALIBRATED), (SMALL, LEFT), (SMALL, BOTH)]


class Key(NamedTuple):
    """What a recognition rate is of."""

    dataset: str
    hidden: int
    way: str
    rate: float
    seed: int


def conditions(rate: float) -> WriteConditions:
    """Give one error rate for both directions; energies do not matter here."""
    return WriteConditions((rate, rate), (0.0, 0.0), (0.0, 0.0))


def programmed(
    dataset: Dataset, plan: TrainingPlan, trained: TrainingResult, rate: float, seed: int
) -> tuple[float, float]:
    """Give the mean recognition rate over programmings of one network, and with thresholds taken anew."""
    assert isinstance(trained.network, BinarizedPerceptron)
    before, after = [], []
    for k in range(PROGRAMMINGS):
        result = program(dataset, plan, trained.words, conditions(rate), 1000 * seed + k, trained.network)
        before.append(result.test_accuracy)
        signs = Signs().decode(result.words)
        network = trained.network.calibrated(signs, dataset.train_images[::6])
        scores = network.class_scores(signs, dataset.test_images)
        after.append(np.mean(scores.argmax(axis=1) == dataset.test_labels))
    return float(np.mean(before)), float(np.mean(after))


def measure(dataset: Dataset, plan: TrainingPlan, seeds: int, table: Path) -> None:
    """Add to the table what it does not have of a data set and a plan."""
    for seed in range(seeds):
        for training in TRAINED if plan is SMALL else (0.0,):
            key = Key(dataset.name, plan.hidden[0], LEFT, training, seed)
            if key in read(table):
                continue
            trained = train(dataset, plan, conditions(training), seed)
            new = {key: trained.test_accuracy}
            for rate in PROGRAMMED if training == 0.0 else (training,):
                there, calibrated = programmed(dataset, plan, trained, rate, seed)
                new[key._replace(way=ONCE if training == 0.0 else BOTH, rate=rate)] = there
                if training == 0.0:
                    new[key._replace(way=CALIBRATED, rate=rate)] = calibrated
            with table.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([*one, value] for one, value in new.items())
            print(f"{key}: {trained.test_accuracy:.4f}", flush=True)


def read(table: Path) -> dict[Key, float]:
    """Read recognition rates."""
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        return {Key(a, int(b), c, float(d), int(e)): float(f) for a, b, c, d, e, f in csv.reader(file)}


def percent(rates: dict[Key, float], plan: TrainingPlan, way: str, rate: float) -> NDArray[np.float64]:
    """Give the recognition rates of all seeds, %."""
    wanted = (plan.hidden[0], way, rate)
    return 100.0 * np.array([value for key, value in rates.items() if key[1:4] == wanted])


def shown(values: NDArray[np.float64]) -> str:
    """Write mean and standard deviation."""
    return f"{values.mean():.2f} ± {values.std(ddof=1):.2f}" if len(values) else ""


def halved(rates: ArrayLike) -> NDArray[np.float64]:
    """Give the bit error rates of write error rates."""
    return np.asarray(rates, dtype=np.float64) / 2.0


def doubled(rates: ArrayLike) -> NDArray[np.float64]:
    """Give the write error rates of bit error rates."""
    return np.asarray(rates, dtype=np.float64) * 2.0


def draw(axes: Axes, rates: dict[Key, float]) -> None:
    """Draw recognition rates over the write error rate; a dotted line is the one without errors."""
    for colour, (plan, way) in enumerate(CURVES):
        places = sorted({key.rate for key in rates if key[1:3] == (plan.hidden[0], way) and key.rate > 0.0})
        values = [percent(rates, plan, way, place) for place in places]
        axes.errorbar(
            places, [one.mean() for one in values], yerr=[one.std(ddof=1) for one in values],
            marker="Dovs^"[colour], markersize=4, capsize=2, linewidth=1.0, color=f"C{colour}",
            label=f"{plan.hidden[0]} units, {way}",
        )  # fmt: skip
    for colour, plan in enumerate((LARGE, SMALL)):
        without = percent(rates, plan, LEFT, 0.0).mean()
        axes.axhline(without, color=f"C{colour}", linewidth=0.8, linestyle=":")
    axes.axvline(2e-3, color="0.6", linewidth=0.8, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlabel("write error rate")
    axes.set_ylabel("recognition rate (%)")
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
    figure = Figure(figsize=(4.6 * len(options.datasets) + 0.6, 8.0), layout="constrained", dpi=90)
    panels = figure.subplots(2, len(options.datasets), squeeze=False)
    for (whole, near), folder in zip(panels.T, options.datasets, strict=True):
        dataset = load_dataset(folder)
        for plan in (SMALL, LARGE):
            measure(dataset, plan, options.seeds, options.table)
        rates = {
            key: value
            for key, value in read(options.table).items()
            if key.dataset == dataset.name and key.seed < options.seeds
        }
        names = " | ".join(f"{plan.hidden[0]} units, {way}" for plan, way in CURVES)
        print(f"\n| {dataset.name}: write error rate | bit error rate | {names} |\n{'|---' * 7}|")
        for rate in PROGRAMMED:
            row = " | ".join(shown(percent(rates, plan, way, rate)) for plan, way in CURVES)
            print(f"| {rate:g} | {rate / 2:g} | {row} |")
        for axes in (whole, near):
            draw(axes, rates)
        whole.set_title(dataset.name, fontsize=10)
        top = percent(rates, LARGE, LEFT, 0.0).mean()
        near.set_ylim(top - 6.0, top + 0.5)
        near.annotate(
            "arXiv:1908.04085:\nlittle impact\nup to here", (2e-3, 0.05), xycoords=("data", "axes fraction"),
            xytext=(-4, 0), textcoords="offset points", ha="right", fontsize=8, color="0.3",
        )  # fmt: skip
    panels[0, 0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(options.figure)


if __name__ == "__main__":
    main()
