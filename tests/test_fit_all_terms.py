"""Fits with many terms: what data do not determine is left out, and nothing stalls."""

import numpy as np
import pandas as pd
import pytest
from stackfit_cases import FAR, FILM, TRUTH, counts, distances, fit_stack_quietly

from mtjchar.stackfit import fit, profile, pulses_at, simulate_counts, table_of
from mtjchar.stackfit.problem import Data


def measured(seed, **truth):
    """Counts of 1e4 writes of an array in both directions, with a truth beyond that of one device."""
    values = {**TRUTH, **truth}
    on = pulses_at(FILM, np.geomspace(1e-9, 1e-6, 5), (0.05, 0.3, 0.7, 0.95), values=TRUTH)
    return simulate_counts(FILM, on, np.random.default_rng(seed), values=values), values


def test_what_others_replace_is_left_out():
    # Analytic: with a torque per current that does not depend on the angle, a second torque s acts like a
    # critical current divided by 1 + s. Both together have no minimum.
    rows, truth = measured(1, series_resistance=200.0)
    found = fit_stack_quietly([table_of(rows)], FILM, terms=["second_barrier"], intervals=False)
    assert found.converged
    assert [parameter.name for parameter in found.left_out] == ["second_torque"]
    assert "second_torque" not in found.problem.free
    assert "second_torque" in found.undetermined
    assert any("second_torque is not determined by these data and was left out" in m for m in found.messages)
    # By chance beyond this in 4 of 6e-10.
    assert max(map(abs, distances(found, truth).values())) < FAR


@pytest.mark.slow
def test_a_fit_with_many_terms_ends_at_the_truth():
    rows, truth = measured(
        2, critical_current_spread=0.03, stability_spread=0.04, dead_time=5e-11, missed_writes=2e-3
    )
    terms = [
        "dead_time", "rise_time", "series_resistance", "missed_writes", "false_switches",
        "critical_current_spread", "stability_spread", "drift", "back_hopping", "second_barrier",
    ]  # fmt: skip
    rows["line"] = np.random.default_rng(3).permutation(len(rows)) + 2
    found = fit_stack_quietly([table_of(rows)], FILM, terms=terms, intervals=False)
    assert found.converged
    assert {"second_torque"} <= {parameter.name for parameter in found.left_out}
    vector = np.array([truth.get(name, 0.0) for name in found.problem.free])
    own = [name in truth for name in found.problem.free]
    error = np.sqrt(np.diag(found.covariance))
    assert np.all(np.abs(found.vector - vector)[own] < FAR * error[own])


def test_a_fit_that_has_not_converged_has_no_profiles(monkeypatch):
    searched = fit.search_determined

    def unfinished(*arguments):
        problem, minimum, left_out = searched(*arguments)
        return problem, minimum._replace(distance=1.0), left_out

    monkeypatch.setattr(fit, "search_determined", unfinished)
    monkeypatch.setattr(fit, "profile_intervals", lambda *_: pytest.fail("profiles of no minimum"))
    found = fit_stack_quietly([table_of(counts(5))], FILM)
    assert not found.converged
    assert found.profiles is None


def test_intervals_by_chords_are_those_with_new_derivatives(monkeypatch):
    table = table_of(measured(6, dead_time=1e-10, missed_writes=0.01)[0])
    every = []
    for many in (0, 100):
        monkeypatch.setattr(profile, "_MANY", many)
        every.append(fit_stack_quietly([table], FILM, terms=["dead_time", "missed_writes"], starts=0))
    error = np.sqrt(np.diag(every[1].covariance))
    # The ends are found to 0.05 of 1.96 standard errors, by either way.
    ends = [np.array(each.profiles) for each in every]
    np.testing.assert_allclose(ends[0] / error[:, None], ends[1] / error[:, None], rtol=0.0, atol=0.1)


def test_single_shots_of_several_diameters_are_several_rows():
    shot = {"direction": "p_to_ap", "amplitude_V": 0.5, "duration_s": 1e-8, "trials": 1, "switched": 1}
    rows = pd.DataFrame(
        [{**shot, "line": k, "file": "a", "diameter_m": 1e-9 * (30 + k % 2)} for k in range(4)]
    )
    pooled = Data.of([table_of(rows)]).switching
    assert pooled["trials"].tolist() == [2, 2]
