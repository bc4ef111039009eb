"""Trial of the nominal device in one process before a sweep starts.

It finds errors that every device would have, after one load of the circuit instead of hours later: a
transistor file with a typo, a cell that does not conduct, a parameter without an effect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor

import numpy as np

from mtjchar.cells.base import Trial
from mtjchar.errors import WorkerError
from mtjchar.study import Study
from mtjchar.sweep import refinement
from mtjchar.sweep.pool import ATTEMPTS, LocalPool
from mtjchar.sweep.population import Population
from mtjchar.sweep.schedule import complete
from mtjchar.sweep.tasks import DEVICES_PER_TASK, Task, run_task
from mtjchar.units import rough_time

__all__ = ["estimate", "processes", "try_study"]

_LIMIT = 600.0  # s, to load a kit: the largest known takes half a minute
_LEAST_LIMIT, _LIMITS = 20.0, 10.0  # s, and times the limit of a device if one is given
_NO_FAULT_OF_DEVICES = ("failed", "timed_out", "crashed", "error")


@contextlib.contextmanager
def processes(pool: Executor) -> Iterator[LocalPool]:
    """Provide processes of this machine for the trial: those of a sweep, or one that ends with the block."""
    if isinstance(pool, LocalPool):
        yield pool
        return
    own = LocalPool(1)
    try:
        yield own
    finally:
        own.shutdown(cancel_futures=True)


def try_study(study: Study, pool: LocalPool, limit: float | None, say: Callable[[str], None]) -> Trial:
    """Try the nominal device of a study in a process of this machine.

    Parameters
    ----------
    study : Study
    pool : LocalPool
    limit : float or None
        Limit of a device, s.
    say : callable
        Called for retries.

    Raises
    ------
    InputError
        If the circuit does not do what the study requires.
    """
    seconds = _LIMIT if limit is None else max(_LEAST_LIMIT, _LIMITS * limit)
    for _ in range(ATTEMPTS):
        try:
            return pool.submit_within(seconds, _try_here, study).result()
        except WorkerError as error:
            lost = error
            if error.status == "error" or not error.from_outside:
                break
    say(f"trying the nominal device: {str(lost).splitlines()[0]}")
    return _as_a_task(study, pool, limit, say)


def _try_here(study: Study) -> Trial:
    """Try the nominal device in this process."""
    sweep = study.sweep
    highest = study.pulse.swept(
        sweep.duration.start, np.array([sweep.amplitude.stop]), np.array([sweep.duration.stop])
    )
    device = Population(study).nominal()
    return study.kind.try_nominal(study.tables, device, sweep.directions, highest)


def _as_a_task(study: Study, pool: LocalPool, limit: float | None, say: Callable[[str], None]) -> Trial:
    """Simulate the nominal device as in the sweep, if its trial has lost its process."""
    if refinement.to_place(study):
        study, device = refinement.pilot(study)
    else:
        device = Population(study).nominal()
    task = Task(study, device, study.sweep.directions[0])
    samples = next(complete(pool, [task], run_task, say=say, limit=limit)).samples
    status = samples["status"].unique().tolist()
    if len(status) == 1 and status[0] in _NO_FAULT_OF_DEVICES:
        return Trial(failure=(status[0], str(samples["reason"].iloc[0])))
    return Trial()


def estimate(tried: Sequence[tuple[Study, Trial]]) -> str:
    """Estimate the time of sweeps with a user's transistor together; empty without one."""
    load_s = max((trial.load_s for _, trial in tried), default=0.0)
    if not load_s:
        return ""
    seconds = 0.0
    for study, trial in tried:
        sweep = study.sweep
        devices = sweep.devices * len(sweep.directions)
        loads = np.ceil(sweep.devices / DEVICES_PER_TASK) * len(sweep.directions)
        seconds += loads * trial.load_s + devices * sweep.amplitude.points * trial.device_s
    what = "the sweep takes" if len(tried) == 1 else f"the {len(tried)} sweeps take"
    time = f"at most some {rough_time(seconds)} of one core"
    return f"ngspice loads the transistor in {load_s:.2g} s; {what} {time}"
