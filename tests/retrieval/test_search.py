"""One query against pairs that are scored one by one."""

import dataclasses

import numpy as np
import pytest
from retrieval_cases import FIRST_WORD, as_text, small_model, some_sentences

from mrnn_np.data import load_dataset
from mrnn_np.retrieval import marginal, pair_scores
from mrnn_np.retrieval.search import (
    different_sentences,
    images_for_sentence,
    sentences_for_image,
)


@pytest.fixture(scope="module")
def case():
    """A model, sentences, features, and the likelihood of each pair on its own."""
    rng = np.random.default_rng(1)
    model, sentences = small_model(), some_sentences(rng, 30)
    features = rng.standard_normal((9, 5))
    alone = [
        [model.log_likelihood(row[None], [as_text(s)])[0] for row in features]
        for s in sentences
    ]
    return model, sentences, features, np.array(alone, np.float64)


def test_images_for_a_sentence_equal_single_pairs(case):
    model, sentences, features, alone = case
    found = images_for_sentence(model, sentences[3], features)
    np.testing.assert_allclose(found, alone[3], rtol=1e-5)


@pytest.mark.parametrize("samples", [1, 3, 4, 7, 8])
@pytest.mark.parametrize("top", [1, 5, 99])
def test_sentences_for_an_image_are_the_best_of_all(case, samples, top):
    model, sentences, features, alone = case
    training = features[1 : 1 + samples]
    found = sentences_for_image(model, sentences, features[:1], training, top)
    own, others = alone[:, 0], alone[:, 1 : 1 + samples]
    scores = own - np.log(np.exp(others).mean(axis=1))
    expected = np.sort(scores)[::-1][:top]
    np.testing.assert_allclose(found.scores, expected, atol=1e-4)
    np.testing.assert_allclose(found.scores, scores[found.best], atol=1e-4)
    np.testing.assert_allclose(found.log_probs, own[found.best], rtol=1e-5)
    assert len(set(found.best.tolist())) == min(top, len(sentences))


def test_most_pairs_need_no_look():
    rng = np.random.default_rng(2)
    model = small_model()
    model.params["Vi"] *= 2  # images differ, so few sentences fit one of them
    sentences = [
        rng.integers(FIRST_WORD, FIRST_WORD + 8, rng.integers(4, 9)).tolist()
        for _ in range(120)
    ]
    features = rng.standard_normal((41, 5))
    found = sentences_for_image(model, sentences, features[:1], features[1:], 2)
    matrix, _ = pair_scores(model, features, sentences)
    scores = matrix[:, 0] - marginal(matrix[:, 1:])
    np.testing.assert_array_equal(found.best, np.argsort(-scores)[:2])
    assert found.share < 0.5


def test_equal_sentences_are_one():
    dataset = dataclasses.replace(
        load_dataset("scenes"),
        captions={
            "x": ["A dog runs.", "two cats", "a dog runs !"],
            "y": ["a DOG runs", "...", "a fox"],
        },
    )
    model = small_model()
    found = different_sentences(model, dataset, ["x", "y"])
    assert [one.text for one in found] == ["A dog runs.", "two cats", "a fox"]
    assert [one.images for one in found] == [["x", "y"], ["x"], ["y"]]
    for one in found:
        assert one.words == model.vocabulary.encode(one.text.lower().strip(".").split())
