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
from numpy.polynomial import chebyshev

from mtjchar.errors import SimulationError
from mtjchar.physics import fokker_planck, torque
from mtjchar.spice.measure import LoadLine, load_lines
from mtjchar.spice.netlist import cell_parameters
from mtjchar.study import Direction, Study
from mtjchar.sweep.sampling import nominal_device, sample_devices
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
    devices = sample_devices(study)
    directory = RunDirectory.create(Path(out), study, devices)
    tasks = plan(study, devices)
    total = sum(task.rows for task in tasks)
    todo = [task for task in tasks if not directory.has_part(task.part, task.rows)]
    done = total - sum(task.rows for task in todo)
    report = progress or (lambda _done, _total: None)
    report(done, total)
    if not todo:
        return directory.path
    with _pool(workers) if executor is None else contextlib.nullcontext(executor) as pool:
        futures: dict[Future[pd.DataFrame], Task] = {}
        try:
            for task in todo:
                futures[pool.submit(characterize, task)] = task
            for future in as_completed(futures):
                task = futures[future]
                directory.write_part(task.part, future.result())
                done += task.rows
                report(done, total)
        except BrokenProcessPool as error:
            raise SimulationError(
                "A worker process died; finished samples are kept, the same command goes on with the rest."
            ) from error
        finally:
            for future in futures:
                future.cancel()
    return directory.path


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
        status (``ok`` or ``failed``) and reason; a row for every device and pulse, whatever happens.
    """
    study, devices = task.study, task.devices
    amplitudes, durations = study.sweep.amplitude.values(), study.sweep.duration.values()
    shape = (len(devices), len(amplitudes), len(durations))
    rate, energy, redundant = np.full((3, *shape), np.nan)
    reason = np.full(shape[:2], "", dtype=object)

    stability = devices["thermal_stability"].to_numpy()
    low, high = fokker_planck.STABILITY_RANGE
    bistable = (stability >= low) & (stability <= high)
    for k in np.flatnonzero(~bistable):
        reason[k] = f"thermal stability {stability[k]:.3g} is outside {low:g} to {high:g}"
    if bistable.any():
        usable = devices[bistable]
        lines = load_lines(study, cell_parameters(study, usable), task.direction, amplitudes)
        overdrive = _overdrive(study, usable, task.direction, lines)
        reason[bistable] = lines.failure
        excessive = np.nanmax(np.abs(overdrive), axis=2, initial=0.0) > fokker_planck.OVERDRIVE_LIMIT
        reason[bistable] = np.where(
            excessive, f"overdrive above {fokker_planck.OVERDRIVE_LIMIT:g}", reason[bistable]
        )
        solved = reason[bistable] == ""
        results = _average_over_noise(usable, task.direction, lines, overdrive, amplitudes, durations, solved)
        for array, result in zip((rate, energy, redundant), results, strict=True):
            array[bistable] = result
    return _table(task, amplitudes, durations, rate, energy, redundant, reason)


def _overdrive(study: Study, devices: pd.DataFrame, direction: Direction, lines: LoadLine) -> FloatArray:
    """Overdrive on the points of the load line, shape (devices, amplitudes, points), ordered by m_z."""
    column = {name: devices[name].to_numpy()[:, None, None] for name in devices.columns}
    stack = study.stack
    # The critical current is that of the symmetric torque; its angular dependence enters here, once.
    one, lambda_ = np.ones(1), np.array(stack.slonczewski_lambda)
    symmetric = torque.spin_torque_efficiency(one, one, lines.m_z)
    asymmetry = torque.spin_torque_efficiency(one, lambda_, lines.m_z) / symmetric
    field_like = 1.0 + column["damping"] * stack.field_like_torque
    overdrive = lines.current_A / column["critical_current_A"] * asymmetry * field_like
    # A field that the voltage adds to Hk acts like an overdrive -dHk/Hk z, z counted from the start state.
    vcma = cell_parameters(study, devices)["vcma"].to_numpy()[:, None, None]
    softening = vcma * lines.junction_voltage_V / column["anisotropy_field_T"]
    start = 1.0 if direction == "p_to_ap" else -1.0
    return np.asarray(overdrive - softening * start * lines.m_z)


def _average_over_noise(
    devices: pd.DataFrame,
    direction: Direction,
    lines: LoadLine,
    overdrive: FloatArray,
    amplitudes: FloatArray,
    durations: FloatArray,
    solved: npt.NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Error rate, energy of a switching and of a redundant write, each (devices, amplitudes, durations)."""
    device, amplitude = np.nonzero(solved)
    shape = (*solved.shape, len(durations))
    rate, energy, redundant = np.full((3, *shape), np.nan)
    if len(device) == 0:
        return rate, energy, redundant
    delta = devices["thermal_stability"].to_numpy()[device]
    t_d = devices["relaxation_time_s"].to_numpy()[device][:, None]
    start = 1.0 if direction == "p_to_ap" else -1.0
    to_coefficients = np.linalg.inv(chebyshev.chebvander(start * lines.m_z, len(lines.m_z) - 1))
    drive = to_coefficients @ overdrive[solved].T
    power = to_coefficients @ (lines.current_A[solved] * amplitudes[amplitude, None]).T

    def series(coefficients: FloatArray) -> Callable[[FloatArray], FloatArray]:
        return lambda z: np.asarray(chebyshev.chebval(z, coefficients, tensor=False), dtype=np.float64)

    statistics = fokker_planck.write_statistics(series(drive), delta, durations / t_d, series(power))
    # Edges: the rise meets the state before the write, the fall the one after it.
    at_p, at_ap = np.moveaxis(lines.edge_energy_J[solved], -1, 0)
    before, after = (at_p, at_ap) if direction == "p_to_ap" else (at_ap, at_p)
    before, after = before[:, None], after[:, None]
    failed = statistics.error_rate
    rate[solved] = failed
    energy[solved] = statistics.integral * t_d + 0.5 * (before * (1.0 + failed) + after * (1.0 - failed))
    # A redundant write holds the state: 1 - |m_z| averages 1/(2 Delta (1 + i)) in the well.
    held = -1.0 + 0.5 / (delta * (1.0 + np.maximum(chebyshev.chebval(-1.0, drive), 0.0)))
    redundant[solved] = series(power)(held)[:, None] * durations + after
    return rate, energy, redundant


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
            "status": np.where(reasons == "", "ok", "failed"),
            "reason": reasons,
        },
        index=index,
    )
    return table.reset_index()
