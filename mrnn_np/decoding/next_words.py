"""What a model says about the next word, as the ways of decoding want to hear it.

Knows: which words may come out, how the best are picked. Does not know: sentences.
"""

from typing import Protocol

import numpy as np

from mrnn_np.data.vocabulary import END, PAD, SPECIALS, START, UNK, Vocabulary
from mrnn_np.kernels.best_words import best_words
from mrnn_np.kernels.log_softmax import LN2, log_sums

FORBIDDEN = [PAD, START, UNK]  # never words of a caption
ROWS = 1024  # of logits at once, 10 MB at V = 2,500; 256 rows took 10 % longer


State = dict[str, np.ndarray]  # of a model after some words: a row a sentence


class NextWords(Protocol):
    """What decoding asks of a model: the next word, given an image and the ones before.

    `mrnn_np.models.next_word.NextWordModel` says what each of these is.
    """

    vocabulary: Vocabulary
    tokenizer: str

    def standardise(self, features: np.ndarray) -> np.ndarray: ...

    def start(self, features: np.ndarray) -> State: ...

    def step(self, tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]: ...

    def best_next(
        self, tokens: np.ndarray, state: State, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, State]: ...

    def refined_features(self, features: np.ndarray) -> np.ndarray: ...

    def fingerprint(self) -> str: ...


def next_log_probs(
    model: NextWords, tokens: np.ndarray, state: State
) -> tuple[np.ndarray, State]:
    """Return log P(next word), (n, V), with -inf for the words that may not come out.

    The others are left as the model gave them: a caption's log-probability is what
    the model says about that sentence, whatever the search.
    """
    log_probs, state = model.step(tokens, state)
    log_probs[:, FORBIDDEN] = -np.inf
    return log_probs, state


def best_next_plain(
    model: NextWords, tokens: np.ndarray, state: State, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, State]:
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


def best_of_output(
    m: np.ndarray, Wo: np.ndarray, bo: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Do what `best_next_plain` does, for the output layer softmax(m Wo + bo).

    Log-probabilities are never written down: of every row of logits only the log of
    its sum and the best words are taken, before the next block overwrites it. They are
    base 2, because that is what `log_sums` wants.

    Parameters
    ----------
    m : (n, M) float32; Wo : (M, V), bo : (V,) float32.

    Returns
    -------
    ends (n,), log_probs (n, k) and words (n, k), see `best_next_plain`.
    """
    n, V = len(m), len(bo)
    m = m / LN2  # not in place: a model's state may be the same array
    bo = bo / LN2
    ends, log_sum = np.empty(n, np.float32), np.empty(n, np.float32)
    best = np.empty((n, min(k, V - len(SPECIALS))), np.float32)
    words = np.empty(best.shape, np.int64)
    blocks = -(-n // ROWS)
    logits = np.empty((min(n, ROWS), V), np.float32)
    for block in range(blocks):  # of equal sizes, as products of few rows are slow
        rows = slice(n * block // blocks, n * (block + 1) // blocks)
        z = np.matmul(m[rows], Wo, out=logits[: rows.stop - rows.start])  # (rows, V)
        log_sums(z, bo, log_sum[rows])
        best_words(z, bo, len(SPECIALS), best[rows], words[rows])
        ends[rows] = z[:, END] + bo[END]
    return ends * LN2 - log_sum, best * LN2 - log_sum[:, None], words
