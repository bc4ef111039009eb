"""Adaptation of a pretrained network in approximate memory, as in training on a device.

A task has two data sets with the same classes: one for pretraining without errors, and one for the
adaptation. The training images are split at random: those of the adaptation are never used in
pretraining.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import Words
from mtjchar.network.inference import recognition_rate
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.passes import PASSES
from mtjchar.network.trainer import TrainingPlan, train

__all__ = [
    "PASSES",
    "SHARE",
    "TASKS",
    "Adaptation",
    "FineTuning",
    "PulseCounter",
    "Task",
    "adapt",
    "corrupted",
    "finetune",
    "held_out_classes",
    "pretrain",
    "rotated",
]

SHARE = 1.0 / 6.0
"""Share of the training images for the adaptation: 10,000 of Fashion-MNIST's 60,000."""


Images = NDArray[np.float32]


class Task(NamedTuple):
    """Data sets for pretraining and adaptation of a network.

    Attributes
    ----------
    name : str
    pretraining : Dataset
    adaptation : Dataset
        With the same classes and shape. The recognition rate before and after is that of its test images.
    """

    name: str
    pretraining: Dataset
    adaptation: Dataset


def held_out_classes(
    dataset: Dataset, classes: Sequence[int] = (7, 8, 9), *, share: float = SHARE, seed: int = 0
) -> Task:
    """Pretrain without some classes, adapt to all of them.

    Parameters
    ----------
    dataset : Dataset
    classes : sequence of int
        Held out of the pretraining, in training and test images: at least one, and at least two remain. The
        network has outputs for them from the start.
    share : float
        Share of the training images for the adaptation, above 0 and below 1.
    seed : int
        Of the split, 0 or more.

    Raises
    ------
    InputError
        If a class is not one of the data set, or an argument is out of range.

    Examples
    --------
    >>> from mtjchar.network.datasets import load_dataset
    >>> task = held_out_classes(load_dataset("digits"), (8, 9))
    >>> sorted(set(range(10)) - set(task.pretraining.train_labels.tolist()))
    [8, 9]
    >>> len(set(task.adaptation.train_labels.tolist()))
    10
    """
    held_out = sorted(set(classes))
    if (
        not held_out
        or not set(held_out) <= set(range(dataset.classes))
        or dataset.classes - len(held_out) < 2
    ):
        raise InputError(
            "classes to hold out",
            value=tuple(classes),
            allowed=f"1 to {dataset.classes - 2} of the classes 0 to {dataset.classes - 1}",
        )
    pretraining, adaptation = _split(dataset, share, seed)
    train, test = (
        ~np.isin(labels, held_out) for labels in (pretraining.train_labels, pretraining.test_labels)
    )
    known = replace(
        pretraining,
        train_images=pretraining.train_images[train],
        train_labels=pretraining.train_labels[train],
        test_images=pretraining.test_images[test],
        test_labels=pretraining.test_labels[test],
    )
    return Task("held-out classes", known, adaptation)


def rotated(dataset: Dataset, degrees: float = 45.0, *, share: float = SHARE, seed: int = 0) -> Task:
    """Pretrain on upright images, adapt to rotated ones.

    Parameters
    ----------
    dataset : Dataset
    degrees : float
        Angle, -180 to 180, the same for all images, as for a rotated camera.
    share : float
        Share of the training images for the adaptation, above 0 and below 1.
    seed : int
        Of the split, 0 or more.

    Raises
    ------
    InputError
        If an argument is out of range.

    Notes
    -----
    `scipy.ndimage.rotate` about the middle of the image, linear interpolation, 0 beyond the edges.
    """
    if not -180.0 <= degrees <= 180.0:
        raise InputError("degrees", value=degrees, allowed="-180 to 180")

    def turn(images: Images) -> Images:
        return ndimage.rotate(images, degrees, axes=(2, 1), reshape=False, order=1, prefilter=False)

    pretraining, adaptation = _split(dataset, share, seed)
    return Task("rotated", pretraining, _changed(adaptation, turn))


def corrupted(
    dataset: Dataset,
    *,
    blur: float = 1.0,
    contrast: float = 0.4,
    noise: float = 0.1,
    share: float = SHARE,
    seed: int = 0,
) -> Task:
    """Pretrain on clean images, adapt to blurred ones of low contrast with noise.

    Parameters
    ----------
    dataset : Dataset
    blur : float
        Standard deviation of a Gaussian, pixels, 0 or more.
    contrast : float
        Factor c on the distance of a pixel from the mean of its image, 0 to 1.
    noise : float
        Standard deviation of normal noise on each pixel, 0 or more.
    share : float
        Share of the training images for the adaptation, above 0 and below 1.
    seed : int
        Of split and noise, 0 or more.

    Raises
    ------
    InputError
        If an argument is out of range.

    Notes
    -----
    In this order, with the image x from 0 to 1, its mean m after the blur and z standard normal:

        x -> G(blur) * x,  x -> m + c (x - m),  x -> min(max(x + noise z, 0), 1).

    These are three of the corruptions of D. Hendrycks and T. Dietterich, ICLR 2019, arXiv:1903.12261,
    together.
    """
    for name, value, most in (("blur", blur, np.inf), ("contrast", contrast, 1.0), ("noise", noise, np.inf)):
        if not (np.isfinite(value) and 0.0 <= value <= most):
            raise InputError(name, value=value, allowed="0 to 1" if most == 1.0 else "finite, 0 or more")
    pretraining, adaptation = _split(dataset, share, seed)
    rng = np.random.default_rng([seed, 1])  # independent of that of the split

    def spoil(images: Images) -> Images:
        blurred = ndimage.gaussian_filter(images, blur, axes=(1, 2)) if blur > 0.0 else images
        mean = blurred.mean(axis=(1, 2), keepdims=True)
        grey = mean + np.float32(contrast) * (blurred - mean)
        grey += np.float32(noise) * rng.standard_normal(grey.shape, dtype=np.float32)
        spoiled: Images = np.clip(grey, 0.0, 1.0)
        return spoiled

    return Task("corrupted", pretraining, _changed(adaptation, spoil))


TASKS: dict[str, Callable[[Dataset], Task]] = {
    "held-out classes": held_out_classes,
    "rotated": rotated,
    "corrupted": corrupted,
}
"""Tasks by name, with their default arguments."""


class PulseCounter:
    """Count, for each cell, the writes in which it has to switch.

    An instance can be used as ``watch`` of `mtjchar.network.trainer.train`. If only changing bits are
    driven, these are the first pulses of a cell; retries are not included. If all bits are driven,
    each cell also gets a pulse with every update.

    Parameters
    ----------
    parameters, bits : int
        Words, and cells per word.

    Attributes
    ----------
    pulses : ndarray of int64, shape (parameters, bits)
        Lowest bit first.
    """

    def __init__(self, parameters: int, bits: int) -> None:
        self.pulses: IntArray = np.zeros((parameters, bits), dtype=np.int64)

    def __call__(self, old: Words, new: Words) -> None:
        """Record one write of all words."""
        where = np.flatnonzero(old != new)
        changed = old[where] ^ new[where]
        planes = np.arange(self.pulses.shape[1], dtype=changed.dtype)
        self.pulses[where] += (changed[:, np.newaxis] >> planes) & 1


@dataclass(frozen=True, eq=False)
class Adaptation:
    """Result of the adaptation of a network.

    Attributes
    ----------
    test_accuracy : float
        Fraction of the task's test images recognized afterwards.
    ledger : WriteLedger
        All writes.
    words : ndarray of uint8 or uint16, shape (parameters,)
        Content of the memory at the end.
    batches, images, updates : int
        Passes counted in batches and in images, and writes of all words.
    pulses : ndarray of int64, shape (parameters, bits)
        Writes in which a cell had to switch, see `PulseCounter`: its wear.
    """

    test_accuracy: float
    ledger: WriteLedger
    words: Words
    batches: int
    images: int
    updates: int
    pulses: IntArray

    def computing_reads(self, images_per_read: int) -> int:
        """Count the reads of cells by the forward and the backward passes.

        Parameters
        ----------
        images_per_read : int
            Images that are computed with one read of the network, 1 or more: 1 if it is read for each
            image, the images of a batch if it is read once per batch. Training does not depend on it.
        """
        if images_per_read < 1:
            raise InputError("images_per_read", value=images_per_read, allowed="1 or more")
        return PASSES * self.pulses.size * math.ceil(self.images / images_per_read)

    def energy_over_reads(
        self,
        conditions: WriteConditions,
        read_energy_J: float,
        *,
        images_per_read: int,
        update_reads: bool = True,
    ) -> float:
        """Return the total energy of the memory divided by that of the computing reads alone.

        Parameters
        ----------
        conditions : WriteConditions
            Energies of the writes.
        read_energy_J : float
            Energy of reading a bit, J, above 0; also for the reads that belong to writes.
        images_per_read : int
            See `computing_reads`.
        update_reads : bool, optional
            Whether read-before-write reads the memory itself. Otherwise each row is changed just after the
            backward pass has read it, and that read serves both: the gradient of a layer's weights is known
            then.
        """
        spent = self.ledger.energy_J(replace(conditions, read_energy_J=read_energy_J))
        if conditions.read_before_write and not update_reads:
            spent -= float((self.ledger.switching + self.ledger.redundant).sum()) * read_energy_J
        return 1.0 + spent / (self.computing_reads(images_per_read) * read_energy_J)


class FineTuning(NamedTuple):
    """A pretrained network before and after its adaptation.

    Attributes
    ----------
    accuracy_before : float
        Fraction of the task's test images that the pretrained network recognizes.
    error_free, approximate : Adaptation
        Without errors and under the conditions, with the same batches and rounding.
    """

    accuracy_before: float
    error_free: Adaptation
    approximate: Adaptation


def pretrain(task: Task, plan: TrainingPlan, seed: int) -> Words:
    """Train a network for a task without write errors, and return the content of the memory.

    Parameters
    ----------
    task : Task
        Its `pretraining` is used.
    plan : TrainingPlan
    seed : int
        Seed of all randomness, 0 or more.
    """
    return train(task.pretraining, plan, _ERROR_FREE, seed).words


def adapt(
    task: Task, plan: TrainingPlan, conditions: WriteConditions, seed: int, pretrained: Words
) -> Adaptation:
    """Continue training with the images of a task, in a memory that contains a pretrained network.

    Parameters
    ----------
    task : Task
        Its `adaptation` is used.
    plan : TrainingPlan
        With the same network and code of the words as in pretraining.
    conditions : WriteConditions
        Error rates of every write.
    seed : int
        Seed of all randomness, 0 or more.
    pretrained : ndarray of uint8 or uint16, shape (parameters,)
        Initial content of the memory, without errors.

    Raises
    ------
    InputError
        As `mtjchar.network.trainer.train`.
    """
    counter = PulseCounter(len(pretrained), plan.bits)
    result = train(task.adaptation, plan, conditions, seed, watch=counter, initial=pretrained)
    return Adaptation(
        test_accuracy=result.test_accuracy,
        ledger=result.ledger,
        words=result.words,
        batches=result.batches,
        images=result.images,
        updates=result.updates,
        pulses=counter.pulses,
    )


def finetune(
    task: Task, plan: TrainingPlan, conditions: WriteConditions, seed: int, pretrained: Words
) -> FineTuning:
    """Adapt a pretrained network without errors and in approximate memory.

    Parameters
    ----------
    task : Task
    plan : TrainingPlan
        Of the adaptation.
    conditions : WriteConditions
        Of the writes in approximate memory.
    seed : int
        Seed of all randomness, 0 or more; both adaptations have the same.
    pretrained : ndarray of uint8 or uint16, shape (parameters,)
        From `pretrain`.

    Returns
    -------
    FineTuning

    Raises
    ------
    InputError
        As `mtjchar.network.trainer.train`, and for a binarized network: words do not contain its thresholds.

    Examples
    --------
    >>> from mtjchar.network.datasets import load_dataset
    >>> from mtjchar.network.ledger import WriteConditions
    >>> from mtjchar.network.trainer import TrainingPlan
    >>> task = rotated(load_dataset("digits"), 45.0, share=0.5)
    >>> plan = TrainingPlan(hidden=(30,), batch_size=20, epochs=5, code="gray")
    >>> cheap = WriteConditions((0.2, 0.2), (0.2e-12, 0.2e-12), (0.2e-12, 0.2e-12), read_before_write=True)
    >>> result = finetune(task, plan, cheap, seed=0, pretrained=pretrain(task, plan, seed=0))
    >>> result.accuracy_before < result.approximate.test_accuracy
    True
    >>> bool(result.approximate.pulses.sum() == result.approximate.ledger.switching.sum())
    True
    """
    return FineTuning(
        recognition_rate(task.adaptation, plan, pretrained),
        adapt(task, plan, _ERROR_FREE, seed, pretrained),
        adapt(task, plan, conditions, seed, pretrained),
    )


_ERROR_FREE = WriteConditions((0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


def _split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Divide the training images at random; both parts have all test images."""
    count = round(share * len(dataset.train_images)) if 0.0 < share < 1.0 else 0
    if not 0 < count < len(dataset.train_images):
        raise InputError("share", value=share, allowed="above 0 and below 1, with an image in either part")
    if seed < 0:
        raise InputError("seed", value=seed, allowed="an integer, 0 or more")
    order = np.random.default_rng(seed).permutation(len(dataset.train_images))
    first, second = (
        replace(dataset, train_images=dataset.train_images[part], train_labels=dataset.train_labels[part])
        for part in (np.sort(order[count:]), np.sort(order[:count]))
    )
    return first, second


def _changed(dataset: Dataset, change: Callable[[Images], Images]) -> Dataset:
    """Change all images, given as an array of shape (images, rows, columns)."""

    def changed(images: Images) -> Images:
        new = change(images.reshape(-1, *dataset.image_shape))
        return np.ascontiguousarray(new.reshape(images.shape), dtype=np.float32)

    return replace(
        dataset, train_images=changed(dataset.train_images), test_images=changed(dataset.test_images)
    )
