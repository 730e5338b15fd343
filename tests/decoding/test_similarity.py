"""Similarity of sentences: by hand, the fast path against the plain one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrnn_np.decoding.similarity import (
    SIMILARITIES,
    Similarities,
    bleu_similarity,
    cider_similarity,
)
from mrnn_np.metrics import cider
from mrnn_np.metrics.cider import document_frequencies

COLLECTION = [
    ["a dog runs on the grass".split(), "a dog runs".split()],
    ["a cat sleeps on the sofa".split(), []],
    ["two dogs run on the sand".split()],
    ["a dog runs on the sand on the beach".split(), "the sand".split()],
]


def compare(hypotheses, similarity, captions=COLLECTION):
    """Return the fast path's similarities to all sentences of a collection."""
    similarities = Similarities(captions)
    bag, pool = similarities.bag(hypotheses), similarities.collection
    everything = np.arange(len(pool.lengths))
    which = slice(0, len(hypotheses))
    return similarities.compare(bag, which, pool, everything, similarity)


def test_bleu_by_hand():
    # 5 and 6 words; shared: a dog on the, "a dog" and "on the", nothing longer
    first, second = "a dog sits on the".split(), "a dog runs on the grass".split()
    expected = (2 * 4 / (5 + 6) + 2 * 2 / (4 + 5) + 0 + 0) / 4
    assert bleu_similarity(first, second) == pytest.approx(expected)
    assert bleu_similarity(second, first) == pytest.approx(expected)


def test_bleu_counts_a_repeated_word_as_often_as_both_have_it():
    # "the": 3 times and twice, so 2 are shared; the only shared bigram is "the the"
    first, second = "the the the cat".split(), "the the dog x".split()
    expected = (2 * 2 / 8 + 2 * 1 / 6) / 4
    assert bleu_similarity(first, second) == pytest.approx(expected)


@pytest.mark.parametrize("words", ["a b c", "a", ""])
def test_bleu_of_fewer_than_four_words_is_0(words):
    assert bleu_similarity(words.split(), words.split()) == 0


def test_both_of_a_sentence_with_itself():
    words = "two dogs run on the sand".split()
    frequencies = document_frequencies(COLLECTION)
    assert bleu_similarity(words, words) == pytest.approx(1)
    assert cider_similarity(words, words, frequencies) == pytest.approx(10)


def test_cider_by_hand():
    """Four images; "a" is in 3 of them, "dog" in 2, "a dog" in 2, others are new."""
    frequencies = document_frequencies(COLLECTION)
    a, dog, new = math.log(4 / 3), math.log(4 / 2), math.log(4)
    # unigrams: a dog | a dog zzz; bigrams: "a dog" | "a dog", "dog zzz"
    unigrams = (a**2 + dog**2) / math.sqrt(
        (a**2 + dog**2) * (a**2 + dog**2 + new**2)
    )  # fmt: skip
    bigrams = dog**2 / math.sqrt(dog**2 * (dog**2 + new**2))
    expected = 10 * (unigrams + bigrams) / 4 * math.exp(-1 / 72)
    first, second = "a dog".split(), "a dog zzz".split()
    assert cider_similarity(first, second, frequencies) == pytest.approx(expected)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_the_fast_path_agrees(similarity):
    hypotheses = [
        "a dog runs on the grass".split(),
        "the the the the sand".split(),  # more often than the collection has it
        "a purple zebra sleeps on the sofa zebra".split(),  # words nobody knows
        "the sand".split(),
        ["zebra"],
        [],
    ]
    found = compare(hypotheses, similarity)
    frequencies = document_frequencies(COLLECTION)
    sentences = [words for own in COLLECTION for words in own]
    expected = [
        [
            bleu_similarity(h, r)
            if similarity == "bleu"
            else cider_similarity(h, r, frequencies)
            for r in sentences
        ]
        for h in hypotheses
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found > 0).sum() > 10 or similarity == "bleu"


words = st.lists(st.sampled_from("abcdef"), max_size=9)
collections = st.lists(st.lists(words, min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(collections, st.lists(words, min_size=1, max_size=4))
def test_the_fast_path_agrees_on_anything(captions, hypotheses):
    frequencies = document_frequencies(captions)
    sentences = [one for own in captions for one in own]
    pairs = [[(h, r) for r in sentences] for h in hypotheses]
    np.testing.assert_allclose(
        compare(hypotheses, "bleu", captions),
        [[bleu_similarity(*pair) for pair in row] for row in pairs],
        atol=1e-12,
    )
    np.testing.assert_allclose(
        compare(hypotheses, "cider", captions),
        [[cider_similarity(*pair, frequencies) for pair in row] for row in pairs],
        atol=1e-9,
    )


def test_the_mean_over_the_references_is_the_metric():
    """With the same frequencies CIDEr-D of an image is the mean of the similarities."""
    hypothesis = "a dog runs on the sofa".split()
    references = [words for words in COLLECTION[0] if words]
    frequencies = document_frequencies(COLLECTION)
    _, each = cider.compute_score([references], [hypothesis], frequencies)
    found = compare([hypothesis], "cider")[0, : len(references)]
    assert found.mean() == pytest.approx(each[0])
    assert each[0] > 1


def test_new_ngrams_of_two_sentences_of_one_bag_are_shared():
    similarities = Similarities(COLLECTION)
    sentence = "zebras eat purple carrots".split()
    bag = similarities.bag([sentence, sentence])
    for name, highest in (("bleu", 1), ("cider", 10)):
        found = similarities.compare(bag, slice(0, 1), bag, np.array([1]), name)
        assert found == pytest.approx(highest)
