"""Pulses of any duration: the eigenvalue, the continuation and the table, against the direct solver."""

import numpy as np
import pytest

from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, long_pulses, rate_table
from mtjchar.physics.passage import mean_passage_time


def draws(count, overdrive, stability):
    rng = np.random.default_rng(count)
    i = rng.uniform(*overdrive, count)
    return i[:, None], np.exp(rng.uniform(*np.log(stability), count))[:, None]


def test_eigenvalue_is_the_slope_of_the_solver():
    i, delta = draws(24, (0.5, 4.0), (15.0, 120.0))
    tau = np.array([80.0, 95.0]) / np.maximum(i, 1.0)
    logarithm = np.log(fokker_planck.write_error_rate(i, delta, tau))
    slope = -np.diff(logarithm)[:, 0] / np.diff(tau)[:, 0]
    rate = long_pulses.decay_rate(i[:, 0], delta[:, 0])
    fast = rate > 1e-6
    assert fast.sum() > 12
    assert rate[fast] == pytest.approx(slope[fast], rel=1e-4)


def test_eigenvectors_give_the_error_rate_of_a_long_pulse():
    # The other way, a march through the whole pulse, with load lines and fields.
    rng = np.random.default_rng(9)
    count = 60
    i, delta = rng.uniform(0.5, 3.0, count), np.exp(rng.uniform(np.log(20.0), np.log(120.0), count))
    bend, field = rng.uniform(-0.4, 0.6, count), rng.uniform(-0.2, 0.2, count)

    def drive(z):
        return i * (1.0 + 0.5 * bend * (1.0 - z))

    fastest = np.maximum(np.abs(drive(np.linspace(-1.0, 1.0, 33)[:, None]) - field).max(axis=0), 1.0)
    tau = 45.0 / fastest
    marched = fokker_planck.write_statistics(drive, delta, tau[:, None], field=field).error_rate[:, 0]
    decay = fokker_planck.slowest_decay(drive, delta, field)
    shown = (marched > 1e-200) & (marched < 0.9999)
    assert shown.sum() > 30
    found = np.log(decay.amplitude) - decay.rate * tau
    assert found[shown] == pytest.approx(np.log(marched[shown]), rel=1e-4)


def test_eigenvalue_meets_the_mean_time_of_escape():
    # Two ways, one integrated in closed form; around 1e-6 the one hands over to the other.
    i = np.linspace(0.2, 0.7, 60)
    for delta in (40.0, 60.0, 100.0):
        escape = 1.0 / mean_passage_time(i, delta, to=-0.9)
        both = (escape > 3e-7) & (escape < 3e-6)
        assert both.any()
        decay = fokker_planck.slowest_decay(
            lambda z, own=i[both]: 0.0 * z + own, np.full(both.sum(), delta), np.zeros(both.sum())
        )
        assert decay.rate == pytest.approx(escape[both], rel=5e-3)


def test_limits_of_the_eigenvalue():
    # Analytic: for large i the pole repels with 2 (i - 1); at a high barrier Brown's rate, here 4 % high at
    # a barrier of 20 as docs of closed_form.neel_brown_rate say.
    assert long_pulses.decay_rate(5.0, 250.0) == pytest.approx(8.0, rel=2e-3)
    i, delta = 0.5, 80.0
    brown = np.sqrt(delta / np.pi) * (1 - i**2) * (1 - i) * np.exp(-delta * (1 - i) ** 2)
    assert long_pulses.decay_rate(i, delta) == pytest.approx(brown / 1.04, rel=0.01)


def test_continuation_agrees_with_the_solver_at_its_longest_times():
    i, delta = draws(30, (0.45, 2.0), (12.0, 60.0))
    tau = np.array([50.0, 120.0, 400.0, 1500.0]) / np.maximum(i, 1.0)
    exact = -np.log(fokker_planck.write_error_rate(i, delta, tau).clip(1e-300))
    continued = -np.log(long_pulses.write_error_rate(i, delta, tau).clip(1e-300))
    shown = (exact > 1e-4) & (exact < 600.0)
    assert shown.sum() > 40
    assert continued[shown] == pytest.approx(exact[shown], rel=1e-3)


def test_integral_goes_on_as_the_march_does():
    # Independent: the march itself, to its longest time. Power differs between the wells, and in them.
    rng = np.random.default_rng(9)
    i, delta, h = rng.uniform(0.3, 2.0, 60), rng.uniform(15.0, 60.0, 60), rng.uniform(-0.1, 0.1, 60)
    tau = np.array([20.0, 90.0, 150.0, 500.0, 1100.0]) * np.ones((60, 1))
    line, power = (lambda z: i * (1.0 + 0.1 * z)), (lambda z: 1.0 + i + 0.4 * z + 0.3 * z**2)
    edge = [fokker_planck.Stage(lambda z: 0.5 * i + 0.0 * z, np.full(60, 0.3))]
    exact = fokker_planck.write_statistics(line, delta, tau, power, field=h, rise=edge, fall=edge)
    found = long_pulses.write_statistics(line, delta, tau, power, field=h, rise=edge, fall=edge)
    slow = (exact.error_rate > 0.01) & (exact.error_rate < 0.99) & (tau > 100.0)
    assert slow.sum() > 15
    assert found.integral == pytest.approx(exact.integral, rel=3e-4)
    assert found.final == pytest.approx(exact.final, rel=1e-3)
    assert found.error_rate == pytest.approx(exact.error_rate, rel=1e-2, abs=1e-6)


def test_mean_power_of_a_bit_that_is_lost_slowly():
    # Analytic, for a time tau = 1/lambda: 1 - 1/e of it before the switch, 1/e after; quadratic wells.
    i, delta = np.array([0.3, 0.2]), np.array([60.0, 90.0])
    tau = 1.0 / long_pulses.decay_rate(i, delta)
    found = long_pulses.write_statistics(lambda z: 0.0 * z + i, delta, tau[:, None], lambda z: 2.0 + z)
    before, after = 3.0 - 0.5 / (delta * (1.0 - i)), 1.0 + 0.5 / (delta * (1.0 + i))
    expected = before * (1.0 - np.exp(-1.0)) + after * np.exp(-1.0)
    assert tau.min() > 1e10
    assert found.integral[:, 0] / tau == pytest.approx(expected, rel=1e-3)
    assert found.error_rate[:, 0] == pytest.approx(np.exp(-1.0), rel=1e-4)


def test_seconds():
    # Expected: exp(-rate t) with t long against everything else; 1 s at t_D = 1 ns.
    i, delta = 0.4, 60.0
    rate = long_pulses.decay_rate(i, delta)
    tau = 1.0 / rate
    assert 1e6 < tau < 1e12
    assert long_pulses.write_error_rate(i, delta, tau) == pytest.approx(np.exp(-1.0), rel=1e-6)
    assert rate_table.log_error_rate(i, delta, tau) == pytest.approx(-1.0, rel=3e-3)


@pytest.mark.parametrize(
    ("overdrive", "stability", "absolute"),
    [
        ((0.05, 0.9), (20, 120), 1e-3),
        ((0.9, 4.0), (20, 120), 1e-3),
        ((4.0, 15.0), (20, 120), 1e-3),
        ((0.05, 15.0), (10.5, 20), 1e-3),
        ((0.05, 15.0), (120, 240), 5e-3),
    ],
)
def test_table_meets_the_solver(overdrive, stability, absolute):
    i, delta = draws(60, overdrive, stability)
    rng = np.random.default_rng(7)
    tau = np.exp(rng.uniform(np.log(0.3), np.log(300.0), (60, 14))) / rate_table._scale(i)
    exact = long_pulses.write_error_rate(i, delta, tau)
    table = rate_table.log_error_rate(i, delta, tau)
    assert np.abs(np.exp(table) - exact).max() < absolute
    shown = (exact < 0.9) & (exact > 1e-16) & (i < 4.0) & (delta < 120.0)
    if shown.any():
        assert table[shown] == pytest.approx(np.log(exact[shown]), rel=0.01)


@pytest.mark.parametrize(
    ("overdrive", "error"), [((-0.2, 0.0), 0.2), ((0.0, 0.6), 0.08), ((0.6, 1.0), 0.08), ((1.0, 1.5), 0.2)]
)
def test_table_of_rare_switching_meets_the_solver(overdrive, error):
    i, delta = draws(60, overdrive, (20.0, 120.0))
    tau = np.exp(np.random.default_rng(11).uniform(np.log(2.0), np.log(1e4), (60, 12))) / rate_table._scale(i)
    exact = long_pulses.log_exponent(lambda z: 0.0 * z + i[:, 0], delta[:, 0], tau)
    table = np.log(-rate_table.log_error_rate(i, delta, tau))
    shown = (exact > np.log(1e-18)) & (exact < np.log(0.05))
    assert shown.sum() > 15
    assert table[shown] == pytest.approx(exact[shown], abs=error, rel=0.0)


@pytest.mark.parametrize("stability", [25.0, 58.0, 110.0])
def test_table_rises_with_overdrive_and_duration(stability):
    i, tau = np.linspace(0.0, 4.0, 401)[:, None], np.geomspace(0.1, 1e6, 500)
    exponent = np.log(-rate_table.log_error_rate(i, stability, tau))
    shown = (exponent > np.log(1e-18)) & (exponent < np.log(500.0))
    assert np.all(np.diff(exponent, axis=0)[shown[:-1]] > 0.0)
    assert np.all(np.diff(exponent, axis=1)[shown[:, :-1]] > 0.0)


def test_table_of_decay_rates_meets_the_solver():
    i, delta = draws(80, (-0.5, 2.0), (20.0, 120.0))
    exact = np.log(long_pulses.decay_rate(i, delta))
    assert rate_table.log_decay_rate(i, delta) == pytest.approx(exact, abs=0.02, rel=0.0)


def test_load_lines_that_hardly_ever_switch():
    # A stray field that holds the state makes the overdrive negative.
    i, delta = draws(50, (-0.1, 0.6), (25.0, 80.0))
    change = np.random.default_rng(6).uniform(-0.4, 0.6, (50, 1))
    tau = np.exp(np.random.default_rng(8).uniform(np.log(4.0), np.log(1e4), (50, 8)))
    exact = long_pulses.log_exponent(
        lambda z: i[:, 0] * (1.0 + 0.5 * change[:, 0] * (1.0 - z)), delta[:, 0], tau
    )
    mapped = np.log(-rate_table.log_error_rate_on_load_line(i, change, delta, tau))
    shown = (exact > np.log(1e-18)) & (exact < np.log(0.05))
    assert shown.sum() > 100
    deviation = np.abs(mapped - exact)
    assert deviation[shown].max() < 0.5
    assert deviation[shown & (i > 0.05)].max() < 0.2


def test_load_lines_of_a_junction_under_voltage():
    # A resistance that changes by the factor 1 + TMR, up to 1.2, and the torque's own asymmetry.
    i, delta = draws(40, (0.6, 3.0), (25.0, 90.0))
    change = np.random.default_rng(3).uniform(-0.55, 1.2, (40, 1))
    tau = np.random.default_rng(4).uniform(0.0, 25.0, (40, 12))
    exact = fokker_planck.write_statistics(
        lambda z: i[:, 0] * (1.0 + 0.5 * change[:, 0] * (1.0 - z)), delta[:, 0], tau
    ).error_rate
    mapped = rate_table.log_error_rate_on_load_line(i, change, delta, tau)
    assert np.abs(np.exp(mapped) - exact).max() < 0.01


@pytest.mark.parametrize(("least", "most", "error"), [(-0.5, 0.4, 0.03), (0.4, 0.6, 0.03), (0.6, 1.0, 0.015)])
def test_load_lines_whose_current_falls_in_the_switch(least, most, error):
    # c = 1 + a i/2 from below 0 to 1: strong pulses from P to AP under voltage.
    rng = np.random.default_rng(5)
    a, c = rng.uniform(-0.6, -0.1, 600), rng.uniform(least, most, 600)
    i = 2.0 * (c - 1.0) / a
    chosen = np.flatnonzero((i > 0.8) & (i < 12.0))[:60]
    i, a, delta = i[chosen], a[chosen], rng.uniform(25.0, 90.0, len(chosen))
    tau = rng.uniform(0.05, 1.0, (len(i), 12)) * 14.0 / (2.0 * np.maximum(i[:, None] - 1.0, 0.0) + 0.5)
    exact = fokker_planck.write_statistics(lambda z: i * (1.0 + 0.5 * a * (1.0 - z)), delta, tau).error_rate
    table = rate_table.log_error_rate_on_load_line(i[:, None], a[:, None], delta[:, None], tau)
    assert np.abs(np.exp(table) - exact).max() < error


@pytest.mark.parametrize(
    ("arguments", "thing"),
    [((60.0, 40.0, 1.0), "overdrive"), ((-2.0, 40.0, 1.0), "overdrive"), ((1.0, 2.0, 1.0), "stability"),
     ((1.0, 40.0, -1.0), "reduced_time"), ((1.0, 40.0, np.inf), "reduced_time")],
)  # fmt: skip
def test_out_of_range(arguments, thing):
    with pytest.raises(InputError, match=f"^{thing}: got"):
        long_pulses.write_error_rate(*arguments)
