"""Training with `mtjchar.torch`: an epoch with parameters in memory against one with plain parameters."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.timing import Candidates, timed
from benchmarks.torch_memory import BATCH, FULL_SCALE, HIDDEN
from mtjchar.network.datasets import load_dataset
from mtjchar.network.ledger import WriteConditions

RATES = (0.0, 1e-3, 0.05, 0.5)


def perceptron(images: NDArray[np.float32], labels: NDArray[np.int64], rate: float | None) -> None:
    """Train the default plan's network for an epoch, on one thread; without a rate with plain parameters."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(1)
        model = torch.nn.Sequential(
            torch.nn.Linear(images.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 10)
        )
        _train(model, torch.from_numpy(images), torch.from_numpy(labels), rate, full_scale=FULL_SCALE)
    finally:
        torch.set_num_threads(threads)


def tables() -> list[Table]:
    """Time a small convolutional network on all cores, and a ResNet-20 where there is a GPU."""
    import torch

    dataset = load_dataset("fashion-mnist")
    count = 10_000
    images = torch.from_numpy(dataset.train_images[:count]).view(-1, 1, *dataset.image_shape)
    labels = torch.from_numpy(dataset.train_labels[:count])
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    try:
        title = f"Convolutional network in PyTorch, {count:,} images, {torch.get_num_threads()} threads"
        made = [timed(title, "epoch", _candidates(lambda: _convolutional(torch), images, labels))]
    finally:
        torch.set_num_threads(threads)
    if torch.cuda.is_available():
        made.append(_on_gpu(torch))
    return made


def _on_gpu(torch: Any) -> Table:
    """Time a ResNet-20 on images of the size of CIFAR-10's; what they show makes no difference."""
    device = torch.device("cuda")
    images = torch.rand(20_000, 3, 32, 32, device=device)
    labels = torch.randint(0, 10, (len(images),), device=device)
    name = torch.cuda.get_device_name(device)
    title = f"ResNet-20 on {name}, {len(images):,} images of 3 x 32 x 32"
    return timed(title, "epoch", _candidates(lambda: resnet20().to(device), images, labels))


def _candidates(make: Callable[[], Any], images: Any, labels: Any) -> Candidates:
    def epoch(rate: float | None) -> Callable[[], object]:
        return lambda: _train(make(), images, labels, rate)

    in_memory: Candidates = {f"mtjchar.torch, error rate {rate:g}": (epoch(rate), 1) for rate in RATES}
    return {"plain float32 parameters": (epoch(None), 1), **in_memory}


def _train(model: Any, images: Any, labels: Any, rate: float | None, full_scale: float | None = None) -> None:
    import torch

    from mtjchar.torch import MemoryParameters

    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    if rate is not None:
        conditions = WriteConditions((rate, rate), (1e-12, 1e-12), (1e-12, 1e-12))
        MemoryParameters(model, conditions, full_scale=full_scale, seed=1).attach(optimizer)
    order = torch.randperm(len(images), device=images.device)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        optimizer.zero_grad()
        loss: Any = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    if images.is_cuda:
        torch.cuda.synchronize()


def _convolutional(torch: Any) -> Any:
    """Make the network of `PLANS["convolutional"]`."""
    nn = torch.nn
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 10),
    )  # fmt: skip


def resnet20() -> Any:
    """Make a ResNet-20 for 3 x 32 x 32 pixels (K. He et al., CVPR 2016, arXiv:1512.03385, section 4.2).

    Shortcuts to more channels are of kind A: every second pixel, and channels of zeros.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels: int, out: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
            self.second = nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.norms = nn.ModuleList([nn.BatchNorm2d(out), nn.BatchNorm2d(out)])
            self.stride, self.more = stride, out - channels

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.norms[0](self.first(x)))
            y = self.norms[1](self.second(y))
            if self.more:
                x = nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
            return torch.relu(x + y)

    torch.manual_seed(1)
    blocks, channels = [], 16
    for out in (16, 32, 64):
        for _ in range(3):
            blocks.append(Block(channels, out, 1 if out == channels else 2))
            channels = out
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
