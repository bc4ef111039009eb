import numpy as np
import pytest

from mtjchar.network.networks import Perceptron


def test_gradient_against_finite_differences():
    # Central differences in double precision: error of the order of h**2 and 1e-16 / h, h = 1e-6.
    rng = np.random.default_rng(3)
    images, labels = rng.random((9, 7)), rng.integers(0, 4, 9)
    parameters = rng.standard_normal(7 * 6 + 6 + 6 * 5 + 5 + 5 * 4 + 4)
    network = Perceptron((7, 6, 5, 4))
    _, gradient = network.loss_and_gradient(parameters, images, labels)
    numerical = np.empty_like(gradient)
    for index in range(len(parameters)):
        step = np.zeros_like(parameters)
        step[index] = 1e-6
        above, _ = network.loss_and_gradient(parameters + step, images, labels)
        below, _ = network.loss_and_gradient(parameters - step, images, labels)
        numerical[index] = (above - below) / 2e-6
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8)


def test_loss_and_gradient_of_a_network_that_knows_nothing():
    # Analytic: all probabilities 1/4, loss ln 4, bias gradient 1/4 minus the share of the class.
    parameters = np.zeros(3 * 2 + 2 + 2 * 4 + 4)
    labels = np.array([0, 0, 1, 2])
    loss, gradient = Perceptron((3, 2, 4)).loss_and_gradient(parameters, np.ones((4, 3)), labels)
    assert loss == pytest.approx(np.log(4), rel=1e-14)
    np.testing.assert_allclose(gradient[-4:], [-0.25, 0.0, 0.0, 0.25], atol=1e-16)
    np.testing.assert_array_equal(gradient[:-4], 0.0)


def test_softmax_does_not_overflow():
    # Analytic: scores of 0 and 1e4 give the losses 1e4 and 0.
    parameters = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1e4], dtype=np.float32)
    network = Perceptron((1, 1, 2))
    image = np.ones((1, 1), dtype=np.float32)
    for label, expected in ((0, 1e4), (1, 0.0)):
        loss, gradient = network.loss_and_gradient(parameters, image, np.array([label]))
        assert loss == expected
        assert np.isfinite(gradient).all()


def test_layers_are_views_in_order():
    parameters = np.arange(23.0)
    (weights, biases), (last_weights, last_biases) = Perceptron((4, 3, 2)).layers(parameters)
    np.testing.assert_array_equal(weights, np.arange(12.0).reshape(4, 3))
    np.testing.assert_array_equal(biases, [12, 13, 14])
    np.testing.assert_array_equal(last_weights, np.arange(15.0, 21.0).reshape(3, 2))
    np.testing.assert_array_equal(last_biases, [21, 22])
    assert all(np.shares_memory(view, parameters) for view in (weights, biases, last_weights, last_biases))


def test_initial_weights_have_the_variance_of_he():
    # Sum of squares over the variance is chi-square with n degrees of freedom, nearly normal for
    # n = 60,000: 6.2 deviations, false-alarm rate 6e-10.
    network = Perceptron((300, 200, 10))
    parameters = network.initial_parameters(np.random.default_rng(5))
    (weights, biases), _ = network.layers(parameters)
    assert np.mean(weights.astype(np.float64) ** 2) * 150 == pytest.approx(1.0, abs=6.2 * np.sqrt(2 / 60_000))
    np.testing.assert_array_equal(biases, 0.0)
