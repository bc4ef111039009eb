import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from mtjchar.errors import InputError
from mtjchar.physics.two_state import flip_probabilities

RATES = st.floats(1e-6, 10.0) | st.just(0.0)
CHANCES = st.floats(1e-6, 1.0) | st.just(0.0)


def brute_force(escape, disturb, time, reads):
    """Step by step: a matrix exponential for each interval, a matrix for each read."""
    (k0, k1), (d0, d1) = escape, disturb
    wait = expm(np.array([[-k0, k0], [k1, -k1]]) * time / max(reads, 1))
    read = np.array([[1.0 - d0, d0], [d1, 1.0 - d1]])
    probability = np.eye(2)
    for _ in range(reads):
        probability = probability @ wait @ read
    if reads == 0:
        probability = wait
    return probability[[0, 1], [1, 0]]


@given(st.tuples(RATES, RATES), st.tuples(CHANCES, CHANCES), st.floats(0.0, 100.0), st.integers(0, 60))
def test_closed_form_is_the_chain_step_by_step(escape, disturb, time, reads):
    # Slow reference: the chain itself. Its 60 products of probabilities round to some 1e-14.
    found = flip_probabilities(escape, disturb, time, reads)
    np.testing.assert_allclose(found, brute_force(escape, disturb, time, reads), rtol=1e-9, atol=1e-13)


@given(st.tuples(RATES, RATES), st.tuples(CHANCES, CHANCES), st.floats(0.0, 1e6), st.integers(0, 10**9))
def test_they_are_probabilities(escape, disturb, time, reads):
    found = flip_probabilities(escape, disturb, time, reads)
    assert ((found >= 0.0) & (found <= 1.0 + 1e-15)).all()


@given(st.tuples(RATES, RATES), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_two_times_are_one_after_the_other(escape, first, second):
    # Chapman and Kolmogorov: to be flipped after both is to flip once in one of them.
    one, two = (flip_probabilities(escape, (0.0, 0.0), time) for time in (first, second))
    expected = one * (1.0 - two[::-1]) + (1.0 - one) * two
    found = flip_probabilities(escape, (0.0, 0.0), first + second)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_rare_flips_keep_their_digits():
    # Analytic: what happens once in 1e30 s or reads adds up, k t + n d, far below the rounding of 1.
    np.testing.assert_allclose(
        flip_probabilities([1e-30, 2e-30], [3e-25, 0.0], 1e9, reads=10_000),
        [1e-21 + 3e-21, 2e-21],
        rtol=1e-12,
    )


def test_after_long_both_states_have_their_share():
    # Detailed balance: whatever the start, state 0 has k1/(k0 + k1).
    np.testing.assert_allclose(flip_probabilities([1.0, 3.0], [0.0, 0.0], np.inf), [0.25, 0.75])
    np.testing.assert_allclose(flip_probabilities([1e-9, 1e-9], [0.0, 0.0], 1e12), [0.5, 0.5])
    # And reads alone d1/(d0 + d1).
    np.testing.assert_allclose(flip_probabilities([0.0, 0.0], [1e-6, 3e-6], 0.0, 10**9), [0.25, 0.75])


def test_nothing_happens_where_nothing_can():
    for time, reads in ((0.0, 0), (np.inf, 10**12)):
        np.testing.assert_array_equal(flip_probabilities([0.0, 0.0], [0.0, 0.0], time, reads), [0.0, 0.0])
    np.testing.assert_array_equal(flip_probabilities([1.0, 1.0], [0.5, 0.5], 0.0, 0), [0.0, 0.0])


def test_reads_that_always_flip_alternate():
    found = flip_probabilities([0.0, 0.0], [1.0, 1.0], 7.0, np.arange(5))
    np.testing.assert_array_equal(found, np.repeat([[0.0], [1.0], [0.0], [1.0], [0.0]], 2, axis=1))


def test_explicit_flips_occur_as_often():
    # Binomial, 6.1 deviations, false-alarm rate 1e-9 each: bits that are stepped through 40 intervals, in
    # each of which they flip by chance, then by the read.
    escape, disturb, interval, reads, bits = (0.02, 0.05), (0.004, 0.01), 0.3, 40, 100_000
    rng = np.random.default_rng(7)
    leave = flip_probabilities(escape, (0.0, 0.0), interval)
    # The same from the definition, with the flips back that one interval allows.
    total = escape[0] + escape[1]
    np.testing.assert_allclose(leave, np.array(escape) / total * (1.0 - np.exp(-total * interval)))
    found = flip_probabilities(escape, disturb, reads * interval, reads)
    for start in (0, 1):
        state = np.full(bits, start)
        for _ in range(reads):
            state ^= rng.random(bits) < leave.take(state)
            state ^= rng.random(bits) < np.take(disturb, state)
        flipped, expected = np.count_nonzero(state != start), found[start]
        assert abs(flipped - bits * expected) < 6.1 * np.sqrt(bits * expected * (1.0 - expected))


def test_shapes_broadcast():
    escape = np.random.default_rng(1).random((5, 1, 2))
    found = flip_probabilities(escape, [0.0, 1e-3], np.array([1.0, 2.0, 3.0]), 4)
    assert found.shape == (5, 3, 2)
    np.testing.assert_allclose(found[2, 1], flip_probabilities(escape[2, 0], [0.0, 1e-3], 2.0, 4))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (((-1.0, 1.0), (0.0, 0.0), 1.0), "escape_rate: got -1.0"),
        (((np.inf, 1.0), (0.0, 0.0), 1.0), "escape_rate: got inf"),
        (((1.0, 1.0), (0.0, 1.5), 1.0), "disturb_rate: got 1.5; allowed: 0 to 1"),
        (((1.0, 1.0), (0.0, 0.0), -1.0), "time: got -1.0"),
        (((1.0, 1.0), (0.0, 0.0), np.nan), "time: got nan"),
        (((1.0, 1.0), (0.0, 0.0), 1.0, 0.5), "reads: got 0.5; allowed: integers"),
        ((1.0, (0.0, 0.0), 1.0), r"shape of escape_rate: got \(\)"),
    ],
)
def test_values_out_of_range_are_named(arguments, named):
    with pytest.raises(InputError, match=named):
        flip_probabilities(*arguments)
