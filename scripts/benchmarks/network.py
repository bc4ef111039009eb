"""Training in approximate memory: an epoch against plain float32 weights and PyTorch; failure masks."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks import torch_memory, torch_parameters
from benchmarks.timing import ROUNDS, Candidates, shown, timed
from mtjchar.network.datasets import Dataset, load_dataset
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.masks import random_ones, random_places
from mtjchar.network.memory import ApproximateMemory
from mtjchar.network.trainer import TrainingPlan, train

PLAN = TrainingPlan(epochs=1)
BITS = 10_000_000
PARTS = ("values of all words", "images and gradient", "step", "rounding", "write")


def tables() -> list[Table]:
    """All on one core, but for the convolutional network in PyTorch."""
    with threadpool_limits(1):
        made = [
            timed("An epoch of 784-100-10 on Fashion-MNIST, 60,000 images", "epoch", epochs()),
            parts(),
            timed("Failure masks of 10 million bits", "mask", masks()),
        ]
    return [*made, *torch_parameters.tables()] if torch_memory.INSTALLED else made


def epochs() -> Candidates:
    """Train for one epoch: plain weights first, then in memory."""
    dataset = load_dataset("fashion-mnist")

    def in_memory(rate: float, plan: TrainingPlan = PLAN) -> object:
        return train(dataset, plan, WriteConditions((rate, rate), (1e-12, 1e-12), (1e-12, 1e-12)), seed=1)

    candidates: Candidates = {
        "numpy, plain float32 weights": (lambda: plain(dataset), 1),
        "mtjchar, error rate 0": (lambda: in_memory(0.0), 1),
        "mtjchar, error rate 1e-3": (lambda: in_memory(1e-3), 1),
        "mtjchar, Gray code, 1e-3": (lambda: in_memory(1e-3, replace(PLAN, code="gray")), 1),
        "mtjchar, error rate 0.05": (lambda: in_memory(0.05), 1),
        "mtjchar, error rate 0.3": (lambda: in_memory(0.3), 1),
        "mtjchar, error rate 0.5": (lambda: in_memory(0.5), 1),
    }
    if torch_memory.INSTALLED:
        images, labels = dataset.train_images, dataset.train_labels
        rates = (1e-3, 1e-3)
        candidates |= {
            "PyTorch, plain float32 weights": (lambda: torch_parameters.perceptron(images, labels, None), 1),
            "mtjchar.torch, Gray code, 1e-3": (lambda: torch_parameters.perceptron(images, labels, 1e-3), 1),
            "PyTorch by hand, places drawn, 1e-3": (
                lambda: torch_memory.epoch(images, labels, rates, 1, sparse=True),
                1,
            ),
            "PyTorch by hand, a draw for each bit, 1e-3": (
                lambda: torch_memory.epoch(images, labels, rates, 1),
                1,
            ),
        }
    return candidates


def plain(dataset: Dataset) -> float:
    """Train the same network, batches and steps, with weights that are float32 numbers; test it too."""
    network = PLAN.network_for(dataset)
    rng = np.random.Generator(np.random.SFC64(1))
    parameters = network.initial_parameters(rng)
    order = rng.permutation(len(dataset.train_images))
    step = np.float32(PLAN.learning_rate)
    for start in range(0, len(order), PLAN.batch_size):
        batch = order[start : start + PLAN.batch_size]
        _, gradient = network.loss_and_gradient(
            parameters, dataset.train_images[batch], dataset.train_labels[batch]
        )
        gradient *= step
        parameters -= gradient
    scores = network.class_scores(parameters, dataset.test_images)
    return float(np.mean(scores.argmax(axis=1) == dataset.test_labels))


def parts() -> Table:
    """Time the parts of an update, one after the other as `train` does them."""
    rates = (0.0, 1e-3, 0.05, 0.3, 0.5)
    dataset = load_dataset("fashion-mnist")
    means = np.array([[_update(dataset, rate) for rate in rates] for _ in range(ROUNDS)]).min(axis=0)
    table = Table("", *(f"error rate {rate:g}" for rate in rates), title_justify="left")
    table.title = f"Parts of an update: mean over an epoch, the least of {ROUNDS} epochs in turn"
    for part, row in zip((*PARTS, "all"), [*means.T, means.sum(axis=1)], strict=True):
        table.add_row(part, *map(shown, row))
    return table


def _update(dataset: Dataset, rate: float) -> list[float]:
    """Means of the parts, s, over an epoch."""
    network, code = PLAN.network_for(dataset), PLAN.fixed_point()
    conditions = WriteConditions((rate, rate), (1e-12, 1e-12), (1e-12, 1e-12))
    rng = np.random.Generator(np.random.SFC64(1))
    memory = ApproximateMemory(code.encode(network.initial_parameters(rng)), PLAN.bits)
    step = np.float32(PLAN.learning_rate)
    order = rng.permutation(len(dataset.train_images))
    seconds = []
    for batch in order.reshape(-1, PLAN.batch_size):
        marks = [time.perf_counter()]
        stored = code.decode(memory.words)
        marks.append(time.perf_counter())
        _, gradient = network.loss_and_gradient(
            stored, dataset.train_images[batch], dataset.train_labels[batch]
        )
        marks.append(time.perf_counter())
        gradient *= -step
        gradient += stored
        marks.append(time.perf_counter())
        words = code.encode(gradient, rng)
        marks.append(time.perf_counter())
        memory.write(words, conditions, rng)
        marks.append(time.perf_counter())
        seconds.append(np.diff(marks))
    return list(map(float, np.mean(seconds, axis=0)))


def masks() -> Candidates:
    """Draw which bits fail: each bit by itself, their places, and whole words where all bits switch."""
    rng = np.random.Generator(np.random.SFC64(1))
    words = np.full(BITS // 8, 0xFF, dtype=np.uint8)

    def drawn(rate: float) -> object:
        return random_places(BITS, rate, rng)

    return {
        "a draw for each bit, float32": (lambda: rng.random(BITS, dtype=np.float32) < np.float32(1e-6), 1),
        "mtjchar, rate 1e-6": (lambda: drawn(1e-6), 1),
        "mtjchar, rate 1e-3": (lambda: drawn(1e-3), 1),
        "mtjchar, rate 0.1": (lambda: drawn(0.1), 1),
        "mtjchar, rate 0.3, whole words": (lambda: random_ones(words, words, np.full((1, 2), 0.3), rng), 1),
    }
