"""The parts of a sweep: what one worker does on its own, without regard to where and when.

A part is a batch of devices, always the same ones, in one direction at all pulses. What is simulated together
is the same whatever the number of workers, and so are the results, to the last bit.
"""

from __future__ import annotations

import hashlib
import json
import threading
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.physics import fokker_planck
from mtjchar.spice.measure import load_lines
from mtjchar.spice.netlist import cell_parameters
from mtjchar.spice.ngspice import simulator
from mtjchar.study import Direction, Study
from mtjchar.sweep import axial, langevin
from mtjchar.sweep.sampling import unstable
from mtjchar.sweep.store import SUPPLY_COLUMNS
from mtjchar.sweep.supply import supply_energies

FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.object_]

DEVICES_PER_TASK = 64
_COUNTED_LIMIT = 0.6  # s a device and trial: some 75 times what the demo's grid takes
_COMPUTED_LIMIT = 10.0  # s a device: some hundred times what the demo's grid takes
_LEAST_LIMIT = 60.0  # s

_one_at_a_time = threading.Lock()


class Task(NamedTuple):
    """What one worker does on its own, a part or a piece of one: devices, a direction, all pulses."""

    study: Study
    devices: pd.DataFrame
    direction: Direction
    attempt: int = 0

    @property
    def part(self) -> str:
        """Name of the part, with a hash of everything that its samples depend on."""
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


class Samples(NamedTuple):
    """What a task gives, in the form in which it travels: a quarter of the table's size."""

    numbers: FloatArray  # (columns, devices, amplitudes, durations), as `number_columns` names them
    status: Words  # (devices, amplitudes), as `reason` and `note`
    reason: Words
    note: Words

    def table(self, task: Task) -> pd.DataFrame:
        """Return the table that `characterize` describes."""
        sweep = task.study.sweep
        durations = sweep.duration.values()
        index = pd.MultiIndex.from_product(
            [task.devices["device"], [task.direction], sweep.amplitude.values(), durations],
            names=["device", "direction", "amplitude_V", "duration_s"],
        )
        columns = number_columns(task.study)
        status, reason, note = (np.repeat(one.ravel(), len(durations)) for one in self[1:])
        table = pd.DataFrame(
            {
                **dict(zip(columns, self.numbers.reshape(len(columns), -1), strict=True)),
                "trials": 0 if task.study.axially_symmetric else sweep.trials,
                "status": status,
                "reason": reason,
                "note": note,
            },
            index=index,
        )
        return table.reset_index()


def number_columns(study: Study) -> tuple[str, ...]:
    """Columns of the samples with what was computed, in order."""
    always = ("write_error_rate", "energy_J", "redundant_energy_J")
    return always if study.cell.supply_voltage is None else (*always, *SUPPLY_COLUMNS)


class Result(NamedTuple):
    """What a worker gives back."""

    samples: Samples
    versions: dict[str, str]


def plan(study: Study, devices: pd.DataFrame) -> list[Task]:
    """Cut the sweep into tasks; the cut does not depend on the number of workers."""
    starts = range(0, len(devices), DEVICES_PER_TASK)
    return [
        Task(study, devices.iloc[start : start + DEVICES_PER_TASK], direction)
        for start in starts
        for direction in study.sweep.directions
    ]


def time_limit(task: Task, per_device: float | None) -> float:
    """Seconds after which a task counts as hanging.

    Parameters
    ----------
    task : Task
    per_device : float, optional
        s; if not given 10 s, or where errors are counted 0.6 s a trial on a grid to 60 ns, in proportion to
        the longest duration beyond that, and at least a minute for a task.
    """
    count = len(task.devices)
    if per_device is None:
        sweep = task.study.sweep
        counted = _COUNTED_LIMIT * sweep.trials * max(1.0, sweep.duration.stop / 60e-9)
        per_device = _COMPUTED_LIMIT if task.study.axially_symmetric else counted
        return max(per_device * count, _LEAST_LIMIT)
    return per_device * count


def run_task(task: Task) -> Result:
    """Do a task in a worker; of several threads one at a time, since two simulators in a process crash."""
    with _one_at_a_time:
        return Result(compute(task), versions())


def versions() -> dict[str, str]:
    """Return the versions of what the samples depend on."""
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
        with a supply voltage `SUPPLY_COLUMNS`, trials (simulated writes behind a counted error rate, 0 where
        it is exact), status (``ok``, ``not_converged``, ``cut`` or ``failed``), reason, and note (which retry
        helped); a row for every device and pulse, whatever happens.
    """
    return compute(task).table(task)


def compute(task: Task) -> Samples:
    """Compute what `characterize` returns as a table."""
    study, devices = task.study, task.devices
    amplitudes, durations = study.sweep.amplitude.values(), study.sweep.duration.values()
    shape = (len(devices), len(amplitudes), len(durations))
    numbers = np.full((len(number_columns(study)), *shape), np.nan)
    reason = np.repeat(_unusable(devices)[:, None], len(amplitudes), axis=1)
    status = np.where(reason == "", "ok", "failed").astype(object)
    note = np.full_like(reason, "")
    usable = reason[:, 0] == ""
    if usable.any():
        cells = cell_parameters(study, devices[usable])
        lines = load_lines(study, cells, task.direction, amplitudes)
        average = axial.average_over_noise if study.axially_symmetric else langevin.count_failures
        results = average(study, devices[usable], task.direction, lines, amplitudes, durations)
        reason[usable] = results.failure
        found = [results.error_rate, results.energy_J, results.redundant_energy_J]
        if study.cell.supply_voltage is not None:
            found += supply_energies(study, task.direction, lines, amplitudes, results)
        for array, result in zip(numbers, found, strict=True):
            array[usable] = result
        later = np.where(results.failure == "", "ok", "failed")
        status[usable] = np.where(lines.status == "ok", later, lines.status)
        note[usable] = lines.note
    return Samples(numbers, status, reason, note)


def lost(task: Task, status: str, reason: str) -> Samples:
    """Make the samples of a task that could not be done."""
    sweep = task.study.sweep
    shape = (len(task.devices), sweep.amplitude.points)
    words = (np.full(shape, one, dtype=object) for one in (status, reason, ""))
    return Samples(np.full((len(number_columns(task.study)), *shape, sweep.duration.points), np.nan), *words)


def _unusable(devices: pd.DataFrame) -> Words:
    """Why devices cannot be characterized, shape (devices,); empty where they can."""
    stability = devices["thermal_stability"].to_numpy()
    low, high = fokker_planck.STABILITY_RANGE
    outside = [f"thermal stability {value:.3g} is outside {low:g} to {high:g}" for value in stability]
    return np.where((stability >= low) & (stability <= high), unstable(devices), outside)
