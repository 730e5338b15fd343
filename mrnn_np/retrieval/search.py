"""One query: the images of a sentence, or the sentences of a photograph.

Images for a sentence are one row of the matrix of all pairs, a second of work for a
thousand images. Sentences for a photograph are one column, and of a ranker that is all.

A captioner's sentences are each divided by their mean likelihood over sampled training
images (`mrnn_np.retrieval` says why), and those would be hundreds of further columns.
Most of them need not be computed: probabilities are not
negative, so the mean is at least what the images so far add to it, and a sentence that
is not good enough with that will not get better. For photographs, 2,500 sentences of
Flickr8k and 200 samples, 6 % of the pairs find the best 5 that all of them would find.

Knows: what is compared with what for one query. Does not know: how a score is computed,
or how results are shown.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.models.model import Model
from mrnn_np.models.ranker import Ranker
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.retrieval.ranking import marginal

# With these the best 5 cost 12 likelihoods a sentence in place of 201. Fewer tried cost
# more (2: 21), and so do fewer samples with fewer tried (2 and 4: 15).
FIRST_SAMPLES = 4  # training images that all sentences meet; then twice as many, ...
TRIED = 8  # sentences computed in full after that, for each result asked for
ROUNDING = 1e-3  # nats: float32 sums in another order differ by less


@dataclass(frozen=True)
class Sentence:
    """A sentence of a data set, once, however many images it was written for.

    Fields
    ------
    text : as its first writer wrote it.
    words : word ids.
    images : names of the images it was written for, each once.
    """

    text: str
    words: list[int]
    images: list[str]


def different_sentences(
    model: Model, dataset: CaptionDataset, names: Iterable[str]
) -> list[Sentence]:
    """Collect the sentences of some images; those of equal words are one.

    A sentence without any word is left out.
    """
    tokenize = get_tokenizer(model.tokenizer).tokenize
    found: dict[tuple[str, ...], Sentence] = {}
    for name in names:
        for text in dataset.captions[name]:
            tokens = tuple(tokenize(text))
            if not tokens:
                continue
            if tokens not in found:
                words = model.vocabulary.encode(tokens)
                found[tokens] = Sentence(text, words, [])
            if name not in found[tokens].images:
                found[tokens].images.append(name)
    return list(found.values())


def images_for_sentence(
    model: Model, words: Sequence[int], features: np.ndarray
) -> np.ndarray:
    """Return the score of each image, (images,); a captioner's is log P(s | I) in nats.

    Parameters
    ----------
    words : ids of the sentence (`Model.encode`).
    features : (images, D), as the CNN gives them.
    """
    return pair_scores(model, features, [words], label="images")[0][0]


@dataclass(frozen=True)
class Found:
    """The best sentences for an image.

    Fields
    ------
    best : numbers of the sentences, best first.
    scores : (best,) by which they were ranked.
    log_probs : (best,) nats, log P(s | I); None of a ranker.
    share : of the pairs of a sentence and a training image that were computed.
    """

    best: np.ndarray
    scores: np.ndarray
    log_probs: np.ndarray | None = None
    share: float = 0.0


@functools.singledispatch
def sentences_for_image(
    model: Model,
    sentences: Sequence[Sequence[int]],
    photograph: np.ndarray,
    training: np.ndarray,
    top: int,
) -> Found:
    """Return the sentences of the largest score, exactly.

        score(s) = log P(s | I) - log (1/n) sum over training images I' of P(s | I')

    Where only some of the n images are in the sum, the score is an upper bound. The
    number of images in it grows; whatever is below the score of `top` sentences that
    are known in full is put aside. A ranker's score is its own, at once.

    Parameters
    ----------
    sentences : word ids of each.
    photograph : (1, D); training : (n, D) in any order without meaning, both as the
        CNN gives them. A ranker needs no training images.
    top : sentences to return, at most.
    """
    n = len(training)
    first = np.vstack([photograph, training[:FIRST_SAMPLES]])
    likelihoods, _ = pair_scores(model, first, sentences, label="sentences")
    log_probs = likelihoods[:, 0].astype(np.float64)
    seen = likelihoods.shape[1] - 1
    sums = marginal(likelihoods[:, 1:]) + np.log(seen)  # log of the sum so far
    alive, pairs = np.arange(len(sentences)), likelihoods[:, 1:].size

    def add(chosen: np.ndarray, images: np.ndarray, label: str) -> np.ndarray:
        """Return `sums` of the chosen sentences with more images in them."""
        nonlocal pairs
        words = [sentences[i] for i in chosen]
        more, _ = pair_scores(model, images, words, label=label)
        pairs += more.size
        return np.logaddexp(sums[chosen], marginal(more) + np.log(len(images)))

    enough = -np.inf
    if seen < n and 4 * TRIED * top <= len(sentences):  # else all are nearly as quick
        bounds = log_probs - sums + np.log(n)
        good = np.argsort(-bounds)[: TRIED * top]
        full = log_probs[good] - add(good, training[seen:], "the best") + np.log(n)
        enough = np.sort(full)[-min(top, len(full))] - ROUNDING
        alive = np.flatnonzero(bounds >= enough)
    while seen < n:
        sums[alive] = add(alive, training[seen : 2 * seen], f"samples from {seen}")
        seen = min(2 * seen, n)
        alive = alive[log_probs[alive] - sums[alive] + np.log(n) >= enough]
    scores = log_probs[alive] - sums[alive] + np.log(n)
    order = np.argsort(-scores, kind="stable")[:top]
    best = alive[order]
    return Found(best, scores[order], log_probs[best], pairs / (len(sentences) * n))


@sentences_for_image.register
def _(
    model: Ranker,
    sentences: Sequence[Sequence[int]],
    photograph: np.ndarray,
    training: np.ndarray,
    top: int,
) -> Found:
    scores = pair_scores(model, photograph, sentences, label="sentences")[0][:, 0]
    best = np.argsort(-scores, kind="stable")[:top]
    return Found(best, scores[best])
