"""NoEmbInput: the m-RNN whose words reach the multimodal layer through r alone.

    e = g(E1[x])                      w = g(e W2 + b2)
    r_t = relu(r_{t-1} U + w_t + br)
    m = g(r Vr + I Vi + bm)           without the m-RNN's w Vw     (P, M)

Source: m-RNN paper, section 10.1 (2015). It found no difference worth the name: BLEU-4
.188 beside .187.

Knows: the multimodal layer without the word. Does not know: the rest, which is MRNN's.
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
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter
from mrnn_np.models.captioner import Arrays, Memory
from mrnn_np.models.mrnn import MRNN


class NoEmbInput(MRNN):
    """The m-RNN without the connection from the second embedding to m.

    Attributes
    ----------
    params : those of `MRNN` without Vw.
    """

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        table = super().parameters()
        del table["Vw"]
        return table

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
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        # Each token looks up the row of its sentence: (N, M) -> (P, M).
        z, c_i = embedding_forward(batch.sentence, image @ p["Vi"] + p["bm"])
        z += r @ p["Vr"]
        m, c_m = stanh_forward(z)
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, r, image, c_i, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first.
        """
        c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, r, image, c_i, c_m, c_dm = cache
        g = {}
        dm = dropout_backward(dm, c_dm)
        dz = stanh_backward(dm, c_m)
        dr, g["Vr"] = dz @ self.params["Vr"].T, r.T @ dz
        di = embedding_backward(dz, c_i)  # (P, M) -> (N, M)
        g["Vi"] = np.matmul(image.T, di, out=memory("Vi"))
        g["bm"] = di.sum(axis=0)
        dr = dropout_backward(dr, c_dr)
        dw, _, dp = self.cell.backward(dr, c_r, memory)
        g |= dp
        dw = dropout_backward(dw, c_dw)
        dw = stanh_backward(dw, c_gw)
        de, g["W2"], g["b2"] = affine_backward(dw, c_w)
        drows = stanh_backward(de, c_e)
        g["E1"] = embedding_backward(drows, c_rows, memory("E1"))
        return g

    def text_step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to the language side, which adds r Vr, (n, M)."""
        p = self.params
        words, place = np.unique(tokens, return_inverse=True)
        w = self.second_embedding(words)
        r = self.cell.step(w[place], state["r"], p)
        return self.cell.output(r) @ p["Vr"], {"r": r}
