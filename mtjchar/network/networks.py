"""Networks to train: what a flat array of parameters computes, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatT = TypeVar("FloatT", bound=np.floating[Any])


class Network(Protocol):
    """What every network offers; the type of the parameters is that of the arithmetic."""

    @property
    def parameters(self) -> int:
        """Number of parameters."""

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw the parameters that training starts from.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the weights.

        Returns
        -------
        ndarray of float32, shape (parameters,)
        """

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: NDArray[np.int64]
    ) -> tuple[float, NDArray[FloatT]]:
        """Compute the mean softmax cross-entropy and its gradient, by backpropagation.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            In the order of the network.
        images : ndarray of float, shape (images, pixels)
            Inputs.
        labels : ndarray of int64, shape (images,)
            Classes, from 0 on.

        Returns
        -------
        loss : float
            Mean cross-entropy, nat.
        gradient : ndarray of float, shape (parameters,)
            Derivative of the loss with respect to each parameter.
        """

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes; the class with the highest is the one recognized.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            In the order of the network.
        images : ndarray of float, shape (images, pixels)
            Inputs.

        Returns
        -------
        ndarray of float, shape (images, classes)
            Logarithms of the class probabilities, up to a constant for each image.
        """


@dataclass(frozen=True)
class Perceptron:
    """Layers of fully connected units: rectified linear hidden ones, softmax output.

    Parameters are, for each layer, its weights, then its biases.

    Attributes
    ----------
    sizes : tuple of int
        Units of each layer, from the pixels to the classes.
    """

    sizes: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    def layers(self, parameters: NDArray[FloatT]) -> list[tuple[NDArray[FloatT], NDArray[FloatT]]]:
        """See a flat array of parameters as layers.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            For each layer its weights, then its biases.

        Returns
        -------
        list of (weights, biases)
            Views, shapes (inputs, outputs) and (outputs,).
        """
        layers = []
        start = 0
        for inputs, outputs in pairwise(self.sizes):
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            layers.append((parameters[start:middle].reshape(inputs, outputs), parameters[middle:end]))
            start = end
        return layers

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw normal weights with variance 2/inputs; biases are 0.

        K. He et al., ICCV 2015, doi:10.1109/ICCV.2015.123.
        """
        parameters = np.zeros(self.parameters, dtype=np.float32)
        for weights, _ in self.layers(parameters):
            weights[:] = rng.standard_normal(weights.shape, dtype=np.float32) * math.sqrt(2.0 / len(weights))
        return parameters

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes, see `Network`."""
        return self._activations(parameters, images)[-1]

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: NDArray[np.int64]
    ) -> tuple[float, NDArray[FloatT]]:
        """Compute the mean softmax cross-entropy and its gradient, see `Network`."""
        activations = self._activations(parameters, images)
        loss, delta = cross_entropy(activations[-1], labels)
        gradient = np.empty_like(parameters)
        layers, gradients = self.layers(parameters), self.layers(gradient)
        for index in reversed(range(len(layers))):
            weight_gradient, bias_gradient = gradients[index]
            np.matmul(activations[index].T, delta, out=weight_gradient)
            delta.sum(axis=0, out=bias_gradient)
            if index > 0:
                delta = (delta @ layers[index][0].T) * (activations[index] > 0)
        return loss, gradient

    def _activations(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> list[NDArray[FloatT]]:
        """Give the inputs, the outputs of each hidden layer and the scores."""
        *hidden, (weights, biases) = self.layers(parameters)
        activations = [images]
        for hidden_weights, hidden_biases in hidden:
            activations.append(np.maximum(activations[-1] @ hidden_weights + hidden_biases, 0))
        activations.append(activations[-1] @ weights + biases)
        return activations


def cross_entropy(scores: NDArray[FloatT], labels: NDArray[np.int64]) -> tuple[float, NDArray[FloatT]]:
    """Compute the mean softmax cross-entropy and its derivative with respect to the scores.

    Parameters
    ----------
    scores : ndarray of float, shape (images, classes)
        Logarithms of the class probabilities, up to a constant for each image.
    labels : ndarray of int64, shape (images,)
        Classes.

    Returns
    -------
    loss : float
        Mean cross-entropy, nat.
    derivative : ndarray of float, shape (images, classes)
    """
    rows = np.arange(len(labels))
    # The largest score becomes 0: no exponential overflows, no sum is 0.
    scores = scores - scores.max(axis=1, keepdims=True)
    probabilities = np.exp(scores)
    sums = probabilities.sum(axis=1)
    loss = float(np.mean(np.log(sums) - scores[rows, labels]))
    derivative: NDArray[FloatT] = probabilities / sums[:, np.newaxis]
    derivative[rows, labels] -= 1
    derivative /= len(labels)
    return loss, derivative


def _perceptron(image_shape: tuple[int, int], hidden: tuple[int, ...], classes: int) -> Network:
    return Perceptron((math.prod(image_shape), *hidden, classes))


NETWORKS: dict[str, Callable[[tuple[int, int], tuple[int, ...], int], Network]] = {
    "perceptron": _perceptron,
}
"""Networks by name: each from the shape of the images, the sizes of its hidden layers and the classes."""
