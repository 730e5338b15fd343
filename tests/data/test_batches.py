"""Packed batches and how examples are shuffled into them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np import InputError
from mrnn_np.data.batches import Examples, ordered_batches, pack, shuffled_batches

S, E = 1, 2  # <start>, <end>


def test_pack_by_hand():
    # the example of the module's docstring: a 4, man 5, runs 6, dog 7
    batch = pack([[4], [4, 5, 6], [4, 7]], np.array([[10.0], [20.0], [30.0]]))
    assert batch.tokens.tolist() == [S, S, S, 4, 4, 4, 5, 7, 6]
    assert batch.targets.tolist() == [4, 4, 4, 5, 7, E, 6, E, E]
    assert batch.batch_sizes.tolist() == [3, 3, 2, 1]
    assert batch.sentence.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 0]
    assert batch.order.tolist() == [1, 2, 0]
    assert batch.features.ravel().tolist() == [20, 30, 10]
    assert batch.image.tolist() == [1, 2, 0]  # every one has its own
    shared = pack([[4], [4, 5, 6], [4, 7]], np.zeros((3, 1)), np.array([5, 8, 5]))
    assert shared.image.tolist() == [8, 5, 5]


@given(st.lists(st.lists(st.integers(4, 50), max_size=12), min_size=1, max_size=9))
def test_every_sentence_can_be_read_back(sentences):
    batch = pack(sentences, np.arange(len(sentences))[:, None])
    assert len(batch.tokens) == sum(len(ids) + 1 for ids in sentences)
    assert (np.diff(batch.batch_sizes) <= 0).all()
    for row, given_as in enumerate(batch.order):
        mine = batch.sentence == row
        assert batch.targets[mine].tolist() == [*sentences[given_as], E]
        assert batch.tokens[mine].tolist() == [S, *sentences[given_as]]
        assert batch.features[row, 0] == given_as


def test_bad_batches_are_refused():
    with pytest.raises(InputError, match="at least one"):
        pack([], np.zeros((0, 3)))
    with pytest.raises(InputError, match="2 sentences but 1"):
        pack([[4], [5]], np.zeros((1, 3)))


@given(st.integers(1, 70), st.integers(1, 9), st.integers(0, 5))
def test_each_example_is_in_exactly_one_batch(count, batch_size, seed):
    lengths = np.random.default_rng(seed).integers(1, 20, count)
    batches = shuffled_batches(lengths, batch_size, np.random.default_rng(seed), 3)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert max(map(len, batches)) <= batch_size
    ordered = list(ordered_batches(lengths, batch_size))
    assert sorted(np.concatenate(ordered).tolist()) == list(range(count))


def test_examples_are_shuffled_not_only_batches():
    lengths = np.full(64, 5)
    first, second = (
        {frozenset(rows) for rows in map(tuple, shuffled_batches(lengths, 8, rng))}
        for rng in map(np.random.default_rng, (0, 1))
    )
    assert not first & second


def test_batches_hold_similar_lengths():
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 30, 2000)
    ranges = [np.ptp(lengths[rows]) for rows in shuffled_batches(lengths, 50, rng, 16)]
    assert np.mean(ranges) < 6 < 20 < np.ptp(lengths[:50])


def test_examples_pick_the_feature_of_each_sentence():
    examples = Examples([[4, 5], [6], [7]], np.array([1, 0, 1]), np.array([[8.0], [9]]))
    assert examples.lengths().tolist() == [3, 2, 2]
    batch = examples.batch(np.array([1, 0]))
    assert batch.features.ravel().tolist() == [9, 8]
    assert batch.order.tolist() == [1, 0]
