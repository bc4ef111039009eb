"""Networks whose weights are signs, one cell each.

M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio, "Binarized Neural Networks", arXiv:1602.02830
(2016): binary weights and activations, straight-through estimator, real weights that add up the steps.
T. Hirtzlin et al., "Implementing Binarized Neural Networks with Magnetoresistive RAM without Error
Correction", NANOARCH 2019, arXiv:1908.04085: such weights in MRAM cells that sometimes are written wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.networks import FloatT, cross_entropy

__all__ = ["BinarizedPerceptron", "Signs"]


@dataclass(frozen=True)
class Signs:
    """A code of one bit: 1, a cell in AP, for +1 and 0, a cell in P, for -1."""

    @property
    def bits(self) -> int:
        """Bits a word, 1."""
        return 1

    @property
    def lsb(self) -> float:
        """Distance of the two values."""
        return 2.0

    @property
    def values(self) -> NDArray[np.float32]:
        """Value of each word, in the order of the words."""
        return np.array([-1, 1], dtype=np.float32)

    def encode(self, values: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> Words:
        """Give the words of the signs; 0 counts as positive.

        Parameters
        ----------
        values : array_like of float
            Values, any shape.
        rng : numpy.random.Generator, optional
            Not used: nothing is rounded by chance.

        Returns
        -------
        ndarray of uint8
            Words, shape of `values`.

        Raises
        ------
        InputError
            If a value is not a number.
        """
        del rng
        values = np.asarray(values)
        if np.isnan(values).any():
            raise InputError("values to encode", value=float("nan"), allowed="numbers")
        return (values >= 0).astype(np.uint8)

    def decode(self, words: Words) -> NDArray[np.float32]:
        """Give +1 and -1.

        Parameters
        ----------
        words : ndarray of uint8
            0 or 1, any shape.

        Returns
        -------
        ndarray of float32
            Values, shape of `words`.

        Raises
        ------
        InputError
            If `words` are of another type or have more than one bit.
        """
        return self.values.take(check_words(words, self.bits))


@dataclass(frozen=True)
class BinarizedPerceptron:
    """Layers of fully connected units whose weights and outputs are +1 or -1, softmax output.

    A unit sums its inputs with the signs of its weights, which is counting equal bits (XNOR and popcount)
    where the inputs are bits as well, and puts out the sign of the sum, + for 0. Inputs of the first layer
    are pixels from -1 to +1. There are neither biases nor thresholds: all that is learnt is in the cells.
    Sums are divided by the square root of their number of inputs, which no sign depends on; it gives the
    softmax and the straight-through estimator sums of the order of 1 in each layer.

    Parameters are the weights of each layer, shape (inputs, outputs).

    Attributes
    ----------
    sizes : tuple of int
        Units of each layer, from the pixels to the classes.
    """

    sizes: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(inputs * outputs for inputs, outputs in pairwise(self.sizes))

    def layers(self, parameters: NDArray[FloatT]) -> list[NDArray[FloatT]]:
        """See a flat array of parameters as layers.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            The weights of each layer.

        Returns
        -------
        list of ndarray of float
            Views, shapes (inputs, outputs).
        """
        ends = np.cumsum([inputs * outputs for inputs, outputs in pairwise(self.sizes)])
        parts = np.split(parameters, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, pairwise(self.sizes), strict=True)]

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw real weights, uniform from -1 to 1; the network is that of their signs."""
        return 2 * rng.random(self.parameters, dtype=np.float32) - 1

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes, see `Network`; parameters are +1 or -1."""
        return self._sums(parameters, images)[-1]

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
    ) -> tuple[float, NDArray[FloatT]]:
        """Compute the mean softmax cross-entropy and an estimate of its gradient, see `Network`.

        The sign has no derivative: for it stands that of the sum itself where that is from -1 to 1 (after
        the division), and 0 elsewhere: the straight-through estimator of arXiv:1602.02830.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            +1 or -1.
        images : ndarray of float, shape (images, pixels)
            Inputs, 0 to 1.
        labels : ndarray of int64, shape (images,)
            Classes, from 0 on.

        Returns
        -------
        loss : float
            Mean cross-entropy, nat.
        gradient : ndarray of float, shape (parameters,)
            Estimate for each weight.
        """
        sums = self._sums(parameters, images)
        loss, delta = cross_entropy(sums[-1], labels)
        gradient = np.empty_like(parameters)
        layers, gradients = self.layers(parameters), self.layers(gradient)
        for index in reversed(range(len(layers))):
            delta *= _scale(layers[index])
            inputs = _signs(sums[index - 1]) if index > 0 else _pixels(images)
            np.matmul(inputs.T, delta, out=gradients[index])
            if index > 0:
                delta = (delta @ layers[index].T) * (np.abs(sums[index - 1]) <= 1)
        return loss, gradient

    def _sums(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> list[NDArray[FloatT]]:
        """Give the sums of each layer, divided by the root of their number; the last are the scores."""
        sums: list[NDArray[FloatT]] = []
        for weights in self.layers(parameters):
            inputs = _signs(sums[-1]) if sums else _pixels(images)
            sums.append((inputs @ weights) * _scale(weights))
        return sums


def _scale(weights: NDArray[FloatT]) -> FloatT:
    return weights.dtype.type(1 / math.sqrt(len(weights)))


def _pixels(images: NDArray[FloatT]) -> NDArray[FloatT]:
    return 2 * images - 1


def _signs(sums: NDArray[FloatT]) -> NDArray[FloatT]:
    return np.where(sums >= 0, 1, -1).astype(sums.dtype)
