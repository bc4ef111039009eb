"""Networks that are trained in approximate memory."""

from mtjchar.network import (
    allocation,
    binarized,
    binarized_training,
    datasets,
    encoding,
    finetuning,
    inference,
    ledger,
    masks,
    memory,
    networks,
    optimizers,
    planes,
    pure,
    results,
    retention,
    scales,
    tradeoff,
    trainer,
)

__all__ = [
    "allocation", "binarized", "binarized_training", "datasets", "encoding", "finetuning", "inference",
    "ledger", "masks", "memory", "networks", "optimizers", "planes", "pure", "results", "retention", "scales",
    "tradeoff", "trainer",
]  # fmt: skip
