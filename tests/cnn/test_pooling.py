import numpy as np
import pytest

from mrnn_np.cnn.pooling import average_pool, global_average_pool, max_pool


def test_by_hand():
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    assert max_pool(x, 2, 2).ravel().tolist() == [5]
    assert max_pool(x, 2, 2, ceil=True).ravel().tolist() == [5, 6, 8, 9]
    assert average_pool(x, 2, 2, ceil=True).ravel().tolist() == [3, 4.5, 7.5, 9]
    # The corner window of padding 1 sees one pixel and three zeros of padding.
    assert average_pool(x, 2, 2, 1)[0, 0, 0, 0] == 1
    assert average_pool(x, 2, 2, 1, count_padding=True)[0, 0, 0, 0] == 0.25
    assert global_average_pool(x).tolist() == [[5]]


def test_padding_never_wins():
    x = np.full((1, 2, 2, 1), -7.0)
    assert (max_pool(x, 3, 1, 1) == -7).all()
    assert (average_pool(x, 3, 1, 1) == -7).all()


def test_a_constant_map_stays_constant_and_dtype_is_kept():
    x = np.full((2, 7, 6, 3), 1.5, np.float32)
    for pool in (max_pool, average_pool):
        out = pool(x, 3, 2, "SAME")
        assert out.dtype == np.float32 and out.shape == (2, 4, 3, 3)
        assert (out == 1.5).all()


def test_not_a_number_is_passed_on():
    x = np.zeros((1, 4, 4, 2))
    x[0, 0, 0, 1] = np.nan
    out = max_pool(x, 2, 2)
    assert np.isnan(out[0, 0, 0, 1]) and np.isnan(out).sum() == 1


def test_a_window_that_does_not_fit():
    with pytest.raises(ValueError, match="window of 4 does not fit"):
        max_pool(np.zeros((1, 3, 3, 1)), 4, 1)
