"""The two simple ways: always the likeliest word, or a word drawn at random."""

from collections.abc import Callable

import numpy as np

from mrnn_np.data.vocabulary import END, START
from mrnn_np.decoding.caption import LONGEST, Caption, make_caption
from mrnn_np.decoding.next_words import NextWords, next_log_probs
from mrnn_np.runtime.errors import InputError


def greedy_search(
    model: NextWords, features: np.ndarray, max_length: int = LONGEST
) -> list[Caption]:
    """Take the likeliest word at every step.

        w_t = argmax_v P(v | w_1 .. w_{t-1}, I)

    Parameters
    ----------
    features : (N, D) as `standardise` returns them.
    max_length : words at most; a sentence that is longer gets its <end> there.

    Returns one `Caption` an image.
    """
    return _one_by_one(
        model, features, max_length, lambda log_probs: log_probs.argmax(axis=1)
    )


def sample(
    model: NextWords,
    features: np.ndarray,
    rng: np.random.Generator,
    temperature: float = 1.0,
    max_length: int = LONGEST,
) -> list[Caption]:
    """Draw every word from the model's distribution.

        P(v) is proportional to exp(log p_v / temperature)

    Below 1 the likely words become likelier; towards 0 it is greedy search.

    Parameters
    ----------
    rng : source of the draws; the others as in `greedy_search`.

    Raises
    ------
    InputError : a temperature that is not positive.
    """
    if not 0 < temperature < np.inf:
        raise InputError(f"temperature must be positive, not {temperature}")

    def draw(log_probs: np.ndarray) -> np.ndarray:
        # The largest of log p / T + Gumbel noise is a draw from the softmax.
        noise = rng.gumbel(size=log_probs.shape)
        return (log_probs / temperature + noise).argmax(axis=1)

    return _one_by_one(model, features, max_length, draw)


def _one_by_one(
    model: NextWords,
    features: np.ndarray,
    max_length: int,
    choose: Callable[[np.ndarray], np.ndarray],
) -> list[Caption]:
    """Extend all sentences together until each one has its <end>."""
    N = len(features)
    state = model.start(features)
    tokens = np.full(N, START)
    running = np.ones(N, bool)
    totals = np.zeros(N)
    sentences: list[list[int]] = [[] for _ in range(N)]
    for length in range(max_length + 1):
        log_probs, state = next_log_probs(model, tokens, state)  # (N, V)
        # At full length only <end> is left.
        tokens = choose(log_probs) if length < max_length else np.full(N, END)
        totals += np.where(running, log_probs[np.arange(N), tokens], 0)
        running &= tokens != END
        if not running.any():
            break
        for n in np.nonzero(running)[0]:
            sentences[n].append(tokens[n])
    return [make_caption(model, *pair) for pair in zip(sentences, totals, strict=True)]
