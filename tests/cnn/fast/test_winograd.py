import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from mrnn_np.cnn.convolution import convolution
from mrnn_np.cnn.fast.registers import LANES
from mrnn_np.cnn.fast.winograd import (
    A_T,
    B_T,
    POINTS,
    TILE,
    G,
    input_transform,
    input_transform_plain,
    output_transform,
    output_transform_plain,
    transform_filters,
    winograd_plain,
)


def make(seed, count, height, width, c_in, c_out, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = (count, height, width, c_in), (3, 3, c_in, c_out), (c_out,)
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, weight, bias


def test_the_matrices_compute_a_one_dimensional_convolution():
    """F(4, 3): four outputs of a filter of three from six inputs, exactly."""
    d = np.array([3.0, -1, 4, 1, -5, 9])
    g = np.array([2.0, 7, -1])
    expected = [d[i : i + 3] @ g for i in range(4)]
    np.testing.assert_allclose(A_T @ ((G @ g) * (B_T @ d)), expected, rtol=1e-14)


def test_rows_of_g_are_values_of_polynomials():
    points = np.array([0.0, 1, -1, 2, -2])
    for row, p in zip(G, points, strict=False):
        others = points[points != p]
        expected = np.array([1, p, p**2]) / np.prod(p - others)
        np.testing.assert_allclose(row, expected, rtol=1e-14)
    np.testing.assert_array_equal(G[5], [0, 0, 1])


@settings(max_examples=25)
@given(
    st.integers(1, 2), st.integers(1, 10), st.integers(1, 10), st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from(["SAME", 1, 2, ((0, 2), (1, 0)), ((2, 0), (0, 3))]),
    st.sampled_from([None, "relu", "relu6"]),
)  # fmt: skip
def test_it_is_the_direct_convolution(
    count, height, width, c_in, c_out, padding, activation
):
    vertical, horizontal = {
        "SAME": (2, 2), 1: (2, 2), 2: (4, 4), ((0, 2), (1, 0)): (2, 1),
        ((2, 0), (0, 3)): (2, 3),
    }[padding]  # fmt: skip
    if height + vertical < 3 or width + horizontal < 3:
        return
    x, weight, bias = make(1, count, height, width, c_in, c_out)
    expected = convolution(x, weight, bias, 1, padding, 1, activation)
    got = winograd_plain(x, weight, bias, padding, activation)
    assert got.shape == expected.shape
    scale = np.abs(expected).max() + 1
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13 * scale)


@njit
def call_input_transform(memory, offsets, shift, out, plane):
    input_transform(memory, offsets, shift, out, plane)


@njit
def call_output_transform(memory, m, plane, offsets, shift, weights, bias, low, high):
    output_transform(memory, m, plane, offsets, shift, weights, bias, low, high)


def test_a_tile_goes_to_points_and_back_as_its_twins_say():
    """To the points and back by filters that copy the centre: nothing changes."""
    rng = np.random.default_rng(0)
    pixel, plane = 2 * LANES, 3 * LANES
    picture, points = 0, 100 * pixel
    memory = rng.standard_normal(points + POINTS * plane + 5000).astype(np.float32)
    offsets = rng.choice(100, POINTS, replace=False) * pixel + picture
    twin = memory.copy()
    call_input_transform(memory, offsets, LANES, points, plane)
    input_transform_plain(twin, offsets, LANES, points, plane)
    np.testing.assert_allclose(memory, twin, rtol=1e-5, atol=1e-5)
    tile = memory[offsets[:, None] + LANES + np.arange(LANES)].reshape(6, 6, LANES)

    centre = np.zeros((3, 3, 1, 1), np.float32)
    centre[1, 1] = 1
    factors = transform_filters(centre).ravel()
    for k in range(POINTS):
        memory[points + k * plane :][:LANES] *= factors[k]
    twin[:] = memory
    weights = rng.standard_normal(50).astype(np.float32)
    out = points + POINTS * plane + np.arange(TILE * TILE) * pixel
    rest = plane, out, LANES, weights, 7, np.float32(-0.5), np.float32(1.5)
    call_output_transform(memory, points, *rest)
    output_transform_plain(twin, points, *rest)
    np.testing.assert_allclose(memory, twin, rtol=1e-5, atol=1e-5)
    assert (memory[:points] == twin[:points]).all()
    got = memory[out[:, None] + LANES + np.arange(LANES)].reshape(TILE, TILE, LANES)
    expected = np.clip(tile[1:5, 1:5] + weights[7 : 7 + LANES], -0.5, 1.5)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_filters_of_another_type_are_transformed_in_double():
    weight = np.random.default_rng(0).standard_normal((3, 3, 2, 5), np.float32)
    got = transform_filters(weight)
    assert got.shape == (POINTS, 2, 5) and got.dtype == np.float32
    exact = G @ weight.astype(np.float64).transpose(2, 3, 0, 1) @ G.T
    expected = exact.reshape(2, 5, POINTS).transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
