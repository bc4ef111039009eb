"""Networks of signs, one cell each: arithmetic, training in memory and programming once."""

import dataclasses
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtjchar.errors import InputError
from mtjchar.network.binarized import BinarizedPerceptron, Normalization, Signs
from mtjchar.network.datasets import load_dataset
from mtjchar.network.ledger import PerDirection, WriteConditions
from mtjchar.network.networks import cross_entropy
from mtjchar.network.optimizers import Adam, OrdinaryState
from mtjchar.network.tradeoff import one_line, tradeoff
from mtjchar.network.trainer import PLANS, train

PLAN = dataclasses.replace(
    PLANS["binarized"], hidden=(60,), epochs=4, batch_size=20, learning_rate=0.02, learning_rate_decay=0.7
)


def conditions(rate):
    return WriteConditions(
        error_rate=PerDirection(rate, rate),
        switching_energy_J=PerDirection(1.0e-12, 1.5e-12),
        redundant_energy_J=PerDirection(0.8e-12, 2.1e-12),
    )


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits):
    return train(digits, PLAN, conditions(0.0), seed=0)


def random_signs(rng, count, dtype=np.float64):
    return rng.choice(np.array([-1, 1], dtype=dtype), count)


def test_signs_there_and_back():
    values = np.array([[-2.0, -1e-30, -0.0], [0.0, 1e-30, 3.0]], dtype=np.float32)
    words = Signs().encode(values)
    assert words.dtype == np.uint8
    np.testing.assert_array_equal(words, [[0, 0, 1], [1, 1, 1]])
    decoded = Signs().decode(words)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, [[-1, -1, 1], [1, 1, 1]])


def test_signs_refuse_what_they_do_not_hold():
    with pytest.raises(InputError, match="values to encode: got nan"):
        Signs().encode(np.array([0.5, np.nan]))
    with pytest.raises(InputError, match="word: got 2; allowed: 0 to 1"):
        Signs().decode(np.array([2], dtype=np.uint8))


def test_scores_are_counts_of_equal_bits():
    # Hirtzlin et al. 2019: a sum of products of signs is 2 popcount(XNOR) - inputs; here a bit at a time. Of
    # the first layer only inputs that are 1 count.
    rng = np.random.default_rng(41)
    sizes = (20, 9, 6, 4)
    network = BinarizedPerceptron(sizes)
    parameters = random_signs(rng, network.parameters, np.float32)
    images = rng.integers(0, 2, (30, 20)).astype(np.float32)
    layers = network.layers(parameters)
    assert [layer.shape for layer in layers] == [(20, 9), (9, 6), (6, 4)]
    for image, scores in zip(images, network.class_scores(parameters, images), strict=True):
        lit = layers[0][image == 1]
        bits = [int(2 * sum(w > 0 for w in column) - len(lit) >= 0) for column in lit.T]
        for weights in layers[1:]:
            counts = [
                sum(bit == (w > 0) for bit, w in zip(bits, column, strict=True)) for column in weights.T
            ]
            sums = [2 * count - len(bits) for count in counts]
            bits = [int(one >= 0) for one in sums]
        np.testing.assert_array_equal(np.rint(scores * np.sqrt(6)), sums)


def random_normalization(rng, sizes, dtype=np.float64):
    units = sum(sizes[1:])
    return Normalization(
        mean=rng.normal(0.0, 0.5, units).astype(dtype),
        deviation=rng.uniform(0.3, 2.0, units).astype(dtype),
        shift=rng.normal(0.0, 0.5, units).astype(dtype),
        scale=rng.uniform(0.5, 2.0, sizes[-1]).astype(dtype),
    )


def test_gradient_is_that_of_a_network_that_is_straight_through():
    # Replace each sign s by s + hardtanh(y) - hardtanh(y0), y0 what is normalized and shifted without the
    # change of a parameter. Its value at y0 is s, its derivative 1 from -1 to 1 and 0 elsewhere. Then central
    # differences, with the normalization by the batch's own mean and variance written down once more.
    rng = np.random.default_rng(42)
    sizes = (12, 8, 7, 3)
    normalization = random_normalization(rng, sizes)
    network = BinarizedPerceptron(sizes, normalization)
    images, labels = rng.random((9, 12)), rng.integers(0, 3, 9)
    count = network.parameters
    start = np.concatenate([random_signs(rng, count), normalization.shift, normalization.scale])

    def outputs(values, base):
        result = []
        inputs = images
        shifts = np.split(values[count:-3], [8, 15])
        for index, weights in enumerate(network.layers(values[:count])):
            sums = inputs @ weights / np.sqrt(len(weights))
            normalized = (sums - sums.mean(axis=0)) / np.sqrt(sums.var(axis=0) + 1e-4)
            result.append(normalized * (values[-3:] if index == 2 else 1.0) + shifts[index])
            before = result[index] if base is None else base[index]
            inputs = np.where(before >= 0, 1.0, -1.0) + np.clip(result[index], -1, 1) - np.clip(before, -1, 1)
        return result

    base = outputs(start, None)
    gradient = network.batch_gradient(start[:count], images, labels)
    assert gradient.loss == pytest.approx(cross_entropy(base[-1], labels)[0], rel=1e-14)
    numerical = np.empty_like(start)
    for index in range(len(start)):
        step = np.zeros_like(start)
        step[index] = 1e-6
        above, below = (
            cross_entropy(outputs(start + sign * step, base)[-1], labels)[0] for sign in (1.0, -1.0)
        )
        numerical[index] = (above - below) / 2e-6
    analytic = np.concatenate([gradient.weights, gradient.shift, gradient.scale])
    np.testing.assert_allclose(analytic, numerical, rtol=1e-6, atol=1e-8)
    assert all(layer.any() for layer in network.layers(gradient.weights))
    assert gradient.shift.all()
    loss, weights = network.loss_and_gradient(start[:count], images, labels)
    assert loss == gradient.loss
    np.testing.assert_array_equal(weights, gradient.weights)


@given(
    inputs=st.integers(1, 300),
    mean=st.floats(-5.0, 5.0),
    deviation=st.floats(0.01, 5.0),
    shift=st.floats(-5.0, 5.0),
)
def test_a_threshold_decides_as_the_normalization(inputs, mean, deviation, shift):
    # Every sum that inputs of +1 and -1 can have, in exact arithmetic; but for those that are so near to
    # y = 0 that the rounding of the threshold decides.
    network = BinarizedPerceptron(
        (inputs, 1, 2),
        Normalization(
            *(np.array(values) for values in ([mean] * 3, [deviation] * 3, [shift] * 3, [1.0] * 2))
        ),
    )
    threshold = Fraction(float(network.folded().thresholds[0][0]))
    sums = np.arange(-inputs, inputs + 1, 2)
    root = Fraction(np.sqrt(inputs))
    for total in sums.tolist():
        y = (Fraction(total) / root - Fraction(mean)) / Fraction(deviation) + Fraction(shift)
        if abs(y) > 1e-12:
            assert (y >= 0) == (total >= threshold)


def test_folded_scores_are_those_of_the_normalization():
    # Its definition, an image and a unit at a time. The hidden sums are odd, of 15 inputs: none is near 0.
    rng = np.random.default_rng(44)
    sizes = (15, 9, 5, 4)
    normalization = random_normalization(rng, sizes)
    network = BinarizedPerceptron(sizes, normalization)
    parameters, images = random_signs(rng, network.parameters), rng.integers(0, 2, (20, 15)).astype(float)
    for image, scores in zip(images, network.class_scores(parameters, images), strict=True):
        outputs, first = image, 0
        for weights in network.layers(parameters):
            x = outputs @ weights / np.sqrt(len(outputs))
            units = slice(first, first + len(x))
            y = (x - normalization.mean[units]) / normalization.deviation[units]
            first += len(x)
            expected = normalization.scale * y + normalization.shift[units] if first == 18 else None
            outputs = np.where(y + normalization.shift[units] >= 0, 1.0, -1.0)
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)


def test_calibrated_units_have_mean_0_and_deviation_1():
    # By definition of the normalization, over the images that it was taken from.
    rng = np.random.default_rng(45)
    sizes = (30, 12, 8, 3)
    network = BinarizedPerceptron(sizes, random_normalization(rng, sizes))
    parameters, images = random_signs(rng, network.parameters), rng.random((400, 30))
    calibrated = network.calibrated(parameters, images)
    normalization = calibrated.normalization
    outputs, first = images, 0
    thresholds = [*calibrated.folded().thresholds, 0.0]
    for weights, threshold in zip(network.layers(parameters), thresholds, strict=True):
        units = slice(first, first + weights.shape[1])
        first = units.stop
        x = outputs @ weights / np.sqrt(len(weights))
        np.testing.assert_allclose(normalization.mean[units], x.mean(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(normalization.deviation[units] ** 2, x.var(axis=0) + 1e-4, rtol=1e-12)
        outputs = np.where(outputs @ weights >= threshold, 1.0, -1.0)
    assert normalization.shift is network.normalization.shift
    assert normalization.scale is network.normalization.scale


def test_a_normalization_of_other_units_is_refused():
    with pytest.raises(InputError, match=r"shapes of the normalization: .*\(7,\) of mean, "):
        BinarizedPerceptron((5, 4, 3), Normalization.identity(6, 3))


def test_division_by_the_root_changes_no_sign():
    # Only the scale of the scores depends on it: the class does not.
    rng = np.random.default_rng(43)
    network = BinarizedPerceptron((16, 10, 3))
    parameters, images = random_signs(rng, network.parameters), rng.random((50, 16))
    first, second = network.layers(parameters)
    hidden = np.where(images @ first >= 0, 1, -1)
    np.testing.assert_allclose(
        network.class_scores(parameters, images), hidden @ second / np.sqrt(10), rtol=1e-14, atol=1e-14
    )


def generators(seed, count):
    children = np.random.SeedSequence(seed).spawn(count)
    return [np.random.Generator(np.random.SFC64(child)) for child in children]


def test_without_errors_the_memory_holds_the_signs_of_the_real_weights(digits, trained):
    # The plan's training written down once more, without a memory; bit for bit.
    init_rng, order_rng, *_ = generators(0, 4)
    network = BinarizedPerceptron((64, 60, 10), Normalization.identity(70, 10))
    real = network.initial_parameters(init_rng)
    assert np.abs(real).max() <= 1.0
    learnt = np.concatenate([np.zeros(70), np.ones(10)]).astype(np.float32)
    of_weights, of_learnt = (
        Adam(OrdinaryState(2, len(values)), PLAN.betas, PLAN.epsilon) for values in (real, learnt)
    )
    switched = [0, 0]
    for epoch in range(PLAN.epochs):
        order = order_rng.permutation(1437)
        for batch in np.split(order, np.arange(20, 1437, 20)):
            signs = np.where(real >= 0, np.float32(1), np.float32(-1))
            network = with_learnt(network, learnt)
            gradient = network.batch_gradient(signs, digits.train_images[batch], digits.train_labels[batch])
            change, beside = gradient.weights, np.concatenate([gradient.shift, gradient.scale])
            beside = beside * len(batch) / np.float32(len(batch))
            of_weights.change(change, np.float32(0.02 * 0.7**epoch))
            of_learnt.change(beside, np.float32(0.02 * 0.7**epoch))
            real, learnt = np.clip(real + change, -1, 1), learnt + beside
            switched[0] += np.count_nonzero((signs < 0) & (real >= 0))
            switched[1] += np.count_nonzero((signs > 0) & (real < 0))
    np.testing.assert_array_equal(trained.words, real >= 0)
    assert trained.ledger.switching.tolist() == [switched]
    assert trained.ledger.failed.tolist() == [[0, 0]]
    network = with_learnt(network, learnt).calibrated(
        np.where(real >= 0, np.float32(1), np.float32(-1)), digits.train_images
    )
    for name in ("mean", "deviation", "shift", "scale"):
        np.testing.assert_array_equal(
            getattr(trained.network.normalization, name), getattr(network.normalization, name)
        )


def with_learnt(network, learnt):
    normalization = dataclasses.replace(network.normalization, shift=learnt[:70], scale=learnt[70:])
    return dataclasses.replace(network, normalization=normalization)


def test_test_images_are_recognized_by_thresholds(digits, trained):
    # Hirtzlin et al. 2019: a unit compares its count with a threshold.
    first, second = trained.network.layers(Signs().decode(trained.words))
    folded = trained.network.folded()
    hidden = np.where(digits.test_images @ first >= folded.thresholds[0], 1.0, -1.0)
    scores = hidden @ second * folded.factor + folded.offset
    assert trained.test_accuracy == np.mean(scores.argmax(axis=1) == digits.test_labels)


def test_every_update_writes_every_sign_and_energy_adds_up(digits):
    here = conditions(0.2)
    result = train(digits, PLAN, here, seed=1)
    ledger = result.ledger
    assert result.words.shape == (64 * 60 + 60 * 10,)
    assert ledger.switching.sum() + ledger.redundant.sum() == 4440 * PLAN.epochs * 72
    by_hand = ledger.switching @ [1.0, 1.5] + ledger.redundant @ [0.8, 2.1]
    assert result.programming_energy_J == pytest.approx(by_hand[0] * 1e-12, rel=1e-12)
    # Binomial: 6.1 deviations, false-alarm rate 1e-9.
    for tried, failed in zip(ledger.switching[0], ledger.failed[0], strict=True):
        assert abs(failed - 0.2 * tried) < 6.1 * np.sqrt(0.16 * tried)


def test_certain_failure_keeps_the_initial_signs(digits):
    result = train(digits, PLAN, conditions(1.0), seed=1)
    initial = BinarizedPerceptron((64, 60, 10)).initial_parameters(generators(1, 4)[0])
    np.testing.assert_array_equal(result.words, initial >= 0)


def test_training_rewrites_what_failed(digits, trained):
    # Regression, seeds 0 to 2: 0.876 without errors, 0.887 at 0.5, 0.376 where no sign can be written and
    # only the normalization learns.
    accuracy = {
        rate: np.mean([train(digits, PLAN, conditions(rate), seed).test_accuracy for seed in range(3)])
        for rate in (0.5, 1.0)
    }
    assert trained.test_accuracy > 0.84
    assert accuracy[0.5] > 0.82
    assert accuracy[1.0] < 0.5


def test_tradeoff_of_signs(analytic_surface):
    # One bit: no other code, a plane in each word, and every cell is written in each of 72 updates.
    table, ledger, _ = tradeoff(
        analytic_surface,
        "digits",
        plan=dataclasses.replace(PLAN, epochs=1),
        levers=["both", "code", "all"],
        seeds=2,
        most_seeds=2,
        rates=(0.1,),
        search_steps=0,
        workers=1,
    )
    assert set(table["code"]) == set(ledger["code"]) == {"signs"}
    assert (table["bits"] == 1).all()
    assert (ledger["bit"] == 0).all()
    both, code = (table[table["lever"] == name].drop(columns="lever") for name in ("both", "code"))
    pd.testing.assert_frame_equal(both.reset_index(drop=True), code.reset_index(drop=True), check_exact=True)
    writes = ledger.groupby(["lever", "row_ber", "confirmed"])[["switching", "redundant"]].sum().sum(axis=1)
    np.testing.assert_array_equal(writes, 4440 * 72)
    assert "Baseline: signs, 1 bits, 0.8 V" in one_line(table)
