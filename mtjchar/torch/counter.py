"""Counting ones by tensor and bit plane over many writes, on the device of the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch

from mtjchar.arrays import IntArray
from mtjchar.network.encoding import Words
from mtjchar.network.planes import PlaneCounter

__all__ = ["TensorCounter"]


class TensorCounter(PlaneCounter):
    """Carry-save counters of words of several tensors, one after the other.

    Counting uses bit operations on whole arrays, whose number does not depend on data: there is no need to
    wait for a GPU until the counts are read.
    """

    def count(self, words: torch.Tensor) -> None:
        """Count the ones of `words`, all of one shape and type; they must not be changed afterwards."""
        self.add(cast("Words", words))  # which uses only bit operations

    def by_tensor(self, lengths: Sequence[int]) -> IntArray:
        """Return the numbers of ones, shape (tensors, bits), for tensors of these lengths."""
        total = np.zeros((len(lengths), self._bits), dtype=np.int64)
        for level, pair in enumerate(zip(self._sums, self._waiting, strict=True)):
            for words in pair:
                if words is not None:
                    total += self._ones(cast("torch.Tensor", words), lengths) << level
        return total

    def _ones(self, words: torch.Tensor, lengths: Sequence[int]) -> IntArray:
        planes = torch.arange(self._bits, dtype=words.dtype, device=words.device)
        tensors = words.split_with_sizes(list(lengths))
        sums = [((tensor.unsqueeze(1) >> planes) & 1).sum(0, dtype=torch.int64) for tensor in tensors]
        counts: IntArray = torch.stack(sums).cpu().numpy()
        return counts
