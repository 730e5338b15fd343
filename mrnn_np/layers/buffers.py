"""Large arrays that serve one training step after another.

A fresh array of 38 MB (the scores of 1,200 tokens over 8,000 words) comes from the
operating system as 9,400 pages that have to be cleared and mapped before the first
number is written; that takes as long as the softmax. Whoever makes many equal steps
therefore hands down a dict, and what was made in one step is found there in the next.

Knows: names and sizes. Does not know: what is in the arrays.
"""

import numpy as np

Buffers = dict[str, np.ndarray]


def buffer(
    kept: Buffers | None, name: str, shape: tuple[int, ...], dtype
) -> np.ndarray:
    """Return an array to be written, its contents undefined.

    Parameters
    ----------
    kept : the caller's dict, filled here with flat arrays; None always makes a new one.
    name : two arrays that are needed at the same time have different ones.

    Returns an array of `shape`: the same memory as last time where that is enough.
    """
    size = int(np.prod(shape))
    flat = None if kept is None else kept.get(name)
    if flat is None or flat.size < size or flat.dtype != dtype:
        flat = np.empty(size, dtype)
        if kept is not None:
            kept[name] = flat
    return flat[:size].reshape(shape)
