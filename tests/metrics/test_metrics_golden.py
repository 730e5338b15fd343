"""BLEU, ROUGE-L and CIDEr against coco-caption's own numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrnn_np.metrics import bleu, cider, rouge

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "metrics.json").read_text(encoding="utf-8")
)
CLOSE = {"rtol": 0, "atol": 1e-9}


def words_of(case: str):
    """Return references and hypotheses as lists of words, in the order of the ids."""
    references, hypotheses = GOLDEN[case]["references"], GOLDEN[case]["hypotheses"]
    truth = [[text.split() for text in references[image]] for image in hypotheses]
    return truth, [texts[0].split() for texts in hypotheses.values()]


def frozen(case: str, name: str):
    return GOLDEN[case]["corpus"][name], GOLDEN[case]["each"][name]


@pytest.mark.parametrize("case", GOLDEN)
def test_bleu(case):
    corpus, each = bleu.compute_score(*words_of(case))
    assert each.shape == (len(GOLDEN[case]["hypotheses"]), 4)
    for n in range(4):
        expected, expected_each = frozen(case, f"BLEU-{n + 1}")
        np.testing.assert_allclose(corpus[n], expected, **CLOSE)
        np.testing.assert_allclose(each[:, n], expected_each, **CLOSE)


@pytest.mark.parametrize("case", GOLDEN)
@pytest.mark.parametrize(
    ("name", "compute_score"),
    [
        ("ROUGE-L", rouge.compute_score),
        ("CIDEr", cider.compute_score),
        ("plain CIDEr", cider.compute_plain_score),
    ],
)
def test_rouge_and_cider(case, name, compute_score):
    corpus, each = compute_score(*words_of(case))
    expected, expected_each = frozen(case, name)
    np.testing.assert_allclose(each, expected_each, **CLOSE)
    np.testing.assert_allclose(corpus, expected, **CLOSE)


@pytest.mark.parametrize("case", GOLDEN)
def test_the_frequencies_of_the_same_corpus_change_nothing(case):
    truth, guess = words_of(case)
    frequencies = cider.document_frequencies(truth)
    assert frequencies.images == len(truth)
    for compute_score in (cider.compute_score, cider.compute_plain_score):
        corpus, each = compute_score(truth, guess)
        again, each_again = compute_score(truth, guess, frequencies)
        np.testing.assert_allclose(each_again, each, rtol=1e-12)
        assert again == pytest.approx(corpus, rel=1e-12)


@pytest.mark.parametrize("case", GOLDEN)
def test_fast_and_plain_agree(case):
    truth, guess = words_of(case)
    counts = bleu.image_counts(bleu.count_corpus(truth, guess))
    frequencies = cider.document_frequencies(truth)
    _, each = cider.compute_score(truth, guess)
    _, plain_each = cider.compute_plain_score(truth, guess)
    for i, (references, hypothesis) in enumerate(zip(truth, guess, strict=True)):
        assert bleu.plain_counts(references, hypothesis) == counts[i].tolist()
        for numbers, plain in ((each, False), (plain_each, True)):
            score = cider.plain_image_score(references, hypothesis, frequencies, plain)
            assert numbers[i] == pytest.approx(score, rel=1e-12, abs=1e-12)
