"""Networks that are trained in approximate memory."""

from mtjchar.network import (
    allocation,
    binarized,
    datasets,
    encoding,
    inference,
    ledger,
    masks,
    memory,
    networks,
    optimizers,
    planes,
    results,
    scales,
    tradeoff,
    trainer,
)

__all__ = [
    "allocation", "binarized", "datasets", "encoding", "inference", "ledger", "masks", "memory", "networks",
    "optimizers", "planes", "results", "scales", "tradeoff", "trainer",
]  # fmt: skip
