"""The end of a fit: the maximum of the likelihood by the solver itself, from any start, and its intervals."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from stackfit_cases import FILM, TRUTH, counts, fit_stack_quietly

from mtjchar.errors import ConvergenceError
from mtjchar.stackfit import Film, pulses_at, simulate_counts, table_of, write_stack
from mtjchar.stackfit.film import Device
from mtjchar.stackfit.linear_exponent import linear_exponent
from mtjchar.stackfit.minimize import minimize
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.search import bounds_of, scales
from mtjchar.study import load_stack

SATO = Film(load_stack("data/stacks/sato2013.toml"), 20e-9)
SHORT = np.array([0.4, 0.6, 1.0, 1.5, 2.0, 4.0]) * 1e-9
REALISTIC = np.geomspace(2e-9, 1e-6, 5)
SHARES = (0.02, 0.15, 0.45, 0.75, 0.96)
DEVICE = ("stability", "critical_current", "relaxation_time")
ONE, BOTH = ("ap_to_p",), ("p_to_ap", "ap_to_p")

DESIGNS = {
    "short, one direction": (SHORT, ONE, {}, False),
    "short, one direction, offset": (SHORT, ONE, {"offset_field": -0.05}, False),
    "short, one direction, offset, amperes": (SHORT, ONE, {"offset_field": -0.05}, True),
    "short, both directions, offset": (SHORT, BOTH, {"offset_field": -0.05}, False),
    "short, both directions, asymmetric": (SHORT, BOTH, {"slonczewski_lambda": 1.3}, True),
    "realistic, one direction": (REALISTIC, ONE, {}, True),
    "realistic, both directions, offset": (REALISTIC, BOTH, {"offset_field": 0.03}, True),
    "realistic, both directions, offset, asymmetric": (
        REALISTIC, BOTH, {"offset_field": 0.03, "slonczewski_lambda": 1.2}, False,
    ),
}  # fmt: skip
SEEDS = (1, 2, 3)


def simulated(durations, directions, extra, current, rng, film=SATO):
    truth = {**nominal_values(film), **extra}
    pulses = pulses_at(film, durations, SHARES, directions=directions, current=current, values=truth)
    return simulate_counts(film, pulses, rng, values=truth), truth


def solved_deviance(fit, values):
    vector = np.array([values[name] for name in fit.problem.free])
    return float(np.sum(fit.problem.solved_residuals(vector) ** 2))


@pytest.mark.parametrize(("name", "seed"), list(itertools.product(DESIGNS, SEEDS)))
def test_every_design_reaches_the_maximum_from_a_random_start(name, seed):
    durations, directions, extra, current = DESIGNS[name]
    rng = np.random.default_rng(seed)
    rows, truth = simulated(durations, directions, extra, current, rng)
    start = {one: truth[one] * np.exp(rng.uniform(-0.7, 0.7)) for one in DEVICE}
    fit = fit_stack_quietly([table_of(rows)], SATO, vary=[*DEVICE, *extra], start=start, intervals=False)
    assert fit.converged
    rise = solved_deviance(fit, truth) - fit.deviance
    # The truth is never better than the maximum of the likelihood, and worse like chi-square of as many
    # degrees of freedom as there are parameters: beyond this by chance in 1e-6 of 24 fits.
    assert -0.01 < rise < stats.chi2.isf(1e-6 / 24, len(fit.vector))
    # And the deviance itself, of rows less parameters degrees of freedom: likewise.
    assert stats.chi2.sf(fit.deviance, fit.problem.rows - len(fit.vector)) > 1e-6 / 24


def test_the_deviance_that_is_reported_is_the_solver_s():
    rows, _ = simulated(SHORT, ONE, {"offset_field": -0.05}, False, np.random.default_rng(4))
    fit = fit_stack_quietly([table_of(rows)], SATO, vary=[*DEVICE, "offset_field"], intervals=False)
    assert fit.deviance == pytest.approx(solved_deviance(fit, fit.values), rel=1e-4)
    assert np.sum(fit.points()["residual"] ** 2) == pytest.approx(fit.deviance, rel=1e-4)
    # Stationary: no step of a tenth of a standard error along any axis of the covariance goes lower.
    _, axes = np.linalg.eigh(fit.correlation().to_numpy())
    error = np.sqrt(np.diag(fit.covariance))
    for step in 0.1 * axes.T:
        reach = step / np.sqrt(step @ np.linalg.inv(fit.correlation().to_numpy()) @ step) * 0.1
        for sign in (-1.0, 1.0):
            moved = fit.vector + sign * reach * error
            assert np.sum(fit.problem.solved_residuals(moved) ** 2) > fit.deviance - 1e-3


def two_devices():
    """Counts of two devices as if they were one: no model of one device describes them."""
    rng = np.random.default_rng(6)
    first, truth = simulated(REALISTIC, BOTH, {}, True, rng)
    other = {**truth, "critical_current": 1.25 * truth["critical_current"], "stability": 45.0}
    second = simulate_counts(SATO, first.drop(columns=["trials", "switched"]), rng, values=other)
    return first.assign(trials=20_000, switched=first["switched"] + second["switched"])


def test_more_parameters_never_fit_worse():
    tables = [table_of(two_devices())]
    models = {
        frozenset(extra): fit_stack_quietly(tables, SATO, vary=[*DEVICE, *extra], intervals=False).deviance
        for extra in ((), ("offset_field",), ("slonczewski_lambda",), ("offset_field", "slonczewski_lambda"))
    }
    models[frozenset({"critical_current"})] = fit_stack_quietly(
        tables, SATO, vary=DEVICE, per_direction=["critical_current"], intervals=False
    ).deviance
    models[frozenset({"critical_current", "stability"})] = fit_stack_quietly(
        tables, SATO, vary=DEVICE, per_direction=["critical_current", "stability"], intervals=False
    ).deviance
    assert models[frozenset()] > 500.0  # far from any fit, where minima lie apart
    for small, large in itertools.permutations(models, 2):
        if small < large:
            assert models[large] <= models[small] + 0.01


@pytest.mark.parametrize("name", ["short, one direction, offset", "realistic, both directions, offset"])
def test_ends_of_intervals_have_the_deviance_that_was_asked_for(name):
    durations, directions, extra, current = DESIGNS[name]
    rows, _ = simulated(durations, directions, extra, current, np.random.default_rng(2))
    fit = fit_stack_quietly([table_of(rows)], SATO, vary=[*DEVICE, *extra])
    problem = fit.problem
    for k, (lower, upper) in enumerate(fit.profiles):
        assert lower < fit.vector[k] < upper
        for end in (lower, upper):
            if not np.isfinite(end):
                continue
            # From where the covariance says that the others are least; then by the solver.
            shift = fit.covariance[:, k] / fit.covariance[k, k] * (end - fit.vector[k])
            held = minimize(
                problem.solved_residuals,
                fit.vector + shift,
                scales(problem, fit.vector),
                bounds_of(problem),
                k,
            )
            # 3.84 within 5 % of its root.
            assert np.sqrt(held.square - fit.deviance) == pytest.approx(1.96, abs=0.1)


def test_an_interval_does_not_collapse_where_a_parameter_is_weakly_determined():
    # Four thresholds of short pulses, read to 2 %: the lower end lies far off.
    pulses = pulses_at(
        FILM, [2e-9, 5e-9, 2e-8, 1e-7], 0.5, directions=["p_to_ap"], current=True, values=TRUTH
    )
    rows = pulses.assign(current_error_A=0.02 * pulses["current_A"])
    fit = fit_stack_quietly([table_of(rows)], FILM, vary=DEVICE)
    interval = fit.profiles[0]
    error = fit.table().loc["stability", "standard_error"]
    assert fit.vector[0] - interval.lower > 0.5 * error
    assert interval.upper - fit.vector[0] > 0.5 * error
    assert fit.deviance < 1e-3  # the thresholds are the model's own


def test_rare_switching_pulls_nothing():
    # Two disturb tests in which nothing switched, at 0.2 and 0.3 of the critical current, where 1e-9 or less
    # is expected, tell nothing about the stability.
    rows = counts(41)
    values = {**nominal_values(FILM), **TRUTH}
    per_volt = 1.0 / (values["resistance_area_product"] / (0.25 * np.pi * FILM.diameter**2))
    volts = np.array([0.1, 0.2]) * TRUTH["critical_current"] / per_volt
    quiet = pd.DataFrame({"direction": "p_to_ap", "amplitude_V": volts, "duration_s": 2e-8, "switched": 0})
    plain = fit_stack_quietly([table_of(rows)], FILM, intervals=False)
    for trials in (10**9, 10**12):
        joint = fit_stack_quietly(
            [table_of(rows), table_of(quiet.assign(trials=trials))], FILM, intervals=False
        )
        shift = np.abs(joint.vector - plain.vector) / np.sqrt(np.diag(plain.covariance))
        assert shift.max() < 0.05


def test_what_has_not_converged_is_not_written(tmp_path):
    fit = fit_stack_quietly([table_of(counts(42))], FILM, starts=0, intervals=False)
    unconverged = dataclasses.replace(fit, distance=0.5)
    assert "NOT CONVERGED" in unconverged.report()
    out = tmp_path / "fitted.toml"
    with pytest.raises(ConvergenceError, match=r"by 0\.5 .*--accept-unconverged"):
        write_stack(unconverged, out)
    assert not out.exists()
    write_stack(unconverged, out, accept_unconverged=True)
    assert "converged = false" in out.read_text()


def test_linear_exponent_of_a_macrospin():
    # Analytic: where half of the writes switch the exponent Delta (1 - i)^2 is ln(A t/(t_D ln 2)). The rate
    # A changes slowly, so that over one decade the slope of i over ln t is that of the square root.
    found = linear_exponent(Device(*map(np.asarray, (80.0, 50e-6, 1e-9))), (1e-4, 1e-3))
    i = 1.0 - np.sqrt(np.log(np.array([1e-4, 1e-3]) / 1e-9 / np.log(2.0)) / 80.0)
    slope = (i[1] - i[0]) / np.log(10.0)
    stability = 1.0 / -slope * (found.critical_current / 50e-6)
    assert found.stability == pytest.approx(stability, rel=0.1)
    # And both lines meet the medians: at tau_0 the linear one has no barrier left.
    assert 0.5 * 50e-6 < found.critical_current < 50e-6
