"""Mean passage times against the time-dependent equation, quadrature and known limits."""

import numpy as np
import pytest
from scipy.integrate import quad, simpson, trapezoid

from mtjchar.errors import InputError
from mtjchar.physics.fokker_planck import write_error_rate
from mtjchar.physics.passage import escape_rate, mean_passage_time, switching_time_quantile


@pytest.mark.parametrize(
    ("i", "delta", "to"), [(1.5, 20.0, 0.0), (0.5, 25.0, -0.5), (4.0, 40.0, 0.2), (0.0, 12.0, 0.0)]
)
def test_against_nested_quadrature(i, delta, to):
    # Analytic: the double integral of the module's docstring, from one starting point, by scipy's quad.
    def potential(z):
        return 2.0 * delta * (i * z - 0.5 * z * z)

    def inner(y):
        return quad(lambda x: np.exp(potential(y) - potential(x)), y, 1.0, epsrel=1e-10, limit=200)[0]

    def from_(z0):
        return quad(lambda y: 2.0 * delta / (1.0 - y * y) * inner(y), to, z0, epsrel=1e-7, limit=200)[0]

    nodes, weights = np.polynomial.laguerre.laggauss(12)
    # Start: exp(-Delta (1 - z^2)), with x = Delta (1 - z^2) as Laguerre's variable and dz = -dx/(2 Delta z).
    z0 = np.sqrt(1.0 - np.minimum(nodes / delta, 0.999))
    weights = weights / z0
    expected = np.dot(weights, [from_(z) for z in z0]) / weights.sum()
    assert mean_passage_time(i, delta, to) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("i", "delta"), [(1.5, 60.0), (2.0, 40.0), (4.0, 60.0)])
def test_mean_switching_time_is_the_integral_of_the_error_rate(i, delta):
    # Analytic: a mean time is the integral of the survival probability. The error rate counts the side of
    # the barrier after relaxation, which differs from the first passage by noise of order 1/sqrt(2 Delta) at
    # z = 0, without bias to first order; hence 1 %.
    tau = np.linspace(0.0, 25.0, 4001)
    survival = write_error_rate(i, delta, tau)
    assert mean_passage_time(i, delta) == pytest.approx(simpson(survival, x=tau), rel=0.01)


def test_retention_of_high_barriers():
    # Published: W. F. Brown, Phys. Rev. 130, 1677 (1963), high barrier, out of one well: sqrt(Delta/pi)
    # exp(-Delta) per t_D, with corrections of order 1/Delta.
    delta = np.array([40.0, 80.0, 160.0])
    ratio = escape_rate(0.0, delta) * np.sqrt(np.pi / delta) * np.exp(delta)
    assert np.all(np.abs(ratio - 1.0) < 1.5 / delta)
    assert np.all(np.diff(np.abs(ratio - 1.0)) < 0.0)


def test_read_disturb_is_the_long_time_slope_of_the_error_rate():
    # Analytic: after the transient the error rate decays with the escape rate. The mean time has the way
    # over the barrier in it, some 4/(1 - i) = 8, which is 1e-4 of it here; the march's grid is good for
    # 1.1e-3 in the rate at this barrier of 12, and for 3e-4 with two thirds of the spacing (measured).
    i, delta = 0.5, 48.0
    rate = write_error_rate(i, delta, np.array([500.0, 2500.0]))
    slope = -np.diff(np.log(rate))[0] / 2000.0
    assert escape_rate(i, delta) == pytest.approx(slope, rel=2e-3, abs=0.0)


def test_shapes_and_single_values_agree():
    i, delta = np.array([[0.2], [0.5]]), np.array([30.0, 45.0, 60.0])
    table = escape_rate(i, delta)
    assert table.shape == (2, 3)
    assert table[1, 2] == pytest.approx(float(escape_rate(0.5, 60.0)), rel=1e-12, abs=0.0)
    assert np.all(np.diff(table, axis=1) < 0.0)
    assert np.all(table[1] > table[0])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mean_passage_time(60.0, 40.0), "overdrive: got 60.0"),
        (lambda: mean_passage_time(1.0, 2.0), "stability: got 2.0; allowed: 5 to 250"),
        (lambda: mean_passage_time(1.0, np.nan), "stability: got nan"),
        (lambda: mean_passage_time(1.0, 40.0, 0.9), "to: got 0.9"),
        (lambda: escape_rate(0.9, 40.0), r"barrier .* got 0.4; .* at least 3"),
        (lambda: escape_rate([0.1, 1.5], 40.0), "barrier"),
    ],
)
def test_values_out_of_range_are_named(call, named):
    with pytest.raises(InputError, match=named):
        call()


def test_quantiles_invert_the_error_rate():
    # Definition: the error rate at the quantile is what has not switched.
    i, delta = np.array([0.8, 1.2, 3.0])[:, None], np.array([40.0, 60.0, 90.0])[:, None]
    share = np.array([0.01, 0.5, 0.999, 1 - 1e-9])
    quantile = switching_time_quantile(i, delta, share)
    np.testing.assert_allclose(write_error_rate(i, delta, quantile), (1 - share) + 0 * i, rtol=2e-6)


@pytest.mark.parametrize(("overdrive", "stability"), [(0.8, 40.0), (1.5, 60.0), (8.0, 60.0)])
def test_mean_switching_time_is_the_mean_first_passage_of_the_plane(overdrive, stability):
    # Theory: who is at m_z = 0 as the pulse ends goes either way, so that the mean of the distribution,
    # the integral of the error rate, is the mean first passage through 0 to leading order; measured 4e-4.
    tau = np.linspace(0, 800 if overdrive < 1 else 40, 20001)
    mean = trapezoid(write_error_rate(overdrive, stability, tau), tau)
    assert mean == pytest.approx(mean_passage_time(overdrive, stability), rel=1e-3, abs=0)


def test_quantiles_that_are_not_reached_are_infinite():
    # Analytic: the barrier of 19.6 kT at i = 0.3 is crossed once in some 1e7 t_D; at i < 0 never.
    assert np.all(np.isinf(switching_time_quantile([0.3, -1.0], 40.0, 0.5)))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, np.nan])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(InputError, match="probability"):
        switching_time_quantile(2.0, 40.0, [0.5, share])
