"""Inverted dropout: the scale is paid in training, so that testing needs no change.

Knows: masks. Does not know: which layer it thins out.
"""

import numpy as np


def dropout_forward(
    x: np.ndarray, rate: float, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Set each element to zero with probability `rate`, and scale the others up.

        out = x * mask,    mask = 0 with probability rate, else 1 / (1 - rate)

    Parameters
    ----------
    x : any shape, floating.
    rate : in [0, 1]; 1 gives zeros.
    rng : source of the mask, or None when not training: then out is x.

    Returns
    -------
    out : the shape of `x`. The cache is the mask, or None when nothing is dropped.
    """
    if rng is None or rate == 0:
        return x, None
    keep = rng.random(x.shape, dtype=np.float32) >= rate
    mask = keep.astype(x.dtype)
    if rate < 1:
        mask *= 1 / (1 - rate)
    return x * mask, mask


def dropout_backward(dout: np.ndarray, cache: np.ndarray | None) -> np.ndarray:
    """Return the gradient by `x`: what was dropped gets none.

    dx = dout * mask
    """
    return dout if cache is None else dout * cache
