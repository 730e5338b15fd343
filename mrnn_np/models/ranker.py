"""Models that say how well an image and a sentence fit, and cannot speak.

A ranker maps images and sentences to numbers that can be compared. It finds images for
a sentence and sentences for an image (`mrnn-np rank`, `search`), but it gives no word a
probability, so there is no caption and no perplexity.

It learns from batches of N pairs, an image I_n and a sentence s_n each. What belongs
together shall score higher than what does not, taken from the other pairs of the batch:

    score(I_n, s_n) > score(I_n, s_k)  and  score(I_n, s_n) > score(I_k, s_n)

for all k whose image is another one (`negatives`). Sentences of the same image are
never set against each other.

A model gives

    config_class                        a `ModelConfig` with its sizes
    parameters()                        shape and first draw of each
    embed_images(features)              a vector an image
    embed_sentences(sentences)          what a score needs of them, once for all images
    scores(embedded, features)          every such sentence with every image
    loss_and_grads(batch, rng, buffers) the mean over the pairs of a batch

and one line in registry.py.

Knows: batches of pairs. Does not know: scores, or what the loss makes of them.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrnn_np.data.batches import Examples, PackedBatch, pack, shuffled_batches
from mrnn_np.models.parametric import ParametricModel
from mrnn_np.runtime.progress import progress

EVALUATION_BATCH = 128  # pairs, as many as `TrainingConfig.batch_size`
SCORED = 256  # sentences that are read together when all pairs are scored


class Ranker(ParametricModel):
    """Scores pairs of an image and a sentence; see `ParametricModel` for the rest."""

    @abstractmethod
    def embed_images(self, features: np.ndarray) -> np.ndarray:
        """Return a vector an image, (n, F).

        features : (n, D) as `standardise` returns them.
        """

    @abstractmethod
    def embed_sentences(self, sentences: Sequence[Sequence[int]]) -> Any:
        """Return what `scores` needs of sentences, whatever the images.

        sentences : word ids of each.
        """

    @abstractmethod
    def scores(self, embedded: Any, features: np.ndarray) -> np.ndarray:
        """Return how well each sentence fits each image, larger is better.

        `mrnn_np.retrieval.pair_scores` calls it with blocks of images.

        Parameters
        ----------
        embedded : sentences, as `embed_sentences` returns them.
        features : (images, D) as `standardise` returns them.

        Returns (sentences, images) floating.
        """

    def pair_scores(
        self, features: np.ndarray, sentences: Sequence[Sequence[int]]
    ) -> np.ndarray:
        """Return the `scores` of sentences, given as word ids."""
        return self.scores(self.embed_sentences(sentences), features)

    def loss_terms(self, batch: PackedBatch) -> int:
        """Return N, the number of pairs, over which the loss is a mean."""
        return len(batch.order)

    def mean_loss(self, examples: Examples, label: str = "") -> float:
        """Return the mean loss of a pair, among the others of its batch.

        A pair's loss depends on the batch it is in, so all are drawn once and for all:
        the same examples always have the same loss.
        """
        rng = np.random.default_rng(0)
        batches = shuffled_batches(examples.lengths(), EVALUATION_BATCH, rng)
        total = 0.0
        for rows in progress(batches, label=label, unit="batch") if label else batches:
            total += len(rows) * self.loss_and_grads(examples.batch(rows))[0]
        return total / len(examples)


def negatives(batch: PackedBatch) -> np.ndarray:
    """Return (N, N) bool: whether pair n and pair k have different images.

    The diagonal, and sentences of the same image, are no negatives.
    """
    return batch.image[:, None] != batch.image


@dataclass(frozen=True)
class Words:
    """The words of a batch without <start> and <end>, time-major, W in all.

    Attributes
    ----------
    ids : (W,), w1 of every sentence that has one, then w2, ...
    sentence : (W,) in [0, N), the batch row of each word's sentence.
    batch_sizes : (T,), sentences that have a word at each step; (0,) when none has any.
    lengths : (N,), words of each sentence, 0 for an empty one.
    """

    ids: np.ndarray
    sentence: np.ndarray
    batch_sizes: np.ndarray
    lengths: np.ndarray


def words_of(batch: PackedBatch) -> Words:
    """Return the words of a batch: what is fed in, but for the <start> of step 0."""
    N, sizes = len(batch.order), batch.batch_sizes[1:]
    sentence = batch.sentence[N:]
    return Words(
        batch.tokens[N:],
        sentence,
        sizes if len(sizes) else np.zeros(1, np.int64),
        np.bincount(sentence, minlength=N),
    )


def packed_blocks(
    sentences: Sequence[Sequence[int]],
) -> Iterator[tuple[np.ndarray, PackedBatch]]:
    """Yield the sentences some at a time, without images.

    With each batch comes the number of the sentence in each of its rows.
    """
    for begin in range(0, len(sentences), SCORED):
        block = sentences[begin : begin + SCORED]
        batch = pack(block, np.empty((len(block), 0)))
        yield begin + batch.order, batch
