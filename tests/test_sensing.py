"""Closed forms of reading."""

import numpy as np
import pytest
from scipy import constants
from scipy.integrate import quad

from mtjchar.physics import sensing


def test_error_rates_have_full_relative_accuracy():
    # Q(x) from tables: NIST Handbook of Mathematical Functions, 7.2 and 7.12, to the digits of a double.
    known = {0.0: 0.5, 5.0: 2.866515718791939e-7, 10.0: 7.619853024160527e-24, 20.0: 2.7536241186062337e-89}
    for distance, expected in known.items():
        assert float(sensing.error_rate(distance * 3e-3, 3e-3)) == pytest.approx(expected, rel=1e-12)
    # Asymptotic series, NIST Handbook 7.12.1, at 36.5 standard deviations.
    x = 36.5
    series = 1.0 - 1.0 / x**2 + 3.0 / x**4 - 15.0 / x**6
    expected = np.exp(-0.5 * x * x) / (x * np.sqrt(2.0 * np.pi)) * series
    assert float(sensing.error_rate(x, 1.0)) == pytest.approx(expected, rel=1e-9)
    assert float(sensing.log_error_rate(100.0, 1.0)) == pytest.approx(-5005.5242086942, rel=1e-9)


def test_without_deviation_a_comparison_is_right_or_wrong():
    np.testing.assert_array_equal(sensing.error_rate([1.0, 0.0, -1.0], 0.0), [0.0, 0.5, 1.0])
    assert np.isnan(sensing.error_rate(np.nan, 0.0))


def test_spread_of_the_level_adds_to_the_offset():
    # A normal level with a normal offset is an integral; both deviations add in squares.
    level, offset, margin = 4e-3, 3e-3, 0.02

    def integrand(x):
        return (
            float(sensing.error_rate(margin + level * x, offset)) * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
        )

    integral = quad(integrand, -12.0, 12.0, epsabs=0.0, epsrel=1e-10, limit=200)[0]
    assert integral == pytest.approx(float(sensing.error_rate(margin, np.hypot(level, offset))), rel=1e-8)


def test_lines_follow_the_time_constant():
    times = np.array([0.0, 1e-9, 1e-6])
    np.testing.assert_allclose(
        sensing.discharged_level(0.2, times, 5e3, 100e-15), [0.2, 0.2 * np.exp(-2.0), 0.0], atol=1e-15
    )
    charged = sensing.charged_level(0.2, times, 5e3, 100e-15, precharge=0.05)
    np.testing.assert_allclose(charged, [0.05, 0.2 - 0.15 * np.exp(-2.0), 0.2], atol=1e-15)
    assert float(sensing.divided(0.3, 2e3, 1e3)) == pytest.approx(0.2)


def test_thermal_noise_has_its_known_values():
    # kT/C noise of 1 pF at 300 K is 64 uV; a resistor of 1 kohm has 4.07 pA/sqrt(Hz) at 300 K.
    assert float(sensing.voltage_noise(1e-12, 300.0)) == pytest.approx(64.4e-6, rel=1e-3)
    density = 4.07e-12
    assert float(sensing.current_noise(1e3, 1e-9, 300.0)) == pytest.approx(density * np.sqrt(0.5e9), rel=1e-3)
    assert float(sensing.voltage_noise(20e-15, 300.0)) ** 2 * 20e-15 == pytest.approx(constants.k * 300.0)
