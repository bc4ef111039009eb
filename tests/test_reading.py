"""Reads in a sweep: population means against quadrature, resumption, failures."""

import numpy as np
import pandas as pd
import pytest
import read_cases
from common import DEMO, InPlace
from read_cases import DividerCell, quadrature, study_of

import mtjchar
from mtjchar.cells.reading import ReferenceLevel
from mtjchar.errors import InputError, SimulationError
from mtjchar.statistics import controlled_mean, replicate_interval
from mtjchar.study import load_study
from mtjchar.surfaces import ReadSurface, average_reads
from mtjchar.sweep import importance, read_population, read_store
from mtjchar.sweep.part_folders import READ_SAMPLES
from mtjchar.sweep.read_tasks import ReadTask, plan_reads, read_rows, reads_of
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory, stored_rows
from mtjchar.sweep.tasks import Task

pytestmark = pytest.mark.usefixtures("divider")


@pytest.fixture
def small(tmp_path):
    """A study of 96 devices, two tasks."""
    return study_of(tmp_path, sweep={"devices": 96})


def drawn(study):
    """Devices and reference as a sweep draws them, and their computed samples."""
    reads = reads_of(study)
    reference = study.kind.sense_reference(study.tables, read_population.reference_devices(study), reads)
    pilot = ReadTask(study, importance.pilot_devices(study), reference)
    shift = read_population.find_read_shift(study, reads, reference, pilot.compute().table(pilot))
    devices = read_population.draw_read_devices(study, shift)
    return shift, devices, reference, ReadTask(study, devices, reference).compute().numbers


# ---- population means ----


@pytest.mark.parametrize(("offset", "lowest"), [(5e-3, 1e-7), (3e-3, 1e-9), (2e-3, 2e-12)])
def test_population_means_are_those_of_quadrature(tmp_path, offset, lowest):
    """Quadrature over the cut normal distributions; issue's tolerance 0.05 decade, measured 0.02 at most.

    False-alarm rate: ten times the standard error stated for the smallest rate is below 0.05 decade.
    """
    study = study_of(tmp_path, read={"offset": offset})
    path = run_sweep(study, tmp_path / "run", executor=InPlace())
    reads = reads_of(study)
    found = average_reads(path).dataset
    error, disturb = quadrature(study, reads, read_store.read_reference(RunDirectory.open(path)))
    assert error.min() < lowest
    seen = error > 1e-12
    np.testing.assert_allclose(np.log10(found["read_error_rate"].to_numpy() / error)[seen], 0.0, atol=0.05)
    # The disturb rate is exponential in a normal parameter; means down to 1e-36.
    assert disturb.min() < 1e-30
    np.testing.assert_allclose(np.log10(found["disturb_rate"] / disturb), 0.0, atol=0.05)
    assert not found["extrapolated"].to_numpy()[seen].any()
    assert not found["disturb_extrapolated"].any()


def test_margin_is_that_of_the_law(divider_reads, divider_run):
    """Mean of a smooth function of normal R: second-order expansion, 1e-3 relative."""
    study = load_study(divider_run / "study.toml")
    reference = read_store.read_reference(RunDirectory.open(divider_run))
    for state, name in enumerate(("resistance", "high_resistance")):
        nominal = getattr(study.cell, name)
        r = nominal * np.array([1.0 - 1e-3, 1.0, 1.0 + 1e-3])
        level = read_cases.level(r[:, None, None], divider_reads.voltages[:, None], divider_reads.times)
        second = (level[2] - 2.0 * level[1] + level[0]) / 1e-6
        mean = level[1] + 0.5 * second * 0.04**2
        expected = (mean - reference.mean) * (1.0 if state else -1.0)
        found = divider_reads.margin(divider_reads.voltages[:, None], divider_reads.times, state)
        np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_margin_in_deviations_includes_all_spreads(divider_reads, divider_run):
    """Gaussian propagation by hand at one read: R, offset, noise, reference; first order, 3 %."""
    study, directory = load_study(divider_run / "study.toml"), RunDirectory.open(divider_run)
    reads, reference = reads_of(study), read_store.read_reference(directory)
    voltage, time = divider_reads.voltages[3], divider_reads.times[5]
    for state, name in enumerate(("resistance", "high_resistance")):
        nominal = getattr(study.cell, name)
        high, low = (read_cases.level(nominal * (1.0 + x), voltage, time) for x in (0.04, -0.04))
        spread = 0.5 * (high - low)
        total = np.sqrt(spread**2 + reads.offset**2 + reads.noise**2 + reference.deviation[3, 5] ** 2)
        expected = float(divider_reads.margin(voltage, time, state)) / total
        assert float(divider_reads.margin_deviations(voltage, time, state)) == pytest.approx(
            expected, rel=0.03
        )


def test_reference_is_that_of_its_distribution(tmp_path):
    """256 references against the quadrature of their law: within 0.05 of their own deviation.

    False-alarm rate below 1e-9 even for independent draws is 6/sqrt(256) = 0.4 deviations; Sobol points are
    much better.
    """
    study = study_of(tmp_path)
    reads = reads_of(study)
    devices = read_population.reference_devices(study)
    found = study.kind.sense_reference(study.tables, devices, reads)
    x = np.linspace(-5.0, 5.0, 2001)
    weight = np.exp(-0.5 * x**2) / np.exp(-0.5 * x**2).sum()
    levels = [
        read_cases.level(nominal * (1.0 + 0.04 * x[:, None, None]), reads.voltage_V[:, None], reads.time_s)
        for nominal in (study.cell.resistance, study.cell.high_resistance)
    ]
    means = [np.tensordot(weight, level, axes=1) for level in levels]
    variance = sum(
        np.tensordot(weight, (one - mean) ** 2, axes=1) for one, mean in zip(levels, means, strict=True)
    )
    deviation = 0.5 * np.sqrt(variance)
    assert np.all(np.abs(found.mean - 0.5 * sum(means)) < 0.05 * deviation)
    np.testing.assert_allclose(found.deviation, deviation, rtol=0.05)
    # They are none of the devices that are read, and neighbours do not depend on each other.
    resistance = devices["resistance_ohm"].to_numpy()
    assert abs(np.corrcoef(resistance[:-1:2], resistance[1::2])[0, 1]) < 6.0 / np.sqrt(128)


def test_intervals_of_controlled_means_cover_the_truth(tmp_path):
    """Coverage of nominal 95 % over 12 seeds, counted over the grid: correlated, so 80 % is required."""
    covered = []
    for seed in range(12):
        study = study_of(tmp_path, sweep={"seed": seed})
        shift, devices, reference, numbers = drawn(study)
        functions = read_population.controls(shift, devices)
        weight, replicate = devices["weight"].to_numpy(), devices["replicate"].to_numpy()
        mean, error = controlled_mean(numbers[1], weight, replicate, *functions)
        truth, _ = quadrature(study, reads_of(study), reference)
        covered.append(np.abs(np.log(mean / truth)) < 2.131 * error / mean)  # Student's t of 15 replicates
        lower, upper = replicate_interval(numbers[1], weight, replicate)
        # What the controls are for: the intervals are several times narrower.
        assert np.median(np.log(upper / lower) / (2 * 2.131 * error / mean)) > 5.0
    assert np.mean(covered) > 0.8


def test_controls_have_the_means_that_are_stated(tmp_path):
    """Weighted means of the sample; devices of 4 dimensions, 16 replicates: within 6 standard errors."""
    shift, devices, _, _ = drawn(study_of(tmp_path))
    values, expected = read_population.controls(shift, devices)
    weight, replicate = devices["weight"].to_numpy(), devices["replicate"].to_numpy()
    means = np.array([[(weight * f)[replicate == k].mean() for k in range(16)] for f in values.T])
    error = means.std(axis=1, ddof=1) / 4.0
    assert np.all(np.abs(means.mean(axis=1) - expected) < 6.0 * error + 1e-9)


def test_shift_points_where_it_must(tmp_path):
    """Each state's own resistance is shifted towards the reference, and the stability downwards."""
    study = study_of(tmp_path)
    shift, _, _, _ = drawn(study)
    axes = {tuple(np.round(direction, 2)) for direction in shift.directions}
    assert axes == {(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)}
    # d ln D/dx = -Delta sigma (1 - V/Vc), largest at the highest voltage in state 1, where V counts as -V.
    of_stability = shift.reach[[abs(direction[2]) == 1.0 for direction in shift.directions]]
    assert of_stability == pytest.approx(1.2 * 60 * 0.04 * 1.5, abs=0.1)


def test_a_cell_without_variability_is_exact(tmp_path):
    study = study_of(
        tmp_path,
        variability={"resistance": 0.0, "high_resistance": 0.0, "stability": 0.0},
        sweep={"devices": 3},
    )
    found = average_reads(run_sweep(study, tmp_path / "run", executor=InPlace())).dataset
    reads = reads_of(study)
    settled = [read_cases.level(r, reads.voltage_V[:, None], reads.time_s) for r in (5e3, 10e3)]
    margin = 0.5 * (settled[1] - settled[0])
    np.testing.assert_allclose(found["margin"], np.stack([margin, margin]), rtol=1e-12)
    deviation = np.hypot(reads.offset, reads.noise)
    np.testing.assert_allclose(found["margin_deviations"], np.stack([margin / deviation] * 2), rtol=1e-12)
    assert np.isnan(found["effective_devices"]).all()
    assert not found["extrapolated"].to_numpy()[found["read_error_rate"].to_numpy() > 1e-18].any()


# ---- the sweep ----


def test_parts_of_studies_without_reads_keep_their_names():
    """Regression: the name of version 145827f, before reads; the study's text has no table of reads."""
    assert "[read]" not in DEMO.with_(read=None).to_toml()
    device = pd.DataFrame({"device": [0], "x": [0.5]})
    assert Task(DEMO.with_(read=None), device, "p_to_ap").part == "p_to_ap-0000000-0000000-2d3d7d16a7d6"


def test_reads_do_not_depend_on_the_pulses(small):
    _, devices, reference, _ = drawn(small)
    first = plan_reads(small, devices, reference)[0].part
    other = small.with_(sweep={"amplitude": {"stop": 1.5}})
    assert plan_reads(other, devices, reference)[0].part == first
    higher = small.with_(read={"offset": 4e-3})
    assert plan_reads(higher, devices, reference)[0].part != first
    moved = ReferenceLevel(reference.mean + 1e-6, reference.deviation)
    assert plan_reads(small, devices, moved)[0].part != first


def test_finished_reads_are_not_done_again(small, tmp_path):
    path = run_sweep(small, tmp_path / "run", executor=InPlace())
    assert sorted(file.name for file in path.iterdir() if not file.name.startswith(".")) == [
        "devices.parquet", "read_devices.parquet", "read_reference.parquet", "read_samples", "samples",
        "study.toml", "sweep.json",
    ]  # fmt: skip
    before = {file: file.read_bytes() for file in path.rglob("*.parquet")}
    again = InPlace()
    run_sweep(small, path, executor=again)
    assert again.tasks == []
    # A part that is lost is done again, alone, and is the same to the bit.
    lost = sorted((path / "read_samples").iterdir())[1]
    lost.unlink()
    run_sweep(small, path, executor=again)
    assert [type(task) for task in again.tasks] == [ReadTask]
    assert {file: file.read_bytes() for file in path.rglob("*.parquet")} == before


@pytest.mark.parametrize("name", ["read_devices.parquet", "read_reference.parquet"])
def test_damaged_tables_of_reads_are_made_again(small, tmp_path, name):
    path = run_sweep(small, tmp_path / "run", executor=InPlace())
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[:-20] + bytes(20))
    with pytest.raises(InputError, match=f"{name}.*checksum is wrong"):
        average_reads(path)
    told = []
    run_sweep(small, path, executor=InPlace(), log=told.append)
    assert any(f"{name} is missing or damaged" in event.get("text", "") for event in told)
    assert (path / name).read_bytes() == whole


def test_progress_counts_reads(small, tmp_path):
    seen = []
    path = run_sweep(small, tmp_path / "run", executor=InPlace(), progress=lambda *two: seen.append(two))
    total = small.sweep.samples + read_rows(small)
    assert {all_of_them for _, all_of_them in seen} == {total}
    assert seen[-1] == (total, total)
    assert stored_rows(path) == total


def test_another_study_of_reads_is_refused(small, tmp_path):
    path = run_sweep(small, tmp_path / "run", executor=InPlace())
    with pytest.raises(InputError, match=r"read\.offset: got .*0\.004.*allowed: .*0\.003"):
        run_sweep(small.with_(read={"offset": 4e-3}), path, executor=InPlace())
    # A table that one of both does not have is one difference, not one for each of its keys.
    with pytest.raises(
        InputError, match=r"toml: read: got 'no table \[read\]'; allowed: a table \[read\], as "
    ):
        run_sweep(small.with_(read=None), path, executor=InPlace())


def test_a_run_grows_by_devices(small, tmp_path):
    path = run_sweep(small, tmp_path / "run", executor=InPlace())
    kept = {file.name for file in (path / "read_samples").glob("read-0000000-0000063*")}
    more = small.with_(sweep={"devices": 160})
    executor = InPlace()
    run_sweep(more, path, executor=executor)
    assert {file.name for file in (path / "read_samples").glob("read-0000000-0000063*")} == kept
    assert len(read_store.read_devices(RunDirectory.open(path))) == 160
    assert average_reads(path).dataset.attrs["devices"] == 160


def test_a_study_without_reads_has_none(tmp_path):
    study = study_of(tmp_path, read_cases.STUDY.replace("[read]", ""), sweep={"devices": 8})
    path = run_sweep(study, tmp_path / "run", executor=InPlace())
    assert not list(path.glob("read*"))
    assert average_reads(path) is None
    with pytest.raises(
        InputError, match=r"has no bitwise operations\. Its study has no table \[read\.bitwise\]"
    ):
        _ = mtjchar.Run(path).bitwise_surface
    with pytest.raises(InputError, match=r"has no reads\. Its study has no table \[read\]"):
        ReadSurface.of_run(path)


def test_failed_reads_are_rows_with_a_reason(tmp_path):
    study = study_of(tmp_path, read={"breaks_above": 0.45}, sweep={"devices": 200})
    path = run_sweep(study, tmp_path / "run", executor=InPlace())
    rows = RunDirectory.open(path).samples(READ_SAMPLES)
    failed = rows[rows["status"] != "ok"]
    assert set(failed["reason"]) == {"ngspice: no convergence"}
    assert failed["read_error_rate"].isna().all()
    assert set(np.round(failed["voltage_V"], 3)) == {0.5}
    # One device of each task of 64, more than 1 %.
    with pytest.raises(SimulationError, match="no convergence"):
        average_reads(path)
    with pytest.warns(UserWarning, match="left out of the means"):
        found = average_reads(path, most_failed=0.3)
    assert np.isfinite(found.dataset["read_error_rate"]).all()
    assert "failed" in found.dataset.attrs


def test_a_reference_that_fails_ends_the_sweep_with_its_reason(small, tmp_path, monkeypatch):
    def fail(*_):
        raise SimulationError("ngspice: singular matrix")

    monkeypatch.setattr(DividerCell, "sense_reference", fail)
    with pytest.raises(SimulationError, match="reference of the reads could not be simulated: ngspice: sing"):
        run_sweep(small, tmp_path / "run", executor=InPlace())
