"""Captions in every container that people keep them in, and what is no caption."""

import numpy as np
import pytest

from mrnn_np import InputError, tokenize
from mrnn_np.data.caption_lists import read_captions

ONE_EACH = [[["a", "dog"]], [["a", "cat", "'s", "tail"]]]
TWO_EACH = [[["a", "dog"], ["it", "runs"]], [["a", "cat"], ["it", "sits"]]]
ONE = ["A dog.", "a cat's tail"]
TWO = [["A dog.", "It runs"], ["A cat", "it sits!"]]


class Frame:
    """A stand-in for pandas: iterating gives names, not rows."""

    def __init__(self, rows):
        self.rows = np.array(rows, dtype=object)

    def __iter__(self):
        return iter(["first column", "second column"])

    def to_numpy(self):
        return self.rows


@pytest.mark.parametrize("wrap", [list, tuple, np.array, Frame])
def test_one_or_more_sentences_an_image(wrap):
    assert read_captions(wrap(ONE), 2, tokenize) == ONE_EACH
    assert read_captions(wrap(TWO), 2, tokenize) == TWO_EACH


def test_as_many_sentences_as_each_image_has():
    mixed = ["A dog.", ["It runs", "fast"], ("a",), np.array(["b"], dtype=object)]
    words = [[["a", "dog"]], [["it", "runs"], ["fast"]], [["a"]], [["b"]]]
    assert read_captions(mixed, 4, tokenize) == words
    ragged = np.empty(4, dtype=object)
    ragged[:] = mixed
    assert read_captions(ragged, 4, tokenize) == words


def test_real_pandas():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(ONE, index=[7, 3])
    assert read_captions(series, 2, tokenize) == ONE_EACH
    assert read_captions(series.astype("string"), 2, tokenize) == ONE_EACH
    assert read_captions(pandas.Series(TWO), 2, tokenize) == TWO_EACH
    frame = pandas.DataFrame(TWO, columns=["caption_0", "caption_1"])
    assert read_captions(frame, 2, tokenize) == TWO_EACH
    with pytest.raises(InputError, match=r"image 1 .*<NA>"):
        read_captions(pandas.Series(["a", pandas.NA], dtype="string"), 2, tokenize)


def test_numbers_are_words_of_their_own():
    """-1 and 1 are different labels, though a tokenizer sees the same word."""
    assert read_captions([-1, 1], 2, tokenize) == [[["-1"]], [["1"]]]
    assert read_captions(np.array([0, 2]), 2, tokenize) == [[["0"]], [["2"]]]
    assert read_captions(np.array([[1, 2.5]]), 1, tokenize) == [[["1.0"], ["2.5"]]]


@pytest.mark.parametrize(
    ("captions", "n", "part"),
    [
        (None, 2, "requires y to be passed, but the target y is None"),
        ("a dog", 5, "must be a list"),  # not its five letters
        (b"a dog", 5, "must be a list"),
        (np.array("a dog"), 1, "must be a list"),
        ({"x": "a dog"}, 1, "must be a list"),
        ({"a dog"}, 1, "must be a list"),
        ((text for text in ONE), 2, "must be a list"),
        (ONE, 3, "2 captions for 3 images"),
        ([], 1, "0 captions for 1 images"),
        (["a", ""], 2, r"image 1 .* has no word: ''"),
        (["a", "?!"], 2, r"image 1 .* has no word: '\?!'"),
        (["a", ["b", " "]], 2, r"image 1 .* has no word: ' '"),
        (["a", []], 2, r"image 1 .* has no caption"),
        (["a", None], 2, r"image 1 .* is None, of type NoneType"),
        (["a", float("nan")], 2, r"image 1 .* is nan, of type float"),
        ([["a", np.nan]], 1, r"image 0 .* is nan"),
        ([b"a", "b"], 2, r"image 0 .* is b'a', of type bytes"),
        ([{"a", "b"}], 1, r"image 0 .* of type set"),  # has no order
        ([[["a"]]], 1, r"image 0 .* is \['a'\], of type list"),
        ([1j], 1, r"image 0 .* of type complex"),
    ],
)
def test_what_is_no_caption_is_named(captions, n, part):
    with pytest.raises(InputError, match=part) as caught:
        read_captions(captions, n, tokenize)
    assert "\n" not in str(caught.value)
