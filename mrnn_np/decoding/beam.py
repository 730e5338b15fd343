"""Beam search over many images at once.

At every step each of the K best unfinished sentences of an image is extended by every
word. Of these K V candidates the K best are looked at: those that end are finished and
leave; the K best that do not end go on. A finished sentence never competes for a place
in the beam, and nothing is ever added to it.

Knows: log-probabilities. Does not know: words, images, the model's insides.
"""

import numpy as np

from mrnn_np.data.vocabulary import END, START
from mrnn_np.decoding.caption import (
    LONGEST,
    Caption,
    make_caption,
    next_log_probs,
)
from mrnn_np.errors import InputError


def beam_search(
    model,
    features: np.ndarray,
    beam_size: int = 5,
    max_length: int = LONGEST,
    length_penalty: float = 0.0,
    n_best: int = 1,
) -> list[list[Caption]]:
    """Search for the likeliest sentences of each image.

        score = log P(w_1 .. w_L, <end> | I) / (L + 1)^length_penalty

    The paper has no length penalty (0), a beam of 5, and 10 when the sentences are
    re-ranked afterwards. A beam of 1 is greedy search; a beam that holds every
    sentence is an exhaustive search.

    Parameters
    ----------
    model : with `start`, `step`, `vocabulary` and `tokenizer`.
    features : (N, D) as `standardise` returns them.
    beam_size : K, unfinished sentences kept for each image.
    max_length : words at most.
    length_penalty : 0 for the log-probability itself, 1 for its mean per word.
    n_best : sentences returned for each image, at most K.

    Returns
    -------
    For each image its captions, best first; `log_prob` is without the penalty.

    Raises
    ------
    InputError : a beam or length below 1, a negative penalty, n_best outside 1..K.
    """
    if beam_size < 1 or max_length < 1:
        raise InputError("beam size and longest sentence must be 1 or more")
    if not 1 <= n_best <= beam_size:
        raise InputError(
            f"{n_best} sentences wanted from a beam of {beam_size}: widen the beam"
        )
    if length_penalty < 0:
        raise InputError(f"the length penalty must be 0 or more, not {length_penalty}")
    beams = [_Beam(beam_size, max_length, length_penalty) for _ in features]
    # One row a live sentence; at first each image has one, the empty sentence.
    state = model.start(features)
    owner = np.arange(len(beams))  # (n,) the image of each row, never falling
    tokens = np.full(len(beams), START)
    for length in range(max_length + 1):
        log_probs, state = next_log_probs(model, tokens, state)  # (n, V)
        rows, tokens, next_owner = [], [], []
        bounds = np.searchsorted(owner, np.arange(len(beams) + 1))
        for image in np.unique(owner):
            first, last = bounds[image], bounds[image + 1]
            parents, words = beams[image].extend(log_probs[first:last], length)
            rows.append(first + parents)
            tokens.append(words)
            next_owner.append(np.full(len(words), image))
        rows, tokens, owner = map(np.concatenate, (rows, tokens, next_owner))
        if len(rows) == 0:
            break
        state = {name: value[rows] for name, value in state.items()}
    return [
        [make_caption(model, ids, total) for _, total, ids in beam.best(n_best)]
        for beam in beams
    ]


class _Beam:
    """The unfinished and the finished sentences of one image."""

    def __init__(self, size: int, max_length: int, penalty: float) -> None:
        self.size, self.max_length, self.penalty = size, max_length, penalty
        self.sentences = [()]  # word ids of the live sentences
        self.totals = np.zeros(1)  # their log-probabilities, best first
        self.finished = []  # (score, log-probability, word ids)

    def extend(
        self, log_probs: np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Extend every live sentence by a word.

        Parameters
        ----------
        log_probs : (live, V), of the next word.
        length : words of the live sentences.

        Returns
        -------
        parents : (k,) which live sentence each survivor extends; words : (k,) by what.
        """
        totals = self.totals[:, None] + log_probs  # (live, V)
        if length == self.max_length:  # full: the only way on is to end
            for parent in range(len(totals)):
                self._finish(parent, totals[parent, END])
            return self._survive([], [], [])
        V = totals.shape[1]
        flat = totals.ravel()
        # Each parent ends at most once, so 2K candidates hold K that go on.
        candidates = _largest(flat, 2 * self.size)
        parents, words, kept = [], [], []
        for rank, candidate in enumerate(candidates):
            parent, word = divmod(int(candidate), V)
            if word == END:
                if rank < self.size:
                    self._finish(parent, flat[candidate])
            elif len(words) < self.size:
                parents.append(parent)
                words.append(word)
                kept.append(flat[candidate])
        if self._settled(kept):
            return self._survive([], [], [])
        return self._survive(parents, words, kept)

    def _survive(self, parents: list, words: list, totals: list):
        self.sentences = [
            (*self.sentences[parent], word)
            for parent, word in zip(parents, words, strict=True)
        ]
        self.totals = np.array(totals)
        return np.array(parents, int), np.array(words, int)

    def _finish(self, parent: int, total: float) -> None:
        ids = self.sentences[parent]
        score = total / (len(ids) + 1) ** self.penalty
        self.finished.append((score, float(total), ids))

    def best(self, count: int) -> list[tuple]:
        """Return the finished sentences with the best scores."""
        return sorted(self.finished, key=lambda item: -item[0])[:count]

    def _settled(self, totals: list[float]) -> bool:
        """Whether no live sentence can still get among the best K finished ones.

        Its log-probability can only fall. With a penalty its score may still rise,
        at most to the present total divided by the largest divisor.
        """
        if not totals:
            return True
        if len(self.finished) < self.size:
            return False
        reachable = totals[0] / (self.max_length + 1) ** self.penalty
        return self.best(self.size)[-1][0] >= reachable


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the largest finite values, largest first.

    Equal values come in the order of their indices, so a beam of 1 breaks a tie as
    argmax does.
    """
    if count < len(values):
        threshold = np.partition(values, -count)[-count]
        chosen = np.nonzero(values >= threshold)[0]
    else:
        chosen = np.arange(len(values))
    chosen = chosen[values[chosen] > -np.inf]
    return chosen[np.argsort(-values[chosen], kind="stable")][:count]
