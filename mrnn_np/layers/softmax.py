"""Softmax over the vocabulary with cross entropy, and the log-softmax of decoding.

Knows: rows of scores and the right column of each. Does not know: words.
"""

import numpy as np

Cache = tuple[np.ndarray, np.ndarray]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Turn scores into log-probabilities (nats), without overflow.

        log p_v = z_v - log sum_u exp(z_u)

    Parameters
    ----------
    logits : (n, V) floating.

    Returns log-probabilities (n, V).
    """
    out = logits - logits.max(axis=1, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))
    return out


def softmax_loss_forward(
    logits: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, Cache]:
    """Return how surprised the model is by every target word, in nats.

        p = softmax(z)        loss_p = -log p[target_p]     (m-RNN paper, equation 5,
                                                             there in bits)

    `logits` is overwritten by the probabilities: at P = 1,100 and V = 2,500 a second
    array of that size costs more in page faults than the arithmetic.

    Parameters
    ----------
    logits : (P, V) floating, destroyed.
    targets : (P,) integer in [0, V).

    Returns
    -------
    losses : (P,) nats, and the cache.
    """
    rows = np.arange(len(targets))
    logits -= logits.max(axis=1, keepdims=True)
    losses = -logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    logits /= total
    losses += np.log(total[:, 0])
    return losses, (logits, targets)


def softmax_loss_backward(dlosses: np.ndarray, cache: Cache) -> np.ndarray:
    """Return the gradient by the logits: what was said minus what is right.

        dz = (p - onehot(target)) dloss

    The probabilities of the cache are overwritten by the result.

    Parameters
    ----------
    dlosses : (P,), the gradient of the loss by each token's loss; 1/P for a mean.

    Returns
    -------
    dlogits : (P, V).
    """
    probabilities, targets = cache
    dlogits = probabilities
    dlogits[np.arange(len(targets)), targets] -= 1
    dlogits *= dlosses[:, None]
    return dlogits
