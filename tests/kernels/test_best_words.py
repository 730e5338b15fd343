"""The kernel that picks the best words of a row, against a stable sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.kernels.best_words import GROUP, best_words, best_words_plain


def both(logits, bias, first, k):
    found = []
    for function in (best_words, best_words_plain):
        values = np.empty((len(logits), k), logits.dtype)
        words = np.empty((len(logits), k), np.int64)
        function(logits, bias, first, values, words)
        found.append((values, words))
    return found


@given(st.data())
def test_equals_a_stable_sort_with_many_equal_values(data):
    V = data.draw(st.integers(2, 3 * GROUP))
    first = data.draw(st.integers(0, V - 1))
    k = data.draw(st.integers(1, V - first))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    levels = data.draw(st.sampled_from([2, 5, 1000]))
    logits = rng.integers(levels, size=(3, V)).astype(np.float32)
    bias = rng.integers(levels, size=V).astype(np.float32)
    (values, words), (expected, expected_words) = both(logits, bias, first, k)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(words, expected_words)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rising_and_falling_rows(order, dtype):
    row = np.arange(100, dtype=dtype)[None, ::order]
    (values, words), _ = both(row.copy(), np.zeros(100, dtype), 4, 3)
    best = [99, 98, 97] if order > 0 else [95, 94, 93]
    np.testing.assert_array_equal(values, [best])
    np.testing.assert_array_equal(words, [[99, 98, 97] if order > 0 else [4, 5, 6]])


def test_words_that_cannot_come_stay_minus_infinity():
    row = np.full((1, 50), -np.inf, np.float32)
    row[0, 40] = 1
    (values, words), _ = both(row, np.zeros(50, np.float32), 4, 3)
    np.testing.assert_array_equal(values, [[1, -np.inf, -np.inf]])
    assert words[0, 0] == 40
