"""Bias and rectifier, the end of every convolution.

Knows: rows of channels. Does not know: which layer made them.
"""

import numpy as np

# What each activation does to a number: clip it to [low, high].
LIMITS = {
    None: (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
}


def add_bias(
    rows: np.ndarray, bias: np.ndarray, activation: str | None = None
) -> np.ndarray:
    """Return ``min(max(rows + bias, low), high)``.

    Parameters
    ----------
    rows : (..., C), float32 or float64.
    bias : (C,), same dtype.
    activation : None, ``"relu"`` (0 and above) or ``"relu6"`` (0 to 6).

    A NaN stays a NaN, as in PyTorch.
    """
    return np.clip(rows + bias, *LIMITS[activation]).astype(rows.dtype)
