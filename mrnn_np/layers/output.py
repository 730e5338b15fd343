"""The output layer: scores of all words, softmax, and the loss, in one.

`affine` followed by `softmax_loss` computes the same, and is what to read first. Here
bias, softmax and both their gradients are kernels that make a single pass each over the
(P, V) array, the largest of a training step.

Knows: how m becomes the loss of the target word. Does not know: where m comes from.
"""

import numpy as np

from mrnn_np.kernels.cross_entropy import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_backward_plain,
    cross_entropy_plain,
)

Cache = tuple


def output_forward(
    m: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    targets: np.ndarray,
    z: np.ndarray | None = None,
) -> tuple[np.ndarray, Cache]:
    """Return how surprised the model is by every target word, in nats.

        z = m W + b       p = softmax(z)       loss_p = -log p[target_p]
                                               (m-RNN paper, equation 5, there in bits)

    Parameters
    ----------
    m : (P, M) floating. W : (M, V), b : (V,).
    targets : (P,) integer in [0, V).
    z : (P, V) to write the scores to, a new array when None.

    Returns
    -------
    losses : (P,) nats, and the cache.

    Raises
    ------
    IndexError : a target that is not in [0, V): the kernels check nothing.
    """
    P, V = len(m), W.shape[1]
    if P and not 0 <= targets.min() <= targets.max() < V:
        raise IndexError(f"a target word is outside of the vocabulary of {V}")
    z = np.matmul(m, W, out=z)
    if z.dtype == np.float32:
        totals, losses = np.empty((2, P), z.dtype)
        cross_entropy(z, b, targets, totals, losses)
    else:
        z, totals, losses = cross_entropy_plain(z, b, targets)
    return losses, (z, totals, targets, m, W)


def output_backward(
    dlosses: np.ndarray, cache: Cache, dW: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients: what was said minus what is right.

        dz = (p - onehot(target)) dloss
        dm = dz W^T      dW = m^T dz      db = sum over rows of dz

    The cache is used up: its largest array becomes dz.

    Parameters
    ----------
    dlosses : (P,), the gradient of the loss by each token's loss; 1/P for a mean.
    dW : (M, V) to write that gradient to, a new array when None.

    Returns
    -------
    dm (P, M), dW (M, V), db (V,).
    """
    exps, totals, targets, m, W = cache
    if exps.dtype == np.float32:
        dz, db = exps, np.zeros(W.shape[1], W.dtype)
        cross_entropy_backward(dz, totals, targets, dlosses, db)
    else:
        dz, db = cross_entropy_backward_plain(exps, totals, targets, dlosses)
    dW = np.matmul(m.T, dz, out=dW)
    return dz @ W.T, dW, db
