"""Metrics worked out by hand, and what must hold for any sentences."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.metrics import bleu, cider, rouge
from mrnn_np.metrics.ngrams import count_corpus, count_ngrams

SENTENCE = st.lists(st.sampled_from("abcd"), max_size=7)
CORPUS = st.lists(
    st.tuples(st.lists(SENTENCE, min_size=1, max_size=3), SENTENCE),
    min_size=1,
    max_size=4,
)


def test_bleu_by_hand():
    # 5 words against 6; a man runs on the: unigrams 4/5, bigrams 2/4, no trigram
    corpus, _ = bleu.compute_score(
        [["a man runs on the hill".split()]], ["a man sits on the".split()]
    )
    brevity = math.exp(1 - 6 / 5)
    assert corpus[0] == pytest.approx(brevity * 4 / 5)
    assert corpus[1] == pytest.approx(brevity * math.sqrt(4 / 5 * 2 / 4))
    assert corpus[3] < 1e-3


def test_rouge_by_hand():
    # the red dog / the dog: common subsequence 2 of 3 and of 2 words
    P, R = 2 / 3, 2 / 2
    corpus, _ = rouge.compute_score([[["the", "dog"]]], [["the", "red", "dog"]])
    assert corpus == pytest.approx((1 + 1.44) * P * R / (R + 1.44 * P))


def test_cider_by_hand():
    # Two images; "the" is in both, so it weighs nothing. Unigrams of the hypothesis
    # "the dog": only dog counts, cosine with "a dog" is 1 / sqrt(2); no shared bigram.
    truth = [[["a", "dog"], ["the", "dog"]], [["the", "cat"]]]
    _, each = cider.compute_score(truth, [["the", "dog"], ["cat", "cat"]])
    first = (1 / math.sqrt(2) + 1 + 1) / 2 / 4  # a dog; the dog with its bigram
    assert each[0] == pytest.approx(10 * first)
    # "cat cat": clipped to one cat, 1 * 1 / (2 * 1)
    assert each[1] == pytest.approx(10 * 0.5 / 4)
    _, plain = cider.compute_plain_score(truth, [["the", "dog"], ["cat", "cat"]])
    assert plain[1] == pytest.approx(10 * 1 / 4)


def test_cider_d_punishes_another_length_counted_in_bigrams():
    truth = [["x y z u v".split()], ["w"]]
    _, long = cider.compute_score(truth, ["x q".split(), ["w"]])
    _, plain = cider.compute_plain_score(truth, ["x q".split(), ["w"]])
    assert long[0] == pytest.approx(plain[0] * math.exp(-((4 - 1) ** 2) / 72))


def test_frequencies_of_a_large_corpus_give_one_image_a_score():
    truth, guess = [[["a", "dog"]]], [["a", "dog"]]
    assert cider.compute_score(truth, guess)[0] == 0
    many = [[["a", "dog"]], [["a", "cat"]], [["a", "cow"], ["two", "cows"]]]
    frequencies = cider.document_frequencies(many)
    assert frequencies.counts["a",] == 3 and frequencies.counts["a", "dog"] == 1
    score, _ = cider.compute_score(truth, guess, frequencies)
    assert score == pytest.approx(5)  # orders 1 and 2 are perfect, 3 and 4 empty


@given(CORPUS)
def test_fast_and_plain_agree_on_any_sentences(corpus):
    truth, guess = map(list, zip(*corpus, strict=True))
    counts = bleu.image_counts(count_corpus(truth, guess))
    frequencies = cider.document_frequencies(truth)
    _, each = cider.compute_score(truth, guess)
    for i, (references, hypothesis) in enumerate(corpus):
        assert counts[i].tolist() == bleu.plain_counts(references, hypothesis)
        score = cider.plain_image_score(references, hypothesis, frequencies)
        assert each[i] == pytest.approx(score, rel=1e-9, abs=1e-12)


@given(CORPUS)
def test_counted_once_is_counted_right(corpus):
    truth, guess = map(list, zip(*corpus, strict=True))
    counted = count_corpus(truth, guess)
    ngrams = counted.ngrams()
    assert len(set(ngrams)) == len(ngrams)
    assert [len(ngram) - 1 for ngram in ngrams] == counted.order.tolist()
    sentences = [guess, [words for references in truth for words in references]]
    for counts, expected in zip(
        (counted.hypotheses, counted.references), sentences, strict=True
    ):
        got = [{} for _ in expected]
        for s, g, count in zip(counts.sentence, counts.gram, counts.count, strict=True):
            got[s][ngrams[g]] = count
        assert got == [count_ngrams(words) for words in expected]


@given(SENTENCE, SENTENCE)
def test_common_length_by_trying_all_subsequences(a, b):
    def parts(words):
        return {
            part for n in range(8) for part in itertools.combinations(words, n)
        }  # fmt: skip

    longest = max(map(len, parts(a) & parts(b)))
    assert rouge.common_length(a, b) == rouge.common_length(b, a) == longest


@given(CORPUS, st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(corpus, random):
    order = list(range(len(corpus)))
    random.shuffle(order)
    shuffled = [corpus[i] for i in order]
    for module in (bleu, rouge, cider):
        score, each = module.compute_score(*map(list, zip(*corpus, strict=True)))
        again, each_again = module.compute_score(
            *map(list, zip(*shuffled, strict=True))
        )
        np.testing.assert_allclose(again, score, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(each_again, each[order], rtol=1e-9, atol=1e-12)


def test_an_image_without_reference_is_refused():
    with pytest.raises(ValueError, match="no reference"):
        bleu.compute_score([[], [["a"]]], [["a"], ["a"]])
    with pytest.raises(ValueError, match="2 images, 1 hypotheses"):
        cider.compute_score([[["a"]], [["a"]]], [["a"]])
