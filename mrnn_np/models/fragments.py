"""Rankers that compare every word of a sentence with every region of an image.

    v_i = x_i Vi + bi             region i of an image, x_i (D / B,)       (F,)
    s_t                           word t of a sentence, by the model       (F,)
    a_ti = s_t . v_i              how well the two fit
    score(I, s) = a number that the model makes of all a_ti of the pair

    loss = (1/N) sum_n sum_k max(0, 1 - s_nn + s_nk) + max(0, 1 - s_nn + s_kn)

over the pairs n of a batch and their negatives k; s_nk is sentence n, image k.

The features of an image are one row (D,), as for every model: B regions side by side,
D / B numbers each. With B = 1 the whole image is the only fragment.

A model gives `text_parameters`, `words_forward` and `words_backward` for s_t, and
`fit_forward` and `fit_backward` for the score; where it has kinks, their distances.

Knows: words, regions, the loss. Does not know: how words are read, or what fits.
"""

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.kernels.scatter import scatter_add_rows
from mrnn_np.layers import (
    Buffers,
    affine_backward,
    affine_forward,
    dropout_forward,
    hinge_backward,
    hinge_distance_to_kink,
    hinge_forward,
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.parametric import Arrays, Memory, ModelConfig
from mrnn_np.models.ranker import Ranker, Words, negatives, packed_blocks, words_of
from mrnn_np.runtime.errors import InputError

MARGIN = 1.0
# Numbers a_ti at a time when all pairs are scored, so that they stay in the cache.
PRODUCTS = 1 << 20


@dataclass(frozen=True)
class FragmentConfig(ModelConfig):
    """Sizes and choices that rankers of fragments share."""

    embedding_size: int = 300  # E, of a word vector
    joint_size: int = 300  # F; the papers have about 1000
    regions: int = 1  # B; set from the features when a model is trained
    dropout_embedding: float = 0.5  # of the word vectors
    dropout_image: float = 0.5  # of the image feature

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.regions < 1:
            raise InputError(f"regions must be a positive integer, not {self.regions}")


class FragmentRanker(Ranker):
    """A ranker of words and regions.

    Attributes
    ----------
    params : dict with Vi (D / B, F), bi (F,), and those of the text.
    """

    config: FragmentConfig

    # --- what a model gives -----------------------------------------------------

    @abstractmethod
    def text_parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter that makes s_t."""

    @abstractmethod
    def words_forward(
        self, words: Words, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return s (W, F) of all words, and the cache."""

    @abstractmethod
    def words_backward(self, ds: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of s (W, F) back to the parameters."""

    @abstractmethod
    def fit_forward(self, a: np.ndarray, words: Words) -> tuple[np.ndarray, tuple]:
        """Return the scores (N, n) of a (W, n, B), and the cache."""

    @abstractmethod
    def fit_backward(self, dscores: np.ndarray, cache: tuple) -> np.ndarray:
        """Return the gradient of a, (W, n, B)."""

    @abstractmethod
    def fit_distance(self, a: np.ndarray) -> float:
        """Return how near `fit_forward` comes to a kink."""

    @abstractmethod
    def words_distance(
        self, words: Words, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near `words_forward` comes to a kink."""

    # --- what follows -----------------------------------------------------------

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter.

        Raises
        ------
        InputError : the features cannot be cut into so many regions.
        """
        c = self.config
        if c.image_size % c.regions:
            raise InputError(
                f"features of {c.image_size} numbers are not {c.regions} regions of "
                "equal size: choose other `regions`, or features made of regions"
            )
        return {
            "Vi": self.image_matrix(c.joint_size),
            "bi": zeros(c.joint_size),
            **self.text_parameters(),
        }

    @property
    def image_rows(self) -> int:
        """How many features meet Vi together: those of one region, D / B."""
        return self.config.image_size // self.config.regions

    def image_matrix(self, columns: int) -> Parameter:
        """Return a matrix for the features of a region, (D / B, columns).

        Smaller than usual: so a_ti begins near 1, of the size of the margin.
        """
        rows = self.image_rows
        return normal(rows, columns, (rows * columns) ** -0.5 / self.image_gain)

    def regions_forward(
        self, features: np.ndarray, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return v of all regions of all images, (n B, F), and the cache."""
        x, _ = dropout_forward(features, self.config.dropout_image, rng)
        x = x.reshape(len(x) * self.config.regions, -1)  # (n, D) -> (n B, D / B)
        return affine_forward(x, self.params["Vi"], self.params["bi"])

    def products(self, s: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return a = s . v of every word with every region, (W, n, B)."""
        B = self.config.regions
        return (s @ v.T).reshape(len(s), len(v) // B, B)

    def embed_images(self, features: np.ndarray) -> np.ndarray:
        """Return the vectors of an image's regions side by side, (n, B F)."""
        v, _ = self.regions_forward(features)
        return v.reshape(len(features), -1)

    def embed_sentences(self, sentences: Sequence[Sequence[int]]) -> list[tuple]:
        """Return blocks of sentences: their numbers, their words, and s (W, F)."""
        found = []
        for rows, batch in packed_blocks(sentences):
            words = words_of(batch)
            found.append((rows, words, self.words_forward(words)[0]))
        return found

    def scores(self, embedded: list[tuple], features: np.ndarray) -> np.ndarray:
        """Return the score of every sentence with every image; see `Ranker`.

        Of 5,000 sentences and 1,000 images with ten regions there are 550 million
        numbers a_ti: a few images are compared with a few sentences at a time.
        """
        v, _ = self.regions_forward(features)
        B = self.config.regions
        sentences = sum(len(rows) for rows, _, _ in embedded)
        scores = np.empty((sentences, len(features)), v.dtype)
        for rows, words, s in embedded:
            several = max(1, PRODUCTS // (B * max(len(s), 1)))  # images
            for begin in range(0, len(features), several):
                some = slice(begin, begin + several)
                a = self.products(s, v[B * begin : B * (begin + several)])
                scores[rows, some], _ = self.fit_forward(a, words)
        return scores

    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, Arrays]:
        """Return the mean loss of a pair and all gradients; see `ParametricModel`."""
        buffers = buffers or Buffers()
        buffers.next_step()
        words, N = words_of(batch), len(batch.order)
        s, c_s = self.words_forward(words, rng)
        v, c_v = self.regions_forward(batch.features, rng)
        scores, c_fit = self.fit_forward(self.products(s, v), words)
        losses, c_losses = hinge_forward(scores, negatives(batch), MARGIN)

        dscores = hinge_backward(np.full(N, 1 / N, s.dtype), c_losses)
        da = self.fit_backward(dscores, c_fit).reshape(len(s), len(v))
        _, dVi, dbi = affine_backward(da.T @ s, c_v)

        def memory(name: str) -> np.ndarray:
            return buffers.like(name, self.params[name])

        grads = self.words_backward(da @ v, c_s, memory)
        return float(losses.mean()), {"Vi": dVi, "bi": dbi, **grads}

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a ReLU, the score of a pair, or the loss comes to a kink.

        A word whose units are all shut fits every region alike, with a = 0, and stays
        there: that is no kink.
        """
        words = words_of(batch)
        of_words = self.words_distance(words, copy.deepcopy(rng))  # the same masks
        s, _ = self.words_forward(words, rng)
        v, _ = self.regions_forward(batch.features, rng)
        a = self.products(s, v)
        scores, _ = self.fit_forward(a, words)
        return min(
            of_words,
            self.fit_distance(a[s.any(axis=1)]),
            hinge_distance_to_kink(scores, negatives(batch), MARGIN),
        )


def sum_of_words(x: np.ndarray, words: Words) -> np.ndarray:
    """Add up the rows of each sentence's words, (W, n) -> (N, n)."""
    total = np.zeros((len(words.lengths), x.shape[1]), x.dtype)
    scatter_add_rows(total, words.sentence, x)
    return total
