"""Inverted dropout: the scale is paid in training, so that testing needs no change.

Knows: what to drop. Does not know: which layer it thins out.
"""

import numpy as np

from mrnn_np.kernels.dropping import drop

Cache = tuple[np.ndarray, int, float]
LEVELS = 1 << 16  # of a draw: rates are rounded to 1/65536


def dropout_forward(
    x: np.ndarray, rate: float, rng: np.random.Generator | None
) -> tuple[np.ndarray, Cache | None]:
    """Set each element to zero with probability `rate`, and scale the others up.

        out = x * mask,    mask = 0 with probability rate, else 1 / (1 - rate)

    A draw is an integer of 16 bits, four of which come from one 64-bit step of the
    generator: with float32 numbers from [0, 1), compared and turned into a mask,
    dropout took three times as long.

    Parameters
    ----------
    x : any shape, floating, contiguous.
    rate : in [0, 1]; 1 gives zeros.
    rng : source of the draws, or None when not training: then out is x.

    Returns
    -------
    out : the shape of `x`. The cache is what repeats the mask, or None when nothing is
        dropped.
    """
    if rng is None or rate == 0:
        return x, None
    words = rng.integers(0, 1 << 64, -(-x.size // 4), np.uint64)
    draws = words.view(np.uint16)[: x.size]
    threshold = round(rate * LEVELS)
    scale = LEVELS / max(LEVELS - threshold, 1)  # so that the mean is exact
    cache = (draws, threshold, scale)
    return _apply(x, cache), cache


def dropout_backward(dout: np.ndarray, cache: Cache | None) -> np.ndarray:
    """Return the gradient by `x`: what was dropped gets none.

    dx = dout * mask
    """
    return dout if cache is None else _apply(dout, cache)


def _apply(x: np.ndarray, cache: Cache) -> np.ndarray:
    out = np.empty(x.shape, x.dtype)
    drop(x.ravel(), *cache, out.ravel())
    return out
