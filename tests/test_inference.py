import dataclasses
import re

import numpy as np
import pytest
from common import ROOT

from mtjchar.errors import InputError
from mtjchar.network.datasets import load_dataset
from mtjchar.network.inference import program
from mtjchar.network.ledger import PerDirection, WriteConditions
from mtjchar.network.reads import ReadConditions
from mtjchar.network.trainer import PLANS, train

QUICK = {"epochs": 4, "batch_size": 20, "learning_rate_decay": 0.7}
PLAN = {
    "perceptron": dataclasses.replace(PLANS["perceptron"], hidden=(30,), **QUICK),
    "convolutional": dataclasses.replace(PLANS["convolutional"], **QUICK),
    "binarized": dataclasses.replace(PLANS["binarized"], hidden=(60,), **{**QUICK, "learning_rate": 0.02}),
}


def conditions(p_to_ap, ap_to_p=None):
    return WriteConditions(
        error_rate=PerDirection(p_to_ap, p_to_ap if ap_to_p is None else ap_to_p),
        switching_energy_J=PerDirection(1.0e-12, 1.5e-12),
        redundant_energy_J=PerDirection(0.8e-12, 2.1e-12),
    )


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module", params=PLAN)
def trained(request, digits):
    plan = PLAN[request.param]
    return plan, train(digits, plan, conditions(0.0), seed=0)


def test_without_errors_it_is_the_trained_network(digits, trained):
    plan, training = trained
    result = program(digits, plan, training.words, conditions(0.0), 0, training.network)
    np.testing.assert_array_equal(result.words, training.words)
    assert result.test_accuracy == training.test_accuracy
    assert result.ledger.failed.sum() == 0


def test_wrong_bits_are_those_that_failed(digits, trained):
    plan, training = trained
    result = program(digits, plan, training.words, conditions(0.3, 0.1), 1, training.network)
    wrong = np.unpackbits(result.words ^ training.words).sum()
    assert wrong == result.ledger.failed.sum()
    # Half of the bits have to switch. Binomial, 6.1 deviations, false-alarm rate 1e-9 each.
    bits = training.words.size * plan.fixed_point().bits
    switching, failures = (counts.sum(axis=0) for counts in (result.ledger.switching, result.ledger.failed))
    assert abs(switching.sum() - bits / 2) < 6.1 * np.sqrt(bits / 4)
    for tried, failed, rate in zip(switching, failures, (0.3, 0.1), strict=True):
        assert abs(failed - rate * tried) < 6.1 * np.sqrt(rate * (1 - rate) * tried)


def test_energy_is_that_of_one_write_of_every_bit(digits, trained):
    plan, training = trained
    result = program(digits, plan, training.words, conditions(0.1), 2, training.network)
    ledger = result.ledger
    assert ledger.switching.sum() + ledger.redundant.sum() == training.words.size * plan.fixed_point().bits
    # Whether a one is written or a zero follows from the words.
    ones = np.unpackbits(training.words).sum()
    assert ledger.switching[:, 0].sum() + ledger.redundant[:, 0].sum() == ones
    by_hand = (ledger.switching @ [1.0, 1.5] + ledger.redundant @ [0.8, 2.1]).sum()
    assert result.programming_energy_J == pytest.approx(by_hand * 1e-12, rel=1e-12)


def test_more_errors_recognize_less(digits, trained):
    # Means of 30 seeds. A mean may lie above the one at fewer errors by 6.1 deviations of the difference
    # (false-alarm rate 1e-9, the means being nearly normal) and by half an image.
    plan, training = trained
    rates = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
    accuracy = np.array(
        [
            [
                program(digits, plan, training.words, conditions(rate), seed, training.network).test_accuracy
                for seed in range(30)
            ]
            for rate in rates
        ]
    )
    means, variances = accuracy.mean(axis=1), accuracy.var(axis=1, ddof=1) / 30
    assert (np.diff(means) < 6.1 * np.sqrt(variances[1:] + variances[:-1]) + 0.5 / 360).all()
    assert means[0] > 0.8
    assert means[-1] < 0.2


def test_binarized_weights_are_hurt_less(digits):
    # Regression: at 0.1, with 5 % of the bits wrong, the convolutional network falls from 0.889 to 0.689,
    # the binarized one from 0.872 to 0.769. A wrong bit can move an 8-bit weight by half of its range.
    losses = {}
    for name in ("convolutional", "binarized"):
        training = train(digits, PLAN[name], conditions(0.0), seed=0)
        accuracy = [
            program(digits, PLAN[name], training.words, conditions(0.1), seed, training.network).test_accuracy
            for seed in range(10)
        ]
        losses[name] = training.test_accuracy - np.mean(accuracy)
    assert losses["binarized"] < 0.15 < losses["convolutional"]


def test_cells_that_are_devices(digits):
    # Half of the cells are devices that never switch: as many are wrong as with a rate of 0.5 for all.
    # Binomial, 6.1 deviations, false-alarm rate 1e-9.
    plan = PLAN["binarized"]
    words = np.ones(4440, dtype=np.uint8)
    here = WriteConditions(
        error_rate=[[[0.0, 0.0]], [[1.0, 1.0]]],
        switching_energy_J=[1e-12, 1e-12],
        redundant_energy_J=[1e-12, 1e-12],
        device_weight=[1.0, 1.0],
    )
    first, again = (program(digits, plan, words, here, 5, plan.network_for(digits)) for _ in range(2))
    tried = first.ledger.switching.sum()
    assert abs(first.ledger.failed.sum() - tried / 2) < 6.1 * np.sqrt(tried / 4)
    np.testing.assert_array_equal(first.words, again.words)


def test_words_of_two_bytes(digits):
    plan = dataclasses.replace(PLAN["perceptron"], bits=16)
    words = np.random.default_rng(6).integers(0, 1 << 16, 64 * 30 + 30 + 30 * 10 + 10, dtype=np.uint16)
    result = program(digits, plan, words, conditions(0.0), seed=0)
    np.testing.assert_array_equal(result.words, words)
    assert result.ledger.switching.sum() + result.ledger.redundant.sum() == 16 * words.size
    assert result.ledger.switching.min() > 0


def test_the_network_computes_with_what_is_read(digits, trained):
    # By hand: without reads, or with right ones, the words themselves; always wrong ones invert them.
    plan, training = trained
    plain, right, wrong = (
        program(digits, plan, training.words, conditions(0.0), 0, training.network, reads)
        for reads in (None, ReadConditions(energy_J=(2e-14, 3e-14)), ReadConditions((1.0, 1.0)))
    )
    assert right.test_accuracy == plain.test_accuracy > wrong.test_accuracy
    np.testing.assert_array_equal(wrong.words, training.words)
    ones = sum(int(word).bit_count() for word in training.words.tolist())
    expected = 3e-14 * ones + 2e-14 * (plan.bits * training.words.size - ones)
    assert right.reading_energy_J == pytest.approx(expected, rel=1e-12)
    assert plain.reading_energy_J == 0.0


def test_same_seed_same_result(digits, trained):
    plan, training = trained
    first, again, other = (
        program(digits, plan, training.words, conditions(0.1), seed, training.network) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.words, again.words)
    assert first.ledger == again.ledger
    assert np.any(first.words != other.words)


def test_the_example_of_the_page_runs(capsys):
    page = (ROOT / "docs/networks.md").read_text(encoding="utf-8")
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], {})
    trained, programmed, energy = map(float, capsys.readouterr().out.split())
    assert trained > 0.75
    assert trained - 0.2 < programmed < trained + 0.02
    # 64 * 300 + 300 * 10 writes of 0.3 pJ each.
    assert energy == pytest.approx(22_200 * 0.3e-12, rel=1e-12)


def test_what_cannot_be_programmed_is_refused(digits, trained):
    plan, training = trained
    with pytest.raises(InputError, match="seed: got -1"):
        program(digits, plan, training.words, conditions(0.0), -1, training.network)
    with pytest.raises(InputError, match=r"shape of the words: .*the parameters of the network"):
        program(digits, plan, training.words[:-1], conditions(0.0), 0, training.network)
    with pytest.raises(InputError, match="type of the words: got 'float32'"):
        program(digits, plan, training.words.astype(np.float32), conditions(0.0), 0, training.network)


def test_a_binarized_network_has_to_be_given(digits):
    with pytest.raises(InputError, match=r"network: got None; .* thresholds outside .*TrainingResult"):
        program(digits, PLAN["binarized"], np.ones(4440, dtype=np.uint8), conditions(0.0), seed=0)
