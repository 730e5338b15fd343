"""The captions of n images, in any of the forms that people keep them in.

Lists, tuples, arrays of one or two dimensions, pandas Series and DataFrames all become
one list an image of its sentences, each cut into words. What is not a caption is named
by the number of its image.

Knows: containers. Does not know: words, images, who gave the captions.
"""

import math
from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np

from mrnn_np.runtime.errors import InputError


def read_captions(
    captions: object, n: int, tokenize: Callable[[str], list[str]]
) -> list[list[list[str]]]:
    """Return the words of every sentence of every image.

    Parameters
    ----------
    captions : n items, each a str, or a list of str: the sentences of one image. A
        number is a sentence of one word, written as Python writes it, so that class
        labels may stand for captions.
    n : number of images.
    tokenize : cuts a sentence into words.

    Raises
    ------
    InputError : not a list of n items; an item that is missing, empty, without any
        word, or neither text nor number.
    """
    if captions is None:
        # The words are scikit-learn's.
        raise InputError(
            "requires y to be passed, but the target y is None: give the captions"
        )
    captions = _as_list(captions)
    if captions is None:
        raise InputError(
            "captions must be a list with a str, or a list of str, for each image"
        )
    if len(captions) != n:
        raise InputError(f"{len(captions)} captions for {n} images: one item an image")
    return [_sentences(i, item, tokenize) for i, item in enumerate(captions)]


def _as_list(items: object) -> list | None:
    """Return the items of a container that has an order, None for anything else."""
    if hasattr(items, "to_numpy"):  # pandas: list() of a DataFrame gives its columns
        items = items.to_numpy()
    if isinstance(items, np.ndarray):
        return list(items) if items.ndim else None
    if isinstance(items, Sequence) and not isinstance(items, str | bytes):
        return list(items)
    return None


def _sentences(image: int, item: object, tokenize: Callable) -> list[list[str]]:
    """Return the sentences of one image."""
    given = _as_list(item)
    given = [item] if given is None else given
    if not given:
        raise InputError(f"image {image} (counted from 0) has no caption")
    found = []
    for caption in given:
        if isinstance(caption, str):
            tokens = tokenize(caption)
        elif isinstance(caption, Real) and math.isfinite(caption):
            tokens = [str(caption)]  # not tokenised: "-1" would become "1"
        else:
            raise InputError(
                f"a caption of image {image} (counted from 0) is {caption!r}, of type "
                f"{type(caption).__name__}: expected text"
            )
        if not tokens:
            raise InputError(
                f"a caption of image {image} (counted from 0) has no word: {caption!r}"
            )
        found.append(tokens)
    return found
