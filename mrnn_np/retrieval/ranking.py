"""From scores to ranks, and from ranks to the numbers of the papers' tables.

A captioner's likelihoods are normalised where sentences are ranked; the equations of
both tasks are in `mrnn_np.retrieval`.

Knows: matrices of scores and what is relevant to what. Does not know: models, files.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.runtime.errors import InputError

CUTOFFS = (1, 5, 10)


@dataclass(frozen=True)
class Recall:
    """How well queries found what belongs to them.

    Fields
    ------
    at : K -> percentage of queries with something relevant among the first K.
    median, mean : of the rank of the first relevant result, 1 is best.
    """

    at: dict[int, float]
    median: float
    mean: float


def first_ranks(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return the rank of the best relevant candidate of each query.

        rank = 1 + number of irrelevant candidates that score as well or better

    Equal scores count against the query, so a model that scores everything alike is
    last and not first.

    Parameters
    ----------
    scores : (queries, candidates), larger is better, no NaN; -inf for what was never
        looked at.
    relevant : (queries, candidates) bool, at least one in each row.

    Returns (queries,) integer.
    """
    if np.isnan(scores).any():
        raise InputError("a score is not a number: is the model damaged?")
    if not relevant.any(axis=1).all():
        query = int(np.flatnonzero(~relevant.any(axis=1))[0])
        raise InputError(f"query number {query} has nothing relevant to find")
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((scores >= best) & ~relevant).sum(axis=1)


def recall(ranks: np.ndarray) -> Recall:
    """Summarise ranks: R@1, R@5, R@10 in percent, median and mean rank."""
    at = {K: 100 * float(np.mean(ranks <= K)) for K in CUTOFFS}
    return Recall(at, float(np.median(ranks)), float(np.mean(ranks)))


def random_recall(
    relevant_counts: Sequence[int] | np.ndarray, candidates: int
) -> Recall:
    """Return what a random order of the candidates gives, computed, not drawn.

        P(rank > K) = C(n - g, K) / C(n, K)

    for n candidates of which g are relevant: none of the first K is relevant. The mean
    rank is (n + 1) / (g + 1). The median is the first rank that half of all queries
    reach.

    Parameters
    ----------
    relevant_counts : g of each query.
    candidates : n.
    """
    values, weights = np.unique(relevant_counts, return_counts=True)
    weights = weights / weights.sum()
    counts = values.tolist()  # Python integers: binomials outgrow 64 bits

    def reached(K: int) -> float:
        K = min(K, candidates)  # a small data set may have fewer than ten
        beyond = [
            math.comb(candidates - g, K) / math.comb(candidates, K) for g in counts
        ]
        return float(1 - np.dot(weights, beyond))

    low, high = 1, candidates  # halve until the first rank that half of them reach
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= 0.5 else (middle + 1, high)
    mean = float(np.dot(weights, (candidates + 1) / (values + 1)))
    return Recall({K: 100 * reached(K) for K in CUTOFFS}, float(low), mean)


def relevance(owner: np.ndarray, images: int) -> np.ndarray:
    """Return (sentences, images) bool: whether a sentence was written for an image.

    owner : (sentences,) the number of each sentence's image.
    """
    return owner[:, None] == np.arange(images)


def image_to_sentence_scores(
    likelihoods: np.ndarray, normaliser: np.ndarray | None = None
) -> np.ndarray:
    """Return the scores by which sentences are ranked for an image.

        score(I, s) = log P(s | I) - log P(s)         (m-RNN paper, section 5, eq. 7)

    Parameters
    ----------
    likelihoods : (sentences, images).
    normaliser : (sentences,), log P(s) up to a constant: `marginal` of sampled
        training images (the paper), the likelihood given the mean training feature
        (Kiros et al.), or None.

    Returns (images, sentences).
    """
    if normaliser is None:
        return likelihoods.T
    return (likelihoods - normaliser[:, None]).T


def marginal(likelihoods: np.ndarray) -> np.ndarray:
    """Return log of the mean of P(s | I') over sampled training images I'.

    likelihoods : (sentences, sampled images). Returns (sentences,).
    """
    largest = likelihoods.max(axis=1, keepdims=True)
    shares = np.exp(likelihoods.astype(np.float64) - largest)
    return largest[:, 0] + np.log(shares.mean(axis=1))
