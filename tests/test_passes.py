"""Passes that compute with what they read."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from mtjchar.errors import InputError
from mtjchar.network.datasets import Dataset
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.memory import ApproximateMemory
from mtjchar.network.passes import PassReads, reads_of_epoch
from mtjchar.network.reads import ReadConditions
from mtjchar.network.trainer import PLANS, TrainingPlan, train

CHEAP = WriteConditions((0.0, 0.0), (1e-12, 1e-12), (1e-12, 1e-12))
PLAN = TrainingPlan(hidden=(6,), epochs=2, batch_size=25, bits=6)


@pytest.fixture(scope="module")
def blobs():
    # Two classes of noisy images, easy to tell apart.
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    images = np.clip(0.3 + 0.4 * labels[:, None] + rng.normal(0.0, 0.2, (200, 16)), 0.0, 1.0)
    images = images.astype(np.float32)
    return Dataset("blobs", images[:150], labels[:150], images[150:], labels[150:], (4, 4), 2)


@pytest.mark.parametrize("each", ["batch", "image"])
@pytest.mark.parametrize("network", ["perceptron", "binarized"])
def test_reads_without_errors_leave_the_training_alone(blobs, network, each):
    plan = dataclasses.replace(PLANS[network], hidden=(6,), epochs=1, batch_size=25)
    reads = PassReads(ReadConditions(energy_J=1e-14), each)
    plain, read = (train(blobs, plan, CHEAP, 3, passes=passes) for passes in (None, reads))
    np.testing.assert_array_equal(plain.words, read.words)
    assert plain.ledger == read.ledger
    assert (plain.train_loss, plain.test_accuracy) == (read.train_loss, read.test_accuracy)


class Watched:
    """A network that keeps the parameters it computes with, and whose gradient is 0."""

    def __init__(self, parameters):
        self.parameters, self.seen, self.images = parameters, [], []

    def initial_parameters(self, _rng):
        return np.zeros(self.parameters, dtype=np.float32)

    def class_scores(self, _parameters, images):
        return np.zeros((len(images), 2))

    def loss_and_gradient(self, parameters, images, _labels):
        self.seen.append(parameters.copy())
        self.images.append(len(images))
        return 0.0, np.zeros(self.parameters, dtype=np.float32)


def watched(blobs, passes, **plan):
    network = Watched(4000)
    one = dataclasses.replace(PLAN, epochs=1, rounding="nearest", code="offset_binary", **plan)
    return network, train(blobs, one, CHEAP, 5, network=network, passes=passes)


def test_a_wrong_read_is_computed_with_and_written():
    # By hand: every read of every bit is wrong. All words are 100000 (0 in offset binary), and are read as
    # 011111, which is -1 lsb; without a gradient the update writes that. The next batch reads 100000 again.
    rng = np.random.default_rng(0)
    images = rng.random((50, 16)).astype(np.float32)
    labels = np.zeros(50, dtype=np.int64)
    blobs = Dataset("two batches", images, labels, images, labels, (4, 4), 2)
    network, result = watched(blobs, PassReads(ReadConditions((1.0, 1.0))))
    assert len(network.seen) == 2
    lsb = 0.2 / 32
    np.testing.assert_allclose(network.seen[0], -lsb, rtol=1e-6)
    np.testing.assert_allclose(network.seen[1], 0.0, atol=1e-9)
    assert (result.words == 0b100000).all()


def test_errors_of_reads_are_binomial(blobs):
    # Six batches read 4,000 words of 6 bits with an error rate of 1e-3; each wrong bit is written, and read
    # again. Wrong words after the first read: the chance of a word is 1 - (1 - 1e-3)^6.
    network, _ = watched(blobs, PassReads(ReadConditions((1e-3, 1e-3))))
    wrong = np.count_nonzero(network.seen[0])
    assert stats.binomtest(wrong, 4000, 1.0 - 0.999**6).pvalue > 1e-9


def test_each_image_has_its_own_read(blobs):
    # 150 images, each with a read of 24,000 bits at 1e-5: images with a wrong bit are computed alone.
    # The chance of each is 1 - (1 - 1e-5)^24,000 = 0.213.
    network, result = watched(blobs, PassReads(ReadConditions((1e-5, 1e-5)), "image"))
    assert sum(network.images) == 150
    alone = [
        np.count_nonzero(seen) for seen, images in zip(network.seen, network.images, strict=True)
        if images == 1
    ]  # fmt: skip
    assert 10 < len(alone) < 60
    # Only the last image of a batch is what the update starts from.
    assert np.count_nonzero(result.words != 0b100000) <= 6 * 3


def test_disturb_flips_stored_bits_and_is_not_a_write(blobs):
    # Reads flip ones with 1e-3, twice a batch; the only one of a word is its highest bit. Six updates write
    # back what was read, so that flips stay. False-alarm rate 1e-9.
    network, result = watched(blobs, PassReads(ReadConditions(disturb_rate=(0.0, 1e-3))))
    # The update of a batch starts from the second read of its two, which the second flip is not in: it is
    # written back. Seen flips are those of one read in each of six batches.
    flipped = int(np.count_nonzero(result.words != 0b100000))
    assert stats.binomtest(flipped, 4000, 1.0 - (1.0 - 1e-3) ** 6).pvalue > 1e-9
    assert len(network.seen) == 6
    assert result.ledger.failed.sum() == 0
    # Ones that were flipped after the value was read have to be written again.
    again = int(result.ledger.switching[5, 0])
    assert stats.binomtest(again, 4000, 1.0 - (1.0 - 1e-3) ** 6).pvalue > 1e-9


def test_groups_of_images_are_the_memory_read_image_by_image():
    memory = ApproximateMemory(np.zeros(1000, dtype=np.uint8), 8)
    passes = PassReads(ReadConditions((1e-4, 0.0), (1e-5, 0.0)), "image")
    parts = list(passes.of_batch(memory, 40, np.random.default_rng(2)))
    assert [part.start for part, _ in parts] == [0, *[part.stop for part, _ in parts[:-1]]]
    assert parts[-1][0].stop == 40
    # Where a group is longer than one image, it has read what was stored then.
    for part, seen in parts:
        if part.stop - part.start > 1:
            assert (seen & ~memory.words == 0).all()
    assert 5 < len(parts) < 80


def test_reads_of_an_epoch():
    # Analytic: forward and backward, 3 batches or 60 images.
    assert reads_of_epoch(60, 25, "batch") == 6
    assert reads_of_epoch(60, 25, "image") == 120


def test_binarized_networks_are_read_once_a_batch(blobs):
    reads = PassReads(ReadConditions((1e-3, 1e-3)), "image")
    plan = dataclasses.replace(PLANS["binarized"], hidden=(6,), epochs=1)
    with pytest.raises(InputError, match=r"reads for each image: .*Read the memory once a batch"):
        train(blobs, plan, CHEAP, 1, passes=reads)
    with pytest.raises(InputError, match="each: got 'x'; allowed: batch or image"):
        PassReads(ReadConditions(), "x")
