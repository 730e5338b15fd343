import numpy as np
import pytest

from mrnn_np.cnn import fold_batch_norm
from mrnn_np.cnn.convolution import convolution, depthwise
from mrnn_np.cnn.operations import fully_connected


@pytest.mark.parametrize(
    "layer, shape, x_shape",
    [
        (convolution, (3, 3, 4, 6), (2, 5, 5, 4)),
        (depthwise, (3, 3, 6), (2, 5, 5, 6)),
        (fully_connected, (7, 6), (3, 7)),
    ],
)
@pytest.mark.parametrize("with_bias", [True, False])
def test_one_layer_does_what_two_did(layer, shape, x_shape, with_bias):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal(x_shape), rng.standard_normal(shape)
    bias, gamma, beta, mean = rng.standard_normal((4, 6))
    variance = rng.uniform(0.01, 2, 6)
    z = layer(x, weight, bias if with_bias else np.zeros(6))
    expected = gamma * (z - mean) / np.sqrt(variance + 1e-3) + beta
    folded = fold_batch_norm(
        weight, bias if with_bias else None, gamma, beta, mean, variance, 1e-3
    )
    np.testing.assert_allclose(layer(x, *folded), expected, rtol=1e-12, atol=1e-12)


def test_float32_stays_float32_but_is_computed_wider():
    one = np.ones(2, np.float32)
    weight, bias = fold_batch_norm(one[None], None, one, one, one, 0 * one, 1e-12)
    assert weight.dtype == bias.dtype == np.float32
    np.testing.assert_array_equal(weight, [[1e6, 1e6]])
