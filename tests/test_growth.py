"""A run that grows to a larger study holds what a fresh run of that study holds, byte for byte."""

import shutil

import numpy as np
import pytest
from common import DEMO, InPlace
from hypothesis import given, settings
from hypothesis import strategies as st

import mtjchar
from mtjchar.errors import InputError
from mtjchar.study import load_study
from mtjchar.sweep import importance, store, tasks
from mtjchar.sweep.population import sobol_points
from mtjchar.sweep.run import run_scenarios, run_sweep
from mtjchar.sweep.store import RunDirectory

AMPLITUDES = {"start": 0.5, "stop": 0.6, "points": 2}
DURATIONS = {"start": 1e-9, "stop": 4e-9, "points": 3}


def study(**changed):
    """Five devices, two amplitudes, three durations."""
    numbers = {"amplitude": AMPLITUDES, "duration": DURATIONS, "devices": 5, "seed": 3}
    return DEMO.with_(sweep={**numbers, **changed})


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Two devices a part."""
    monkeypatch.setattr(tasks, "DEVICES_PER_TASK", 2)


def sweep(one, out):
    """Sweep; returns the parts that were computed, and what was said."""
    here, said = InPlace(), []
    run_sweep(one, out, executor=here, log=lambda event: said.append(event.get("text", "")))
    return [task.part for task in here.tasks], [text for text in said if text]


def content(path):
    """All that a run is made of."""
    files = [path / "study.toml", path / "devices.parquet", *sorted((path / "samples").iterdir())]
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A run of the study; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "DEVICES_PER_TASK", 2)
        path = tmp_path_factory.mktemp("small") / "run"
        sweep(study(), path)
    return path


@pytest.fixture
def run(small, tmp_path):
    """A copy of it."""
    return shutil.copytree(small, tmp_path / "run")


def grow(small, large, path):
    """Sweep a larger study in the directory of a run; it has to equal a fresh run of the larger one."""
    shutil.copytree(small, path / "run")
    computed, said = sweep(large, path / "run")
    fresh, _ = sweep(large, path / "fresh")
    assert content(path / "run") == content(path / "fresh")
    assert sweep(large, path / "run") == ([], [])
    return {"computed": computed, "fresh": fresh, "said": said}


def test_more_devices_keep_what_is_there(small, tmp_path):
    done = grow(small, study(devices=9), tmp_path)
    # Parts 0-1 and 2-3 stay; device 4 was alone and is simulated again, in a batch with device 5.
    assert len(done["computed"]) == 2 * 3
    there = {file.name.split(".")[0] for file in (small / "samples").iterdir()}
    assert set(done["computed"]) == set(done["fresh"]) - there
    assert done["said"][0] == "the run grows: from 5 to 9 devices"
    assert "-0000004-0000004-" in done["said"][1]
    assert "and 1 more parts do not belong to this sweep; removed" in done["said"][1]


@pytest.mark.parametrize(
    ("grid", "says"),
    [
        ({"amplitude": {**AMPLITUDES, "stop": 0.7, "points": 3}}, "3 from 0.5 V to 0.7 V instead of 2 from"),
        ({"duration": {**DURATIONS, "start": 5e-10, "points": 5}, "devices": 6}, "5 to 6 devices; the durat"),
    ],
)
def test_wider_and_finer_grids(small, tmp_path, grid, says):
    done = grow(small, study(**grid), tmp_path)
    assert done["computed"] == done["fresh"]  # one transient holds all pulses of a device
    assert says in done["said"][0]


def test_an_unfinished_run_grows_too(small, run):
    first, second, *_ = parts = sorted((run / "samples").iterdir())
    first.unlink()
    second.write_bytes(b"")
    computed, _ = sweep(study(devices=6), run)
    assert len(computed) == 4
    for part in parts[:2]:
        assert (run / "samples" / part.name).read_bytes() == (small / "samples" / part.name).read_bytes()


def test_from_so_few_devices_that_they_are_drawn_otherwise(small, tmp_path, monkeypatch):
    # From there on they are drawn in replicates, after a pilot: the first ones are others than before.
    monkeypatch.setattr(importance, "LEAST_DEVICES", 8)
    done = grow(small, study(devices=9), tmp_path)
    assert done["computed"] == done["fresh"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(0, 300), st.integers(0, 2**32))
def test_the_first_devices_are_the_same_however_many_there_are(devices, more, seed):
    shift = importance.Shift(np.array([[0.6, 0.0, 0.8]]), np.array([3.0]))
    few, many = (importance.draw(shift, [0, 2], count, seed) for count in (devices, devices + more))
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(one, other[:devices])
    few, many = (sobol_points(3, count, np.random.default_rng(seed)) for count in (devices, devices + more))
    np.testing.assert_array_equal(few, many[:devices])


def test_points_that_were_placed_keep_their_places(tmp_path):
    refined = {"duration": {**DURATIONS, "points": 4, "spacing": "refined"}}
    sweep(study(**refined, devices=4), tmp_path / "placed")
    done = grow(tmp_path / "placed", study(**refined, devices=6), tmp_path)
    assert len(done["computed"]) == 2  # and no pilot
    placed = load_study(tmp_path / "run/study.toml", written=True).sweep
    assert (len(placed.duration.grid), placed.devices) == (4, 6)


def test_scenarios_grow(run, tmp_path):
    here = InPlace()
    run_scenarios({"run": study(devices=6), "new": study(devices=2)}, tmp_path, executor=here)
    assert len(here.tasks) == 2 + 2
    assert len(RunDirectory.open(run).devices()) == 6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"devices": 4}, r"sweep.devices: got 4; allowed: 5 or more, as in the study"),
        ({"seed": 4, "devices": 9}, r"sweep.seed: got 4; allowed: 3, as in the study"),
        (
            {"amplitude": {**AMPLITUDES, "stop": 0.55, "points": 4}},
            r"sweep.amplitude.stop: got '0.55 V'; allowed: '0.6 V' or more, as in",
        ),
        (
            {"duration": {**DURATIONS, "start": 2e-9}},
            r"sweep.duration.start: got '2e-09 s'; allowed: '1e-09 s' or less",
        ),
        (
            {"amplitude": {**AMPLITUDES, "stop": 0.9}, "duration": {**DURATIONS, "points": 2}},
            r"sweep.duration.points: got 2; allowed: 3 or more, as in the study this directory belongs to\.",
        ),
        (
            {"duration": {**DURATIONS, "points": 5, "spacing": "linear"}, "seed": 4},
            r"sweep.duration.spacing: got 'linear'; .* Also different: sweep.seed\. Give",
        ),
        ({"directions": ("p_to_ap",), "devices": 9}, r"sweep.directions: got \['p_to_ap'\]"),
    ],
)
def test_what_is_less_or_other_is_refused(small, change, says):
    before = content(small)
    with pytest.raises(InputError, match=says):
        sweep(study(**change), small)
    assert content(small) == before


def test_a_study_that_was_changed_does_not_grow(run):
    file = run / "study.toml"
    file.write_text(file.read_text().replace('wordline_voltage = "1.4 V"', 'wordline_voltage = "1.5 V"'))
    text = file.read_text()
    with pytest.raises(InputError, match="changed after its sweep"):
        sweep(study(devices=9), run)
    assert file.read_text() == text


def test_a_study_of_the_users_own_does_not_grow(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(study().to_toml())
    with pytest.raises(InputError, match="a study of your own"):
        sweep(study(devices=9), tmp_path)
    assert file.read_text() == study().to_toml()


@pytest.mark.parametrize("ends_at", ["devices.parquet", "sweep.json", "study.toml"])
def test_growth_that_is_cut_off_is_gone_on_with(small, run, monkeypatch, ends_at):
    whole = store.write_bytes

    def cut(path, content):
        if path.name == ends_at:
            raise KeyboardInterrupt
        whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_bytes", cut)
        patch.setattr(store, "write_text", lambda path, text: cut(path, text.encode()))
        with pytest.raises(KeyboardInterrupt):
            sweep(study(devices=6), run)
    computed, _ = sweep(study(devices=6), run)
    assert len(computed) == 2
    assert RunDirectory.open(run).record().devices_used == 6
    for part in sorted((small / "samples").glob("*-0000000-*")):
        assert (run / "samples" / part.name).read_bytes() == part.read_bytes()


def test_the_command_line_grows_a_run(run, tmp_path, call):
    mtjchar.average_devices(run)
    file = tmp_path / "study.toml"
    file.write_text(study().to_toml())
    at = ("sweep", file, "--out", run, "--workers", 1)
    query = ("query", run, "--amplitude", "0.55 V", "--duration", "2 ns")
    assert call(*query)[0] == 0
    code, _, err = call(*at, "--devices", 6)
    assert code == 0
    assert "the run grows: from 5 to 6 devices" in err
    code, _, err = call(*query)  # the surface is that of five devices
    assert code == 2
    assert "Run `mtjchar surface` with this directory again" in err
    mtjchar.average_devices(run)
    assert call(*query)[0] == 0
    code, _, err = call(*at, "--devices", 3)
    assert code == 2
    assert "sweep.devices: got 3; allowed: 6 or more" in err
