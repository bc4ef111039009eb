"""The sweep: complete, reproducible, resumable, and in agreement with waveforms of whole writes."""

import multiprocessing
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pytest
from common import DEMO, InPlace

from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import DIRECTIONS, SttVariability
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.errors import InputError, SimulationError
from mtjchar.study import Spread, Transistor, load_study
from mtjchar.sweep import tasks
from mtjchar.sweep.part_folders import SAMPLE_COLUMNS
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory

KEYS = ["device", "direction", "amplitude_V", "duration_s"]
NUMBERS = ["write_error_rate", "energy_J", "redundant_energy_J"]


def study(*, base=DEMO, cell=None, stack=None, variability=None, **changed):
    numbers = {
        "directions": DIRECTIONS,
        "amplitude": {"start": 0.5, "stop": 1.0, "points": 3},
        "duration": {"start": 2e-9, "stop": 20e-9, "points": 4, "spacing": "log"},
        "devices": 4,
        "seed": 7,
    }
    return base.with_(
        stack=stack or {}, cell=cell or {}, variability=variability or {}, sweep={**numbers, **changed}
    )


def run_here(one, out):
    here = InPlace()
    run_sweep(one, out, executor=here)
    return [task.part for task in here.tasks]


def parts_of(path):
    return {part.name: part.read_bytes() for part in sorted((path / "samples").iterdir())}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """What the tiny study gives."""
    path = tmp_path_factory.mktemp("samples")
    run_here(study(), path)
    return RunDirectory.open(path).samples()


def quick(**changed):
    """A smaller study yet, for what has to be run again and again."""
    pulses = {"amplitude": {"start": 0.4, "stop": 0.5, "points": 2},
              "duration": {"start": 1e-9, "stop": 2e-9, "points": 3}}  # fmt: skip
    return study(**{**pulses, **changed})


@pytest.fixture
def small_parts(monkeypatch):
    """Two devices a part."""
    monkeypatch.setattr(tasks, "DEVICES_PER_TASK", 2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of the quick study, two devices a part; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "DEVICES_PER_TASK", 2)
        path = tmp_path_factory.mktemp("finished") / "run"
        assert len(run_here(quick(), path)) == 4
    return path


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of that run, to be damaged."""
    return shutil.copytree(finished, tmp_path / "copy")


# ---- the table --------------------------------------------------------------------------------------


def test_pulses_from_a_nanosecond_to_a_tenth_of_a_millisecond(tmp_path):
    # Expected: after the transient exp(-lambda t), with one rate from each of two pairs of long durations.
    long = {"start": 1e-9, "stop": 1e-4, "points": 16, "spacing": "log"}
    run_here(study(amplitude={"start": 0.2, "stop": 0.5, "points": 4}, duration=long, devices=3), tmp_path)
    rows = RunDirectory.open(tmp_path).samples().sort_values(KEYS)
    assert (rows["status"] == "ok").all()
    shape = (-1, 16)
    rate, energy, time = (
        rows[name].to_numpy().reshape(shape) for name in ("write_error_rate", "energy_J", "duration_s")
    )
    assert np.all(np.diff(rate, axis=1) <= 1e-7)  # what the march leaves of a rate near 1
    assert np.all(np.diff(energy, axis=1) > 0.0)
    slope = -np.diff(np.log(rate[:, -4:].clip(1e-300)), axis=1) / np.diff(time[:, -4:], axis=1)
    shown = (rate[:, -1] < 0.999) & (rate[:, -1] > 1e-250)
    assert shown.sum() >= 3
    assert slope[shown, 0] == pytest.approx(slope[shown, 2], rel=1e-3)


def test_every_device_and_pulse_has_a_row(samples):
    one = study()
    expected = pd.MultiIndex.from_product(
        [range(4), sorted(DIRECTIONS), one.sweep.amplitude.values(), one.sweep.duration.values()], names=KEYS
    )
    pd.testing.assert_index_equal(pd.MultiIndex.from_frame(samples[KEYS]), expected, exact=False)
    assert tuple(samples.columns) == SAMPLE_COLUMNS
    assert set(samples["status"]) == {"ok"}
    assert set(samples["reason"]) == {""}
    assert np.all(np.isfinite(samples[NUMBERS]))


def test_run_directory_holds_study_and_devices(finished):
    assert load_study(finished / "study.toml") == quick()
    devices = pd.read_parquet(finished / "devices.parquet")
    pd.testing.assert_frame_equal(devices, Population(quick()).draw(), check_exact=True)


def cube(samples, column, direction):
    rows = samples[samples["direction"] == direction]
    return rows[column].to_numpy().reshape(4, 3, 4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_error_rate_falls_with_amplitude_and_duration(samples, direction):
    rate = cube(samples, "write_error_rate", direction)
    assert np.all((rate >= 0) & (rate <= 1))
    assert np.all(np.diff(rate, axis=1) < 0)
    assert np.all(np.diff(rate, axis=2) < 0)
    assert rate.max() > 0.3
    assert rate.min() < 1e-12


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("column", ["energy_J", "redundant_energy_J"])
def test_energy_is_positive_and_grows(samples, direction, column):
    energy = cube(samples, column, direction)
    assert np.all(energy > 0)
    assert np.all(np.diff(energy, axis=1) > 0)
    assert np.all(np.diff(energy, axis=2) > 0)


def test_devices_differ(samples):
    for direction in DIRECTIONS:
        for column in NUMBERS:
            # Of sampled devices no two are alike, on any pulse that leaves a rate above rounding.
            assert len(np.unique(cube(samples, column, direction)[:, 0, 0])) == 4


def test_written_high_resistance_costs_less(samples):
    # Physics: a redundant write of AP sends less current through the cell than a switching one, which
    # starts in P; with P it is the other way round. True once the write mostly succeeds.
    for direction, sign in (("p_to_ap", 1), ("ap_to_p", -1)):
        excess = cube(samples, "energy_J", direction) - cube(samples, "redundant_energy_J", direction)
        assert np.all(sign * excess[:, 1:, 1:] > 0)


# ---- against waveforms ------------------------------------------------------------------------------


def waveform_energies(samples, direction, started_in):
    """Energy in ngspice of explicit pulses, magnetization at the typical thermal angle, beside the table."""
    devices = Population(study()).draw()
    written = 1.0 if direction == "ap_to_p" else -1.0
    side = written if started_in == "written" else -written
    angle = np.arctanh(1.0 - 0.5 / devices["thermal_stability"])
    cells = cell_parameters(study(), devices).assign(u0=side * angle)
    rows = samples[samples["direction"] == direction]
    for amplitude in study().sweep.amplitude.values():
        for duration in study().sweep.duration.values():
            row = rows[(rows["amplitude_V"] == amplitude) & (rows["duration_s"] == duration)]
            assert row["device"].tolist() == [0, 1, 2, 3]
            yield row, write_waveforms(study(), cells, direction, study().pulses.at(amplitude, duration))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_redundant_energy_is_that_of_explicit_pulses(samples, direction):
    # Another program: whole transients with both edges at every duration, against one load line. Own
    # measurement: within 7e-4.
    for row, write in waveform_energies(samples, direction, "written"):
        np.testing.assert_allclose(row["redundant_energy_J"], write.energy_J, rtol=2e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_switching_energy_is_near_that_of_a_typical_write(samples, direction):
    # The table's is a mean over thermal histories, the waveform is one typical history without noise: they
    # agree where nearly every write succeeds. Own measurement: within 0.8 %, against up to 30 % between
    # the two states.
    compared = 0
    for row, write in waveform_energies(samples, direction, "other"):
        sure = row["write_error_rate"].to_numpy() < 0.02
        compared += sure.sum()
        np.testing.assert_allclose(row["energy_J"][sure], write.energy_J[sure], rtol=0.015)
        assert np.all((write.m_z[sure, -1] > 0) == (direction == "ap_to_p"))
    assert compared > 20


# ---- the same again ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_the_number_of_workers(finished, tmp_path, workers):
    run_sweep(quick(), tmp_path / "run", workers=workers)
    assert parts_of(tmp_path / "run") == parts_of(finished)


@pytest.mark.usefixtures("small_parts")
def test_any_executor_runs_the_sweep(finished, tmp_path):
    said = []
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        run_sweep(quick(), tmp_path / "run", executor=pool, progress=lambda *now: said.append(now))
        assert pool.submit(int, "7").result() == 7  # it is the caller's, and still open
    assert parts_of(tmp_path / "run") == parts_of(finished)
    assert said == [(done, 48) for done in (0, 12, 24, 36, 48)]


def test_another_seed_gives_other_samples(finished, tmp_path):
    run_here(quick(seed=8), tmp_path)
    samples, other = (RunDirectory.open(path).samples() for path in (finished, tmp_path))
    assert not np.any(other["energy_J"].to_numpy() == samples["energy_J"].to_numpy())


def test_parts_of_any_size_give_the_same_samples(finished, tmp_path):
    run_here(quick(), tmp_path)
    samples, whole = (RunDirectory.open(path).samples() for path in (finished, tmp_path))
    assert len(parts_of(tmp_path)) == 2
    pd.testing.assert_frame_equal(whole[KEYS], samples[KEYS], check_exact=True)
    # ngspice chooses its steps for a batch, hence the tolerance.
    np.testing.assert_allclose(whole[NUMBERS[1:]], samples[NUMBERS[1:]], rtol=1e-3)


# ---- going on ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_interrupted_sweep_goes_on_with_what_is_missing(finished, copy):
    gone, cut, *kept = sorted((copy / "samples").iterdir())
    names = [part.name.split(".")[0] for part in (gone, cut)]
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-100])
    past = [part.stat().st_mtime_ns - 10**9 for part in kept]
    for part, time in zip(kept, past, strict=True):
        os.utime(part, ns=(time, time))

    said = []
    here = InPlace()
    run_sweep(quick(), copy, executor=here, progress=lambda *now: said.append(now))
    assert sorted(task.part for task in here.tasks) == names
    assert [part.stat().st_mtime_ns for part in kept] == past
    assert parts_of(copy) == parts_of(finished)
    assert said == [(24, 48), (36, 48), (48, 48)]
    assert run_here(quick(), copy) == []


@pytest.mark.usefixtures("small_parts")
def test_part_with_rows_missing_is_redone(finished, copy):
    part = next((copy / "samples").glob("p_to_ap-0000002-*"))
    pd.read_parquet(part).head(10).to_parquet(part)
    assert run_here(quick(), copy) == [part.name.split(".")[0]]
    assert parts_of(copy) == parts_of(finished)


@pytest.mark.usefixtures("small_parts")
def test_what_a_killed_process_left_is_no_sample(finished, copy):
    left = copy / "samples" / ".p_to_ap-0000002-0000003.parquet.x7.parquet"
    left.write_bytes(b"PAR1 and then nothing")
    again = RunDirectory.open(copy).samples()
    pd.testing.assert_frame_equal(again, RunDirectory.open(finished).samples(), check_exact=True)


@pytest.mark.usefixtures("small_parts")
def test_damaged_part_is_named_when_samples_are_read(copy):
    part = next((copy / "samples").iterdir())
    part.write_bytes(part.read_bytes()[:-50])
    with pytest.raises(InputError) as refusal:
        RunDirectory.open(copy).samples()
    message = str(refusal.value)
    assert str(part) in message
    assert "allowed: a whole Parquet file, with the checksum of its name" in message
    assert "Run `mtjchar sweep` with this directory again" in message


@pytest.mark.parametrize(
    ("change", "key", "values"),
    [
        ({"seed": 8}, "sweep.seed", ("8", "7")),
        ({"devices": 3}, "sweep.devices", ("3", "4")),
        ({"cell": {"wordline_voltage": 1.3}}, "cell.wordline_voltage", ("1.3 V", "1.4 V")),
        ({"variability": SttVariability(tmr=0.01)}, "variability.diameter", ("0.0", "0.03")),
        ({"directions": ("p_to_ap",)}, "sweep.directions", ("['p_to_ap']", "'ap_to_p'")),
    ],
)
def test_another_study_in_the_same_directory_is_refused(finished, change, key, values):
    before = parts_of(finished)
    with pytest.raises(InputError) as refusal:
        run_here(quick(**change), finished)
    message = str(refusal.value)
    assert f"{finished / 'study.toml'}: {key}: got " in message
    for value in values:
        assert value in message
    assert "Give another directory, or remove this one." in message
    assert parts_of(finished) == before
    assert load_study(finished / "study.toml") == quick()


def test_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"allowed: a directory that `mtjchar sweep`.*no study\.toml"):
        RunDirectory.open(tmp_path)


def test_directory_without_samples_is_refused(tmp_path):
    directory = RunDirectory.create(tmp_path, study(), Population(study()).draw())
    with pytest.raises(InputError, match=r"allowed: Parquet parts of a sweep.*Run `mtjchar sweep`"):
        directory.samples()


def test_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("taken")
    with pytest.raises(InputError, match="allowed: a directory that can be written") as refusal:
        run_here(study(), tmp_path / "file")
    assert str(tmp_path / "file") in str(refusal.value)


def test_study_without_two_states_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="thermal stability"):
        run_here(study(stack={"interfacial_anisotropy": 1.12e-3}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---- failures ---------------------------------------------------------------------------------------


def test_devices_out_of_range_are_rows_with_a_reason(tmp_path):
    # Around a nominal Delta of 8 a deviation of 1 % in Ki leaves part of the devices below 5.
    spread = SttVariability(interfacial_anisotropy=Spread(sigma=0.01, relative=True))
    one = quick(stack={"interfacial_anisotropy": 1.144e-3}, variability=spread, devices=8)
    run_here(one, tmp_path)
    devices, table = Population(one).draw(), RunDirectory.open(tmp_path).samples()
    assert len(table) == 8 * 2 * 2 * 3
    low = devices["device"][devices["thermal_stability"] < 5]
    assert 0 < len(low) < 8
    failed = table["status"] == "failed"
    assert set(table["device"][failed]) == set(low)
    assert set(table["device"][~failed]) == set(devices["device"]) - set(low)
    assert np.all(np.isnan(table.loc[failed, NUMBERS]))
    assert np.all(np.isfinite(table.loc[~failed, NUMBERS]))
    for device in low:
        stability = devices["thermal_stability"][device]
        reason = f"thermal stability {stability:.3g} is outside 5 to 250"
        assert set(table["reason"][table["device"] == device]) == {reason}
    # They are finished work: nothing is redone.
    assert run_here(one, tmp_path) == []


def test_too_much_current_is_a_row_with_a_reason(tmp_path):
    # A junction of 20 ohm on a strong transistor: hundreds of times the critical current.
    one = quick(
        stack={"resistance_area_product": 1e-13}, devices=1, directions=("ap_to_p",),
        cell={"transistor": Transistor(model="ideal", on_resistance=10.0)},
        amplitude={"start": 0.02, "stop": 4.0, "points": 2},
    )  # fmt: skip
    run_here(one, tmp_path)
    table = RunDirectory.open(tmp_path).samples()
    high = table["amplitude_V"] > 1
    assert set(table["status"][~high]) == {"ok"}
    assert set(table["reason"][high]) == {"overdrive above 50"}
    assert np.all(np.isnan(table.loc[high, NUMBERS]))


def test_cells_ngspice_refuses_are_rows_with_its_words(tmp_path):
    file = tmp_path / "nmos.lib"
    file.write_text(".subckt another d g s b w=1u l=1u dvth=0\nR1 d s 1k\n.ends\n")
    one = quick(cell={"transistor": Transistor(model=str(file), subcircuit="my_nmos")}, devices=2)
    run_here(one, tmp_path / "run")
    table = RunDirectory.open(tmp_path / "run").samples()
    assert len(table) == 2 * 2 * 2 * 3
    assert set(table["status"]) == {"failed"}
    assert table["reason"].str.contains("unknown subckt").all()
    assert table["reason"].str.contains("my_nmos").all()


@pytest.mark.usefixtures("small_parts")
def test_worker_that_dies_is_an_error_that_says_how_to_go_on(finished, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawn, initializer=os._exit, initargs=(3,)) as pool,
        pytest.raises(SimulationError, match=r"A worker process died.*Run the same command to continue"),
    ):
        run_sweep(quick(), tmp_path, executor=pool)
    run_here(quick(), tmp_path)
    assert parts_of(tmp_path) == parts_of(finished)


def test_a_study_of_the_users_own_is_not_overwritten(tmp_path):
    own = tmp_path / "study.toml"
    own.write_text("# my study\n" + DEMO.to_toml(), encoding="utf-8")
    before = own.read_bytes()
    with pytest.raises(InputError, match="is a study of your own and would be overwritten"):
        run_sweep(load_study(own), tmp_path, workers=1)
    assert own.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir() if not one.name.startswith(".")] == ["study.toml"]


def test_a_study_that_was_changed_after_its_sweep_is_refused(tmp_path):
    asked = study(devices=1)
    run = run_sweep(asked, tmp_path / "run", executor=InPlace())
    file = run / "study.toml"
    written = file.read_text(encoding="utf-8")
    file.write_text("# a comment changes nothing\n" + written, encoding="utf-8")
    assert RunDirectory.open(run).study == asked
    file.write_text(re.sub("(?m)^diameter = .*$", 'diameter = "45 nm"', written, count=1), encoding="utf-8")
    changed = load_study(file, written=True)
    assert changed != asked
    for refused in (lambda: RunDirectory.open(run), lambda: run_sweep(changed, run, executor=InPlace())):
        with pytest.raises(InputError, match=r"changed after its sweep.*another directory"):
            refused()
