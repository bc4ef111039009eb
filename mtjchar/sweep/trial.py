"""The nominal device, tried in one process before a sweep starts.

What every device would fail with, hours later, shows here after one load of the circuit: a transistor file
with a typo, a cell that does not conduct, a parameter without an effect.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from mtjchar.cells.base import Pulses, Trial
from mtjchar.cells.transistor_netlist import source_of
from mtjchar.errors import WorkerError
from mtjchar.study import Study
from mtjchar.sweep import refinement
from mtjchar.sweep.pool import ATTEMPTS, LocalPool
from mtjchar.sweep.population import Population
from mtjchar.sweep.schedule import complete
from mtjchar.sweep.tasks import DEVICES_PER_TASK, Task, run_task

__all__ = ["estimate", "try_study"]

_LIMIT = 600.0  # s, to load a kit: the largest known takes half a minute
_LEAST_LIMIT, _LIMITS = 20.0, 10.0  # s, and times the limit of a device where one is given
_NO_FAULT_OF_DEVICES = ("failed", "timed_out", "crashed", "error")


def try_study(study: Study, pool: Executor, limit: float | None, say: Callable[[str], None]) -> Trial:
    """Try the nominal device of a study in a process of this machine.

    On an executor that is not a `LocalPool` only a study with a user's transistor is tried.

    Parameters
    ----------
    study : Study
    pool : Executor
        Of the sweep.
    limit : float or None
        Of a device, s.
    say : callable
        Told of retries.

    Raises
    ------
    InputError
        If the study asks for what the circuit does not do.
    """
    if isinstance(pool, LocalPool):
        return _tried(study, pool, limit, say)
    if source_of(study.kind.transistor(study.tables)) is None:
        return Trial()
    own = LocalPool(1)
    try:
        return _tried(study, own, limit, say)
    finally:
        own.shutdown(cancel_futures=True)


def _tried(study: Study, pool: LocalPool, limit: float | None, say: Callable[[str], None]) -> Trial:
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
    pulse, sweep = study.pulse, study.sweep
    highest = Pulses(
        pulse.rise, pulse.fall, sweep.duration.start,
        np.array([sweep.amplitude.stop]), np.array([sweep.duration.stop]),
    )  # fmt: skip
    device = Population(study).nominal()
    return study.kind.try_nominal(study.tables, device, sweep.directions, highest)


def _as_a_task(study: Study, pool: LocalPool, limit: float | None, say: Callable[[str], None]) -> Trial:
    """Do the nominal device as the sweep would, where trying it has lost its process."""
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


def estimate(study: Study, trial: Trial) -> str:
    """Say how long a sweep with a user's transistor takes; empty without one."""
    if not trial.load_s:
        return ""
    sweep = study.sweep
    devices = sweep.devices * len(sweep.directions)
    loads = np.ceil(sweep.devices / DEVICES_PER_TASK) * len(sweep.directions)
    seconds = loads * trial.load_s + devices * sweep.amplitude.points * trial.device_s
    return (
        f"ngspice loads the transistor in {trial.load_s:.2g} s; the sweep takes at most some "
        f"{_in_words(seconds)} of one core"
    )


def _in_words(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds > 2.0 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"
