"""A sweep on a dask cluster: a real scheduler and two worker processes here, one of them killed."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from mtjchar.errors import InputError
from mtjchar.study import Study, load_study
from mtjchar.sweep import tasks
from mtjchar.sweep.pool import cluster
from mtjchar.sweep.run import sweep

ROOT = Path(__file__).resolve().parent.parent
DEMO = load_study(ROOT / "data/studies/demo.toml")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Two devices a part."""
    monkeypatch.setattr(tasks, "DEVICES_PER_TASK", 2)


def study():
    return Study(
        stack=DEMO.stack, junction=DEMO.junction, cell=DEMO.cell, pulse=DEMO.pulse,
        variability=DEMO.variability, sweep={
            "amplitude": {"start": 0.6, "stop": 0.8, "points": 2},
            "duration": {"start": 1e-9, "stop": 4e-9, "points": 3},
            "devices": 40,
        },
    )  # fmt: skip


class Here(Executor):
    """Runs the tasks in this process, one after the other."""

    def submit(self, fn, /, *args):
        future = Future()
        future.set_result(fn(*args))
        return future


def parts_of(path):
    return {part.name: part.read_bytes() for part in sorted((path / "samples").iterdir())}


def dask(*arguments):
    """Start a program of dask's; of Python's options those that dask itself needs are left as they are."""
    command = [sys.executable, "-W", "ignore", "-m", "distributed.cli." + arguments[0], *arguments[1:]]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@contextlib.contextmanager
def scheduler_with_two_workers():
    """Give the address of the scheduler and its two workers, which nobody starts again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    started = [dask("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")]
    try:
        for _ in range(2):
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
            started.append(dask("dask_worker", address, *options))
        for _ in range(600):
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.1)
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_worker_that_is_killed_loses_nothing(tmp_path):
    expected = parts_of(sweep(study(), tmp_path / "here", executor=Here()))
    assert len(expected) == 40
    with scheduler_with_two_workers() as (address, workers):
        killed = []

        def kill(what):
            if what["event"] == "part" and what["done"] > what["total"] / 4 and not killed:
                killed.append(what["done"])
                os.kill(workers[0].pid, signal.SIGKILL)

        with cluster(address) as executor:
            sweep(study(), tmp_path / "there", executor=executor, log=kill)
        assert killed
        assert workers[0].wait(10) == -signal.SIGKILL
        assert workers[1].poll() is None
    assert parts_of(tmp_path / "there") == expected


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", ""),
        ("http://127.0.0.1:80", ""),
        ("tcp://127.0.0.1", ""),
        ("tcp://127.0.0.1:99999", ""),
        ("tcp://127.0.0.1:1", "Connection refused"),
    ],
)
def test_nobody_at_the_address_is_said(address, words):
    with pytest.raises(InputError, match="a dask scheduler that answers") as refusal, cluster(address):
        pass
    assert f"--cluster: got {address!r}" in str(refusal.value)
    assert words in str(refusal.value)


def test_threads_of_one_process_take_turns():
    # Two simulators at once in one process crash; dask's workers have several threads unless told otherwise.
    one, most, lock = [0], [0], threading.Lock()

    def watched(_task):
        with lock:
            one[0] += 1
            most[0] = max(most[0], one[0])
        time.sleep(0.05)
        with lock:
            one[0] -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "compute", watched)
        threads = [threading.Thread(target=tasks.run_task, args=(None,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == [1]
    assert re.fullmatch(r"\d+", tasks.versions()["ngspice"])
