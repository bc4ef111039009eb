import numpy as np
import pytest

from mtjchar.errors import InputError
from mtjchar.network.networks import ConvolutionalNetwork, Perceptron


def numerical_gradient(network, parameters, images, labels):
    """Central differences in double precision: error of the order of h**2 and 1e-16 / h, h = 1e-6."""
    numerical = np.empty_like(parameters)
    for index in range(len(parameters)):
        step = np.zeros_like(parameters)
        step[index] = 1e-6
        above, _ = network.loss_and_gradient(parameters + step, images, labels)
        below, _ = network.loss_and_gradient(parameters - step, images, labels)
        numerical[index] = (above - below) / 2e-6
    return numerical


def test_gradient_against_finite_differences():
    rng = np.random.default_rng(3)
    images, labels = rng.random((9, 7)), rng.integers(0, 4, 9)
    parameters = rng.standard_normal(7 * 6 + 6 + 6 * 5 + 5 + 5 * 4 + 4)
    network = Perceptron((7, 6, 5, 4))
    _, gradient = network.loss_and_gradient(parameters, images, labels)
    numerical = numerical_gradient(network, parameters, images, labels)
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


class TestConvolutional:
    # Odd sizes: 7 x 5 pixels, pooled to 3 x 2 and 1 x 1.
    NETWORK = ConvolutionalNetwork((7, 5), (2, 3), 4)

    def parameters(self, rng):
        # More positive than negative ones: no channel stays dark, which would have no derivative.
        return 0.2 + 0.5 * rng.standard_normal(self.NETWORK.parameters)

    def test_number_of_parameters_and_layers(self):
        # Analytic: 3 x 3 kernels with biases, then the last layer.
        assert self.NETWORK.parameters == (9 * 2 + 2) + (9 * 2 * 3 + 3) + (3 * 4 + 4)
        layers = self.NETWORK.layers(np.zeros(self.NETWORK.parameters))
        assert [weights.shape for weights, _ in layers] == [(2, 1, 3, 3), (3, 2, 3, 3), (3, 4)]
        assert [biases.shape for _, biases in layers] == [(2,), (3,), (4,)]

    def test_scores_against_loops(self):
        # The definition, a pixel at a time.
        rng = np.random.default_rng(31)
        parameters, images = self.parameters(rng), rng.random((3, 35))
        *kernels, (weights, biases) = self.NETWORK.layers(parameters)
        for image, scores in zip(images, self.NETWORK.class_scores(parameters, images), strict=True):
            maps = image.reshape(1, 7, 5)
            for kernel, kernel_biases in kernels:
                maps = convolve_by_loops(maps, kernel) + kernel_biases[:, None, None]
                maps = pool_by_loops(np.maximum(maps, 0.0))
            np.testing.assert_allclose(scores, maps.reshape(-1) @ weights + biases, rtol=1e-13, atol=1e-13)

    def test_gradient_against_finite_differences(self):
        rng = np.random.default_rng(37)
        parameters, images, labels = self.parameters(rng), rng.random((20, 35)), rng.integers(0, 4, 20)
        _, gradient = self.NETWORK.loss_and_gradient(parameters, images, labels)
        numerical = numerical_gradient(self.NETWORK, parameters, images, labels)
        np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8)
        assert np.count_nonzero(gradient) > 0.9 * len(gradient)

    def test_of_equally_large_pixels_one_has_the_derivative(self):
        # Analytic: dark images, positive biases; the bias of the one convolution acts through 1 of 4 pixels.
        network = ConvolutionalNetwork((2, 2), (1,), 2)
        parameters = np.zeros(network.parameters)
        layers = network.layers(parameters)
        layers[0][1][:] = 1.0
        layers[1][0][:] = [[2.0, 0.0]]
        _, gradient = network.loss_and_gradient(parameters, np.zeros((1, 4)), np.array([1]))
        # Derivative of the loss with respect to the scores: p and -p with p = 1/(1 + exp(-2)).
        assert network.layers(gradient)[0][1][0] == pytest.approx(2.0 / (1.0 + np.exp(-2.0)), rel=1e-14)

    def test_scores_of_many_images_are_those_of_each(self):
        rng = np.random.default_rng(33)
        parameters, images = self.parameters(rng), rng.random((1203, 35))
        scores = self.NETWORK.class_scores(parameters, images)
        assert scores.shape == (1203, 4)
        np.testing.assert_allclose(
            scores[[0, 499, 500, 1202]],
            self.NETWORK.class_scores(parameters, images[[0, 499, 500, 1202]]),
            rtol=1e-12,
        )

    def test_initial_weights_have_the_variance_of_he(self):
        # As for the perceptron: n = 9 * 64 * 128 = 73,728, 6.2 deviations, false-alarm rate 6e-10.
        network = ConvolutionalNetwork((8, 8), (64, 128), 2)
        layers = network.layers(network.initial_parameters(np.random.default_rng(34)))
        weights = layers[1][0].astype(np.float64)
        assert np.mean(weights**2) * 288 == pytest.approx(1.0, abs=6.2 * np.sqrt(2 / 73_728))
        assert all(not biases.any() for _, biases in layers)

    def test_images_that_are_too_small(self):
        with pytest.raises(InputError, match=r"shape of the images: got \(3, 9\); allowed: 4 rows"):
            ConvolutionalNetwork((3, 9), (2, 3), 4)


def convolve_by_loops(maps, kernel):
    _, rows, columns = maps.shape
    result = np.zeros((len(kernel), rows, columns))
    for row in range(rows):
        for column in range(columns):
            for i in range(3):
                for j in range(3):
                    y, x = row + i - 1, column + j - 1
                    if 0 <= y < rows and 0 <= x < columns:
                        result[:, row, column] += kernel[:, :, i, j] @ maps[:, y, x]
    return result


def pool_by_loops(maps):
    channels, rows, columns = maps.shape
    result = np.empty((channels, rows // 2, columns // 2))
    for row in range(rows // 2):
        for column in range(columns // 2):
            result[:, row, column] = maps[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max(
                axis=(1, 2)
            )
    return result
