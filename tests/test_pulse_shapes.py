"""Pulses with a shape: against the trapezoid, another equation, trajectories, and by hand."""

import numpy as np
import pytest
import tomli_w
from circuit_ensemble import simulate
from common import DEMO
from driven_cells import DIRECTIONS, LOWS, SHAPES, TRAPEZOID, cell_of, ideal
from hypothesis import given, settings
from hypothesis import strategies as st
from legendre import error_rate
from numpy.polynomial import chebyshev
from scipy.optimize import brentq
from study_cases import changed, refusal

from mtjchar.cells.base import Counting
from mtjchar.cells.pulse_shape import PulseShape
from mtjchar.cells.stt import axial
from mtjchar.cells.stt.drivers import EdgeTimes
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.waveforms import write_waveforms
from mtjchar.sweep.population import Population
from mtjchar.sweep.tasks import Task, characterize

RAMPS = [["0 s", 0], ["100 ps", 1], ["1 ns", 1], ["1.1 ns", 0]]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_trapezoid_that_is_written_out_is_the_trapezoid(direction):
    study = DEMO.with_(sweep={"amplitude": {"points": 3}})
    device = Population(study).nominal()
    usual = characterize(Task(study, device, direction))
    written = characterize(Task(study.with_(pulse={"shape": TRAPEZOID}), device, direction))
    for column in ("write_error_rate", "energy_J", "redundant_energy_J"):
        np.testing.assert_allclose(written[column], usual[column], rtol=1e-6)


def overdrives(study, device, direction, amplitude):
    """i(z) at Chebyshev's points, of a divider of the junction, 1000 ohm and both lines; brentq."""
    start = 1.0 if direction == "p_to_ap" else -1.0
    rp, tmr, half = device["parallel_resistance_ohm"], device["tmr"], study.stack.tmr_half_bias
    overdrive = []
    for m_z in start * chebyshev.chebpts1(21):

        def excess(volt, m_z=m_z):
            bias = tmr / (1 + (volt / half) ** 2)
            return volt * (2 + bias + bias * m_z) / (2 * (1 + bias)) / rp - (amplitude - volt) / 1400.0

        volt = brentq(excess, -1e-3, amplitude + 1e-3, xtol=1e-14)
        drive = volt / rp if study.stack.torque == "voltage" else (amplitude - volt) / 1400.0
        overdrive.append(drive / device["critical_current_A"])
    return np.array(overdrive)


@pytest.mark.parametrize(
    ("law", "name", "direction"),
    [
        ("voltage", "boost", "p_to_ap"),
        ("voltage", "slopes", "ap_to_p"),
        ("current", "boost", "ap_to_p"),
        ("current", "step before", "p_to_ap"),
        ("current", "step after", "p_to_ap"),
        ("voltage", "overshoot", "ap_to_p"),
        ("voltage", "long fall", "p_to_ap"),
    ],
)
def test_error_rate_of_a_shape_is_that_of_the_equation_in_legendre_polynomials(law, name, direction):
    study = ideal(shape=SHAPES[name], law=law, capacitance=0.0)
    device = Population(study).nominal().iloc[0]
    got = characterize(Task(study, Population(study).nominal(), direction))["write_error_rate"].to_numpy()[:2]
    time, fraction = np.array(SHAPES[name], dtype=float).T
    plateau = np.flatnonzero((fraction[:-1] == 1.0) & (fraction[1:] == 1.0))[0]
    for duration, rate in zip(study.sweep.duration.values(), got, strict=True):
        lengths = np.diff(time)
        lengths[plateau] = duration - study.pulses.in_duration
        pieces = []
        for length, before, after in zip(lengths, fraction[:-1], fraction[1:], strict=True):
            count = 1 if before == after else max(8, int(length / 5e-11))
            for share in (np.arange(count) + 0.5) / count:
                amplitude = 0.7 * (before + (after - before) * share)
                reduced = length / count / device["relaxation_time_s"]
                pieces.append((overdrives(study, device, direction, amplitude), reduced))
        # Another method for the equation, the static circuit by another program. Measured: within 4e-4 for a
        # torque per voltage; 3.5e-3 per current, whose ratio to the plateau is not quite a parabola in z.
        assert rate == pytest.approx(
            error_rate(device["thermal_stability"], pieces), rel=6e-4 if law == "voltage" else 5e-3
        )


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_energy_of_a_shape_at_low_levels_is_that_of_trajectories(direction):
    # Another method: trajectories with the nodes of the circuit, 600 of them. Six standard errors, a
    # false-alarm rate of 2e-9 each, and 0.3 % for the parts of the edges.
    shape = [[0, 0], [1e-10, 0.6], [1e-9, 0.6], [1.1e-9, 1], [5e-9, 1], [5.1e-9, 0]]
    study = ideal(shape=shape, law="current", durations=(2.5e-9, 4e-9), start=0.9, **LOWS)
    device = Population(study).nominal()
    got = characterize(Task(study, device, direction)).iloc[0]
    ensemble = simulate(study, device.iloc[0], direction, 0.9, 2.5e-9, walkers=600, seed=1, step=1e-3)
    mean, error = ensemble.energy.mean(), ensemble.energy.std() / np.sqrt(600)
    assert error < 2.5e-3 * mean
    assert abs(got["energy_J"] - mean) < 0.003 * mean + 6.0 * error


def test_counted_writes_of_a_shape_are_computed_ones():
    study = ideal(shape=SHAPES["step before"], law="current", durations=(4e-9, 5e-9), **LOWS)
    device, pulses = Population(study).nominal(), study.pulses.at(0.7)
    lines = load_lines(study, cell_parameters(study, device), "ap_to_p", pulses)
    computed = axial.average_over_noise(study, device, "ap_to_p", lines, pulses)
    counted = count_failures(study, device, "ap_to_p", lines, pulses, Counting(500, 3))
    # 500 trials: the energy has a standard error of some 0.2 %. Six of them, and of the rate: 2e-9 each.
    np.testing.assert_allclose(counted.energy_J, computed.energy_J, rtol=1.2e-2)
    np.testing.assert_allclose(counted.redundant_energy_J, computed.redundant_energy_J, rtol=1e-3)
    rate = computed.error_rate
    assert np.all(np.abs(counted.error_rate - rate) < 6.0 * np.sqrt(rate * (1.0 - rate) / 500) + 0.002)


def test_whole_write_has_the_shape():
    study = ideal(shape=SHAPES["boost"], line=1.0, capacitance=0.0)
    write = write_waveforms(study, cell_of(study, tmr=1e-6, u0=-6.0), "p_to_ap", study.pulses.at(0.7, 7e-9))
    resistance = Population(study).nominal()["parallel_resistance_ohm"].iloc[0] + 1002.0
    plateau = 7e-9 - study.pulses.in_duration
    time, fraction = PulseShape.of(SHAPES["boost"]).points(1e-10, plateau), np.empty(0)
    time, fraction = np.array(time).T
    expected = 0.7 / resistance * np.interp(write.time_s, time, fraction)
    np.testing.assert_allclose(write.current_A[0], expected, rtol=0, atol=1e-4 * expected.max())


def test_duration_is_from_half_rise_to_half_fall():
    # By hand: half of 1 is reached after 1.25/3.5 of the first ramp and left half a fall after the plateau.
    shape = PulseShape.of(SHAPES["boost"])
    assert shape.in_duration == pytest.approx(1.6e-9 - 1e-10 / 2.8 + 0.5e-10, rel=1e-12)
    points = shape.points(0.0, 2e-9)
    assert points[-1] == pytest.approx((1.6e-9 + 2e-9 + 1e-10, 0.0))
    before = PulseShape.of(SHAPES["step after"])
    # The step of 0.6 is above one half: it counts, to half of its own fall.
    assert before.in_duration == pytest.approx(0.5e-10 + 2e-9 + 1e-10 / 6.0, rel=1e-12)


@st.composite
def shapes(draw):
    steps = st.floats(2e-12, 2e-9)
    levels = st.floats(0.0, 0.99) | st.floats(1.01, 2.0)
    lead, trail = draw(st.lists(levels, max_size=3)), draw(st.lists(levels, max_size=3))
    fraction = [0.0, *lead, 1.0, 1.0, *trail, 0.0]
    return list(zip(np.cumsum([0.0, *(draw(steps) for _ in fraction[1:])]).tolist(), fraction, strict=True))


@given(shapes(), st.floats(0.0, 5e-15), st.floats(0.0, 1e-8))
@settings(max_examples=50, deadline=None)
def test_a_shape_is_divided_without_a_rest(points, capacitance, longer):
    shape = PulseShape.of(points)
    study = ideal(capacitance=capacitance)
    pulses = study.pulses._replace(shape=shape, shortest=shape.in_duration + longer)
    times = EdgeTimes.of(study, pulses)
    for parts in (times.rise, times.fall):
        assert len(parts) % 2 == 0
        assert np.all(parts > 0.0)
        np.testing.assert_allclose(parts[::2], parts[1::2], rtol=1e-12)
    settled = 10.0 * 200.0 * capacitance
    lag = min(settled, longer)
    assert times.rise.sum() == pytest.approx(shape.lead + lag, abs=1e-18)
    assert times.fall.sum() == pytest.approx(shape.trail + settled, abs=1e-18)
    assert times.outside == pytest.approx(shape.in_duration + lag, abs=1e-18)
    # Where the drive goes on from the plateau it is where the shape begins: 1.
    time, fraction = np.array(shape.points(0.0, longer)).T
    assert np.interp([shape.lead, shape.lead + longer], time, fraction) == pytest.approx([1.0, 1.0])


# ---- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("trapezoid", ["'trapezoid'", '[["0 s", 0], ["100 ps", 1]']),
        ([0, 1, 1, 0], ["[time, fraction]"]),
        ([["0 s", 0, 1], *RAMPS[1:]], ["[time, fraction]"]),
        ([[0.0, 0], *RAMPS[1:]], ["a string with a unit"]),
        ([["0 V", 0], *RAMPS[1:]], ["dimension of s"]),
        ([["0 s", "0"], *RAMPS[1:]], ["plain number"]),
        ([["0 s", float("nan")], *RAMPS[1:]], ["finite"]),
        (RAMPS[:3], ["at least four points"]),
        ([*RAMPS[:3], ["1.1 us", 0]], ["points within 1 µs"]),
        ([], ["at least four points"]),
        ([["1 ns", 0], ["1.1 ns", 1], ["2 ns", 1], ["2.1 ns", 0]], ["the first at 0 s"]),
        ([RAMPS[0], RAMPS[2], RAMPS[1], RAMPS[3]], ["times that increase"]),
        ([RAMPS[0], ["0 s", 1], *RAMPS[2:]], ["times that increase by at least 1 ps"]),
        ([["0 s", 0.1], *RAMPS[1:]], ["begin and end with 0"]),
        ([*RAMPS[:3], ["1.1 ns", 0.2]], ["begin and end with 0"]),
        ([RAMPS[0], ["50 ps", 2.1], *RAMPS[1:]], ["from 0 to 2"]),
        ([RAMPS[0], ["50 ps", -0.1], *RAMPS[1:]], ["from 0 to 2"]),
        ([RAMPS[0], ["100 ps", 1], ["1 ns", 0.9], RAMPS[3]], ["one plateau", "a study for each duration"]),
        (
            [*RAMPS[:3], ["1.1 ns", 0.5], ["1.2 ns", 1], ["2 ns", 1], ["2.1 ns", 0]],
            ["one plateau", "a study for each duration"],
        ),
    ],
)
def test_shape_that_is_none(tmp_path, shape, words):
    message = refusal(tmp_path, changed("pulse.shape", shape))
    assert "pulse.shape" in message
    for word in ("got ", "allowed: ", *words):
        assert word in message


def test_supply_and_shape_do_not_go_together(tmp_path):
    data = changed("pulse.shape", RAMPS)
    data["cell"]["supply_voltage"] = "1.5 V"
    assert "none where the pulse has a shape" in refusal(tmp_path, data)


def test_durations_have_to_leave_the_edges_their_time(tmp_path):
    shape = [["0 s", 0], ["100 ps", 1.2], ["2 ns", 1.2], ["2.1 ns", 1], ["5 ns", 1], ["5.1 ns", 0]]
    message = refusal(tmp_path, changed("pulse.shape", shape))
    assert "sweep.duration.start: got '1 ns'" in message
    assert "what the edges of pulse.shape have of the duration, 2.10833" in message


def test_command_line_refuses_a_shape_with_exit_2(tmp_path, call):
    (tmp_path / "study.toml").write_text(tomli_w.dumps(changed("pulse.shape", RAMPS[:3])))
    code, _, errors = call("sweep", tmp_path / "study.toml", "--out", tmp_path / "run")
    assert code == 2
    assert "pulse.shape" in errors
    assert "at least four points" in errors
