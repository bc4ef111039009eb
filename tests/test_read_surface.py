"""Read surfaces: their files, interpolation between the points, operating points."""

import shutil

import numpy as np
import pytest
import xarray as xr
from read_cases import quadrature

import mtjchar
from mtjchar.errors import InputError, NoMarginError, OutsideGridError, UnreachableError
from mtjchar.study import load_study
from mtjchar.surfaces import ReadSurface
from mtjchar.surfaces.interpolation import cubic_beside_valleys, monotone_cubic
from mtjchar.sweep import read_population
from mtjchar.sweep.read_tasks import reads_of

pytestmark = pytest.mark.usefixtures("divider")


# ---- the surface ----


def test_surface_file_round_trip(divider_run, divider_reads):
    again = ReadSurface.load(divider_run / "read.nc")
    assert again.dataset.identical(divider_reads.dataset)
    assert mtjchar.Run(divider_run).read_surface.dataset.identical(divider_reads.dataset)
    attributes = divider_reads.dataset.attrs
    assert {"study", "seed", "mtjchar_version", "samples_made_with", "interval"} <= set(attributes)
    assert divider_reads.dataset["energy"].attrs["units"] == "J"
    assert "ReadSurface(0.1 V to 0.5 V (6 values), 1 ns to 20 ns (8 values), 1000 devices)" in repr(
        divider_reads
    )
    assert "sense margin, at most" in divider_reads._repr_html_()


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
def test_damaged_surfaces_are_refused_by_name(divider_reads, tmp_path, change, message):
    file = tmp_path / "read.nc"
    file.write_bytes(bytes(change(divider_reads.dataset).to_netcdf(engine="h5netcdf")))
    with pytest.raises(InputError, match=message) as refused:
        ReadSurface.load(file)
    assert "mtjchar surface" in str(refused.value)


def test_what_is_no_surface_is_refused(tmp_path):
    with pytest.raises(InputError, match="read surface"):
        ReadSurface.load(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no", encoding="utf-8")
    with pytest.raises(InputError, match=r"allowed: a read\.nc"):
        ReadSurface.load(tmp_path / "text.nc")


def test_surface_of_another_study_is_refused(divider_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(divider_run, copy)
    with xr.open_dataset(divider_run / "read.nc", engine="h5netcdf") as dataset:
        text = dataset.attrs["study"].replace("seed = 5", "seed = 6")
        other = dataset.load().assign_attrs(study=text)
    (copy / "read.nc").unlink()
    other.to_netcdf(copy / "read.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="a file of another study"):
        ReadSurface.of_run(copy)


def test_queries_take_the_worse_state_and_broadcast(divider_reads):
    voltage, time = divider_reads.voltages[:, None], divider_reads.times
    for query, worse in (
        (divider_reads.read_error_rate, np.maximum),
        (divider_reads.disturb_rate, np.maximum),
        (divider_reads.margin, np.minimum),
        (divider_reads.energy, lambda a, b: 0.5 * (a + b)),
    ):
        zero, one = query(voltage, time, 0), query(voltage, time, 1)
        np.testing.assert_allclose(query(voltage, time), worse(zero, one), rtol=1e-12)
        assert query(voltage, time).shape == (6, 8)
    data = divider_reads.dataset
    np.testing.assert_allclose(
        divider_reads.read_error_rate(voltage, time, 1), data["read_error_rate"][1], rtol=1e-9
    )
    np.testing.assert_allclose(divider_reads.energy(voltage, time, 0), data["energy"][0], rtol=1e-12)


def test_interpolation_is_near_the_law_and_monotone(divider_reads, divider_run):
    """Between the points: against quadrature there, in decades; disturb rates never fall with time."""
    study = load_study(divider_run / "study.toml")
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
        np.testing.assert_allclose(np.log10(divider_reads.read_error_rate(*at) / error[state]), 0.0, atol=0.1)
        np.testing.assert_allclose(np.log10(divider_reads.disturb_rate(*at) / disturb[state]), 0.0, atol=0.02)
    fine = np.linspace(1e-9, 20e-9, 500)
    assert np.all(np.diff(divider_reads.disturb_rate(0.33, fine)) >= 0.0)


def test_outside_the_grid_is_refused(divider_reads):
    with pytest.raises(OutsideGridError, match=r"read voltage: got '0\.6 V'; allowed: 0\.1 V to 0\.5 V"):
        divider_reads.read_error_rate(0.6, 5e-9)
    with pytest.raises(OutsideGridError, match="sensing time"):
        divider_reads.energy(0.2, 50e-9)
    with pytest.raises(InputError, match="state: got 2; allowed: 0 or 1"):
        divider_reads.margin(0.2, 5e-9, 2)


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
def test_operating_point_is_the_best_of_a_fine_grid(divider_reads, minimize, error, disturb):
    """Brute force over 801 voltages and 2001 times: no read is better by more than rounding."""
    point = divider_reads.operating_point(error, disturb, minimize)
    assert point.read_error_rate <= error
    assert point.disturb_rate <= disturb
    voltage, time = np.linspace(0.1, 0.5, 801)[:, None], np.geomspace(1e-9, 20e-9, 2001)
    good = (divider_reads.read_error_rate(voltage, time) <= error) & (
        divider_reads.disturb_rate(voltage, time) <= disturb
    )
    goal = np.broadcast_to(time, good.shape) if minimize == "time" else divider_reads.energy(voltage, time)
    best = goal[good].min()
    own = point.time_s if minimize == "time" else point.energy_J
    assert own <= best * (1.0 + 1e-9)
    assert own > 0.97 * best  # as near as that grid is fine
    assert point.margin == pytest.approx(float(divider_reads.margin(point.voltage_V, point.time_s)))


def test_a_narrow_window_is_found(divider_reads):
    """Where error and disturb limits almost meet, the window is narrower than the nodes are apart."""
    at = 0.4713, 7.3e-9
    error, disturb = float(divider_reads.read_error_rate(*at)), float(divider_reads.disturb_rate(*at))
    point = divider_reads.operating_point(1.001 * error, 1.001 * disturb)
    assert point.time_s <= at[1] * (1.0 + 1e-6)
    # The lowest rate of all can be asked for, though only one read has it.
    lowest = float(divider_reads.dataset["read_error_rate"].max("state").min())
    assert divider_reads.operating_point(lowest, 0.5).read_error_rate == pytest.approx(lowest, rel=1e-11)


def test_unreachable_points_say_what_is_possible(divider_reads):
    with pytest.raises(UnreachableError) as refused:
        divider_reads.operating_point(1e-15, 1e-12)
    lowest = divider_reads.dataset["read_error_rate"].max("state").min().item()
    assert f"The lowest read error rate is {lowest:.3g}, at 0.5 V and 20 ns" in str(refused.value)
    with pytest.raises(UnreachableError, match="The lowest disturb rate with a read error rate of 1e-09 is"):
        divider_reads.operating_point(1e-9, 1e-20)


@pytest.mark.parametrize(("error", "disturb", "key"), [(0.0, 0.1, "error"), (0.1, 1.0, "disturb")])
def test_wrong_rates_are_refused(divider_reads, error, disturb, key):
    with pytest.raises(InputError, match=f"{key}: got .*above 0 and below 1"):
        divider_reads.operating_point(error, disturb)
    with pytest.raises(InputError, match="minimize"):
        divider_reads.operating_point(0.1, 0.1, "area")


def test_a_cell_that_cannot_be_sensed_says_so(divider_reads):
    wrong = divider_reads.dataset["margin"].copy()
    wrong[0] = -1e-3
    with pytest.raises(
        NoMarginError, match=r"The cell cannot be sensed: the largest mean margin .* is -1 mV"
    ):
        ReadSurface(divider_reads.dataset.assign(margin=wrong)).operating_point(1e-6, 1e-6)
