"""CIDEr and CIDEr-D: agreement with what most people say, rare words counting more.

A sentence is a vector of tf-idf weights, one vector for each order n = 1..4:

    g(sentence)[ngram] = count(ngram) (log N - log max(1, images with that ngram))

where an image has an n-gram if any of its references has it, and N is the number of
images. With h the hypothesis and r one of the m references of an image,

    CIDEr   = 10 mean_n mean_r  g(h) . g(r) / |g(h)| |g(r)|
    CIDEr-D = 10 mean_n mean_r  min(g(h), g(r)) . g(r) / |g(h)| |g(r)|
                                exp(-(l(h) - l(r))^2 / (2 6^2))

so CIDEr-D does not reward repeating a word, and punishes another length l (which the
reference implementation counts in bigrams). **What coco-caption and every table made
with it call CIDEr is CIDEr-D**; so does `compute_score`. Both are 0 for a corpus of
one image, since log 1 = 0: a word that all images share says nothing.

Source: Vedantam et al. (2015), equations 1 to 5; details as in coco-caption
(CIDEr-D) and in the first author's `cider` (both).

Knows: words. Does not know: how a sentence is cut into them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.metrics.ngrams import (
    ORDERS,
    Corpus,
    Words,
    count_corpus,
    count_ngrams,
)

SIGMA = 6.0  # of the punishment for another length, in bigrams


@dataclass(frozen=True)
class DocumentFrequencies:
    """In how many of a corpus's images each n-gram occurs.

    images : number of images, N.
    counts : n-gram (a tuple of words) -> images with it, at least 1.
    """

    images: int
    counts: Mapping[tuple[str, ...], int]


def document_frequencies(
    references: Iterable[Sequence[Words]],
) -> DocumentFrequencies:
    """Count the images whose references have each n-gram.

    Use it to score a few images against the frequencies of a large corpus; alone, a
    few images have no frequencies worth the name.
    """
    counts: Counter = Counter()
    images = 0
    for sentences in references:
        images += 1
        counts.update({ngram for words in sentences for ngram in count_ngrams(words)})
    return DocumentFrequencies(images, counts)


def compute_score(
    references: Sequence[Sequence[Words]],
    hypotheses: Sequence[Words],
    frequencies: DocumentFrequencies | None = None,
) -> tuple[float, np.ndarray]:
    """Return CIDEr-D, which coco-caption calls CIDEr, of the corpus and each image.

    Parameters
    ----------
    references : for each image its sentences, each a list of words.
    hypotheses : for each image one list of words; an empty one is allowed.
    frequencies : of another corpus; by default those of these references.

    Returns
    -------
    corpus : the mean of `each`; people reach about 0.9, 10 is the largest value.
    each : (N,) float64.
    """
    each = image_scores(count_corpus(references, hypotheses), frequencies)
    return float(each.mean()), each


def compute_plain_score(
    references: Sequence[Sequence[Words]],
    hypotheses: Sequence[Words],
    frequencies: DocumentFrequencies | None = None,
) -> tuple[float, np.ndarray]:
    """Return CIDEr without the D, as `compute_score` does CIDEr-D."""
    corpus = count_corpus(references, hypotheses)
    each = image_scores(corpus, frequencies, plain=True)
    return float(each.mean()), each


def image_scores(
    corpus: Corpus,
    frequencies: DocumentFrequencies | None = None,
    plain: bool = False,
) -> np.ndarray:
    """Return CIDEr-D (or plain CIDEr) of each image, (N,) float64."""
    ours, theirs, found = corpus.hypotheses, corpus.references, corpus.found
    N, S = len(ours.lengths), len(theirs.lengths)
    idf = inverse_frequencies(corpus, frequencies)
    our_weight, their_weight = (
        ours.count * idf[ours.gram],
        theirs.count * idf[theirs.gram],
    )
    our_cell = ours.sentence * ORDERS + corpus.order[ours.gram]
    their_cell = theirs.sentence * ORDERS + corpus.order[theirs.gram]
    our_norm = np.sqrt(np.bincount(our_cell, our_weight**2, N * ORDERS))
    their_norm = np.sqrt(np.bincount(their_cell, their_weight**2, S * ORDERS))
    # Only n-grams that a reference shares with its hypothesis add to the product.
    shared = found >= 0
    h, r = our_weight[found[shared]], their_weight[shared]
    product = np.bincount(
        their_cell[shared], (h if plain else np.minimum(h, r)) * r, S * ORDERS
    ).reshape(S, ORDERS)
    norms = our_norm.reshape(N, ORDERS)[corpus.image] * their_norm.reshape(S, ORDERS)
    cosine = np.divide(product, norms, out=np.zeros(norms.shape), where=norms > 0)
    similarity = cosine.mean(axis=1)  # (S,)
    if not plain:
        # In bigrams: one less than the words, but 0 for no word and for one word.
        bigrams = np.maximum(0, theirs.lengths - 1)
        difference = np.maximum(0, ours.lengths - 1)[corpus.image] - bigrams
        similarity *= np.exp(-(difference**2) / (2 * SIGMA**2))
    return 10 * np.bincount(corpus.image, similarity, N) / np.bincount(corpus.image)


def inverse_frequencies(
    corpus: Corpus, frequencies: DocumentFrequencies | None
) -> np.ndarray:
    """Return log N - log max(1, images with it) of every n-gram, (G,) float64."""
    G = len(corpus.order)
    if frequencies is None:
        N = len(corpus.hypotheses.lengths)
        theirs = corpus.references
        # Each (image, n-gram) counts once. np.unique needs 20 times as long for this.
        pairs = np.sort(corpus.image[theirs.sentence] * G + theirs.gram)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        documents = np.bincount(pairs % max(G, 1), minlength=G)
    else:
        N = frequencies.images
        documents = np.array(
            [frequencies.counts.get(ngram, 0) for ngram in corpus.ngrams()], float
        )
    return math.log(N) - np.log(np.maximum(1, documents))


def plain_image_score(
    references: Sequence[Words],
    hypothesis: Words,
    frequencies: DocumentFrequencies,
    plain: bool = False,
) -> float:
    """Return one number of `image_scores`, the way it is defined (13 times slower)."""

    def weights(words: Words, n: int) -> dict[tuple[str, ...], float]:
        return {
            ngram: count
            * (
                math.log(frequencies.images)
                - math.log(max(1, frequencies.counts.get(ngram, 0)))
            )
            for ngram, count in count_ngrams(words).items()
            if len(ngram) == n
        }

    total = 0.0
    for words in references:
        difference = max(0, len(hypothesis) - 1) - max(0, len(words) - 1)
        factor = 1.0 if plain else math.exp(-(difference**2) / (2 * SIGMA**2))
        for n in range(1, ORDERS + 1):
            h, r = weights(hypothesis, n), weights(words, n)
            product = sum(
                (h[ngram] if plain else min(h[ngram], r[ngram])) * r[ngram]
                for ngram in h.keys() & r.keys()
            )
            norms = math.hypot(*h.values()) * math.hypot(*r.values())
            total += factor * product / norms if norms else 0.0
    return 10 * total / ORDERS / len(references)
