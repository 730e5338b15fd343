"""The ranking loss of pairs: what belongs together scores higher, by a margin.

Knows: a matrix of scores, and which pairs are negatives. Does not know: what a score is
made of.
"""

import numpy as np

Cache = tuple[np.ndarray, np.ndarray]


def hinge_forward(
    scores: np.ndarray, apart: np.ndarray, margin: float
) -> tuple[np.ndarray, Cache]:
    """Return how much the negatives of each pair violate the margin, both ways.

        loss_n = sum_k max(0, margin - s_nn + s_nk)      other images for sentence n
               + sum_k max(0, margin - s_nn + s_kn)      other sentences for image n

    with k over the negatives of pair n.

    Parameters
    ----------
    scores : (N, N) floating, row n sentence n, column k image k; the pairs are the
        diagonal.
    apart : (N, N) bool, symmetric: whether n and k are negatives of each other.
    margin : by which the own score shall be larger.

    Returns
    -------
    losses : (N,), and the cache for `hinge_backward`.
    """
    images, sentences = (
        np.maximum(np.where(apart, one, 0), 0) for one in _excess(scores, margin)
    )
    losses = images.sum(axis=1) + sentences.sum(axis=0)
    return losses, (images > 0, sentences > 0)


def hinge_backward(dlosses: np.ndarray, cache: Cache) -> np.ndarray:
    """Return the gradient by the scores.

    Each violation pushes one negative down and its own pair up.

    Parameters
    ----------
    dlosses : (N,), the gradient of the loss by each pair's; 1/N for a mean.

    Returns
    -------
    dscores : (N, N).
    """
    images, sentences = cache
    by_image = images * dlosses[:, None]
    by_sentence = sentences * dlosses
    dscores = by_image + by_sentence
    own = np.diag_indices(len(dlosses))
    dscores[own] -= by_image.sum(axis=1) + by_sentence.sum(axis=0)
    return dscores


def hinge_distance_to_kink(
    scores: np.ndarray, apart: np.ndarray, margin: float
) -> float:
    """Return how near a negative comes to the margin, where there is no slope."""
    near = [np.abs(one[apart]).min(initial=np.inf) for one in _excess(scores, margin)]
    return float(min(near))


def _excess(scores: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Return margin - s_nn + s_nk at (n, k), and margin - s_nn + s_kn at (k, n)."""
    own = np.diag(scores)
    return margin - own[:, None] + scores, margin - own + scores
