"""visInRnn: the m-RNN whose image enters the second embedding, and nothing else.

    s = I Vi1                         what the image adds to its words     (N, R)
    e = g(E1[x])                      w = g(e W2 + s + b2)                 (P, R)
    r_t = relu(r_{t-1} U + w_t + br)                                       (P, R)
    m = g(w Vw + r Vr + bm)           a multimodal layer without image     (P, M)

Source: m-RNN paper, section 10.1 (2015): BLEU-4 .101 beside the m-RNN's .187. What it
leaves open: image_in_embedding.py.

Knows: its multimodal layer. Does not know: words, recurrence.
"""

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.models.ablations.image_in_embedding import ImageInEmbedding
from mrnn_np.models.captioner import Arrays, Memory


class VisInRNN(ImageInEmbedding):
    """The m-RNN that sees the image only in its words."""

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`."""
        p, c = self.params, self.config
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        w, r, c_words = self.words_forward(batch, image @ p["Vi1"], rng)
        z, c_z = affine_forward(r, p["Vr"], p["bm"])
        z += w @ p["Vw"]
        m, c_m = stanh_forward(z)
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (image, c_words, c_z, w, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first.
        """
        image, c_words, c_z, w, c_m, c_dm = cache
        dm = dropout_backward(dm, c_dm)
        dz = stanh_backward(dm, c_m)
        dw, dVw = dz @ self.params["Vw"].T, w.T @ dz
        dr, dVr, dbm = affine_backward(dz, c_z)
        ds, g = self.words_backward(dw, dr, c_words, memory)
        dVi1 = np.matmul(image.T, ds, out=memory("Vi1"))
        return g | {"Vw": dVw, "Vr": dVr, "bm": dbm, "Vi1": dVi1}

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word: "r" (n, S) and "s" (n, R)."""
        return self.words_start(features)

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return m (n, M) and the new state."""
        p = self.params
        w, r, state = self.words_step(tokens, state)
        m, _ = stanh_forward(w @ p["Vw"] + r @ p["Vr"] + p["bm"])
        return m, state
