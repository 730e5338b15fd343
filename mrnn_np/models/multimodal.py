"""Captioners whose image joins last, in a multimodal layer.

    m = g(text + image)      text (n, M) from the words, image (n, M) from the features

The language side does not know the image, and the image side is the same at every word.
So a sentence's language side is computed once, whatever the number of images it is
compared with: hence the fast retrieval (retrieval/scoring.py).

A model gives `text_start`, `text_step` and `image_terms`, besides what `Captioner` asks
for; `start` and `advance` follow.

Knows: that the two are added and squashed. Does not know: where they come from.
"""

import itertools
from abc import abstractmethod

import numpy as np

from mrnn_np.layers import stanh_forward
from mrnn_np.models.captioner import Arrays, Captioner


class MultimodalCaptioner(Captioner):
    """A captioner with m = g(text + image), g the scaled tanh (layers/stanh.py)."""

    @abstractmethod
    def text_start(self, n: int) -> Arrays:
        """Return the state of the language side before the first word, n rows."""

    @abstractmethod
    def text_step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to the language side of each of n sentences.

        Returns
        -------
        text : (n, M), what the words add to the multimodal layer; and the new state.
        """

    @abstractmethod
    def image_terms(self, features: np.ndarray) -> np.ndarray:
        """Return what the image adds to the multimodal layer, bias included, (n, M).

        features : (n, D) as `standardise` returns them.
        """

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word: text, and "image" (n, M)."""
        return {
            **self.text_start(len(features)),
            "image": self.image_terms(features),
        }

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return m (n, M) and the new state."""
        image = state["image"]
        text, after = self.text_step(tokens, state)
        m, _ = stanh_forward(text + image)
        return m, {**after, "image": image}

    def text_terms(
        self, tokens: np.ndarray, parents: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """Return what the words add to the multimodal layer after every prefix.

        Parameters
        ----------
        tokens, parents, levels : of a `PrefixTrie`, a row a prefix.

        Returns (nodes, M).
        """
        text = np.empty((len(tokens), self.output_size), self.dtype)
        state, above = self.text_start(1), 0  # of the level above, and its first node
        for first, last in itertools.pairwise(levels):
            # The empty prefix is its own parent, whose state is that of the start.
            rows = parents[first:last] - above
            state = {name: value[rows] for name, value in state.items()}
            text[first:last], state = self.text_step(tokens[first:last], state)
            above = first
        return text
