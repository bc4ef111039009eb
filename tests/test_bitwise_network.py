"""Networks that compute by bitwise reads, against a draw for each pair of bits."""

import math

import numpy as np
import pytest
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.binarized import BinarizedPerceptron, Normalization, Signs
from mtjchar.network.bitwise import BitwiseReads, agreements, combinations_of, xnor_class_scores, xnor_reads

RATES = (0.02, 0.1, 0.3, 0.05)  # 00, 01, 10, 11


def pairs(images, inputs, units, seed):
    rng = np.random.default_rng(seed)
    return rng.random((images, inputs)) < 0.4, rng.random((inputs, units)) < 0.6


def test_combinations_are_those_of_counting_pairs():
    inputs, weights = pairs(3, 17, 5, 1)
    expected = np.zeros((4, 3, 5), dtype=int)
    for image in range(3):
        for unit in range(5):
            for bit, weight in zip(inputs[image], weights[:, unit], strict=True):
                expected[2 * int(bit) + int(weight), image, unit] += 1
    np.testing.assert_array_equal(combinations_of(inputs, weights), expected)


def test_without_errors_it_is_the_popcount_and_draws_nothing():
    inputs, weights = pairs(20, 100, 7, 2)
    rng = np.random.default_rng(3)
    before = rng.bit_generator.state
    got = agreements(combinations_of(inputs, weights), BitwiseReads(), rng)
    np.testing.assert_array_equal(got, (inputs[:, :, None] == weights).sum(axis=1))
    assert rng.bit_generator.state == before
    # Always wrong: XOR.
    got = agreements(combinations_of(inputs, weights), BitwiseReads([1.0] * 4), rng)
    np.testing.assert_array_equal(got, (inputs[:, :, None] != weights).sum(axis=1))


def explicit(inputs, weights, rng):
    """A draw for each pair of bits."""
    rate = np.array(RATES)[2 * inputs[:, :, None].astype(int) + weights]
    return ((inputs[:, :, None] == weights) ^ (rng.random(rate.shape) < rate)).sum(axis=1)


def test_distribution_is_that_of_a_draw_for_each_pair():
    # 40 pairs of each of 2 x 3 units, 20,000 draws of each kind. Histograms by chi-square, of bins with 20 or
    # more; six tests with false-alarm rate 1e-6 each. Mean and variance also by the closed form.
    inputs, weights = pairs(2, 40, 3, 4)
    counts = combinations_of(inputs, weights)
    rng, reads = np.random.default_rng(5), BitwiseReads(RATES)
    draws = 20_000
    many = agreements(np.repeat(counts[:, None], draws, axis=1), reads, rng)
    slow = np.stack([explicit(inputs, weights, rng) for _ in range(draws)])
    for image in range(2):
        for unit in range(3):
            table = np.stack([np.bincount(each[:, image, unit], minlength=41) for each in (many, slow)])
            table = table[:, table.sum(axis=0) >= 20]
            assert stats.chi2_contingency(table).pvalue > 1e-6
    rate = np.array(RATES)[:, None, None]
    expected = counts[0] + counts[3] + (counts * rate * np.array([-1, 1, 1, -1])[:, None, None]).sum(axis=0)
    variance = (counts * rate * (1 - rate)).sum(axis=0)
    assert (np.abs(many.mean(axis=0) - expected) < 5.5 * np.sqrt(variance / draws)).all()
    # Variance of a sample variance of nearly normal numbers: 2/n relative.
    assert (np.abs(many.var(axis=0) / variance - 1.0) < 5.5 * math.sqrt(2.0 / draws)).all()


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(6)
    sizes = (30, 9, 7, 4)
    units = sum(sizes[1:])
    normalization = Normalization(
        rng.normal(0.0, 0.3, units), 1.0 + rng.random(units), rng.normal(0.0, 0.2, units), 1.0 + rng.random(4)
    )
    perceptron = BinarizedPerceptron(sizes, normalization)
    return perceptron, rng.integers(0, 2, perceptron.parameters).astype(np.uint8)


def test_scores_without_errors_are_those_of_the_network(network):
    perceptron, words = network
    images = np.random.default_rng(7).integers(0, 256, (50, 30)) / 255.0
    got = xnor_class_scores(perceptron, words, images, BitwiseReads(), np.random.default_rng(0))
    expected = perceptron.class_scores(Signs().decode(words).astype(np.float64), images)
    np.testing.assert_allclose(got.scores, expected, rtol=1e-12, atol=1e-12)
    # Analytic: 8 planes of the first layer, one of the others.
    assert got.operations.sum() == 50 * (8 * 30 * 9 + 9 * 7 + 7 * 4)
    assert got.energy_J == 0.0


def test_energy_is_by_combination(network):
    perceptron, words = network
    images = np.zeros((2, 30))
    got = xnor_class_scores(
        perceptron, words, images, BitwiseReads(energy_J=(1.0, 2.0, 3.0, 4.0)), np.random.default_rng(0)
    )
    assert got.energy_J == pytest.approx(got.operations @ [1.0, 2.0, 3.0, 4.0], rel=1e-12)
    # Dark images have inputs 0 in the first layer: 00 and 01, as the weights are.
    of_first = words[: 30 * 9]
    assert got.operations[1] >= 2 * 8 * of_first.sum()
    assert got.operations[0] >= 2 * 8 * (of_first == 0).sum()


class Surface:
    """Bitwise operations at one read."""

    def best_read(self, operation):
        assert operation == "xor"
        return 0.3, 4e-9

    def error_rate(self, operation, voltage, time, inputs=None):
        assert (operation, voltage, time) == ("xor", 0.3, 4e-9)
        return np.array({"00": 0.01, "01": 0.02, "10": 0.03, "11": 0.04}[inputs])

    def energy(self, operation, voltage, time, inputs=None):
        return 1e-15 * self.error_rate(operation, voltage, time, inputs)


@pytest.mark.parametrize("read", [None, (0.3, 4e-9)])
def test_xnors_are_xors_of_the_surface(read):
    reads = xnor_reads(Surface(), read)
    assert reads.error_rate.tolist() == [0.01, 0.02, 0.03, 0.04]
    np.testing.assert_allclose(reads.energy_J, [1e-17, 2e-17, 3e-17, 4e-17], rtol=1e-12)


def test_errors_lower_the_recognition_rate_and_half_of_them_leave_nothing(network):
    # The right class is that of the network without errors. At a rate of 1/2 scores tell nothing: the share
    # of agreement of 4,000 images is not far from that of independent answers.
    perceptron, words = network
    images = np.random.default_rng(8).integers(0, 256, (4000, 30)) / 255.0
    rng = np.random.default_rng(9)
    right = xnor_class_scores(perceptron, words, images, BitwiseReads(), rng).scores.argmax(axis=1)
    shares = []
    for rate in (0.0, 0.02, 0.1, 0.5):
        found = xnor_class_scores(perceptron, words, images, BitwiseReads([rate] * 4), rng).scores
        shares.append(np.mean(found.argmax(axis=1) == right))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    independent = (np.bincount(right, minlength=4) * np.bincount(found.argmax(axis=1), minlength=4)).sum()
    assert shares[-1] == pytest.approx(independent / 4000**2, abs=0.05)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda: BitwiseReads((0.1, 0.1)), "shape of error_rate: got .*allowed: .*00, 01, 10, 11"),
        (lambda: BitwiseReads((0.1, 0.1, 0.1, 1.1)), "error_rate: got 1.1; allowed: 0 to 1"),
        (lambda: BitwiseReads(energy_J=(1.0, 2.0)), "shape of energy_J"),
        (lambda: BitwiseReads(energy_J=-1.0), "energy_J: got -1.0; allowed: finite, 0 J or more"),
    ],
)
def test_bad_reads_are_refused(give, message):
    with pytest.raises(InputError, match=message):
        give()


def test_bad_words_and_pixels_are_refused(network):
    perceptron, words = network
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"shape of the words: .*the weights of the network"):
        xnor_class_scores(perceptron, words[1:], np.zeros((1, 30)), BitwiseReads(), rng)
    with pytest.raises(InputError, match=r"pixels: got 1.5; allowed: 0 to 1"):
        xnor_class_scores(perceptron, words, np.full((1, 30), 1.5), BitwiseReads(), rng)
