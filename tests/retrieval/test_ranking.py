"""Ranks worked out by hand, chance by drawing, and invariances of the normalisers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np import InputError
from mrnn_np.retrieval.ranking import (
    first_ranks,
    image_to_sentence_scores,
    marginal,
    random_recall,
    recall,
    relevance,
)


def test_ranks_by_hand():
    scores = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [5.0, 4.0, 6.0]])
    relevant = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], bool)
    assert first_ranks(scores, relevant).tolist() == [1, 2, 3]


def test_ties_count_against_the_query():
    alike = np.zeros((2, 4))
    relevant = np.array([[1, 0, 0, 0], [0, 1, 1, 0]], bool)
    # The relevant candidates never stand in each other's way.
    assert first_ranks(alike, relevant).tolist() == [4, 3]
    never_looked_at = np.full((1, 4), -np.inf)
    assert first_ranks(never_looked_at, relevant[:1]).tolist() == [4]


@given(st.integers(0, 10_000))
def test_ranks_equal_a_sort(seed):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(60).reshape(5, 12).astype(float)
    relevant = rng.random((5, 12)) < 0.3
    relevant[:, 0] = True
    for query, rank in enumerate(first_ranks(scores, relevant)):
        order = np.argsort(-scores[query])
        irrelevant_before = 0
        for candidate in order:
            if relevant[query, candidate]:
                break
            irrelevant_before += 1
        assert rank == irrelevant_before + 1


def test_recall_by_hand():
    found = recall(np.array([1, 2, 5, 6, 10, 11, 40, 1]))
    assert found.at == {1: 25.0, 5: 50.0, 10: 75.0}
    assert found.median == 5.5 and found.mean == 9.5


def test_chance_of_the_papers():
    five_of_5000 = random_recall([5] * 1000, 5000)
    assert five_of_5000.at[1] == pytest.approx(0.1)
    assert five_of_5000.at[5] == pytest.approx(0.4992, abs=1e-4)
    assert five_of_5000.at[10] == pytest.approx(0.9964, abs=1e-4)
    assert five_of_5000.median == 647
    one_of_1000 = random_recall([1] * 5000, 1000)
    assert one_of_1000.at == pytest.approx({1: 0.1, 5: 0.5, 10: 1.0})
    assert one_of_1000.median == 500 and one_of_1000.mean == 500.5


def test_chance_with_fewer_candidates_than_ten():
    few = random_recall([1, 2], 4)
    assert few.at == pytest.approx({1: 37.5, 5: 100.0, 10: 100.0})


@pytest.mark.parametrize("counts", [[1, 1], [1, 3, 3, 8], [20, 1]])
def test_chance_equals_many_draws(counts):
    rng = np.random.default_rng(0)
    ranks = []
    for _ in range(4000):
        for g in counts:
            order = rng.permutation(24)
            ranks.append(1 + int(np.flatnonzero(order < g)[0]))
    drawn, computed = recall(np.array(ranks)), random_recall(counts, 24)
    for K in drawn.at:
        assert drawn.at[K] == pytest.approx(computed.at[K], abs=2.5)
    assert abs(drawn.median - computed.median) <= 1
    # Here `mean` counts every candidate before the first relevant one, as ranks do.
    assert drawn.mean == pytest.approx(computed.mean, rel=0.05)


@given(st.integers(0, 1000), st.floats(-50, 50))
def test_marginal_ignores_a_constant(seed, constant):
    # Multiplying P(w | .) of one sentence by a constant must not move it.
    rng = np.random.default_rng(seed)
    scores, samples = rng.standard_normal((6, 4)), rng.standard_normal((6, 9))
    before = image_to_sentence_scores(scores, marginal(samples))
    scores[2] += constant
    samples[2] += constant
    after = image_to_sentence_scores(scores, marginal(samples))
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_marginal_is_the_log_of_the_mean():
    probabilities = np.array([[0.1, 0.3], [0.0001, 0.0003]])
    np.testing.assert_allclose(
        marginal(np.log(probabilities)), np.log([0.2, 0.0002]), rtol=1e-12
    )
    tiny = np.array([[-2000.0, -2000.0 + np.log(3)]])
    np.testing.assert_allclose(marginal(tiny), -2000 + np.log(2), rtol=1e-12)


def test_without_normaliser_it_is_the_transpose():
    scores = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(image_to_sentence_scores(scores), scores.T)


def test_relevance_of_any_number_of_sentences():
    relevant = relevance(np.array([0, 0, 2, 1]), 3)
    assert relevant.sum(axis=0).tolist() == [2, 1, 1]
    assert relevant[2].tolist() == [False, False, True]


def test_a_damaged_score_or_nothing_to_find():
    relevant = np.array([[True, False]])
    with pytest.raises(InputError, match="not a number"):
        first_ranks(np.array([[np.nan, 1.0]]), relevant)
    with pytest.raises(InputError, match="query number 0 has nothing"):
        first_ranks(np.zeros((1, 2)), ~(relevant | True))
