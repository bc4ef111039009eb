"""Sweeps that are hurt in every way a night can hurt them: they go on, and end with the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from common import DEMO, ROOT, InPlace

from mtjchar.cells.stt import measure
from mtjchar.cells.stt.netlist import batch_deck
from mtjchar.errors import InputError, SimulationError, StorageError
from mtjchar.study import Transistor
from mtjchar.surfaces import average_devices
from mtjchar.sweep import tasks
from mtjchar.sweep.lock import locked
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory
from mtjchar.sweep.tasks import plan


def study(**changed):
    """Two amplitudes, three durations, eight devices."""
    cell = changed.pop("cell", {})
    numbers = {
        "amplitude": {"start": 0.6, "stop": 0.8, "points": 2},
        "duration": {"start": 1e-9, "stop": 4e-9, "points": 3},
        "devices": 8,
    }
    return DEMO.with_(cell=cell, sweep={**numbers, **changed})


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Two devices a part: eight parts."""
    monkeypatch.setattr(tasks, "DEVICES_PER_TASK", 2)


# In a process of its own, which computes in itself and can be killed; started as a copy of one that has
# loaded everything, so that many can be.
_VICTIM = textwrap.dedent(
    """
    import json, os, signal, sys, time
    from pathlib import Path
    import numpy as np
    from mtjchar.study import Study
    from mtjchar.sweep import tasks
    from mtjchar.sweep.run import run_sweep

    sys.path.insert(0, "tests")
    from common import InPlace

    tasks.DEVICES_PER_TASK = 2
    out, seed = Path(sys.argv[1]), int(sys.argv[2])
    study = Study.model_validate_json(sys.argv[3])

    def begin(folder):
        child = os.fork()
        if child == 0:
            run_sweep(study, folder, executor=InPlace())
            os._exit(0)
        return child

    start = time.monotonic()
    os.waitpid(begin(out.with_name("undisturbed")), 0)
    whole = time.monotonic() - start
    rng = np.random.default_rng(seed)
    said = []
    for delay in whole * rng.uniform(0.05, 0.3, 10):
        child = begin(out)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said.append(len(list((out / "samples").glob("[!.]*"))) if (out / "samples").exists() else 0)
    texts = []
    run_sweep(study, out, executor=InPlace(), log=lambda what: texts.append(what.get("text", "")))
    print(json.dumps({"parts": said, "texts": [text for text in texts if text]}))
    """
)


def parts_of(path):
    return {part.name: part.read_bytes() for part in sorted((path / "samples").iterdir())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run that nothing has happened to; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "DEVICES_PER_TASK", 2)
        return run_sweep(study(), tmp_path_factory.mktemp("undisturbed") / "run", executor=InPlace())


@pytest.fixture
def copy(undisturbed, tmp_path):
    """A copy of that run, to be damaged."""
    return shutil.copytree(undisturbed, tmp_path / "copy")


def go_on(path, one=None):
    """Run the sweep again; returns the number of tasks it took and what it said."""
    here, said = InPlace(), []
    run_sweep(one or study(), path, executor=here, log=lambda what: said.append(what.get("text", "")))
    return len(here.tasks), [text for text in said if text]


# ---- killed -----------------------------------------------------------------------------------------


def test_parent_that_is_killed_at_ten_moments(undisturbed, tmp_path):
    command = [sys.executable, "-c", _VICTIM, str(tmp_path / "run"), "5", study().model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["parts"][0] < 8  # it was killed before its end
    assert re.fullmatch(
        r"Process \d+ on .* \(since .*\) was ended from outside; continuing .*", answer["texts"][0]
    )
    assert parts_of(tmp_path / "run") == parts_of(undisturbed)
    assert go_on(tmp_path / "run")[0] == 0


def works_until_killed(task):
    """Do a task; at the first attempt of three parts say so, and do not end but by a signal."""
    victim = task.attempt == 0 and task.direction == "p_to_ap" and task.devices["device"].iloc[0] < 6
    if victim:
        (Path(os.environ["MTJCHAR_TEST_AT_WORK"]) / str(os.getpid())).touch()
    result = tasks.run_task(task)
    if victim:
        time.sleep(600.0)
    return result


@pytest.mark.slow
def test_workers_that_are_killed_while_they_work(undisturbed, tmp_path, monkeypatch):
    at_work = tmp_path / "at work"
    at_work.mkdir()
    monkeypatch.setenv("MTJCHAR_TEST_AT_WORK", str(at_work))
    monkeypatch.setattr("mtjchar.sweep.run.run_task", works_until_killed)
    killed, stop = [], threading.Event()

    def kill():
        rng = np.random.default_rng(8)
        while not stop.wait(0.02):
            for process in {int(file.name) for file in at_work.iterdir()} - set(killed):
                time.sleep(rng.uniform(0.0, 0.3))
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        # Spawned workers do not see the size of parts that this test has set, nor need they.
        run_sweep(study(), tmp_path / "run", workers=2)
    finally:
        stop.set()
        killer.join()
    assert len(killed) == 3
    assert parts_of(tmp_path / "run") == parts_of(undisturbed)


@pytest.mark.slow
def test_ctrl_c_ends_within_five_seconds_and_workers_go_with_a_killed_parent(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(study(devices=4000).to_toml())
    command = [sys.executable, "-m", "mtjchar.cli", "sweep", str(file), "--workers", "2"]
    log = tmp_path / "log.jsonl"
    for name, ending in (("ctrl-c", signal.SIGINT), ("kill", signal.SIGKILL)):
        process = subprocess.Popen(
            [*command, "--out", str(tmp_path / name), "--json-log", str(log)],
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started = time.monotonic()
        while not list((tmp_path / name).glob("samples/[!.]*")) and time.monotonic() - started < 120:
            time.sleep(0.1)
        workers = workers_of(process.pid)
        assert len(workers) == 2
        before = time.monotonic()
        # As a terminal does it: to all of them.
        (os.killpg if ending == signal.SIGINT else os.kill)(process.pid, ending)
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - before < 5.0
        while any(is_running(worker) for worker in workers) and time.monotonic() - before < 5.0:
            time.sleep(0.05)
        assert not any(is_running(worker) for worker in workers)
        if ending != signal.SIGKILL:
            assert process.returncode == 130, said
            assert "Run the same command to continue" in said
            assert "Traceback" not in said
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {event["event"] for event in events} == {"start", "part"}
    # The parent may be killed between a part and its line in the log.
    last = [event for event in events if event["event"] == "part"][-1]
    assert 0 < last["done"] < last["total"] == 4000 * 2 * 2 * 3
    assert last["failed"] == 0
    assert last["samples_per_s"] > 0
    assert last["remaining_s"] > 0


def workers_of(parent):
    """Worker processes of a process, by the kernel's list."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            of = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if of == parent and b"spawn_main" in command:
            found.append(int(folder.name))
    return sorted(found)


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---- the disk ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for some parts; in its place, loudly, a skip where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"FULL DISK NOT TESTED: a file system cannot be mounted here ({done.stderr.strip()})")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_is_said_and_gone_on_from(undisturbed, small_disk):
    with pytest.raises(
        StorageError, match=r"No space left on device.* finished results are kept. Make room"
    ) as full:
        go_on(small_disk / "run")
    assert str(small_disk) in str(full.value)
    kept = parts_of(small_disk / "run")
    assert 0 < len(kept) < 8
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    count, _ = go_on(small_disk / "run")
    assert count == 8 - len(kept)
    assert parts_of(small_disk / "run") == parts_of(undisturbed)


def test_full_disk_ends_the_command_with_1(small_disk, monkeypatch, capsys):
    from mtjchar.cli import main

    (small_disk / "filler").write_bytes(bytes(70_000))
    file = small_disk.parent / "study.toml"
    file.write_text(study().to_toml())
    monkeypatch.setattr(sys, "argv", ["mtjchar", "sweep", str(file), "--out", str(small_disk / "run")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
def test_damaged_parts_are_found_said_and_redone(undisturbed, copy, how):
    names = {task.part for task in plan(study(), RunDirectory.open(copy).devices())}
    part = sorted((copy / "samples").iterdir())[3]
    whole = part.read_bytes()
    places = np.linspace(0, len(whole) - 1, 60).astype(int) if how == "flipped" else [0]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        part.write_bytes({"flipped": damaged, "cut": whole[:-7], "empty": b""}[how])
        with pytest.raises(InputError, match="checksum of its name"):
            RunDirectory.open(copy).samples()
        stock = RunDirectory.open(copy).inspect_parts(names)
        assert len(stock.whole) == 7
        assert stock.discarded[0].startswith(f"samples/{part.name} is damaged")
    part.write_bytes({"flipped": damaged, "cut": whole[:-7], "empty": b""}[how])
    count, said = go_on(copy)
    assert count == 1
    assert said == [f"{stock.discarded[0]}; it is done again"]
    assert parts_of(copy) == parts_of(undisturbed)


def test_damaged_devices_are_drawn_again(undisturbed, copy):
    file = copy / "devices.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)
    count, said = go_on(copy)
    assert count == 0
    assert said == ["devices.parquet is missing or damaged; its devices are drawn again"]
    assert file.read_bytes() == (undisturbed / "devices.parquet").read_bytes()


def test_part_of_another_sweep_is_removed(undisturbed, copy):
    strange = next((copy / "samples").iterdir())
    strange.rename(strange.with_name("up_to_p" + strange.name[7:]))
    count, said = go_on(copy)
    assert count == 1
    assert "does not belong to this sweep" in said[0]
    assert parts_of(copy) == parts_of(undisturbed)


def test_part_of_an_earlier_version_is_refused(copy):
    (copy / "samples" / "p_to_ap-0000000-0000063.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"parts with their checksum in the name.*another directory"):
        go_on(copy)


# ---- two at once, and changes in between ------------------------------------------------------------


def test_second_sweep_in_a_directory_is_refused(copy):
    with (
        locked(copy, lambda text: pytest.fail(text)),
        pytest.raises(
            InputError, match=rf"no other command of mtjchar works in. Process {os.getpid()} on .* does"
        ) as refusal,
    ):
        # The lock is a file's, not a process's: this one is refused as another would be.
        go_on(copy)
    assert "Wait until it has ended, or give another directory" in str(refusal.value)
    assert go_on(copy) == (0, [])


def test_lock_of_a_dead_process_is_recognized(copy):
    (copy / ".sweep.owner").write_text('{"pid": 4711, "host": "elsewhere", "since": "then"}')
    _, said = go_on(copy)
    assert said == [
        "Process 4711 on elsewhere (since then) was ended from outside; continuing from its finished work"
    ]
    assert go_on(copy) == (0, [])


def test_changed_transistor_is_refused(tmp_path):
    file = tmp_path / "nmos.lib"
    file.write_text(
        ".subckt n d g s b w=1 l=1 dvth=0\nR1 d s {1k*300n/w*l/30n + dvth*1k}\nR2 g b 1meg\n.ends\n"
    )
    one = study(cell={"transistor": Transistor(model=str(file), subcircuit="n")}, devices=1)
    go_on(tmp_path / "run", one)
    file.write_text(file.read_text().replace("1k", "2k"))
    with pytest.raises(InputError, match="a file that was changed since this sweep began") as refusal:
        go_on(tmp_path / "run", one)
    assert "nmos.lib" in str(refusal.value)


def test_other_versions_are_not_mixed(copy, monkeypatch):
    next((copy / "samples").iterdir()).unlink()
    monkeypatch.setattr(tasks, "versions", lambda: {"mtjchar": "9", "PySpice": "1.5", "ngspice": "99"})
    with pytest.raises(
        SimulationError, match=r"made with PySpice .*; a worker has PySpice 1\.5, mtjchar 9, ngspice 99"
    ):
        go_on(copy)


def test_clock_that_is_set_changes_nothing(undisturbed, tmp_path, monkeypatch):
    # An hour forward at every look: whoever believed it would think every worker hangs.
    hours = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + 3600.0 * next(hours))
    run_sweep(study(), tmp_path / "run", workers=1)
    monkeypatch.undo()
    assert parts_of(tmp_path / "run") == parts_of(undisturbed)


_OTHER_PLACE = """
import locale, os, sys, time
os.environ["TZ"] = "Pacific/Chatham"
time.tzset()
locale.setlocale(locale.LC_ALL, "")
assert locale.localeconv()["decimal_point"] == ","
exec(sys.argv.pop(1))
"""


@pytest.mark.slow
def test_locale_with_a_decimal_comma_changes_nothing(undisturbed, tmp_path):
    if shutil.which("localedef"):
        made = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")]
        subprocess.run(made, capture_output=True, check=False)
    environment = {**os.environ, "LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}
    probe = [sys.executable, "-c", "import locale; locale.setlocale(locale.LC_ALL, '')"]
    if subprocess.run(probe, env=environment, capture_output=True, check=False).returncode:
        pytest.skip("DECIMAL COMMA NOT TESTED: no locale can be made here (Debian: apt install locales)")
    victim = _VICTIM.replace("uniform(0.05, 0.6, 10)", "uniform(0.05, 0.6, 0)")
    command = [
        sys.executable,
        "-c",
        _OTHER_PLACE,
        victim,
        str(tmp_path / "run"),
        "1",
        study().model_dump_json(),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert parts_of(tmp_path / "run") == parts_of(undisturbed)


# ---- decks that do not work -------------------------------------------------------------------------

RESISTOR = ".subckt n d g s b w=1u l=1u dvth=0\nR1 d s {1k*300n/w*l/30n + dvth*1k}\nR2 g b 1meg\n"
ENDS = ".ends\n"


def with_transistor(folder, text, **changed):
    file = folder / "nmos.lib"
    file.write_text(text)
    transistor = Transistor(model=str(file), subcircuit="n")
    return study(cell={"transistor": transistor}, directions=("p_to_ap",), devices=1, **changed)


def table_of(path):
    return RunDirectory.open(path).samples()


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (RESISTOR + ENDS + "E1 a b nand(2) c\n", "failed", "malformed line"),
        (RESISTOR + "B1 0 x i = 1m*exp(40*v(x))\nR3 x 0 1meg\n" + ENDS, "not_converged", "dc vmz"),
        (
            RESISTOR
            + "B1 0 x i = (time - 0.3n)*(1u - time) > 0 ? 1m*exp(40*v(x)) : 0\nC2 x 0 1f\nR3 x 0 1meg\n"
            + ENDS, "cut", "timestep too small",
        ),
    ],
    ids=["aborts", "never converges", "is cut"],
)  # fmt: skip
def test_deck_that_does_not_work_is_rows_and_a_deck_to_look_at(tmp_path, text, status, words):
    one = with_transistor(tmp_path, text)
    count, said = go_on(tmp_path / "run", one)
    assert count == 1
    assert said[-1].startswith(
        f"6 of 6 samples failed (6 {status}), up to 100.00% at one amplitude; the first: "
    )
    assert said[-1].endswith("That is more than 1%: no surface is made of it")
    table = table_of(tmp_path / "run")
    assert set(table["status"]) == {status}
    assert table["reason"].str.startswith("ngspice ").all()
    assert table["reason"].str.lower().str.contains(words).all()
    assert np.all(np.isnan(table[["write_error_rate", "energy_J", "redundant_energy_J"]]))
    with pytest.raises(SimulationError, match=r"A surface needs 99% of the devices.*failures/"):
        average_devices(tmp_path / "run")
    # The deck runs by hand, and does by hand what it did in the sweep.
    deck = tmp_path / "run" / "failures" / "p_to_ap-0000000.cir"
    assert f"* {status}: ngspice" in deck.read_text()
    done = subprocess.run(["ngspice", "-b", deck], capture_output=True, text=True, timeout=60, check=False)
    by_hand = done.stdout + done.stderr
    expected = {"failed": "", "not_converged": "gmin step", "cut": "timestep too small"}[status]
    assert expected in by_hand.lower()
    assert "unknown" not in by_hand.lower()
    # It is finished work: nothing is redone.
    assert go_on(tmp_path / "run", one)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ('.include "pipe"', "timed_out", "took longer than 2 s and was stopped"),
        (".func f(x) {f(x)+1}\n.param q={f(1)}", "crashed", "was ended by SIGSEGV"),
    ],
    ids=["hangs", "crashes"],
)
def test_deck_that_takes_its_process_with_it(tmp_path, line, status, words):
    # ngspice waits for somebody to write into the pipe, and follows the function until its stack is full.
    os.mkfifo(tmp_path / "pipe")
    one = with_transistor(tmp_path, f"{RESISTOR}{ENDS}{line}\n")
    run_sweep(one, tmp_path / "run", workers=1, limit=2.0)
    table = table_of(tmp_path / "run")
    assert set(table["status"]) == {status}
    assert table["reason"].str.contains(words).all()
    assert f"* {status}: " in (tmp_path / "run" / "failures" / "p_to_ap-0000000.cir").read_text()


def test_retry_that_helps_is_noted(tmp_path, monkeypatch):
    # ngspice comes to terms with nearly everything, so that the deck itself has to get better on the way: a
    # node without a solution stands in it until the rung that allows more iterations.
    dying = "B9 0 x9 i = (time - 0.3n)*(1u - time) > 0 ? 1m*exp(40*v(x9)) : 0\nC9 x9 0 1f\nR9 x9 0 1meg\n"

    def deck(*arguments, options="", **others):
        text = batch_deck(*arguments, options=options, **others)
        return text if "itl4" in options else text.replace(".options", f"{dying}.options", 1)

    one = with_transistor(tmp_path, RESISTOR + ENDS)
    go_on(tmp_path / "plain", one)
    monkeypatch.setattr(measure, "batch_deck", deck)
    go_on(tmp_path / "run", one)
    table = table_of(tmp_path / "run")
    assert set(table["status"]) == {"ok"}
    assert set(table["note"]) == {"cut at first; solved with step over 10, gmin 1e-10, more iterations"}
    for column in ("write_error_rate", "energy_J"):
        np.testing.assert_allclose(table[column], table_of(tmp_path / "plain")[column], rtol=2e-3)


# ---- errors of the machine and of the program -------------------------------------------------------


class Breaking(InPlace):
    """Lets the program meet an error in tasks of some devices."""

    def __init__(self, devices):
        super().__init__()
        self.devices = devices

    def submit(self, fn, /, *args):
        if self.devices & set(args[0].devices["device"]):
            future = Future()
            future.set_exception(OSError(28, "No space left on device"))
            return future
        return super().submit(fn, *args)


def test_program_errors_in_all_first_tasks_end_the_sweep(undisturbed, tmp_path):
    with pytest.raises(SimulationError, match=r"The first 4 tasks .*No space left on device.*same command"):
        run_sweep(study(), tmp_path / "run", executor=Breaking(set(range(8))))
    assert list((tmp_path / "run" / "samples").iterdir()) == []
    assert go_on(tmp_path / "run")[0] == 8
    assert parts_of(tmp_path / "run") == parts_of(undisturbed)


def test_program_errors_of_one_device_are_rows_and_done_again(undisturbed, tmp_path):
    run_sweep(study(), tmp_path / "run", executor=Breaking({5}))
    table = table_of(tmp_path / "run")
    assert set(table["device"][table["status"] == "error"]) == {5}
    assert table["reason"][table["status"] == "error"].str.startswith("OSError: [Errno 28]").all()
    assert set(table["status"][table["device"] != 5]) == {"ok"}
    count, said = go_on(tmp_path / "run")
    assert count == 2  # a part in each direction
    assert all("the machine may have failed with; it is done again" in one for one in said)
    assert parts_of(tmp_path / "run") == parts_of(undisturbed)


def test_sweep_of_which_too_much_failed_ends_with_1(tmp_path, call):
    one = with_transistor(tmp_path, RESISTOR + "B1 0 x i = 1m*exp(40*v(x))\nR3 x 0 1meg\n" + ENDS)
    (tmp_path / "study.toml").write_text(one.to_toml())
    code, _, said = call("sweep", tmp_path / "study.toml", "--out", tmp_path / "run", "--workers", 1)
    assert code == 1
    assert "6 of 6 samples failed (6 not_converged)" in said


def test_run_whose_transistor_file_has_gone_is_read(tmp_path, call):
    one = with_transistor(tmp_path, RESISTOR + ENDS)
    run = run_sweep(one, tmp_path / "run", executor=InPlace())
    (tmp_path / "nmos.lib").unlink()
    assert (run / "transistor" / "nmos.lib").read_text() == RESISTOR + ENDS
    surface = average_devices(run)
    surface.save(run / "surface.nc")
    asked = ("--direction", "p_to_ap", "--amplitude", "0.7 V", "--duration", "2 ns")
    for command in (("query", run, *asked), ("export", run, "--format", "csv", "--out", tmp_path / "t.csv")):
        code, _, said = call(*command)
        assert code == 0, said


def test_study_that_would_not_be_read_back_is_not_swept(tmp_path):
    one = study()
    # Unchecked: `with_` refuses such a seed.
    wrong = one.model_copy(update={"sweep": one.sweep.model_copy(update={"seed": 2**63})})
    with pytest.raises(InputError, match="seed"):
        run_sweep(wrong, tmp_path / "run", executor=InPlace())
    assert not (tmp_path / "run" / "study.toml").exists()
