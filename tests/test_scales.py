"""A full scale for each layer, users' own networks and words to start from."""

import dataclasses
import math
import re

import numpy as np
import pytest
from common import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar.errors import InputError
from mtjchar.network.allocation import Pilot
from mtjchar.network.datasets import Dataset, load_dataset
from mtjchar.network.encoding import CODES, FixedPoint
from mtjchar.network.inference import program
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.networks import ConvolutionalNetwork, Perceptron
from mtjchar.network.scales import SPREADS, LayeredFixedPoint, initial_full_scales, layer_sizes
from mtjchar.network.trainer import PLANS, TrainingPlan, train
from mtjchar.network.trainings import Job, Trainings

PLAN = TrainingPlan(hidden=(12,), epochs=2, batch_size=20, full_scale=1.0, learning_rate=0.2)


def conditions(rate):
    return WriteConditions((rate, rate), (1.0e-12, 1.5e-12), (0.8e-12, 2.1e-12))


@pytest.fixture(scope="module")
def blobs():
    """Three classes of 4 x 4 images: a pattern each and uniform noise."""
    rng = np.random.default_rng(30)
    patterns = rng.random((3, 16)) < 0.5
    labels = rng.integers(0, 3, 500)
    images = (0.5 * patterns[labels] + 0.5 * rng.random((500, 16))).astype(np.float32)
    return Dataset("blobs", images[:400], labels[:400], images[400:], labels[400:], (4, 4), 3)


full_scales = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=4)


@settings(deadline=None)
@given(full_scales, st.integers(2, 16), st.sampled_from(CODES), st.integers(0, 2**32 - 1))
def test_each_layer_is_encoded_by_its_own_code(some, bits, code, seed):
    rng = np.random.default_rng(seed)
    sizes = tuple(rng.integers(1, 30, len(some)).tolist())
    codes = tuple(FixedPoint(bits, full_scale, code) for full_scale in some)
    layered = LayeredFixedPoint(codes, sizes)
    parts = [2 * rng.normal(size=size) * one.full_scale for size, one in zip(sizes, codes, strict=True)]
    words = layered.encode(np.concatenate(parts))
    expected = [one.encode(part) for one, part in zip(codes, parts, strict=True)]
    np.testing.assert_array_equal(words, np.concatenate(expected))
    decoded = [one.decode(part) for one, part in zip(codes, expected, strict=True)]
    values = layered.decode(words)
    assert (words.dtype, values.dtype, layered.bits) == (codes[0].word_dtype, np.float32, bits)
    np.testing.assert_array_equal(values, np.concatenate(decoded))
    # A level of any layer stays, whatever is drawn.
    if bits <= 8:
        np.testing.assert_array_equal(layered.decode(layered.encode(values, rng)), values)


def test_layers_of_the_networks():
    # By hand: weights and biases of each.
    assert Perceptron((784, 100, 10)).layer_sizes == (78_500, 1_010)
    assert ConvolutionalNetwork((28, 28), (8, 16), 10).layer_sizes == (80, 1_168, 7_850)


def test_initial_full_scales_are_those_of_he_s_variance():
    # He et al. (2015): variance 2/inputs; biases are 0. 6.2 standard errors of the root mean
    # square: false-alarm rate 6e-10 each.
    scales = initial_full_scales(Perceptron((784, 100, 10)))
    for scale, inputs, units in zip(scales, (784, 100), (100, 10), strict=True):
        weights = inputs * units
        expected = SPREADS * math.sqrt(2 / inputs * weights / (weights + units))
        assert scale == pytest.approx(expected, rel=6.2 / math.sqrt(2 * weights))
    assert scales == initial_full_scales(Perceptron((784, 100, 10)))


def test_one_scale_for_each_layer_is_one_scale_for_all_where_they_are_equal(blobs):
    # To the nearest: with chance, each layer has draws of its own.
    plan = dataclasses.replace(PLAN, rounding="nearest")
    one, each = (
        train(blobs, dataclasses.replace(plan, full_scale=scale), conditions(0.03), seed=1)
        for scale in (0.7, (0.7, 0.7))
    )
    np.testing.assert_array_equal(one.words, each.words)
    assert one.ledger == each.ledger


@pytest.mark.parametrize("full_scale", [(0.5, 2.0), "initial"])
def test_words_decode_with_the_scale_of_their_layer(blobs, full_scale):
    plan = dataclasses.replace(PLAN, full_scale=full_scale, epochs=8)
    result = train(blobs, plan, conditions(0.0), seed=2)
    assert result.test_accuracy > 0.9
    network = plan.network_for(blobs)
    code = plan.code_for(network)
    scores = network.class_scores(code.decode(result.words), blobs.test_images)
    assert result.test_accuracy == np.mean(scores.argmax(axis=1) == blobs.test_labels)
    programmed = program(blobs, plan, result.words, conditions(0.0), seed=2)
    assert programmed.test_accuracy == result.test_accuracy
    with pytest.raises(InputError, match=r"full_scale: got .*one number.*TrainingPlan.code_for"):
        plan.fixed_point()


def test_convolutional_network_with_a_scale_for_each_layer(blobs):
    plan = dataclasses.replace(PLANS["convolutional"], hidden=(4,), epochs=1, full_scale=(1.0, 0.5))
    assert train(blobs, plan, conditions(0.01), seed=3).words.shape == (40 + 51,)


def test_pilot_counts_harm_in_lsb_of_each_layer():
    # Harm in lsb does not know the scale: that of the words, bit by bit, whatever the layers' scales are.
    plan = dataclasses.replace(PLAN, full_scale=(0.5, 2.0), epochs=1)
    writes = []

    class Recorded(Pilot):
        def __call__(self, old, new):
            writes.append((old.copy(), new.copy()))

    digits = load_dataset("digits")
    train(digits, plan, conditions(0.0), 4, watch=Recorded(FixedPoint(8)))
    with Trainings("digits", workers=1) as trainings:
        (outcome,) = trainings.outcomes([Job(plan, conditions(0.0), 4, pilot=True)])
    level = FixedPoint(8, full_scale=128.0).decode
    harm = np.zeros((8, 2))
    for old, new in writes:
        for plane in range(8):
            bit = np.uint8(1 << plane)
            error = (level(new ^ bit) - level(new)).astype(np.float64) ** 2
            switches = ((old ^ new) & bit) != 0
            harm[plane] += error[switches & (new & bit != 0)].sum(), error[switches & (new & bit == 0)].sum()
    np.testing.assert_allclose(outcome.harm, harm, rtol=1e-5)


class Softmax:
    """Softmax regression on 16 pixels and 3 classes, with a layer of its own for the biases."""

    parameters = 51
    layer_sizes = (48, 3)

    def initial_parameters(self, _rng):
        return np.zeros(51, dtype=np.float32)

    def class_scores(self, parameters, images):
        return images @ parameters[:48].reshape(16, 3) + parameters[48:]

    def loss_and_gradient(self, parameters, images, labels):
        scores = self.class_scores(parameters, images)
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        wrong = (probabilities - np.eye(3)[labels]) / len(labels)
        loss = -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))
        return loss, np.concatenate([(images.T @ wrong).ravel(), wrong.sum(axis=0)])


@pytest.mark.parametrize(
    "change", [{}, {"full_scale": (1.0, 0.5)}, {"optimizer": "adam", "learning_rate": 0.02, "accumulate": 2}]
)
def test_own_networks_learn(blobs, change):
    # float64 gradients too.
    plan = dataclasses.replace(PLAN, **change, epochs=8)
    result = train(blobs, plan, conditions(0.01), seed=5, network=Softmax())
    assert result.words.shape == (51,)
    assert result.test_accuracy > 0.9


def test_example_of_the_page(capsys):
    blocks = re.findall(r"(?s)```python\n(.*?)```", (ROOT / "docs/networks.md").read_text(encoding="utf-8"))
    (own,) = (block for block in blocks if "class SoftmaxRegression" in block)
    exec(own, {})
    accuracy, energy = map(float, capsys.readouterr().out.split())
    assert accuracy > 0.8
    assert energy > 0.0


def test_own_network_equal_to_the_plan_s_own_gives_its_words(blobs):
    named = train(blobs, PLAN, conditions(0.02), seed=6)
    own = train(
        blobs, dataclasses.replace(PLAN, hidden=(1,)), conditions(0.02), 6, network=Perceptron((16, 12, 3))
    )
    np.testing.assert_array_equal(named.words, own.words)


def without(name):
    methods = {key: value for key, value in vars(Softmax).items() if not key.startswith("__") and key != name}
    return type("Half", (), methods)()


@pytest.mark.parametrize("name", ["initial_parameters", "class_scores", "loss_and_gradient"])
def test_a_network_without_a_method_is_refused_with_its_name(blobs, name):
    with pytest.raises(InputError, match=f"network: got 'Half'; allowed: .*It has no method {name}"):
        train(blobs, PLAN, conditions(0.0), seed=1, network=without(name))


@pytest.mark.parametrize("count", [None, 0, 3.5, True])
def test_a_network_without_parameters_is_refused(blobs, count):
    network = without("parameters")
    if count is not None:
        network.parameters = count
    with pytest.raises(
        InputError, match=rf"parameters of the network Half: got {count}; allowed: a positive"
    ):
        train(blobs, PLAN, conditions(0.0), seed=1, network=network)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        (
            "initial_parameters",
            np.zeros((17, 3)),
            r"initial parameters of Half: got 'float64, shape \(17, 3\)'",
        ),
        ("initial_parameters", [0.0] * 51, r"initial parameters of Half: got 'list, shape \(51,\)'"),
        ("loss_and_gradient", (0.0, np.zeros(5)), r"gradient of Half: got .*5.*allowed: .*shape \(51,\)"),
        (
            "loss_and_gradient",
            (0.0, np.zeros(51, dtype=int)),
            r"gradient of Half: got 'int64.*floating-point",
        ),
    ],
)
def test_arrays_of_own_networks_that_do_not_fit(blobs, name, wrong, message):
    network = without(name)
    setattr(network, name, lambda *_arguments: wrong)
    with pytest.raises(InputError, match=message):
        train(blobs, PLAN, conditions(0.0), seed=1, network=network)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (None, "network: got 'Half'; allowed: one with the attribute layer_sizes"),
        ((48, 4), r"layer_sizes of the network: got \(48, 4\); allowed: positive integers whose sum .* 51"),
        ((51, 0), r"layer_sizes of the network: got \(51, 0\)"),
        ((), r"layer_sizes of the network: got \(\)"),
    ],
)
def test_layer_sizes_that_do_not_fit(sizes, message):
    network = without("layer_sizes")
    if sizes is not None:
        network.layer_sizes = sizes
    with pytest.raises(InputError, match=message):
        layer_sizes(network)


def test_scales_that_do_not_fit_the_network(blobs):
    plan = dataclasses.replace(PLAN, full_scale=(0.2, 0.3, 0.4))
    with pytest.raises(
        InputError, match=r"full_scale: got \(0.2, 0.3, 0.4\); allowed: 2 numbers, one for each"
    ):
        train(blobs, plan, conditions(0.0), seed=1)
    with pytest.raises(InputError, match=r"initial parameters of layer 1: got 0\.0; allowed: others than 0"):
        initial_full_scales(Softmax())


@pytest.mark.parametrize("full_scale", ["large", (), ("0.5",), [0.5, 0.5], (0.5, 0.0), (0.5, math.nan), None])
def test_full_scales_out_of_range(full_scale):
    with pytest.raises(InputError, match="full_scale: got "):
        TrainingPlan(full_scale=full_scale)


def test_training_goes_on_from_initial_words(blobs):
    first = train(blobs, PLAN, conditions(0.0), seed=7)
    certain = train(blobs, PLAN, conditions(1.0), seed=8, initial=first.words)
    np.testing.assert_array_equal(certain.words, first.words)
    further = train(blobs, PLAN, conditions(0.0), seed=8, initial=first.words)
    assert further.train_loss[0] < 0.5 * first.train_loss[0]
    assert np.any(further.words != first.words)


def test_initial_words_that_are_drawn_anyway_change_nothing(blobs):
    init_rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(9).spawn(5)[0]))
    network = PLAN.network_for(blobs)
    drawn = PLAN.fixed_point().encode(network.initial_parameters(init_rng))
    plain, given_words = (
        train(blobs, PLAN, conditions(0.1), seed=9, initial=initial) for initial in (None, drawn)
    )
    np.testing.assert_array_equal(plain.words, given_words.words)
    assert plain.ledger == given_words.ledger


def test_binarized_training_starts_from_initial_signs(blobs):
    plan = dataclasses.replace(PLANS["binarized"], hidden=(12,), epochs=1, batch_size=20)
    first = train(blobs, plan, conditions(0.0), seed=1)
    certain = train(blobs, plan, conditions(1.0), seed=2, initial=first.words)
    np.testing.assert_array_equal(certain.words, first.words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (np.zeros(5, dtype=np.uint8), r"shape of the initial words: got \(5,\); allowed: \(243,\)"),
        (np.zeros(243, dtype=np.uint16), "type of the words: got 'uint16'; allowed: uint8, for 6 bits"),
        (np.full(243, 64, dtype=np.uint8), "word: got 64; allowed: 0 to 63, for 6 bits"),
    ],
)
def test_initial_words_that_do_not_fit(blobs, words, message):
    with pytest.raises(InputError, match=message):
        train(blobs, dataclasses.replace(PLAN, bits=6), conditions(0.0), seed=1, initial=words)
