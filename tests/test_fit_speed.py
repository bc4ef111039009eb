"""What makes fits fast: the short ways have the results of the long ones, and are taken.

The expected values are those of the long way in the same program: the error rates propagated back to the
start of each segment, central differences of the solver, averages over more devices.
"""

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import FILM, TRUTH, counts

from mtjchar.physics import _time_steps, segments
from mtjchar.physics.fokker_planck import OfDevices
from mtjchar.physics.segments import Segment
from mtjchar.stackfit import comparison, model, pulses_at, simulate_counts, table_of
from mtjchar.stackfit.comparison import compare_terms
from mtjchar.stackfit.minimize import distance_left
from mtjchar.stackfit.model import SwitchingModel
from mtjchar.stackfit.problem import nominal_values
from mtjchar.stackfit.pulses import Pulses
from mtjchar.stackfit.search import (
    bounds_of,
    correction,
    derivatives,
    minimize_solved,
    minimize_table,
)
from mtjchar.stackfit.setup import set_up
from mtjchar.stackfit.spread import mean_log_exponent

HEAT = {"thermal_resistance_area": 1e-9, "thermal_time": 1e-8}
VALUES = {**nominal_values(FILM), **TRUTH, **HEAT}
MODEL = SwitchingModel(FILM)


def heated_problem(seed, **more):
    """18 pulses at two temperatures with heating, 1e4 writes each, and their truth."""
    truth = {**TRUTH, **HEAT, **more}
    on = pulses_at(FILM, [2e-9, 2e-8, 3e-7], (0.1, 0.5, 0.9), values=TRUTH)
    rows = pd.concat([on.assign(temperature_K=kelvin) for kelvin in (300.0, 350.0)], ignore_index=True)
    table = table_of(simulate_counts(FILM, rows, np.random.default_rng(seed), values=truth))
    problem = set_up([table], FILM, list(truth), (), truth).problem
    return problem, np.array([truth[name] for name in problem.free])


def pulse_of(drive, delta):
    """Three segments, each with a smaller barrier than the one before it."""
    count = len(drive)
    over_z = OfDevices(lambda z, own: own * (1.0 - 0.1 * z), (drive,))
    ends = (3e-9, 3e-8, np.inf)
    shares = (1.0, 0.95, 0.9)
    return [
        Segment(over_z, share * delta, np.full(count, 1e-9), np.full(count, end))
        for share, end in zip(shares, ends, strict=True)
    ]


@pytest.mark.parametrize("time", [5e-10, 5e-9, 4e-8, 1e-6, 1e-3])
def test_carried_density_has_the_error_rate_of_the_march(time):
    # Overdrives from far below to far above 1. Both ways have errors below 3e-4 of the rate.
    drive = np.concatenate([np.linspace(0.2, 1.3, 12), [1.6, 2.0, 3.0, 5.0]])
    delta = np.linspace(45.0, 60.0, len(drive))
    duration = np.full((len(drive), 1), time)
    march = segments.log_error_rate(pulse_of(drive, delta), duration, stability_at_rest=delta)[:, 0]
    found = segments.log_exponent(pulse_of(drive, delta), duration, stability_at_rest=delta)[:, 0]
    shown = (march < -1e-2) & (march > -30.0)
    assert shown.any()
    np.testing.assert_allclose(found[shown], np.log(-march[shown]), atol=3e-3)


def test_a_density_that_waits_needs_few_steps(monkeypatch):
    # 40 t_D take 67 steps of the march: here they grow, and the mode takes over.
    taken = []
    step = _time_steps._step
    monkeypatch.setattr(_time_steps, "_step", lambda *both: taken.append(1) or step(*both))
    drive, delta = np.full(4, 0.6), np.full(4, 60.0)
    segments.log_exponent(pulse_of(drive, delta), np.full((4, 1), 1e-3), stability_at_rest=delta)
    assert len(taken) < 60


def test_devices_do_not_depend_on_others():
    # A derivative is a difference between neighbours: their rates must not have the noise of a group.
    drive = 0.6 + 0.002 * np.arange(7)
    delta, time = np.full(7, 50.0), np.full((7, 1), 1e-7)
    found = segments.log_exponent(pulse_of(drive, delta), time, stability_at_rest=delta)[:, 0]
    # Fourth differences of a function that is smooth over 0.1 are below 1e-6 at this distance.
    assert np.abs(np.diff(found, 4)).max() < 1e-5
    # One duration more changes nothing for the others.
    several = np.concatenate([time, time], axis=1)
    several[0, 1] = 2e-7
    again = segments.log_exponent(pulse_of(drive, delta), several, stability_at_rest=delta)
    np.testing.assert_allclose(again[:, 0], found, rtol=1e-9)
    np.testing.assert_allclose(again[1:, 1], found[1:], rtol=1e-9)


def test_one_sided_derivatives_are_those_of_central_differences():
    # Also along the combinations of parameters that the data determine least.
    problem, truth = heated_problem(1, dead_time=5e-11, series_resistance=300.0)
    central = derivatives(problem.solved_residuals, problem, truth)
    own = derivatives(problem.residuals, problem, truth) + correction(problem, truth).slope
    unit = np.linalg.norm(central, axis=0)
    errors = [np.sqrt(np.diag(np.linalg.inv((each / unit).T @ (each / unit)))) for each in (central, own)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=0.02)


def test_the_minimum_is_that_of_the_solver():
    # A step with the solver's own derivatives would move it by less than 0.03 standard errors.
    problem, truth = heated_problem(2)
    found = minimize_solved(problem, minimize_table(problem, truth).vector)
    slope = derivatives(problem.solved_residuals, problem, found.vector)
    residual = problem.solved_residuals(found.vector)
    assert found.square == pytest.approx(float(residual @ residual), rel=1e-9)
    assert distance_left(residual, slope, found.vector, bounds_of(problem)) < 1e-3


def test_known_slopes_are_not_computed_again():
    problem, truth = heated_problem(1)
    whole = correction(problem, truth)
    part = whole.slope.copy()
    part[:, 1] = np.nan
    again = correction(problem, truth, whole._replace(slope=part))
    np.testing.assert_allclose(again.slope[:, 1], whole.slope[:, 1], atol=1e-6 * np.abs(whole.slope).max())
    np.testing.assert_array_equal(again.slope[:, 0], whole.slope[:, 0])


def test_the_table_takes_few_devices_of_two_spreads():
    # For a small spread their mean is that of many: within 2 % of -ln WER where few writes are extreme.
    on = pulses_at(FILM, [2e-9, 3e-8], (0.3, 0.5, 0.7), values=TRUTH)
    pulses = Pulses.of(on, 300.0)
    values = {**nominal_values(FILM), **TRUTH}
    both = {**values, "critical_current_spread": 0.02, "stability_spread": 0.02}
    table = MODEL.table_log_exponent(both, pulses)
    shift = MODEL.solved_log_exponent(values, pulses) - MODEL.table_log_exponent(values, pulses)
    np.testing.assert_allclose(MODEL.solved_log_exponent(both, pulses) - shift, table, atol=0.02)


def test_few_devices_in_the_table_lead_to_the_minimum_of_all(monkeypatch):
    # Within 0.03 standard errors.
    truth = {**TRUTH, "critical_current_spread": 0.04, "stability_spread": 0.05}
    on = pulses_at(FILM, np.geomspace(1e-9, 1e-6, 5), (0.05, 0.3, 0.7, 0.95), values=TRUTH)
    table = table_of(simulate_counts(FILM, on, np.random.default_rng(3), values=truth))
    problem = set_up([table], FILM, list(truth), (), truth).problem
    start = np.array([truth[name] for name in problem.free])
    few = minimize_solved(problem, minimize_table(problem, start).vector)
    monkeypatch.setattr(model, "mean_log_exponent", lambda values, each, **_: mean_log_exponent(values, each))
    every = minimize_solved(problem, few.vector)
    assert np.linalg.norm(every.jacobian @ (few.vector - every.vector)) < 0.03
    assert few.square == pytest.approx(every.square, abs=1e-3)


def test_terms_without_hope_are_not_solved(monkeypatch):
    # A useless term lowers the deviance by a quarter of what it needs, here 1.5, in 1 of 4 data sets.
    solved = []

    def noted(model, _best):
        solved.append(model.terms)
        return model

    monkeypatch.setattr(comparison, "_by_solver", noted)
    names = ["dead_time", "missed_writes", "offset_field"]
    compared = compare_terms([table_of(counts(4))], FILM, vary=list(TRUTH), terms=names, intervals=False)
    assert compared.terms == ()
    assert len(solved) < len(names)
    assert compared.table["solved"].sum() == 1  # the model without further terms
