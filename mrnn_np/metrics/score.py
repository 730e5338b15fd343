"""All metrics of a set of captions at once.

Knows: which metrics there are. Does not know: how any of them works.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrnn_np.metrics import bleu, bootstrap, cider, meteor, rouge
from mrnn_np.metrics.ngrams import ORDERS, count_corpus
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import say

BLEU = tuple(f"BLEU-{n}" for n in range(1, ORDERS + 1))

References = Mapping[Any, Sequence[str]]  # id of an image -> sentences


def perplexity(nats_per_token: float) -> float:
    """Return the paper's perplexity of a mean loss.

        PPL = 2^(mean of -log2 P) = e^(mean of -ln P)

    where the mean runs over all words of all sentences, each <end> included
    (m-RNN paper, equation 5, summed over the corpus as in its equation 6). Beyond 709
    nats, where a training has diverged, it is infinite: too large for a float.
    """
    try:
        return math.exp(nats_per_token)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class Part:
    """Some metrics that are one function of numbers which add up over images.

    names : M metrics.
    counts : (N, K), what each image brings.
    score : (..., K) -> (..., M); of one row the score of one image, of the sum of the
        rows that of the corpus.
    """

    names: Sequence[str]
    counts: np.ndarray
    score: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Rating:
    """The scores of a set of captions: `corpus`, `each`, `intervals`.

    images : ids of the N images.
    parts : see `Part`.
    """

    images: tuple
    parts: tuple[Part, ...]

    @property
    def corpus(self) -> dict[str, float]:
        """Metric -> its value for all images together."""
        values: dict[str, float] = {}
        for part in self.parts:
            scores = part.score(part.counts.sum(axis=0)).tolist()
            values |= zip(part.names, scores, strict=True)
        return values

    @property
    def each(self) -> dict[str, np.ndarray]:
        """Metric -> (N,) float64, its value for each image alone."""
        values: dict[str, np.ndarray] = {}
        for part in self.parts:
            values |= zip(part.names, part.score(part.counts).T, strict=True)
        return values

    def intervals(
        self, rng: np.random.Generator, resamples: int = 1000, level: float = 0.95
    ) -> dict[str, tuple[float, float]]:
        """Return (low, high) of every metric by bootstrap (see metrics/bootstrap.py).

        What is not a mean over images, as corpus BLEU, is computed anew from the added
        counts of each sample. The document frequencies of CIDEr stay those of all
        images.
        """
        drawn = bootstrap.draw(len(self.images), rng, resamples)
        values: dict[str, tuple[float, float]] = {}
        for part in self.parts:
            low, high = bootstrap.ends(part.score(drawn @ part.counts), level)
            pairs = zip(low.tolist(), high.tolist(), strict=True)
            values |= zip(part.names, pairs, strict=True)
        return values


def mean_part(values: Mapping[str, np.ndarray]) -> Part:
    """Return the part of metrics, each (N,), whose corpus value is the mean."""
    columns = np.column_stack(list(values.values()))
    counts = np.column_stack([columns, np.ones(len(columns))])
    return Part(tuple(values), counts, lambda sums: sums[..., :-1] / sums[..., -1:])


def perplexity_part(nats: np.ndarray, tokens: np.ndarray) -> Part:
    """Return the part of perplexity; nats and tokens : (N,), added over sentences."""

    def score(sums: np.ndarray) -> np.ndarray:
        means = sums[..., :1] / sums[..., 1:]
        return np.reshape([perplexity(mean) for mean in means.flat], means.shape)

    return Part(["perplexity"], np.column_stack([nats, tokens]), score)


def score(
    references: References, hypotheses: References, with_meteor: bool = False
) -> dict[str, float]:
    """Rate one sentence an image against what people wrote.

    Parameters
    ----------
    references : image id -> one or more sentences, words separated by blanks.
    hypotheses : image id -> a list with exactly one sentence. Both in the tokenised
        form (for English `mrnn_np.metrics.ptb.tokenize`, as coco-caption does).
    with_meteor : also METEOR, which starts Java (seconds). Where that is not possible
        it is left out, and a line on stderr says so.

    Returns
    -------
    {"BLEU-1": ..., ..., "BLEU-4": ..., "ROUGE-L": ..., "CIDEr": ...}, as in the tables
    made with coco-caption: CIDEr is CIDEr-D (see metrics/cider.py), 0 to 10; all others
    are in [0, 1].

    Raises
    ------
    InputError : ids that do not match, not exactly one hypothesis, no reference.
    """
    return rate(references, hypotheses, with_meteor).corpus


def rate(
    references: References, hypotheses: References, with_meteor: bool = False
) -> Rating:
    """Do what `score` does, and keep the scores of each image; see `Rating`."""
    check(references, hypotheses)
    truth = [[text.split() for text in references[image]] for image in hypotheses]
    guess = [sentences[0].split() for sentences in hypotheses.values()]
    ngrams = count_corpus(truth, guess)  # once, for BLEU and CIDEr
    _, rouge_l = rouge.compute_score(truth, guess)
    parts = [
        Part(BLEU, bleu.image_counts(ngrams), bleu.bleu_of_counts),
        mean_part({"ROUGE-L": rouge_l, "CIDEr": cider.image_scores(ngrams)}),
    ]
    if with_meteor:
        reason = meteor.unavailable()
        if reason:
            say(f"METEOR is left out: {reason}")
        else:
            counts = meteor.image_counts(truth, guess)
            parts.append(
                Part(
                    ["METEOR"],
                    counts,
                    lambda sums: meteor.meteor_of_counts(sums)[..., None],
                )
            )
    return Rating(tuple(hypotheses), tuple(parts))


def check(references: References, hypotheses: References) -> None:
    """Refuse ids that do not match, naming one."""
    if not hypotheses:
        raise InputError("there is no caption to score")
    for image, sentences in hypotheses.items():
        if image not in references or not references[image]:
            raise InputError(f"there is no reference sentence for image {image!r}")
        if len(sentences) != 1:
            raise InputError(
                f"image {image!r} has {len(sentences)} captions, expected exactly one"
            )
    for image in references:
        if image not in hypotheses:
            raise InputError(f"there is no caption for image {image!r}")
