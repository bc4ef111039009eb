"""Binarized networks that compute while they read: XNORs of inputs and weights by bitwise reads.

A unit counts the bits in which its inputs and weights agree. In a memory that reads two cells on one bit line
at once, each of these bits is one XNOR: an input in one cell, a weight in the other. Each can be wrong, with
an error rate that depends on the two bits.

M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio, "Binarized Neural Networks", arXiv:1602.02830
(2016): XNOR and popcount, and the first layer by bit planes of its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from mtjchar.arrays import BoolArray, FloatArray, IntArray
from mtjchar.errors import InputError
from mtjchar.network.binarized import BinarizedPerceptron, Signs
from mtjchar.network.encoding import Words

__all__ = [
    "BitwiseReads",
    "BitwiseRun",
    "XnorScores",
    "agreements",
    "combinations_of",
    "xnor_class_scores",
    "xnor_reads",
]

PIXEL_BITS = 8
"""Bit planes of a pixel: images are bytes over 255."""


@dataclass(frozen=True, eq=False)
class BitwiseReads:
    """Errors and energies of XNORs by bitwise reads.

    Attributes
    ----------
    error_rate : array_like of float, shape (4,)
        Probability, 0 to 1, that the result is wrong, for each combination of bits: 00, 01, 10, 11. The first
        is the input, the second the weight.
    energy_J : array_like of float, shape () or (4,)
        Mean energy of an operation for each combination, J, finite, not negative.

    Raises
    ------
    InputError
        If a number or a shape is out of range.
    """

    error_rate: npt.ArrayLike = (0.0, 0.0, 0.0, 0.0)
    energy_J: npt.ArrayLike = 0.0

    def __post_init__(self) -> None:
        rates = np.array(self.error_rate, dtype=np.float64)
        if rates.shape != (4,):
            raise InputError(
                "shape of error_rate",
                value=rates.shape,
                allowed="(4,): input and weight 00, 01, 10, 11",
            )
        wrong = ~((rates >= 0.0) & (rates <= 1.0))
        if wrong.any():
            raise InputError("error_rate", value=float(rates[wrong][0]), allowed="0 to 1")
        energies = np.array(self.energy_J, dtype=np.float64)
        if energies.shape not in ((), (4,)):
            raise InputError("shape of energy_J", value=energies.shape, allowed="one number, or (4,)")
        wrong = ~(np.isfinite(energies) & (energies >= 0.0))
        if wrong.any():
            raise InputError("energy_J", value=float(energies[wrong][0]), allowed="finite, 0 J or more")
        object.__setattr__(self, "error_rate", rates)
        object.__setattr__(self, "energy_J", np.broadcast_to(energies, (4,)))


class BitwiseRun(Protocol):
    """What is asked of a surface of bitwise operations."""

    def error_rate(
        self, operation: str, voltage: npt.ArrayLike, time: npt.ArrayLike, inputs: str | None = None
    ) -> FloatArray:
        """Return the error rate of an operation for a combination of inputs."""

    def energy(
        self, operation: str, voltage: npt.ArrayLike, time: npt.ArrayLike, inputs: str | None = None
    ) -> FloatArray:
        """Return its energy, J."""

    def best_read(self, operation: str) -> tuple[float, float]:
        """Return the read voltage and the sensing time with the lowest error rate."""


def xnor_reads(surface: BitwiseRun, read: tuple[float, float] | None = None) -> BitwiseReads:
    """Return the XNORs of a surface of bitwise operations.

    XNOR is the inverted result of XOR, with the same error rates.

    Parameters
    ----------
    surface : BitwiseSurface
        Of two cells, as ``bitwise.nc`` of a run.
    read : tuple of float, optional
        Read voltage (V) and sensing time (s); default: those with the lowest error rate of the worst
        combination.

    Returns
    -------
    BitwiseReads

    Raises
    ------
    InputError
        If the surface has no XOR, or the read is outside of its grid.
    """
    at = surface.best_read("xor") if read is None else read
    inputs = ("00", "01", "10", "11")
    rates, energies = (
        [float(value("xor", *at, inputs=each)) for each in inputs]
        for value in (surface.error_rate, surface.energy)
    )
    return BitwiseReads(rates, energies)


def combinations_of(inputs: BoolArray, weights: BoolArray) -> IntArray:
    """Count the combinations of inputs and weights of each unit.

    Parameters
    ----------
    inputs : ndarray of bool, shape (images, n)
    weights : ndarray of bool, shape (n, units)

    Returns
    -------
    ndarray of int64, shape (4, images, units)
        Of 00, 01, 10, 11, input first.
    """
    # float32 counts exactly up to 2**24 inputs.
    both = (inputs.astype(np.float32) @ weights.astype(np.float32)).astype(np.int64)
    of_input = np.count_nonzero(inputs, axis=1)[:, np.newaxis]
    of_weight = np.count_nonzero(weights, axis=0)
    neither = len(weights) - of_input - of_weight + both
    return np.stack([neither, of_weight - both, of_input - both, both])


def agreements(counts: IntArray, reads: BitwiseReads, rng: np.random.Generator) -> IntArray:
    """Draw how many XNORs of each unit give 1.

    Parameters
    ----------
    counts : ndarray of int64, shape (4, ...)
        Pairs of bits of each combination, from `combinations_of`.
    reads : BitwiseReads
    rng : numpy.random.Generator
        Source of errors; combinations with rates of 0 and 1 draw nothing.

    Returns
    -------
    ndarray of int64, shape (...)

    Notes
    -----
    Pairs of one combination are wrong independently of each other with one rate, so that the number of wrong
    ones is binomial. The sum over combinations therefore has exactly the distribution of a draw for each
    pair, with four draws for each unit.
    """
    right = np.array([True, False, False, True])  # XNOR
    total = np.zeros(counts.shape[1:], dtype=np.int64)
    for count, agrees, rate in zip(counts, right, np.asarray(reads.error_rate), strict=True):
        wrong = count * int(rate) if rate in (0.0, 1.0) else rng.binomial(count, rate)
        total += count - wrong if agrees else wrong
    return total


class XnorScores(NamedTuple):
    """Result of a network that computes by bitwise reads.

    Attributes
    ----------
    scores : ndarray of float, shape (images, classes)
    operations : ndarray of int64, shape (4,)
        Bitwise reads of all images, by the combination of bits.
    energy_J : float
        Their energy.
    """

    scores: FloatArray
    operations: IntArray
    energy_J: float


def xnor_class_scores(
    network: BinarizedPerceptron,
    words: Words,
    images: NDArray[np.floating[Any]],
    reads: BitwiseReads,
    rng: np.random.Generator,
) -> XnorScores:
    """Compute the scores of the classes with XNORs that may be wrong.

    Parameters
    ----------
    network : BinarizedPerceptron
        A trained one, with its normalization.
    words : ndarray of uint8, shape (parameters,)
        Stored signs, 0 or 1.
    images : ndarray of float, shape (images, pixels)
        Pixels from 0 to 1, which are rounded to bytes over 255.
    reads : BitwiseReads
    rng : numpy.random.Generator
        Source of the errors. All XNORs are independent: those of each image, plane, unit and input.

    Returns
    -------
    XnorScores

    Raises
    ------
    InputError
        If there are not as many words as weights, or a pixel is not from 0 to 1.

    Notes
    -----
    With inputs and weights of +1 and -1, a sum over n inputs is 2 c - n, where c is the number of XNORs that
    give 1. Pixels are sums over bit planes, x = Σ 2^k b_k / 255 (arXiv:1602.02830, section "First Layer").
    With b = (1 + s)/2, each plane is Σ b w = (Σ s w + Σ w)/2. Σ w belongs to the unit and is known without a
    read.
    """
    bits = _bits_of(words, network.parameters)
    pixels = np.asarray(images)
    wrong = ~((pixels >= 0.0) & (pixels <= 1.0))
    if wrong.any():
        raise InputError("pixels", value=float(pixels[wrong][0]), allowed="0 to 1")
    levels = np.rint(255.0 * pixels).astype(np.uint8)
    folded = network.folded()
    first, *rest = _layers(network, bits)
    operations = np.zeros(4, dtype=np.int64)

    def sums(inputs: BoolArray, weights: BoolArray) -> IntArray:
        nonlocal operations
        counts = combinations_of(inputs, weights)
        operations = operations + counts.sum(axis=(1, 2))
        return 2 * agreements(counts, reads, rng) - len(weights)

    of_weights = 2 * np.count_nonzero(first, axis=0) - len(first)
    planes = (
        2.0**plane * (sums((levels >> plane & 1).astype(np.bool_), first) + of_weights)
        for plane in range(PIXEL_BITS)
    )
    total: FloatArray = np.sum(list(planes), axis=0) / (2.0 * 255.0)
    for layer, threshold in zip(rest, folded.thresholds, strict=True):
        total = sums(total >= threshold, layer).astype(np.float64)
    scores = np.asarray(total * folded.factor + folded.offset, dtype=np.float64)
    return XnorScores(scores, operations, float(operations @ np.asarray(reads.energy_J)))


def _bits_of(words: Words, parameters: int) -> BoolArray:
    signs = Signs().decode(words) > 0
    if signs.shape != (parameters,):
        raise InputError(
            "shape of the words", value=signs.shape, allowed=f"({parameters},), the weights of the network"
        )
    return np.asarray(signs)


def _layers(network: BinarizedPerceptron, bits: BoolArray) -> list[BoolArray]:
    """Split the bits into layers, shapes (inputs, outputs)."""
    parts = network.layers(bits.astype(np.float32))
    return [part > 0.0 for part in parts]
