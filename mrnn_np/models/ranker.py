"""Models that say how well an image and a sentence fit, and cannot speak.

A ranker maps images and sentences to numbers that can be compared. It finds images for
a sentence and sentences for an image (`mrnn-np rank`, `search`), but it gives no word a
probability, so there is no caption and no perplexity.

Knows: what a ranker has to give. Does not know: any of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import Buffers


class Ranker(ABC):
    """Scores pairs of an image and a sentence.

    Attributes are those of a `Captioner`: config, vocabulary, tokenizer, extractor,
    dtype, params, feature_mean, feature_scale; `standardise` and `encode` as there.
    """

    @abstractmethod
    def embed_images(self, features: np.ndarray) -> np.ndarray:
        """Return a vector an image, (n, F).

        features : (n, D) as `standardise` returns them.
        """

    @abstractmethod
    def pair_scores(
        self, features: np.ndarray, sentences: Sequence[Sequence[int]]
    ) -> np.ndarray:
        """Return how well each sentence fits each image, larger is better.

        Parameters
        ----------
        features : (images, D), as the CNN gives them.
        sentences : word ids of each.

        Returns (sentences, images) floating.
        """

    @abstractmethod
    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the ranking loss of the pairs of a batch, and its gradients."""
