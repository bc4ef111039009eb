"""Networks whose weights are signs, one cell each.

M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio, "Binarized Neural Networks", arXiv:1602.02830
(2016): binary weights and activations, straight-through estimator, real weights that accumulate the steps.
S. Ioffe, C. Szegedy, "Batch Normalization", arXiv:1502.03167 (2015).
T. Hirtzlin et al., "Implementing Binarized Neural Networks with Magnetoresistive RAM without Error
Correction", NANOARCH 2019, arXiv:1908.04085: such weights in MRAM cells with write errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtjchar.arrays import IntArray
from mtjchar.errors import InputError
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.networks import FloatT, cross_entropy

__all__ = ["BatchGradient", "BinarizedPerceptron", "Folded", "Normalization", "Signs"]


# Added to the variance of a batch, so that the deviation of a unit with a constant sum is not 0.
_LEAST = 1e-4


@dataclass(frozen=True)
class Signs:
    """A code of one bit: 1, a cell in AP, for +1 and 0, a cell in P, for -1."""

    @property
    def bits(self) -> int:
        """Bits per word, 1."""
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
        """Return the words of the signs; 0 counts as positive.

        Parameters
        ----------
        values : array_like of float
            Values, any shape.
        rng : numpy.random.Generator, optional
            Not used: there is no stochastic rounding.

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
        """Return +1 and -1.

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


@dataclass(frozen=True, eq=False)
class Normalization:
    """Batch normalization of a network's units: x becomes y = scale (x - mean) / deviation + shift.

    x is the sum of a unit over the square root of its number of inputs. The output of hidden units is the
    sign of y, which a positive scale does not change: only classes have one.

    Attributes
    ----------
    mean, deviation : ndarray of float, shape (units,)
        Of x over images; units of all layers from the first hidden one to the classes. Deviations are
        above 0.
    shift : ndarray of float, shape (units,)
        Learned.
    scale : ndarray of float, shape (classes,)
        Learned.
    """

    mean: NDArray[np.floating[Any]]
    deviation: NDArray[np.floating[Any]]
    shift: NDArray[np.floating[Any]]
    scale: NDArray[np.floating[Any]]

    @classmethod
    def identity(cls, units: int, classes: int) -> Normalization:
        """Return the identity, with which training starts."""
        return cls(np.zeros(units), np.ones(units), np.zeros(units), np.ones(classes))


class Folded(NamedTuple):
    """A normalization for inference: one number for each hidden unit, two for each class.

    The output of a hidden unit is +1 if its sum is at least its threshold, else -1. The score of a class is
    factor times its sum plus offset.

    Attributes
    ----------
    thresholds : list of ndarray of float
        Of each hidden layer, shape (units,).
    factor, offset : ndarray of float, shape (classes,)
    """

    thresholds: list[NDArray[np.floating[Any]]]
    factor: NDArray[np.floating[Any]]
    offset: NDArray[np.floating[Any]]


class BatchGradient(NamedTuple, Generic[FloatT]):
    """Loss and derivatives of a batch.

    Attributes
    ----------
    loss : float
        Mean cross-entropy, nat.
    weights : ndarray of float, shape (parameters,)
        Its derivative with respect to each weight, by the straight-through estimator.
    shift, scale : ndarray of float, shapes (units,) and (classes,)
        Its derivatives with respect to those of the normalization.
    """

    loss: float
    weights: NDArray[FloatT]
    shift: NDArray[FloatT]
    scale: NDArray[FloatT]


@dataclass(frozen=True, eq=False)
class BinarizedPerceptron:
    """Layers of fully connected units whose weights and outputs are +1 or -1, softmax output.

    A unit sums its inputs with the signs of its weights, and compares the sum with a threshold. If the inputs
    are bits, this is a count of equal bits (XNOR and popcount). Inputs of the first layer are pixels from 0
    to 1: a wrong sign at a dark pixel does no harm.

    Thresholds come from batch normalization, whose state is in this object and not in the memory: at
    inference one number for each hidden unit and two for each class (`folded`). Without it all thresholds
    are 0.

    Parameters are the weights of each layer, shape (inputs, outputs).

    Attributes
    ----------
    sizes : tuple of int
        Units of each layer, from the pixels to the classes.
    normalization : Normalization, optional
        Of a trained network.

    Raises
    ------
    InputError
        If the normalization is of another number of units.
    """

    sizes: tuple[int, ...]
    normalization: Normalization | None = None

    def __post_init__(self) -> None:
        given = self.normalization
        if given is not None:
            units, classes = self.units, self.sizes[-1]
            shapes = [array.shape for array in (given.mean, given.deviation, given.shift, given.scale)]
            if shapes != [(units,)] * 3 + [(classes,)]:
                raise InputError(
                    "shapes of the normalization",
                    value=shapes,
                    allowed=f"({units},) of mean, deviation and shift and ({classes},) of scale",
                )

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(inputs * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def units(self) -> int:
        """Number of units with a normalization, hidden ones and classes."""
        return sum(self.sizes[1:])

    @property
    def normalization_parameters(self) -> int:
        """Number of shifts and scales, which are learned outside the memory."""
        return self.units + self.sizes[-1]

    def layers(self, parameters: NDArray[FloatT]) -> list[NDArray[FloatT]]:
        """Split a flat array of parameters into layers.

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
        """Draw real weights, uniform from -1 to 1; the network consists of their signs."""
        return 2 * rng.random(self.parameters, dtype=np.float32) - 1

    def folded(self) -> Folded:
        """Convert the normalization to thresholds.

        For a hidden unit y >= 0 is the same as sum >= sqrt(inputs) * (mean - shift * deviation).

        Returns
        -------
        Folded
            Thresholds 0, factors 1 over the root of the number of inputs and offsets 0 for a network
            without normalization.

        Examples
        --------
        A hidden unit of four inputs whose sums over 2 have mean 1 and deviation 0.5 has the output +1 from a
        sum of 2 * (1 - 0.25 * 0.5) on, if its shift is 0.25. One of the two classes has another scale.

        >>> normalization = Normalization(
        ...     mean=np.array([1.0, 0.0, 0.0]),
        ...     deviation=np.array([0.5, 1.0, 1.0]),
        ...     shift=np.array([0.25, 0.0, -1.0]),
        ...     scale=np.array([1.0, 2.0]),
        ... )
        >>> folded = BinarizedPerceptron((4, 1, 2), normalization).folded()
        >>> folded.thresholds[0].tolist(), folded.factor.tolist(), folded.offset.tolist()
        ([1.75], [1.0, 2.0], [0.0, -1.0])
        """
        norm = self._normalization
        *hidden, _ = self._by_layer(norm.mean - norm.shift * norm.deviation)
        *_, mean = self._by_layer(norm.mean)
        *_, deviation = self._by_layer(norm.deviation)
        *_, shift = self._by_layer(norm.shift)
        slope = norm.scale / deviation
        return Folded(
            thresholds=[part * math.sqrt(inputs) for part, inputs in zip(hidden, self.sizes, strict=False)],
            factor=slope / math.sqrt(self.sizes[-2]),
            offset=shift - slope * mean,
        )

    def class_scores(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> NDArray[FloatT]:
        """Compute the scores of the classes with the folded normalization, see `Network`."""
        folded = self.folded()
        *hidden, weights = self.layers(parameters)
        outputs = images
        for layer, threshold in zip(hidden, folded.thresholds, strict=True):
            outputs = _signs(outputs @ layer - threshold.astype(layer.dtype))
        scores: NDArray[FloatT] = outputs @ weights
        scores *= folded.factor
        scores += folded.offset
        return scores

    def loss_and_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
    ) -> tuple[float, NDArray[FloatT]]:
        """Compute the mean softmax cross-entropy and an estimate of its gradient, see `Network`.

        Means and deviations are those of the given images, as always in training with batch
        normalization; `batch_gradient` also returns the derivatives for shift and scale.
        """
        gradient = self.batch_gradient(parameters, images, labels)
        return gradient.loss, gradient.weights

    def batch_gradient(
        self, parameters: NDArray[FloatT], images: NDArray[FloatT], labels: IntArray
    ) -> BatchGradient[FloatT]:
        """Compute the loss of a batch and estimates of its derivatives.

        The sign has no derivative. It is replaced by that of y itself if y is from -1 to 1, and by 0
        otherwise: the straight-through estimator of arXiv:1602.02830.

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
        BatchGradient
        """
        layers = self.layers(parameters)
        passed = self._forward(layers, images)
        shifts, scale = self._learnt(parameters.dtype)
        last = passed[-1].normalized
        loss, delta = cross_entropy(scale * last + shifts[-1], labels)
        scale_gradient: NDArray[FloatT] = (delta * last).sum(axis=0)
        weight_gradient = np.empty_like(parameters)
        weight_gradients = self.layers(weight_gradient)
        shift_gradients = [delta.sum(axis=0)]
        delta *= scale
        for index in reversed(range(len(layers))):
            layer = passed[index]
            delta = _derivative_before(layer, delta) * _root(layers[index])
            np.matmul(layer.inputs.T, delta, out=weight_gradients[index])
            if index > 0:
                inside = np.abs(passed[index - 1].normalized + shifts[index - 1]) <= 1
                delta = (delta @ layers[index].T) * inside
                shift_gradients.append(delta.sum(axis=0))
        shift_gradient: NDArray[FloatT] = np.concatenate(shift_gradients[::-1])
        return BatchGradient(loss, weight_gradient, shift_gradient, scale_gradient)

    def calibrated(self, parameters: NDArray[FloatT], images: NDArray[FloatT]) -> BinarizedPerceptron:
        """Return the network with the means and deviations of its units over some images.

        Parameters
        ----------
        parameters : ndarray of float, shape (parameters,)
            +1 or -1.
        images : ndarray of float, shape (images, pixels)
            Images, preferably thousands.

        Returns
        -------
        BinarizedPerceptron
        """
        passed = self._forward(self.layers(parameters), images)
        mean, deviation = (
            np.concatenate([getattr(layer, name) for layer in passed]) for name in ("mean", "deviation")
        )
        return replace(self, normalization=replace(self._normalization, mean=mean, deviation=deviation))

    @property
    def _normalization(self) -> Normalization:
        return self.normalization or Normalization.identity(self.units, self.sizes[-1])

    def _by_layer(self, units: NDArray[FloatT]) -> list[NDArray[FloatT]]:
        """Split an array over all units into one for each layer."""
        return np.split(units, np.cumsum(self.sizes[1:-1]))

    def _learnt(self, dtype: np.dtype[FloatT]) -> tuple[list[NDArray[FloatT]], NDArray[FloatT]]:
        """Return the shift of each layer and the scale of the classes, in the type of the arithmetic."""
        norm = self._normalization
        return self._by_layer(norm.shift.astype(dtype)), norm.scale.astype(dtype)

    def _forward(self, layers: list[NDArray[FloatT]], images: NDArray[FloatT]) -> list[_Layer[FloatT]]:
        """Compute each layer for a batch, with the batch's own means and deviations."""
        shifts, _ = self._learnt(images.dtype)
        passed: list[_Layer[FloatT]] = []
        inputs = images
        for weights, shift in zip(layers, shifts, strict=True):
            sums = inputs @ weights
            sums *= _root(weights)
            mean = sums.mean(axis=0)
            sums -= mean
            deviation: NDArray[FloatT] = np.sqrt(np.square(sums).mean(axis=0) + sums.dtype.type(_LEAST))
            sums /= deviation
            passed.append(_Layer(inputs, mean, deviation, sums))
            inputs = _signs(sums + shift)
        return passed


class _Layer(NamedTuple, Generic[FloatT]):
    """Results of a layer for a batch: x is normalized to (x - mean) / deviation."""

    inputs: NDArray[FloatT]
    mean: NDArray[FloatT]
    deviation: NDArray[FloatT]
    normalized: NDArray[FloatT]


def _derivative_before(layer: _Layer[FloatT], delta: NDArray[FloatT]) -> NDArray[FloatT]:
    """Return the derivative before the normalization; mean and deviation depend on each image of the batch.

    arXiv:1502.03167, section 3.
    """
    along = (delta * layer.normalized).mean(axis=0)
    derivative: NDArray[FloatT] = delta - delta.mean(axis=0)
    derivative -= layer.normalized * along
    derivative /= layer.deviation
    return derivative


def _root(weights: NDArray[FloatT]) -> FloatT:
    """1 over the root of the number of inputs."""
    return weights.dtype.type(1 / math.sqrt(len(weights)))


def _signs(sums: NDArray[FloatT]) -> NDArray[FloatT]:
    return np.where(sums >= 0, 1, -1).astype(sums.dtype)
