"""What the m-RNNs share whose image enters the second embedding, hence the recurrence.

    s = what an image adds to its words, (N, R), as each model says
    e = g(E1[x])                      w = g(e W2 + s + b2)                 (P, R)
    r_t = relu(r_{t-1} U + w_t + br)                                       (P, R)

The image is projected once a sentence, and added to every word. So the language side
is another one for each image: these are captioners, but not multimodal ones, and
retrieval computes every pair of image and sentence.

Source: m-RNN paper, section 10.1 (2015). Left open there: dropout, which is as in the
m-RNN, of w whole; and biases.

Knows: words and image up to r. Does not know: the multimodal layer.
"""

import functools

import numpy as np

from mrnn_np.cells import Cell
from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.captioner import Arrays, Captioner, Memory
from mrnn_np.models.mrnn import MRNNConfig, recurrent_cell


class ImageInEmbedding(Captioner):
    """A captioner with w = g(e W2 + I Vi1 + b2), and m from w and r.

    Attributes
    ----------
    params : those of `MRNN` without Vi, and Vi1 (D, R).
    """

    config: MRNNConfig
    config_class = MRNNConfig

    @property
    def output_size(self) -> int:
        """M, the size of the multimodal layer."""
        return self.config.multimodal_size

    @functools.cached_property
    def cell(self) -> Cell:
        """The recurrent cell."""
        return recurrent_cell(self.config)

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c, V = self.config, len(self.vocabulary)
        E1, R, M = c.embedding_size, c.recurrent_size, c.multimodal_size
        return {
            "E1": normal(V, E1, 1.0),
            "W2": normal(E1, R),
            "Vi1": self.image_matrix(R),
            "b2": zeros(R),
            **self.cell.parameters(),
            "Vw": normal(R, M),
            "Vr": normal(R, M),
            "bm": zeros(M),
        }

    def words_forward(
        self, batch: PackedBatch, s: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray, tuple]:
        """Run all words of a batch up to the recurrent layer.

        s : (N, R), what the image of each sentence adds to its words.

        Returns w (P, R), r (P, R) and the cache.
        """
        p, c = self.params, self.config
        rows, c_rows = embedding_forward(batch.tokens, p["E1"])
        e, c_e = stanh_forward(rows)
        w, c_w = affine_forward(e, p["W2"], p["b2"])
        # Each token looks up the row of its sentence: (N, R) -> (P, R).
        seen, c_s = embedding_forward(batch.sentence, s)
        w += seen
        w, c_gw = stanh_forward(w)
        w, c_dw = dropout_forward(w, c.dropout_embedding, rng)
        r0 = self.cell.start(len(batch.features), w.dtype)
        r, c_r = self.cell.forward(w, r0, p, batch.batch_sizes)
        r, c_dr = dropout_forward(r, c.dropout_recurrent, rng)
        return w, r, (c_rows, c_e, c_w, c_s, c_gw, c_dw, c_r, c_dr)

    def words_backward(
        self, dw: np.ndarray, dr: np.ndarray, cache: tuple, memory: Memory
    ) -> tuple[np.ndarray, Arrays]:
        """Send the gradients of w and r back.

        The same lines as `words_forward`, from the last to the first.

        Returns ds (N, R), and the gradients by the parameters.
        """
        c_rows, c_e, c_w, c_s, c_gw, c_dw, c_r, c_dr = cache
        g: Arrays = {}
        dr = dropout_backward(dr, c_dr)
        dx, _, dp = self.cell.backward(dr, c_r, memory)
        g |= dp
        dw = dropout_backward(dw + dx, c_dw)
        dw = stanh_backward(dw, c_gw)
        ds = embedding_backward(dw, c_s)  # (P, R) -> (N, R)
        de, g["W2"], g["b2"] = affine_backward(dw, c_w)
        drows = stanh_backward(de, c_e)
        g["E1"] = embedding_backward(drows, c_rows, memory("E1"))
        return ds, g

    def words_start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word: "r" (n, S) and "s" (n, R)."""
        r0 = self.cell.start(len(features), self.dtype)
        return {"r": r0, "s": features @ self.params["Vi1"]}

    def words_step(
        self, tokens: np.ndarray, state: Arrays
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        """Feed one word to each of n sentences.

        Returns w (n, R), r (n, R) and the new state.
        """
        p = self.params
        w = self.second_embedding(tokens, state["s"])
        after = self.cell.step(w, state["r"], p)
        return w, self.cell.output(after), {**state, "r": after}

    def second_embedding(self, words: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Return w = g(g(E1[x]) W2 + seen + b2) without dropout, (n, R).

        seen : (n, R), what the image of each word's sentence adds.
        """
        p = self.params
        e, _ = stanh_forward(p["E1"].take(words, axis=0))
        return stanh_forward(affine_forward(e, p["W2"], p["b2"])[0] + seen)[0]

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a recurrent unit comes to a kink, as the ReLU has one."""
        p, c = self.params, self.config
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        w = self.second_embedding(batch.tokens, (image @ p["Vi1"])[batch.sentence])
        w, _ = dropout_forward(w, c.dropout_embedding, rng)
        r0 = self.cell.start(len(batch.features), w.dtype)
        return self.cell.distance_to_kink(w, r0, p, batch.batch_sizes)
