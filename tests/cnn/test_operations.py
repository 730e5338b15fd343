"""Single operations against PyTorch, loops and hand-worked cases.

The frozen numbers are made by tests/golden/make_cnn_operations.py.
"""

from pathlib import Path

import numpy as np
import operation_cases as cases
import pytest

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.convolution import convolution
from mrnn_np.cnn.operations import (
    apply,
    fully_connected,
    local_response_normalisation,
    relu,
    relu6,
)
from mrnn_np.cnn.pooling import adaptive_average_pool, average_pool, max_pool

GOLDEN = Path(__file__).parent.parent / "golden" / "cnn_operations.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


def close(got, expected):
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("number", range(len(cases.CONVOLUTIONS)))
def test_convolution_equals_pytorch(golden, number):
    stride, padding, groups = cases.CONVOLUTIONS[number][5:]
    x, weight, bias = cases.convolution_arrays(number)
    close(
        convolution(x, weight, bias, stride, padding, groups), golden[f"conv{number}"]
    )


@pytest.mark.parametrize("number", range(len(cases.POOLINGS)))
def test_pooling_equals_pytorch(golden, number):
    rest = cases.POOLINGS[number][2:]
    x = cases.pooling_array(number)
    close(max_pool(x, *rest), golden[f"max{number}"])
    close(average_pool(x, *rest), golden[f"average{number}"])
    close(average_pool(x, *rest, True), golden[f"average{number}_counted"])


@pytest.mark.parametrize("number", range(len(cases.GRIDS)))
def test_cells_of_a_grid_equal_pytorch(golden, number):
    x, cells = cases.grid_array(number), cases.GRIDS[number][2]
    close(adaptive_average_pool(x, cells), golden[f"grid{number}"])
    assert adaptive_average_pool(x.astype(np.float32), cells).dtype == np.float32


@pytest.mark.parametrize("number", range(len(cases.NORMALISATIONS)))
def test_normalisation_equals_pytorch_and_the_paper(golden, number):
    _, size, alpha, beta, k = cases.NORMALISATIONS[number]
    x = cases.normalisation_array(number)
    got = local_response_normalisation(x, size, alpha, beta, k)
    close(got, golden[f"lrn{number}"])
    channels = x.shape[-1]
    for c in range(channels):
        first, last = max(0, c - size // 2), min(channels - 1, c + size // 2)
        energy = sum(x[..., j] ** 2 for j in range(first, last + 1))
        close(got[..., c], x[..., c] / (k + alpha * energy) ** beta)


def test_rectifiers():
    x = np.array([-1, 0, 3, 6, 9, np.nan], np.float32)
    np.testing.assert_array_equal(relu(x), [0, 0, 3, 6, 9, np.nan])
    np.testing.assert_array_equal(relu6(x), [0, 0, 3, 6, 6, np.nan])
    assert relu(x).dtype == relu6(x).dtype == np.float32


def test_fully_connected_flattens_row_by_row():
    x = np.arange(8.0).reshape(1, 2, 2, 2)  # height, width, channels
    out = fully_connected(x, np.eye(8), np.full(8, -3.0), "relu")
    assert out.tolist() == [[0, 0, 0, 0, 1, 2, 3, 4]]
    with pytest.raises(ValueError, match="another size than the network"):
        fully_connected(x[:, :1], np.eye(8), np.zeros(8))


def test_a_layer_is_what_its_record_says():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1, 6, 6, 4))

    def run(op, *inputs, **settings):
        return apply(Layer("it", op, ("a",), **settings), list(inputs), {})

    close(run("add", x, y), x + y)
    assert run("concat", x, y).shape == (1, 6, 6, 8)
    assert run("dropout", x) is x and run("identity", x) is x
    close(run("relu", x), relu(x))
    close(run("relu6", 9 * x), relu6(9 * x))
    close(run("local_response_normalisation", x), local_response_normalisation(x))
    close(run("max_pool", x, kernel=3, stride=2, ceil=True), max_pool(x, 3, 2, 0, True))
    close(run("average_pool", x, kernel=3, padding=1), average_pool(x, 3, 1, 1))
    close(run("global_average_pool", x), x.mean((1, 2)))
    weights = {"it.weight": rng.standard_normal((3, 3, 2, 6)), "it.bias": np.ones(6)}
    layer = Layer("it", "convolution", ("a",), 6, 3, 2, 1, groups=2)
    close(
        apply(layer, [x], weights),
        convolution(x, weights["it.weight"], np.ones(6), 2, 1, 2),
    )
