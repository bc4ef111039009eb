"""The current heats the junction within a pulse: physics, keys, sweep."""

import numpy as np
import pytest
from common import DEMO
from scipy import stats

from mtjchar.cells.base import Counting
from mtjchar.cells.stt import axial
from mtjchar.cells.stt.film_laws import FilmLaws
from mtjchar.cells.stt.hot_junction import HotJunctions, on_load_lines, series_of
from mtjchar.cells.stt.langevin import count_failures
from mtjchar.cells.stt.measure import load_lines
from mtjchar.cells.stt.netlist import cell_parameters
from mtjchar.cells.stt.tables import DIRECTIONS
from mtjchar.cells.stt.trial import try_nominal
from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, heating, long_pulses, segments, tunneling
from mtjchar.physics.segments import Segment
from mtjchar.study import load_study
from mtjchar.sweep.population import Population

DELTA = np.array([60.0, 40.0, 30.0])
DRIVE = np.array([1.5, 0.7, 0.4])
T_D = np.array([1e-9, 2e-9, 1e-9])
TIMES = np.array([2e-9, 5e-9, 1e-8, 2e-8, 5e-8, 3e-7, 1e-5, 1e-3]) * np.ones((3, 1))


def constant(values):
    return lambda z: np.broadcast_to(values, z.shape)


def cut(*ends, **more):
    """A pulse of equal segments."""
    return [Segment(constant(DRIVE), DELTA, T_D, np.full(3, end), **more) for end in (*ends, np.inf)]


def test_temperature_follows_a_constant_power():
    # Analytic: T = T0 + R P (1 - exp(-t/tau)), and its mean between the ends of segments.
    ambient, resistance, tau, power = 300.0, 4e5, 3e-9, 1e-4
    found = heating.course(
        lambda t: power + 0.0 * t,
        ambient=[ambient],
        thermal_resistance=[resistance],
        thermal_time=tau,
        shortest=2e-9,
        longest=1e-7,
    )
    end, begin = found.end[:-1, 0], np.concatenate([[0.0], found.end[:-2, 0]])
    rise = resistance * power
    np.testing.assert_allclose(found.final[:-1, 0], ambient + rise * -np.expm1(-end / tau), rtol=1e-12)
    mean = ambient + rise * (1.0 + tau * (np.exp(-end / tau) - np.exp(-begin / tau)) / (end - begin))
    np.testing.assert_allclose(found.mean[:-1, 0], mean, rtol=1e-12)
    assert found.mean[-1, 0] == pytest.approx(ambient + rise, rel=1e-12)
    assert np.isinf(found.end[-1, 0])


def test_power_that_depends_on_the_temperature():
    # Analytic: P = P0 (1 + b (T - T0)) rises to R P0/(1 - b R P0) with the time tau/(1 - b R P0).
    resistance, tau, power, slope = 4e5, 3e-9, 1e-4, 2e-3
    found = heating.course(
        lambda t: power * (1.0 + slope * (t - 300.0)),
        ambient=[300.0],
        thermal_resistance=[resistance],
        thermal_time=tau,
        shortest=2e-9,
        longest=1e-7,
    )
    slower = 1.0 - slope * resistance * power
    expected = resistance * power / slower * -np.expm1(-found.end[:-1, 0] * slower / tau)
    # The power is that of the mean temperature of each segment.
    np.testing.assert_allclose(found.final[:-1, 0] - 300.0, expected, rtol=2e-3)
    assert found.mean[-1, 0] - 300.0 == pytest.approx(resistance * power / slower, rel=1e-6)


@pytest.mark.parametrize("tau", [1e-10, 2e-9, 5e-8, 1e-3])
def test_segments_of_any_thermal_time(tau):
    # Analytic: the means of the segments have the integral of T over each pulse that ends with one.
    found = heating.course(
        lambda t: 1e-4 + 0.0 * t,
        ambient=[300.0],
        thermal_resistance=[4e5],
        thermal_time=[tau],
        shortest=1e-9,
        longest=6e-8,
    )
    end = found.end[:-1, 0]
    length = np.diff(np.concatenate([[0.0], end]))
    integral = np.cumsum((found.mean[:-1, 0] - 300.0) * length)
    np.testing.assert_allclose(integral, 40.0 * (end - tau * -np.expm1(-end / tau)), rtol=1e-6)
    # Short pulses stay cold where the thermal time is long.
    first = found.mean[found.end[:, 0] <= 1.001e-9]
    assert np.all(first - 300.0 < 41.0 * -np.expm1(-1e-9 / tau))


def test_segments_change_continuously_with_the_thermal_time():
    # A fit differentiates by it: the error rate has no steps where the thermal time passes the durations.
    def rate(tau):
        course = heating.course(
            lambda t: 1e-4 + 0.0 * t,
            ambient=[300.0],
            thermal_resistance=[4e5],
            thermal_time=[tau],
            shortest=2e-9,
            longest=2e-8,
        )
        parts = [
            Segment(constant(np.array([2.0])), 60.0 * 300.0 / kelvin, T_D[:1], end)
            for kelvin, end in zip(course.mean, course.end, strict=True)
        ]
        return segments.log_exponent(parts, np.array([[2e-9, 1e-8]]), stability_at_rest=np.array([60.0]))[0]

    for tau in (5e-10, 5e-9):  # a quarter of the shortest and of the longest duration
        steps = np.diff([rate(factor * tau) for factor in (0.98, 0.99, 1.0, 1.01, 1.02)], axis=0)
        assert np.all(np.abs(np.diff(steps, axis=0)) < 2e-4)


def test_switched_junctions_cool_down():
    # Analytic: all switch in the first, very short segment; their temperature then falls exponentially.
    length = np.array([[1e-15], [2e-9], [3e-9]])
    remaining = np.array([[1.0], [0.0], [0.0], [0.0]])
    mean = heating.mean_of_switched(remaining, length, np.full((3, 1), 350.0), np.full((3, 1), 320.0), 4e-9)
    for number, (begin, end) in enumerate(((0.0, 2e-9), (2e-9, 5e-9))):
        decay = 4e-9 * (np.exp(-begin / 4e-9) - np.exp(-end / 4e-9)) / (end - begin)
        assert mean[number + 1, 0] == pytest.approx(320.0 + 30.0 * decay, rel=1e-6)


def test_one_segment_is_the_pulse_of_constant_parameters():
    # Regression against the solver without segments: the same operations.
    expected = long_pulses.log_exponent(constant(DRIVE), DELTA, TIMES / T_D[:, None])
    found = segments.log_exponent(cut(), TIMES, stability_at_rest=DELTA)
    np.testing.assert_array_equal(found, expected)


def test_equal_segments_are_one_pulse():
    # The accuracy of the time steps, 3e-4 (docs/verification.md); measured: 1.3e-4.
    expected = long_pulses.log_exponent(constant(DRIVE), DELTA, TIMES / T_D[:, None])
    many = cut(3e-10, 1e-9, 2e-9, 7e-9, 3e-7)
    found = segments.log_exponent(many, TIMES, stability_at_rest=DELTA)
    np.testing.assert_allclose(found, expected, atol=3e-4)


def test_energy_of_equal_segments():
    # Against the solver without segments, with an edge and energy on the lines.
    def power(z):
        return 1.0 + 0.5 * z

    def stored(z):
        return 1e-9 * (1.0 - z)

    fall = [
        Segment(constant(0.6 * DRIVE), DELTA, T_D, np.full(3, 2e-10), power),
        Segment(constant(0.2 * DRIVE), DELTA, T_D, np.full(3, 5e-10), power),
    ]
    stages = [
        fokker_planck.Stage(part.overdrive, length / T_D, power)
        for part, length in zip(fall, (2e-10, 3e-10), strict=True)
    ]
    expected = long_pulses.write_statistics(
        constant(DRIVE), DELTA, TIMES / T_D[:, None], power, fall=stages, stored=lambda z: stored(z) / T_D
    )
    many = cut(3e-10, 1e-9, 2e-9, 7e-9, 3e-7, observable=power, stored=stored, after=fall)
    found = segments.mean_integral(many, TIMES, stability_at_rest=DELTA)
    np.testing.assert_allclose(found, expected.integral * T_D[:, None], rtol=2e-5)
    rate = segments.log_error_rate(many, TIMES, stability_at_rest=DELTA)
    some = expected.error_rate > 1e-250
    np.testing.assert_allclose(rate[some], np.log(expected.error_rate[some]), rtol=1e-4, atol=2e-5)


def hot_and_cold(change_at):
    """Segments that change from cold to hot at a time, with both alone."""
    hot = Segment(constant(1.2 * DRIVE), 0.8 * DELTA, 1.1 * T_D, np.full(3, np.inf))
    cold = Segment(constant(DRIVE), DELTA, T_D, np.full(3, change_at))
    return [cold, hot]


@pytest.mark.parametrize("short", [True, False])
def test_segments_of_no_length_and_without_end(short):
    # A change at once is the hot solver at rest parameters of the cold one; a late change the cold solver.
    parts = hot_and_cold(1e-15 if short else 1.0)
    alone = [parts[1]] if short else [parts[0]._replace(end=np.full(3, np.inf))]
    found, expected = (segments.log_exponent(each, TIMES, stability_at_rest=DELTA) for each in (parts, alone))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_heated_plateau_decays_with_the_rate_of_the_hot_junction():
    # Long after the change the slope of -ln WER is the decay rate of the hot junction.
    parts = hot_and_cold(3e-9)
    late = np.array([1e-6, 2e-6]) * np.ones((3, 1))
    found = segments.log_error_rate(parts, late, stability_at_rest=DELTA)
    expected = long_pulses.decay_rate(1.2 * DRIVE, 0.8 * DELTA) / (1.1 * T_D)
    np.testing.assert_allclose((found[:, 0] - found[:, 1]) / 1e-6, expected, rtol=1e-6)


def test_rare_switching_over_two_segments():
    # -ln WER of a rare event: the integral of the rates of both segments, after the first relaxation.
    drive, delta = np.array([0.2]), np.array([60.0])
    cold = Segment(constant(drive), delta, T_D[:1], np.array([1e-7]))
    hot = Segment(constant(drive), 0.8 * delta, T_D[:1], np.array([np.inf]))
    time = np.array([[1e-7, 2e-7]])
    found = np.exp(segments.log_exponent([cold, hot], time, stability_at_rest=delta))
    rate = long_pulses.decay_rate(drive, 0.8 * delta)[0] / T_D[0]
    assert found[0, 1] - found[0, 0] == pytest.approx(rate * 1e-7, rel=2e-3)
    assert found[0, 0] < 1e-10  # lost to rounding in the error rate


ALARM = 1e-9  # of the comparisons with counted writes together
AMPLITUDES, DURATIONS = np.array([0.6, 0.8]), np.geomspace(1.8e-9, 6e-9, 4)
TRIALS = 1500
# Measured rises in the demo's cell at 0.8 V: 66 K (AP to P) and 28 to 40 K (P to AP).
RESISTANCE = 1e-9  # K m^2/W


def heated(tau, resistance=RESISTANCE, **stack):
    return DEMO.with_(
        stack={"thermal_resistance_area": resistance, "thermal_time": tau, **stack},
        sweep={"trials": TRIALS, "seed": 5},
    )


def averaged(study, direction, method, amplitudes=AMPLITUDES, durations=DURATIONS, **more):
    devices = Population(study).nominal()
    pulses = study.pulses.at(amplitudes, durations)
    lines = load_lines(study, cell_parameters(study, devices), direction, pulses)
    return method(study, devices, direction, lines, pulses, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("direction", "tau", "stack"),
    [
        ("p_to_ap", 2e-10, {}),  # below the durations
        ("ap_to_p", 3e-9, {}),  # near them
        ("p_to_ap", 2e-8, {"resistance_exponent": -0.1, "vcma_coefficient": 30e-15}),  # above them
        ("ap_to_p", 1e-9, {"torque": "current", "field_like_torque": 0.2}),
    ],
    ids=["short", "near", "long", "per current"],
)
def test_sweep_against_walkers_with_temperatures_of_their_own(direction, tau, stack):
    # Each walker solves the heat equation for its own power. Binomial limits. A tilt of 1e-6 rad breaks the
    # symmetry and changes nothing.
    study = heated(tau, reference_tilt=1e-6, **stack)
    counted = averaged(study, direction, count_failures, counting=Counting(TRIALS, 5))
    expected = averaged(study, direction, axial.average_over_noise)
    assert np.all(counted.failure == "")
    alarm = ALARM / (4 * expected.error_rate.size)
    low, high = stats.binom.ppf([[[[alarm / 2]]], [[[1 - alarm / 2]]]], TRIALS, expected.error_rate)
    failures = counted.error_rate * TRIALS
    assert np.all((failures >= low) & (failures <= high))
    assert np.any(expected.error_rate > 0.2)
    assert np.any(expected.error_rate < 0.02)
    # Measured with 4000 walkers: 2e-3; without heating the energies are off by up to 6e-2.
    np.testing.assert_allclose(counted.energy_J, expected.energy_J, rtol=5e-3)
    np.testing.assert_allclose(counted.redundant_energy_J, expected.redundant_energy_J, rtol=5e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_walkers_tell_heating_from_none(direction):
    # The rates without heating are outside of the binomial limits of the comparison above.
    cold = averaged(DEMO, direction, axial.average_over_noise)
    hot = averaged(heated(2e-10), direction, axial.average_over_noise)
    high = stats.binom.ppf(1.0 - ALARM / 64, TRIALS, hot.error_rate)
    assert np.any(cold.error_rate * TRIALS > high)
    assert np.all(cold.error_rate > hot.error_rate)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_no_rise_is_no_heating(direction):
    # A vanishing resistance, or a thermal time far above the pulse, leaves the sweep without heating.
    cold = averaged(DEMO, direction, axial.average_over_noise)
    for study in (heated(2e-9, 1e-16), heated(0.9e-3)):
        hot = averaged(study, direction, axial.average_over_noise)
        np.testing.assert_allclose(hot.error_rate, cold.error_rate, rtol=1e-4)
        np.testing.assert_allclose(hot.energy_J, cold.energy_J, rtol=1e-5)
        np.testing.assert_allclose(hot.redundant_energy_J, cold.redundant_energy_J, rtol=1e-6)


def test_a_hot_junction_at_once_is_a_hot_cell():
    # With a torque per current and no TMR to speak of the power does not depend on the state. A thermal time
    # of nearly 0 makes the pulse that of a cell at this temperature; before and after it, at the cell's own.
    plain = {"torque": "current", "tmr": 1e-6, "slonczewski_lambda": 1.0}
    study = heated(1e-15, **plain)
    devices = Population(study).nominal()
    pulses = study.pulses.at(AMPLITUDES, DURATIONS)
    lines = load_lines(study, cell_parameters(study, devices), "p_to_ap", pulses)
    junctions = on_load_lines(study.tables, devices.iloc[0], lines, 0)
    rise = junctions.largest_rise(1e-8, 2)[1]
    assert np.all(rise > 20.0)
    hot = axial.average_over_noise(study, devices, "p_to_ap", lines, pulses)
    for number, kelvin in enumerate(300.0 + rise):
        other = DEMO.with_(stack=plain, cell={"temperature": float(kelvin)})
        warm = Population(other).nominal()
        # The load line at 300 K: transistor and lines stay cold.
        one = study.pulses.at(AMPLITUDES[number], DURATIONS)
        own = load_lines(study, cell_parameters(study, devices), "p_to_ap", one)
        same = axial.average_over_noise(other, warm, "p_to_ap", own, one)
        # The density before the pulse is that of the cold junction. Near the pole the angle grows by
        # d<theta^2>/dtau = 2 (i - 1) <theta^2> + 2/Delta from 1/Delta. The error rate of a long pulse is in
        # inverse proportion to what grows: <theta^2> + 1/(Delta (i - 1)) of the start.
        ratio = hot.error_rate[0, number] / same.error_rate[0, 0]
        hotter = warm["thermal_stability"].iloc[0] / devices["thermal_stability"].iloc[0]
        drive = own.current_A[0, 0, 4] / warm["critical_current_A"].iloc[0]
        assert drive > 1.5
        assert ratio[-1] == pytest.approx(drive / ((drive - 1.0) * hotter + 1.0), rel=0.01)
        assert ratio[-2] == pytest.approx(ratio[-1], rel=2e-3)
        np.testing.assert_allclose(hot.energy_J[0, number], same.energy_J[0, 0], rtol=1e-4)


@pytest.mark.parametrize("stack", [{}, {"exchange_stiffness": 2e-12}], ids=["coherent", "wall"])
def test_hot_film_has_the_laws_of_the_stack(stack):
    # Against a device derived at the temperature. The values of a wall are those of the stack, at 300 K.
    study = heated(1e-9, resistance_exponent=-0.1, **stack)
    hot = Population(study.with_(cell={"temperature": 350.0})).nominal()
    cold = Population(study.with_(cell={"temperature": 280.0})).nominal()
    column = {name: cold[name].to_numpy(dtype=float) for name in cold.columns}
    tables = study.with_(cell={"temperature": 280.0}).tables
    junctions = HotJunctions(tables, column, np.ones_like, np.ones_like)
    free = junctions.free_layer(np.array([350.0]))
    for found, name in zip(
        (*free[:4], junctions.parallel_resistance(np.array([350.0]))),
        (
            "anisotropy_field_T",
            "thermal_stability",
            "critical_current_A",
            "relaxation_time_s",
            "parallel_resistance_ohm",
        ),
        strict=True,
    ):
        np.testing.assert_allclose(found, hot[name].to_numpy(), rtol=1e-12)


def test_the_operating_point_has_the_conductance_of_the_hot_junction():
    # Against an own solution: a source of 1 V behind 2 kohm, and a junction at 380 K.
    study = heated(1e-9, resistance_exponent=-0.1)
    device = Population(study).nominal()
    column = {name: device[name].to_numpy(dtype=float) for name in device.columns}
    half = study.stack.tmr_half_bias

    def operating(cosine, parallel, tmr):
        low, high = 0.0, 1.0
        for _ in range(60):
            volts = 0.5 * (low + high)
            through = volts * tunneling.conductance(cosine, parallel, tunneling.tmr_at_bias(tmr, volts, half))
            low, high = (volts, high) if through < (1.0 - volts) / 2000.0 else (low, volts)
        return volts

    m_z = np.linspace(-1.0, 1.0, 9)
    parallel, tmr = column["parallel_resistance_ohm"][0], column["tmr"][0]
    volts = np.array([[operating(one, parallel, tmr) for one in m_z]])
    junctions = HotJunctions(
        study.tables, column, series_of(m_z, volts), series_of(m_z, (1.0 - volts) / 2000.0)
    )
    kelvin = np.array([[380.0]])
    laws = FilmLaws(study.stack, 380.0, given_at=300.0)
    for cosine in (-1.0, 0.3, 1.0):
        own = operating(cosine, laws.resistance_area_product(parallel), laws.tmr(tmr))
        at = junctions.same_conductance(np.array([[cosine]]), kelvin)
        assert junctions.volts(at)[0, 0] == pytest.approx(own, rel=2e-5)
        assert junctions.heat(np.array([[cosine]]), kelvin)[0, 0] == pytest.approx(
            own * (1.0 - own) / 2000.0, rel=2e-5
        )


def test_too_hot_is_named_with_the_number():
    for method, more in (
        (axial.average_over_noise, {}),
        (count_failures, {"counting": Counting(10, 1)}),
    ):
        tilt = 1e-6 if more else 0.0
        found = averaged(heated(1e-10, 2e-8, reference_tilt=tilt), "ap_to_p", method, **more)
        assert np.all(np.isnan(found.error_rate[found.failure != ""]))
        assert "the junction heats to" in found.failure[0, -1]
        assert " K" in found.failure[0, -1]


def test_a_warning_above_the_range_of_the_laws():
    study = heated(1e-9, 2.5e-9)
    found = try_nominal(study.tables, Population(study).nominal(), DIRECTIONS, study.pulses.at(1.2, [1e-8]))
    assert any("the current heats the nominal junction to" in words for words in found.words)
    cool = heated(1e-9, 1e-11)
    found = try_nominal(cool.tables, Population(cool).nominal(), DIRECTIONS, cool.pulses.at(1.2, [1e-8]))
    assert not any("heats" in words for words in found.words)


def test_heat_of_two_barriers_is_refused():
    second = {"reference": "antiparallel", "resistance_area_product": 5e-13, "spin_polarization": 0.3}
    with pytest.raises(InputError, match=r"stack.thermal_resistance_area.*second_barrier"):
        heated(1e-9, second_barrier=second)


def test_wide_junctions_heat_as_one_part_of_the_layer():
    # A nucleus of 28 nm: half of the layer fluctuates. Counted writes against the equation, as above.
    study = heated(1e-9, 2e-9, reference_tilt=1e-6, nucleation_diameter=28e-9)
    counted = averaged(study, "p_to_ap", count_failures, counting=Counting(TRIALS, 6))
    expected = averaged(study, "p_to_ap", axial.average_over_noise)
    alarm = ALARM / expected.error_rate.size
    low, high = stats.binom.ppf([[[[alarm / 2]]], [[[1 - alarm / 2]]]], TRIALS, expected.error_rate)
    failures = counted.error_rate * TRIALS
    assert np.all((failures >= low) & (failures <= high))


def test_a_table_over_temperature_ends_the_laws():
    table = {"temperature": [250.0, 300.0, 330.0], "value": [1.30e6, 1.257e6, 1.23e6]}
    study = heated(1e-10, 4e-9, magnetization_over_temperature=table)
    found = averaged(study, "ap_to_p", axial.average_over_noise)
    assert "above 330 K, where a table" in found.failure[0, -1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"thermal_resistance_area": 1e-9}, "thermal_time"),
        ({"thermal_time": 1e-9}, "thermal_resistance_area"),
        ({"thermal_resistance_area": -1e-9, "thermal_time": 1e-9}, "thermal_resistance_area"),
        ({"thermal_resistance_area": 1e-9, "thermal_time": 1.0}, "thermal_time"),
    ],
)
def test_keys_belong_together(values, named):
    with pytest.raises(InputError, match=named):
        DEMO.with_(stack=values)


def test_study_with_heating_is_read_as_written(tmp_path):
    study = heated(3e-9)
    (tmp_path / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    assert load_study(tmp_path / "study.toml") == study
    assert "1000 K µm²/W" in study.kind.describe(study.tables).words


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_temperature_on_the_barrier_matters_little(direction, monkeypatch):
    # docs/study.md: less than 5 %, between a temperature of the waiting junction and one of the power at z.
    study = heated(1e-9, 2e-9)
    expected = averaged(study, direction, axial.average_over_noise).error_rate
    for share in (0.0, 1.0):
        monkeypatch.setattr(heating, "path_share", lambda drive, *_, share=share: share + 0.0 * drive)
        found = averaged(study, direction, axial.average_over_noise).error_rate
        np.testing.assert_allclose(found, expected, rtol=0.05)
