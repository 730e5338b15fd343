"""visInRnn-both: the m-RNN whose image enters the second embedding too.

    s = I Vi1                         what the image adds to its words     (N, R)
    e = g(E1[x])                      w = g(e W2 + s + b2)                 (P, R)
    r_t = relu(r_{t-1} U + w_t + br)                                       (P, R)
    m = g(w Vw + r Vr + I Vi2 + bm)   the m-RNN's, with weights of its own (P, M)

Source: m-RNN paper, section 10.1 (2015): BLEU-4 .120 beside the m-RNN's .187. What it
leaves open: image_in_embedding.py, and whether both places see the same thinned out
image; here they do.

Knows: its multimodal layer. Does not know: words, recurrence.
"""

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    dropout_backward,
    dropout_forward,
    multimodal_backward,
    multimodal_forward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter
from mrnn_np.models.ablations.image_in_embedding import ImageInEmbedding
from mrnn_np.models.captioner import Arrays, Memory


class VisInRNNBoth(ImageInEmbedding):
    """The m-RNN that sees the image in its words and in the multimodal layer.

    Attributes
    ----------
    params : those of `ImageInEmbedding`, and Vi2 (D, M).
    """

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        Vi2 = self.image_matrix(self.config.multimodal_size)
        return {**super().parameters(), "Vi2": Vi2}

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`."""
        p, c = self.params, self.config
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        w, r, c_words = self.words_forward(batch, image @ p["Vi1"], rng)
        m, c_m = multimodal_forward(
            w, r, image, batch.sentence, p["Vw"], p["Vr"], p["Vi2"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (image, c_words, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first.
        """
        image, c_words, c_m, c_dm = cache
        dm = dropout_backward(dm, c_dm)
        dw, dr, _, dVw, dVr, dVi2, dbm = multimodal_backward(dm, c_m, memory("Vi2"))
        ds, g = self.words_backward(dw, dr, c_words, memory)
        dVi1 = np.matmul(image.T, ds, out=memory("Vi1"))
        return g | {"Vw": dVw, "Vr": dVr, "Vi2": dVi2, "bm": dbm, "Vi1": dVi1}

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word.

        "r" (n, S), "s" (n, R), and "image" (n, M), what is added at every word.
        """
        p = self.params
        image = features @ p["Vi2"] + p["bm"]
        return {**self.words_start(features), "image": image}

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return m (n, M) and the new state."""
        p = self.params
        w, r, state = self.words_step(tokens, state)
        m, _ = stanh_forward(w @ p["Vw"] + r @ p["Vr"] + state["image"])
        return m, state
