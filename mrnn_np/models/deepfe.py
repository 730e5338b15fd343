"""Deep fragment embeddings, simplified: all words and all regions that fit count.

    s_t = relu([E1[w_{t-1}] E1[w_t]] We + be)              two words        (W, F)
    v_i = x_i Vi + bi                                      a region         (n B, F)
    score = sum_t sum_i max(0, s_t . v_i) / (B (L + 5))    a pair

with L words in the sentence, w_0 = <start>, and B regions in the image; the loss is
that of fragments.py.

Source: Karpathy, Joulin and Fei-Fei, "Deep fragment embeddings for bidirectional image
sentence mapping" (NIPS 2014), its global ranking objective. The 5 keeps short sentences
from scoring higher, as there. What is simpler here:

    fragments   two words in the paper, too, but those that a dependency parser relates,
                with a matrix for each kind of relation; here there is no parser: every
                word and the one before it, and one matrix
    regions     objects of a detector and the whole image; here whatever the features
                hold side by side (`regions`)
    loss        the paper adds a fragment alignment objective, which says of each single
                word and region whether they belong together; left out
    not given   the margin of the ranking is a hyperparameter there; 1 here

Knows: how words are read and what a score is. Does not know: how it is trained.
"""

from dataclasses import dataclass

import numpy as np

from mrnn_np.cells.cell import shifted
from mrnn_np.data.vocabulary import START
from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    relu_backward,
    relu_forward,
)
from mrnn_np.layers.parameters import Parameter, constant, normal, zeros
from mrnn_np.models.fragments import FragmentConfig, FragmentRanker, sum_of_words
from mrnn_np.models.parametric import Arrays, Memory
from mrnn_np.models.ranker import Words

SHORT = 5  # is added to the number of words
# Sum of the biases of a region: every s . v begins near 2 with a deviation near 1. What
# begins below zero has no slope, and a pair without a single fit is never learned: of
# 24 sentences and 12 images up to half were not found after 200 epochs, with this one
# at most after 60. The paper has its alignment objective for that.
OPEN = 5.0


@dataclass(frozen=True)
class DeepFEConfig(FragmentConfig):
    """Sizes and choices of a `DeepFE`; see `FragmentConfig`."""


class DeepFE(FragmentRanker):
    """Pairs of words, and the mean of what fits; see `FragmentRanker`.

    Attributes
    ----------
    params : dict with Vi (D / B, F), bi (F,), E1 (V, E), We (2E, F), be (F,).
    """

    config_class = DeepFEConfig

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter; regions begin by fitting."""
        F = self.config.joint_size
        return {**super().parameters(), "bi": constant(np.full(F, OPEN / F))}

    def text_parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter that makes s_t."""
        c = self.config
        return {
            "E1": normal(len(self.vocabulary), c.embedding_size, 1.0),
            "We": normal(2 * c.embedding_size, c.joint_size),
            "be": zeros(c.joint_size),
        }

    def words_forward(
        self, words: Words, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return s (W, F), each of a word and the one before it."""
        start = np.full(words.batch_sizes[0], START)
        before = shifted(words.ids, start, words.batch_sizes)
        pairs = np.stack([before, words.ids], axis=1)  # (W, 2)
        x, c_x = embedding_forward(pairs.ravel(), self.params["E1"])
        x, c_dx = dropout_forward(x, self.config.dropout_embedding, rng)
        x = x.reshape(len(pairs), 2 * x.shape[1])  # (2W, E) -> (W, 2E)
        z, c_z = affine_forward(x, self.params["We"], self.params["be"])
        s, c_s = relu_forward(z)
        return s, (c_x, c_dx, c_z, c_s)

    def words_backward(self, ds: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of s back to the parameters."""
        c_x, c_dx, c_z, c_s = cache
        dx, dWe, dbe = affine_backward(relu_backward(ds, c_s), c_z)
        dx = dropout_backward(dx.reshape(-1, self.config.embedding_size), c_dx)
        return {"E1": embedding_backward(dx, c_x, memory("E1")), "We": dWe, "be": dbe}

    def fit_forward(self, a: np.ndarray, words: Words) -> tuple[np.ndarray, tuple]:
        """Return the sum of what is above zero, over B (L + 5)."""
        fits, _ = relu_forward(a)
        size = a.shape[2] * (words.lengths + SHORT)[:, None].astype(a.dtype)  # (N, 1)
        scores = sum_of_words(fits.sum(axis=2), words) / size
        return scores, (fits, size, words.sentence)

    def fit_backward(self, dscores: np.ndarray, cache: tuple) -> np.ndarray:
        """Return the gradient of a: that of its pair, where it is above zero."""
        fits, size, sentence = cache
        of_words = (dscores / size)[sentence]  # (N, n) -> (W, n)
        return relu_backward(of_words[:, :, None], fits)

    def fit_distance(self, a: np.ndarray) -> float:
        """Return how near a word and a region come to a right angle."""
        return float(np.abs(a).min(initial=np.inf))

    def words_distance(
        self, words: Words, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a unit of a word comes to zero."""
        _, (_, _, (x, We), _) = self.words_forward(words, rng)
        z, _ = affine_forward(x, We, self.params["be"])
        return float(np.abs(z).min(initial=np.inf))
