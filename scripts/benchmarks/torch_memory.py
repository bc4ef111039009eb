"""Training in approximate memory as one would write it with PyTorch by hand.

Same experiment as `mtjchar.network.trainer.train` with the default plan: 100 rectified units,
batches of 100, every weight an 8-bit word in two's complement that is written in each update, stochastic
rounding, counts of writes by kind. torch is an optional extra, `pip install mtjchar[bench]`.

There are two ways to write. The dense one draws a random number for each bit of each update and counts bits.
The sparse one draws the places of failures, by geometric gaps, and counts pairs of old and new words.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSTALLED = find_spec("torch") is not None
BITS = 8
FULL_SCALE = 0.2
LSB = FULL_SCALE / 2 ** (BITS - 1)
HIDDEN, BATCH, LEARNING_RATE = 100, 100, 0.3


def epoch(
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    error_rates: tuple[float, float],
    seed: int,
    *,
    sparse: bool = False,
) -> tuple[float, NDArray[np.int64]]:
    """Train for one epoch on one thread of the CPU.

    Parameters
    ----------
    images : ndarray of float32, shape (images, pixels)
        Pixels from 0 to 1.
    labels : ndarray of int64, shape (images,)
        Classes, from 0 on.
    error_rates : tuple of float
        Of writing 1 over 0 and of writing 0 over 1.
    seed : int
        Seed of all randomness.
    sparse : bool, optional
        Whether places of failures are drawn, and not a number for each bit.

    Returns
    -------
    loss : float
        Mean over the epoch, nat.
    counts : ndarray of int64, shape (3, 2)
        Switching, redundant and failed writes of a 1 and of a 0.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        memory = (_Sparse if sparse else _Dense)(torch, error_rates)
        return _epoch(torch, images, labels, memory, seed), memory.counts()
    finally:
        torch.set_num_threads(threads)


def _epoch(
    torch: Any, images: NDArray[Any], labels: NDArray[Any], memory: _Dense | _Sparse, seed: int
) -> float:
    torch.manual_seed(seed)
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    classes = int(targets.max()) + 1
    model = torch.nn.Sequential(
        torch.nn.Linear(images.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, classes)
    )
    loss_function = torch.nn.CrossEntropyLoss()
    stored = []
    with torch.no_grad():
        for values in model.parameters():
            if values.ndim == 2:
                torch.nn.init.kaiming_normal_(values)
            else:
                values.zero_()
            words = torch.round(values / LSB).clamp(-128, 127).to(torch.int8)
            values.copy_(words * LSB)
            stored.append(words.view(torch.uint8))
    total = 0.0
    for batch in torch.randperm(len(inputs)).split(BATCH):
        loss = loss_function(model(inputs[batch]), targets[batch])
        total += loss.item() * len(batch)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for index, values in enumerate(model.parameters()):
                levels = (values - LEARNING_RATE * values.grad) / LSB
                levels = torch.floor(levels + torch.rand_like(levels)).clamp(-128, 127)
                stored[index] = memory.write(stored[index], levels.to(torch.int8).view(torch.uint8))
                values.copy_(stored[index].view(torch.int8) * LSB)
    return total / len(inputs)


class _Dense:
    """A random number for each bit decides whether it would fail."""

    def __init__(self, torch: Any, error_rates: tuple[float, float]) -> None:
        self._torch, self._rates = torch, error_rates
        self._counts = torch.zeros(3, 2, dtype=torch.int64)

    def write(self, old: Any, new: Any) -> Any:
        stored = new.clone()
        for bit in range(BITS):
            was, is_one = (old >> bit) & 1 == 1, (new >> bit) & 1 == 1
            mask = self._torch.rand(new.shape)
            for kind, (written, rate) in enumerate(zip((is_one, ~is_one), self._rates, strict=True)):
                switching = written & (was != is_one)
                failed = switching & (mask < rate)
                stored ^= failed.to(new.dtype) << bit
                self._counts[0, kind] += switching.sum()
                self._counts[1, kind] += (written & ~switching).sum()
                self._counts[2, kind] += failed.sum()
        return stored

    def counts(self) -> NDArray[np.int64]:
        return np.asarray(self._counts.numpy())


class _Sparse:
    """Places of failures are drawn; pairs of words are counted."""

    def __init__(self, torch: Any, error_rates: tuple[float, float]) -> None:
        self._torch, self._highest = torch, max(error_rates)
        self._rates = torch.tensor(error_rates, dtype=torch.float64)
        self._pairs = torch.zeros(1 << 2 * BITS, dtype=torch.int64)
        self._failed = torch.zeros(2, dtype=torch.int64)

    def write(self, old: Any, new: Any) -> Any:
        torch = self._torch
        old, stored = old.reshape(-1), new.reshape(-1).clone()
        self._pairs += torch.bincount(old.int() << BITS | stored, minlength=len(self._pairs))
        count = BITS * len(stored)
        expected = count * self._highest
        # Nine deviations more than a mean write needs.
        gaps = torch.empty(int(expected + 9 * math.sqrt(expected)) + 20, dtype=torch.float64)
        places = gaps.geometric_(self._highest).cumsum(0).long() - 1
        places = places[places < count]
        word, bit = places // BITS, places % BITS
        to_zero = 1 - (stored[word] >> bit & 1)
        fails = (old[word] >> bit & 1) == to_zero
        fails &= torch.rand(len(places), dtype=torch.float64) * self._highest < self._rates[to_zero.int()]
        # A bit that was to become 0 is put back, one that was to become 1 taken off; modulo 256.
        stored.index_add_(0, word[fails], ((2 * to_zero - 1) << bit)[fails].to(stored.dtype))
        self._failed += torch.bincount(to_zero[fails], minlength=2)
        return stored.view(new.shape)

    def counts(self) -> NDArray[np.int64]:
        old, new = np.divmod(np.arange(1 << 2 * BITS)[:, None], 1 << BITS)
        was, want = (words >> np.arange(BITS) & 1 for words in (old, new))
        pairs = self._pairs.numpy()[:, None]
        kinds = [
            [(pairs * (one & (want == value))).sum() for value in (1, 0)]
            for one in (was != want, was == want)
        ]
        return np.array([*kinds, self._failed.tolist()])
