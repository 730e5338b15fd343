"""Bias and rectifier in one pass over a layer's output, in place.

A matrix product leaves its result in cache; adding the bias and clipping it there
costs one more pass instead of three through memory.

Knows: rows of channels. Does not know: which layer made them.
"""

import numpy as np
from numba import njit

# What each activation does to a number: clip it to [low, high].
LIMITS = {
    None: (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
}


def add_bias_plain(
    rows: np.ndarray, bias: np.ndarray, activation: str | None = None
) -> np.ndarray:
    """Return ``clip(rows + bias)``: the twin of `add_bias`, not in place."""
    return np.clip(rows + bias, *LIMITS[activation]).astype(rows.dtype)


def add_bias(
    rows: np.ndarray, bias: np.ndarray, activation: str | None = None
) -> np.ndarray:
    """Add a bias to every row and apply the activation, overwriting `rows`.

    ``rows[p, c] = min(max(rows[p, c] + bias[c], low), high)``

    Parameters
    ----------
    rows : (P, C), float32 or float64, overwritten.
    bias : (C,), same dtype.
    activation : None, ``"relu"`` (0 and above) or ``"relu6"`` (0 to 6).

    Returns `rows`. A NaN stays a NaN, as in PyTorch.
    """
    low, high = LIMITS[activation]
    scalar = rows.dtype.type
    _add_bias(rows, bias, scalar(low), scalar(high))
    return rows


@njit(cache=True, fastmath=False, nogil=True)
def _add_bias(rows, bias, low, high):
    for p in range(rows.shape[0]):
        for c in range(rows.shape[1]):
            value = rows[p, c] + bias[c]
            # Comparisons, not min and max: they let a NaN through and vectorise.
            value = low if value < low else value
            rows[p, c] = high if value > high else value
