"""Program a trained network once, with write errors, and use it: inference only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from mtjchar.errors import InputError
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.networks import Network
from mtjchar.network.trainer import TrainingPlan

__all__ = ["InferenceResult", "program"]


@dataclass(frozen=True)
class InferenceResult:
    """What a network does that was programmed once.

    Attributes
    ----------
    test_accuracy : float
        Fraction of the test images recognized.
    ledger : WriteLedger
        Writes of the programming; `failed` are the bits that are wrong now.
    programming_energy_J : float
        Energy of those writes, J.
    words : ndarray of uint8 or uint16, shape (parameters,)
        What the memory holds.
    """

    test_accuracy: float
    ledger: WriteLedger
    programming_energy_J: float
    words: Words


def program(
    dataset: Dataset,
    plan: TrainingPlan,
    words: Words,
    conditions: WriteConditions,
    seed: int,
    network: Network | None = None,
) -> InferenceResult:
    """Write a trained network into a memory once and test what came out.

    Before, every cell is in P or AP with equal chance, as another program may have left it: half of the
    bits have to switch, so that the fraction of wrong bits is half of the error rate. Reading is free and
    without errors.

    What the cells held before, the write failures and, where error rates are of devices, the choice of a
    device for each cell have a random generator each: runs with the same seed and other conditions share
    all but the failures.

    Parameters
    ----------
    dataset : Dataset
        Its test images are recognized.
    plan : TrainingPlan
        Network and code of the words.
    words : ndarray of uint8 or uint16, shape (parameters,)
        What to program, as `TrainingResult.words`.
    conditions : WriteConditions
        Error rates and energies of every write.
    seed : int
        Seed of all randomness, 0 or more.
    network : Network, optional
        What computes with the words, as `TrainingResult.network`; the plan's if not given. A binarized one
        has to be given: its thresholds were learnt and are not in the memory, nor do they get errors.

    Returns
    -------
    InferenceResult

    Raises
    ------
    InputError
        If `seed` is negative, a binarized network is missing, or `words` are not those of the network.
    """
    if seed < 0:
        raise InputError("seed", value=seed, allowed="an integer, 0 or more")
    if network is None:
        if plan.binarized:
            raise InputError(
                "network",
                value=None,
                allowed="the trained network, for a binarized one has thresholds outside of the memory",
                remedy="Give the network of the TrainingResult.",
            )
        network = plan.network_for(dataset)
    code = plan.code_for(network)
    words = check_words(words, code.bits)
    if words.shape != (network.parameters,):
        raise InputError(
            "shape of the words",
            value=words.shape,
            allowed=f"({network.parameters},), the parameters of the network",
        )
    before_rng, failure_rng, device_rng = (
        np.random.Generator(np.random.SFC64(child)) for child in np.random.SeedSequence(seed).spawn(3)
    )
    devices = None
    if conditions.device_weight is not None:
        weight = np.asarray(conditions.device_weight)
        devices = draw_devices(weight, network.parameters, code.bits, device_rng)
    before = before_rng.integers(0, 1 << code.bits, words.shape, dtype=words.dtype)
    memory = ApproximateMemory(before, code.bits, devices)
    memory.write(words, conditions, failure_rng)
    ledger = memory.ledger
    # One thread, as in training: the sums are the same with any number of cores.
    with threadpool_limits(1, user_api="blas"):
        scores = network.class_scores(code.decode(memory.words), dataset.test_images)
    return InferenceResult(
        test_accuracy=float(np.mean(scores.argmax(axis=1) == dataset.test_labels)),
        ledger=ledger,
        programming_energy_J=ledger.energy_J(conditions),
        words=memory.words,
    )
