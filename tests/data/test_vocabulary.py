import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.data import END, PAD, START, UNK, Vocabulary
from mrnn_np.runtime.errors import InputError

SENTENCES = ["a dog runs", "a dog and a cat", "the cat", "bird"]
TOKENS = [sentence.split() for sentence in SENTENCES]


def test_words_by_falling_count_then_alphabet():
    vocabulary = Vocabulary.build(TOKENS, threshold=2)
    assert vocabulary.words == ("<pad>", "<start>", "<end>", "<unk>", "a", "cat", "dog")
    # a 3, cat 2, dog 2; rare: runs, and, the, bird; 4 sentences, so 4 ends
    assert vocabulary.counts.tolist() == [0, 0, 4, 4, 3, 2, 2]
    assert vocabulary.counts.dtype == np.int64
    assert (PAD, START, END, UNK) == (0, 1, 2, 3)
    assert len(vocabulary) == 7
    assert "dog" in vocabulary and "bird" not in vocabulary
    assert vocabulary.counts.sum() == sum(map(len, TOKENS)) + len(TOKENS)


def test_encode_and_decode_by_hand():
    vocabulary = Vocabulary.build(TOKENS, threshold=2)
    assert vocabulary.encode("a bird dog".split()) == [4, UNK, 6]
    ids = np.array([START, 4, UNK, 6, PAD, END, 5])
    assert vocabulary.decode(ids) == ["a", "dog"]
    assert vocabulary.encode([]) == [] == vocabulary.decode([])


def test_text_cannot_smuggle_in_a_special():
    vocabulary = Vocabulary.build([["<end>", "a", "<start>"]] * 5)
    assert vocabulary.words[4:] == ("a",)
    assert vocabulary.encode(["<end>", "<pad>", "a"]) == [UNK, UNK, 4]
    assert "<end>" not in vocabulary


WORDS = st.sampled_from("a b c dog cat 's n't 狗".split())


@given(st.lists(st.lists(WORDS), min_size=1), st.integers(1, 4))
def test_round_trips(sentences, threshold):
    every = [token for tokens in sentences for token in tokens]
    if max((every.count(word) for word in every), default=0) < threshold:
        with pytest.raises(InputError, match="vocabulary is empty"):
            Vocabulary.build(sentences, threshold)
        return
    vocabulary = Vocabulary.build(sentences, threshold)
    copy = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert copy == vocabulary
    for word in set(every):
        assert (word in vocabulary) == (every.count(word) >= threshold)
    for tokens in sentences:
        known = [token for token in tokens if token in vocabulary]
        assert vocabulary.decode(vocabulary.encode(tokens)) == known
    counts = vocabulary.counts[4:]
    assert (np.diff(counts) <= 0).all()


@pytest.mark.parametrize(
    ("words", "counts", "message"),
    [
        (["a"], [1], "starts with <pad> <start> <end> <unk>"),
        (["<pad>", "<start>", "<end>", "<unk>"], [0] * 4, "is empty"),
        (["<pad>", "<start>", "<end>", "<unk>", "a", "a"], [0] * 6, "'a' twice"),
        (["<pad>", "<start>", "<end>", "<unk>", "a"], [0] * 4, "as many counts"),
        (["<pad>", "<start>", "<end>", "<unk>", "a"], [-1] * 5, "none negative"),
    ],
)
def test_wrong_vocabularies_are_refused(words, counts, message):
    with pytest.raises(InputError, match=message):
        Vocabulary(words, counts)


def test_equality_looks_at_words_and_counts():
    one = Vocabulary.build(TOKENS, threshold=1)
    other = Vocabulary(one.words, one.counts + 1)
    assert one == Vocabulary.build(TOKENS, threshold=1) and one != other
    assert one != "vocabulary"
    assert repr(one) == "Vocabulary(11 words, 4 sentences)"
