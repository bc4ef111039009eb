"""The model of fits against the sweep: heated junctions, parts of the layer, rows of several diameters.

The expected values are those of the sweep, which is compared with counted writes in tests/test_heating.py and
tests/test_size.py, and with ngspice in tests/test_thermal_sweep.py. Transistor and lines of 0.1 ohm and edges
of 1 ps leave rectangular pulses across the junction, as fits have them. All tolerances are relative ones of
-ln(write error rate), for error rates from 0.9 to 1e-6: near 1 that is the probability of switching.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from common import DEMO, with_values
from stackfit_cases import STACK
from test_size import WALL

from mtjchar.cells.stt import axial
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.physics import anisotropy, segments
from mtjchar.physics.fokker_planck import OfDevices
from mtjchar.stackfit import Film
from mtjchar.stackfit.electrical import Drives, Electrical
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values, optional_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.stackfit.search import _combinations
from mtjchar.study import Study
from mtjchar.sweep.population import Population

LAWS, DIRECTIONS = ("voltage", "current"), ("p_to_ap", "ap_to_p")
AMPLITUDES, DURATIONS = np.linspace(0.15, 0.8, 9), np.geomspace(1e-9, 100e-9, 7)
HEAT = {"thermal_resistance_area": 1e-9}  # K m^2/W: P rises by 4 K at 0.15 V and 130 K at 0.8 V
WIDE = {**WALL, "exchange_stiffness": 3e-12, "thermal_resistance_area": 5e-10}
AGREES = 0.02


def study_of(kelvin=300.0, diameter=40e-9, field=0.0, **stack):
    """One device behind 0.1 ohm, without variability."""
    line = {"resistance": 0.1, "capacitance": 0.0}
    cell = with_values(
        DEMO.cell, temperature=kelvin, bitline=line, sourceline=line, external_field={"z": field},
        transistor={"model": "ideal", "on_resistance": 0.1},
    )  # fmt: skip
    return Study.model_validate(
        {
            "stack": with_values(STACK, **stack), "junction": {"diameter": diameter}, "cell": cell,
            "pulse": {"rise": 1e-12, "fall": 1e-12}, "sweep": dict(DEMO.sweep) | {"devices": 1},
        }
    )  # fmt: skip


def swept(study, direction):
    """Error rates by the sweep, (amplitudes, durations)."""
    device, pulses = Population(study).nominal(), study.pulses.at(AMPLITUDES, DURATIONS)
    lines = load_lines(study, cell_parameters(study, device), direction, pulses)
    found = axial.average_over_noise(study.tables, device, direction, lines, pulses)
    assert np.all(found.failure == "")
    return found.error_rate[0]


def rows_of(direction, kelvin, diameter):
    """The same pulses as the rows of a table."""
    return pd.DataFrame(
        [(direction, amplitude, time, kelvin, diameter) for amplitude in AMPLITUDES for time in DURATIONS],
        columns=["direction", "amplitude_V", "duration_s", "temperature_K", "diameter_m"],
    )


def fitted(film, rows, **more):
    """Logarithms of error rates by the model of fits: solved, and from its table."""
    model, pulses = SwitchingModel(film), Pulses.of(rows, 300.0)
    values = {**nominal_values(film), **optional_values(film), **more}
    return np.log(model.solved_error_rate(values, pulses)), model.log_error_rate(values, pulses)


def deviations(found, rate):
    """Relative deviations of -ln WER, where the rate is from 0.9 to 1e-6."""
    shown = (rate < 0.9) & (rate > 1e-6)
    assert shown.sum() > 10
    assert rate[shown].max() > 0.6
    assert rate[shown].min() < 5e-3
    return found.reshape(rate.shape)[shown] / np.log(rate[shown]) - 1.0


@pytest.mark.parametrize("time", [2e-10, 3e-9, 1e-7])  # below, near and above the durations
@pytest.mark.parametrize("kelvin", [300.0, 350.0])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("law", LAWS)
def test_heated_rates_are_those_of_the_sweep(law, direction, kelvin, time):
    # Measured: 0.5 %; up to 5 % if the temperature does not follow the power on the barrier. The table starts
    # from the density of the hot junction: up to twice the exponent, which is 5 % of the amplitude, and less
    # if the thermal time is long.
    study = study_of(kelvin, torque=law, **HEAT, thermal_time=time)
    rate = swept(study, direction)
    solved, table = fitted(Film(study.stack, 40e-9), rows_of(direction, kelvin, 40e-9))
    assert np.abs(deviations(solved, rate)).max() < AGREES
    coarse = deviations(table, rate)
    assert coarse.min() > -0.1
    assert coarse.max() < (1.2 if time < 1e-9 else 0.4)


def test_a_field_acts_on_hot_junctions_as_in_the_sweep():
    study = study_of(field=0.02, **HEAT, thermal_time=2e-10)
    rate = swept(study, "ap_to_p")
    film, rows = Film(study.stack, 40e-9), rows_of("ap_to_p", 300.0, 40e-9)
    solved, _ = fitted(film, rows, offset_field=0.02)
    assert np.abs(deviations(solved, rate)).max() < AGREES
    assert np.abs(deviations(fitted(film, rows)[0], rate)).max() > 0.3


@pytest.mark.parametrize("kelvin", [300.0, 350.0])
@pytest.mark.parametrize("heat", [None, 2e-10, 3e-9])
@pytest.mark.parametrize(("law", "direction"), list(zip(LAWS, DIRECTIONS, strict=True)))
def test_rates_of_several_diameters_are_those_of_their_sweeps(law, direction, heat, kelvin):
    # Junctions above the critical diameter, which is 14 nm to 16 nm here, in one table. Measured: 1.1 %.
    widths = (30e-9, 50e-9, 80e-9)
    stack = WIDE | {"thermal_time": heat} if heat else {**WIDE, "thermal_resistance_area": 0.0}
    sweeps = {width: study_of(kelvin, width, torque=law, **stack) for width in widths}
    film = Film(sweeps[50e-9].stack, 50e-9)
    assert film.coherent_share(film.nominal().stability) < 0.7
    rows = pd.concat([rows_of(direction, kelvin, width) for width in widths], ignore_index=True)
    solved, _ = fitted(film, rows)
    for found, study in zip(np.split(solved, len(widths)), sweeps.values(), strict=True):
        assert np.abs(deviations(found, swept(study, direction))).max() < AGREES


@pytest.mark.parametrize("kelvin", [300.0, 350.0])
def test_netlist_sweep_and_fit_have_one_device(kelvin):
    # Delta, Ic0 and t_D of a part of the layer, in a cell that is not at 300 K as well.
    study = study_of(kelvin, 70e-9, **WIDE, thermal_time=1e-9)
    device = Population(study).nominal()
    names = ["thermal_stability", "critical_current_A", "relaxation_time_s"]
    of_sweep = device.iloc[0][names].to_numpy(dtype=float)
    cell = cell_parameters(study, device).iloc[0]
    slow = anisotropy.relaxation_time(np.asarray(cell["alpha"]), np.asarray(cell["bk"]))
    # Ic0 of the film: where the damping-like field is alpha times the anisotropy field.
    of_netlist = [cell["delta"], cell["alpha"] * cell["bk"] / cell["torque"], float(slow)]
    film = Film(study.stack, 50e-9)
    of_fit = [float(value) for value in film.device_at(film.nominal(), kelvin, 70e-9)]
    np.testing.assert_allclose(of_netlist, of_sweep, rtol=1e-6)
    np.testing.assert_allclose(of_fit, of_sweep, rtol=1e-6)


# ---- what makes it fast ----


@pytest.mark.parametrize(("tmr", "accuracy"), [(1.2, 1e-7), (3.0, 1e-5)])
@pytest.mark.parametrize("law", LAWS)
def test_polynomials_give_voltage_and_current_over_the_angle(law, tmr, accuracy):
    # Against the equations of mtjchar.physics.tunneling, at angles between the points of the polynomial.
    start = np.array([1.0, -1.0, 1.0, 1.0])
    pulses = Pulses(
        np.array([0.6, 0.6, 1e-4, 0.0]), np.array([True, True, law == "current", True]), np.full(4, 1e-8),
        start < 0.0, np.full(4, 300.0),
    )  # fmt: skip
    values = {"resistance_area_product": 5e-12, "tmr": tmr, "tmr_half_bias": 0.5, "series_resistance": 2e3}
    own = Electrical.of(Film(STACK, 40e-9), values, pulses)
    wanted = own.voltage if law == "voltage" else own.current
    drives = Drives.of(law, np.array([0.8, 0.8, 0.8, 0.0]), np.zeros(4), np.ones(1), own, pulses)
    shown = Drives(*np.broadcast_arrays(*drives)).over_z(law)
    for z in np.linspace(-1.0, 1.0, 8):
        expected = 0.8 * (wanted(z * start)[:3] / wanted(start)[:3])
        found = shown(np.full((1, 4), z))[0]
        np.testing.assert_allclose(found[:3], expected, rtol=accuracy)
        assert found[3] == 0.0


def test_many_devices_are_solved_in_groups():
    # Those of a group need about as many steps; each has the rate that it has alone.
    count = 400
    drive, delta = np.linspace(0.6, 1.4, count), np.linspace(40.0, 60.0, count)
    slow, end = np.full(count, 1e-9), np.full(count, np.inf)
    times = np.geomspace(1e-9, 1e-7, count)[::-1, None]

    def pulse(chosen):
        over_z = OfDevices(lambda z, own: own + 0.1 * z, (drive[chosen],))
        warm = segments.Segment(over_z, delta[chosen], slow[chosen], np.full(len(delta[chosen]), 2e-9))
        return [warm, segments.Segment(over_z, 0.9 * delta[chosen], slow[chosen], end[chosen])]

    everything = np.arange(count)
    together = segments.log_exponent(pulse(everything), times, stability_at_rest=delta)
    for k in (0, 150, 399):
        alone = segments.log_exponent(pulse([k]), times[[k]], stability_at_rest=delta[[k]])
        assert together[k, 0] == pytest.approx(alone[0, 0], abs=2e-3)


def test_spans_are_those_of_rows_that_differ_in_the_duration():
    rows = pd.DataFrame(
        {
            "direction": ["p_to_ap", "p_to_ap", "ap_to_p", "p_to_ap"], "amplitude_V": [0.5, 0.5, 0.5, 0.6],
            "duration_s": [3e-9, 1e-9, 2e-9, 5e-9],
        }
    )  # fmt: skip
    shortest, longest = Pulses.of(rows, 300.0).spans()
    assert shortest.tolist() == [1e-9, 1e-9, 2e-9, 5e-9]
    assert longest.tolist() == [3e-9, 3e-9, 2e-9, 5e-9]


def test_coarse_search_stays_small_with_many_parameters():
    few = [np.array([1.0, 2.0, 3.0]), np.array([5.0, 4.0])]
    assert _combinations(few) == list(itertools.product(*few))
    # 3^12 are 531441; with at most two of 12 away from the first value, 1 + 24 + 66 * 4.
    many = _combinations([np.array([1.0, 2.0, 3.0])] * 12)
    assert len(set(many)) == len(many) == 289
    assert many[0] == (1.0,) * 12
    assert max(sum(value != 1.0 for value in point) for point in many) == 2
