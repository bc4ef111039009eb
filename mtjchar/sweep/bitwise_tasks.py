"""The parts of the bitwise reads of a sweep: curves of nominal cells, and batches of groups of cells."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import numpy as np
import pandas as pd

from mtjchar.arrays import FloatArray, WordArray
from mtjchar.cells.bitwise import Bitwise
from mtjchar.cells.reading import Reads
from mtjchar.study import Study
from mtjchar.sweep.read_population import TOWARD
from mtjchar.sweep.tasks import time_limit_of_reads

__all__ = ["CurveTask", "GroupTask", "bitwise_of", "group_rows", "plan_groups", "reads_of_groups"]

_GROUPS_PER_TASK = 16
_RESISTANCES = 13  # of the curve from the state 0 to the state 1
_CONTRASTS = 2.0 ** np.arange(-2.0, 4.5, 0.5)  # factors of the nominal contrast


def bitwise_of(study: Study) -> Bitwise | None:
    """Return the bitwise operations of a study; None if it asks for none."""
    return study.kind.bitwise(study.tables)


def reads_of_groups(study: Study) -> Reads:
    """Return the reads of the groups of a study with bitwise operations."""
    asked = bitwise_of(study)
    reads = None if asked is None else study.kind.reads_together(study.tables, asked.cells)
    assert reads is not None, "groups of a study without bitwise operations"
    return reads


def _cells(study: Study) -> int:
    asked = bitwise_of(study)
    return 1 if asked is None else asked.cells


def group_rows(study: Study) -> int:
    """Return the number of samples of the groups of a study."""
    asked = bitwise_of(study)
    if asked is None:
        return 0
    reads = reads_of_groups(study)
    return asked.tuples * 2**asked.cells * len(reads.voltage_V) * len(reads.time_s)


class GroupTask(NamedTuple):
    """Reads of groups of cells in all combinations of their states."""

    study: Study
    devices: pd.DataFrame
    attempt: int = 0

    @property
    def order(self) -> tuple[str, ...]:
        """Columns by which the samples of a part are sorted."""
        return ("device", "inputs", "voltage_V", "time_s")

    @property
    def direction(self) -> str:
        """Word for messages and names of parts."""
        return "bitwise"

    @property
    def part(self) -> str:
        """Name of the part, with a hash of all inputs of its samples; pulses are none of them."""
        first, last = self.devices["device"].iloc[[0, -1]]
        rows = self.devices.drop(columns=["weight", "replicate"], errors="ignore")
        rows = rows[[name for name in rows if not str(name).startswith(TOWARD)]]
        written = self.study.model_dump(mode="json")
        settings = {table: values for table, values in written.items() if table not in ("sweep", "pulse")}
        key = hashlib.sha256(json.dumps([settings, list(rows.columns)], sort_keys=True).encode())
        key.update(np.ascontiguousarray(rows.to_numpy(dtype=np.float64)).tobytes())
        return f"{self.direction}-{first:07d}-{last:07d}-{key.hexdigest()[:12]}"

    @property
    def rows(self) -> int:
        """Number of samples that the task gives."""
        reads, cells = reads_of_groups(self.study), _cells(self.study)
        groups = len(self.devices) // cells
        return int(groups * 2**cells * len(reads.voltage_V) * len(reads.time_s))

    def halves(self) -> list[GroupTask]:
        """Cut the task in two, between groups; empty if there is one only."""
        cells = _cells(self.study)
        half = len(self.devices) // cells // 2 * cells
        if half == 0:
            return []
        return [self._replace(devices=part, attempt=0) for part in (self.devices[:half], self.devices[half:])]

    def again(self) -> GroupTask:
        """Return the next attempt."""
        return self._replace(attempt=self.attempt + 1)

    def seconds(self, per_device: float | None, load_s: float) -> float:
        """Time after which the task counts as hanging, s."""
        return time_limit_of_reads(len(self.devices) * 2 ** _cells(self.study), per_device, load_s)

    def compute(self) -> GroupSamples:
        """Compute the samples."""
        study, cells = self.study, _cells(self.study)
        refused = study.kind.refusal(study.tables, self.devices).reshape(-1, cells)
        reason = refused[np.arange(len(refused)), (refused != "").argmax(axis=1)]
        result, usable = self.failed("failed", ""), reason == ""
        result.reason[:] = reason[:, None]
        if not usable.any():
            return result
        sensed = study.kind.sense_together(
            study.tables, self.devices[np.repeat(usable, cells)], reads_of_groups(study), cells
        )
        failed = (sensed.failure != "")[:, None, :, None]
        for array, values in zip(
            result.numbers, (sensed.level, sensed.disturb_rate, sensed.energy_J), strict=True
        ):
            array[usable] = np.where(failed, np.nan, values)
        after = np.where(sensed.failure == "", "ok", "failed")
        result.status[usable] = np.where(sensed.status == "ok", after, sensed.status)
        result.reason[usable], result.note[usable] = sensed.failure, sensed.note
        return result

    def failed(self, status: str, reason: str) -> GroupSamples:
        """Make the samples of a task that could not be done."""
        reads, cells = reads_of_groups(self.study), _cells(self.study)
        groups, voltages = len(self.devices) // cells, len(reads.voltage_V)
        words = (np.full((groups, voltages), word, dtype=object) for word in (status, reason, ""))
        return GroupSamples(np.full((3, groups, 2**cells, voltages, len(reads.time_s)), np.nan), *words)


class GroupSamples(NamedTuple):
    """Result of a `GroupTask` in a compact form for transfer."""

    numbers: FloatArray  # (columns, groups, combinations, voltages, times): level, disturb rate, energy
    status: WordArray  # (groups, voltages), as `reason` and `note`
    reason: WordArray
    note: WordArray

    def table(self, task: GroupTask) -> pd.DataFrame:
        """Return a table with a row for each group, combination, read voltage and sensing time."""
        reads, cells = reads_of_groups(task.study), _cells(task.study)
        index = pd.MultiIndex.from_product(
            [task.devices["device"].iloc[::cells], range(2**cells), reads.voltage_V, reads.time_s],
            names=task.order,
        )
        words = {
            name: np.broadcast_to(array[:, None, :, None], self.numbers.shape[1:]).ravel()
            for name, array in zip(("status", "reason", "note"), self[1:], strict=True)
        }
        names = (f"level_{reads.unit}", "disturb_rate", "energy_J")
        numbers = dict(zip(names, self.numbers.reshape(len(names), -1), strict=True))
        return pd.DataFrame({**numbers, **words}, index=index).reset_index()


class CurveTask(NamedTuple):
    """Levels of nominal cells: with resistances for their storage elements, and with other contrasts."""

    study: Study
    devices: pd.DataFrame
    attempt: int = 0

    @property
    def order(self) -> tuple[str, ...]:
        """Columns by which its rows are sorted."""
        return ("curve", "value", "inputs", "voltage_V", "time_s")

    @property
    def direction(self) -> str:
        """Word for messages."""
        return "curves of the bitwise reads"

    @property
    def part(self) -> str:
        """Name of the part."""
        return self.direction

    @property
    def rows(self) -> int:
        """Number of rows."""
        reads, cells = reads_of_groups(self.study), _cells(self.study)
        levels = len(self._resistance()) + len(_CONTRASTS) * 2**cells
        return int(levels * len(reads.voltage_V) * len(reads.time_s))

    def halves(self) -> list[CurveTask]:
        """Return nothing: it has one device."""
        return []

    def again(self) -> CurveTask:
        """Return the next attempt."""
        return self._replace(attempt=self.attempt + 1)

    def seconds(self, per_device: float | None, load_s: float) -> float:
        """Time after which the task counts as hanging, s."""
        return time_limit_of_reads(
            len(self._resistance()) + len(_CONTRASTS) * 2 ** _cells(self.study), per_device, load_s
        )

    def compute(self) -> CurveSamples:
        """Simulate the curves."""
        study, reads, cells = self.study, reads_of_groups(self.study), _cells(self.study)
        resistance = self._resistance()
        of_resistance = study.kind.sense_resistances(study.tables, self.devices, reads, cells, resistance)
        low, high = study.kind.resistances(self.devices)
        group = pd.concat([self.devices] * cells, ignore_index=True)
        of_contrast = [
            study.kind.sense_together(study.tables, group, reads, cells, factor) for factor in _CONTRASTS
        ]
        values = [(0, one, 0) for one in resistance]
        values += [
            (1, factor * (high / low - 1.0), inputs) for factor in _CONTRASTS for inputs in range(2**cells)
        ]
        levels = [*of_resistance, *(row for one in of_contrast for row in one.level[0])]
        failures = [word for one in of_contrast for word in one.failure.ravel() if word]
        return CurveSamples(
            np.array(values), np.array(levels), of_contrast[0].decision_J,
            "failed" if failures else "ok", failures[0] if failures else "",
        )  # fmt: skip

    def failed(self, status: str, reason: str) -> CurveSamples:
        """Make the result of a task that could not be done."""
        reads = reads_of_groups(self.study)
        unknown = np.full((1, len(reads.voltage_V), len(reads.time_s)), np.nan)
        return CurveSamples(np.zeros((1, 3)), unknown, 0.0, status, reason)

    def _resistance(self) -> FloatArray:
        """Resistances of the curve: from the state 0 to the state 1, and those of the study's references."""
        low, high = self.study.kind.resistances(self.devices)
        # A little beyond both, so that every level between those of the cells is on the curve.
        curve = np.geomspace(0.95 * low, 1.05 * high, _RESISTANCES)
        asked = bitwise_of(self.study)
        if asked is None or asked.references == "optimal":
            return curve
        given = np.array(asked.references)
        around = given[:, None] * (1.0 + asked.spread * np.array([-1.0, 0.0, 1.0]))
        return np.unique([*curve, *around.ravel()])


class CurveSamples(NamedTuple):
    """Result of a `CurveTask`."""

    values: FloatArray  # (levels, 3): curve (0 resistance, 1 contrast), value, inputs
    levels: FloatArray  # (levels, voltages, times)
    decision_J: float
    status: str
    reason: str

    def table(self, task: CurveTask) -> pd.DataFrame:
        """Return a table with a row for each level, read voltage and sensing time."""
        reads = reads_of_groups(task.study)
        count = len(reads.voltage_V) * len(reads.time_s)
        volts, seconds = np.meshgrid(reads.voltage_V, reads.time_s, indexing="ij")
        curve, value, inputs = np.repeat(self.values, count, axis=0).T
        return pd.DataFrame(
            {
                "curve": curve.astype(np.int64), "value": value, "inputs": inputs.astype(np.int64),
                "voltage_V": np.tile(volts.ravel(), len(self.values)),
                "time_s": np.tile(seconds.ravel(), len(self.values)),
                f"level_{reads.unit}": self.levels.ravel(),
                "decision_J": self.decision_J, "status": self.status, "reason": self.reason,
            }
        )  # fmt: skip


def plan_groups(study: Study, devices: pd.DataFrame) -> list[GroupTask]:
    """Cut the groups into tasks; the cut does not depend on the number of workers."""
    size = _GROUPS_PER_TASK * _cells(study)
    return [GroupTask(study, devices.iloc[start : start + size]) for start in range(0, len(devices), size)]
