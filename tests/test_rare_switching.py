"""Probabilities of switching down to 1e-18, against tests/reference/rare_switching.csv and limits."""

from pathlib import Path

import numpy as np
import pytest

from mtjchar.errors import InputError
from mtjchar.physics import fokker_planck, long_pulses, rare_switching
from mtjchar.physics.passage import mean_passage_time

TABLE = np.genfromtxt(
    Path(__file__).parent / "reference/rare_switching.csv", delimiter=",", names=True, skip_header=3
)


def constant(values):
    return lambda z: 0.0 * z + values


def test_probabilities_of_the_reference():
    # Expected: scripts/verification/rare_reference.py, products of positive matrices. What is below
    # exp(-barrier at rest) depends on where a write counts as done: three rows.
    bent = (TABLE["slonczewski_lambda"] ** 2 - 1.0) / (TABLE["slonczewski_lambda"] ** 2 + 1.0)

    def drive(z):
        line = TABLE["overdrive"] * (1.0 + 0.5 * TABLE["feedback"] * (1.0 - z))
        return line * (1.0 + bent) / (1.0 + bent * z)

    found = long_pulses.log_exponent(
        drive, TABLE["stability"], TABLE["reduced_time"][:, None], field=TABLE["field"]
    )[:, 0]
    deviation = np.abs(found - np.log(-np.log1p(-TABLE["probability"])))
    defined = TABLE["probability"] > np.exp(-TABLE["stability"] * (1.0 + TABLE["field"]) ** 2)
    assert defined.sum() == len(TABLE) - 3
    assert TABLE["probability"].min() < 1e-17
    assert deviation[defined].max() < 0.06
    assert np.median(deviation) < 1e-3
    late = defined & (TABLE["reduced_time"] > 5.0) & (TABLE["overdrive"] > 0.0)
    assert deviation[late].max() < 5e-3


@pytest.mark.parametrize("stability", [25.0, 58.0, 120.0])
def test_rises_with_overdrive_and_duration_over_all_its_ways(stability):
    i, tau = np.linspace(0.0, 2.5, 101), np.geomspace(0.3, 1e6, 120)
    exponent = long_pulses.log_exponent(constant(i), np.full(101, stability), tau * np.ones((101, 1)))
    assert exponent.min() < min(np.log(1e-9), 6.0 - stability)
    assert exponent.max() > np.log(36.0)  # beyond an error rate of 1e-15
    shown = exponent > -60.0
    assert np.all(np.diff(exponent, axis=0)[shown[:-1]] > 0.0)
    assert np.all(np.diff(exponent, axis=1)[shown[:, :-1]] > 0.0)


def test_the_two_ways_agree_where_they_are_mixed():
    # Independent: the march of the error rate, good to some 1e-4 in the probability of the shortest pulses.
    rng = np.random.default_rng(2)
    i, delta = rng.uniform(0.3, 1.5, 60), rng.uniform(25.0, 90.0, 60)
    tau = rng.uniform(2.0, 60.0, (60, 8))
    marched = 1.0 - fokker_planck.write_statistics(constant(i), delta, tau).error_rate
    device, duration = np.nonzero((marched > 0.01) & (marched < 0.3))
    found = rare_switching.switching_probability(
        constant(i), delta, np.zeros(60), device, tau[device, duration]
    )
    assert len(device) > 40
    assert found == pytest.approx(marched[device, duration], rel=1e-2, abs=1.5e-4)


def test_escape_meets_the_closed_form_at_every_barrier():
    # Independent: quadrature of the double integral, `passage`.
    i, delta = np.array([-0.5, 0.0, 0.13, 0.5, 0.8]), np.array([60.0, 100.0, 58.0, 40.0, 60.0])
    found = rare_switching.mean_escape_time(constant(i), delta, np.zeros(5))
    assert found.max() > 1e50
    assert found == pytest.approx(mean_passage_time(i, delta, to=-0.9), rel=1e-2)


def test_a_field_alone_shifts_the_overdrive_of_the_rate():
    # Analytic: the drift is (i - h - z)(1 - z^2).
    h, delta = np.array([0.3, -0.2, 0.1]), np.array([40.0, 60.0, 50.0])
    tau = np.full((3, 2), [1e9, 3e9])
    with_field = np.diff(np.exp(long_pulses.log_exponent(constant(0.0), delta, tau, field=h)))
    shifted = np.diff(np.exp(long_pulses.log_exponent(constant(-h), delta, tau)))
    assert with_field == pytest.approx(shifted, rel=1e-3, abs=0.0)


def test_a_shape_of_the_load_line_that_is_a_constant_changes_nothing():
    # Analytic: i(z) = i + a z is the constant i at stability (1 - a) Delta, time (1 - a) tau, once the start
    # is forgotten: rates per t_D are in that proportion.
    i, a, delta = np.array([0.2, 0.4]), np.array([0.2, -0.3]), np.array([60.0, 50.0])
    rate = 1.0 / rare_switching.mean_escape_time(lambda z: i + a * z, delta, np.zeros(2))
    c = 1.0 - a
    assert rate == pytest.approx(c * long_pulses.decay_rate(i / c, c * delta), rel=2e-3, abs=0.0)


def test_retention_over_years():
    # Brown, Phys. Rev. 130, 1677 (1963): sqrt(Delta/pi) exp(-Delta) per t_D, with corrections of 1/Delta;
    # ten years at t_D = 1 ns.
    tau = 10 * 365.25 * 86400 / 1e-9
    failed = -np.log(long_pulses.write_error_rate(0.0, [40.0, 60.0, 80.0], tau))
    delta = np.array([40.0, 60.0, 80.0])
    assert failed == pytest.approx(np.sqrt(delta / np.pi) * np.exp(-delta) * tau, rel=0.03)
    assert failed == pytest.approx(long_pulses.decay_rate(0.0, delta) * tau, rel=1e-5)


def test_single_devices_agree_with_many():
    i, delta = np.array([0.1, 0.45, 0.9, 1.8, 4.0]), np.array([80.0, 58.0, 30.0, 60.0, 45.0])
    tau = np.array([[2.0, 20.0, 1e5]]) * np.ones((5, 1))
    together = long_pulses.log_exponent(constant(i), delta, tau)
    alone = [long_pulses.log_exponent(constant(i[k]), delta[k : k + 1], tau[k : k + 1])[0] for k in range(5)]
    assert together == pytest.approx(np.array(alone), abs=0.02)


@pytest.mark.parametrize(
    ("overdrive", "stability", "tau", "field", "named"),
    [
        (60.0, 40.0, 1.0, 0.0, "overdrive: got 60.0"),
        (np.nan, 40.0, 1.0, 0.0, "overdrive: got nan"),
        (1.0, 2.0, 1.0, 0.0, "stability: got 2.0"),
        (1.0, 40.0, -1.0, 0.0, "reduced_time: got -1.0"),
        (1.0, 40.0, np.inf, 0.0, "reduced_time: got inf"),
        (1.0, 40.0, 1.0, 1.0, "field: got 1.0"),
    ],
)
def test_values_out_of_range_are_named(overdrive, stability, tau, field, named):
    with pytest.raises(InputError, match=named):
        long_pulses.log_exponent(constant(overdrive), [stability], [[tau]], field=[field])
