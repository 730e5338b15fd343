"""The two retrieval tasks on a split of a data set, as the papers score them.

Every sentence of the split is a query for its image among all images, and every image
is a query for its sentences among all sentences. A ranker's score is used as it is.
What a captioner's likelihood of a sentence is divided by, when sentences are ranked for
an image, has three forms:

- marginal: its mean over sampled training images (the m-RNN paper);
- mean image: its likelihood for the mean training image (Kiros et al.);
- none.

All three come from the same run: the sampled training images, and the mean image, are
further columns of the matrix.

Knows: which pairs are compared. Does not know: how a score is computed or shown.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.models.model import Model
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.models.ranker import Ranker
from mrnn_np.retrieval.pairs import Work, pair_scores
from mrnn_np.retrieval.ranking import (
    Recall,
    first_ranks,
    image_to_sentence_scores,
    marginal,
    random_recall,
    recall,
    relevance,
)
from mrnn_np.retrieval.shortlist import guess_likelihoods, look_closely
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.workers import THREADS, Workers

SAMPLES = 200  # training images for the marginal; the paper does not give its number


@dataclass(frozen=True)
class Retrieval:
    """The result of both tasks.

    Fields
    ------
    names, sentences : the images, and all sentences, image by image.
    owner : (sentences,) which image each sentence was written for.
    image_scores : (sentences, images), by which images are ranked for a sentence.
    sentence_scores : (images, sentences), by which sentences are ranked for an image,
        a captioner's normalised by the marginal. Both -inf where a shortlist left a
        pair out.
    rows : name -> `Recall`, the rows of the table.
    skipped : share of the pairs that a shortlist left out.
    work : of the exact matrix, None with a shortlist.
    """

    names: list[str]
    sentences: list[str]
    owner: np.ndarray
    image_scores: np.ndarray
    sentence_scores: np.ndarray
    rows: dict[str, Recall]
    skipped: float
    work: Work | None


def retrieve(
    model: Model,
    dataset: CaptionDataset,
    names: Sequence[str],
    matrix: np.ndarray,
    training: np.ndarray,
    rng: np.random.Generator,
    shortlist: int | None = None,
    workers: Workers = THREADS,
    memory: int = 1024,
    path: str | Path | None = None,
) -> Retrieval:
    """Run both tasks.

    Parameters
    ----------
    names : the images; matrix : (n, D), their features as the CNN gave them.
    training : (samples, D), features of sampled training images; a ranker needs none.
    rng : for a shortlist's guesses.
    shortlist : its length; None compares every pair exactly.
    workers, memory, path : see `pair_scores`.
    """
    tokenize = get_tokenizer(model.tokenizer).tokenize
    sentences, image_of, words = [], [], []
    for image, name in enumerate(names):
        for text in dataset.captions[name]:
            words.append(model.vocabulary.encode(tokenize(text)))
            if not words[-1]:
                raise InputError(f"{name}: there is no word in its sentence {text!r}")
            sentences.append(text)
            image_of.append(image)
    owner, n = np.array(image_of), len(names)
    # Columns: the images, and what normalises a sentence's score.
    columns, normalisers = normalising(model, training)
    everything = np.vstack([matrix, columns])
    relevant = relevance(owner, n)
    if shortlist is None:
        scores, work = pair_scores(model, everything, words, workers, memory, path)
        exact = np.ones_like(relevant)
    else:
        standard = model.standardise(everything)
        scores, work = guess_likelihoods(model, standard, words, rng), None
        assert isinstance(model, NextWordModel)  # no other can be guessed
        found = look_closely(
            model, standard[:n], words, scores[:, :n], shortlist, workers
        )
        scores[:, :n], exact = found.scores, found.exact
    pairs, rows, sentence_scores = scores[:, :n], {}, None
    for name, normaliser in normalisers(scores[:, n:]).items():
        by_image = image_to_sentence_scores(pairs, normaliser)
        by_image = np.where(exact.T, by_image, -np.inf)
        rows[f"image to sentence, {name}"] = recall(first_ranks(by_image, relevant.T))
        if sentence_scores is None:  # the first is the one that counts
            sentence_scores = by_image
    counts = np.bincount(owner, minlength=n)
    rows["image to sentence, by chance"] = random_recall(counts, len(sentences))
    image_scores = np.where(exact, pairs, -np.inf)
    rows["sentence to image"] = recall(first_ranks(image_scores, relevant))
    rows["sentence to image, by chance"] = random_recall([1] * len(sentences), n)
    assert sentence_scores is not None  # there is one way at least
    return Retrieval(
        names=list(names),
        sentences=sentences,
        owner=owner,
        image_scores=image_scores,
        sentence_scores=sentence_scores,
        rows=rows,
        skipped=float(1 - exact.mean()),
        work=work,
    )


@functools.singledispatch
def normalising(
    model: Model, training: np.ndarray
) -> tuple[np.ndarray, Callable[[np.ndarray], dict[str, np.ndarray | None]]]:
    """Return how a sentence's score is normalised when sentences are ranked.

    Returns
    -------
    columns : (k, D), image features; every sentence is scored with these too.
    normalisers : from those scores, (S, k), to the forms of normalisation, the one that
        counts first: name -> (S,) for `image_to_sentence_scores`.
    """

    def normalisers(scores: np.ndarray) -> dict[str, np.ndarray | None]:
        return {
            "marginal": marginal(scores[:, :-1]),
            "mean image": scores[:, -1],
            "not normalised": None,
        }

    assert isinstance(model, NextWordModel)  # the only other kind
    return np.vstack([training, model.feature_mean]), normalisers


@normalising.register
def _(
    model: Ranker, training: np.ndarray
) -> tuple[np.ndarray, Callable[[np.ndarray], dict[str, np.ndarray | None]]]:
    return training[:0], lambda scores: {"score": None}
