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
    planes,
    pure,
    results,
    tradeoff,
    trainer,
)

__all__ = [
    "allocation", "binarized", "datasets", "encoding", "inference", "ledger", "masks", "memory", "networks",
    "planes", "pure", "results", "tradeoff", "trainer",
]  # fmt: skip
