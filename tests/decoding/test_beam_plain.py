"""The fast beam search and its parts, against the page that says what they do."""

import numpy as np
import pytest

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.decoding import beam_search, greedy_search, next_words
from mrnn_np.decoding.beam_plain import beam_search_plain
from mrnn_np.decoding.next_words import best_next_plain
from mrnn_np.models import MRNN, Ensemble, MRNNConfig


def random_model(words: int, seed: int, dtype=np.float64) -> MRNN:
    """Return an untrained model with opinions, which ends a sentence now and then."""
    rng = np.random.default_rng(seed)
    names = [*SPECIALS, *(f"w{i}" for i in range(words))]
    config = MRNNConfig(
        image_size=5, embedding_size=6, recurrent_size=7, multimodal_size=8
    )
    vocabulary = Vocabulary(names, np.ones(len(names), int))
    model = MRNN(config, vocabulary, rng, dtype=dtype)
    model.params["Wo"] = rng.normal(0, 0.6, (8, len(names))).astype(dtype)
    return model


def images(count: int, seed: int, dtype=np.float64) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 5)).astype(dtype)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.5])
@pytest.mark.parametrize(
    ("beam_size", "n_best", "max_length"),
    [(1, 1, 6), (2, 1, 9), (4, 1, 1), (4, 2, 9), (5, 5, 7), (30, 8, 5)],
)
def test_the_fast_search_finds_what_the_plain_one_finds(
    beam_size, n_best, max_length, penalty
):
    for seed in range(3):
        model = random_model(9, seed)
        features = images(6, seed)
        options = (beam_size, max_length, penalty, n_best)
        fast = beam_search(model, features, *options)
        for found, feature in zip(fast, features, strict=True):
            expected = beam_search_plain(model, feature, *options)
            assert [c.tokens for c in found] == [c.tokens for c in expected]
            np.testing.assert_allclose(
                [c.log_prob for c in found], [c.log_prob for c in expected]
            )


def test_ties_go_to_the_first_sentence_and_the_first_word():
    model = random_model(6, 0)
    model.params["Wo"][:] = 0  # every word is as likely as any other
    model.params["bo"][:] = 0
    for n_best in (1, 4):
        (found,) = beam_search(model, images(1, 0), 4, 3, 0.0, n_best)
        expected = beam_search_plain(model, images(1, 0)[0], 4, 3, 0.0, n_best)
        assert [c.tokens for c in found] == [c.tokens for c in expected]


def test_an_ensemble_is_searched_in_the_same_way():
    both = Ensemble([random_model(9, 1), random_model(9, 2)])
    features = images(4, 1)
    for found, feature in zip(
        beam_search(both, features, 3, 6, n_best=3), features, strict=True
    ):
        expected = beam_search_plain(both, feature, 3, 6, n_best=3)
        assert [c.tokens for c in found] == [c.tokens for c in expected]


def test_no_image_no_caption():
    assert beam_search(random_model(3, 0), np.zeros((0, 5)), 3) == []


@pytest.mark.parametrize("k", [1, 4, 100])
def test_best_next_is_step_and_a_sort(k, monkeypatch):
    monkeypatch.setattr(next_words, "ROWS", 4)  # several blocks of unequal sizes
    words, rng = 70, np.random.default_rng(3)
    model = random_model(words, 3, np.float32)
    model.params["bo"][:] = rng.standard_normal(words + 4)
    state = model.start(images(11, 3, np.float32))
    for _ in range(3):
        tokens = rng.integers(4, 20, 11)
        ends, best, found, after = model.best_next(tokens, state, k)
        ends2, best2, found2, after2 = best_next_plain(model, tokens, state, k)
        assert found.shape == best.shape == (11, min(k, words))
        np.testing.assert_array_equal(found, found2)
        assert {a.dtype for a in (ends, best, after["r"])} == {np.dtype(np.float32)}
        np.testing.assert_allclose(best, best2, rtol=1e-5)
        np.testing.assert_allclose(ends, ends2, rtol=1e-5)
        for name in state:
            np.testing.assert_allclose(after[name], after2[name], rtol=1e-5, atol=1e-6)
        state = after


def test_float32_and_float64_find_the_same_sentences():
    one, other = random_model(20, 4, np.float32), random_model(20, 4)
    other.params = {name: v.astype(float) for name, v in one.params.items()}
    features = images(8, 4, np.float32)
    for K in (1, 4):
        a = beam_search(one, features, K, 8)
        b = beam_search(other, features.astype(float), K, 8)
        assert [x[0].tokens for x in a] == [x[0].tokens for x in b]
        np.testing.assert_allclose(
            [x[0].log_prob for x in a], [x[0].log_prob for x in b], rtol=1e-5
        )
    greedy = greedy_search(one, features, 8)
    assert [c.tokens for c in greedy] == [
        x[0].tokens for x in beam_search(one, features, 1, 8)
    ]


class Counting:
    """Counts the rows that a model is asked about."""

    best_next = best_next_plain

    def __init__(self, model):
        self.model, self.rows = model, 0
        self.vocabulary, self.tokenizer = model.vocabulary, model.tokenizer
        self.start = model.start

    def step(self, tokens, state):
        self.rows += len(tokens)
        return self.model.step(tokens, state)


def test_sentences_that_cannot_win_cost_nothing():
    features, rows = images(30, 5), []
    for n_best in (1, 6):
        counting = Counting(random_model(12, 5))
        beam_search(counting, features, 6, 12, n_best=n_best)
        rows.append(counting.rows)
    assert rows[0] < 0.9 * rows[1] < 30 * (1 + 12 * 6)
