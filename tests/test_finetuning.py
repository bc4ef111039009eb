import dataclasses
import re

import numpy as np
import pytest
from common import ROOT

from mtjchar.errors import InputError
from mtjchar.network.datasets import load_dataset
from mtjchar.network.finetuning import (
    TASKS,
    PulseCounter,
    adapt,
    corrupted,
    finetune,
    held_out_classes,
    pretrain,
    rotated,
)
from mtjchar.network.inference import recognition_rate
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.trainer import TrainingPlan

PLAN = TrainingPlan(hidden=(30,), batch_size=20, epochs=4, learning_rate_decay=0.7, code="gray")


def conditions(rate, **options):
    return WriteConditions((rate, rate), (2e-13, 3e-13), (1e-13, 1e-13), read_before_write=True, **options)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def askew(digits):
    task = rotated(digits, 45.0, share=0.5)
    return task, pretrain(task, PLAN, seed=0)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_share_no_training_image(digits, name):
    task = TASKS[name](digits)
    before, after = task.pretraining, task.adaptation
    assert task.name == name
    assert before.image_shape == after.image_shape == (8, 8)
    assert before.classes == after.classes == 10
    assert len(after.train_images) == 240  # a sixth of 1437, rounded
    assert after.train_images.dtype == np.float32
    assert after.train_images.min() >= 0.0
    assert after.train_images.max() <= 1.0
    assert set(after.train_labels.tolist()) == set(range(10))
    again = TASKS[name](digits)
    np.testing.assert_array_equal(after.train_images, again.adaptation.train_images)
    np.testing.assert_array_equal(after.test_images, again.adaptation.test_images)
    if name != "held-out classes":
        assert len(before.train_images) == 1437 - 240
        np.testing.assert_array_equal(before.test_images, digits.test_images)
        np.testing.assert_array_equal(after.test_labels, digits.test_labels)
        # All labels of one split are those of the whole.
        both = np.concatenate([before.train_labels, after.train_labels])
        np.testing.assert_array_equal(np.bincount(both), np.bincount(digits.train_labels))


def test_held_out_classes_are_not_known_before(digits):
    task = held_out_classes(digits, (0, 3), share=0.4, seed=2)
    for labels in (task.pretraining.train_labels, task.pretraining.test_labels):
        assert set(labels.tolist()) == {1, 2, 4, 5, 6, 7, 8, 9}
    assert len(task.pretraining.test_images) == np.isin(digits.test_labels, [0, 3], invert=True).sum()
    np.testing.assert_array_equal(task.adaptation.test_images, digits.test_images)


def test_a_quarter_turn_is_exact(digits):
    # By hand: rows become columns. Linear interpolation at the pixels themselves is no interpolation.
    turned = rotated(digits, 90.0).adaptation.test_images.reshape(-1, 8, 8)
    upright = digits.test_images.reshape(-1, 8, 8)
    np.testing.assert_allclose(turned, np.rot90(upright, axes=(1, 2)), atol=1e-6)


def test_corruption_is_the_formula(digits):
    # By hand, without blur and noise: the distance from the mean of the image is halved.
    images = digits.test_images
    grey = corrupted(digits, blur=0.0, contrast=0.5, noise=0.0).adaptation.test_images
    mean = images.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(grey, mean + 0.5 * (images - mean), atol=1e-6)
    # A blur keeps the mean where nothing lies at the edge (reflected there), and noise has its deviation:
    # 6.1 standard errors of a deviation, false-alarm rate 1e-9; at half contrast few pixels are cut.
    clean, noisy = (
        corrupted(digits, blur=0.0, contrast=0.2, noise=noise).adaptation.test_images for noise in (0.0, 0.02)
    )
    inside = (clean > 0.15) & (clean < 0.85)
    scatter = (noisy - clean)[inside]
    assert scatter.size > 10_000
    assert abs(scatter.std() / 0.02 - 1.0) < 6.1 / np.sqrt(2 * scatter.size)
    blurred = corrupted(digits, blur=1.0, contrast=1.0, noise=0.0).adaptation.test_images
    np.testing.assert_allclose(blurred.mean(axis=1), images.mean(axis=1), rtol=1e-5)
    assert blurred.std() < 0.8 * images.std()


def test_adapting_brings_back_what_was_lost(askew):
    # Regression: 0.27 before, 0.78 without errors, 0.78 where a fifth of the writes fail.
    task, pretrained = askew
    result = finetune(task, PLAN, conditions(0.2), 1, pretrained)
    assert result.accuracy_before == recognition_rate(task.adaptation, PLAN, pretrained)
    assert result.accuracy_before < 0.4
    assert result.error_free.test_accuracy > 0.7
    assert result.approximate.test_accuracy > 0.65
    assert result.error_free.ledger.failed.sum() == 0
    assert result.approximate.ledger.failed.sum() > 0


def test_without_errors_both_adaptations_are_one(askew):
    task, pretrained = askew
    result = finetune(task, PLAN, conditions(0.0), 3, pretrained)
    np.testing.assert_array_equal(result.error_free.words, result.approximate.words)
    assert result.error_free.ledger == result.approximate.ledger


def test_energies_are_those_by_hand(askew):
    # By hand: 719 images in four epochs, 36 batches each; every update reads all bits and drives those that
    # switch, 0.2 pJ towards 1 and 0.3 pJ towards 0.
    task, pretrained = askew
    plan = dataclasses.replace(PLAN, accumulate=3)
    found = adapt(task, plan, conditions(0.1), 1, pretrained)
    cells = 8 * pretrained.size
    assert (found.images, found.batches, found.updates) == (4 * 718, 4 * 36, 4 * 12)
    assert found.computing_reads(1) == 2 * cells * 4 * 718
    assert found.computing_reads(20) == 2 * cells * 144
    switching = found.ledger.switching.sum(axis=0)
    writes = 2e-13 * switching[0] + 3e-13 * switching[1]
    read = 50e-15
    computing = 2 * cells * 144 * read
    expected = 1.0 + (writes + cells * 48 * read) / computing
    assert found.energy_over_reads(conditions(0.1), read, images_per_read=20) == pytest.approx(expected)
    shared = found.energy_over_reads(conditions(0.1), read, images_per_read=20, update_reads=False)
    assert shared == pytest.approx(1.0 + writes / computing)


def test_wear_is_counted_by_cell(askew):
    # Slow reference: bit by bit. And all cells together have the ledger's switching bits, by plane.
    rng = np.random.default_rng(4)
    counter, expected = PulseCounter(50, 8), np.zeros((50, 8), dtype=np.int64)
    old = rng.integers(0, 256, 50, dtype=np.uint8)
    for _ in range(5):
        new = np.where(rng.random(50) < 0.5, old, rng.integers(0, 256, 50)).astype(np.uint8)
        counter(old, new)
        for word in range(50):
            for bit in range(8):
                expected[word, bit] += (int(old[word]) >> bit & 1) != (int(new[word]) >> bit & 1)
        old = new
    np.testing.assert_array_equal(counter.pulses, expected)
    task, pretrained = askew
    found = adapt(task, PLAN, conditions(0.3), 1, pretrained)
    np.testing.assert_array_equal(found.pulses.sum(axis=0), found.ledger.switching.sum(axis=1))


def test_words_of_two_bytes_are_counted():
    counter = PulseCounter(2, 12)
    counter(np.array([0, 0x800], np.uint16), np.array([0x801, 0x800], np.uint16))
    np.testing.assert_array_equal(np.flatnonzero(counter.pulses[0]), [0, 11])
    assert counter.pulses[1].sum() == 0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda data: held_out_classes(data, ()), r"classes to hold out: got \(\)"),
        (lambda data: held_out_classes(data, range(9)), "allowed: 1 to 8 of the classes 0 to 9"),
        (lambda data: held_out_classes(data, (10,)), "classes to hold out"),
        (lambda data: rotated(data, 200.0), r"degrees: got 200\.0"),
        (lambda data: rotated(data, share=1.0), r"share: got 1\.0"),
        (lambda data: rotated(data, share=1e-9), "share: got 1e-09"),
        (lambda data: rotated(data, seed=-1), "seed: got -1"),
        (lambda data: corrupted(data, contrast=1.5), r"contrast: got 1\.5; allowed: 0 to 1"),
        (lambda data: corrupted(data, noise=np.nan), "noise: got nan; allowed: finite, 0 or more"),
        (lambda data: corrupted(data, blur=-1.0), r"blur: got -1\.0"),
        (lambda data: corrupted(data, seed=-1), "seed: got -1"),
    ],
)
def test_what_is_wrong_is_refused(digits, call, named):
    with pytest.raises(InputError, match=named):
        call(digits)


def test_images_a_read_are_counted_from_one(askew):
    task, pretrained = askew
    found = adapt(task, dataclasses.replace(PLAN, epochs=1), conditions(0.0), 1, pretrained)
    with pytest.raises(InputError, match="images_per_read: got 0"):
        found.computing_reads(0)


def test_the_example_of_the_page_runs(capsys):
    page = (ROOT / "docs/finetuning.md").read_text(encoding="utf-8")
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], {})
    before, exact, approximate, mean, most, ratio = map(float, capsys.readouterr().out.split())
    assert before < min(exact, approximate)
    assert 0.0 < mean < most
    # One update a batch: its read is half of the computing reads.
    assert ratio > 1.5
