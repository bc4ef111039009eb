"""A full scale for each layer of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtjchar.errors import InputError
from mtjchar.network.encoding import Code, FixedPoint, Words
from mtjchar.network.networks import Network

__all__ = ["SPREADS", "FullScale", "LayeredFixedPoint", "initial_full_scales", "layer_sizes"]

FullScale = float | tuple[float, ...] | Literal["initial"]
"""One full scale for all parameters, one for each layer, or that of `initial_full_scales`."""

SPREADS = 3.0
"""Full scale of a layer in units of the root mean square of its initial parameters."""


@dataclass(frozen=True)
class LayeredFixedPoint:
    """Words of one length and code, with a full scale for each layer.

    Attributes
    ----------
    layers : tuple of FixedPoint
        Code of each layer, all of the same bits.
    sizes : tuple of int
        Number of parameters of each layer.

    Examples
    --------
    >>> layers = FixedPoint(4, full_scale=8.0), FixedPoint(4, full_scale=1.0)
    >>> code = LayeredFixedPoint(layers, sizes=(2, 1))
    >>> words = code.encode(np.array([3.0, -1.0, 0.25]))
    >>> words.tolist(), code.decode(words).tolist()
    ([3, 15, 2], [3.0, -1.0, 0.25])
    """

    layers: tuple[FixedPoint, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, network: Network, bits: int, full_scales: tuple[float, ...], code: Code) -> LayeredFixedPoint:
        """Make the code for a network's parameters from one full scale for each of its layers.

        Parameters
        ----------
        network : Network
            With the attribute ``layer_sizes``.
        bits, full_scales, code : int, tuple of float, str
            See `FixedPoint`.

        Raises
        ------
        InputError
            If there are more or fewer scales than layers, or the network does not define its layers.
        """
        sizes = layer_sizes(network)
        if len(full_scales) != len(sizes):
            raise InputError(
                "full_scale",
                value=full_scales,
                allowed=f"{len(sizes)} numbers, one for each layer of the network, or one number for all",
            )
        return cls(tuple(FixedPoint(bits, scale, code) for scale in full_scales), sizes)

    @property
    def bits(self) -> int:
        """Bits a word."""
        return self.layers[0].bits

    def encode(self, values: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> Words:
        """Round values to the levels of their layer and return their words, see `FixedPoint.encode`.

        Parameters
        ----------
        values : ndarray of float, shape (parameters,)
            In the order of the layers.
        rng : numpy.random.Generator, optional
            With it, stochastic rounding, each layer like a separate call; without, to the nearest level.

        Returns
        -------
        ndarray of uint8 or uint16, shape (parameters,)

        Raises
        ------
        InputError
            If a value is not a number.
        """
        words = np.empty(len(values), dtype=self.layers[0].word_dtype)
        for code, part in self._parts():
            words[part] = code.encode(values[part], rng)
        return words

    def decode(self, words: Words) -> NDArray[np.float32]:
        """Return the values of words in their layer, see `FixedPoint.decode`.

        Parameters
        ----------
        words : ndarray of uint8 or uint16, shape (parameters,)

        Returns
        -------
        ndarray of float32, shape (parameters,)

        Raises
        ------
        InputError
            If `words` are of another type or have bits beyond `bits`.
        """
        values = np.empty(len(words), dtype=np.float32)
        for code, part in self._parts():
            values[part] = code.decode(words[part])
        return values

    def _parts(self) -> Iterator[tuple[FixedPoint, slice]]:
        """Return the code of each layer, and the position of its parameters."""
        ends = list(accumulate(self.sizes))
        for code, size, end in zip(self.layers, self.sizes, ends, strict=True):
            yield code, slice(end - size, end)


def layer_sizes(network: Network) -> tuple[int, ...]:
    """Return the number of parameters of each layer, as the network defines it.

    Parameters
    ----------
    network : Network
        With the attribute ``layer_sizes``, a sequence of int, in the order of the parameters.

    Returns
    -------
    tuple of int

    Raises
    ------
    InputError
        If it has no such attribute, or its layers together do not have all the parameters.
    """
    sizes = getattr(network, "layer_sizes", None)
    if sizes is None:
        raise InputError(
            "network",
            value=type(network).__name__,
            allowed="one with the attribute layer_sizes, where each layer has a full scale",
            remedy="Give it the number of parameters of each layer, or take one full scale for all.",
        )
    if min(sizes, default=0) < 1 or sum(sizes) != network.parameters:
        raise InputError(
            "layer_sizes of the network",
            value=tuple(sizes),
            allowed=f"positive integers whose sum is its number of parameters, {network.parameters}",
        )
    return tuple(sizes)


def initial_full_scales(network: Network) -> tuple[float, ...]:
    """Choose the full scale of each layer: `SPREADS` times the root mean square of its initial parameters.

    The initial parameters are those that a generator with seed 0 draws, so that the scales follow from the
    network alone: they are the same for all seeds of a training, and words can be decoded without a seed. For
    weights with variance 2/inputs (K. He et al., ICCV 2015, doi:10.1109/ICCV.2015.123) this is `SPREADS` *
    sqrt(2/inputs), except for the biases. S. Wu et al., ICLR 2018, arXiv:1802.04680, also use that variance
    for the scale of a layer.

    Parameters
    ----------
    network : Network
        With the attribute ``layer_sizes``.

    Returns
    -------
    tuple of float
        One for each layer.

    Raises
    ------
    InputError
        If the network does not define its layers, or all initial parameters of a layer are 0.
    """
    sizes = layer_sizes(network)
    parameters = network.initial_parameters(np.random.default_rng(0)).astype(np.float64)
    scales = []
    for index, (size, end) in enumerate(zip(sizes, accumulate(sizes), strict=True)):
        root_mean_square = math.sqrt(np.mean(parameters[end - size : end] ** 2))
        if root_mean_square == 0.0:
            raise InputError(
                f"initial parameters of layer {index + 1}",
                value=0.0,
                allowed="others than 0, where full scales follow from them",
                remedy="Give a number for each layer.",
            )
        scales.append(SPREADS * root_mean_square)
    return tuple(scales)
