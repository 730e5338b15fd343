import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrnn_np.kernels import bottleneck as module
from mrnn_np.kernels.bottleneck import (
    Filters,
    bottleneck,
    bottleneck_plain,
    worth_strips,
)
from mrnn_np.kernels.room import Room


def make(seed, count, height, width, kernel, expands, dtype=np.float64):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.standard_normal(shape).astype(dtype)

    x = draw(count, height, width, 3 if expands else 7)
    expand = Filters(draw(1, 1, 3, 7), draw(7), "relu6") if expands else None
    filters = Filters(draw(*kernel, 7), draw(7), "relu")
    return x, expand, filters, Filters(draw(1, 1, 7, 5), draw(5))


@settings(max_examples=60)
@given(
    st.integers(1, 3), st.integers(1, 12), st.integers(1, 11),
    st.sampled_from([(1, 1), (3, 3), (5, 5), (2, 4)]),
    st.sampled_from([1, 2, 3, (2, 1)]), st.booleans(), st.integers(1, 5),
    st.sampled_from(["SAME", ((2, 2), (2, 2)), ((0, 4), (5, 1))]),
)  # fmt: skip
def test_strips_of_any_height_give_what_the_layers_give(
    count, height, width, kernel, stride, expands, lines, padding
):
    block = make(0, count, height, width, kernel, expands)
    expected = bottleneck_plain(*block, stride, padding)
    room = Room()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 1)
        patch.setattr(module, "FEWEST_ROWS", lines * expected.shape[2])
        for _ in range(2):  # the second time in memory that was used before
            got = bottleneck(*block, stride, padding, room)
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
            del got


def test_float32_stays_float32_and_a_nan_a_nan():
    x, *rest = make(1, 1, 9, 6, (3, 3), True, np.float32)
    x[0, 8, 5] = np.nan
    got = bottleneck(x, *rest, 1, 1)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, bottleneck_plain(x, *rest, 1, 1), atol=2e-4)
    assert np.isnan(got[0, 7:, 4:]).all() and np.isfinite(got[0, :7]).all()


def test_the_input_may_be_a_view_and_is_left_alone():
    x, *rest = make(2, 2, 6, 8, (3, 3), True)
    turned = np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    before = turned.copy()
    np.testing.assert_array_equal(
        bottleneck(turned, *rest, 1, "SAME"), bottleneck(x, *rest, 1, "SAME")
    )
    np.testing.assert_array_equal(turned, before)


def test_a_window_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        bottleneck(*make(3, 1, 2, 5, (3, 3), False), 1, 0)


def test_only_large_maps_are_worth_it():
    x, _, filters, _ = make(4, 1, 2, 2, (3, 3), False, np.float32)
    assert not worth_strips(x, filters)
    assert worth_strips(np.empty((1, 200, 200, 3), np.float32), filters)
