"""Training in approximate memory as one would write it with PyTorch, masks drawn bit by bit.

Same experiment as `mtjchar.network.trainer.train` with the default plan: 100 rectified units,
batches of 100, every weight an 8-bit word in two's complement that is written in each update, stochastic
rounding, counts of writes by kind. torch is an optional extra, `pip install mtjchar[bench]`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSTALLED = find_spec("torch") is not None
BITS = 8
LSB = 0.2 / 2 ** (BITS - 1)
HIDDEN, BATCH, LEARNING_RATE = 100, 100, 0.3


def epoch(
    images: NDArray[np.float32], labels: NDArray[np.int64], error_rates: tuple[float, float], seed: int
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
        return _epoch(torch, images, labels, error_rates, seed)
    finally:
        torch.set_num_threads(threads)


def _epoch(
    torch: Any, images: NDArray[Any], labels: NDArray[Any], error_rates: tuple[float, float], seed: int
) -> tuple[float, NDArray[np.int64]]:
    torch.manual_seed(seed)
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    classes = int(targets.max()) + 1
    model = torch.nn.Sequential(
        torch.nn.Linear(images.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, classes)
    )
    loss_function = torch.nn.CrossEntropyLoss()
    memory = []
    with torch.no_grad():
        for values in model.parameters():
            if values.ndim == 2:
                torch.nn.init.kaiming_normal_(values)
            else:
                values.zero_()
            words = torch.round(values / LSB).clamp(-128, 127).to(torch.int8)
            values.copy_(words * LSB)
            memory.append(words)
    counts = torch.zeros(3, 2, dtype=torch.int64)
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
                memory[index] = _write(torch, memory[index], levels.to(torch.int8), error_rates, counts)
                values.copy_(memory[index] * LSB)
    return total / len(inputs), counts.numpy()


def _write(torch: Any, old: Any, new: Any, error_rates: tuple[float, float], counts: Any) -> Any:
    """Write words; a random number for each bit decides whether it would fail."""
    old, new = old.view(torch.uint8), new.view(torch.uint8)
    stored = new.clone()
    for bit in range(BITS):
        was, is_one = (old >> bit) & 1 == 1, (new >> bit) & 1 == 1
        mask = torch.rand(new.shape)
        for kind, (written, rate) in enumerate(zip((is_one, ~is_one), error_rates, strict=True)):
            switching = written & (was != is_one)
            failed = switching & (mask < rate)
            stored ^= failed.to(torch.uint8) << bit
            counts[0, kind] += switching.sum()
            counts[1, kind] += (written & ~switching).sum()
            counts[2, kind] += failed.sum()
    return stored.view(torch.int8)
