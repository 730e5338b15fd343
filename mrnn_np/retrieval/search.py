"""One query: the images of a sentence, or the sentences of a photograph.

Images for a sentence are one row of the likelihood matrix, a second of work for a
thousand images. Sentences for a photograph are one column, but each of them has to be
compared with what it is worth for other images, and its marginal over 200 training
images is 200 more columns. So the mean training image, one column, stands for all of
them first, and only sentences that gain most over it get their exact marginal.

Knows: what is compared with what for one query. Does not know: how a likelihood is
computed, or how results are shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.retrieval.likelihood import log_likelihoods
from mrnn_np.retrieval.ranking import image_to_sentence_scores, marginal
from mrnn_np.retrieval.shortlist import largest


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
    model, dataset: CaptionDataset, names: Iterable[str]
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


def images_for_sentence(model, words: Sequence[int], features: np.ndarray):
    """Return log P(sentence, <end> | image) of each image, (images,) nats.

    Parameters
    ----------
    words : ids of the sentence (`NextWordModel.encode`).
    features : (images, D), as the CNN gives them.
    """
    return log_likelihoods(model, features, [words], label="images")[0][0]


def sentences_for_image(
    model,
    sentences: Sequence[Sequence[int]],
    photograph: np.ndarray,
    training: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return how well each sentence fits one image.

        score(s) = log P(s | I) - log mean over training images I' of P(s | I')

    for the `size` sentences of the largest log P(s | I) - log P(s | mean image); see
    `mrnn_np.retrieval.ranking` for why anything is subtracted.

    Parameters
    ----------
    sentences : word ids of each.
    photograph : (1, D); training : (samples, D), both as the CNN gives them.
    size : length of the shortlist.

    Returns
    -------
    scores : (sentences,) nats, -inf for those that are not on the shortlist.
    log_probs : (sentences,) nats, log P(s | I) of every sentence.
    """
    pair = np.vstack([photograph, training.mean(axis=0)])
    likelihoods, _ = log_likelihoods(model, pair, sentences, label="sentences")
    guess = image_to_sentence_scores(likelihoods[:, :1], likelihoods[:, 1])
    chosen = np.flatnonzero(largest(guess, size)[0])
    shortlist = [sentences[i] for i in chosen]
    others, _ = log_likelihoods(model, training, shortlist, label="marginals")
    log_probs = likelihoods[:, 0].astype(np.float64)
    scores = np.full(len(sentences), -np.inf)
    scores[chosen] = log_probs[chosen] - marginal(others)
    return scores, log_probs
