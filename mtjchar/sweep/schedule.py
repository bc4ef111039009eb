"""Completion of tasks on an executor, also if workers fail.

A task whose worker dies or hangs is tried once more, and five times if the worker was ended from outside.
After that it is halved until the device that causes the failure is found. That device becomes failed rows,
and no other device is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

import pandas as pd

from mtjchar.errors import MissingToolError, MtjcharError, SimulationError, StartError, WorkerError
from mtjchar.sweep.pool import ATTEMPTS, ATTEMPTS_FROM_OUTSIDE, LocalPool, submit
from mtjchar.sweep.tasks import Result, Work

__all__ = ["Call", "Done", "complete"]

_MOST_FIRST_ERRORS = 4  # of the program, before any task has succeeded
_IN_FLIGHT = 1000  # tasks that an executor holds; finished ones are written meanwhile

_EVERY = 1.0  # s, between two looks at what is under way

Call = Callable[[Any], Result]


class Done(NamedTuple):
    """A complete part."""

    task: Work
    samples: pd.DataFrame
    versions: dict[str, str]


def complete(
    executor: Executor,
    tasks: Iterable[Work],
    call: Call,
    *,
    say: Callable[[str], None],
    limit: float | None = None,
    load_s: float = 0.0,
    under_way: Callable[[float], None] | None = None,
) -> Iterator[Done]:
    """Do tasks and yield each when it is complete, in any order.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    tasks : iterable of mtjchar.sweep.tasks.Work
    call : callable
        Does one task: `mtjchar.sweep.tasks.run_task`.
    say : callable
        Called for every retry.
    limit, load_s : float, optional
        s a device may take, and loading a user's transistor; see `mtjchar.sweep.tasks.time_limit`.
    under_way : callable, optional
        Told every second how many samples are done of tasks that are at work, where the executor knows it.

    Raises
    ------
    SimulationError
        If the first tasks all end with errors of the program, or the executor is a pool of the standard
        library and a worker died: such a pool stops with it.
    MissingToolError
        If a worker has no ngspice.
    StartError
        If no worker process starts.
    """
    waiting = deque((task, _Part(task)) for task in tasks)
    running: dict[Future[Result], tuple[Work, _Part]] = {}
    start = _Start()
    try:
        while waiting or running:
            while waiting and len(running) < _IN_FLIGHT:
                task, part = waiting.popleft()
                running[submit(executor, task.seconds(limit, load_s), call, task)] = task, part
            for future in _next(running, executor, under_way):
                task, part = running.pop(future)
                result = _result(future)
                start.check(task, result)
                if isinstance(result, WorkerError):
                    again = _again(task, part, result)
                    what = f"{_name(task)}: {str(result).splitlines()[0]}"
                    if again:
                        say(f"{what}; {'trying again' if len(again) == 1 else 'trying the halves'}")
                        waiting.extendleft((half, part) for half in reversed(again))
                        continue
                    say(f"{what}; its samples are failed")
                    result = Result(task.failed(result.status, str(result)), {})
                if (done := part.add(task, result)) is not None:
                    yield done
    except BrokenProcessPool as error:
        raise SimulationError(
            "A worker process died. Finished samples are kept. Run the same command to continue."
        ) from error
    finally:
        for future in running:
            future.cancel()


def _next(
    running: dict[Future[Result], tuple[Work, _Part]],
    executor: Executor,
    under_way: Callable[[float], None] | None,
) -> set[Future[Result]]:
    """Wait for results, and tell meanwhile what is under way."""
    while True:
        done = wait(running, timeout=_EVERY, return_when=FIRST_COMPLETED).done
        if done:
            return done
        if under_way is not None and isinstance(executor, LocalPool):
            rows = [task.rows for task, _ in running.values()]
            under_way(executor.under_way() * max(rows))


class _Start:
    """The first tasks of a sweep: if none of them succeeds, the machine is the cause, not the devices."""

    def __init__(self) -> None:
        self._failed: set[tuple[str, int, int]] = set()
        self._over = False

    def check(self, task: Work, result: Result | WorkerError) -> None:
        """Check a result; raise if it is one program error too many and no task succeeded."""
        if not (isinstance(result, WorkerError) and result.status == "error"):
            self._over = True
        if self._over:
            return
        # Pieces of a part count too: if one device causes the error, some pieces do not contain it.
        self._failed.add((task.direction, int(task.devices["device"].iloc[0]), len(task.devices)))
        if len(self._failed) >= _MOST_FIRST_ERRORS:
            raise SimulationError(
                f"The first {len(self._failed)} tasks ended with errors of the program, the last with "
                f"{str(result).splitlines()[0]}. The sweep ends here: something is wrong with the machine or "
                "the installation, not with the devices. Fix it, then run the same command again."
            )


class _Part:
    """A task of the plan, and the results of its pieces."""

    def __init__(self, task: Work) -> None:
        self.task = task
        self._pieces: list[pd.DataFrame] = []
        self._versions: dict[str, str] = {}

    def add(self, piece: Work, result: Result) -> Done | None:
        """Add a result; return the whole part once it is complete."""
        samples = result.samples.table(piece)
        self._pieces.append(samples)
        self._versions.update(result.versions)
        if len(piece.devices) < len(self.task.devices):
            if sum(len(piece) for piece in self._pieces) < self.task.rows:
                return None
            order = list(self.task.order)
            samples = pd.concat(self._pieces).sort_values(order, kind="stable", ignore_index=True)
        return Done(self.task, samples, self._versions)


def _result(future: Future[Result]) -> Result | WorkerError:
    """Return the result of a task, or that of its failed worker; raise errors that concern every task."""
    try:
        return future.result()
    except (MissingToolError, StartError, BrokenProcessPool, CancelledError):
        raise
    except WorkerError as error:
        return error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # dask's, which need not be installed
            return WorkerError(f"every worker that tried died, the last of {_attempts(error)}")
        # No error of one task may affect the other tasks of a long sweep.
        if isinstance(error, MtjcharError):
            return WorkerError(str(error), status="failed")
        return WorkerError.unknown(error)


def _attempts(error: Exception) -> str:
    return f"{getattr(error, 'allowed_failures', 0) + 1}"


def _again(task: Work, part: _Part, error: WorkerError) -> list[Work]:
    """Choose the retry after a failure: a whole part or a single device once more, a piece in halves."""
    count = len(task.devices)
    attempts = ATTEMPTS_FROM_OUTSIDE if error.from_outside else ATTEMPTS
    if task.attempt + 1 < attempts and (error.from_outside or count in (1, len(part.task.devices))):
        return [task.again()]
    return list(task.halves()) if count > 1 else []


def _name(task: Work) -> str:
    first, last = task.devices["device"].iloc[[0, -1]]
    devices = f"device {first}" if first == last else f"devices {first} to {last}"
    return f"{task.direction}, {devices}"
