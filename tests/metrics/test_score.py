"""All metrics at once: which numbers, their intervals, and what is refused."""

import math

import numpy as np
import pytest

from mrnn_np import InputError, metrics
from mrnn_np.metrics import bleu, bootstrap, cider, meteor, rouge
from mrnn_np.metrics.score import Rating, perplexity_part

NAMES = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"]


def drawn(seed: int, images: int = 40):
    """References and hypotheses of a few words."""
    rng = np.random.default_rng(seed)
    words = np.array("a the man dog red runs sits on in grass".split())

    def sentence() -> str:
        return " ".join(rng.choice(words, rng.integers(3, 9)))

    references = {i: [sentence() for _ in range(3)] for i in range(images)}
    return references, {i: [sentence()] for i in references}


def test_every_number_is_that_of_its_module():
    references, hypotheses = drawn(1)
    scores = metrics.score(references, hypotheses)
    assert list(scores) == NAMES
    truth = [[text.split() for text in references[i]] for i in hypotheses]
    guess = [texts[0].split() for texts in hypotheses.values()]
    corpus, each_bleu = bleu.compute_score(truth, guess)
    assert [scores[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx(list(corpus))
    assert scores["ROUGE-L"] == pytest.approx(rouge.compute_score(truth, guess)[0])
    assert scores["CIDEr"] == pytest.approx(cider.compute_score(truth, guess)[0])
    rating = metrics.rate(references, hypotheses)
    assert rating.corpus == scores
    assert rating.images == tuple(hypotheses)
    np.testing.assert_allclose(rating.each["BLEU-2"], each_bleu[:, 1])
    np.testing.assert_allclose(
        rating.each["CIDEr"], cider.compute_score(truth, guess)[1]
    )


def test_the_order_of_the_references_does_not_matter():
    references, hypotheses = drawn(2)
    backwards = {i: references[i] for i in reversed(references)}
    assert metrics.score(backwards, hypotheses) == metrics.score(references, hypotheses)


def test_a_persons_own_sentence_scores_1():
    scores = metrics.score({1: ["x y z u", "a b"]}, {1: ["x y z u"]})
    assert scores["BLEU-4"] == pytest.approx(1)
    assert scores["ROUGE-L"] == pytest.approx(1)


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


def test_perplexity_beyond_a_float_is_infinite():
    assert metrics.perplexity(709) < math.inf
    assert metrics.perplexity(710) == metrics.perplexity(1e300) == math.inf
    part = perplexity_part(np.array([2.0, 1e9]), np.array([2, 6]))
    assert Rating((0, 1), (part,)).corpus["perplexity"] == math.inf


def test_perplexity_counts_every_word_once():
    part = perplexity_part(np.array([2.0, 9.0]), np.array([2, 6]))
    rating = Rating(("x", "y"), (part,))
    assert rating.corpus["perplexity"] == pytest.approx(math.exp(11 / 8))
    np.testing.assert_allclose(rating.each["perplexity"], np.exp([1, 1.5]))


def test_intervals_are_those_of_scoring_each_sample_anew():
    """BLEU of a sample is that of its captions together, each drawn one twice or so."""
    references, hypotheses = drawn(3, images=12)
    rating = metrics.rate(references, hypotheses)
    intervals = rating.intervals(np.random.default_rng(0), resamples=200)
    times = bootstrap.draw(12, np.random.default_rng(0), 200)
    assert (times.sum(axis=1) == 12).all()
    again = {name: [] for name in NAMES}
    for row in times:
        images = np.repeat(np.arange(12), row.astype(int)).tolist()
        truth = [[text.split() for text in references[i]] for i in images]
        guess = [hypotheses[i][0].split() for i in images]
        for n, value in enumerate(bleu.compute_score(truth, guess)[0], start=1):
            again[f"BLEU-{n}"].append(value)
        for name in ("ROUGE-L", "CIDEr"):
            again[name].append(rating.each[name][images].mean())
    for name in NAMES:
        expected = np.percentile(again[name], [2.5, 97.5])
        np.testing.assert_allclose(intervals[name], expected, rtol=1e-9, atol=1e-12)
        assert intervals[name][0] <= rating.corpus[name] <= intervals[name][1]


def test_intervals_follow_from_the_seed_and_shrink_with_more_images():
    def width(images: int) -> float:
        rating = metrics.rate(*drawn(4, images))
        same = [rating.intervals(np.random.default_rng(1)) for _ in range(2)]
        assert same[0] == same[1]
        low, high = same[0]["ROUGE-L"]
        return high - low

    assert 1.5 < width(50) / width(200) < 2.7  # the square root of 4


def test_the_interval_of_a_mean_is_near_the_textbooks():
    values = np.random.default_rng(5).normal(3, 2, 400)
    times = bootstrap.draw(400, np.random.default_rng(6), 4000)
    low, high = bootstrap.ends(times @ values / 400)
    error = values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_without_meteor_a_line_says_so(monkeypatch, capsys):
    monkeypatch.setattr(meteor, "unavailable", lambda: "there is no `java`")
    scores = metrics.score({1: ["a b"]}, {1: ["a b"]}, with_meteor=True)
    assert list(scores) == NAMES
    assert capsys.readouterr().err == "METEOR is left out: there is no `java`\n"
    assert "METEOR" not in metrics.score({1: ["a b"]}, {1: ["a b"]})
    assert capsys.readouterr().err == ""
