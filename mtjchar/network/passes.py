"""Reads of a memory by the passes that compute with it: forward and backward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np

from mtjchar.errors import InputError
from mtjchar.network.encoding import Words
from mtjchar.network.memory import ApproximateMemory
from mtjchar.network.reads import ReadConditions

__all__ = ["COMPUTING_READS", "PASSES", "ComputingReads", "PassReads", "reads_of_epoch"]

ComputingReads = Literal["batch", "image"]
COMPUTING_READS: tuple[ComputingReads, ...] = get_args(ComputingReads)
"""How often the computing passes read the memory: once for all images of a batch, or for each image."""

PASSES = 2
"""Reads for a batch or an image: forward and backward pass."""


def reads_of_epoch(images: int, batch_size: int, each: ComputingReads) -> int:
    """Count how often the passes of an epoch read all cells.

    Examples
    --------
    >>> reads_of_epoch(250, 100, "batch"), reads_of_epoch(250, 100, "image")
    (6, 500)
    """
    return PASSES * (images if each == "image" else math.ceil(images / batch_size))


@dataclass(frozen=True, eq=False)
class PassReads:
    """Reads of the passes that compute.

    Attributes
    ----------
    reads : ReadConditions
        With rates of the population.
    each : {"batch", "image"}
        Whether the memory is read once for all images of a batch, or once for each image.

    Raises
    ------
    InputError
        If `each` is another word.
    """

    reads: ReadConditions
    each: ComputingReads = "batch"

    def __post_init__(self) -> None:
        if self.each not in COMPUTING_READS:
            raise InputError("each", value=self.each, allowed=" or ".join(COMPUTING_READS))

    def of_batch(
        self, memory: ApproximateMemory, images: int, rng: np.random.Generator
    ) -> Iterator[tuple[slice, Words]]:
        """Read the memory for the forward and the backward pass of a batch.

        Both passes compute with one of the reads. All reads can flip bits.

        Parameters
        ----------
        memory : ApproximateMemory
        images : int
            Images of the batch.
        rng : numpy.random.Generator
            Source of errors and flips; rates of 0 draw nothing.

        Yields
        ------
        slice, ndarray of uint8 or uint16
            Some of the images, and the words that they are computed with. Neighbouring images without wrong
            reads have them together.
        """
        if self.each == "batch" or self.reads.never_wrong:
            times = PASSES * (images if self.each == "image" else 1)
            yield slice(0, images), memory.read(self.reads, rng, times)
            return
        seen = [memory.read(self.reads, rng, PASSES) for _ in range(images)]
        for _, group in groupby(range(images), key=lambda image: id(seen[image])):
            same = list(group)
            yield slice(same[0], same[-1] + 1), seen[same[0]]
