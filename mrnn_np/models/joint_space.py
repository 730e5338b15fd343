"""Rankers that map images and sentences to vectors of one space, and compare those.

    u = text tower(sentence)      v = image tower(I)      score(I, s) = u . v

A sentence's vector does not know the image, nor the other way round: all pairs are one
matrix product. A model gives both towers and the loss of a matrix of scores, forward
and backward.

Knows: that scores are inner products. Does not know: the towers, or the loss.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import Buffers
from mrnn_np.models.parametric import Arrays, Memory
from mrnn_np.models.ranker import Ranker, negatives, packed_blocks


class JointSpaceRanker(Ranker):
    """A ranker of two towers, F the length of their vectors.

    Backward passes return gradients by the parameters; towers share none.
    """

    @abstractmethod
    def text_forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return u (N, F) of the sentences of a batch, and the cache.

        rng : source of dropout masks; None switches dropout off.
        """

    @abstractmethod
    def text_backward(self, du: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of u (N, F) back to the parameters of the text tower."""

    @abstractmethod
    def image_forward(
        self, features: np.ndarray, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return v (n, F) of standardised features (n, D), and the cache."""

    @abstractmethod
    def image_backward(self, dv: np.ndarray, cache: tuple) -> Arrays:
        """Send the gradient of v (n, F) back to the parameters of the image tower."""

    @abstractmethod
    def pair_losses(
        self, scores: np.ndarray, apart: np.ndarray
    ) -> tuple[np.ndarray, tuple]:
        """Return the loss of every pair of a batch, (N,), and the cache.

        scores : (N, N), row n sentence n, column k image k; apart : its `negatives`.
        """

    @abstractmethod
    def pair_losses_backward(self, dlosses: np.ndarray, cache: tuple) -> np.ndarray:
        """Return the gradient of the scores, (N, N)."""

    def embed_images(self, features: np.ndarray) -> np.ndarray:
        """Return v, a vector an image, (n, F)."""
        return self.image_forward(features)[0]

    def embed_sentences(self, sentences: Sequence[Sequence[int]]) -> np.ndarray:
        """Return u, a vector a sentence, (N, F)."""
        rows, batches = zip(*packed_blocks(sentences), strict=True)
        u = np.concatenate([self.text_forward(batch)[0] for batch in batches])
        return u[np.argsort(np.concatenate(rows))]  # batches have another order

    def scores(self, embedded: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Return u . v of every sentence with every image; see `Ranker`."""
        return embedded @ self.embed_images(features).T

    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, Arrays]:
        """Return the mean loss of a pair and all gradients; see `ParametricModel`."""
        buffers = buffers or Buffers()
        buffers.next_step()
        u, c_u = self.text_forward(batch, rng)
        v, c_v = self.image_forward(batch.features, rng)
        losses, cache = self.pair_losses(u @ v.T, negatives(batch))
        N = len(losses)
        ds = self.pair_losses_backward(np.full(N, 1 / N, u.dtype), cache)

        def memory(name: str) -> np.ndarray:
            return buffers.like(name, self.params[name])

        grads = self.text_backward(ds @ v, c_u, memory)
        return float(losses.mean()), grads | self.image_backward(ds.T @ u, c_v)
