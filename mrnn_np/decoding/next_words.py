"""What a model says about the next word, as the ways of decoding want to hear it.

Knows: which words may come out, how the best are picked. Does not know: sentences.
"""

import numpy as np

from mrnn_np.data.vocabulary import END, PAD, SPECIALS, START, UNK
from mrnn_np.kernels.best_words import best_words

FORBIDDEN = [PAD, START, UNK]  # never words of a caption


def next_log_probs(model, tokens: np.ndarray, state: dict) -> tuple[np.ndarray, dict]:
    """Return log P(next word), (n, V), with -inf for the words that may not come out.

    The others are left as the model gave them: a caption's log-probability is what
    the model says about that sentence, whatever the search.
    """
    log_probs, state = model.step(tokens, state)
    log_probs[:, FORBIDDEN] = -np.inf
    return log_probs, state


def best_next(
    model, tokens: np.ndarray, state: dict, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
    """Return log P(<end>) and the k likeliest other words: all that a search needs.

    A model that can do it without writing down all V log-probabilities has a method
    of this name; `best_next_plain` says what it has to return.
    """
    if hasattr(model, "best_next"):
        return model.best_next(tokens, state, k)
    return best_next_plain(model, tokens, state, k)


def best_next_plain(
    model, tokens: np.ndarray, state: dict, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
    """Ask any model for all next words, and keep the best.

    Parameters
    ----------
    model : with `step`.
    tokens, state : as `step` takes them, n rows.
    k : words wanted; when there are fewer that may come out, all of those.

    Returns
    -------
    ends : (n,) nats, log P(<end>).
    log_probs : (n, k) nats, largest first; words : (n, k) integer, what they belong
        to, equal ones in the order of the vocabulary.
    state : the new one.
    """
    log_probs, state = model.step(tokens, state)  # (n, V)
    k = min(k, log_probs.shape[1] - len(SPECIALS))
    best = np.empty((len(tokens), k), log_probs.dtype)
    words = np.empty((len(tokens), k), np.int64)
    no_bias = np.zeros(log_probs.shape[1], log_probs.dtype)
    best_words(log_probs, no_bias, len(SPECIALS), best, words)
    return log_probs[:, END], best, words, state
