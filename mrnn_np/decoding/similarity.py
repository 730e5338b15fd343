"""How alike are two sentences? Two answers, for consensus reranking.

`bleu_similarity` and `cider_similarity` say it of one pair and are the ones to read.
`Similarities` says the same of many pairs at once: it numbers the n-grams of a whole
collection of captions, so that comparing is adding up numbers (kernels/ngrams.py).

1,000 images with 10 hypotheses and 300 captions each, 3 million pairs, take 2 s, and
numbering the n-grams of 30,000 captions another 2 s; pair by pair BLEU would take
2.5 minutes and CIDEr a quarter of an hour.

Source: section 8 of the m-RNN paper names the two; their details are those of its
authors' published program (mRNN-CR).

Knows: lists of words. Does not know: images, or what the similarities are for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.kernels.ngrams import shared_ngrams
from mrnn_np.metrics.cider import (
    SIGMA,
    DocumentFrequencies,
    inverse_frequencies,
    plain_image_score,
)
from mrnn_np.metrics.ngrams import ORDERS, Words, count_corpus, count_ngrams

SIMILARITIES = ("cider", "bleu")


def bleu_similarity(first: Words, second: Words) -> float:
    """Return the share of n-grams in common, averaged over n = 1..4.

        F_n = 2 shared_n / (n-grams of first + n-grams of second)
        similarity = (F_1 + F_2 + F_3 + F_4) / 4

    shared_n counts an n-gram as often as the sentence that has it less often. F_n is
    the harmonic mean of precision and recall. A geometric mean as in BLEU would be 0
    for most pairs of sentences.

    Returns a number in [0, 1]; 0 when either sentence has fewer than 4 words.
    """
    if min(len(first), len(second)) < ORDERS:
        return 0.0
    shared = [0] * ORDERS
    for ngram, count in (count_ngrams(first) & count_ngrams(second)).items():
        shared[len(ngram) - 1] += count
    total = 0.0
    for n in range(ORDERS):
        total += 2 * shared[n] / (len(first) - n + len(second) - n)
    return total / ORDERS


def cider_similarity(
    hypothesis: Words, reference: Words, frequencies: DocumentFrequencies
) -> float:
    """Return CIDEr-D of one sentence against one other, in [0, 10].

    The cosine of two vectors of n-gram counts in which rare n-grams weigh more; see
    metrics/cider.py. CIDEr-D of an image is the mean over its references.

    The reference implementation measures sentences in bigrams where one expects
    words. It makes no difference: both sentences have one less.

    Parameters
    ----------
    frequencies : of the n-grams, in the collection where the references come from
        (the authors' program takes those of the validation images instead).
    """
    return plain_image_score([reference], hypothesis, frequencies)


@dataclass(frozen=True)
class Bag:
    """The n-grams of S sentences, E entries in all; sentence after sentence.

    starts : (S + 1,); sentence s owns the entries starts[s] .. starts[s + 1].
    numbers, orders, counts : (E,), which n-gram, its order less one, how often.
    weights : similarity -> (E,), what sharing the n-gram once is worth.
    norms : (S, 4), lengths of the CIDEr vectors of each order.
    lengths : (S,), words.
    """

    starts: np.ndarray
    numbers: np.ndarray
    orders: np.ndarray
    counts: np.ndarray
    weights: dict[str, np.ndarray]
    norms: np.ndarray
    lengths: np.ndarray


class Similarities:
    """Both similarities for many pairs, with the frequencies of one collection.

    Parameters
    ----------
    captions : for each image its sentences (at least one), each a list of words.

    Attributes
    ----------
    collection : the `Bag` of all these sentences, in their order.
    """

    def __init__(self, captions: Sequence[Sequence[Words]]) -> None:
        corpus = count_corpus(captions, [()] * len(captions))
        self.numbers = {ngram: i for i, ngram in enumerate(corpus.ngrams())}
        # The last place is for all n-grams that the collection lacks.
        self.rarity = np.append(
            inverse_frequencies(corpus, None), math.log(len(captions))
        )
        counts = corpus.references
        self.collection = self._weigh(
            counts.sentence, counts.gram, corpus.order[counts.gram], counts.count,
            counts.lengths,
        )  # fmt: skip

    def bag(self, sentences: Sequence[Words]) -> Bag:
        """Count the n-grams of some more sentences.

        An n-gram that the collection lacks gets a number that holds in this bag only:
        to compare sentences with each other, put them into one bag.
        """
        rows = []
        new: dict[tuple[str, ...], int] = {}
        for sentence, words in enumerate(sentences):
            for ngram, count in count_ngrams(words).items():
                number = self.numbers.get(ngram)
                if number is None:
                    number = len(self.numbers) + new.setdefault(ngram, len(new))
                rows.append((sentence, number, len(ngram) - 1, count))
        owner, numbers, orders, counts = np.array(rows, np.int64).reshape(-1, 4).T
        lengths = np.array([len(words) for words in sentences], np.int64)
        return self._weigh(owner, numbers, orders, counts, lengths)

    def _weigh(
        self,
        sentence: np.ndarray,
        numbers: np.ndarray,
        orders: np.ndarray,
        counts: np.ndarray,
        lengths: np.ndarray,
    ) -> Bag:
        """Make a bag of entries that are sorted by sentence, each array (E,)."""
        S = len(lengths)
        rarity = self.rarity[np.minimum(numbers, len(self.numbers))]
        squares = np.bincount(
            sentence * ORDERS + orders, (counts * rarity) ** 2, S * ORDERS
        )
        return Bag(
            starts=np.searchsorted(sentence, np.arange(S + 1)),
            numbers=numbers.astype(np.int32),
            orders=orders.astype(np.int8),
            counts=counts.astype(np.int32),
            weights={"bleu": np.ones(len(counts)), "cider": counts * rarity**2},
            norms=np.sqrt(squares).reshape(S, ORDERS),
            lengths=lengths,
        )

    def compare(
        self,
        hypotheses: Bag,
        which: slice,
        pool: Bag,
        chosen: np.ndarray,
        similarity: str,
    ) -> np.ndarray:
        """Return the similarity of each of H hypotheses and each of P sentences.

        Parameters
        ----------
        hypotheses, which : a bag, and which H of its sentences.
        pool, chosen : a bag, and (P,) integer, which of its sentences.
        similarity : "cider" or "bleu".

        Returns
        -------
        (H, P) float64.
        """
        own = hypotheses.lengths[which, None]  # (H, 1)
        other = pool.lengths[chosen]  # (P,)
        shared = np.zeros((len(own), len(other), ORDERS))
        shared_ngrams(
            shared, pool.starts, pool.numbers, pool.counts, pool.weights[similarity],
            chosen, hypotheses.starts[which.start : which.stop + 1],
            hypotheses.numbers, hypotheses.counts, hypotheses.orders,
        )  # fmt: skip
        if similarity == "cider":
            norms = hypotheses.norms[which, None] * pool.norms[chosen]  # (H, P, 4)
            np.divide(shared, norms, out=shared, where=norms > 0)
            gap = (own - other) / SIGMA  # (H, P)
            return 10 * shared.mean(axis=2) * np.exp(-0.5 * gap**2)
        ngrams = (own + other)[..., None] - 2 * np.arange(ORDERS)  # of both, (H, P, 4)
        shared *= 2 / np.maximum(ngrams, 1)
        long_enough = np.minimum(own, other) >= ORDERS
        return np.where(long_enough, shared.mean(axis=2), 0.0)
