"""The current heats the junction within a pulse: physics, keys, sweep."""

import numpy as np
import pytest

from mtjchar.physics import fokker_planck, heating, long_pulses, segments
from mtjchar.physics.segments import Segment

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
        lambda t: power + 0.0 * t, ambient=[ambient], thermal_resistance=[resistance], thermal_time=tau
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
    )
    slower = 1.0 - slope * resistance * power
    expected = resistance * power / slower * -np.expm1(-found.end[:-1, 0] * slower / tau)
    # The power is that of the mean temperature of each segment.
    np.testing.assert_allclose(found.final[:-1, 0] - 300.0, expected, rtol=2e-3)
    assert found.mean[-1, 0] - 300.0 == pytest.approx(resistance * power / slower, rel=1e-6)


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
