"""Inference with a network that was programmed once, with write errors, at once or years later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mtjchar.arrays import FloatArray
from mtjchar.errors import InputError
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import Words, check_words
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.networks import Network
from mtjchar.network.planes import count_ones
from mtjchar.network.retention import ReadConditions, Retention
from mtjchar.network.trainer import TrainingPlan
from mtjchar.physics.two_state import flip_probabilities
from mtjchar.statistics import mean_half_width

__all__ = ["InferenceResult", "infer_over_time", "program", "recognition_rate"]


@dataclass(frozen=True)
class InferenceResult:
    """Result of a network that was programmed once.

    Attributes
    ----------
    test_accuracy : float
        Fraction of the test images recognized.
    ledger : WriteLedger
        Writes of the programming; `failed` are the wrong bits.
    programming_energy_J : float
        Energy of those writes, J.
    words : ndarray of uint8 or uint16, shape (parameters,)
        Content of the memory after the programming.
    reading_energy_J : float
        Energy of one read of all words, J; 0 without reads.
    """

    test_accuracy: float
    ledger: WriteLedger
    programming_energy_J: float
    words: Words
    reading_energy_J: float = 0.0


def program(
    dataset: Dataset,
    plan: TrainingPlan,
    words: Words,
    conditions: WriteConditions,
    seed: int,
    network: Network | None = None,
    reads: ReadConditions | None = None,
) -> InferenceResult:
    """Write a trained network into a memory once and test it.

    Initially, every cell is in P or AP with equal probability, as after any other content. Half of the
    bits therefore have to switch, so that the fraction of wrong bits is half of the error rate. All test
    images are computed with one read of the memory.

    The initial content, the write failures and, with error rates of devices, the choice of a
    device for each cell each have their own random generator: runs with the same seed and other conditions
    differ only in the failures.

    Parameters
    ----------
    dataset : Dataset
        Its test images are recognized.
    plan : TrainingPlan
        Network and code of the words.
    words : ndarray of uint8 or uint16, shape (parameters,)
        Words to program, as `TrainingResult.words`.
    conditions : WriteConditions
        Error rates and energies of every write.
    seed : int
        Seed of all randomness, 0 or more.
    network : Network, optional
        Network that computes with the words, as `TrainingResult.network`; default: the plan's. A binarized
        one must be given: its thresholds were learned and are not in the memory, so they have no errors.
    reads : ReadConditions, optional
        Errors and energy of the read, means of the population; default: none.

    Returns
    -------
    InferenceResult

    Raises
    ------
    InputError
        If `seed` is negative, a binarized network is missing, `words` do not fit the network, or `reads` have
        rates of devices.
    """
    network = _computing_network(network, dataset, plan)
    chip = _Chip.programmed(network, plan, words, conditions, conditions.device_weight, seed)
    ledger, stored = chip.memory.ledger, chip.memory.words
    reads = reads or ReadConditions()
    seen = chip.memory.read(reads, chip.read_rng)
    ones = int(count_ones(stored, plan.bits).sum())
    return InferenceResult(
        test_accuracy=recognition_rate(dataset, plan, seen, network),
        ledger=ledger,
        programming_energy_J=ledger.energy_J(conditions),
        words=stored,
        reading_energy_J=float(reads.energy_of([plan.bits * stored.size - ones, ones]).sum()),
    )


def recognition_rate(
    dataset: Dataset, plan: TrainingPlan, words: Words, network: Network | None = None
) -> float:
    """Test a network with the words of a memory.

    Parameters
    ----------
    dataset : Dataset
        Its test images are recognized.
    plan : TrainingPlan
        Network and code of the words.
    words : ndarray of uint8 or uint16, shape (parameters,)
        As `TrainingResult.words`.
    network : Network, optional
        Network that computes with the words, as for `program`.

    Returns
    -------
    float
        Fraction of the images that is recognized.

    Raises
    ------
    InputError
        If a binarized network is missing.
    """
    network = _computing_network(network, dataset, plan)
    parameters = plan.code_for(network).decode(words)
    # One thread, as in training: the sums do not depend on the number of cores.
    with threadpool_limits(1, user_api="blas"):
        scores = network.class_scores(parameters, dataset.test_images)
    return float(np.mean(scores.argmax(axis=1) == dataset.test_labels))


def _computing_network(network: Network | None, dataset: Dataset, plan: TrainingPlan) -> Network:
    """Return the network, by default the plan's; the thresholds of a binarized one are not in the plan."""
    if network is None and plan.binarized:
        raise InputError(
            "network",
            value=None,
            allowed="the trained network, for a binarized one has thresholds outside of the memory",
            remedy="Give the network of the TrainingResult.",
        )
    return network or plan.network_for(dataset)


def infer_over_time(
    dataset: Dataset,
    plan: TrainingPlan,
    trained: Sequence[Words],
    conditions: WriteConditions,
    retention: Retention,
    *,
    time_s: npt.ArrayLike,
    reads: npt.ArrayLike = 0,
    read_conditions: ReadConditions | None = None,
    networks: Sequence[Network] | None = None,
) -> pd.DataFrame:
    """Program trained networks once, let time pass, read them, and recognize the test images.

    Each bit can flip over the barrier and by disturb of the reads, in both directions, see
    `mtjchar.physics.two_state`. The reads are equally spaced, the last at the end of the time. Then the
    network is read once more, with read errors, and computes. If any rate is given per device, each cell is
    permanently one device: a cell with a high write error rate may also have a short retention.

    Programming is that of `program` with seeds 0, 1, 2, ..., bit for bit. A cell has one random number for
    its flips and one for its read errors, at all times. Each row of the table is therefore exact by itself,
    and rows differ only by their conditions.

    Parameters
    ----------
    dataset : Dataset
        Its test images are recognized.
    plan : TrainingPlan
        Network and code of the words.
    trained : sequence of ndarray of uint8 or uint16, each of shape (parameters,)
        Words to program, one network for each seed, at least two; for an interval over programmings alone use
        the same words several times.
    conditions : WriteConditions
        Error rates of the programming.
    retention : Retention
        Rates at which the cells lose their state.
    time_s : array_like of float
        Times after the programming, s, at least 0; infinity is allowed.
    reads : array_like of int, optional
        Reads of every cell before the computing one; broadcasts with `time_s`. A network that is read
        once per image or batch has as many reads as images or batches.
    read_conditions : ReadConditions, optional
        Errors and disturb of a read; default: neither.
    networks : sequence of Network, optional
        Networks that compute with the words of each of `trained`, as for `program`.

    Returns
    -------
    DataFrame
        A row for each time and number of reads: time_s, reads, wrong_bits_fraction (mean over seeds, of the
        bits that the network computes with, compared with those of `trained`), accuracy_mean, accuracy_ci95
        (half
        width, Student's t), accuracy_drop_points (mean paired difference to the trained network) and
        accuracy_drop_ci95, seeds.

    Raises
    ------
    InputError
        If there are fewer than two networks, one does not have the shape or type of the plan's, binarized
        ones are missing, a time or a number of reads is out of range, or rates belong to different devices.

    Notes
    -----
    All test images are recognized with one read of the network. With a read for each image the mean
    accuracy is the same, and its scatter smaller.
    """
    if len(trained) < 2:
        raise InputError(
            "number of trained networks", value=len(trained), allowed="2 or more, for an interval"
        )
    if networks is None:
        networks = [_computing_network(None, dataset, plan)] * len(trained)
    if len(networks) != len(trained):
        raise InputError(
            "number of networks", value=len(networks), allowed=f"{len(trained)}, as of `trained`"
        )
    read_conditions = read_conditions or ReadConditions()
    weight = _one_population(conditions, retention, read_conditions)
    times, counts = np.broadcast_arrays(np.asarray(time_s, dtype=np.float64), np.asarray(reads))
    flips = [
        flip_probabilities(retention.escape_rate, read_conditions.disturb_rate, time, count)
        for time, count in zip(times.flat, counts.flat, strict=True)
    ]
    bits = plan.bits
    wrong, accuracy = np.empty((2, len(trained), len(flips)))
    ideal = np.empty((len(trained), 1))
    for seed, (words, network) in enumerate(zip(trained, networks, strict=True)):
        chip = _Chip.programmed(network, plan, words, conditions, weight, seed)
        ideal[seed] = recognition_rate(dataset, plan, words, network)
        for row, seen in enumerate(chip.seen(flips, np.asarray(read_conditions.error_rate))):
            wrong[seed, row] = count_ones(seen ^ words, bits).sum() / (bits * words.size)
            accuracy[seed, row] = recognition_rate(dataset, plan, seen, network)
    drop = 100.0 * (ideal - accuracy)
    return pd.DataFrame(
        {
            "time_s": times.ravel(),
            "reads": counts.ravel(),
            "wrong_bits_fraction": wrong.mean(axis=0),
            "accuracy_mean": accuracy.mean(axis=0),
            "accuracy_ci95": [mean_half_width(column) for column in accuracy.T],
            "accuracy_drop_points": drop.mean(axis=0),
            "accuracy_drop_ci95": [mean_half_width(column) for column in drop.T],
            "seeds": len(trained),
        }
    )


@dataclass(frozen=True, eq=False)
class _Chip:
    """A programmed memory, the devices of its cells, and their random numbers."""

    memory: ApproximateMemory
    devices: NDArray[np.uint32] | None
    flip_rng: np.random.Generator
    read_rng: np.random.Generator

    @classmethod
    def programmed(
        cls,
        network: Network,
        plan: TrainingPlan,
        words: Words,
        conditions: WriteConditions,
        weight: npt.ArrayLike | None,
        seed: int,
    ) -> _Chip:
        """Write words over a random content; `weight` is that of the devices, if cells are devices."""
        if seed < 0:
            raise InputError("seed", value=seed, allowed="an integer, 0 or more")
        code = plan.code_for(network)
        words = check_words(words, code.bits)
        if words.shape != (network.parameters,):
            raise InputError(
                "shape of the words",
                value=words.shape,
                allowed=f"({network.parameters},), the parameters of the network",
            )
        before_rng, failure_rng, device_rng, flip_rng, read_rng = (
            np.random.Generator(np.random.SFC64(child)) for child in np.random.SeedSequence(seed).spawn(5)
        )
        devices = None
        if weight is not None:
            devices = draw_devices(np.asarray(weight), network.parameters, code.bits, device_rng)
        before = before_rng.integers(0, 1 << code.bits, words.shape, dtype=words.dtype)
        memory = ApproximateMemory(before, code.bits, devices)
        memory.write(words, conditions, failure_rng)
        return cls(memory, devices, flip_rng, read_rng)

    def seen(self, flip_probabilities: Iterable[FloatArray], error_rate: FloatArray) -> Iterator[Words]:
        """Return the result of a read after bits have flipped; all arrays of shape (2,) or (devices, 2)."""
        words, planes = self.memory.words, np.arange(self.memory.bits, dtype=self.memory.words.dtype)
        programmed = (words[:, np.newaxis] >> planes) & 1
        chance, read_chance = (rng.random(programmed.shape) for rng in (self.flip_rng, self.read_rng))
        for probability in flip_probabilities:
            bits = programmed ^ (chance < self._of_cells(probability, programmed))
            bits ^= read_chance < self._of_cells(error_rate, bits)
            yield (bits << planes).sum(axis=1, dtype=words.dtype)

    def _of_cells(self, rate: FloatArray, bits: NDArray[np.integer]) -> FloatArray:
        """Select the rate of each cell in its present state."""
        if rate.ndim == 1:
            return np.asarray(rate.take(bits))
        assert self.devices is not None
        return np.asarray(rate[self.devices, bits])


def _one_population(
    conditions: WriteConditions, retention: Retention, reads: ReadConditions
) -> FloatArray | None:
    """Weights of the devices of the cells, None if all cells are equal."""
    weights = [
        np.asarray(weight)
        for weight in (conditions.device_weight, retention.device_weight)
        if weight is not None
    ]
    if len(weights) == 2 and not np.array_equal(weights[0], weights[1]):
        raise InputError(
            "device_weight of retention",
            value=f"{len(weights[1])} weights",
            allowed=f"the {len(weights[0])} weights of the write conditions: a cell is one device",
            remedy="Take the devices that the error rates are of: run.devices.iloc[rates.rows].",
        )
    for name in ("error_rate", "disturb_rate"):
        rates = np.asarray(getattr(reads, name))
        if rates.ndim == 2 and not (weights and len(weights[0]) == len(rates)):
            raise InputError(
                f"{name} of the reads",
                value=f"{len(rates)} devices",
                allowed="two numbers, or two for each device of the write conditions or the retention",
            )
    return weights[0] if weights else None
