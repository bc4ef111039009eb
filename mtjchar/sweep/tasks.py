"""The parts of a sweep: the work of one worker, independent of place and time.

A part is a batch of devices, always the same ones, in one direction at all pulses. Batches do not depend on
the number of workers, and neither do the results, to the last bit.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.base import Counting, Direction
from mtjchar.cells.transistor_netlist import source_of
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Study
from mtjchar.work import part

__all__ = [
    "COUNTED_ALL_THE_SAME",
    "DEVICES_PER_TASK",
    "Result",
    "Rows",
    "Samples",
    "Task",
    "Work",
    "characterize",
    "compute",
    "fail_task",
    "failed_samples",
    "number_columns",
    "plan",
    "run_task",
    "time_limit",
    "time_limit_of_reads",
    "versions",
]

DEVICES_PER_TASK = 64
COUNTED_ALL_THE_SAME = "splitting was not reliable at some durations, which are counted"
_SPLIT_LIMIT = 5.0  # times that of counting
_COUNTED_LIMIT = 0.6  # s per device and trial: about 75 times the demo's grid
_COMPUTED_LIMIT = 10.0  # s per device: about a hundred times the demo's grid
_LEAST_LIMIT = 60.0  # s
_DRIVING = 0.35  # share of a task's time that ngspice takes, on the demo
_LOADS = 10  # of a transistor's file in a task: a batch of the vector model, halvings, a busy machine

_one_at_a_time = threading.Lock()


class Rows(Protocol):
    """Result of a worker's task, in a form for transfer."""

    def table(self, task: Any) -> pd.DataFrame:
        """Return the table of the task's rows."""


class Work(Protocol):
    """The work of one worker, a part or a piece of one, for some devices."""

    @property
    def order(self) -> tuple[str, ...]:
        """Columns by which the rows of a part are sorted."""

    @property
    def study(self) -> Study:
        """Study that it belongs to."""

    @property
    def devices(self) -> pd.DataFrame:
        """Its devices."""

    @property
    def direction(self) -> str:
        """What is simulated: a write direction, or another word for messages and names of parts."""

    @property
    def attempt(self) -> int:
        """Number of attempts before this one."""

    @property
    def part(self) -> str:
        """Name of the part, with a hash of all inputs of its rows."""

    @property
    def rows(self) -> int:
        """Number of rows that it gives."""

    def halves(self) -> Sequence[Work]:
        """Cut it in two; empty if it cannot be cut."""

    def again(self) -> Work:
        """Return the next attempt."""

    def seconds(self, per_device: float | None, load_s: float) -> float:
        """Time after which it counts as hanging, s; see `time_limit`."""

    def compute(self) -> Rows:
        """Do it."""

    def failed(self, status: str, reason: str) -> Rows:
        """Make its rows if it could not be done."""


class Task(NamedTuple):
    """The writes of devices in a direction, at all pulses."""

    study: Study
    devices: pd.DataFrame
    direction: Direction
    attempt: int = 0

    @property
    def order(self) -> tuple[str, ...]:
        """Columns by which the samples of a part are sorted."""
        return ("device", "amplitude_V", "duration_s")

    @property
    def part(self) -> str:
        """Name of the part, with a hash of all inputs of its samples."""
        first, last = self.devices["device"].iloc[[0, -1]]
        rows = self.devices.drop(columns=["weight", "replicate"], errors="ignore")
        settings = self.study.model_dump(mode="json", exclude={"sweep": {"devices", "precision"}})
        key = hashlib.sha256(json.dumps([settings, list(rows.columns)], sort_keys=True).encode())
        key.update(rows.to_numpy(dtype=np.float64).tobytes())
        return f"{self.direction}-{first:07d}-{last:07d}-{key.hexdigest()[:12]}"

    @property
    def rows(self) -> int:
        """Number of samples that the task gives."""
        sweep = self.study.sweep
        return len(self.devices) * sweep.amplitude.points * sweep.duration.points

    def halves(self) -> list[Task]:
        """Cut the task in two."""
        half = len(self.devices) // 2
        return [self._replace(devices=part, attempt=0) for part in (self.devices[:half], self.devices[half:])]

    def again(self) -> Task:
        """Return the next attempt."""
        return self._replace(attempt=self.attempt + 1)

    def seconds(self, per_device: float | None, load_s: float) -> float:
        """Time after which the task counts as hanging, s; see `time_limit`."""
        return time_limit(self, per_device, load_s)

    def compute(self) -> Samples:
        """Compute the samples."""
        return compute(self)

    def failed(self, status: str, reason: str) -> Samples:
        """Make the samples of a task that could not be done."""
        return failed_samples(self, status, reason)


class Samples(NamedTuple):
    """Result of a task in a compact form for transfer: a quarter of the table's size."""

    numbers: FloatArray  # (columns, devices, amplitudes, durations), as `number_columns` names them
    status: WordArray  # (devices, amplitudes), as `reason` and `note`
    reason: WordArray
    note: WordArray

    def table(self, task: Task) -> pd.DataFrame:
        """Return the table that `characterize` describes."""
        sweep = task.study.sweep
        durations = sweep.duration.values()
        index = pd.MultiIndex.from_product(
            [task.devices["device"], [task.direction], sweep.amplitude.values(), durations],
            names=["device", "direction", "amplitude_V", "duration_s"],
        )
        columns = number_columns(task.study)
        status, reason, note = (np.repeat(words.ravel(), len(durations)) for words in self[1:])
        table = pd.DataFrame(
            {
                **dict(zip(columns, self.numbers.reshape(len(columns), -1), strict=True)),
                "trials": sweep.trials if task.study.counted else 0,
                "status": status,
                "reason": reason,
                "note": note,
            },
            index=index,
        )
        return table.reset_index()


def number_columns(study: Study) -> tuple[str, ...]:
    """Columns of the samples with computed numbers, in order."""
    always = ("write_error_rate", "energy_J", "redundant_energy_J")
    split = ("standard_error",) if study.split else ()
    return (*always, *study.kind.further_columns(study.tables), *split)


class Result(NamedTuple):
    """Result of a worker."""

    samples: Rows
    versions: dict[str, str]


def plan(study: Study, devices: pd.DataFrame) -> list[Task]:
    """Cut the sweep into tasks; the cut does not depend on the number of workers."""
    starts = range(0, len(devices), DEVICES_PER_TASK)
    return [
        Task(study, devices.iloc[start : start + DEVICES_PER_TASK], direction)
        for start in starts
        for direction in study.sweep.directions
    ]


def time_limit(task: Task, per_device: float | None, load_s: float = 0.0) -> float:
    """Seconds after which a task counts as hanging.

    Parameters
    ----------
    task : Task
    per_device : float, optional
        s; default: 10 s, or for counted errors 0.6 s per trial on a grid to 60 ns, in proportion to
        the longest duration beyond that; at least a minute per task.
    load_s : float, optional
        Time to load a user's transistor, s, for one process alone. It is added.
    """
    count, loading = len(task.devices), _LOADS * load_s
    if per_device is None:
        sweep = task.study.sweep
        counted = _COUNTED_LIMIT * sweep.trials * max(1.0, sweep.duration.stop / 60e-9)
        counted *= _SPLIT_LIMIT if task.study.split else 1.0
        per_device = counted if task.study.counted else _COMPUTED_LIMIT
        return max(per_device * count, _LEAST_LIMIT) + loading
    return per_device * count + loading


def time_limit_of_reads(devices: int, per_device: float | None, load_s: float = 0.0) -> float:
    """Seconds after which the reads of some devices count as hanging, as `time_limit` for computed writes."""
    least = _LEAST_LIMIT if per_device is None else 0.0
    return max((per_device or _COMPUTED_LIMIT) * devices, least) + _LOADS * load_s


def run_task(task: Work) -> Result:
    """Do a task in a worker; of several threads one at a time, since two simulators in a process crash."""
    with _one_at_a_time:
        return Result(task.compute(), {**versions(), **_transistor_version(task.study)})


def fail_task(status: str, reason: str, task: Work) -> Result:
    """Do a task that must fail, as the trial of the nominal device has shown."""
    return Result(task.failed(status, reason), {})


def _transistor_version(study: Study) -> dict[str, str]:
    """Digest the text that ngspice reads of a user's transistor, as it is now."""
    source = source_of(study.kind.transistor(study.tables))
    return {} if source is None else {"transistor": source.digest}


def versions() -> dict[str, str]:
    """Return the versions of the programs that the samples depend on."""
    return {
        "mtjchar": version("mtjchar"),
        "PySpice": version("PySpice"),
        "ngspice": str(simulator().ngspice_version),
    }


def characterize(task: Task) -> pd.DataFrame:
    """Compute the samples of one task.

    Returns
    -------
    DataFrame
        Columns device, direction, amplitude_V, duration_s, write_error_rate, energy_J, redundant_energy_J,
        those of `CellKind.further_columns`, standard_error (of an error rate from splitting, if the study
        requires it; none where it is counted all the same), trials (simulated writes behind a counted error
        rate, 0 where it is exact), status (``ok``, ``not_converged``, ``cut`` or ``failed``), reason, and
        note (the successful retry); a row for every device and pulse, whatever happens.
    """
    return compute(task).table(task)


def compute(task: Task) -> Samples:
    """Compute the samples of `characterize` in compact form."""
    study, devices, direction = task.study, task.devices, task.direction
    kind, tables, pulses = study.kind, study.tables, study.pulses
    shape = (len(devices), len(pulses.amplitude_V), len(pulses.duration_s))
    numbers = np.full((len(number_columns(study)), *shape), np.nan)
    reason = np.repeat(kind.refusal(tables, devices)[:, None], shape[1], axis=1)
    status = np.where(reason == "", "ok", "failed").astype(object)
    note = np.full_like(reason, "")
    usable = reason[:, 0] == ""
    if usable.any():
        with part(0.0, _DRIVING):
            driven = kind.drive(tables, devices[usable], direction, pulses)
        counting = Counting(study.sweep.trials, study.sweep.seed, study.split)
        with part(_DRIVING, 1.0):
            averages = kind.average(tables, devices[usable], direction, driven, pulses, counting)
        reason[usable] = averages.failure
        split = () if averages.standard_error is None else (averages.standard_error,)
        computed = (
            averages.error_rate, averages.energy_J, averages.redundant_energy_J, *averages.further, *split
        )  # fmt: skip
        for array, result in zip(numbers, computed, strict=True):
            array[usable] = result
        after_driving = np.where(averages.failure == "", "ok", "failed")
        status[usable] = np.where(driven.status == "ok", after_driving, driven.status)
        note[usable] = driven.note
        if averages.standard_error is not None:
            left = np.isnan(averages.standard_error) & np.isfinite(averages.error_rate)
            note[usable] = np.where(left.any(axis=2), COUNTED_ALL_THE_SAME, driven.note)
    return Samples(numbers, status, reason, note)


def failed_samples(task: Task, status: str, reason: str) -> Samples:
    """Make the samples of a task that could not be done."""
    sweep = task.study.sweep
    shape = (len(task.devices), sweep.amplitude.points)
    words = (np.full(shape, word, dtype=object) for word in (status, reason, ""))
    return Samples(np.full((len(number_columns(task.study)), *shape, sweep.duration.points), np.nan), *words)
