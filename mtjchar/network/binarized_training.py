"""Train the signs of a binarized network; what adds up the steps is outside of the memory.

M. Courbariaux et al., arXiv:1602.02830 (2016): a step changes real weights between -1 and 1, the network
computes with their signs. Steps by D. P. Kingma, J. Ba, "Adam", arXiv:1412.6980 (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mtjchar.network.binarized import BinarizedPerceptron, Normalization, Signs
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import Words
from mtjchar.network.memory import ApproximateMemory

__all__ = ["CALIBRATION_IMAGES", "Schedule", "SignsTrained", "train_signs"]

CALIBRATION_IMAGES = 10_000
"""Training images, at most, that means and deviations are taken from at the end."""


class Schedule(Protocol):
    """What of a `mtjchar.network.trainer.TrainingPlan` is needed here."""

    @property
    def epochs(self) -> int:
        """Passes over the training images."""

    @property
    def batch_size(self) -> int:
        """Images an update."""

    @property
    def learning_rate(self) -> float:
        """Step of Adam in the first epoch."""

    @property
    def learning_rate_decay(self) -> float:
        """Factor from one epoch to the next."""


class SignsTrained(NamedTuple):
    """What came out.

    Attributes
    ----------
    network : BinarizedPerceptron
        With its normalization.
    train_loss : tuple of float
        Mean cross-entropy, nat, of each epoch.
    """

    network: BinarizedPerceptron
    train_loss: tuple[float, ...]


def train_signs(
    network: BinarizedPerceptron,
    real: NDArray[np.float32],
    memory: ApproximateMemory,
    write: Callable[[Words], None],
    dataset: Dataset,
    schedule: Schedule,
    rng: np.random.Generator,
) -> SignsTrained:
    """Train a network whose signs are in a memory.

    The gradient is that at the signs that the memory holds. It moves the real weights; each update writes
    all their signs. Shifts and scale of the normalization learn as well, in a memory of their own. At the
    end the network gets the means and deviations that it has, as the memory then holds it, over training
    images.

    Parameters
    ----------
    network : BinarizedPerceptron
        To train; its normalization is where learning starts.
    real : ndarray of float32, shape (parameters,)
        Real weights to start from, -1 to 1; changed in place.
    memory : ApproximateMemory
        Holds their signs.
    write : callable
        Writes words into the memory.
    dataset : Dataset
        Its training images are learnt.
    schedule : Schedule
        Epochs, batches and steps.
    rng : numpy.random.Generator
        Source of the order of the images.

    Returns
    -------
    SignsTrained
    """
    code = Signs()
    start = network.normalization or Normalization.identity(network.units, network.sizes[-1])
    shift, scale = start.shift.astype(np.float32), start.scale.astype(np.float32)
    weight_steps, shift_steps, scale_steps = Adam(len(real)), Adam(len(shift)), Adam(len(scale))
    losses = []
    for epoch in range(schedule.epochs):
        rate = schedule.learning_rate * schedule.learning_rate_decay**epoch
        order = rng.permutation(len(dataset.train_images))
        loss_sum = 0.0
        for first in range(0, len(order), schedule.batch_size):
            batch = order[first : first + schedule.batch_size]
            network = replace(network, normalization=replace(start, shift=shift, scale=scale))
            gradient = network.batch_gradient(
                code.decode(memory.words), dataset.train_images[batch], dataset.train_labels[batch]
            )
            loss_sum += gradient.loss * len(batch)
            real -= weight_steps.step(gradient.weights, rate)
            np.clip(real, -1, 1, out=real)
            shift = shift - shift_steps.step(gradient.shift, rate)
            scale = scale - scale_steps.step(gradient.scale, rate)
            write(code.encode(real))
        losses.append(loss_sum / len(order))
    network = replace(network, normalization=replace(start, shift=shift, scale=scale))
    images = dataset.train_images[:CALIBRATION_IMAGES]
    return SignsTrained(network.calibrated(code.decode(memory.words), images), tuple(losses))


class Adam:
    """Steps of Adam, arXiv:1412.6980, algorithm 1 with its constants."""

    def __init__(self, parameters: int) -> None:
        self._mean, self._square = np.zeros((2, parameters), dtype=np.float32)
        self._updates = 0

    def step(self, gradient: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
        """Give what to subtract."""
        self._updates += 1
        self._mean += np.float32(0.1) * (gradient - self._mean)
        self._square += np.float32(0.001) * (np.square(gradient) - self._square)
        step: NDArray[np.float32] = np.sqrt(self._square)
        root = np.sqrt(1 - 0.999**self._updates)
        # Both divisions by 1 - beta**t in one number.
        step += np.float32(1e-8 * root)
        np.divide(self._mean, step, out=step)
        step *= np.float32(rate * root / (1 - 0.9**self._updates))
        return step
