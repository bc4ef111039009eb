"""Train a network whose parameters live in an approximate memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from mtjchar.errors import InputError
from mtjchar.network.binarized import BinarizedPerceptron, Signs
from mtjchar.network.binarized_training import train_signs
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import Code, FixedPoint, Words
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.networks import ConvolutionalNetwork, Network, Perceptron

__all__ = ["NETWORKS", "PLANS", "ROUNDINGS", "Rounding", "TrainingPlan", "TrainingResult", "train"]

NETWORKS = ("perceptron", "convolutional", "binarized")

Rounding = Literal["stochastic", "nearest"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)


@dataclass(frozen=True)
class TrainingPlan:
    """What to train and how.

    Attributes
    ----------
    network : str
        ``"perceptron"``, ``"convolutional"`` or ``"binarized"``; `PLANS` has a plan for each.
    hidden : tuple of int
        Units of each hidden layer, from the input on, or output channels of each convolution; at least
        one layer.
    epochs : int
        Passes over the training images, 1 or more.
    batch_size : int
        Images an update, 1 or more; the last batch of an epoch may be smaller.
    learning_rate : float
        Step for a unit gradient in the first epoch, above 0; for a binarized network the step size of Adam.
    learning_rate_decay : float
        Factor on the learning rate from one epoch to the next, above 0 and up to 1.
    bits, full_scale, code : int, float, str
        Fixed-point code of all weights and biases, see `FixedPoint`. The weights of a binarized network
        have 1 bit, no scale and no choice of a code.
    rounding : {"stochastic", "nearest"}
        How an updated value becomes a level. To the nearest, steps below half a level are lost. Signs are
        not rounded.

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    Defaults of the perceptron as measured on Fashion-MNIST, mean of three seeds: 85.2 % of the test
    images without errors, 85.1 % at an error rate of 0.01, 84.1 % at 0.1. A wider `full_scale` makes each
    bit error a larger error of the weight, see docs/networks.md.
    """

    network: str = "perceptron"
    hidden: tuple[int, ...] = (100,)
    epochs: int = 3
    batch_size: int = 100
    learning_rate: float = 0.3
    learning_rate_decay: float = 0.5
    bits: int = 8
    full_scale: float = 0.2
    code: Code = "twos_complement"
    rounding: Rounding = "stochastic"

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError("network", value=self.network, allowed=", ".join(NETWORKS))
        if not self.hidden or min(self.hidden) < 1:
            raise InputError("hidden", value=self.hidden, allowed="one positive integer or more")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(name, value=getattr(self, name), allowed="1 or more")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0.0):
            raise InputError("learning_rate", value=self.learning_rate, allowed="finite, above 0")
        if not 0.0 < self.learning_rate_decay <= 1.0:
            raise InputError(
                "learning_rate_decay", value=self.learning_rate_decay, allowed="above 0, up to 1"
            )
        if self.rounding not in ROUNDINGS:
            raise InputError("rounding", value=self.rounding, allowed=" or ".join(map(repr, ROUNDINGS)))
        if self.binarized and self.bits != 1:
            raise InputError(
                "bits",
                value=self.bits,
                allowed="1 for a binarized network",
                remedy="mtjchar.network.trainer.PLANS has a plan for each network.",
            )
        self.fixed_point()

    @property
    def binarized(self) -> bool:
        """Whether the memory holds the signs of the weights only."""
        return self.network == "binarized"

    def fixed_point(self) -> FixedPoint | Signs:
        """Give the code of the parameters."""
        return Signs() if self.binarized else FixedPoint(self.bits, self.full_scale, self.code)

    def network_for(self, dataset: Dataset) -> Network:
        """Give the network for images and classes of a data set."""
        if self.network == "convolutional":
            return ConvolutionalNetwork(dataset.image_shape, self.hidden, dataset.classes)
        sizes = (math.prod(dataset.image_shape), *self.hidden, dataset.classes)
        return BinarizedPerceptron(sizes) if self.binarized else Perceptron(sizes)


PLANS = {
    "perceptron": TrainingPlan(),
    "convolutional": TrainingPlan("convolutional", hidden=(8, 16), full_scale=0.5),
    "binarized": TrainingPlan("binarized", hidden=(300,), epochs=6, learning_rate=0.03, bits=1),
}
"""A plan for each network that was measured on Fashion-MNIST, see docs/networks.md."""


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a training.

    Attributes
    ----------
    test_accuracy : float
        Fraction of the test images recognized after the last epoch.
    train_loss : tuple of float
        Mean cross-entropy, nat, over the training images of each epoch, each image as it was met.
    ledger : WriteLedger
        Writes of the whole training.
    programming_energy_J : float
        Energy of those writes, J.
    words : ndarray of uint8 or uint16, shape (parameters,)
        What the memory holds at the end; decoded, the parameters of the network.
    network : Network
        What computes with them. That of a binarized training has its normalization, which is not in the
        memory.
    """

    test_accuracy: float
    train_loss: tuple[float, ...]
    ledger: WriteLedger
    programming_energy_J: float
    words: Words
    network: Network


def train(
    dataset: Dataset,
    plan: TrainingPlan,
    conditions: WriteConditions,
    seed: int,
    watch: Callable[[Words, Words], None] | None = None,
) -> TrainingResult:
    """Train a network in approximate memory and test it.

    All weights and biases are fixed-point words in one memory. Each update adds the gradient step to
    what the memory holds, rounds it and writes every word; the network computes with what the memory
    then holds. The memory starts programmed: the initial weights cost nothing and have no errors.

    The signs that a binarized network has in the memory cannot add up small steps. Real weights do so
    outside of it, between -1 and 1, without errors and energy, and so does its normalization; each update
    writes all signs, see `mtjchar.network.binarized_training`. A sign that was not written is written again
    with the next update.

    Initial weights, order of the batches, rounding, write failures and, where error rates are of devices,
    the choice of a device for each cell have a random generator each. Runs with the same seed and other
    conditions thus share all but the failures; an error rate of 0 gives the same as a memory without
    errors, bit for bit. Another linear algebra library sums in another order, which
    stochastic rounding can turn into other words.

    Parameters
    ----------
    dataset : Dataset
        Images to learn and to test.
    plan : TrainingPlan
        Network, steps and code.
    conditions : WriteConditions
        Error rates and energies of every write.
    seed : int
        Seed of all randomness, 0 or more.
    watch : callable, optional
        Called before each write with the words that the memory holds and those that it is to hold.

    Returns
    -------
    TrainingResult

    Raises
    ------
    InputError
        If `seed` is negative, or the images are too small for the convolutions of the plan.
    """
    if seed < 0:
        raise InputError("seed", value=seed, allowed="an integer, 0 or more")
    # One thread: the matrices are small, and the result would depend on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        return _train(dataset, plan, conditions, seed, watch)


def _train(
    dataset: Dataset,
    plan: TrainingPlan,
    conditions: WriteConditions,
    seed: int,
    watch: Callable[[Words, Words], None] | None,
) -> TrainingResult:
    # SFC64 draws the rounding noise, 8 or 16 bits a parameter and update, fastest.
    init_rng, order_rng, rounding_rng, failure_rng, device_rng = (
        np.random.Generator(np.random.SFC64(child)) for child in np.random.SeedSequence(seed).spawn(5)
    )
    code = plan.fixed_point()
    network = plan.network_for(dataset)
    devices = None
    if conditions.device_weight is not None:
        weight = np.asarray(conditions.device_weight)
        devices = draw_devices(weight, network.parameters, plan.bits, device_rng)
    real = network.initial_parameters(init_rng)
    memory = ApproximateMemory(code.encode(real), plan.bits, devices)

    def write(words: Words) -> None:
        if watch is not None:
            watch(memory.words, words)
        memory.write(words, conditions, failure_rng)

    if isinstance(network, BinarizedPerceptron):
        signs = train_signs(network, real, memory, write, dataset, plan, order_rng)
        return _tested(signs.network, signs.train_loss, memory, plan, dataset, conditions)
    noise = rounding_rng if plan.rounding == "stochastic" else None
    losses = []
    for epoch in range(plan.epochs):
        step = np.float32(plan.learning_rate * plan.learning_rate_decay**epoch)
        order = order_rng.permutation(len(dataset.train_images))
        loss_sum = 0.0
        for start in range(0, len(order), plan.batch_size):
            batch = order[start : start + plan.batch_size]
            stored = code.decode(memory.words)
            loss, gradient = network.loss_and_gradient(
                stored, dataset.train_images[batch], dataset.train_labels[batch]
            )
            loss_sum += loss * len(batch)
            gradient *= -step
            gradient += stored
            write(code.encode(gradient, noise))
        losses.append(loss_sum / len(order))
    return _tested(network, tuple(losses), memory, plan, dataset, conditions)


def _tested(
    network: Network,
    train_loss: tuple[float, ...],
    memory: ApproximateMemory,
    plan: TrainingPlan,
    dataset: Dataset,
    conditions: WriteConditions,
) -> TrainingResult:
    """Recognize the test images with what the memory holds."""
    ledger = memory.ledger
    scores = network.class_scores(plan.fixed_point().decode(memory.words), dataset.test_images)
    return TrainingResult(
        test_accuracy=float(np.mean(scores.argmax(axis=1) == dataset.test_labels)),
        train_loss=train_loss,
        ledger=ledger,
        programming_energy_J=ledger.energy_J(conditions),
        words=memory.words,
        network=network,
    )
