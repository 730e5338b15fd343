import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrnn_np.kernels import winograd as module
from mrnn_np.kernels.convolution import convolution_plain
from mrnn_np.kernels.winograd import (
    A_T,
    B_T,
    LANES,
    G,
    transform_filters,
    winograd,
    winograd_plain,
    worth_while,
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


def test_one_filter_that_copies_its_centre():
    x, weight, _ = make(0, 1, 7, 5, LANES, LANES)
    weight[:] = 0
    weight[1, 1] = np.eye(LANES)
    bias = np.full(LANES, 0.5)
    out = winograd(x, transform_filters(weight), bias, 1)
    np.testing.assert_allclose(out, x + 0.5, atol=1e-13)


@settings(max_examples=25)
@given(
    st.integers(1, 2), st.integers(1, 10), st.integers(1, 10),
    st.sampled_from([16, 17, 33, 50]), st.sampled_from([16, 45]),
    st.sampled_from(["SAME", 1, 2, ((0, 2), (1, 0)), ((2, 0), (0, 3))]),
    st.sampled_from([None, "relu", "relu6"]), st.sampled_from([1, 20, 1000]),
)  # fmt: skip
def test_it_is_the_direct_convolution(
    count, height, width, c_in, c_out, padding, activation, tiles
):
    sides = (2, 2) if padding in ("SAME", 1) else None
    vertical, horizontal = sides or {
        2: (4, 4), ((0, 2), (1, 0)): (2, 1), ((2, 0), (0, 3)): (2, 3),
    }[padding]  # fmt: skip
    if height + vertical < 3 or width + horizontal < 3:
        return
    x, weight, bias = make(1, count, height, width, c_in, c_out)
    expected = convolution_plain(x, weight, bias, 1, padding, 1, activation)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEWEST_TILES", tiles)
        got = winograd(x, transform_filters(weight), bias, padding, activation)
    plain = winograd_plain(x, weight, bias, padding, activation)
    for result in (got, plain):
        assert result.shape == expected.shape
        scale = np.abs(expected).max() + 1
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13 * scale)


def test_rounding_in_float32():
    """Even over many channels the error stays far below 1e-4 of the largest output."""
    x, weight, bias = make(2, 1, 8, 8, 256, 32, np.float32)
    exact = convolution_plain(*(a.astype(np.float64) for a in (x, weight, bias)), 1, 1)
    got = winograd(x, transform_filters(weight), bias, 1)
    assert got.dtype == np.float32
    assert np.abs(got - exact).max() < 2e-5 * np.abs(exact).max()


def test_input_is_left_alone_and_may_be_a_view():
    x, weight, bias = make(3, 2, 6, 5, 32, 32, np.float32)
    before, filters = x.copy(), transform_filters(weight)
    out = winograd(x, filters, bias, "SAME", "relu")
    np.testing.assert_array_equal(x, before)
    turned = np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(winograd(turned, filters, bias, "SAME", "relu"), out)


def test_a_nan_spreads_no_further_than_its_tiles():
    x, weight, bias = make(4, 1, 12, 12, 32, 32)
    x[0, 0, 0, 0] = np.nan
    out = winograd(x, transform_filters(weight), bias, 1, "relu")
    assert np.isnan(out[0, :4, :4]).all() and np.isfinite(out[0, 4:, 4:]).all()


def test_what_it_refuses():
    x, weight, bias = make(5, 1, 5, 5, 32, 32)
    filters = transform_filters(weight)
    with pytest.raises(ValueError, match="31 channels"):
        winograd(x[..., :31], filters, bias)
    with pytest.raises(ValueError, match="16 at least"):
        winograd(x, filters[..., :8], bias[:8])
    with pytest.raises(ValueError, match="does not fit"):
        winograd(x[:, :2], filters, bias)


def test_the_choice_depends_on_shapes():
    assert worth_while(3136, 64, 64) and worth_while(49, 512, 512)
    assert worth_while(16, 64, 256) and not worth_while(16, 512, 512)
    assert not worth_while(3136, 3, 64)
