import itertools

import numpy as np
import pytest

from mrnn_np.cnn.convolution import add_bias, convolution, depthwise


def by_loops(x, weight, bias, stride, padding, groups=1):
    """The equation, with explicit padding; stride is one number."""
    kh, kw, c_in, c_out = weight.shape
    (top, bottom), (left, right) = padding
    height = (x.shape[1] + top + bottom - kh) // stride + 1
    width = (x.shape[2] + left + right - kw) // stride + 1
    out = np.zeros((len(x), height, width, c_out))
    for n, y, column, o in itertools.product(*map(range, out.shape)):
        out[n, y, column, o] = bias[o]
        group = o // (c_out // groups)
        for i, j, c in itertools.product(range(kh), range(kw), range(c_in)):
            row, col = y * stride + i - top, column * stride + j - left
            if 0 <= row < x.shape[1] and 0 <= col < x.shape[2]:
                pixel = x[n, row, col, group * c_in + c]
                out[n, y, column, o] += pixel * weight[i, j, c, o]
    return out


def arrays(seed, *shapes, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 2), (2, 0))])
@pytest.mark.parametrize("groups", [1, 2])
def test_it_is_the_equation(stride, padding, groups):
    x, weight, bias = arrays(0, (2, 5, 4, 4), (3, 2, 4 // groups, 6), (6,))
    expected = by_loops(x, weight, bias, stride, padding, groups)
    got = convolution(x, weight, bias, stride, padding, groups)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    weight = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    # Every pixel minus the one below and to the right of it: always -4; bias 5.
    out = convolution(x, weight, np.array([5.0]))
    np.testing.assert_array_equal(out, np.ones((1, 2, 2, 1)))


def test_it_is_linear_and_moves_with_the_picture():
    x, other, weight = arrays(2, (1, 8, 8, 2), (1, 8, 8, 2), (3, 3, 2, 4))
    none = np.zeros(4)
    total = convolution(x + 2 * other, weight, none)
    parts = convolution(x, weight, none) + 2 * convolution(other, weight, none)
    np.testing.assert_allclose(total, parts, atol=1e-12)
    moved = convolution(np.roll(x, 2, axis=1), weight, none)
    np.testing.assert_allclose(
        moved[:, 2:], convolution(x, weight, none)[:, :-2], atol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", [1, 3])
def test_dtype_and_input_are_left_alone(dtype, kernel):
    x, weight, bias = arrays(3, (2, 6, 5, 3), (kernel, kernel, 3, 4), (4,), dtype=dtype)
    before = x.copy()
    out = convolution(x, weight, bias, 1, "SAME", 1, "relu")
    assert out.dtype == dtype and out.shape == (2, 6, 5, 4)
    np.testing.assert_array_equal(x, before)
    turned = np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(
        convolution(turned, weight, bias, 1, "SAME", 1, "relu"), out, rtol=1e-5
    )


def test_channels_that_do_not_fit():
    x, weight, bias = arrays(4, (1, 4, 4, 3), (3, 3, 2, 4), (4,))
    with pytest.raises(ValueError, match="3 channels in 1 group"):
        convolution(x, weight, bias)
    with pytest.raises(ValueError, match="does not fit"):
        convolution(x[..., :2], np.zeros((5, 5, 2, 4)), bias)


# --- depthwise: a convolution with as many groups as channels ------------------------


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (2, 4)])
@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", 3, ((0, 2), (1, 0))])
@pytest.mark.parametrize("activation", [None, "relu6"])
def test_depthwise_is_a_convolution_in_groups_of_one(
    kernel, stride, padding, activation
):
    x, weight, bias = arrays(5, (2, 6, 7, 5), (*kernel, 5), (5,))
    x *= 4
    expected = convolution(x, weight[:, :, None], bias, stride, padding, 5, activation)
    got = depthwise(x, weight, bias, stride, padding, activation)
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


def test_depthwise_keeps_float32_and_checks_channels():
    x, weight, bias = arrays(6, (1, 4, 4, 3), (3, 3, 3), (3,), dtype=np.float32)
    assert depthwise(x, weight, bias).dtype == np.float32
    with pytest.raises(ValueError, match="3 channels, but weights for 2"):
        depthwise(x, weight[..., :2], bias[:2])


# --- bias and activation --------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, "relu", "relu6"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bias_and_activation(activation, dtype):
    rows, bias = arrays(7, (20, 5), (5,), dtype=dtype)
    rows *= 8
    rows[3, 2] = np.nan
    before = rows.copy()
    got = add_bias(rows, bias, activation)
    assert got.dtype == dtype and np.isnan(got[3, 2])
    low, high = {None: (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}[
        activation
    ]
    for p, c in itertools.product(range(20), range(5)):
        if (p, c) != (3, 2):
            assert got[p, c] == min(max(rows[p, c] + bias[c], low), high)
    np.testing.assert_array_equal(rows, before)
