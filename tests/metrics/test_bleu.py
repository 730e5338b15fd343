"""BLEU against coco-caption's own numbers, and by hand."""

import json
import math
from pathlib import Path

import pytest

from mrnn_np import InputError, metrics
from mrnn_np.metrics import bleu

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "bleu.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", GOLDEN)
def test_equal_to_coco_caption(case):
    frozen = GOLDEN[case]
    references, hypotheses = frozen["references"], frozen["hypotheses"]
    scores = metrics.score(references, hypotheses)
    found = [scores[f"BLEU-{n}"] for n in (1, 2, 3, 4)]
    assert found == pytest.approx(frozen["corpus"], abs=1e-9)
    truth = [[text.split() for text in references[i]] for i in hypotheses]
    guess = [texts[0].split() for texts in hypotheses.values()]
    _, each = bleu.compute_score(truth, guess)
    for mine, theirs in zip(each, frozen["each"], strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9)


def test_by_hand():
    # 5 words against 6; a man runs in the - unigrams 4/5, bigrams 2/4, no trigram
    scores = metrics.score({1: ["a man runs on the hill"]}, {1: ["a man sits on the"]})
    brevity = math.exp(1 - 6 / 5)
    assert scores["BLEU-1"] == pytest.approx(brevity * 4 / 5)
    assert scores["BLEU-2"] == pytest.approx(brevity * math.sqrt(4 / 5 * 2 / 4))
    assert scores["BLEU-4"] < 1e-3


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
