"""All metrics at once: which numbers, and what is refused."""

import math

import pytest

from mrnn_np import InputError, metrics


def test_a_persons_own_sentence_scores_1():
    scores = metrics.score({1: ["x y z u", "a b"]}, {1: ["x y z u"]})
    assert scores["BLEU-4"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("references", "hypotheses", "part"),
    [
        ({}, {}, "no caption"),
        ({1: ["a"]}, {2: ["a"]}, "no reference sentence for image 2"),
        ({1: []}, {1: ["a"]}, "no reference sentence for image 1"),
        ({1: ["a"]}, {1: ["a", "b"]}, "2 captions"),
        ({1: ["a"], 2: ["b"]}, {1: ["a"]}, "no caption for image 2"),
    ],
)
def test_ids_that_do_not_match_are_named(references, hypotheses, part):
    with pytest.raises(InputError, match=part):
        metrics.score(references, hypotheses)


def test_perplexity_of_a_uniform_model_is_the_vocabulary_size():
    assert metrics.perplexity(math.log(2500)) == pytest.approx(2500)
