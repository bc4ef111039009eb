"""SOT cells: from their tables to errors and energies."""

import json

import numpy as np
import pandas as pd
import pytest
from common import InPlace
from scipy import constants

from mtjchar.cells.base import Counting
from mtjchar.cells.sot import circuit, device, trial, writes
from mtjchar.cells.sot.circuit import EdgeTimes
from mtjchar.errors import InputError
from mtjchar.physics import llgs, spin_orbit
from mtjchar.study import load_study
from mtjchar.surfaces import WriteSurface
from mtjchar.surfaces.comparison import compare
from mtjchar.sweep.population import Population
from mtjchar.sweep.run import run_sweep

STUDY = """
[stack]
name = "test"
reference = "assumed"
free_layer_thickness = "1 nm"
saturation_magnetization = "1.2e6 A/m"
interfacial_anisotropy = "1 mJ/m^2"
damping = 0.03
spin_polarization = 0.6
resistance_area_product = "10 ohm*um^2"
tmr = 1.0
tmr_half_bias = "0.5 V"
[junction]
diameter = "40 nm"
[channel]
spin_hall_angle = 0.3
field_like_ratio = 0.3
thickness = "4 nm"
width = "50 nm"
length = "100 nm"
resistivity = "1.6 uohm*m"
[cell]
kind = "sot"
external_field = { x = "40 mT" }
[cell.transistor]
width = "800 nm"
length = "30 nm"
[variability]
spin_hall_angle = 0.03
[sweep]
amplitude = { start = "0.5 V", stop = "0.7 V", points = 3 }
duration = { start = "0.5 ns", stop = "1.5 ns", points = 3 }
devices = 4
trials = 20
seed = 3
"""
IN_PLANE = {
    "stack": {"interfacial_anisotropy": 0.5e-3, "free_layer_thickness": 1.6e-9},
    "junction": {"diameter": 60e-9, "aspect_ratio": 2.5},
    "cell": {"easy_axis": "in-plane", "external_field": {"x": 0.0}},
    "channel": {"angle": np.pi / 2, "width": 100e-9, "length": 150e-9},
}
THREE = {"cell": {"topology": "3t", "external_field": {"x": -0.04}}}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file = tmp_path_factory.mktemp("sot") / "study.toml"
    file.write_text(STUDY, encoding="utf-8")
    return load_study(file)


def nominal(study):
    return Population(study).nominal().reset_index(drop=True)


def pulses(study, amplitude, duration=1e-9):
    return study.pulses.at(amplitude, duration)


# ---- tables ----


def test_study_is_written_and_read_again(study, tmp_path):
    file = tmp_path / "again.toml"
    for one in (study, study.with_(**THREE), study.with_(**IN_PLANE)):
        file.write_text(one.to_toml(), encoding="utf-8")
        assert load_study(file) == one


@pytest.mark.parametrize(
    ("changes", "key", "allowed"),
    [
        ({"cell": {"external_field": {"x": 0.0}}}, "cell.external_field", "would be random"),
        ({"cell": {"external_field": {"x": 0.0, "y": 0.05}}}, "cell.external_field", "would be random"),
        ({"channel": {"width": 39e-9}}, "channel.width", "at least 40 nm"),
        ({"channel": {"spin_hall_angle": 0.0}}, "channel.spin_hall_angle", "other than 0"),
        ({"cell": {"topology": "3t", "junction_bias": 0.1}}, "cell.junction_bias", "none with topology"),
        (
            {"pulse": {"shape": ((0, 0), (1e-10, 1), (2e-10, 1), (3e-10, 0))}},
            "pulse.shape",
            "none with an SOT",
        ),
        (
            {"stack": {"thermal_resistance_area": 1e-9, "thermal_time": 1e-9}},
            "stack.thermal",
            "none in an SOT",
        ),
        ({"cell": {"easy_axis": "in-plane"}}, "junction.aspect_ratio", "above 1"),
        (IN_PLANE | {"channel": {"angle": 0.0, "width": 1e-7}}, "channel.angle", "across the easy axis"),
        ({"read": {"offset": 1e-3}}, "read", "reads are not modelled"),
    ],
)
def test_tables_that_cannot_be_are_refused(study, changes, key, allowed):
    with pytest.raises(InputError) as caught:
        study.with_(**changes)
    assert key in str(caught.value)
    assert allowed in str(caught.value)


def test_wrong_easy_axis_is_refused(study):
    tall = study.with_(**IN_PLANE).with_(stack={"interfacial_anisotropy": 3e-3})
    with pytest.raises(InputError, match=r'cell.easy_axis: got .*allowed: "perpendicular"'):
        device.check_nominal(tall.tables, nominal(tall))
    flat = study.with_(stack={"interfacial_anisotropy": 0.5e-3})
    with pytest.raises(InputError, match=r'allowed: "in-plane"'):
        device.check_nominal(flat.tables, nominal(flat))


def test_a_channel_that_melts_is_a_warning_with_the_number(study):
    weak = study.with_(channel={"largest_current_density": 1e12})
    one = nominal(weak)
    # 0.7 V over 800 ohm and two lines of 200 ohm, in 50 nm times 4 nm: 2.92 TA/m^2.
    outlook = device.foresee(weak.tables, one, 0.7)
    assert any("2.92 TA/m²" in words and "may melt" in words for words in outlook.warnings)
    assert not any("melt" in words for words in device.foresee(study.tables, nominal(study), 0.7).warnings)
    words = trial.try_nominal(weak.tables, one, ("p_to_ap",), pulses(weak, 0.7)).words
    assert any("may melt" in each for each in words)


# ---- the junction and its channel ----


def test_derived_quantities_are_those_of_the_formulas(study):
    row = nominal(study).iloc[0]
    # R = rho l/(w t) = 1.6e-6 * 100e-9/(50e-9 * 4e-9).
    assert row["channel_resistance_ohm"] == pytest.approx(800.0)
    # hbar theta/(2 e Ms t w d).
    expected = constants.hbar * 0.3 / (2 * constants.e * 1.2e6 * 1e-9 * 50e-9 * 4e-9)
    assert row["damping_like_field_T_per_A"] == pytest.approx(expected)
    threshold = spin_orbit.perpendicular_threshold_field(row["anisotropy_field_T"], 0.04)
    assert row["threshold_current_A"] == pytest.approx(float(threshold) / expected)


def test_an_in_plane_layer_has_the_fields_and_the_barrier_of_its_shape(study):
    flat = study.with_(**IN_PLANE)
    row = nominal(flat).iloc[0]
    nx, ny, nz = (row[f"demagnetizing_{axis}"] for axis in "xyz")
    moment = constants.mu_0 * 1.2e6
    assert row["anisotropy_field_T"] == pytest.approx(moment * (ny - nx))
    normal = 2 * 0.5e-3 / (1.6e-9 * 1.2e6)
    assert row["hard_axis_field_T"] == pytest.approx(moment * (nz - ny) - normal)
    volume = np.pi / 4 * 60e-9**2 * 1.6e-9
    barrier = 0.5 * moment * (ny - nx) * 1.2e6 * volume / (constants.k * 300)
    assert row["barrier_p"] == pytest.approx(barrier, rel=1e-4)
    # The macrospin in its frame has the same energies between the axes: 0 along the first.
    spin = writes.macrospin(flat.tables, row)
    heights = llgs.energy(spin, np.eye(3))
    assert heights[0] == pytest.approx(0.0)
    assert heights[2] == pytest.approx(-barrier)
    assert heights[1] == pytest.approx(barrier * row["hard_axis_field_T"] / row["anisotropy_field_T"])


@pytest.mark.parametrize(
    ("changes", "sign"),
    [
        ({}, 1.0),
        ({"cell": {"external_field": {"x": -0.04}}}, -1.0),
        ({"channel": {"spin_hall_angle": -0.3}}, -1.0),
        ({"channel": {"angle": np.pi}}, -1.0),
        (
            {"channel": {"spin_tilt": 0.2, "field_like_ratio": 0.0}, "cell": {"external_field": {"x": 0.0}}},
            1.0,
        ),
        (
            {"channel": {"spin_tilt": -0.2, "field_like_ratio": 0.0}, "cell": {"external_field": {"x": 0.0}}},
            -1.0,
        ),
        (IN_PLANE, -1.0),
        (THREE, -1.0),
    ],
)
def test_both_directions_are_written_by_the_current_that_favours_them(study, changes, sign):
    # 100 writes with at most 20 failures: by a coin they would succeed with a probability below 1e-9.
    one = study.with_(**changes)
    assert one.tables.polarity("ap_to_p") == sign
    assert one.tables.polarity("p_to_ap") == -sign
    cell, pulse = nominal(one), pulses(one, 0.58)
    for direction in one.sweep.directions:
        currents = one.kind.drive(one.tables, cell, direction, pulse)
        assert np.all(np.sign(currents.channel_A) == one.tables.polarity(direction))
        found = one.kind.average(one.tables, cell, direction, currents, pulse, Counting(100, 1))
        assert found.error_rate[0, 0, 0] <= 0.2, direction


def test_three_transistors_alone_prefer_ap_with_the_bit_line_high(study):
    three = study.with_(cell={"topology": "3t", "external_field": {"x": 0.0}})
    assert three.tables.preferences == {'cell.topology = "3t"': -1.0}
    against = study.with_(cell={"topology": "3t"})
    words = device.foresee(against.tables, nominal(against), 0.7).warnings
    assert any("favour opposite states" in each for each in words)


def test_an_assist_pulse_decides_the_state_and_may_outlast_the_write(study):
    assist = {"amplitude": 0.8, "delay": 0.0, "duration": 3e-9}
    one = study.with_(
        cell={"external_field": {"x": 0.0}, "assist": assist}, channel={"field_like_ratio": 0.0}
    )
    cell, pulse = nominal(one), pulses(one, 0.9)
    for direction, sign in (("p_to_ap", -1.0), ("ap_to_p", 1.0)):
        currents = one.kind.drive(one.tables, cell, direction, pulse)
        # Negative, from the reference layer, towards AP; without the write pulse too.
        assert np.all(np.sign(currents.junction_A[2]) == sign)
        found = one.kind.average(one.tables, cell, direction, currents, pulse, Counting(100, 1))
        assert found.error_rate[0, 0, 0] <= 0.2, direction


# ---- energies ----


@pytest.mark.parametrize("changes", [{}, THREE, {"cell": {"junction_bias": 0.3}}], ids=["2t", "3t", "bias"])
@pytest.mark.parametrize("direction", ["p_to_ap", "ap_to_p"])
def test_energies_are_those_of_whole_waveforms(study, changes, direction):
    one = study.with_(**changes)
    cell, pulse = nominal(one), pulses(one, 0.6)
    currents = circuit.measure(one.tables, cell, direction, pulse)
    plateau = 2e-9 - EdgeTimes.of(one.tables, pulse).outside
    ngspice = circuit.simulator()
    cells = circuit.cell_parameters(one.tables, cell)
    with ngspice.circuit(circuit.batch_deck(one.tables, cells)):
        for held, column, place in ((1.0, 0, -1), (-1.0, 1, 0)):
            ngspice.exec_command(f"alter vmz dc = {held}")
            time, vectors = circuit._run(
                ngspice, one.tables, direction, pulse, 0.6, 2e-9 - pulse.in_duration, assisted=False
            )
            whole = circuit._energy(one.tables, time, vectors, 1, np.empty(0))[0, 0]
            parts = currents.rise_J[0, 0, column] + currents.fall_J[0, 0, column]
            parts += currents.power_W[0, 0, 0, place] * plateau
            assert parts == pytest.approx(whole, rel=0.01)


def test_currents_are_those_of_ohms_law_with_an_ideal_transistor(study):
    ideal = {"model": "ideal", "on_resistance": 600.0}
    one = study.with_(cell={"transistor": ideal})
    currents = circuit.measure(one.tables, nominal(one), "ap_to_p", pulses(one, 0.5))
    # 0.5 V over two lines of 200 ohm, 600 ohm and 800 ohm; the read transistor is off.
    np.testing.assert_allclose(currents.channel_A, 0.5 / 1800.0, rtol=1e-3)
    np.testing.assert_allclose(currents.power_W, 0.25 / 1800.0, rtol=1e-3)
    three = study.with_(**THREE).with_(cell={"transistor": ideal})
    cell = nominal(three)
    currents = circuit.measure(three.tables, cell, "p_to_ap", pulses(three, 0.5))
    # Two write transistors of 600 ohm, and in parallel with them and the first half of the channel the third
    # one with the junction: solved by hand for P.
    junction = 600.0 + float(cell["parallel_resistance_ohm"].iloc[0])
    left = 300.0 + 400.0
    both = 1.0 / (1.0 / left + 1.0 / junction)
    total = 0.5 / (200.0 + both + 400.0 + 200.0)
    through_junction = total * both / junction
    np.testing.assert_allclose(currents.junction_A[0, 0, 0, -1], -through_junction, rtol=0.01)
    np.testing.assert_allclose(currents.channel_A[0, 0, 0, -1], total - 0.5 * through_junction, rtol=2e-3)


# ---- the whole path ----


@pytest.fixture(scope="module")
def runs(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    swept = {"devices": 2, "trials": 20}
    cells = {"two": {}, "three": THREE}
    for name, changes in cells.items():
        run_sweep(study.with_(**changes, sweep=swept), folder / name, executor=InPlace())
    return folder


def test_query_pulse_export_and_comparison(runs, call, tmp_path):
    for name in ("two", "three"):
        assert call("surface", runs / name)[0] == 0
    surface = WriteSurface.load(runs / "two" / "surface.nc")
    assert surface.dataset.attrs["cell_kind"] == "sot"
    options = ("--amplitude", "0.6 V", "--duration", "1 ns", "--json")
    code, out, error = call("query", runs / "two", "--direction", "p_to_ap", *options)
    assert code == 0, error
    assert 0.0 <= json.loads(out)["ber"] <= 1.0
    code, out, error = call("pulse", runs / "two", "--direction", "p_to_ap", "--ber", "0.3", "--json")
    assert code == 0, error
    table = tmp_path / "table.csv"
    assert call("export", runs / "two", "--format", "csv", "--out", table)[0] == 0
    assert set(pd.read_csv(table, comment="#")["direction"]) == {"p_to_ap", "ap_to_p"}
    code, _, error = call(
        "export", runs / "two", "--format", "nvsim", "--ber", "0.3", "--out", tmp_path / "c.cell"
    )
    assert code == 2
    assert "cell kind of the surface: got 'sot'" in error
    results = compare([runs / "two", runs / "three"], ber=0.3).results.set_index(["direction", "scenario"])
    # Widths of 800 nm and 100 nm: 3 (800/30 + 1) + 3 (100/30 + 1), and 7 (800/30 + 1) with two of 800 nm.
    assert results.loc[("both", "two"), "area_F2"] == pytest.approx(96.0)
    assert results.loc[("both", "three"), "area_F2"] == pytest.approx(7 * (800 / 30 + 1))
    assert results.loc[("both", "three"), "transistor_width_m"] == pytest.approx(1.7e-6)


def test_results_do_not_depend_on_the_batch(study):
    devices = Population(study).draw()
    pulse = pulses(study, [0.5, 0.6], [0.5e-9, 1e-9])
    currents = study.kind.drive(study.tables, devices, "p_to_ap", pulse)
    both = study.kind.average(study.tables, devices, "p_to_ap", currents, pulse, Counting(20, 1))
    last = devices.iloc[[-1]]
    currents = study.kind.drive(study.tables, last, "p_to_ap", pulse)
    alone = study.kind.average(study.tables, last, "p_to_ap", currents, pulse, Counting(20, 1))
    np.testing.assert_allclose(alone.energy_J[0], both.energy_J[-1], rtol=1e-4)
    assert np.abs(alone.error_rate[0] - both.error_rate[-1]).max() <= 0.05


def test_states_are_retained_as_those_of_the_junction(study):
    one = nominal(study)
    rates = study.kind.escape_rates(study.tables, one, 300.0)
    barrier, relaxation = float(one["barrier_p"].iloc[0]), float(one["relaxation_time_s"].iloc[0])
    # Arrhenius' exponent; the prefactor is within a factor of 30 of 1/t_D.
    assert np.all(np.abs(np.log(rates * relaxation) + barrier) < np.log(30.0))


def test_split_rates_of_an_in_plane_layer_are_those_of_counts(study):
    # Rates of 0.9 to 1e-3: within 5 standard errors of both, a false alarm of 1e-6 for each.
    one = study.with_(**IN_PLANE)
    cell, pulse = nominal(one), pulses(one, [0.3], [1e-9, 1.5e-9, 2.2e-9])
    currents = one.kind.drive(one.tables, cell, "p_to_ap", pulse)
    found = one.kind.average(one.tables, cell, "p_to_ap", currents, pulse, Counting(1600, 1, True))
    counted = one.kind.average(one.tables, cell, "p_to_ap", currents, pulse, Counting(1600, 2))
    assert counted.standard_error is None
    assert np.isfinite(found.standard_error).sum() >= 2
    error = np.nan_to_num(found.standard_error)
    scatter = np.hypot(error, np.sqrt(counted.error_rate * (1.0 - counted.error_rate) / 1600.0) + 1e-3)
    assert np.all(np.abs(found.error_rate - counted.error_rate) < 5.0 * scatter)


def test_an_assist_pulse_is_counted_all_the_same(study):
    assist = {"amplitude": 0.8, "duration": 1e-9}
    one = study.with_(cell={"external_field": {"x": 0.0}, "assist": assist})
    cell, pulse = nominal(one), pulses(one, 0.6, 0.5e-9)
    currents = one.kind.drive(one.tables, cell, "ap_to_p", pulse)
    found = one.kind.average(one.tables, cell, "ap_to_p", currents, pulse, Counting(100, 1, True))
    assert np.all(np.isnan(found.standard_error))
    assert np.all(np.isfinite(found.error_rate))


def test_only_perpendicular_layers_may_fail_more_often_with_a_stronger_pulse(study):
    assert set(study.kind.rising(study.tables)) == {"p_to_ap", "ap_to_p"}
    flat = study.with_(**IN_PLANE)
    assert not flat.kind.rising(flat.tables)
