"""How commands end when something happens to their processes: signals, closed terminals, two at a time."""

import contextlib
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from common import ROOT
from test_battery import EXPORT, FIT, QUERY, SURFACE, SWEEP, TRADEOFF, filled, good, left_over, tree  # noqa: F401

from mtjchar.sweep.lock import locked

TRAININGS = TRADEOFF.replace("--workers 1", "--workers 2").replace("--epochs 1", "--epochs 4")


@pytest.fixture
def place(good, tmp_path):  # noqa: F811
    """A copy of the good inputs."""
    return shutil.copytree(good, tmp_path / "place")


def started(command, place, before=(), **options):
    """Start a command, behind another one if that is given, in a group of processes of its own."""
    arguments = [*before, sys.executable, "-m", "mtjchar.cli", *filled(command, place)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(arguments, text=True, start_new_session=True, cwd=ROOT, **options)


def end_of(process, seconds=120):
    """Exit code and messages of a command, when it has ended."""
    said = process.communicate(timeout=seconds)[1]
    return process.returncode, said


def children(process):
    """Processes that a process has started, by the kernel's list of each of its threads."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(one) for thread in threads for one in (thread / "children").read_text().split()]


def is_running(process):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_for(what, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.02)
    assert found
    return found


def trained(place):
    """Number of trainings that are finished."""
    file = place / "out/tradeoff/trainings.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


def tables(place):
    """What a trade-off gives; the order of the trainings in their file is that of their ends."""
    return {
        name: digest for name, digest in tree(place / "out/tradeoff").items() if name != "trainings.jsonl"
    }


@pytest.fixture(scope="module")
def finished(good, tmp_path_factory):  # noqa: F811
    """A trade-off that nothing has happened to; not to be changed."""
    place = shutil.copytree(good, tmp_path_factory.mktemp("undisturbed") / "place")
    code, said = end_of(started(TRAININGS, place))
    assert code == 0, said
    return place / "out"


@pytest.fixture(scope="module")
def undisturbed(finished):
    """What a trade-off gives when nothing happens to it."""
    return tables(finished.parent)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signals", "to_group", "code"),
    [
        ([signal.SIGINT] * 3, True, 130),
        ([signal.SIGTERM], False, 130),
        ([signal.SIGKILL], False, -signal.SIGKILL),
    ],
    ids=["three ctrl-c", "SIGTERM", "SIGKILL"],
)
def test_trade_off_that_is_ended_leaves_no_process_and_goes_on(place, undisturbed, signals, to_group, code):
    process = started(TRAININGS, place)
    wait_for(lambda: trained(place) > 1)
    workers = children(process.pid)
    assert len(workers) >= 2
    for one in signals:
        (os.killpg if to_group else os.kill)(process.pid, one)
        time.sleep(0.1)
    ended, said = end_of(process, 20)
    assert ended == code, said
    assert "Traceback" not in said
    assert code < 0 or "Run the same command to continue" in said
    wait_for(lambda: not any(map(is_running, workers)), 5.0)
    before = trained(place)
    assert end_of(started(TRAININGS, place))[0] == 0
    assert trained(place) > before
    assert tables(place) == undisturbed
    assert left_over(place) == []


@pytest.mark.slow
def test_killed_worker_of_a_trade_off_is_replaced(place, undisturbed):
    process = started(TRAININGS, place)
    wait_for(lambda: trained(place) > 1)
    victim = next(one for one in children(process.pid) if b"spawn_main" in _command(one))
    os.kill(victim, signal.SIGKILL)
    code, said = end_of(process)
    assert code == 0, said
    assert tables(place) == undisturbed


def _command(process):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


@pytest.mark.parametrize(
    ("command", "folder"), [(SURFACE, "run"), (SWEEP, "out/new"), (TRADEOFF, "out/tradeoff")]
)
def test_second_command_that_writes_in_a_directory_is_refused(place, call, command, folder):
    with locked(place / folder, say=print):
        code, _, said = call(*filled(command, place))
    assert code == 2
    assert f"no other command of mtjchar works in. Process {os.getpid()} on " in said


def test_two_exports_of_one_file_give_what_one_gives(place, call):
    assert call(*filled(EXPORT, place))[0] == 0
    alone = tree(place / "out")
    for file in (place / "out").iterdir():
        file.unlink()
    both = [started(EXPORT, place) for _ in range(2)]
    assert [end_of(one)[0] for one in both] == [0, 0]
    assert tree(place / "out") == alone
    assert left_over(place) == []


def test_a_cut_line_of_trainings_swallows_no_other(place, undisturbed, finished, call):
    shutil.copytree(finished, place / "out", dirs_exist_ok=True)
    file = place / "out/tradeoff/trainings.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3]) + lines[3][:80])
    assert call(*filled(TRAININGS.replace("--workers 2", "--workers 1"), place))[0] == 0
    assert sorted(file.read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert tables(place) == undisturbed


def test_ctrl_c_ends_a_fit(place):
    times = "".join(
        f"p_to_ap,{volt},{ns},{writes},{int(writes * share)}\n"
        for volt, ns, writes, share in [(0.5, 10, 1000, 0.2), (0.6, 10, 1000, 0.7), (0.7, 10, 1000, 0.97),
                                        (0.6, 20, 1000, 0.93), (0.5, 30, 1000, 0.6), (0.8, 4, 1000, 0.5)]
    )  # fmt: skip
    (place / "data.csv").write_text("direction,amplitude_V,duration_ns,trials,switched\n" + times)
    process = started(FIT + " --diameter '40 nm' --terms critical_current_spread,stability_spread", place)
    time.sleep(5.0)  # beyond the imports: of a fit that takes three times as long
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    code, said = end_of(process, 20)
    assert time.monotonic() - start < 5.0
    assert code == 130, said
    assert "Traceback" not in said
    assert not (place / "out/fitted.toml").exists()


def test_sweep_goes_on_when_its_terminal_closes(place):
    leader, terminal = pty.openpty()
    process = started(
        SWEEP, place, stdin=terminal, stdout=terminal, stderr=terminal,
        before=["sh", "-c", 'trap "" HUP; exec "$0" "$@"'],  # as nohup does, whose output may be a terminal
    )  # fmt: skip
    os.close(terminal)
    wait_for(lambda: (place / "out/new/study.toml").exists())
    os.close(leader)
    process.wait(60)
    assert {name for name in tree(place / "out/new") if name.startswith("samples/")} == {
        name for name in tree(place / "run") if name.startswith("samples/")
    }


@pytest.mark.parametrize(
    ("redirected", "code", "word"),
    [(">/dev/full", 1, "No space left on device"), (">&- 2>&- <&-", 0, ""), ("| true", 1, "")],
)
def test_standard_streams_that_are_full_or_closed(place, redirected, code, word):
    command = shlex.join([sys.executable, "-m", "mtjchar.cli", *filled(QUERY, place)])
    script = f"set -o pipefail; {command} {redirected}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )
    assert done.returncode in ((code, 0) if "|" in redirected else (code,)), done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
