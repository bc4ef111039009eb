"""Plans that were there before keep their words, bit for bit.

The digests were recorded at commit f75c1da, before optimizers, scales and accumulation, by

    git worktree add ../before f75c1da
    PYTHONPATH=../before python tests/test_training_words.py

That of rate 0.3 is from commit 444b28e, which draws failures at high rates as whole words and has none of
these either.

The network adds numbers of a few bits and calls no linear algebra: its sums are exact in float32, so that the
words are the same on every machine.
"""

import dataclasses
import hashlib

import numpy as np
import pytest

from mtjchar.network.datasets import Dataset
from mtjchar.network.ledger import WriteConditions
from mtjchar.network.trainer import TrainingPlan, train

IMAGES, PARAMETERS = 70, 300


class Targets:
    """Half the squared distance of the parameters from the images of a batch, each of which is a target."""

    parameters = PARAMETERS

    def initial_parameters(self, rng):
        return rng.random(PARAMETERS, dtype=np.float32) - np.float32(0.5)

    def loss_and_gradient(self, parameters, images, _labels):
        gradient = np.zeros_like(parameters)
        for image in images:
            gradient += parameters - image
        return 0.0, gradient / np.float32(16)

    def class_scores(self, _parameters, images):
        return np.zeros((len(images), 2), dtype=np.float32)


PLAN = TrainingPlan(epochs=2, batch_size=16, learning_rate=0.25, full_scale=1.0)
DEVICES = {"error_rate": np.linspace(0.0, 0.2, 30).reshape(3, 5, 2)[:, :1], "device_weight": (1.0, 2.0, 1.0)}
CASES = {
    "error-free": ({}, {}),
    "nearest": ({"rounding": "nearest", "code": "sign_magnitude"}, {}),
    "12 bits, Gray": ({"bits": 12, "code": "gray"}, {}),
    "signs": ({"network": "binarized", "bits": 1}, {}),
    "rate 0.005": ({}, {"error_rate": (0.005, 0.004)}),
    "rate 0.05": ({"code": "gray"}, {"error_rate": (0.05, 0.02)}),
    "rate 0.3, retries": ({"code": "offset_binary"}, {"error_rate": (0.3, 0.2), "retries": 1}),
    "devices": ({}, DEVICES),
}
DIGESTS = {
    "error-free": "be265b6de3056a34",
    "nearest": "934fba7a72ffae1a",
    "12 bits, Gray": "c73ed744e5616b56",
    "signs": "af9a0d488b8cddce",
    "rate 0.005": "51a7d1ada3586edb",
    "rate 0.05": "8b734e2e5c83fbe7",
    "rate 0.3, retries": "7390a072fa0f7030",
    "devices": "417a869093d56a4c",
}


def digest(plan, conditions):
    """Digest of the words at the end and of the counts of all writes."""
    draw = np.random.Generator(np.random.SFC64(7))
    images = (draw.integers(-64, 64, (IMAGES, PARAMETERS)) / 64).astype(np.float32)
    labels = np.zeros(IMAGES, dtype=np.int64)
    dataset = Dataset("targets", images, labels, images, labels, (1, PARAMETERS), 2)
    given = {
        "error_rate": (0.0, 0.0),
        "switching_energy_J": (1e-12, 1e-12),
        "redundant_energy_J": (1e-12, 1e-12),
    }
    result = train(
        dataset, dataclasses.replace(PLAN, **plan), WriteConditions(**{**given, **conditions}), seed=11
    )
    counts = np.stack(result.ledger.counts())
    content = result.words.astype("<u2").tobytes() + counts.astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.fixture(autouse=True)
def own_network(monkeypatch):
    monkeypatch.setattr(TrainingPlan, "network_for", lambda _plan, _dataset: Targets())


@pytest.mark.parametrize("case", CASES)
def test_words_are_what_they_were(case):
    assert digest(*CASES[case]) == DIGESTS[case]


if __name__ == "__main__":
    TrainingPlan.network_for = lambda _plan, _dataset: Targets()
    for name, (plan, conditions) in CASES.items():
        print(f'    "{name}": "{digest(plan, conditions)}",')
