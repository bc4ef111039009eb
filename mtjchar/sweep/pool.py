"""Execution of tasks in processes of this machine (a `concurrent.futures.Executor`) or any other executor."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import math
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, resource_tracker
from typing import Any, TypeVar

from pebble import CONSTS, ProcessExpired, ProcessPool

from mtjchar.errors import StartError, WorkerError
from mtjchar.sweep import limits
from mtjchar.sweep.tasks import Work
from mtjchar.work import heard_by

__all__ = ["ATTEMPTS", "ATTEMPTS_FROM_OUTSIDE", "K", "LocalPool", "T", "submit"]

K = TypeVar("K")
T = TypeVar("T")

CONSTS.term_timeout = (
    0.3  # s that pebble leaves a worker between SIGTERM and SIGKILL: it has no cleanup to do
)
_LOST = "the worker process was lost"
_DEATHS = (ProcessExpired, BrokenProcessPool)
ATTEMPTS = 2
"""Number of attempts for a call whose process is lost."""

ATTEMPTS_FROM_OUTSIDE = 6
"""Number of attempts if the process was ended from outside: its task is rarely the cause."""

_UNGUARDED = 77  # exit code of a worker that was about to begin a sweep
_GUARD = (
    "A worker process was about to begin a sweep of its own. Workers import the script that calls sweep: it "
    "has to call it under `if __name__ == '__main__':`."
)
_KILLED = (-signal.SIGKILL, -signal.SIGTERM)  # exit codes: no action of a worker ends it in this way
_MOST_FAILED_STARTS = 3  # starts that end without a signal, for one task
_START_LIMIT = 300.0  # s: to start a process and load the libraries on a busy machine


class _Context(multiprocessing.context.SpawnContext):
    """Spawns processes and remembers the last: pebble does not report how a process ended that did nothing.

    Spawned, not forked: a forked copy of a loaded ngspice is not an independent simulator.
    """

    last: multiprocessing.process.BaseProcess | None = None

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Make a process."""
        self.last = super().Process(*args, **kwargs)
        return self.last

    def exit_code(self) -> int | None:
        """Return how the last process ended; none if that is not known."""
        return None if self.last is None else self.last.exitcode


class LocalPool(ThreadPoolExecutor):
    """Processes of this machine, each with its own pipe, so that a failure of one does not affect the others.

    A process that crashes, is killed or takes too long is replaced, and its task ends with a `WorkerError`.

    Parameters
    ----------
    workers : int, optional
        Number of processes; default: one for each core.
    """

    def __init__(self, workers: int | None = None) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            print(_GUARD, file=sys.stderr, flush=True)
            os._exit(_UNGUARDED)  # no script can catch this and continue
        self._own = threading.local()
        self._running: set[Future[Any]] = set()
        self._done: dict[int, Any] = {}  # share of its task that each process has done, by thread
        self._pools: set[ProcessPool] = set()
        self._giving_up = False
        super().__init__(workers or os.cpu_count() or 1, "mtjchar-worker", initializer=_ignore_ctrl_c)

    def submit_within(self, limit: float, function: Callable[..., T], /, *args: Any) -> Future[T]:
        """Call a function in its own process, for at most `limit` seconds."""
        try:
            return super().submit(self._supervise, limit, function, args)
        except RuntimeError as error:
            if "thread" not in str(error):
                raise
            raise StartError(f"No thread starts: {error}. {limits.advice()}") from error

    def call_each(
        self, function: Callable[..., T], calls: Mapping[K, tuple[Any, ...]]
    ) -> Iterator[tuple[K, T]]:
        """Call a function once for each key and yield the results as they are available.

        A call whose process is lost is repeated once, and five times if it was ended from outside.

        Raises
        ------
        WorkerError
            If a call keeps losing its process.
        StartError
            If no process starts.
        """
        losses: Counter[K] = Counter()
        running = {self.submit_within(math.inf, function, *args): key for key, args in calls.items()}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                try:
                    result = future.result()
                except WorkerError as error:
                    losses[key] += 1
                    if losses[key] >= (ATTEMPTS_FROM_OUTSIDE if error.from_outside else ATTEMPTS):
                        raise
                    running[self.submit_within(math.inf, function, *calls[key])] = key
                else:
                    yield key, result

    def under_way(self) -> float:
        """Return how many tasks the processes have done since they gave back the last ones."""
        return float(sum(share.value for share in tuple(self._done.values())))

    def _supervise(self, limit: float, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        pool = getattr(self._own, "pool", None)
        if pool is not None and not pool.active:  # its process was killed while it was idle
            self._discard(pool)
        if getattr(self._own, "pool", None) is None:
            self._start()
        try:
            return self._wait(self._own.pool, limit, function, args)
        except MemoryError as error:
            if limits.memory() is None:
                raise
            raise StartError(f"A worker has too little memory: {error}. {limits.advice()}") from error

    def _start(self) -> None:
        """Start a process: if none starts, no task is the cause, and none must fail because of it."""
        ends: Counter[bool] = Counter()  # of starts, by whether the process was killed
        while True:
            try:
                self._own.context = _Context()
                share = self._own.context.RawValue("d", 0.0)
                self._done[threading.get_ident()] = share
                self._own.pool = ProcessPool(
                    1, initializer=_begin, initargs=(share,), context=self._own.context
                )
                self._pools.add(self._own.pool)
                self._wait(self._own.pool, _START_LIMIT, _ready, ())
                return
            except (WorkerError, OSError, MemoryError) as error:
                if self._giving_up:
                    raise
                killed = getattr(error, "exit_code", None) in _KILLED
                ends[killed] += 1
                if ends[killed] < (ATTEMPTS_FROM_OUTSIDE if killed else _MOST_FAILED_STARTS):
                    continue
                advice = limits.advice_on_kills() if killed else limits.advice()
                raise StartError(f"No worker process starts: {error}. {advice}") from error

    def _wait(self, pool: ProcessPool, limit: float, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        try:
            future: Future[T] = pool.schedule(function, args=args)
        except (RuntimeError, OSError) as error:  # its process was just killed, or cannot be made
            code = self._own.context.exit_code()
            self._discard(pool)
            why = error.__cause__ or error
            if isinstance(why, OSError) or "thread" in str(why):
                raise WorkerError(f"{_LOST} ({why})", from_outside=True) from None
            raise _death(code, True) from None
        self._running.add(future)
        if self._giving_up:
            future.cancel()
        share = self._done[threading.get_ident()]
        share.value = 0.0
        try:
            # This waits by a clock that cannot be set, unlike the pool's own time-out.
            end = time.monotonic() + limit
            while not _settled(future, end) and pool.active:
                pass
            return future.result(0.0)
        except TimeoutError:
            words = f"took longer than {limit:.3g} s and was stopped"
            if pool.active:
                raise WorkerError(words, status="timed_out") from None
            raise _death(self._own.context.exit_code(), True) from None
        except ProcessExpired as error:
            raise _death(error.exitcode, error.exitcode in _KILLED) from None
        except BrokenProcessPool:
            raise _death(self._own.context.exit_code(), True) from None
        finally:
            self._running.discard(future)
            share.value = 0.0
            if future.cancelled() or not future.done() or isinstance(future.exception(), _DEATHS):
                self._discard(pool, future)

    def _discard(self, pool: ProcessPool, future: Future[Any] | None = None) -> None:
        """Discard a process together with its pipe, which may be left locked or half full."""
        self._own.pool = None
        if future is not None:
            future.cancel()
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        self._pools.discard(pool)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes; with `cancel_futures` at once, whatever they are doing."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if cancel_futures:
            self._giving_up = True
            for future in tuple(self._running):
                future.cancel()
        super().shutdown(wait=wait)
        for pool in tuple(self._pools):
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()
        self._pools.clear()


def _settled(future: Future[Any], end: float) -> bool:
    """Wait, at most until `end` (monotonic, s); return whether there is still anything to wait for."""
    left = end - time.monotonic()
    with contextlib.suppress(CancelledError):
        try:
            future.exception(min(max(left, 0.0), 1.0))
        except TimeoutError:
            return left <= 0.0
    return True


def _ignore_ctrl_c() -> None:
    """Protect processes that this thread starts from Ctrl-C, which reaches every process of a terminal."""
    resource_tracker.ensure_running()  # started later, it would undo the next line
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _ready() -> None:
    """Do nothing: the call loads this module and its dependencies in the worker."""


def _begin(share: Any) -> None:
    """Prepare a worker process to report its share, and to end on a signal or after its parent."""
    heard_by(functools.partial(setattr, share, "value"))
    # A Python handler would wait for ngspice to return.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _death(code: int | None, from_outside: bool) -> WorkerError | StartError:
    if code == _UNGUARDED:
        return StartError(_GUARD)
    words = _LOST if code is None else f"the worker process {_ending(code)}"
    return WorkerError(words, from_outside=from_outside, exit_code=code)


def _ending(code: int) -> str:
    """Describe how a process ended."""
    if code >= 0:
        return f"ended by itself (exit code {code})"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def submit(executor: Executor, limit: float, function: Callable[[Any], T], task: Work) -> Future[T]:
    """Call a function on any executor, for at most `limit` seconds.

    On an executor that is not a `LocalPool`, a call that takes longer ends its process: that is the
    only way to stop ngspice, and clusters start their workers again.
    """
    if isinstance(executor, LocalPool):
        return executor.submit_within(limit, function, task)
    return executor.submit(_Guarded(limit, function), task)


class _Guarded:
    """A call that ends its process if it takes too long, unless it runs in the calling process."""

    def __init__(self, limit: float, function: Callable[[Any], Any]) -> None:
        self.limit, self.function, self.asked_by = limit, function, _here()

    def __call__(self, task: Work) -> Any:
        if self.asked_by == _here():
            return self.function(task)
        faulthandler.dump_traceback_later(self.limit, exit=True)
        try:
            return self.function(task)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _here() -> tuple[str, int]:
    return platform.node(), os.getpid()
