"""Reads in a sweep: population means against quadrature, resumption, files, queries, operating points."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import read_cases
import xarray as xr
from common import DEMO, InPlace
from read_cases import DividerCell, quadrature

import mtjchar
from mtjchar import plotting
from mtjchar.cells import KINDS
from mtjchar.cells.reading import ReferenceLevel
from mtjchar.errors import InputError, NoMarginError, OutsideGridError, SimulationError, UnreachableError
from mtjchar.export import Settings, export_surface
from mtjchar.report.chapters import chapters, reference_pulses
from mtjchar.statistics import controlled_mean, replicate_interval
from mtjchar.study import load_study
from mtjchar.surfaces import ReadSurface, WriteSurface, average_devices, average_reads
from mtjchar.surfaces.comparison import compare
from mtjchar.surfaces.interpolation import cubic_beside_valleys, monotone_cubic
from mtjchar.surfaces.read_search import USUAL_DISTURB, USUAL_ERROR
from mtjchar.sweep import importance, read_population, read_store
from mtjchar.sweep.part_folders import READ_SAMPLES
from mtjchar.sweep.read_tasks import ReadTask, plan_reads, read_rows, reads_of
from mtjchar.sweep.run import run_sweep
from mtjchar.sweep.store import RunDirectory, stored_rows
from mtjchar.sweep.tasks import Task
from mtjchar.units import compact


@pytest.fixture(scope="module", autouse=True)
def divider():
    KINDS["divider"] = DividerCell()
    yield
    del KINDS["divider"]


def study_of(folder, text=read_cases.STUDY, **changes):
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    study = load_study(file)
    return study.with_(**changes) if changes else study


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of 1,000 devices, with surfaces."""
    folder = tmp_path_factory.mktemp("divider")
    path = run_sweep(study_of(folder), folder / "run", executor=InPlace())
    average_devices(path)
    average_reads(path)
    return path


@pytest.fixture(scope="module")
def surface(run):
    return ReadSurface.of_run(run)


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


def test_margin_is_that_of_the_law(surface, run):
    """Mean of a smooth function of normal R: second-order expansion, 1e-3 relative."""
    study = load_study(run / "study.toml")
    reference = read_store.read_reference(RunDirectory.open(run))
    for state, name in enumerate(("resistance", "high_resistance")):
        nominal = getattr(study.cell, name)
        r = nominal * np.array([1.0 - 1e-3, 1.0, 1.0 + 1e-3])
        level = read_cases.level(r[:, None, None], surface.voltages[:, None], surface.times)
        second = (level[2] - 2.0 * level[1] + level[0]) / 1e-6
        mean = level[1] + 0.5 * second * 0.04**2
        expected = (mean - reference.mean) * (1.0 if state else -1.0)
        np.testing.assert_allclose(surface.margin(surface.voltages[:, None], surface.times, state), expected,
                                   rtol=1e-3)  # fmt: skip


def test_margin_in_deviations_includes_all_spreads(surface, run):
    """Gaussian propagation by hand at one read: R, offset, noise, reference; first order, 3 %."""
    study, directory = load_study(run / "study.toml"), RunDirectory.open(run)
    reads, reference = reads_of(study), read_store.read_reference(directory)
    voltage, time = surface.voltages[3], surface.times[5]
    for state, name in enumerate(("resistance", "high_resistance")):
        nominal = getattr(study.cell, name)
        high, low = (read_cases.level(nominal * (1.0 + x), voltage, time) for x in (0.04, -0.04))
        spread = 0.5 * (high - low)
        total = np.sqrt(spread**2 + reads.offset**2 + reads.noise**2 + reference.deviation[3, 5] ** 2)
        expected = float(surface.margin(voltage, time, state)) / total
        assert float(surface.margin_deviations(voltage, time, state)) == pytest.approx(expected, rel=0.03)


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
        mtjchar.Run(path).bitwise_surface  # noqa: B018 (a property that reads a file)
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


# ---- the surface ----


def test_surface_file_round_trip(run, surface):
    again = ReadSurface.load(run / "read.nc")
    assert again.dataset.identical(surface.dataset)
    assert mtjchar.Run(run).read_surface.dataset.identical(surface.dataset)
    attributes = surface.dataset.attrs
    assert {"study", "seed", "mtjchar_version", "samples_made_with", "interval"} <= set(attributes)
    assert surface.dataset["energy"].attrs["units"] == "J"
    assert "ReadSurface(0.1 V to 0.5 V (6 values), 1 ns to 20 ns (8 values), 1000 devices)" in repr(surface)
    assert "sense margin, at most" in surface._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("disturb_rate"), "disturb_rate: got 'no such variable'"),
        (lambda d: d.assign(energy=-d["energy"]), "energy: got .*finite numbers, 0 or more"),
        (lambda d: d.assign(disturb_rate=2.0 + d["disturb_rate"]), "disturb_rate: got .* from 0 to 1"),
        (lambda d: d.assign(margin=d["margin"] * np.nan), "margin: got .*finite numbers"),
        (lambda d: d.assign(disturb_rate_lower=np.minimum(1.1 * d["disturb_rate"], 1.0)), "wrong side"),
        (lambda d: d.assign_coords(state=[1, 0]), "state: got .*0 and 1"),
        (lambda d: d.isel(voltage=slice(None, None, -1)), "voltage: got .*ascending"),
        (lambda d: d.isel(time=[0]), "time: got .*2 or more"),
        (lambda d: d.transpose("time", ...), "dimensions of read_error_rate: got 'time, state, voltage'"),
        (lambda d: d.assign_attrs(margin_unit="ohm"), "attribute margin_unit: got 'ohm'"),
        (lambda d: d.assign_attrs(study=3), "attribute study: got .*3.*allowed: text"),
    ],
)
def test_damaged_surfaces_are_refused_by_name(surface, tmp_path, change, message):
    file = tmp_path / "read.nc"
    file.write_bytes(bytes(change(surface.dataset).to_netcdf(engine="h5netcdf")))
    with pytest.raises(InputError, match=message) as refused:
        ReadSurface.load(file)
    assert "mtjchar surface" in str(refused.value)


def test_what_is_no_surface_is_refused(tmp_path):
    with pytest.raises(InputError, match="read surface"):
        ReadSurface.load(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no", encoding="utf-8")
    with pytest.raises(InputError, match=r"allowed: a read\.nc"):
        ReadSurface.load(tmp_path / "text.nc")


def test_surface_of_another_study_is_refused(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    with xr.open_dataset(run / "read.nc", engine="h5netcdf") as dataset:
        text = dataset.attrs["study"].replace("seed = 5", "seed = 6")
        other = dataset.load().assign_attrs(study=text)
    (copy / "read.nc").unlink()
    other.to_netcdf(copy / "read.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="a file of another study"):
        ReadSurface.of_run(copy)


def test_queries_take_the_worse_state_and_broadcast(surface):
    voltage, time = surface.voltages[:, None], surface.times
    for query, worse in (
        (surface.read_error_rate, np.maximum),
        (surface.disturb_rate, np.maximum),
        (surface.margin, np.minimum),
        (surface.energy, lambda a, b: 0.5 * (a + b)),
    ):
        zero, one = query(voltage, time, 0), query(voltage, time, 1)
        np.testing.assert_allclose(query(voltage, time), worse(zero, one), rtol=1e-12)
        assert query(voltage, time).shape == (6, 8)
    data = surface.dataset
    np.testing.assert_allclose(
        surface.read_error_rate(voltage, time, 1), data["read_error_rate"][1], rtol=1e-9
    )
    np.testing.assert_allclose(surface.energy(voltage, time, 0), data["energy"][0], rtol=1e-12)


def test_interpolation_is_near_the_law_and_monotone(surface, run):
    """Between the points: against quadrature there, in decades; disturb rates never fall with time."""
    study = load_study(run / "study.toml")
    reads = reads_of(study)
    between = reads._replace(
        voltage_V=0.5 * (reads.voltage_V[1:] + reads.voltage_V[:-1]),
        time_s=np.sqrt(reads.time_s[1:] * reads.time_s[:-1]),
    )
    devices = read_population.reference_devices(study)
    reference = study.kind.sense_reference(study.tables, devices, between)
    error, disturb = quadrature(study, between, reference)
    for state in (0, 1):
        at = between.voltage_V[:, None], between.time_s, state
        np.testing.assert_allclose(np.log10(surface.read_error_rate(*at) / error[state]), 0.0, atol=0.1)
        np.testing.assert_allclose(np.log10(surface.disturb_rate(*at) / disturb[state]), 0.0, atol=0.02)
    fine = np.linspace(1e-9, 20e-9, 500)
    assert np.all(np.diff(surface.disturb_rate(0.33, fine)) >= 0.0)


def test_outside_the_grid_is_refused(surface):
    with pytest.raises(OutsideGridError, match=r"read voltage: got '0\.6 V'; allowed: 0\.1 V to 0\.5 V"):
        surface.read_error_rate(0.6, 5e-9)
    with pytest.raises(OutsideGridError, match="sensing time"):
        surface.energy(0.2, 50e-9)
    with pytest.raises(InputError, match="state: got 2; allowed: 0 or 1"):
        surface.margin(0.2, 5e-9, 2)


def test_valleys_are_not_below_the_straight_line():
    """By hand: a valley at the middle knot; elsewhere it is the cubic of `monotone_cubic`, to the bit."""
    knots, values = np.arange(5.0), np.array([4.0, 1.0, 0.0, 1.0, 4.0])
    at = np.linspace(0.0, 4.0, 81)
    found = cubic_beside_valleys(knots, values, at)
    assert np.all(found[(at >= 1) & (at <= 3)] >= np.abs(at - 2.0)[(at >= 1) & (at <= 3)] - 1e-12)
    outer = (at < 1) | (at > 3)
    np.testing.assert_array_equal(found[outer], monotone_cubic(knots, values, at)[outer])


# ---- operating points ----


@pytest.mark.parametrize("minimize", ["time", "energy"])
@pytest.mark.parametrize(("error", "disturb"), [(1e-3, 1e-13), (1e-6, 1e-13), (1e-8, 3e-13), (1e-9, 1e-12)])
def test_operating_point_is_the_best_of_a_fine_grid(surface, minimize, error, disturb):
    """Brute force over 801 voltages and 2001 times: no read is better by more than rounding."""
    point = surface.operating_point(error, disturb, minimize)
    assert point.read_error_rate <= error
    assert point.disturb_rate <= disturb
    voltage, time = np.linspace(0.1, 0.5, 801)[:, None], np.geomspace(1e-9, 20e-9, 2001)
    good = (surface.read_error_rate(voltage, time) <= error) & (
        surface.disturb_rate(voltage, time) <= disturb
    )
    goal = np.broadcast_to(time, good.shape) if minimize == "time" else surface.energy(voltage, time)
    best = goal[good].min()
    own = point.time_s if minimize == "time" else point.energy_J
    assert own <= best * (1.0 + 1e-9)
    assert own > 0.97 * best  # as near as that grid is fine
    assert point.margin == pytest.approx(float(surface.margin(point.voltage_V, point.time_s)))


def test_a_narrow_window_is_found(surface):
    """Where error and disturb limits almost meet, the window is narrower than the nodes are apart."""
    at = 0.4713, 7.3e-9
    error, disturb = float(surface.read_error_rate(*at)), float(surface.disturb_rate(*at))
    point = surface.operating_point(1.001 * error, 1.001 * disturb)
    assert point.time_s <= at[1] * (1.0 + 1e-6)
    # The lowest rate of all can be asked for, though only one read has it.
    lowest = float(surface.dataset["read_error_rate"].max("state").min())
    assert surface.operating_point(lowest, 0.5).read_error_rate == pytest.approx(lowest, rel=1e-11)


def test_unreachable_points_say_what_is_possible(surface):
    with pytest.raises(UnreachableError) as refused:
        surface.operating_point(1e-15, 1e-12)
    lowest = surface.dataset["read_error_rate"].max("state").min().item()
    assert f"The lowest read error rate is {lowest:.3g}, at 0.5 V and 20 ns" in str(refused.value)
    with pytest.raises(UnreachableError, match="The lowest disturb rate with a read error rate of 1e-09 is"):
        surface.operating_point(1e-9, 1e-20)


@pytest.mark.parametrize(("error", "disturb", "key"), [(0.0, 0.1, "error"), (0.1, 1.0, "disturb")])
def test_wrong_rates_are_refused(surface, error, disturb, key):
    with pytest.raises(InputError, match=f"{key}: got .*above 0 and below 1"):
        surface.operating_point(error, disturb)
    with pytest.raises(InputError, match="minimize"):
        surface.operating_point(0.1, 0.1, "area")


def test_a_cell_that_cannot_be_sensed_says_so(surface):
    wrong = surface.dataset["margin"].copy()
    wrong[0] = -1e-3
    with pytest.raises(
        NoMarginError, match=r"The cell cannot be sensed: the largest mean margin .* is -1 mV"
    ):
        ReadSurface(surface.dataset.assign(margin=wrong)).operating_point(1e-6, 1e-6)


# ---- answers ----


def test_query(run, surface, call):
    code, out, _ = call("read", "query", run, "--voltage", "0.4 V", "--time", "5 ns", "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["read_error_rate"] == pytest.approx(float(surface.read_error_rate(0.4, 5e-9)))
    assert answer["read_error_rate_lower"] <= answer["read_error_rate"] <= answer["read_error_rate_upper"]
    assert answer["disturb_rate"] == pytest.approx(float(surface.disturb_rate(0.4, 5e-9)))
    assert answer["margin"] == pytest.approx(float(surface.margin(0.4, 5e-9)))
    assert answer["energy_J"] == pytest.approx(float(surface.energy(0.4, 5e-9)))
    assert [one["state"] for one in answer["states"]] == [0, 1]
    code, out, _ = call("read", "query", run, "--voltage", "0.4 V", "--time", "5 ns")
    assert code == 0
    assert "sense margin" in out
    assert "mV" in out


def test_query_of_many_reads(run, call):
    many = ("--voltage", "0.2 V, 0.4 V", "--voltage", "0.5 V", "--time", "2 ns:8 ns:3")
    code, out, _ = call("read", "query", run, *many, "--json")
    assert code == 0
    assert len(json.loads(out)) == 9
    code, out, _ = call("read", "query", run, *many)
    assert code == 0
    assert len(out.strip().splitlines()) == 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("query", "--voltage", "0.4 V"), "--time is missing"),
        (("query", "--voltage", "3 ns", "--time", "5 ns"), "voltage"),
        (("query", "--voltage", "9 V", "--time", "5 ns"), "0.1 V to 0.5 V"),
        (("point", "--error", "3", "--disturb", "1e-9"), "above 0 and below 1"),
    ],
)
def test_wrong_questions_end_with_2(run, call, options, words):
    command, *rest = options
    code, _, error = call("read", command, run, *rest)
    assert code == 2
    assert words in error


def test_point(run, surface, call):
    options = ("--error", "1e-9", "--disturb", "1e-12")
    code, out, _ = call("read", "point", run, *options, "--json")
    assert code == 0
    answer = json.loads(out)
    assert answer["time_s"] == pytest.approx(surface.operating_point(1e-9, 1e-12).time_s)
    assert set(answer) >= {
        "voltage_V",
        "read_error_rate",
        "disturb_rate",
        "margin",
        "energy_J",
        "margin_unit",
    }
    code, out, _ = call("read", "point", run, *options, "--minimize", "energy")
    assert code == 0
    assert "sensing time" in out
    assert "edge of the grid" in out
    code, _, error = call("read", "point", run, "--error", "1e-15", "--disturb", "1e-12")
    assert code == 1
    assert "The lowest read error rate" in error


def test_surface_command_writes_tables_and_figures(run, call, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "read.nc").unlink()
    code, out, _ = call("surface", copy)
    assert code == 0
    assert "read.nc" in out
    assert "read: fastest with a read error rate of 1e-09" in out
    assert len(pd.read_csv(copy / "tables/read.csv")) == 2 * 6 * 8
    assert (copy / "figures/read_window.png").stat().st_size > 10_000
    assert (copy / "figures/read_margin.svg").exists()


def test_figures(surface):
    """The window is filled, both limits have their lines, and the points are the operating points."""
    axes = surface.plot.window()
    labels = axes.get_legend_handles_labels()[1] or [t.get_text() for t in axes.get_legend().get_texts()]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[:3] == ["both hold", "read error rate 1e-09", "disturb rate 1e-12"]
    assert labels
    point = surface.operating_point(USUAL_ERROR, USUAL_DISTURB)
    places = [line.get_xydata()[0] for line in axes.lines if len(line.get_xydata()) == 1]
    assert any(np.allclose(place, (1e9 * point.time_s, point.voltage_V)) for place in places)
    assert "no read has" in surface.plot.window(error=1e-15).get_title()
    assert surface.plot.margin().get_ylabel() == "sense margin (mV)"
    plotting.read_figures  # noqa: B018 (listed)


# ---- comparisons and exports ----


def test_comparison_has_reads(run, tmp_path, call):
    study = study_of(tmp_path, read={"offset": 5e-3}, sweep={"devices": 200})
    other = run_sweep(study, tmp_path / "worse", executor=InPlace())
    average_devices(other)
    average_reads(other)
    reads = compare([run, other]).reads
    assert reads["minimize"].tolist() == ["time", "energy"] * 2
    own = ReadSurface.of_run(run).operating_point(USUAL_ERROR, USUAL_DISTURB)
    assert reads["time_s"].iloc[0] == pytest.approx(own.time_s)
    assert np.isnan(reads["time_s"].iloc[2])  # 5 mV of offset are too much for 1e-9
    assert reads["largest_margin_deviations"].iloc[0] > reads["largest_margin_deviations"].iloc[2]
    code, out, _ = call("compare", run, other, "--out", tmp_path / "compared")
    assert code == 0
    assert "reads with an error rate of 1e-09" in out
    assert len(pd.read_csv(tmp_path / "compared/reads.csv")) == 4
    code, out, _ = call("compare", run, other, "--out", tmp_path / "compared", "--json")
    assert len(json.loads(out)["reads"]) == 4


@pytest.mark.parametrize("format_", ["csv", "parquet", "json", "netcdf", "npz"])
def test_table_formats_have_a_table_of_reads(run, surface, tmp_path, format_):
    out = tmp_path / {"netcdf": "t.nc"}.get(format_, f"t.{format_}")
    written = export_surface(WriteSurface.of_run(run), format_, out, Settings(reads=surface))
    beside = out.with_name(f"t_read{out.suffix}")
    assert beside in written
    assert written[-1] == out
    expected = surface.dataset["read_error_rate"].to_numpy().ravel()
    read = {
        "csv": lambda: pd.read_csv(beside)["read_error_rate"],
        "parquet": lambda: pd.read_parquet(beside)["read_error_rate"],
        "json": lambda: json.loads(beside.read_text())["columns"]["read_error_rate"],
        "netcdf": lambda: ReadSurface.load(beside).dataset["read_error_rate"],
        "npz": lambda: np.load(beside)["read_error_rate"],
    }[format_]()
    np.testing.assert_allclose(np.ravel(read), expected, rtol=1e-12)


@pytest.mark.parametrize("format_", ["nvsim", "nvmexplorer"])
def test_cell_files_have_the_read_of_the_run(characterized_surface, surface, tmp_path, format_):
    """The fastest read with the usual rates; without a read surface the numbers are as before."""
    point = surface.operating_point(USUAL_ERROR, USUAL_DISTURB)
    texts = []
    for reads in (surface, None):
        export_surface(characterized_surface, format_, tmp_path / "c", Settings(ber=1e-6, reads=reads))
        texts.append((tmp_path / "c").read_text())
    own, assumed = texts
    assert "Read, from the read surface of the run" in own
    assert "Assumed: read voltage 0.1 V" in assumed
    if format_ == "nvsim":
        assert f"-ReadVoltage (V): {point.voltage_V:.6g}" in own
        assert f"-MinSenseVoltage (mV): {1e3 * point.margin:.6g}" in own
        assert f"-ReadPower (uW): {1e6 * point.energy_J / point.time_s:.6g}" in own
        assert "-ReadMode: voltage" in own
        assert "-ReadMode: current" in assumed
        return
    cell = json.loads(own)["custom_cells"][0]
    assert cell["read_voltage"] == pytest.approx(point.voltage_V)
    assert cell["read_power"] == pytest.approx(1e6 * point.energy_J / point.time_s)
    assert json.loads(assumed)["custom_cells"][0]["read_voltage"] == 0.1


def test_export_of_a_run_takes_its_reads(run, call, tmp_path):
    code, out, _ = call("export", run, "--format", "csv", "--out", tmp_path / "t.csv")
    assert code == 0
    assert "t_read.csv" in out


@pytest.mark.parametrize(
    "command",
    [
        ("export", "--format", "csv", "--out", "table.csv"),
        ("compare", "other", "--out", "compared"),
        ("tradeoff", "--dataset", "digits", "--out", "training"),
        ("report", "--out", "page.html"),
    ],
)
def test_reads_that_are_asked_for_are_not_left_out(run, call, tmp_path, monkeypatch, command):
    # A lost read.nc is not a study without reads: numbers without reads, or of assumed ones, would be given.
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    shutil.copytree(run, tmp_path / "other")
    (copy / "read.nc").unlink()
    name, *options = command
    code, _, error = call(name, copy, *options)
    assert code == 2
    words = " ".join(error.split())
    assert "read.nc': it does not exist. Run `mtjchar surface DIR` to make it" in words


def test_check_counts_reads(call, tmp_path):
    # 2 states x 12 voltages x 20 times, the default grid, of each device.
    file = tmp_path / "study.toml"
    study = DEMO.with_(read={})
    file.write_text(study.to_toml())
    code, out, _ = call("check", file, "--json")
    assert code == 0
    assert json.loads(out)["read_samples"] == study.sweep.devices * 2 * 12 * 20
    _, out, _ = call("check", file)
    assert "no time estimate for them" in " ".join(out.split())
    file.write_text(study.with_(read=None).to_toml())
    assert json.loads(call("check", file, "--json")[1])["read_samples"] == 0
    assert "reads:" not in call("check", file)[1]


def test_report_has_a_chapter_of_reads(run, surface):
    directory = RunDirectory.open(run)
    written = WriteSurface.of_run(run)
    found = {one.name: one for one in chapters(directory, written, reference_pulses(written))}["reads"]
    assert len(found.drawings) == 2
    point = surface.operating_point(USUAL_ERROR, USUAL_DISTURB)
    assert found.sections[0].rows[0][1] == compact(point.voltage_V, "V", 4)
    assert [row[0] for row in found.sections[0].rows] == ["fastest", "cheapest"]
