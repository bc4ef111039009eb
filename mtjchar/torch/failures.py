"""Failing bits of a write: drawn by positions if few fail, or by a number for each bit on a GPU."""

from __future__ import annotations

import math

import numpy as np
import torch

from mtjchar.network.ledger import WriteConditions

__all__ = ["DenseDraws", "SparseDraws", "draws_for"]

# Error rate up to which the gaps between failures are drawn; above it one number for each changing bit.
_RARE = 0.01

# Words per draw on a GPU: 100 MB of random numbers for words of 8 bits.
_CHUNK = 1 << 20


class _Draws:
    """Common part of both methods: error rates as a table on the device of the words.

    Parameters
    ----------
    conditions : WriteConditions
        Error rates of the writes.
    bits : int
        Cells per word.
    generator : torch.Generator
        Source of the failures.
    device : torch.device
        That of the generator and the words.
    """

    def __init__(
        self, conditions: WriteConditions, bits: int, generator: torch.Generator, device: torch.device
    ) -> None:
        rates = conditions.rates
        rates = np.broadcast_to(rates, (*rates.shape[:-2], bits, 2))
        self._highest = float(rates.max())
        self._all_equal = bool((rates == self._highest).all())
        self._of_devices = rates.ndim == 3
        self._bits, self._generator = bits, generator
        # float64: random numbers of float32 have steps of 6e-8, and error rates can be lower.
        self._rates = torch.from_numpy(rates.reshape(-1, 2).copy()).to(device)

    @property
    def none(self) -> bool:
        """Whether no bit ever fails."""
        return self._highest == 0.0


class SparseDraws(_Draws):
    """Failures by their positions, for words in the memory of the CPU."""

    def failed(
        self, changed: torch.Tensor, wanted: torch.Tensor, device_of_cell: torch.Tensor | None
    ) -> torch.Tensor:
        """Draw which of the changing bits keep their value.

        Parameters
        ----------
        changed, wanted : Tensor of uint8 or int16, shape (words,)
            Bits that have to switch, as ones, and the words to write.
        device_of_cell : Tensor of int32, shape (words, bits), or None
            Device of each cell, with error rates of devices.

        Returns
        -------
        Tensor
            The failures, as ones; type and shape of `changed`.
        """
        shift = 2 + changed.itemsize  # binary logarithm of the number of bits in a word
        place, chance = self._candidates(changed, shift)
        word, plane = place >> shift, place & ((1 << shift) - 1)
        if chance == 1.0 or not self._all_equal:
            entry = plane
            if self._of_devices:
                assert device_of_cell is not None
                entry = entry + self._bits * device_of_cell.view(-1)[word * self._bits + plane]
            to_zero = 1 - (wanted[word] >> plane & 1)
            rate = self._rates.view(-1)[2 * entry + to_zero]
            drawn = torch.rand(len(place), dtype=torch.float64, generator=self._generator)
            fails = drawn * chance < rate
            word, plane = word[fails], plane[fails]
        # The bits are different ones: their sum contains all of them.
        return torch.zeros_like(changed).index_add_(0, word, (1 << plane).to(changed.dtype))

    def _candidates(self, changed: torch.Tensor, shift: int) -> tuple[torch.Tensor, float]:
        """Draw changing bits, each with the highest rate, or return all; also return that probability."""
        if self._highest <= _RARE:
            place = self._by_gaps(changed.numel() << shift)
            ones = changed[place >> shift] >> (place & ((1 << shift) - 1)) & 1
            return place[ones.bool()], self._highest
        # numpy shares the memory, and its search for ones is ten times as fast.
        words = changed.numpy()
        where = np.flatnonzero(words)
        ones_there = np.unpackbits(words.take(where).view(np.uint8), bitorder="little").view(np.bool_)
        among = np.flatnonzero(ones_there)
        return torch.from_numpy((where.take(among >> shift) << shift) + (among & ((1 << shift) - 1))), 1.0

    def _by_gaps(self, count: int) -> torch.Tensor:
        """Draw positions out of `count`, each with the highest rate, like `masks.random_places`."""
        mean_gap = -1.0 / math.log1p(-self._highest)
        expected = count * self._highest
        size = int(expected + 3.0 * math.sqrt(expected)) + 2
        parts, last = [], -1
        while last < count:
            gaps = torch.empty(size, dtype=torch.float64).exponential_(generator=self._generator)
            # int64 could not hold the gaps of the lowest rates; beyond the end the distance does not matter.
            steps = gaps.mul_(mean_gap).clamp_(max=count).to(torch.int64).add_(1)
            steps[0] += last
            parts.append(steps.cumsum_(0))
            last = int(steps[-1])
        places = torch.cat(parts)
        return places[: int(torch.searchsorted(places, count))]


class DenseDraws(_Draws):
    """Failures by a random number for each bit, in a few calls of fixed shapes, without waiting for a GPU."""

    def __init__(
        self, conditions: WriteConditions, bits: int, generator: torch.Generator, device: torch.device
    ) -> None:
        super().__init__(conditions, bits, generator, device)
        # One row per plane.
        self._planes = torch.arange(bits, device=device).unsqueeze(1)

    def failed(
        self, changed: torch.Tensor, wanted: torch.Tensor, device_of_cell: torch.Tensor | None
    ) -> torch.Tensor:
        """Draw which of the changing bits keep their value; see `SparseDraws.failed`."""
        failed = torch.empty_like(changed)
        for start in range(0, len(changed), _CHUNK):
            part = slice(start, start + _CHUNK)
            devices = None if device_of_cell is None else device_of_cell[part]
            failed[part] = self._any(wanted[part], devices)
        return failed & changed

    def _any(self, wanted: torch.Tensor, device_of_cell: torch.Tensor | None) -> torch.Tensor:
        """Draw which bits fail if they have to switch."""
        planes = self._planes.to(wanted.dtype)
        to_one = (wanted >> planes & 1).bool()
        if self._of_devices:
            assert device_of_cell is not None
            rate = self._rates[self._planes + self._bits * device_of_cell.T]
            to_one_rate, to_zero_rate = rate.unbind(-1)
        else:
            to_one_rate, to_zero_rate = self._rates[:, :1], self._rates[:, 1:]
        drawn = torch.rand(to_one.shape, dtype=torch.float64, generator=self._generator, device=wanted.device)
        fails = drawn < torch.where(to_one, to_one_rate, to_zero_rate)
        return (fails.to(wanted.dtype) << planes).sum(0, dtype=wanted.dtype)


def draws_for(
    conditions: WriteConditions, bits: int, generator: torch.Generator, device: torch.device
) -> SparseDraws | DenseDraws:
    """Choose by the device: positions on a CPU, a number for each bit on other devices."""
    kind = SparseDraws if device.type == "cpu" else DenseDraws
    return kind(conditions, bits, generator, device)
