"""Vectors of length one, so that an inner product is a cosine.

Knows: rows and their lengths. Does not know: what is compared.
"""

import numpy as np

Cache = tuple[np.ndarray, np.ndarray]


def normalise_forward(x: np.ndarray) -> tuple[np.ndarray, Cache]:
    """Divide every row by its Euclidean length.

        out = x / |x|,  and 0 where x = 0

    Parameters
    ----------
    x : (N, F) floating. A row of zeros has no direction: it stays as it is, gives the
        inner product 0 with everything, and gets no gradient.

    Returns
    -------
    out : (N, F), and the cache for `normalise_backward`.
    """
    length = np.sqrt((x * x).sum(axis=1, keepdims=True))
    length[length == 0] = np.inf  # 0 / inf = 0, both ways
    out = x / length
    return out, (out, length)


def normalise_backward(dout: np.ndarray, cache: Cache) -> np.ndarray:
    """Return the gradient by `x`: the part of dout along x is lost.

        dx = (dout - (dout . out) out) / |x|

    Parameters
    ----------
    dout : (N, F).
    """
    out, length = cache
    along = (dout * out).sum(axis=1, keepdims=True)
    return (dout - along * out) / length
