"""The parts of the reads of a sweep: the reference, and batches of devices in both states at all reads."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.reading import Reads, ReferenceLevel
from mtjchar.physics.sensing import error_rate
from mtjchar.study import Study
from mtjchar.sweep.tasks import DEVICES_PER_TASK, time_limit_of_reads

__all__ = [
    "ReadSamples", "ReadTask", "ReferenceTask", "margin_column", "plan_reads", "read_device_count",
    "read_rows", "reads_of", "total_deviation",
]  # fmt: skip

_STATES = (0, 1)
_MOST_DEVICES = 1024  # of a study that asks for a precision of its writes


def reads_of(study: Study) -> Reads | None:
    """Return the reads of a study; None if it asks for none."""
    return study.kind.reads(study.tables)


def read_device_count(study: Study) -> int:
    """Return the number of devices that are read: the study's; with `precision`, at most 1024."""
    devices = study.sweep.devices
    return devices if study.sweep.precision is None else min(devices, _MOST_DEVICES)


def read_rows(study: Study) -> int:
    """Return the number of samples of the reads of a study."""
    reads = reads_of(study)
    if reads is None:
        return 0
    return read_device_count(study) * len(_STATES) * len(reads.voltage_V) * len(reads.time_s)


def margin_column(reads: Reads) -> str:
    """Return the name of the column with the sense margin, with its unit."""
    return f"margin_{reads.unit}"


def total_deviation(reads: Reads, reference: ReferenceLevel) -> FloatArray:
    """Return the standard deviation of offset, noise and reference together, shape (voltages, times).

    They are independent normal distributions, so their variances add.
    """
    return np.sqrt(reads.offset**2 + reads.noise**2 + np.asarray(reference.deviation) ** 2)


class ReadTask(NamedTuple):
    """The reads of devices in both states."""

    study: Study
    devices: pd.DataFrame
    reference: ReferenceLevel
    attempt: int = 0

    @property
    def order(self) -> tuple[str, ...]:
        """Columns by which the samples of a part are sorted."""
        return ("device", "state", "voltage_V", "time_s")

    @property
    def direction(self) -> str:
        """Word for messages and names of parts."""
        return "read"

    @property
    def part(self) -> str:
        """Name of the part, with a hash of all inputs of its samples; pulses are none of them."""
        first, last = self.devices["device"].iloc[[0, -1]]
        rows = self.devices.drop(columns=["weight", "replicate"], errors="ignore")
        written = self.study.model_dump(mode="json")
        settings = {table: values for table, values in written.items() if table not in ("sweep", "pulse")}
        key = hashlib.sha256(json.dumps([settings, list(rows.columns)], sort_keys=True).encode())
        for numbers in (rows.to_numpy(dtype=np.float64), *map(np.asarray, self.reference)):
            key.update(np.ascontiguousarray(numbers).tobytes())
        return f"{self.direction}-{first:07d}-{last:07d}-{key.hexdigest()[:12]}"

    @property
    def rows(self) -> int:
        """Number of samples that the task gives."""
        return len(self.devices) * len(_STATES) * np.size(self.reference.mean)

    def halves(self) -> list[ReadTask]:
        """Cut the task in two."""
        half = len(self.devices) // 2
        return [self._replace(devices=part, attempt=0) for part in (self.devices[:half], self.devices[half:])]

    def again(self) -> ReadTask:
        """Return the next attempt."""
        return self._replace(attempt=self.attempt + 1)

    def seconds(self, per_device: float | None, load_s: float) -> float:
        """Time after which the task counts as hanging, s."""
        return time_limit_of_reads(len(self.devices), per_device, load_s)

    def compute(self) -> ReadSamples:
        """Compute the samples."""
        return _compute(self)

    def failed(self, status: str, reason: str) -> ReadSamples:
        """Make the samples of a task that could not be done."""
        shape = (len(self.devices), np.shape(self.reference.mean)[0])
        words = (np.full(shape, word, dtype=object) for word in (status, reason, ""))
        return ReadSamples(_nothing(self), *words)


class ReadSamples(NamedTuple):
    """Result of a `ReadTask` in a compact form for transfer."""

    numbers: FloatArray  # (columns, devices, states, voltages, times): margin, error and disturb rate, energy
    status: WordArray  # (devices, voltages), as `reason` and `note`
    reason: WordArray
    note: WordArray

    def table(self, task: ReadTask) -> pd.DataFrame:
        """Return a table with a row for each device, state, read voltage and sensing time."""
        reads = _reads(task.study)
        index = pd.MultiIndex.from_product(
            [task.devices["device"], _STATES, reads.voltage_V, reads.time_s],
            names=["device", "state", "voltage_V", "time_s"],
        )
        names = (margin_column(reads), "read_error_rate", "disturb_rate", "energy_J")
        words = {
            name: np.broadcast_to(array[:, None, :, None], self.numbers.shape[1:]).ravel()
            for name, array in zip(("status", "reason", "note"), self[1:], strict=True)
        }
        numbers = dict(zip(names, self.numbers.reshape(len(names), -1), strict=True))
        return pd.DataFrame({**numbers, **words}, index=index).reset_index()


class ReferenceTask(NamedTuple):
    """The reference of the sense amplifier; its devices are simulated together."""

    study: Study
    devices: pd.DataFrame
    attempt: int = 0

    @property
    def order(self) -> tuple[str, ...]:
        """Columns by which its rows are sorted."""
        return ("voltage_V", "time_s")

    @property
    def direction(self) -> str:
        """Word for messages."""
        return "reference of the reads"

    @property
    def part(self) -> str:
        """Name of the part."""
        return self.direction

    @property
    def rows(self) -> int:
        """Number of rows."""
        reads = _reads(self.study)
        return len(reads.voltage_V) * len(reads.time_s)

    def halves(self) -> list[ReferenceTask]:
        """Return nothing: a part of the devices gives another reference."""
        return []

    def again(self) -> ReferenceTask:
        """Return the next attempt."""
        return self._replace(attempt=self.attempt + 1)

    def seconds(self, per_device: float | None, load_s: float) -> float:
        """Time after which the task counts as hanging, s."""
        return time_limit_of_reads(len(self.devices), per_device, load_s)

    def compute(self) -> _Reference:
        """Simulate the reference."""
        kind, tables = self.study.kind, self.study.tables
        level = kind.sense_reference(tables, self.devices, _reads(self.study))
        return _Reference(np.asarray(level.mean), np.asarray(level.deviation), "ok", "")

    def failed(self, status: str, reason: str) -> _Reference:
        """Make the result of a task that could not be done."""
        reads = _reads(self.study)
        unknown = np.full((len(reads.voltage_V), len(reads.time_s)), np.nan)
        return _Reference(unknown, unknown, status, reason)


class _Reference(NamedTuple):
    """Result of a `ReferenceTask`."""

    mean: FloatArray
    deviation: FloatArray
    status: str
    reason: str

    def table(self, task: ReferenceTask) -> pd.DataFrame:
        """Return a table with a row for each read voltage and sensing time."""
        reads = _reads(task.study)
        index = pd.MultiIndex.from_product([reads.voltage_V, reads.time_s], names=task.order)
        values = {f"mean_{reads.unit}": self.mean.ravel(), f"deviation_{reads.unit}": self.deviation.ravel()}
        return pd.DataFrame(
            {**values, "status": self.status, "reason": self.reason}, index=index
        ).reset_index()


def plan_reads(study: Study, devices: pd.DataFrame, reference: ReferenceLevel) -> list[ReadTask]:
    """Cut the reads into tasks; the cut does not depend on the number of workers."""
    starts = range(0, len(devices), DEVICES_PER_TASK)
    return [ReadTask(study, devices.iloc[start : start + DEVICES_PER_TASK], reference) for start in starts]


def _reads(study: Study) -> Reads:
    reads = reads_of(study)
    assert reads is not None, "a task of reads of a study without them"
    return reads


def _nothing(task: ReadTask) -> FloatArray:
    return np.full((4, len(task.devices), len(_STATES), *np.shape(task.reference.mean)), np.nan)


def _compute(task: ReadTask) -> ReadSamples:
    study, devices, reads = task.study, task.devices, _reads(task.study)
    kind, tables = study.kind, study.tables
    numbers = _nothing(task)
    reason = np.repeat(kind.refusal(tables, devices)[:, None], len(reads.voltage_V), axis=1)
    status = np.where(reason == "", "ok", "failed").astype(object)
    note = np.full_like(reason, "")
    usable = reason[:, 0] == ""
    if usable.any():
        sensed = kind.sense(tables, devices[usable], reads)
        # Positive where the comparison with the mean reference gives the state that is there.
        right = np.array([-1.0, 1.0])[:, None, None] * (1.0 if reads.one_is_higher else -1.0)
        margin = right * (sensed.level - task.reference.mean)
        rate = error_rate(margin, total_deviation(reads, task.reference))
        failed = (sensed.failure != "")[:, None, :, None]
        for array, result in zip(numbers, (margin, rate, sensed.disturb_rate, sensed.energy_J), strict=True):
            array[usable] = np.where(failed, np.nan, result)
        reason[usable] = sensed.failure
        after = np.where(sensed.failure == "", "ok", "failed")
        status[usable] = np.where(sensed.status == "ok", after, sensed.status)
        note[usable] = sensed.note
    return ReadSamples(numbers, status, reason, note)
