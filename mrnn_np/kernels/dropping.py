"""Dropout from 16 random bits an element, in a single pass."""

import numpy as np
from numba import njit


def drop_plain(
    x: np.ndarray, draws: np.ndarray, threshold: int, scale: float
) -> np.ndarray:
    """Return x * scale where draws >= threshold, else 0."""
    return np.where(draws >= threshold, x * x.dtype.type(scale), x.dtype.type(0))


@njit(cache=True, nogil=True, fastmath=False)
def drop(x, draws, threshold, scale, out):
    """Write `drop_plain(x, draws, threshold, scale)` to `out`; all flat."""
    scale = out.dtype.type(scale)
    zero = out.dtype.type(0)
    for i in range(out.size):
        out[i] = x[i] * scale if draws[i] >= threshold else zero
