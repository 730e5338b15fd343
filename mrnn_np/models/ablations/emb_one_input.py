"""EmbOneInput: the m-RNN whose multimodal layer sees the first embedding of a word.

    e = g(E1[x])                      w = g(e W2 + b2)
    r_t = relu(r_{t-1} U + w_t + br)
    m = g(e Ve + r Vr + I Vi + bm)    the m-RNN has w Vw in place of e Ve     (P, M)

Source: m-RNN paper, section 10.1 (2015). Left open there: dropout. As in the m-RNN,
what goes from a word straight to m is thinned out at the rate `dropout_embedding`; e
and w have masks of their own, and e on its way to w has none.

Knows: where the multimodal layer gets the word from. Does not know: the rest, which is
MRNN's.
"""

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    multimodal_backward,
    multimodal_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter, normal
from mrnn_np.models.captioner import Arrays, Memory
from mrnn_np.models.mrnn import MRNN


class EmbOneInput(MRNN):
    """The m-RNN with a connection from the first, not the second, embedding to m.

    Attributes
    ----------
    params : those of `MRNN`, with Ve (E1, M) in place of Vw.
    """

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        table = super().parameters()
        del table["Vw"]
        Ve = normal(self.config.embedding_size, self.config.multimodal_size)
        return {**table, "Ve": Ve}

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`."""
        p, c = self.params, self.config
        rows, c_rows = embedding_forward(batch.tokens, p["E1"])
        e, c_e = stanh_forward(rows)
        w, c_w = affine_forward(e, p["W2"], p["b2"])
        w, c_gw = stanh_forward(w)
        w, c_dw = dropout_forward(w, c.dropout_embedding, rng)
        r0 = self.cell.start(len(batch.features), w.dtype)
        r, c_r = self.cell.forward(w, r0, p, batch.batch_sizes)
        r, c_dr = dropout_forward(r, c.dropout_recurrent, rng)
        e, c_de = dropout_forward(e, c.dropout_embedding, rng)
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        m, c_m = multimodal_forward(
            e, r, image, batch.sentence, p["Ve"], p["Vr"], p["Vi"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_de, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first. The first embedding
        feeds two layers, so two gradients meet in de.
        """
        c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_de, c_m, c_dm = cache
        g = {}
        dm = dropout_backward(dm, c_dm)
        de_up, dr, _, g["Ve"], g["Vr"], g["Vi"], g["bm"] = multimodal_backward(
            dm, c_m, memory("Vi")
        )
        de_up = dropout_backward(de_up, c_de)
        dr = dropout_backward(dr, c_dr)
        dw, _, dp = self.cell.backward(dr, c_r, memory)
        g |= dp
        dw = dropout_backward(dw, c_dw)
        dw = stanh_backward(dw, c_gw)
        de, g["W2"], g["b2"] = affine_backward(dw, c_w)
        de += de_up
        drows = stanh_backward(de, c_e)
        g["E1"] = embedding_backward(drows, c_rows, memory("E1"))
        return g

    def text_step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to the language side, which adds e Ve + r Vr, (n, M)."""
        p = self.params
        words, place = np.unique(tokens, return_inverse=True)
        e, _ = stanh_forward(p["E1"].take(words, axis=0))
        w, _ = stanh_forward(affine_forward(e, p["W2"], p["b2"])[0])
        r = self.cell.step(w[place], state["r"], p)
        text = self.cell.output(r) @ p["Vr"]
        text += (e @ p["Ve"])[place]  # (different words, M) -> (n, M)
        return text, {"r": r}
