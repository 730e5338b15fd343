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
    rows: np.ndarray,
    bias: np.ndarray,
    activation: str | None = None,
    columns: tuple[int, int] | None = None,
) -> np.ndarray:
    """Add a bias to every row and apply the activation, overwriting `rows`.

    ``rows[p, c] = min(max(rows[p, c] + bias[c], low), high)``

    Parameters
    ----------
    rows : (P, C), float32 or float64, overwritten.
    bias : (C,), same dtype.
    activation : None, ``"relu"`` (0 and above) or ``"relu6"`` (0 to 6).
    columns : (start, stop) of the columns to work on; all when left out.

    Returns `rows`. A NaN stays a NaN, as in PyTorch.
    """
    low, high = LIMITS[activation]
    scalar = rows.dtype.type
    start, stop = columns or (0, len(bias))
    _add_bias(rows, bias, scalar(low), scalar(high), start, stop)
    return rows


@njit(cache=True, fastmath=False, nogil=True)
def _add_bias(rows, bias, low, high, start, stop):
    for p in range(rows.shape[0]):
        # Views begin at 0: with c from `start` on, these loops would not vectorise.
        row, shift = rows[p, start:stop], bias[start:stop]
        for c in range(stop - start):
            value = row[c] + shift[c]
            # Comparisons, not min and max: they let a NaN through and vectorise.
            value = low if value < low else value
            row[c] = high if value > high else value
