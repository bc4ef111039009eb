"""Training of a network whose parameters are stored in an approximate memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError
from mtjchar.network.binarized import BinarizedPerceptron, Signs
from mtjchar.network.binarized_training import NormalizationLearner
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import Code, FixedPoint, Words, check_words
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.networks import ConvolutionalNetwork, Network, Perceptron, check_network
from mtjchar.network.optimizers import (
    OPTIMIZERS,
    STATE_ROWS,
    Adam,
    ApproximateState,
    GradientDescent,
    Momentum,
    Optimizer,
    OptimizerName,
    OrdinaryState,
)
from mtjchar.network.passes import PassReads
from mtjchar.network.reads import ReadConditions
from mtjchar.network.scales import FullScale, LayeredFixedPoint, initial_full_scales

__all__ = [
    "NETWORKS",
    "PLANS",
    "ROUNDINGS",
    "Rounding",
    "TrainingPlan",
    "TrainingResult",
    "train",
]

NETWORKS = ("perceptron", "convolutional", "binarized")

Rounding = Literal["stochastic", "nearest"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)


@dataclass(frozen=True)
class TrainingPlan:
    """Plan of a training.

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
        Images per gradient, 1 or more (2 or more for a binarized network); the
        last batch of an epoch may be smaller.
    learning_rate : float
        Step for a unit gradient in the first epoch, above 0.
    learning_rate_decay : float
        Factor on the learning rate from one epoch to the next, above 0 and up to 1.
    bits, code : int, str
        Fixed-point code of all weights and biases, see `FixedPoint`. The weights of a binarized network
        have 1 bit, no scale and no choice of a code.
    full_scale : float, tuple of float or "initial"
        Full scale of all of them; or one for each layer; or for each layer that of
        `mtjchar.network.scales.initial_full_scales`, from its initial parameters.
    rounding : {"stochastic", "nearest"}
        Conversion of an updated value to a level. With ``nearest``, steps below half a level are lost. Signs
        are not rounded.
    accumulate : int
        Batches per update, 1 or more: their gradients are averaged over all their images, and the memory is
        written once. The last update of an epoch may have fewer.
    optimizer : {"sgd", "momentum", "adam"}
        Conversion of a gradient to a step, see `mtjchar.network.optimizers`: plain gradient descent, with
        momentum, or Adam. The learning rate depends on the optimizer: 0.3 is far too large for Adam.
    momentum : float
        Remaining share of the velocity after an update, 0 to below 1; used by ``momentum``.
    betas, epsilon : tuple of float, float
        β1 and β2, each 0 to below 1, and ε, 0 or more; used by ``adam``.
    state_full_scale : float, optional
        Without it, the state of the optimizer is in ordinary memory: float32, without errors, and its energy
        is not counted. With it, the state is stored in MRAM words beside those of the parameters: with the
        same bits, code, rounding and conditions, and with this full scale, in units of the gradient.

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    Defaults of the perceptron as measured on Fashion-MNIST, mean of three seeds: 85.2 % of the test
    images without errors, 85.1 % at an error rate of 0.01. A wider `full_scale` makes each
    bit error a larger error of the weight, see docs/networks.md.
    """

    network: str = "perceptron"
    hidden: tuple[int, ...] = (100,)
    epochs: int = 3
    batch_size: int = 100
    learning_rate: float = 0.3
    learning_rate_decay: float = 0.5
    bits: int = 8
    full_scale: FullScale = 0.2
    code: Code = "twos_complement"
    rounding: Rounding = "stochastic"
    accumulate: int = 1
    optimizer: OptimizerName = "sgd"
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    state_full_scale: float | None = None

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError("network", value=self.network, allowed=", ".join(NETWORKS))
        if not self.hidden or min(self.hidden) < 1:
            raise InputError("hidden", value=self.hidden, allowed="one positive integer or more")
        for name in ("epochs", "batch_size", "accumulate"):
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
        if self.binarized and self.batch_size == 1:
            raise InputError(
                "batch_size",
                value=1,
                allowed="2 or more for a binarized network, whose units are normalized over a batch",
            )
        self._check_scales()
        self._check_optimizer()

    def _check_scales(self) -> None:
        if self.full_scale == "initial":
            scales: tuple[Any, ...] = (1.0,)
        else:
            scales = self.full_scale if isinstance(self.full_scale, tuple) else (self.full_scale,)
            if not scales or not all(isinstance(scale, int | float | np.number) for scale in scales):
                raise InputError(
                    "full_scale",
                    value=self.full_scale,
                    allowed="a number, a tuple with one for each layer, or 'initial'",
                )
        if not self.binarized:
            for scale in scales:
                FixedPoint(self.bits, scale, self.code)

    def _check_optimizer(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise InputError("optimizer", value=self.optimizer, allowed=", ".join(OPTIMIZERS))
        for name, values in (("momentum", (self.momentum,)), ("betas", self.betas)):
            if not all(0.0 <= value < 1.0 for value in values):
                raise InputError(name, value=getattr(self, name), allowed="0 or more, below 1")
        if len(self.betas) != 2:
            raise InputError("betas", value=self.betas, allowed="two numbers")
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0.0):
            raise InputError("epsilon", value=self.epsilon, allowed="finite, 0 or more")
        if self.state_full_scale is None:
            return
        if self.binarized or not STATE_ROWS[self.optimizer]:
            raise InputError(
                "state_full_scale",
                value=self.state_full_scale,
                allowed="None for 'sgd', which remembers nothing, and for a binarized network, whose words "
                "have one bit",
            )
        FixedPoint(self.bits, self.state_full_scale, self.code)

    @property
    def binarized(self) -> bool:
        """Whether the memory holds the signs of the weights only."""
        return self.network == "binarized"

    def fixed_point(self) -> FixedPoint | Signs:
        """Return the code of the parameters, if all have the same.

        Raises
        ------
        InputError
            If each layer has its own full scale: `code_for` then returns the code.
        """
        if self.binarized:
            return Signs()
        if isinstance(self.full_scale, str | tuple):
            raise InputError(
                "full_scale",
                value=self.full_scale,
                allowed="one number for a code that all parameters have",
                remedy="TrainingPlan.code_for gives the code of a network with a full scale for each layer.",
            )
        return FixedPoint(self.bits, self.full_scale, self.code)

    def code_for(self, network: Network) -> FixedPoint | LayeredFixedPoint | Signs:
        """Return the code of a network's parameters.

        Raises
        ------
        InputError
            If the layers of the network do not fit the full scales, or it does not define them.
        """
        if self.binarized or not isinstance(self.full_scale, str | tuple):
            return self.fixed_point()
        scales = self.full_scale if isinstance(self.full_scale, tuple) else initial_full_scales(network)
        return LayeredFixedPoint.of(network, self.bits, scales, self.code)

    def network_for(self, dataset: Dataset) -> Network:
        """Return the network for images and classes of a data set."""
        if self.network == "convolutional":
            return ConvolutionalNetwork(dataset.image_shape, self.hidden, dataset.classes)
        sizes = (math.prod(dataset.image_shape), *self.hidden, dataset.classes)
        return BinarizedPerceptron(sizes) if self.binarized else Perceptron(sizes)


PLANS = {
    "perceptron": TrainingPlan(),
    "convolutional": TrainingPlan("convolutional", hidden=(8, 16), full_scale=0.5),
    "binarized": TrainingPlan(
        "binarized", hidden=(300,), epochs=6, learning_rate=0.03, bits=1, optimizer="adam"
    ),
}
"""A plan for each network, measured on Fashion-MNIST, see docs/networks.md."""


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training.

    Attributes
    ----------
    test_accuracy : float
        Fraction of the test images recognized after the last epoch.
    train_loss : tuple of float
        Mean cross-entropy, nat, over the training images of each epoch, each image when it was used.
    ledger : WriteLedger
        Writes of the whole training, including those of `state_ledger`.
    programming_energy_J : float
        Energy of those writes, J.
    words : ndarray of uint8 or uint16, shape (parameters,)
        Content of the memory at the end; decoded, the parameters of the network.
    batches, images : int
        Forward and backward passes of the training, counted in batches and in images. A pass reads every word
        once per batch or once per image, depending on the memory; tests are not counted.
    updates : int
        Number of writes of all words.
    state_ledger : WriteLedger
        Writes of the optimizer's state, if it is in MRAM; empty otherwise.
    network : Network
        Network that computes with the words. A binarized one has its learned normalization.
    """

    test_accuracy: float
    train_loss: tuple[float, ...]
    ledger: WriteLedger
    programming_energy_J: float
    words: Words
    batches: int
    images: int
    updates: int
    state_ledger: WriteLedger
    network: Network


def train(
    dataset: Dataset,
    plan: TrainingPlan,
    conditions: WriteConditions,
    seed: int,
    watch: Callable[[Words, Words], None] | None = None,
    *,
    network: Network | None = None,
    initial: Words | None = None,
    passes: PassReads | None = None,
) -> TrainingResult:
    """Train a network in approximate memory and test it.

    All weights and biases are fixed-point words in one memory. Each update adds the gradient step to
    the stored values, rounds them and writes every word; the network then computes with the stored
    values. The memory starts programmed: the initial weights cost nothing and have no errors.

    The stored signs of a binarized network cannot accumulate small steps. Real weights do this outside the
    memory, between -1 and 1, without errors and energy; each update writes all their signs. A failed sign is
    written again with the next update. The normalization is also outside the memory, see
    `mtjchar.network.binarized_training`.

    The state of an optimizer starts at 0. In MRAM it is read and completely written in every update; the step
    uses the numbers before they are rounded and written. Its writes are included in the ledger.

    Initial weights, order of the batches, rounding, write failures and, with error rates of devices, the
    choice of a device for each cell each have their own random generator; so have rounding and failures of an
    optimizer's words. Runs with the same seed and other conditions therefore differ only in the failures. An
    error rate of 0 gives the same as a memory without errors, bit for bit. Another linear algebra library
    sums in another order, which can result in other words after stochastic rounding.

    Parameters
    ----------
    dataset : Dataset
        Images for training and test.
    plan : TrainingPlan
        Network, steps and code.
    conditions : WriteConditions
        Error rates and energies of every write.
    seed : int
        Seed of all randomness, 0 or more.
    watch : callable, optional
        Called before each write of the parameters with the present words of the memory and those to
        write.
    network : Network, optional
        Network to train instead of the plan's: any object with the methods of
        `mtjchar.network.networks.Network`. `TrainingPlan.hidden` is then not used, and of
        `TrainingPlan.network` only whether it is ``"binarized"``.
    initial : ndarray of uint8 or uint16, shape (parameters,), optional
        Initial words of the memory, as `TrainingResult.words` of a plan with the same code, instead
        of random initial weights. The real weights of a binarized network then start at +1 and -1.
    passes : PassReads, optional
        Reads of the passes that compute. A wrong read has two effects: the pass computes with a wrong word,
        and the update starts from it, so that the word is written like that. The words of the last batch, or
        the last image, are those that the update starts from. The test reads all words once. Without it the
        passes compute with the stored words.

    Returns
    -------
    TrainingResult

    Raises
    ------
    InputError
        If `seed` is negative, the images are too small for the convolutions of the plan, the network lacks a
        method or returns arrays of a wrong shape, its layers do not fit the full scales, or `initial` do not
        fit its parameters; or a binarized network is read for each image with errors, because its units are
        normalized over a batch.
    """
    if seed < 0:
        raise InputError("seed", value=seed, allowed="an integer, 0 or more")
    if plan.binarized and passes is not None and passes.each == "image" and not passes.reads.never_wrong:
        raise InputError(
            "reads for each image",
            value=f"error rate {passes.reads.worst_error_rate:g}",
            allowed="reads without errors for a binarized network, whose units are normalized over a batch",
            remedy="Read the memory once a batch.",
        )
    own = check_network(plan.network_for(dataset) if network is None else network)
    # One thread: the matrices are small, and the result would depend on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        return _train(
            dataset, plan, conditions, seed, watch, own, initial, passes or PassReads(ReadConditions())
        )


def _train(
    dataset: Dataset,
    plan: TrainingPlan,
    conditions: WriteConditions,
    seed: int,
    watch: Callable[[Words, Words], None] | None,
    network: Network,
    initial: Words | None,
    passes: PassReads,
) -> TrainingResult:
    # SFC64 is the fastest for the rounding noise, 8 or 16 bits per parameter and update.
    init_rng, order_rng, rounding_rng, failure_rng, device_rng, *state_rngs, read_rng = (
        np.random.Generator(np.random.SFC64(child)) for child in np.random.SeedSequence(seed).spawn(8)
    )
    code = plan.code_for(network)
    devices = _devices(conditions, network.parameters, plan.bits, device_rng)
    if initial is None:
        real: NDArray[Any] = network.initial_parameters(init_rng)
        _check_array(network, "initial parameters", real, network.parameters)
        words = code.encode(real)
    else:
        words = _checked(initial, network.parameters, plan.bits)
        real = code.decode(words)
    memory = ApproximateMemory(words, plan.bits, devices)
    state = _state(plan, network.parameters, conditions, device_rng, *state_rngs)
    optimizer = _optimizer(plan, state)
    learner = None
    if isinstance(network, BinarizedPerceptron):
        beside = OrdinaryState(STATE_ROWS[plan.optimizer], network.normalization_parameters)
        learner = NormalizationLearner(network, _optimizer(plan, beside))
    noise = rounding_rng if plan.rounding == "stochastic" else None
    losses, batches, updates = [], 0, 0
    for epoch in range(plan.epochs):
        rate = np.float32(plan.learning_rate * plan.learning_rate_decay**epoch)
        order = order_rng.permutation(len(dataset.train_images))
        loss_sum = 0.0
        for group in _groups(order, plan):
            parts = (
                (batch[images], code.decode(seen))
                for batch in group
                for images, seen in passes.of_batch(memory, len(batch), read_rng)
            )
            loss, gradient, stored = _loss_and_gradient(
                learner or network, network.parameters, parts, dataset, sum(map(len, group))
            )
            loss_sum += loss
            optimizer.change(gradient, rate)
            if learner is not None:
                learner.update(rate)
            gradient += real if plan.binarized else stored
            real = np.clip(gradient, -1, 1, out=gradient) if plan.binarized else gradient
            words = code.encode(real, noise)
            if watch is not None:
                watch(memory.words, words)
            memory.write(words, conditions, failure_rng)
            batches, updates = batches + len(group), updates + 1
        losses.append(loss_sum / len(order))
    state_ledger = state.ledger if isinstance(state, ApproximateState) else WriteLedger.empty(plan.bits)
    ledger = memory.ledger + state_ledger
    words = memory.words
    if learner is not None:
        seen = memory.read(passes.reads, read_rng)
        network = learner.calibrated(code.decode(seen), dataset.train_images)
    seen = memory.read(passes.reads, read_rng)
    scores = network.class_scores(code.decode(seen), dataset.test_images)
    return TrainingResult(
        test_accuracy=float(np.mean(scores.argmax(axis=1) == dataset.test_labels)),
        train_loss=tuple(losses),
        ledger=ledger,
        programming_energy_J=ledger.energy_J(conditions),
        words=words,
        batches=batches,
        images=plan.epochs * len(dataset.train_images),
        updates=updates,
        state_ledger=state_ledger,
        network=network,
    )


def _groups(order: IntArray, plan: TrainingPlan) -> Iterator[list[IntArray]]:
    """Return the batches of each update of an epoch."""
    starts = range(0, len(order), plan.batch_size)
    for first in range(0, len(starts), plan.accumulate):
        yield [order[k : k + plan.batch_size] for k in starts[first : first + plan.accumulate]]


def _loss_and_gradient(
    network: Network | NormalizationLearner,
    parameters: int,
    parts: Iterable[tuple[IntArray, NDArray[np.float32]]],
    dataset: Dataset,
    images: int,
) -> tuple[float, NDArray[Any], NDArray[np.float32]]:
    """Return the sum of the losses and the mean of the gradients over all images of some batches.

    `parts` are indices of images, and the parameters that they are computed with; the last of these are
    returned, too.
    """
    loss_sum, total, seen = 0.0, None, None
    for part, seen in parts:
        loss, gradient = network.loss_and_gradient(
            seen, dataset.train_images[part], dataset.train_labels[part]
        )
        _check_array(network, "gradient", gradient, parameters)
        loss_sum += loss * len(part)
        if len(part) < images:
            gradient *= np.float32(len(part) / images)
        total = gradient if total is None else np.add(total, gradient, out=gradient)
    assert total is not None
    assert seen is not None
    return loss_sum, total, seen


def _check_array(network: object, what: str, values: NDArray[Any], parameters: int) -> None:
    """Refuse results of a user's own network that are not one number for each parameter."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.shape != (parameters,):
        raise InputError(
            f"{what} of {type(network).__name__}",
            value=f"{getattr(values, 'dtype', type(values).__name__)}, shape {np.shape(values)}",
            allowed=f"an array of floating-point numbers, shape ({parameters},)",
        )


def _checked(initial: Words, parameters: int, bits: int) -> Words:
    """Refuse words that do not fit the memory of these parameters."""
    initial = check_words(initial, bits)
    if initial.shape != (parameters,):
        raise InputError(
            "shape of the initial words",
            value=initial.shape,
            allowed=f"({parameters},), a word for each parameter of the network",
        )
    return initial


def _devices(
    conditions: WriteConditions, words: int, bits: int, rng: np.random.Generator
) -> NDArray[np.uint32] | None:
    """Draw the device of each cell, with error rates of devices."""
    if conditions.device_weight is None:
        return None
    return draw_devices(np.asarray(conditions.device_weight), words, bits, rng)


def _state(
    plan: TrainingPlan,
    parameters: int,
    conditions: WriteConditions,
    device_rng: np.random.Generator,
    rounding_rng: np.random.Generator,
    failure_rng: np.random.Generator,
) -> OrdinaryState | ApproximateState:
    """Return the memory for the state of the plan's optimizer."""
    rows = STATE_ROWS[plan.optimizer]
    if plan.state_full_scale is None:
        return OrdinaryState(rows, parameters)
    code = FixedPoint(plan.bits, plan.state_full_scale, plan.code)
    devices = _devices(conditions, rows * parameters, plan.bits, device_rng)
    memory = ApproximateMemory(code.encode(np.zeros((rows, parameters))), plan.bits, devices)
    noise = rounding_rng if plan.rounding == "stochastic" else None
    return ApproximateState(code, memory, conditions, noise, failure_rng)


def _optimizer(plan: TrainingPlan, state: OrdinaryState | ApproximateState) -> Optimizer:
    if plan.optimizer == "momentum":
        return Momentum(state, plan.momentum)
    if plan.optimizer == "adam":
        return Adam(state, plan.betas, plan.epsilon)
    return GradientDescent()
