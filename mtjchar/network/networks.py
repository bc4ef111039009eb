"""Networks: the computation with a flat array of parameters, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError

__all__ = ["ConvolutionalNetwork", "FloatT", "Network", "Perceptron", "check_network", "cross_entropy"]

FloatT = TypeVar("FloatT", bound=np.floating[Any])


class Network(Protocol):
    """Interface of a network; the type of the parameters is that of the arithmetic.

    `mtjchar.network.trainer.train` accepts any object with this property and these methods. To have a full
    scale for each layer, it needs a further attribute, ``layer_sizes``: the number of parameters of each
    layer, in their order.

    Examples
    --------
    Softmax regression, with a weight for each pixel and class:

    >>> class SoftmaxRegression:
    ...     def __init__(self, pixels, classes):
    ...         self.shape, self.parameters = (pixels, classes), pixels * classes
    ...     def initial_parameters(self, rng):
    ...         return np.zeros(self.parameters, dtype=np.float32)
    ...     def class_scores(self, parameters, images):
    ...         return images @ parameters.reshape(self.shape)
    ...     def loss_and_gradient(self, parameters, images, labels):
    ...         loss, derivative = cross_entropy(self.class_scores(parameters, images), labels)
    ...         return loss, (images.T @ derivative).ravel()

    >>> from mtjchar.network.datasets import load_dataset
    >>> from mtjchar.network.ledger import WriteConditions
    >>> from mtjchar.network.trainer import TrainingPlan, train
    >>> digits, plan = load_dataset("digits"), TrainingPlan(batch_size=20, code="gray", full_scale=1.0)
    >>> cheap = WriteConditions((0.1, 0.1), (0.3e-12, 0.3e-12), (0.3e-12, 0.3e-12))
    >>> result = train(digits, plan, cheap, seed=1, network=SoftmaxRegression(64, 10))
    >>> result.test_accuracy > 0.8
    True
    """

    @property
    def parameters(self) -> int:
        """Number of parameters."""

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw the initial parameters.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the weights.

        Returns
        -------
        ndarray of float32, shape (parameters,)
        """

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
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
            Derivative of the loss with respect to each parameter: a new array, which the caller may change.
        """

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes; the class with the highest score is recognized.

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


def check_network(network: Any) -> Network:
    """Return an object if it has the interface of a `Network`.

    Parameters
    ----------
    network : object

    Returns
    -------
    Network
        The same object.

    Raises
    ------
    InputError
        If it lacks a method, which the message names, or its number of parameters is not a positive integer.
    """
    needed = ("initial_parameters", "loss_and_gradient", "class_scores")
    for name in needed:
        if not callable(getattr(network, name, None)):
            raise InputError(
                "network",
                value=type(network).__name__,
                allowed=f"an object with the number parameters and the methods {', '.join(needed)}",
                remedy=f"It has no method {name}: mtjchar.network.networks.Network says what it does.",
            )
    count = getattr(network, "parameters", None)
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise InputError(
            f"parameters of the network {type(network).__name__}", value=count, allowed="a positive integer"
        )
    return cast(Network, network)


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
        return sum(self.layer_sizes)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Number of weights and biases of each layer."""
        return tuple((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    def layers(self, parameters: NDArray[FloatT]) -> list[tuple[NDArray[FloatT], NDArray[FloatT]]]:
        """Split a flat array of parameters into layers.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            For each layer its weights, then its biases.

        Returns
        -------
        list of (weights, biases)
            Views, shapes (inputs, outputs) and (outputs,).
        """
        return _layer_views(parameters, [((inputs, units), units) for inputs, units in pairwise(self.sizes)])

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw normal weights with variance 2/inputs; biases are 0.

        K. He et al., ICCV 2015, doi:10.1109/ICCV.2015.123.
        """
        parameters = np.zeros(self.parameters, dtype=np.float32)
        _he_weights(self.layers(parameters), rng)
        return parameters

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes, see `Network`."""
        return self._activations(parameters, images)[-1]

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
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
        """Return the inputs, the outputs of each hidden layer and the scores."""
        *hidden, (weights, biases) = self.layers(parameters)
        activations = [images]
        for hidden_weights, hidden_biases in hidden:
            activations.append(np.maximum(activations[-1] @ hidden_weights + hidden_biases, 0))
        activations.append(activations[-1] @ weights + biases)
        return activations


@dataclass(frozen=True)
class ConvolutionalNetwork:
    """Convolutions over 3 x 3 pixels, each rectified and pooled, and a fully connected softmax output.

    A convolution keeps the size of the image (zeros beyond its edges); the pooling after it
    takes the largest of each 2 x 2 pixels and drops an odd last row or column.

    Parameters are, for each convolution, its weights (output channel, input channel, row, column), then
    its biases, and then weights and biases of the output.

    Attributes
    ----------
    image_shape : tuple of int
        Rows and columns of an image, at least 2 to the power of the number of convolutions.
    channels : tuple of int
        Output channels of each convolution.
    classes : int
        Number of classes.

    Raises
    ------
    InputError
        If the images are too small for the convolutions.
    """

    image_shape: tuple[int, int]
    channels: tuple[int, ...]
    classes: int

    def __post_init__(self) -> None:
        smallest = 1 << len(self.channels)
        if min(self.image_shape) < smallest:
            raise InputError(
                "shape of the images",
                value=self.image_shape,
                allowed=f"{smallest} rows and columns or more for {len(self.channels)} convolutions",
                remedy="Take fewer convolutions, or the perceptron.",
            )

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(self.layer_sizes)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Number of weights and biases of each convolution, and of the output."""
        return tuple(math.prod(shape) + biases for shape, biases in self._shapes())

    def layers(self, parameters: NDArray[FloatT]) -> list[tuple[NDArray[FloatT], NDArray[FloatT]]]:
        """Split a flat array of parameters into layers.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            In the order of the network.

        Returns
        -------
        list of (weights, biases)
            Views: of each convolution, shapes (outputs, inputs, 3, 3) and (outputs,), and of the output,
            shapes (inputs, classes) and (classes,).
        """
        return _layer_views(parameters, self._shapes())

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw normal weights with variance 2/inputs; biases are 0, see `Perceptron`."""
        parameters = np.zeros(self.parameters, dtype=np.float32)
        _he_weights(self.layers(parameters), rng)
        return parameters

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes, see `Network`."""
        # Patches take much memory: some images at a time.
        starts = range(0, len(images), 500)
        parts = [self._forward(parameters, images[start : start + 500])[-1] for start in starts]
        return np.concatenate(parts)

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
    ) -> tuple[float, NDArray[FloatT]]:
        """Compute the mean softmax cross-entropy and its gradient, see `Network`."""
        convolved, features, scores = self._forward(parameters, images)
        loss, delta = cross_entropy(scores, labels)
        gradient = np.empty_like(parameters)
        *convolutions, (weights, _) = self.layers(parameters)
        *gradients, (weight_gradient, bias_gradient) = self.layers(gradient)
        np.matmul(features.T, delta, out=weight_gradient)
        delta.sum(axis=0, out=bias_gradient)
        delta = np.moveaxis((delta @ weights.T).reshape(len(images), *self._features()), 1, 0)
        for index in reversed(range(len(convolutions))):
            patches, before, pooled = convolved[index]
            kernel, (kernel_gradient, bias_gradient) = convolutions[index][0], gradients[index]
            outputs = len(kernel)
            delta = _unpooled(delta * (pooled > 0), before, pooled).reshape(outputs, -1)
            np.matmul(delta, patches.T, out=kernel_gradient.reshape(outputs, -1))
            delta.sum(axis=1, out=bias_gradient)
            if index > 0:
                delta = _image_gradient(kernel.reshape(outputs, -1).T @ delta, before.shape)
        return loss, gradient

    def _features(self) -> tuple[int, int, int]:
        """Channels, rows and columns of the input of the last layer."""
        rows, columns = (size >> len(self.channels) for size in self.image_shape)
        return self.channels[-1], rows, columns

    def _shapes(self) -> list[tuple[tuple[int, ...], int]]:
        """Shape of the weights and number of the biases of each layer."""
        kernels = [((outputs, inputs, 3, 3), outputs) for inputs, outputs in pairwise((1, *self.channels))]
        return [*kernels, ((math.prod(self._features()), self.classes), self.classes)]

    def _forward(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT]
    ) -> tuple[list[_Convolved[FloatT]], NDArray[FloatT], NDArray[FloatT]]:
        """Return the results of each convolution, the inputs of the last layer and the scores."""
        *convolutions, (weights, biases) = self.layers(parameters)
        pooled = images.reshape(1, len(images), *self.image_shape)
        convolved = []
        for kernel, kernel_biases in convolutions:
            patches = _patches(pooled)
            before = kernel.reshape(len(kernel), -1) @ patches
            before += kernel_biases[:, np.newaxis]
            before = before.reshape(-1, *pooled.shape[1:])
            pooled = np.maximum(_pooled(before), 0)
            convolved.append(_Convolved(patches, before, pooled))
        features = np.moveaxis(pooled, 0, 1).reshape(len(images), -1)
        return convolved, features, features @ weights + biases


class _Convolved(NamedTuple, Generic[FloatT]):
    """Results of a convolution for images: arrays of shape (channels, images, rows, columns).

    Contiguous rows of pixels make copies fast, and with channels first a convolution is one matrix product.
    """

    patches: NDArray[FloatT]
    """Pixels under the kernel, shape (channels * 9, images * rows * columns)."""
    before: NDArray[FloatT]
    """Output before pooling."""
    pooled: NDArray[FloatT]
    """Output, pooled and rectified: the same as rectified and pooled."""


def _patches(images: NDArray[FloatT]) -> NDArray[FloatT]:
    """Return the 3 x 3 pixels around each pixel as a column (im2col)."""
    channels, count, rows, columns = images.shape
    padded = np.zeros((channels, count, rows + 2, columns + 2), dtype=images.dtype)
    padded[..., 1:-1, 1:-1] = images
    patches = np.empty((channels, 3, 3, count, rows, columns), dtype=images.dtype)
    for row in range(3):
        for column in range(3):
            patches[:, row, column] = padded[..., row : row + rows, column : column + columns]
    return patches.reshape(channels * 9, -1)


def _image_gradient(patch_gradient: NDArray[FloatT], shape: tuple[int, ...]) -> NDArray[FloatT]:
    """Add up the contributions of the patches to each pixel, the transpose of `_patches`.

    The images have the given shape, except for the number of channels.
    """
    _, count, rows, columns = shape
    patches = patch_gradient.reshape(-1, 3, 3, count, rows, columns)
    padded = np.zeros((len(patches), count, rows + 2, columns + 2), dtype=patches.dtype)
    for row in range(3):
        for column in range(3):
            padded[..., row : row + rows, column : column + columns] += patches[:, row, column]
    return padded[..., 1:-1, 1:-1]


def _corners(images: NDArray[FloatT]) -> list[NDArray[FloatT]]:
    """View images as four: the pixels of each corner of the 2 x 2 pooled pixels."""
    rows, columns = images.shape[2] & ~1, images.shape[3] & ~1
    return [images[..., row:rows:2, column:columns:2] for row in range(2) for column in range(2)]


def _pooled(images: NDArray[FloatT]) -> NDArray[FloatT]:
    first, second, third, fourth = _corners(images)
    pooled: NDArray[FloatT] = np.maximum(np.maximum(first, second), np.maximum(third, fourth))
    return pooled


def _unpooled(delta: NDArray[FloatT], before: NDArray[FloatT], pooled: NDArray[FloatT]) -> NDArray[FloatT]:
    """Return the derivative before the pooling: the first of equally large pixels gets all of it."""
    derivative = np.zeros_like(before)
    for corner, target in zip(_corners(before), _corners(derivative), strict=True):
        largest = corner == pooled
        np.multiply(delta, largest, out=target)
        delta = delta * ~largest
    return derivative


def cross_entropy(scores: NDArray[FloatT], labels: IntArray) -> tuple[float, NDArray[FloatT]]:
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


def _layer_views(
    parameters: NDArray[FloatT], shapes: Iterable[tuple[tuple[int, ...], int]]
) -> list[tuple[NDArray[FloatT], NDArray[FloatT]]]:
    """Split a flat array into layers, given the shape of the weights and the number of the biases of each."""
    layers = []
    start = 0
    for shape, biases in shapes:
        middle = start + math.prod(shape)
        layers.append((parameters[start:middle].reshape(shape), parameters[middle : middle + biases]))
        start = middle + biases
    return layers


def _he_weights(
    layers: Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]], rng: np.random.Generator
) -> None:
    """Draw normal weights with variance 2/inputs (K. He et al., ICCV 2015, doi:10.1109/ICCV.2015.123)."""
    for weights, biases in layers:
        scale = math.sqrt(2.0 / (weights.size // biases.size))
        weights[:] = rng.standard_normal(weights.shape, dtype=np.float32) * scale
