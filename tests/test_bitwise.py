"""Bitwise operations by reads of several cells: error rates, best references, what an operation needs."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.integrate import quad
from scipy.optimize import brentq, minimize
from scipy.stats import binom, norm

from mtjchar.errors import InputError
from mtjchar.physics.bitwise import (
    OPERATIONS,
    combinations,
    error_rates,
    largest_offset,
    largest_spread,
    mean_error_rates,
    normal_reference,
    optimal_references,
    smallest_tmr,
)

BY_LOGIC = {
    (2, "and"): lambda bits: bits.all(axis=1),
    (2, "or"): lambda bits: bits.any(axis=1),
    (2, "xor"): lambda bits: bits[:, 0] != bits[:, 1],
    (3, "and"): lambda bits: bits.all(axis=1),
    (3, "or"): lambda bits: bits.any(axis=1),
    (3, "majority"): lambda bits: bits.sum(axis=1) >= 2,
}
EVERY = [(cells, name) for cells, named in OPERATIONS.items() for name in named]


def equal_steps(cells, step=0.1):
    """Levels of one tuple of equal cells, each one of which adds `step`."""
    return step * combinations(cells).sum(axis=1)[None].astype(float)


@pytest.mark.parametrize(("cells", "name"), EVERY)
@pytest.mark.parametrize("higher", [True, False])
def test_without_variability_the_tables_are_the_truth_tables(cells, name, higher):
    operation = OPERATIONS[cells][name]
    levels = equal_steps(operation.cells) if higher else 1.0 - equal_steps(operation.cells)
    exact = np.zeros(len(operation.thresholds))
    references = optimal_references(levels, operation, exact, one_is_higher=higher)
    # What the amplifiers would say, from the levels alone, is the operation of Boolean algebra.
    above = levels[0] > references[:, None] if higher else levels[0] < references[:, None]
    np.testing.assert_array_equal(
        above.sum(axis=0) % 2 == 1, BY_LOGIC[cells, name](combinations(operation.cells))
    )
    np.testing.assert_array_equal(operation.truth, BY_LOGIC[cells, name](combinations(operation.cells)))
    np.testing.assert_array_equal(error_rates(levels, operation, references, exact, higher), 0.0)


@pytest.mark.parametrize("sigma", [0.05, 0.02, 0.008])
def test_three_levels_with_equal_margins_follow_from_two(sigma):
    # Analytic: one comparison of two levels a step apart is wrong with p, of levels three half steps from the
    # reference with f; XOR is wrong if exactly one of its two comparisons is.
    levels, p, f = equal_steps(2), norm.sf(0.05 / sigma), norm.sf(0.15 / sigma)
    found = {
        name: error_rates(levels, OPERATIONS[2][name], np.array(references), np.full(len(references), sigma))[
            0
        ]
        for name, references in {"and": [0.15], "or": [0.05], "xor": [0.05, 0.15]}.items()
    }
    np.testing.assert_allclose(found["and"], [f, p, p, p], rtol=1e-12)
    np.testing.assert_allclose(found["or"], [p, p, p, f], rtol=1e-12)
    outer = p * (1 - f) + f * (1 - p)
    np.testing.assert_allclose(found["xor"], [outer, 2 * p * (1 - p), 2 * p * (1 - p), outer], rtol=1e-12)


@pytest.mark.parametrize(("cells", "name"), EVERY)
def test_a_million_explicit_reads_agree(cells, name):
    # Each read takes a tuple by its weight, draws the amplifiers' offsets, and does what the circuit does.
    # False alarms: 1e-9 in all, divided among 36 combinations and both sides of exact binomial intervals.
    operation, reads = OPERATIONS[cells][name], 1_000_000
    rng = np.random.default_rng(20)
    tuples, comparisons = 50, len(operation.thresholds)
    levels = equal_steps(operation.cells) + 0.02 * rng.standard_normal((tuples, 2**operation.cells))
    weight, sigma = rng.random(tuples), np.linspace(0.02, 0.03, comparisons)
    references = optimal_references(levels, operation, sigma, weight)
    expected = mean_error_rates(error_rates(levels, operation, references, sigma), weight)
    right = BY_LOGIC[cells, name](combinations(operation.cells))
    for inputs, rate in enumerate(expected):
        chosen = rng.choice(tuples, size=reads, p=weight / weight.sum())
        above = levels[chosen, inputs] > references[:, None] + sigma[:, None] * rng.standard_normal(
            (comparisons, reads)
        )
        wrong = int(np.sum((above.sum(axis=0) % 2 == 1) != right[inputs]))
        chance = 1e-9 / 36 / 2
        assert binom.cdf(wrong, reads, rate) > chance
        assert binom.sf(wrong - 1, reads, rate) > chance


def normal_tuples(deviations, points=80):
    """Tuples at the nodes of Gauss-Hermite quadrature, with their weights: normal levels, exactly."""
    nodes, weight = hermegauss(points)
    return equal_steps(2) + nodes[:, None] * np.asarray(deviations), weight


def test_normal_levels_against_quadrature_down_to_1e_12():
    # Quadrature of equation 2 over the level, by scipy: the two comparisons of XOR share it.
    spread, sigma, references = 0.004, np.array([0.005, 0.006]), np.array([0.048, 0.153])
    levels, weight = normal_tuples(np.full(4, spread))
    found = mean_error_rates(error_rates(levels, OPERATIONS[2]["xor"], references, sigma), weight)

    def wrong(x, level, ones):
        first, second = (
            norm.sf((level + spread * x - r) / s * (1 if ones >= k else -1))
            for k, r, s in zip((1, 2), references, sigma, strict=True)
        )
        return (first * (1 - second) + second * (1 - first)) * norm.pdf(x)

    for inputs, ones in enumerate((0, 1, 1, 2)):
        at = np.linspace(-12, 12, 49)
        expected = sum(
            quad(wrong, a, b, args=(0.1 * ones, ones), epsabs=0, epsrel=1e-10)[0] for a, b in pairwise(at)
        )
        assert found[inputs] == pytest.approx(expected, rel=1e-6)
    assert found.min() < 1e-11 < 1e-13 / found.min()


def test_best_reference_of_normal_levels_is_the_closed_form():
    # Analytic: the sum of independent normal terms is normal, and both sides are equally far away.
    spreads, sigma = np.array([0.002, 0.004, 0.004, 0.007]), 0.006
    levels, weight = normal_tuples(spreads)
    total = np.hypot(spreads, sigma)
    for name, low in (("or", 0), ("and", 1)):
        expected, rate = normal_reference(0.1 * low, total[low], 0.1 * (low + 1), total[low + 2])
        found = optimal_references(levels, OPERATIONS[2][name], [sigma], weight)
        np.testing.assert_allclose(found, [expected], rtol=1e-5)
        worst = mean_error_rates(error_rates(levels, OPERATIONS[2][name], found, [sigma]), weight).max()
        assert worst == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("sigma", [0.05, 0.02, 0.006])
def test_no_other_references_are_better(sigma):
    # Slow reference: a simplex search for the smallest worst error rate, from many starts.
    rng = np.random.default_rng(3)
    levels = equal_steps(2) + 0.01 * rng.standard_normal((40, 4))
    levels[:, 3] += 0.03
    operation, sigmas = OPERATIONS[2]["xor"], np.array([sigma, 1.3 * sigma])

    def worst(references):
        return np.log(mean_error_rates(error_rates(levels, operation, references, sigmas)).max())

    found = worst(optimal_references(levels, operation, sigmas))
    starts = [(low, high) for low in (0.02, 0.05, 0.08) for high in (0.13, 0.16, 0.2)]
    other = min(
        minimize(worst, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}).fun
        for start in starts
    )
    assert found < other + 1e-3


def test_pulses_do_not_depend_on_each_other():
    # Each (voltage, time) alone has to give what the whole grid gives.
    rng = np.random.default_rng(4)
    levels = (equal_steps(2) + 0.005 * rng.standard_normal((30, 4)))[..., None, None] * np.linspace(
        0.4, 1.6, 6
    ).reshape(2, 3)
    operation, sigma = OPERATIONS[2]["xor"], np.linspace(0.01, 0.02, 12).reshape(2, 2, 3)
    together = optimal_references(levels, operation, sigma)
    for place in np.ndindex(2, 3):
        alone = optimal_references(levels[(..., *place)], operation, sigma[(..., *place)])
        np.testing.assert_allclose(together[(..., *place)], alone, atol=1e-6)
    offsets = largest_offset(levels, operation, 0.1 * sigma)
    assert offsets[0, 1] == pytest.approx(
        float(largest_offset(levels[..., 0, 1], operation, 0.1 * sigma[:, 0, 1])), rel=1e-5
    )


def test_largest_offset_without_spread_is_the_margin_over_the_quantile():
    # Analytic: the margin of half a step is z = isf(1e-6) deviations, and variances add.
    z, noise = norm.isf(1e-6), 0.004
    found = largest_offset(equal_steps(2), OPERATIONS[2]["and"], [noise])
    assert float(found) == pytest.approx(np.sqrt((0.05 / z) ** 2 - noise**2), rel=1e-5)
    # XOR: the middle level has two references, whose error rates add up to that of the outer ones.
    x = brentq(lambda x: 2 * norm.sf(2 * x - z) - 1e-6, z / 2, 2 * z)  # half a step in deviations
    found = largest_offset(equal_steps(2), OPERATIONS[2]["xor"], [0.0, 0.0])
    assert float(found) == pytest.approx(0.05 / x, rel=1e-4)
    # Levels that overlap have no offset that is small enough.
    assert np.isnan(largest_offset([[0.0, 0.1, 0.1, 0.2], [0.1, 0.2, 0.2, 0.3]], OPERATIONS[2]["and"], [0.0]))


def test_smallest_tmr_of_conductances_is_the_closed_form():
    # Analytic: the currents of two cells without series resistance differ by V G_P TMR/(1 + TMR) per one.
    voltage, conductance, offset = np.array([0.1, 0.2]), 2e-4, 5e-7

    def levels_at(tmr, pulse):
        ones = combinations(2).sum(axis=1)[None, :, None]
        return voltage[pulse] * conductance * (2 - ones * tmr / (1 + tmr))

    found = smallest_tmr(
        levels_at, OPERATIONS[2]["or"], np.full((1, 2), offset), (0.01, 5.0), one_is_higher=False
    )
    share = 2 * norm.isf(1e-6) * offset / (voltage * conductance)
    np.testing.assert_allclose(found, share / (1 - share), rtol=1e-4)
    # At a tenth of the voltage no TMR is sufficient: the share is above 1.
    voltage = voltage / 30.0
    assert np.isnan(
        smallest_tmr(
            levels_at, OPERATIONS[2]["or"], np.full((1, 2), offset), (0.01, 5.0), one_is_higher=False
        )
    ).all()


def test_tuples_without_levels_are_left_out():
    levels = np.vstack([equal_steps(2), np.full((1, 4), np.nan), 1.1 * equal_steps(2)])
    operation, sigma = OPERATIONS[2]["xor"], np.full(2, 0.01)
    references = optimal_references(levels, operation, sigma)
    np.testing.assert_allclose(references, optimal_references(levels[[0, 2]], operation, sigma))
    rates = error_rates(levels, operation, references, sigma)
    assert np.isnan(rates[1]).all()
    np.testing.assert_allclose(mean_error_rates(rates), rates[[0, 2]].mean(axis=0))


@pytest.mark.parametrize(
    ("levels", "references", "deviation", "words"),
    [
        ([[0.0, 0.1]], [0.1], [0.1], "4 combinations"),
        ([[0.0, 0.1, 0.1, 0.2]], [0.1, 0.2], [0.1], "one per comparison"),
        ([[0.0, 0.1, 0.1, 0.2]], [0.1], [-0.1], "at least 0"),
    ],
)
def test_what_is_refused(levels, references, deviation, words):
    with pytest.raises(InputError, match=words):
        error_rates(levels, OPERATIONS[2]["and"], references, deviation)
    with pytest.raises(InputError, match=r"above 0, below 0\.1"):
        largest_offset([[0.0, 0.1, 0.1, 0.2]], OPERATIONS[2]["and"], [0.1], target=0.5)
    with pytest.raises(InputError, match="at least 0"):
        optimal_references([[0.0, 0.1, 0.1, 0.2]], OPERATIONS[2]["and"], [0.1], weight=[-1.0])


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_largest_spread_of_normal_levels_is_the_closed_form(spread):
    # Analytic: with equal deviations on both sides, half a step is isf(1e-6) times their root sum of squares.
    sigma, z = 0.006, norm.isf(1e-6)
    allowed = np.sqrt((0.05 / z) ** 2 - sigma**2)
    levels, weight = normal_tuples(np.full(4, spread * allowed))
    found = largest_spread(levels, OPERATIONS[2]["and"], [sigma], weight=weight)
    assert float(found) == pytest.approx(1.0 / spread, rel=1e-3)
    assert np.isnan(largest_spread(levels, OPERATIONS[2]["and"], [0.05]))
    assert float(largest_spread(equal_steps(2), OPERATIONS[2]["and"], [sigma])) == 10.0
