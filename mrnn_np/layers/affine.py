"""The affine layer: a matrix product and a bias.

Knows: rows times a matrix. Does not know: which layer of the model it serves.
"""

import numpy as np

Cache = tuple[np.ndarray, np.ndarray]


def affine_forward(
    x: np.ndarray, W: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, Cache]:
    """Multiply every row by a matrix and add the bias.

        out = x W + b

    Parameters
    ----------
    x : (P, A) floating, one row a token.
    W : (A, B), b : (B,), the dtype of `x`.

    Returns
    -------
    out : (P, B), and the cache for `affine_backward`.
    """
    out = x @ W  # (P, A) (A, B) -> (P, B)
    out += b
    return out, (x, W)


def affine_backward(
    dout: np.ndarray, cache: Cache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of `affine_forward`'s arguments.

        dx = dout W^T      dW = x^T dout      db = sum over rows of dout

    Parameters
    ----------
    dout : (P, B), the gradient of the loss by `out`.

    Returns
    -------
    dx (P, A), dW (A, B), db (B,).
    """
    x, W = cache
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)
