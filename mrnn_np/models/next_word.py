"""What follows from "how probable is the next word?" alone.

Whoever answers that question, one network or the mean of several (`ensemble.py`), can
score sentences, be scored on a data set, and describe images: the methods here.

Knows: features, sentences, losses, captions. Does not know: parameters, layers, files.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mrnn_np.data.batches import Examples, PackedBatch, ordered_batches, pack
from mrnn_np.decoding import LONGEST, sample
from mrnn_np.decoding.beam import images_together
from mrnn_np.decoding.blocks import BLOCK, Search, search_blocks
from mrnn_np.decoding.next_words import State, best_next_plain
from mrnn_np.models.model import Model
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import progress
from mrnn_np.runtime.workers import THREADS

EVALUATION_BATCH = 256  # sentences: 2,800 rows, 29 MB of logits at V = 2,500


class NextWordModel(Model):
    """Gives every next word a probability, given an image and the words before it.

    Attributes
    ----------
    feature_mean : (D,), the mean of the features that it learned from.
    """

    feature_mean: np.ndarray

    # --- what a model gives, besides what `Model` asks for ------------------------

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Length of what goes into the output layer, for planning memory."""

    @abstractmethod
    def token_losses(self, batch: PackedBatch) -> np.ndarray:
        """Return -log P(target | words before it, image) of each token, (P,) nats."""

    @abstractmethod
    def start(self, features: np.ndarray) -> State:
        """Return the state before the first word, arrays of one row an image.

        features : (n, D) as `standardise` returns them.
        """

    @abstractmethod
    def step(self, tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feed the last words, (n,); return log P(next word), (n, V), and the state."""

    @abstractmethod
    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return what similar images have similar, (n, F)."""

    # --- losses -----------------------------------------------------------------

    def mean_loss(self, examples: Examples, label: str = "") -> float:
        """Return nats per token over all examples, each token counting once.

        `mrnn_np.metrics.perplexity` of it is the paper's.
        """
        return self.sentence_losses(examples, label).sum() / examples.lengths().sum()

    def sentence_losses(self, examples: Examples, label: str = "") -> np.ndarray:
        """Return -log P(sentence, <end> | image) of each example, (S,) in nats.

        label : shows progress under this name when given.
        """
        batches = list(ordered_batches(examples.lengths(), EVALUATION_BATCH))
        totals = np.zeros(len(examples))
        for rows in progress(batches, label=label, unit="batch") if label else batches:
            totals[rows] = self._losses_of(examples.batch(rows))
        return totals

    def _losses_of(self, batch: PackedBatch) -> np.ndarray:
        """Return nats of each sentence of a batch, in the order it was packed from."""
        sentence = batch.order[batch.sentence]
        return np.bincount(sentence, self.token_losses(batch), len(batch.order))

    def log_likelihood(
        self, features: np.ndarray, sentences: Sequence[str]
    ) -> np.ndarray:
        """Return log P(sentence, <end> | image) of each pair, in nats.

        Parameters
        ----------
        features : (N, D), as the CNN gives them.
        sentences : N texts; unknown words count as <unk>.

        Raises
        ------
        InputError : a sentence without any known word, features that do not fit, a
            single sentence in place of a list; or a model whose numbers overflow.
        """
        if isinstance(sentences, str):
            raise InputError(f"{sentences!r}: give a list of sentences, even for one")
        encoded = [self.encode(sentence) for sentence in sentences]
        with np.errstate(over="ignore", invalid="ignore"):
            losses = self._losses_of(pack(encoded, self.standardise(features)))
        if not np.isfinite(losses).all():
            raise InputError("the model's numbers overflow: are its weights damaged?")
        return -losses

    # --- captions ---------------------------------------------------------------

    def best_next(
        self, tokens: np.ndarray, state: dict[str, np.ndarray], k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Return log P(<end>), the k likeliest other words, and the new state.

        All that a search needs; see `best_next_plain`. A model that can do it without
        writing down all V log-probabilities has its own.
        """
        return best_next_plain(self, tokens, state, k)

    def caption(
        self,
        features: np.ndarray,
        beam_size: int = 5,
        max_length: int = LONGEST,
        length_penalty: float = 0.0,
        n_best: int | None = None,
        block: int = BLOCK,
        label: str = "",
    ) -> list:
        """Describe each image in a sentence.

        Parameters
        ----------
        features : (N, D), as the CNN gives them.
        beam_size : width of the beam; 1 is greedy.
        max_length : words at most.
        length_penalty, n_best : see `mrnn_np.decoding.beam_search`.
        block : images searched together, at most; fewer take less memory.
        label : shows progress under this name when given.

        Returns
        -------
        One `Caption` an image; with `n_best` a list of them an image, best first.
        """
        standard = self.standardise(features)
        search = Search(self, beam_size, max_length, length_penalty, n_best or 1)
        # Several blocks: one a core. A single one has all of BLAS's threads for itself.
        several = len(standard) > images_together(beam_size, block)
        workers = THREADS if several else None
        beams = search_blocks(search, standard, block, workers, label)
        return beams if n_best else [beam[0] for beam in beams]

    def sample(
        self,
        features: np.ndarray,
        rng: np.random.Generator,
        temperature: float = 1.0,
        max_length: int = LONGEST,
    ) -> list:
        """Draw a sentence for each image; see `mrnn_np.decoding.sample`."""
        return sample(self, self.standardise(features), rng, temperature, max_length)


def must_speak(model: Model, who: str) -> NextWordModel:
    """Return the model, if it is one that can describe an image.

    Raises
    ------
    InputError : it is a ranker, called `who` in the message.
    """
    if not isinstance(model, NextWordModel):
        raise InputError(
            f"{who} scores pairs of images and sentences and cannot speak: use rank or "
            "search"
        )
    return model
