"""Programming energy of a training against recognition rate.

The reference is a reliable pulse: the study's nominal amplitude, with the duration that brings the error
rate of the population to 1e-9 in both directions. Cheaper pulses follow by one lever at a time, one pulse
for all bits and both directions.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.datasets import Dataset, load_dataset
from mtjchar.network.memory import PerDirection, WriteConditions, WriteLedger
from mtjchar.network.trainer import TrainingPlan, train
from mtjchar.surfaces import CheapestPulse, Vary, WriteSurface
from mtjchar.surfaces.surface import RELIABLE

LEVERS: tuple[Vary, ...] = ("duration", "amplitude", "both")
RATES = (1e-3, 1e-2, 2e-2, 3e-2, 4e-2, 5e-2, 7e-2, 0.1)
LARGEST_LOSS = 1.0
"""Loss of recognition rate, in points, that the one-line result allows."""

CODE = "twos_complement"


class _Setting(NamedTuple):
    """A row of the table before it is measured."""

    lever: str
    pulse: CheapestPulse
    conditions: WriteConditions


def tradeoff(
    surface: WriteSurface,
    dataset: str,
    *,
    plan: TrainingPlan | None = None,
    seeds: int = 5,
    rates: Iterable[float] = RATES,
    kept: str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Train at cheaper and cheaper pulses, with several seeds each.

    Parameters
    ----------
    surface : WriteSurface
        With both directions.
    dataset : str
        Name or folder, see `mtjchar.network.datasets.load_dataset`.
    plan : TrainingPlan, optional
        What to train; the default if not given.
    seeds : int, optional
        Trainings a pulse, at least 2. The error-free network is trained with the same initial weights,
        batches and rounding for each seed.
    rates : iterable of float, optional
        Error rates of the cheaper pulses, the worse one of the two directions.
    kept : str or Path, optional
        File that every finished training is added to. Trainings that are in it, with the same data, plan,
        error rates, seed and version of mtjchar, are taken from there.
    workers : int, optional
        Number of processes; one for each core if not given. The results do not depend on it.
    progress : callable, optional
        Called with the number of trainings done and the number of all.

    Returns
    -------
    DataFrame
        A row a lever and pulse: lever (``reliable`` for the reference), code, bits, ber, amplitude_V,
        duration_s, programming_energy_J (mean over seeds), energy_saved_fraction (against the reference),
        accuracy_mean, accuracy_ci95 (half width, Student's t), accuracy_drop_points (mean paired difference
        to error-free writes), accuracy_drop_ci95 (half width) and seeds.

    Raises
    ------
    InputError
        For a surface of one direction, too few seeds, or a data set that cannot be read.
    UnreachableError
        If no duration reaches 1e-9 at the nominal amplitude.
    """
    if seeds < 2:
        raise InputError("seeds", value=seeds, allowed="2 or more, for an interval")
    if len(surface.directions) != 2:
        raise InputError("directions of the surface", value=surface.directions, allowed="both directions")
    fingerprint = _fingerprint(load_dataset(dataset))
    plan = plan or TrainingPlan()
    settings = _settings(surface, rates)
    reference = settings[0].conditions
    error_free = WriteConditions(
        PerDirection(0.0, 0.0), reference.switching_energy_J, reference.redundant_energy_J
    )
    jobs = [
        _Job(dataset, plan, conditions, seed)
        for conditions in [error_free, *(setting.conditions for setting in settings)]
        for seed in range(seeds)
    ]
    finished = _Finished(None if kept is None else Path(kept), fingerprint)
    outcomes = _train_all(jobs, finished, workers, progress)
    accuracy = np.array([outcome.test_accuracy for outcome in outcomes]).reshape(-1, seeds)
    energies = [outcome.ledger.energy_J(job.conditions) for job, outcome in zip(jobs, outcomes, strict=True)]
    energy = np.array(energies).reshape(-1, seeds).mean(axis=1)
    rows = []
    for k, setting in enumerate(settings, start=1):
        drop = 100.0 * (accuracy[0] - accuracy[k])
        rows.append(
            {
                "lever": setting.lever,
                "code": CODE,
                "bits": plan.bits,
                "ber": setting.pulse.ber,
                "amplitude_V": setting.pulse.amplitude_V,
                "duration_s": setting.pulse.duration_s,
                "programming_energy_J": energy[k],
                "energy_saved_fraction": 1.0 - energy[k] / energy[1],
                "accuracy_mean": accuracy[k].mean(),
                "accuracy_ci95": _half_width(accuracy[k]),
                "accuracy_drop_points": drop.mean(),
                "accuracy_drop_ci95": _half_width(drop),
                "seeds": seeds,
            }
        )
    return pd.DataFrame(rows)


def best(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each lever, the row with the largest saving at a loss of at most 1 point.

    Parameters
    ----------
    table : DataFrame
        As `tradeoff` returns it.

    Returns
    -------
    DataFrame
        No row for a lever that always loses more.
    """
    good = table[(table["lever"] != "reliable") & (table["accuracy_drop_points"] <= LARGEST_LOSS)]
    return good.loc[good.groupby("lever", sort=False)["energy_saved_fraction"].idxmax()]


def one_line(table: pd.DataFrame) -> str:
    """Say how much programming energy is saved at a loss of at most 1 point."""
    rows = best(table)
    if rows.empty:
        return f"No pulse saved programming energy at a loss of at most {LARGEST_LOSS:g} point."
    row = rows.sort_values("energy_saved_fraction").iloc[-1]
    others = ", ".join(f"{other.lever} {other.energy_saved_fraction:.1%}" for other in rows.itertuples())
    return (
        f"{row['energy_saved_fraction']:.1%} of the programming energy is saved at a loss of "
        f"{row['accuracy_drop_points']:.2f} ± {row['accuracy_drop_ci95']:.2f} points of recognition rate "
        f"(allowed: {LARGEST_LOSS:g}; lever {row['lever']}: {row['amplitude_V']:.3f} V, "
        f"{1e9 * row['duration_s']:.2f} ns, BER {row['ber']:.2g}; best of each lever: {others})."
    )


def _settings(surface: WriteSurface, rates: Iterable[float]) -> list[_Setting]:
    """Build the reference first, then each lever's pulses, without those that come twice."""
    reliable = surface.cheapest_pulse("both", RELIABLE, vary="duration")
    settings = [_Setting("reliable", reliable, write_conditions(surface, reliable))]
    for lever in LEVERS:
        pulses: list[CheapestPulse] = []
        for rate in sorted(rates):
            pulse = surface.cheapest_pulse("both", rate, vary=lever, duration=reliable.duration_s)
            if pulse not in pulses:
                pulses.append(pulse)
        settings += [_Setting(lever, pulse, write_conditions(surface, pulse)) for pulse in pulses]
    return settings


def write_conditions(surface: WriteSurface, pulse: CheapestPulse) -> WriteConditions:
    """Give error rates and energies of writing every bit with one pulse."""
    amplitude, duration = pulse.amplitude_V, pulse.duration_s

    def each(value: Callable[..., object]) -> PerDirection[float]:
        return PerDirection(*(float(value(one, amplitude, duration)) for one in PerDirection._fields))  # type: ignore[arg-type]

    return WriteConditions(
        error_rate=each(surface.ber),
        switching_energy_J=each(surface.energy),
        redundant_energy_J=each(functools.partial(surface.energy, switching=False)),
    )


class _Job(NamedTuple):
    """A training to do."""

    dataset: str
    plan: TrainingPlan
    conditions: WriteConditions
    seed: int


class _Outcome(NamedTuple):
    """What is kept of a training; its energy follows from the ledger."""

    test_accuracy: float
    ledger: WriteLedger


class _Finished:
    """Finished trainings, kept as lines of JSON so that a killed run loses none but those under way."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self._path, self._fingerprint = path, fingerprint
        self._outcomes: dict[str, _Outcome] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):  # a line that was cut by a kill
                    self._read(json.loads(line))

    def _read(self, entry: dict[str, Any]) -> None:
        counts = (PerDirection(*map(int, entry[name])) for name in ("switching", "redundant", "failed"))
        self._outcomes[entry["key"]] = _Outcome(float(entry["test_accuracy"]), WriteLedger(*counts))

    def _key(self, job: _Job) -> str:
        # Everything that the words of a training follow from; energies are no part of it.
        parts = (self._fingerprint, asdict(job.plan), job.conditions.error_rate, job.seed, version("mtjchar"))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def get(self, job: _Job) -> _Outcome | None:
        return self._outcomes.get(self._key(job))

    def add(self, job: _Job, outcome: _Outcome) -> None:
        entry = {"key": self._key(job), "test_accuracy": outcome.test_accuracy, **asdict(outcome.ledger)}
        self._read(entry)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


def _fingerprint(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    for array in (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _train_all(
    jobs: list[_Job],
    finished: _Finished,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[_Outcome]:
    report = progress or _silent
    todo = [job for job in jobs if finished.get(job) is None]
    done = len(jobs) - len(todo)
    report(done, len(jobs))
    if todo:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=spawn) as pool:
            futures = {pool.submit(_train_one, job): job for job in todo}
            for future in as_completed(futures):
                finished.add(futures[future], future.result())
                done += 1
                report(done, len(jobs))
    outcomes = [finished.get(job) for job in jobs]
    return [outcome for outcome in outcomes if outcome is not None]


def _silent(_done: int, _total: int) -> None:
    pass


def _train_one(job: _Job) -> _Outcome:
    result = train(_dataset(job.dataset), job.plan, job.conditions, job.seed)
    return _Outcome(result.test_accuracy, result.ledger)


@functools.lru_cache(maxsize=1)
def _dataset(name: str) -> Dataset:
    """Load a data set once a process."""
    return load_dataset(name)


def _half_width(values: np.ndarray) -> float:
    """Half the width of the 95 % interval of a mean."""
    return float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
