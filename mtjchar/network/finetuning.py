"""Adapt a pretrained network in approximate memory: what learning on a device is for.

A task has two data sets of the same images and classes: one that a network is pretrained on, at ease and
without errors, and one that it then meets. The training images are split by chance: what is adapted to was
never seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mtjchar.errors import InputError
from mtjchar.network.datasets import Dataset

__all__ = ["SHARE", "TASKS", "Task", "corrupted", "held_out_classes", "rotated"]

SHARE = 1.0 / 6.0
"""Share of the training images that is adapted to: 10,000 of Fashion-MNIST's 60,000."""

Images = NDArray[np.float32]


class Task(NamedTuple):
    """What a network has learnt, and what it is to learn.

    Attributes
    ----------
    name : str
    pretraining : Dataset
    adaptation : Dataset
        Of the same classes and shape. Its test images tell the recognition rate before and after.
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
        Share of the training images that is adapted to, above 0 and below 1.
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
        Angle, -180 to 180. All images have the same: a camera is mounted askew.
    share : float
        Share of the training images that is adapted to, above 0 and below 1.
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
        Share of the training images that is adapted to, above 0 and below 1.
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

    Three of the corruptions of D. Hendrycks and T. Dietterich, ICLR 2019, arXiv:1903.12261, at once.
    """
    for name, value, most in (("blur", blur, np.inf), ("contrast", contrast, 1.0), ("noise", noise, np.inf)):
        if not (np.isfinite(value) and 0.0 <= value <= most):
            raise InputError(name, value=value, allowed="0 to 1" if most == 1.0 else "finite, 0 or more")
    rng = np.random.default_rng([seed, 1])  # apart from that of the split

    def spoil(images: Images) -> Images:
        blurred = ndimage.gaussian_filter(images, blur, axes=(1, 2)) if blur > 0.0 else images
        mean = blurred.mean(axis=(1, 2), keepdims=True)
        grey = mean + np.float32(contrast) * (blurred - mean)
        grey += np.float32(noise) * rng.standard_normal(grey.shape, dtype=np.float32)
        return np.clip(grey, 0.0, 1.0)

    pretraining, adaptation = _split(dataset, share, seed)
    return Task("corrupted", pretraining, _changed(adaptation, spoil))


TASKS: dict[str, Callable[[Dataset], Task]] = {
    "held-out classes": held_out_classes,
    "rotated": rotated,
    "corrupted": corrupted,
}
"""Tasks by name, with their default arguments."""


def _split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Divide the training images by chance; both parts have all test images."""
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
