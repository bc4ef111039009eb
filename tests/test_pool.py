"""Workers that crash, hang and are killed, for real: their work is done again, and no other is lost."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from common import DEMO, ROOT

from mtjchar.errors import SimulationError, StartError, WorkerError
from mtjchar.sweep import limits
from mtjchar.sweep.pool import LocalPool
from mtjchar.sweep.population import Population
from mtjchar.sweep.schedule import complete
from mtjchar.sweep.tasks import Result, failed_samples, plan

BAD = 5


@pytest.fixture(scope="module")
def pool():
    """Two worker processes."""
    with LocalPool(2) as pool:
        yield pool


@pytest.fixture
def tasks(monkeypatch):
    """Eight devices, four a task, in one direction."""
    monkeypatch.setattr("mtjchar.sweep.tasks.DEVICES_PER_TASK", 4)
    one = DEMO.with_(sweep={"devices": 8, "directions": ("p_to_ap",)})
    return plan(one, Population(one).draw())


# Functions of this module reach the workers by name.


def works(task):
    """Say in every row who was at work."""
    return Result(failed_samples(task, "ok", ""), {"pid": str(os.getpid())})


def crashes(task):
    if BAD in task.devices["device"].to_numpy():
        os.kill(os.getpid(), signal.SIGSEGV)
    return works(task)


def hangs(task):
    while BAD in task.devices["device"].to_numpy():
        pass
    return works(task)


def raises(task):
    if BAD in task.devices["device"].to_numpy():
        np.linalg.inv(np.zeros((2, 2)))
    return works(task)


def crashes_once(task):
    """Die at the first attempt of every part."""
    if task.attempt == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return works(task)


def waits(seconds):
    time.sleep(seconds)
    return os.getpid()


def done(pool, tasks, call, limit=None):
    said = []
    parts = list(complete(pool, tasks, call, say=said.append, limit=limit))
    assert sorted(part.task.part for part in parts) == sorted(task.part for task in tasks)
    table = pd.concat([part.samples for part in parts])
    assert len(table) == sum(task.rows for task in tasks)
    keys = ["device", "amplitude_V", "duration_s"]
    assert not table.duplicated(keys).any()
    for part in parts:
        assert part.samples[keys].equals(failed_samples(part.task, "ok", "").table(part.task)[keys])
    return table, said


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (crashes, "crashed", "the worker process was ended by SIGSEGV"),
        (raises, "error", "LinAlgError: Singular matrix"),
    ],
)
def test_one_device_that_takes_its_worker_with_it_is_found(pool, tasks, call, status, words):
    table, said = done(pool, tasks, call)
    bad = table["device"] == BAD
    assert set(table["status"][~bad]) == {"ok"}
    assert set(table["status"][bad]) == {status}
    assert table["reason"][bad].str.contains(words, regex=False).all()
    assert np.all(np.isnan(table.loc[bad, ["write_error_rate", "energy_J", "redundant_energy_J"]]))
    # The part twice, its first half, then the device, which gets a second chance.
    ends = [line.rsplit("; ", 1)[1] for line in said]
    assert ends == ["trying again", "trying the halves", "trying the halves", "trying again",
                    "its samples are failed"]  # fmt: skip
    assert said[-1].startswith("p_to_ap, device 5: ")


def test_device_that_hangs_is_stopped_and_found(pool, tasks):
    # The second half of the part: less to start again.
    tasks = [tasks[0], tasks[1]._replace(devices=tasks[1].devices.iloc[1:2])]
    table, said = done(pool, tasks, hangs, limit=0.7)
    bad = table["device"] == BAD
    assert set(table["status"][~bad]) == {"ok"}
    assert set(table["status"][bad]) == {"timed_out"}
    assert set(table["reason"][bad]) == {"took longer than 0.7 s and was stopped"}
    assert said == [
        "p_to_ap, device 5: took longer than 0.7 s and was stopped; trying again",
        "p_to_ap, device 5: took longer than 0.7 s and was stopped; its samples are failed",
    ]


def test_what_was_killed_is_done_again(pool, tasks):
    table, said = done(pool, tasks, crashes_once)
    assert set(table["status"]) == {"ok"}
    assert len(said) == 2
    assert all("was ended by SIGKILL; trying again" in line for line in said)


@pytest.mark.slow
def test_workers_that_are_killed_at_any_moment_are_replaced():
    # Four times, at moments spread over start-up, work and idleness.
    rng = np.random.default_rng(3)
    with LocalPool(2) as pool:
        first = pool.submit_within(60, waits, 0.0).result()
        for delay in rng.uniform(0.0, 0.3, 4):
            futures = [pool.submit_within(60, waits, 0.1) for _ in range(2)]
            time.sleep(delay)
            for process in children():
                os.kill(process, signal.SIGKILL)
            wait(futures)
            for future in futures:
                assert isinstance(future.exception(), WorkerError | None)
        time.sleep(0.5)  # in which a process that was killed while it had nothing to do is found
        assert pool.submit_within(60, waits, 0.0).result() != first


def children():
    """Worker processes of this one, by the kernel's list."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (process / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"spawn_main" in command:
            found.append(int(process.name))
    return found


def test_giving_up_ends_whatever_runs_at_once():
    others = children()
    pool = LocalPool(2)
    futures = [pool.submit_within(600, waits, 500.0) for _ in range(5)]
    pool.submit_within(60, waits, 0.0)
    time.sleep(0.5)
    before = time.monotonic()
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - before < 5.0
    assert all(future.cancelled() or future.exception() for future in futures)
    assert set(children()) <= set(others)


# ---- scripts that workers import --------------------------------------------------------------------


def ends():
    os._exit(1)


def test_workers_that_end_while_they_start_are_not_tried_for_ever(tasks, monkeypatch):
    monkeypatch.setattr("mtjchar.sweep.pool._ready", ends)
    monkeypatch.setattr("mtjchar.sweep.pool._MOST_FAILED_STARTS", 2)
    words = r"No worker process starts: the worker process ended by itself \(exit code 1\)\. What it wrote"
    with LocalPool(1) as pool, pytest.raises(StartError, match=words) as failure:
        list(complete(pool, tasks[:1], works, say=print))
    assert "__main__" not in str(failure.value)


@contextlib.contextmanager
def killer(most):
    """Kill workers of this process as they appear, at most so many; gives a list of them."""
    killed, stop, others = [], threading.Event(), set(children())
    rng = np.random.default_rng(5)

    def kill():
        while len(killed) < most and not stop.wait(0.02):
            for process in set(children()) - others - set(killed):
                time.sleep(rng.uniform(0.0, 0.3))
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def takes_long():
    time.sleep(600.0)


def test_workers_that_are_killed_while_they_start_are_said_to_be(monkeypatch):
    monkeypatch.setattr("mtjchar.sweep.pool._ready", takes_long)
    words = r"No worker process starts: the worker process was ended by SIGKILL\. .* memory runs out"
    with killer(100) as killed, LocalPool(1) as pool, pytest.raises(StartError, match=words) as failure:
        pool.submit_within(60, waits, 0.0).result()
    assert len(killed) == 6
    assert "__main__" not in str(failure.value)
    assert "standard error" not in str(failure.value)


def test_worker_that_is_killed_five_times_while_it_starts_works_then():
    with killer(5) as killed, LocalPool(1) as pool:
        # Wherever a kill falls: a start has six attempts, and so has a call.
        assert dict(pool.call_each(waits, {0: (0.0,)}))[0] not in killed
    assert killed


SCRIPT = """
from mtjchar.sweep import limits
from mtjchar.sweep.pool import LocalPool

with LocalPool(1) as pool:
    print(pool.submit_within(60, len, "abc").result())
"""


def run_script(folder, text, limit=None, number=0):
    """Run a script with a limit of resources; returns what it said."""
    file = folder / "script.py"
    # Not in a function before the process starts: it would be called between fork and exec, which libraries
    # with threads, such as JAX, warn of.
    limited = f"import resource\nresource.setrlimit({limit}, ({number}, {number}))\n" if limit else ""
    file.write_text(limited + text)
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout + done.stderr


def test_a_script_without_a_guard_is_told_to_have_one(tmp_path):
    said = run_script(tmp_path, SCRIPT)
    assert "StartError: A worker process was about to begin a sweep of its own." in said
    assert "`if __name__ == '__main__':`" in said


def test_too_few_files_are_named(tmp_path):
    guarded = SCRIPT.replace("\nwith", "\nif __name__ == '__main__':\n  with").replace(
        "    print", "      print"
    )
    assert run_script(tmp_path, guarded) == "3\n"
    said = run_script(tmp_path, guarded, resource.RLIMIT_NOFILE, 8)
    assert "StartError: No worker process starts: the worker process was lost ([Errno 24]" in said
    assert "A process may open 8 files (ulimit -n); allow 64" in said


def test_scarce_memory_is_named(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda _: (700_000_000, 700_000_000))
    assert "limited to 700 MB of memory (ulimit -v); a worker needs about 1200 MB" in limits.advice()


def needs_too_much(_task):
    raise MemoryError("Unable to allocate 1 GiB")


@pytest.mark.parametrize("limited", [True, False])
def test_memory_that_is_limited_fails_no_samples(pool, tasks, monkeypatch, limited):
    monkeypatch.setattr(limits, "memory", lambda: 10**9 if limited else None)
    error, words = SimulationError, r"The first 4 tasks ended .*MemoryError: Unable to allocate 1 GiB"
    if limited:
        error, words = StartError, r"too little memory: Unable to allocate 1 GiB.*limited to 1000 MB"
    with pytest.raises(error, match=words):
        done(pool, tasks, needs_too_much)
