"""visInRnn-both-shared: the image enters two layers through one and the same matrix.

    s = I Vi1                         the image, projected once            (N, R)
    e = g(E1[x])                      w = g(e W2 + s + b2)                 (P, R)
    r_t = relu(r_{t-1} U + w_t + br)                                       (P, R)
    m = g(w Vw + r Vr + s Vs + bm)    s once more, through Vs (R, M)       (P, M)

Source: m-RNN paper, section 10.1 (2015): BLEU-4 .110 beside the m-RNN's .187. It says
that both layers have the same weights for the image, and prints the sizes 256 and 512
for the two: one matrix cannot have both. What this file makes of it: the one matrix of
the image is Vi1, and a learned Vs takes its R numbers to the M of the multimodal layer.
With M = R and Vs the identity, that is what the paper says to the letter. With M > R
and Vs the identity beside zeros, it is another possible reading, in which only the
first R multimodal units see the image. The learned Vs contains both, asks nothing of
the sizes, and treats all units alike. What else is open: image_in_embedding.py.

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
from mrnn_np.layers.parameters import Parameter, normal
from mrnn_np.models.ablations.image_in_embedding import ImageInEmbedding
from mrnn_np.models.captioner import Arrays, Memory


class VisInRNNBothShared(ImageInEmbedding):
    """The m-RNN that sees one projection of the image in two places.

    Attributes
    ----------
    params : those of `ImageInEmbedding`, and Vs (R, M).
    """

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        Vs = normal(self.config.recurrent_size, self.config.multimodal_size)
        return {**super().parameters(), "Vs": Vs}

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`."""
        p, c = self.params, self.config
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        s = image @ p["Vi1"]
        w, r, c_words = self.words_forward(batch, s, rng)
        m, c_m = multimodal_forward(
            w, r, s, batch.sentence, p["Vw"], p["Vr"], p["Vs"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (image, c_words, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first. The projected image
        feeds two layers, so two gradients meet in ds.
        """
        image, c_words, c_m, c_dm = cache
        dm = dropout_backward(dm, c_dm)
        dw, dr, ds, dVw, dVr, dVs, dbm = multimodal_backward(dm, c_m, memory("Vs"))
        ds_words, g = self.words_backward(dw, dr, c_words, memory)
        ds += ds_words
        dVi1 = np.matmul(image.T, ds, out=memory("Vi1"))
        return g | {"Vw": dVw, "Vr": dVr, "Vs": dVs, "bm": dbm, "Vi1": dVi1}

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word.

        "r" (n, S), "s" (n, R), and "image" (n, M), what is added at every word.
        """
        p = self.params
        state = self.words_start(features)
        return {**state, "image": state["s"] @ p["Vs"] + p["bm"]}

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return m (n, M) and the new state."""
        p = self.params
        w, r, state = self.words_step(tokens, state)
        m, _ = stanh_forward(w @ p["Vw"] + r @ p["Vr"] + state["image"])
        return m, state
