"""What becomes of a gradient, against formulas and slow references; state in MRAM; accumulation."""

import dataclasses
import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjchar.cli.training import OptimizerChoice
from mtjchar.errors import InputError
from mtjchar.network import networks, optimizers, scales, trainer
from mtjchar.network.datasets import Dataset
from mtjchar.network.encoding import FixedPoint
from mtjchar.network.ledger import WriteConditions, WriteLedger
from mtjchar.network.memory import ApproximateMemory, draw_devices
from mtjchar.network.networks import Perceptron
from mtjchar.network.optimizers import Adam, ApproximateState, GradientDescent, Momentum, OrdinaryState
from mtjchar.network.trainer import TrainingPlan, train

PLAN = TrainingPlan(hidden=(12,), epochs=2, batch_size=20, full_scale=1.0, learning_rate=0.1)


def conditions(rate, **more):
    return WriteConditions((rate, rate), (1.0e-12, 1.5e-12), (0.8e-12, 2.1e-12), **more)


@pytest.fixture(scope="module")
def blobs():
    """Three classes of 4 x 4 images: a pattern each and uniform noise; the last batch of 20 is short."""
    rng = np.random.default_rng(30)
    patterns = rng.random((3, 16)) < 0.5
    labels = rng.integers(0, 3, 510)
    images = (0.5 * patterns[labels] + 0.5 * rng.random((510, 16))).astype(np.float32)
    return Dataset("blobs", images[:410], labels[:410], images[410:], labels[410:], (4, 4), 3)


@pytest.mark.parametrize("module", [networks, optimizers, scales])
def test_examples_in_docstrings(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def steps(optimizer, gradients, rate):
    """Changes that an optimizer makes of gradients, float64."""
    changes = []
    for gradient in gradients:
        change = np.array(gradient, dtype=np.float32)
        optimizer.change(change, np.float32(rate))
        changes.append(change.astype(np.float64))
    return np.array(changes)


def slow_momentum(gradients, rate, momentum):
    """Sutskever et al. (2013), equations 1 and 2, a parameter at a time: the velocity has the rate in it."""
    changes = np.zeros_like(gradients)
    for k in range(gradients.shape[1]):
        velocity = 0.0
        for t, gradient in enumerate(gradients[:, k]):
            velocity = momentum * velocity - rate * gradient
            changes[t, k] = velocity
    return changes


def slow_adam(gradients, rate, betas, epsilon):
    """Kingma and Ba (2015), algorithm 1, a parameter at a time."""
    changes = np.zeros_like(gradients)
    for k in range(gradients.shape[1]):
        m = v = 0.0
        for t, gradient in enumerate(gradients[:, k], start=1):
            m = betas[0] * m + (1 - betas[0]) * gradient
            v = betas[1] * v + (1 - betas[1]) * gradient**2
            unbiased_m, unbiased_v = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
            changes[t - 1, k] = -rate * unbiased_m / (math.sqrt(unbiased_v) + epsilon)
    return changes


def test_the_command_line_offers_every_optimizer():
    assert tuple(choice.value for choice in OptimizerChoice) == optimizers.OPTIMIZERS
    assert set(optimizers.STATE_ROWS) == set(optimizers.OPTIMIZERS)


decays = st.floats(0.0, 0.99)
seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(seeds, decays, st.floats(1e-3, 1.0))
def test_momentum_is_that_of_the_slow_reference(seed, momentum, rate):
    gradients = np.random.default_rng(seed).normal(size=(20, 5)).astype(np.float32).astype(np.float64)
    changes = steps(Momentum(OrdinaryState(1, 5), momentum), gradients, rate)
    # float32: twenty sums, each rounded to 6e-8 of velocities of up to 100 gradients.
    expected = slow_momentum(gradients, float(np.float32(rate)), momentum)
    np.testing.assert_allclose(changes, expected, rtol=1e-5, atol=1e-5 * rate)


@settings(deadline=None)
@given(seeds, st.tuples(decays, st.floats(0.5, 0.999)), st.sampled_from([1e-8, 1e-3]))
def test_adam_is_that_of_the_slow_reference(seed, betas, epsilon):
    gradients = np.random.default_rng(seed).normal(size=(20, 5)).astype(np.float32).astype(np.float64)
    changes = steps(Adam(OrdinaryState(2, 5), betas, epsilon), gradients, 0.25)
    expected = slow_adam(gradients, 0.25, betas, epsilon)
    # float32; 1 - β2 of 0.999 is rounded to 6e-5 relative of itself and cancels with the bias correction.
    np.testing.assert_allclose(changes, expected, rtol=1e-4, atol=1e-5)


def minimized(optimizer, curvature, start, rate, updates):
    """Parameters of each update with the loss curvature * θ**2/2."""
    theta = np.array([start], dtype=np.float32)
    path = [start]
    for _ in range(updates):
        gradient = np.float32(curvature) * theta
        optimizer.change(gradient, np.float32(rate))
        theta = theta + gradient
        path.append(float(theta[0]))
    return np.array(path)


def test_gradient_descent_on_a_quadratic():
    # Closed form: θ_t = (1 - ηh)**t θ_0.
    path = minimized(GradientDescent(), curvature=2.0, start=3.0, rate=0.1, updates=30)
    np.testing.assert_allclose(path, 3.0 * 0.8 ** np.arange(31), rtol=1e-5)


@pytest.mark.parametrize(("momentum", "rate"), [(0.9, 0.1), (0.9, 0.001), (0.5, 1.0)])
def test_momentum_on_a_quadratic(momentum, rate):
    # Closed form (Polyak 1964): θ_{t+1} = (1 + μ - ηh) θ_t - μ θ_{t-1}, so that θ_t = a x**t + b y**t with x
    # and y the roots of z**2 - (1 + μ - ηh) z + μ; θ_0 = 3, θ_1 = (1 - ηh) θ_0. Complex roots: it swings.
    curvature, start = 2.0, 3.0
    x, y = np.roots([1.0, -(1.0 + momentum - rate * curvature), momentum]).astype(complex)
    a = (start * (1 - rate * curvature) - y * start) / (x - y)
    t = np.arange(41)
    expected = (a * x**t + (start - a) * y**t).real
    path = minimized(Momentum(OrdinaryState(1, 1), momentum), curvature, start, rate, 40)
    np.testing.assert_allclose(path, expected, atol=2e-5)


def test_adam_on_a_quadratic_reaches_the_minimum_by_steps_of_the_rate():
    # The first step is the rate whatever the gradient (Kingma and Ba 2015, section 2.1), and none is much
    # longer while the gradient falls.
    path = minimized(Adam(OrdinaryState(2, 1), (0.9, 0.999), 1e-8), 2.0, 3.0, rate=0.01, updates=1500)
    assert path[0] - path[1] == pytest.approx(0.01, rel=1e-5)
    assert np.abs(np.diff(path)).max() < 0.0101
    assert abs(path[-1]) < 1e-3


def test_adam_with_a_constant_gradient():
    # Closed form: both means over their bias corrections are those of the gradient, so that each step is
    # -α g/(|g| + ε).
    gradient = np.array([0.25, -3.0, 1e-3])
    changes = steps(Adam(OrdinaryState(2, 3), (0.9, 0.99), 0.01), np.tile(gradient, (50, 1)), 0.125)
    expected = np.tile(-0.125 * gradient / (np.abs(gradient) + 0.01), (50, 1))
    np.testing.assert_allclose(changes, expected, rtol=1e-5)


def approximate(rows, parameters, rate, *, code=None, rng=None):
    code = code or FixedPoint(8, full_scale=1.0)
    memory = ApproximateMemory(code.encode(np.zeros((rows, parameters))), code.bits)
    return ApproximateState(code, memory, conditions(rate), rng, np.random.default_rng(4))


def test_velocity_in_mram_is_what_was_written_and_rounded():
    # By hand, levels of 1/128, to the nearest: v = 0.3, held as 38/128; then 38/128/2 + 0.3, not rounded
    # before the step.
    state = approximate(1, 1, 0.0)
    changes = steps(Momentum(state, 0.5), [[0.3], [0.3]], 1.0)
    np.testing.assert_allclose(changes[:, 0], [-0.3, -(19 / 128 + 0.3)], rtol=1e-6)
    assert state.read()[0, 0] == round(128 * (19 / 128 + 0.3)) / 128


def test_velocity_that_cannot_be_written_stays_zero():
    state = approximate(1, 3, 1.0)
    changes = steps(Momentum(state, 0.9), np.full((5, 3), 0.25), 1.0)
    np.testing.assert_array_equal(changes, -0.25)
    np.testing.assert_array_equal(state.ledger.failed, state.ledger.switching)


def test_adam_s_root_below_a_level_counts_as_a_level():
    # A root of 0: the ratio is that of the mean to a level, 1/128, at least, with ε below it.
    state = approximate(2, 1, 1.0)
    changes = steps(Adam(state, (0.0, 0.0), 1e-8), [[0.25], [0.25]], 1.0)
    np.testing.assert_allclose(changes[:, 0], -0.25 / (0.25 + 1 / 128), rtol=1e-6)


@pytest.mark.parametrize(("name", "rows"), [("momentum", 1), ("adam", 2)])
def test_state_in_mram_has_an_account_of_its_own_that_is_added(blobs, name, rows):
    plan = dataclasses.replace(PLAN, optimizer=name, learning_rate=0.01, state_full_scale=0.5, code="gray")
    here = conditions(0.02)
    result = train(blobs, plan, here, seed=1)
    bits = result.words.size * plan.bits * result.updates
    state, ledger = result.state_ledger, result.ledger
    assert state.switching.sum() + state.redundant.sum() == rows * bits
    assert ledger.switching.sum() + ledger.redundant.sum() == (1 + rows) * bits
    assert 0 < state.failed.sum() < ledger.failed.sum()
    assert result.programming_energy_J == ledger.energy_J(here)
    without = train(blobs, dataclasses.replace(plan, state_full_scale=None), here, seed=1)
    assert without.state_ledger == WriteLedger.empty(plan.bits)
    assert without.ledger.switching.sum() + without.ledger.redundant.sum() == bits


def test_cells_of_a_state_are_devices_of_their_own(blobs, monkeypatch):
    drawn = []

    def recorded(*arguments):
        drawn.append(draw_devices(*arguments))
        return drawn[-1]

    monkeypatch.setattr(trainer, "draw_devices", recorded)
    # Half of the devices never switch.
    rates = np.array([0.0, 1.0]).reshape(2, 1, 1) * np.ones((1, 1, 2))
    here = WriteConditions(rates, (1e-12, 1e-12), (1e-12, 1e-12), device_weight=(1.0, 1.0))
    plan = dataclasses.replace(PLAN, optimizer="adam", learning_rate=0.01, epochs=1)
    train(blobs, plan, here, seed=2)
    result = train(blobs, dataclasses.replace(plan, state_full_scale=0.5), here, seed=2)
    words = result.words.size
    assert [devices.shape for devices in drawn] == [(words, 8), (words, 8), (2 * words, 8)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert 0.3 < result.state_ledger.failed.sum() / result.state_ledger.switching.sum() < 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "momentum", "learning_rate": 0.03},
        {"optimizer": "adam", "learning_rate": 0.01},
        {"optimizer": "momentum", "learning_rate": 0.03, "state_full_scale": 0.5},
        {"optimizer": "adam", "learning_rate": 0.01, "state_full_scale": 0.25, "code": "gray"},
    ],
)
def test_every_optimizer_learns_and_repeats_itself(blobs, change):
    # Regression: at least 0.98 with these seeds.
    plan = dataclasses.replace(PLAN, **change, epochs=6)
    first, again = (train(blobs, plan, conditions(0.01), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.words, again.words)
    assert first.ledger == again.ledger
    assert first.test_accuracy > 0.9


def test_plain_steps_and_no_momentum_are_the_same(blobs):
    plain, still = (
        train(blobs, dataclasses.replace(PLAN, **change), conditions(0.05), seed=4)
        for change in ({}, {"optimizer": "momentum", "momentum": 0.0})
    )
    np.testing.assert_array_equal(plain.words, still.words)


def test_accumulated_batches_are_one_large_batch(blobs):
    # 410 images: 21 batches of 20, the last of 10. Four of them are a batch of 80, in the same order; sums
    # differ by the rounding of float32, which moves a level now and then. Rounding draws are the same.
    plan = dataclasses.replace(PLAN, epochs=1)
    parts = train(blobs, dataclasses.replace(plan, accumulate=4), conditions(0.0), seed=5)
    whole = train(blobs, dataclasses.replace(plan, batch_size=80), conditions(0.0), seed=5)
    assert (parts.updates, parts.batches, parts.images) == (6, 21, 410)
    assert (whole.updates, whole.batches, whole.images) == (6, 6, 410)
    assert np.mean(parts.words != whole.words) < 0.02
    assert parts.train_loss == pytest.approx(whole.train_loss, rel=1e-3)


def test_accumulated_gradient_is_the_mean_over_all_images(blobs):
    # One update of everything, short last batch included, against a single gradient; 16 bits show small
    # steps, and no weight saturates.
    plan = dataclasses.replace(PLAN, epochs=1, bits=16, accumulate=100, rounding="nearest", full_scale=4.0)
    result = train(blobs, plan, conditions(0.0), seed=6)
    assert (result.updates, result.batches) == (1, 21)
    network, code = plan.network_for(blobs), plan.fixed_point()
    init_rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(6).spawn(5)[0]))
    start = code.decode(code.encode(network.initial_parameters(init_rng)))
    _, gradient = network.loss_and_gradient(
        start.astype(np.float64), blobs.train_images.astype(np.float64), blobs.train_labels
    )
    expected = start - plan.learning_rate * gradient
    assert np.abs(code.decode(result.words) - expected).max() < 0.51 * code.lsb


def test_passes_and_updates_are_counted(blobs):
    calls = []

    class Counting(Perceptron):
        def loss_and_gradient(self, parameters, images, labels):
            calls.append(len(images))
            return super().loss_and_gradient(parameters, images, labels)

    plan = dataclasses.replace(PLAN, accumulate=2, epochs=3)
    result = train(blobs, plan, conditions(0.0), seed=7, network=Counting((16, 12, 3)))
    assert (result.batches, result.images) == (len(calls), sum(calls)) == (63, 3 * 410)
    assert result.updates == 3 * 11


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "adagrad"}, "optimizer: got 'adagrad'; allowed: sgd, momentum, adam"),
        ({"momentum": 1.0}, "momentum: got 1.0; allowed: 0 or more, below 1"),
        ({"betas": (0.9, -0.1)}, r"betas: got \(0.9, -0.1\); allowed: 0 or more, below 1"),
        ({"betas": (0.9,)}, r"betas: got \(0.9,\); allowed: two numbers"),
        ({"epsilon": float("nan")}, "epsilon: got nan; allowed: finite, 0 or more"),
        ({"accumulate": 0}, "accumulate: got 0; allowed: 1 or more"),
        ({"state_full_scale": 0.5}, "state_full_scale: got 0.5; allowed: None for 'sgd'"),
        ({"optimizer": "adam", "state_full_scale": 0.0}, "full_scale: got 0.0"),
        (
            {"network": "binarized", "bits": 1, "optimizer": "momentum", "state_full_scale": 0.5},
            "state_full_scale: got 0.5; allowed: None .* binarized",
        ),
    ],
)
def test_plans_out_of_range(change, message):
    with pytest.raises(InputError, match=message):
        TrainingPlan(**change)
