"""Closed forms against the Fokker-Planck equation inside the range they claim, and against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from mtjchar.errors import InputError
from mtjchar.physics import closed_form, fokker_planck
from mtjchar.physics.closed_form import ValidityWarning

RATES = np.array([0.5, 1e-1, 1e-3, 1e-6, 1e-9, 1e-12])


def durations_at(overdrive, stability, rates):
    """Durations at which the Fokker-Planck equation gives these error rates."""
    tau = np.linspace(0.02, 16.0 / (overdrive - 1.0) + 1.0, 800)
    log_rate = np.log(np.maximum(fokker_planck.write_error_rate(overdrive, stability, tau), 1e-300))
    assert log_rate[-1] < np.log(rates[-1])
    return np.interp(-np.log(rates), -log_rate, tau)


@pytest.mark.parametrize(
    ("overdrive", "low", "high"), [(3.0, 1.04, 1.08), (4.0, 0.86, 0.96), (5.0, 0.78, 0.90), (8.0, 0.70, 0.82)]
)
@pytest.mark.parametrize("stability", [40.0, 60.0])
def test_butler_within_its_range(overdrive, low, high, stability):
    # Truth: Fokker-Planck. The limits are the table of the docstring (0.5 to 1e-12) plus or minus 0.01.
    tau = durations_at(overdrive, stability, RATES)
    ratio = closed_form.butler_error_rate(overdrive, stability, tau) / RATES
    assert np.all((ratio > low) & (ratio < high))


def test_butler_is_high_at_small_overdrive_and_says_so():
    # Design, section 5: high by 2 to 6 times at i = 1.5; measured 2.5 to 5.6 at rates of 0.1 to 1e-6.
    rates = np.array([1e-1, 1e-3, 1e-6])
    tau = durations_at(1.5, 40.0, rates)
    with pytest.warns(ValidityWarning, match="overdrives from 3; got 1.5"):
        ratio = closed_form.butler_error_rate(1.5, 40.0, tau) / rates
    assert np.all((ratio > 2.0) & (ratio < 6.0))


@pytest.mark.parametrize(
    ("overdrive", "error"), [(2.0, 0.40), (2.5, 0.08), (3.0, 0.06), (5.0, 0.06), (20.0, 0.06)]
)
@pytest.mark.parametrize("stability", [40.0, 100.0])
def test_matched_form_within_its_range(overdrive, error, stability):
    # Truth: Fokker-Planck; the errors are those that the docstring claims.
    tau = durations_at(overdrive, stability, RATES)
    ratio = closed_form.matched_error_rate(overdrive, stability, tau) / RATES
    np.testing.assert_allclose(ratio, 1.0, rtol=0, atol=error)


def test_butler_goes_to_a_known_fraction_of_the_matched_form():
    # Analytic: K(i) -> 4 for large i, so that the ratio goes to pi^2/16.
    ratio = closed_form.butler_error_rate(1e6, 40.0, 1e-5) / closed_form.matched_error_rate(1e6, 40.0, 1e-5)
    assert ratio == pytest.approx(np.pi**2 / 16, rel=1e-4)


@pytest.mark.filterwarnings("ignore::mtjchar.physics.closed_form.ValidityWarning")
@settings(deadline=None)
@given(st.floats(1.05, 20), st.floats(5, 200), st.floats(0, 50), st.floats(1e-3, 10))
def test_error_rates_are_probabilities_and_fall_with_time(overdrive, stability, tau, longer):
    for form in (closed_form.butler_error_rate, closed_form.matched_error_rate):
        early, late = form(overdrive, stability, np.array([tau, tau + longer]))
        assert 0.0 <= late <= early <= 1.0


@pytest.mark.parametrize(
    ("overdrive", "stability", "low", "high"),
    # Barriers of 19.6, 15, 10, 9.6, 6.4: from the docstring's "4 % at 20 ... 20 % at 6".
    [
        (0.3, 40, 1.0, 1.05),
        (0.5, 60, 1.0, 1.08),
        (0.5, 40, 1.0, 1.13),
        (0.6, 60, 1.0, 1.14),
        (0.6, 40, 1.0, 1.21),
    ],
)
def test_neel_brown_rate_within_its_range(overdrive, stability, low, high):
    # Truth: late slope of the Fokker-Planck error rate, when the density in the well is stationary.
    tau = np.array([1.0, 2.0]) * 6.0 / (1.0 - overdrive)
    rate = fokker_planck.write_error_rate(overdrive, stability, tau)
    slope = -np.log(rate[1] / rate[0]) / (tau[1] - tau[0])
    assert low < closed_form.neel_brown_rate(overdrive, stability) / slope < high


def test_neel_brown_error_rate_within_its_range():
    # Truth: Fokker-Planck. From the docstring: at the shortest duration the delay is a quarter of the
    # exponent and at a barrier of 6.4 the rate is 20 % too high: together at most 1.6.
    tau = 15.0 / (1.0 - 0.6)
    exact = -np.log(fokker_planck.write_error_rate(0.6, 40.0, tau))
    assert 1.0 < -np.log(closed_form.neel_brown_error_rate(0.6, 40.0, tau)) / exact < 1.6


def test_neel_brown_without_drive_is_brown():
    # Analytic: sqrt(Delta/pi) exp(-Delta), Brown's rate of one well without field.
    assert closed_form.neel_brown_rate(0.0, 30.0) == pytest.approx(
        np.sqrt(30 / np.pi) * np.exp(-30), rel=1e-12
    )


@settings(deadline=None)
@given(st.floats(1.01, 30), st.floats(1e-3, 1.5))
def test_switching_time_is_the_integral(overdrive, angle):
    # Truth: the integral, by quadrature in u = artanh(z), where the integrand is 1/(i - tanh u).
    top = np.arctanh(np.cos(angle))
    expected, _ = quad(lambda u: 1.0 / (overdrive - np.tanh(u)), 0.0, top, epsabs=0, epsrel=1e-11)
    assert closed_form.switching_time(overdrive, angle) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("overdrive", "expected"), [(3.0, 1.10), (5.0, 1.01), (8.0, 0.97), (20.0, 0.93)])
def test_sun_gives_the_median_time_within_its_range(overdrive, expected):
    # Truth: duration at which the Fokker-Planck error rate is 1/2; ratios of the docstring.
    tau = durations_at(overdrive, 40.0, np.array([0.5]))[0]
    ratio = closed_form.sun_switching_time(overdrive, np.sqrt(np.log(2.0) / 40.0)) / tau
    assert ratio == pytest.approx(expected, abs=0.01)


def test_all_broadcast():
    shape = np.broadcast_shapes((3, 1), (4,))
    i, tau = np.array([3.0, 4.0, 5.0])[:, None], np.linspace(0, 3, 4)
    assert closed_form.butler_error_rate(i, 40.0, tau).shape == shape
    assert closed_form.matched_error_rate(i, 40.0, tau).shape == shape
    assert closed_form.neel_brown_error_rate(i / 10, 60.0, tau + 30).shape == shape
    assert closed_form.sun_switching_time(i, np.linspace(0.01, 0.2, 4)).shape == shape


@pytest.mark.parametrize(
    ("form", "arguments"),
    [
        ("butler_error_rate", (4.0, 10.0, 1.0)),
        ("matched_error_rate", (1.5, 40.0, 1.0)),
        ("matched_error_rate", (4.0, 10.0, 1.0)),
        ("neel_brown_rate", (0.9, 40.0)),
        ("neel_brown_error_rate", (0.5, 40.0, 1.0)),
        ("sun_switching_time", (2.0, 0.1)),
        ("sun_switching_time", (4.0, 0.5)),
    ],
)
def test_outside_the_range_there_is_a_warning_that_names_the_form(form, arguments):
    with pytest.warns(ValidityWarning, match=form):
        getattr(closed_form, form)(*arguments)


@pytest.mark.parametrize(
    ("form", "arguments", "thing"),
    [
        ("butler_error_rate", (1.0, 40.0, 1.0), "overdrive"),
        ("butler_error_rate", (3.0, 0.0, 1.0), "stability"),
        ("matched_error_rate", (3.0, 40.0, -1.0), "reduced_time"),
        ("matched_error_rate", (np.nan, 40.0, 1.0), "overdrive"),
        ("neel_brown_rate", (1.0, 40.0), "overdrive"),
        ("neel_brown_rate", (0.5, np.inf), "stability"),
        ("neel_brown_error_rate", (0.5, 40.0, np.inf), "reduced_time"),
        ("sun_switching_time", (0.5, 0.1), "overdrive"),
        ("switching_time", (2.0, 0.0), "angle"),
    ],
)
def test_what_has_no_answer_is_refused(form, arguments, thing):
    with pytest.raises(InputError, match=rf"^{thing}: got"):
        getattr(closed_form, form)(*arguments)
