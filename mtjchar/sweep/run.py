"""The sweep: every sampled device through ngspice and Fokker-Planck, over the pulses of a study."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtjchar.errors import SimulationError
from mtjchar.physics import fokker_planck
from mtjchar.spice.measure import load_lines
from mtjchar.spice.netlist import cell_parameters
from mtjchar.study import Direction, Study
from mtjchar.sweep import axial, importance, langevin
from mtjchar.sweep.sampling import nominal_device, sample_devices, unstable
from mtjchar.sweep.store import RunDirectory

FloatArray = npt.NDArray[np.float64]

_DEVICES_PER_TASK = 64


class Task(NamedTuple):
    """A part of the sweep that one worker does on its own: some devices, one direction, all pulses."""

    study: Study
    devices: pd.DataFrame
    direction: Direction

    @property
    def part(self) -> str:
        """Name of the file that holds the result."""
        first, last = self.devices["device"].iloc[[0, -1]]
        return f"{self.direction}-{first:07d}-{last:07d}"

    @property
    def rows(self) -> int:
        """Number of samples that the task gives."""
        sweep = self.study.sweep
        return len(self.devices) * sweep.amplitude.points * sweep.duration.points


def plan(study: Study, devices: pd.DataFrame) -> list[Task]:
    """Cut the sweep into tasks; the cut does not depend on the number of workers."""
    starts = range(0, len(devices), _DEVICES_PER_TASK)
    return [
        Task(study, devices.iloc[start : start + _DEVICES_PER_TASK], direction)
        for start in starts
        for direction in study.sweep.directions
    ]


def sweep(
    study: Study,
    out: str | Path,
    *,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Run the sweep of a study into a directory, or go on with one that was interrupted there.

    Parameters
    ----------
    study : Study
    out : str or Path
        Run directory; made if missing. Samples that are already there are not computed again.
    workers : int, optional
        Number of processes; one for each core if not given. The samples do not depend on it.
    executor : concurrent.futures.Executor, optional
        Runs the tasks instead of processes of its own. Its workers must be processes, one task at a time
        each: two simulators in one process crash.
    progress : callable, optional
        Called with the number of samples done and the number of all.

    Returns
    -------
    Path
        The run directory, with ``study.toml``, ``devices.parquet`` and ``samples/``.

    Raises
    ------
    InputError
        If the directory holds another study, or the study's nominal device has no two stable states.
    SimulationError
        If a worker died. A cell that ngspice cannot solve is no error but a row with a status.
    """
    nominal_device(study)
    devices = RunDirectory.stored_devices(Path(out), study)
    with _pool(workers) if executor is None else contextlib.nullcontext(executor) as pool:
        try:
            if devices is None:
                devices = _draw_devices(study, pool)
            directory = RunDirectory.create(Path(out), study, devices)
            _complete(directory, plan(study, devices), pool, progress or (lambda _done, _total: None))
        except BrokenProcessPool as error:
            raise SimulationError(
                "A worker process died; finished samples are kept, the same command goes on with the rest."
            ) from error
    return directory.path


def _draw_devices(study: Study, pool: Executor) -> pd.DataFrame:
    """Draw the devices of a study, more of the weak ones where the pilot says that they are needed."""
    if not importance.worth_a_pilot(study):
        return sample_devices(study)
    pilot = importance.pilot_devices(study)
    futures = [pool.submit(characterize, Task(study, pilot, one)) for one in study.sweep.directions]
    shift = importance.find_shift(study, pd.concat([future.result() for future in futures]))
    return sample_devices(study) if shift is None else importance.sample_shifted(study, shift)


def _complete(
    directory: RunDirectory, tasks: list[Task], pool: Executor, report: Callable[[int, int], None]
) -> None:
    """Do those of the tasks whose samples are not there yet."""
    total = sum(task.rows for task in tasks)
    todo = [task for task in tasks if not directory.has_part(task.part, task.rows)]
    done = total - sum(task.rows for task in todo)
    report(done, total)
    futures: dict[Future[pd.DataFrame], Task] = {}
    try:
        for task in todo:
            futures[pool.submit(characterize, task)] = task
        for future in as_completed(futures):
            task = futures[future]
            directory.write_part(task.part, future.result())
            done += task.rows
            report(done, total)
    finally:
        for future in futures:
            future.cancel()


@contextlib.contextmanager
def _pool(workers: int | None) -> Iterator[Executor]:
    # Spawned, not forked: a forked copy of a loaded ngspice is no simulator of its own.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=spawn) as pool:
        yield pool


def characterize(task: Task) -> pd.DataFrame:
    """Compute the samples of one task.

    Returns
    -------
    DataFrame
        Columns device, direction, amplitude_V, duration_s, write_error_rate, energy_J, redundant_energy_J,
        trials (simulated writes behind a counted error rate, 0 where it is exact), status (``ok`` or
        ``failed``) and reason; a row for every device and pulse, whatever happens.
    """
    study, devices = task.study, task.devices
    amplitudes, durations = study.sweep.amplitude.values(), study.sweep.duration.values()
    shape = (len(devices), len(amplitudes), len(durations))
    rate, energy, redundant = np.full((3, *shape), np.nan)
    reason = np.repeat(_unusable(devices)[:, None], len(amplitudes), axis=1)
    usable = reason[:, 0] == ""
    if usable.any():
        cells = cell_parameters(study, devices[usable])
        lines = load_lines(study, cells, task.direction, amplitudes)
        average = axial.average_over_noise if study.axially_symmetric else langevin.count_failures
        results = average(study, devices[usable], task.direction, lines, amplitudes, durations)
        for array, result in zip((rate, energy, redundant, reason), results, strict=True):
            array[usable] = result
    return _table(task, amplitudes, durations, rate, energy, redundant, reason)


def _unusable(devices: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Why devices cannot be characterized, shape (devices,); empty where they can."""
    stability = devices["thermal_stability"].to_numpy()
    low, high = fokker_planck.STABILITY_RANGE
    outside = [f"thermal stability {value:.3g} is outside {low:g} to {high:g}" for value in stability]
    return np.where((stability >= low) & (stability <= high), unstable(devices), outside)


def _table(
    task: Task,
    amplitudes: FloatArray,
    durations: FloatArray,
    rate: FloatArray,
    energy: FloatArray,
    redundant: FloatArray,
    reason: npt.NDArray[np.object_],
) -> pd.DataFrame:
    index = pd.MultiIndex.from_product(
        [task.devices["device"], [task.direction], amplitudes, durations],
        names=["device", "direction", "amplitude_V", "duration_s"],
    )
    reasons = np.repeat(reason.ravel(), len(durations))
    table = pd.DataFrame(
        {
            "write_error_rate": rate.ravel(),
            "energy_J": energy.ravel(),
            "redundant_energy_J": redundant.ravel(),
            "trials": 0 if task.study.axially_symmetric else task.study.sweep.trials,
            "status": np.where(reasons == "", "ok", "failed"),
            "reason": reasons,
        },
        index=index,
    )
    return table.reset_index()
