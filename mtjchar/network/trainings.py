"""Many trainings: run in parallel, and stored when they are finished."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtjchar.network import kept as kept_trainings
from mtjchar.network.allocation import Pilot
from mtjchar.network.datasets import Dataset, load_dataset
from mtjchar.network.exact import ActivityCounter
from mtjchar.network.kept import Outcome
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.passes import PassReads
from mtjchar.network.trainer import TrainingPlan, train
from mtjchar.sweep.pool import LocalPool

__all__ = ["Job", "Trainings"]

# Raised by 1 whenever the same seed draws different numbers: older trainings then do not pair with newer
# ones.
_DRAWS = 3


class Job(NamedTuple):
    """A training to run.

    Attributes
    ----------
    plan : TrainingPlan
    conditions : WriteConditions
    seed : int
    pilot : bool
        Whether to determine the effect of failed writes on the weights.
    count_activity : bool
        Whether to count the changes of words and check bits; for a training without errors.
    passes : PassReads, optional
        Reads of the passes that compute.
    """

    plan: TrainingPlan
    conditions: WriteConditions
    seed: int
    pilot: bool = False
    count_activity: bool = False
    passes: PassReads | None = None


class Trainings:
    """Run trainings, each once.

    Parameters
    ----------
    dataset : str
        Name or folder, see `mtjchar.network.datasets.load_dataset`.
    kept : Path, optional
        File to which every finished training is added as a line of JSON: a killed run loses only the running
        ones. Trainings in it with the same data, plan, error rates, seed and version of
        mtjchar are taken from it.
    workers : int, optional
        Number of processes; default: one for each core; with 1 all run in this process. The results do
        not depend on it.
    progress : callable, optional
        Called with the number of finished trainings and the number of all known ones.

    Attributes
    ----------
    images, test_images : int
        Numbers of training and test images.

    Raises
    ------
    InputError
        For a data set that cannot be read, or an invalid file of trainings.
    """

    def __init__(
        self,
        dataset: str,
        kept: Path | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._dataset, self._kept, self._workers = dataset, kept, workers
        self._report = progress or (lambda _done, _total: None)
        data = load_dataset(dataset)
        self._fingerprint = _fingerprint(data)
        self.images, self.test_images = len(data.train_images), len(data.test_images)
        self._outcomes: dict[str, Outcome] = {} if kept is None else kept_trainings.load(kept)
        self._asked: set[str] = set()
        self._pool: LocalPool | None = None

    def __enter__(self) -> Trainings:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def cells(self, plan: TrainingPlan) -> int:
        """Cells for the parameters of a plan's network."""
        return plan.network_for(load_dataset(self._dataset)).parameters * plan.bits

    def outcomes(self, jobs: Iterable[Job]) -> list[Outcome]:
        """Run the jobs that are not done yet; return all outcomes in the same order."""
        jobs = list(jobs)
        keys = [self._key(job) for job in jobs]
        todo = {key: job for key, job in zip(keys, jobs, strict=True) if key not in self._outcomes}
        self._asked.update(keys)
        done = len(self._asked) - len(todo)
        self._report(done, len(self._asked))
        for key, outcome in self._finished(todo):
            self._add(key, outcome)
            done += 1
            self._report(done, len(self._asked))
        return [self._outcomes[key] for key in keys]

    def _finished(self, todo: dict[str, Job]) -> Iterator[tuple[str, Outcome]]:
        """Train, in this process or in others, and yield the outcomes as they are available."""
        workers = self._workers or os.cpu_count() or 1
        if workers == 1 or not todo:
            for key, job in todo.items():
                yield key, _train_one(self._dataset, job)
            return
        if self._pool is None:
            self._pool = LocalPool(workers)
        yield from self._pool.call_each(_train_one, {key: (self._dataset, job) for key, job in todo.items()})

    def _key(self, job: Job) -> str:
        # All inputs that determine the words of a training: energies are not among them, nor reads without
        # errors.
        conditions = job.conditions
        parts: tuple[object, ...] = (
            self._fingerprint, asdict(job.plan), conditions.rates.shape, conditions.rates.tobytes(),
            None if conditions.device_weight is None else np.asarray(conditions.device_weight).tobytes(),
            conditions.retries, job.seed, job.pilot, job.count_activity, _version(), _DRAWS,
        )  # fmt: skip
        if conditions.reads_may_be_wrong:
            reads = conditions.reads
            rates = (np.asarray(one).tobytes() for one in (reads.error_rate, reads.disturb_rate))
            parts = (*parts, conditions.read_before_write, *rates)
        if job.passes is not None and not job.passes.reads.never_wrong:
            reads = job.passes.reads
            rates = (np.asarray(one).tobytes() for one in (reads.error_rate, reads.disturb_rate))
            parts = (*parts, job.passes.each, *rates)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _add(self, key: str, outcome: Outcome) -> None:
        self._outcomes[key] = outcome
        if self._kept is not None:
            kept_trainings.add(self._kept, key, outcome)


def _train_one(dataset: str, job: Job) -> Outcome:
    pilot = None
    if job.pilot:
        # Harm is counted in lsb of each word, whatever its full scale is.
        one = replace(job.plan, full_scale=1.0) if isinstance(job.plan.full_scale, str | tuple) else job.plan
        pilot = Pilot(one.fixed_point())
    counter = ActivityCounter(job.plan.bits) if job.count_activity else None
    result = train(
        _dataset(dataset), job.plan, job.conditions, job.seed, watch=pilot or counter, passes=job.passes
    )
    return Outcome(
        result.test_accuracy,
        result.ledger,
        None if pilot is None else pilot.harm,
        None if counter is None else counter.activity,
    )


@functools.lru_cache(maxsize=1)
def _dataset(name: str) -> Dataset:
    """Load a data set once per process."""
    return load_dataset(name)


@functools.cache
def _version() -> str:
    """Look the version up once, because it is read from the file system."""
    return version("mtjchar")


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    for array in (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
