"""Training of the batch normalization of a binarized network, outside the memory."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import IntArray
from mtjchar.network.binarized import BinarizedPerceptron, Normalization
from mtjchar.network.networks import FloatT
from mtjchar.network.optimizers import Optimizer

__all__ = ["CALIBRATION_IMAGES", "NormalizationLearner"]

CALIBRATION_IMAGES = 10_000
"""Largest number of images for the means and deviations of a trained network."""


class NormalizationLearner:
    """A binarized network in training: shifts and scale are learned from the same batches as the weights.

    Parameters
    ----------
    network : BinarizedPerceptron
        Learning starts with its normalization.
    optimizer : Optimizer
        Of shifts and scale, which are in ordinary memory.
    """

    def __init__(self, network: BinarizedPerceptron, optimizer: Optimizer) -> None:
        start = network.normalization or Normalization.identity(network.units, network.sizes[-1])
        self._network = replace(network, normalization=start)
        self._start, self._optimizer = start, optimizer
        self._learnt = np.concatenate([start.shift, start.scale]).astype(np.float32)
        self._gradient = np.zeros_like(self._learnt)
        self._images = 0
        self._renew()

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
    ) -> tuple[float, NDArray[FloatT]]:
        """Compute loss and gradient of a batch, see `Network`, and keep the gradients of shifts and scale."""
        gradient = self._network.batch_gradient(parameters, images, labels)
        self._gradient += len(images) * np.concatenate([gradient.shift, gradient.scale])
        self._images += len(images)
        return gradient.loss, gradient.weights

    def update(self, rate: np.float32) -> None:
        """Step shifts and scale by the mean gradient over the images since the last update.

        Parameters
        ----------
        rate : float32
            Learning rate.
        """
        self._gradient /= np.float32(self._images)
        self._optimizer.change(self._gradient, rate)
        self._learnt = self._learnt + self._gradient
        self._gradient[:] = 0
        self._images = 0
        self._renew()

    def calibrated(self, parameters: NDArray[np.float32], images: NDArray[np.float32]) -> BinarizedPerceptron:
        """Return the trained network, with means and deviations over training images.

        Parameters
        ----------
        parameters : ndarray of float32, shape (parameters,)
            +1 or -1, the stored signs.
        images : ndarray of float32, shape (images, pixels)
            Training images; if they are more than `CALIBRATION_IMAGES`, every second, third, ... one is used.

        Returns
        -------
        BinarizedPerceptron
        """
        step = math.ceil(len(images) / CALIBRATION_IMAGES)
        return self._network.calibrated(parameters, images[::step])

    def _renew(self) -> None:
        shift, scale = np.split(self._learnt, [self._network.units])
        self._network = replace(self._network, normalization=replace(self._start, shift=shift, scale=scale))
