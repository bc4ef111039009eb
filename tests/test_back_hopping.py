"""Back-hopping: a strong pulse destroys the bit that it has written."""

from __future__ import annotations

import numpy as np
import pytest

from mtjchar.physics import back_hopping, long_pulses, rate_table, two_state


def test_without_back_hopping_the_error_rate_is_the_same_to_the_last_digit() -> None:
    logs = np.array([-np.inf, -700.0, -34.5, -1.0, -0.1, -1e-12, 0.0])
    assert np.array_equal(back_hopping.combined(logs, 0.0), logs)


def test_hops_invert_the_bit_like_a_markov_chain_of_two_states() -> None:
    # Another module's closed form: both rates equal, from rare hops to a random state.
    hops = np.geomspace(1e-18, 1e3, 43)
    flipped = two_state.flip_probabilities([1.0, 1.0], [0.0, 0.0], hops)[:, 0]
    assert back_hopping.loss_probability(-hops) == pytest.approx(flipped, rel=1e-12)
    assert back_hopping.loss_probability(-hops[0]) == pytest.approx(1e-18, rel=1e-12)
    assert back_hopping.loss_probability(-np.inf) == 0.5


def test_combination_is_exact_at_rates_near_0_and_near_1() -> None:
    # Equation 2 with E = 1e-15: to first order the rates add; of a write that nearly always fails, the
    # distance from 1 is multiplied by 1 - E.
    assert np.exp(back_hopping.combined(np.log(2e-15), -1e-15)) == pytest.approx(3e-15, rel=1e-9)
    assert back_hopping.combined(-1e-14, -np.inf) == pytest.approx(-0.5e-14, rel=1e-9)
    wer, hops = np.geomspace(1e-6, 0.999, 31)[:, None], np.geomspace(1e-6, 10.0, 29)
    by_hand = 1.0 - (1.0 - wer) * (1.0 - 0.5 * (1.0 - np.exp(-2.0 * hops)))
    assert np.exp(back_hopping.combined(np.log(wer), -hops)) == pytest.approx(by_hand, rel=1e-9)


def test_survival_falls_exponentially_with_the_rate_of_escape() -> None:
    # Equation 1 of long_pulses: below the critical current, far beyond t_D, -ln S is rate times time.
    times = np.array([1e4, 1e6])
    expected = long_pulses.decay_rate(0.6, 45.0) * times
    assert -back_hopping.log_survival(0.6, 45.0, times) == pytest.approx(expected, rel=2e-3)


def test_survival_far_above_the_critical_current_falls_as_the_linear_instability() -> None:
    # Butler et al., doi:10.1109/TMAG.2012.2209122: ln S falls at the rate 2 (i - 1).
    logs = back_hopping.log_survival(5.0, 60.0, np.array([3.0, 4.0]))
    assert logs[0] - logs[1] == pytest.approx(2.0 * (5.0 - 1.0), rel=0.02)


def test_a_table_gives_the_same_survival_for_fits() -> None:
    # The accuracy that rate_table promises in its docstring: 8 % of -ln S at overdrives from 0 to 1.
    i, tau = np.array([0.3, 0.6, 0.9])[:, None], np.array([5.0, 50.0])
    exact = back_hopping.log_survival(i, 50.0, tau)
    assert rate_table.log_error_rate(i, 50.0, tau) == pytest.approx(exact, rel=0.08)


def test_overdrives_beyond_the_solver_count_as_its_limit() -> None:
    beyond = back_hopping.log_survival([50.0, 80.0], 60.0, 0.05)
    assert beyond[0] == beyond[1] < 0.0
