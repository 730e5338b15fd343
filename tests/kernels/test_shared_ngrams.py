"""Shared n-grams: the compiled kernel against its plain twin."""

import itertools

import numpy as np
import pytest

from mrnn_np.kernels.ngrams import shared_ngrams, shared_ngrams_plain


def random_sentences(rng, count: int, grams: int):
    """Return starts, numbers, counts and orders; some sentences are empty."""
    sizes = rng.integers(0, 9, count)
    numbers = [rng.permutation(grams)[:size] for size in sizes]
    numbers = np.concatenate([np.empty(0, int), *numbers]).astype(np.int32)
    counts = rng.integers(1, 4, len(numbers)).astype(np.int32)
    orders = (numbers % 4).astype(np.int8)  # an n-gram has one order
    return np.cumsum([0, *sizes]), numbers, counts, orders


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_plain_twin(seed):
    rng = np.random.default_rng(seed)
    starts, numbers, counts, _ = random_sentences(rng, 7, 20)
    weights = rng.standard_normal(len(numbers))
    own = random_sentences(rng, 5, 30)  # some of its n-grams are nowhere else
    chosen = rng.integers(0, 7, 11)
    fast, plain = np.zeros((2, 5, 11, 4))
    own_starts, own_numbers, own_counts, own_orders = own
    for out, kernel in ((fast, shared_ngrams), (plain, shared_ngrams_plain)):
        kernel(
            out, starts, numbers, counts, weights, chosen, own_starts, own_numbers,
            own_counts, own_orders,
        )  # fmt: skip
    assert np.abs(plain).max() > 0
    np.testing.assert_allclose(fast, plain, atol=1e-12)


def test_a_part_of_the_sentences_and_no_sentence_at_all():
    rng = np.random.default_rng(0)
    starts, numbers, counts, orders = random_sentences(rng, 6, 10)
    weights = np.ones(len(numbers))
    everything = np.arange(6)
    whole, part = np.zeros((6, 6, 4)), np.zeros((2, 6, 4))
    common = (starts, numbers, counts, weights, everything)
    shared_ngrams(whole, *common, starts, numbers, counts, orders)
    shared_ngrams(part, *common, starts[2:5], numbers, counts, orders)
    np.testing.assert_array_equal(part, whole[2:4])
    # With itself a sentence shares all it has.
    own = whole[everything, everything].sum(axis=1)
    np.testing.assert_array_equal(
        own, [counts[a:b].sum() for a, b in itertools.pairwise(starts)]
    )
    nothing = np.zeros((6, 0, 4))
    shared_ngrams(nothing, *common[:4], everything[:0], starts, numbers, counts, orders)
