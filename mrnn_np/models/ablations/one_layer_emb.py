"""OneLayerEmb: the m-RNN with one embedding of the size R in place of two.

    w = g(E1[x])                      one embedding, E1 is (V, R)          (P, R)
    r_t = relu(r_{t-1} U + w_t + br)
    m = g(w Vw + r Vr + I Vi + bm)    as in the m-RNN                      (P, M)

Source: m-RNN paper, section 10.1 (2015): with R = 256 a word costs 256 parameters, not
128, and the sentences were slightly worse. The non-linearity g of embeddings is on the
authors' slides only.

Knows: words without a second embedding. Does not know: the rest, which is MRNN's.
"""

from dataclasses import dataclass

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    multimodal_backward,
    multimodal_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.ablations.config import RecurrentConfig
from mrnn_np.models.captioner import Arrays, Memory
from mrnn_np.models.mrnn import MRNN


@dataclass(frozen=True)
class OneLayerEmbConfig(RecurrentConfig):
    """Sizes and choices of a `OneLayerEmb`: the embedding has the size R."""

    dropout_image: float = 0.5  # of the image feature


class OneLayerEmb(MRNN):
    """The m-RNN whose embedding goes straight into recurrence and multimodal layer.

    Attributes
    ----------
    params : those of `MRNN` without W2 and b2; E1 is (V, R).
    """

    # Of MRNN's own lines none that is left asks for the size of a first embedding.
    config_class = OneLayerEmbConfig  # type: ignore[assignment]

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c, V = self.config, len(self.vocabulary)
        R, M = c.recurrent_size, c.multimodal_size
        return {
            "E1": normal(V, R, 1.0),
            **self.cell.parameters(),
            "Vw": normal(R, M),
            "Vr": normal(R, M),
            "Vi": self.image_matrix(M),
            "bm": zeros(M),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`."""
        p, c = self.params, self.config
        rows, c_rows = embedding_forward(batch.tokens, p["E1"])
        w, c_gw = stanh_forward(rows)
        w, c_dw = dropout_forward(w, c.dropout_embedding, rng)
        r0 = self.cell.start(len(batch.features), w.dtype)
        r, c_r = self.cell.forward(w, r0, p, batch.batch_sizes)
        r, c_dr = dropout_forward(r, c.dropout_recurrent, rng)
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        m, c_m = multimodal_forward(
            w, r, image, batch.sentence, p["Vw"], p["Vr"], p["Vi"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (c_rows, c_gw, c_dw, c_r, c_dr, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first. The embedding feeds two
        layers, so two gradients meet in dw.
        """
        c_rows, c_gw, c_dw, c_r, c_dr, c_m, c_dm = cache
        g = {}
        dm = dropout_backward(dm, c_dm)
        dw, dr, _, g["Vw"], g["Vr"], g["Vi"], g["bm"] = multimodal_backward(
            dm, c_m, memory("Vi")
        )
        dr = dropout_backward(dr, c_dr)
        dx, _, dp = self.cell.backward(dr, c_r, memory)
        g |= dp
        dw += dx
        dw = dropout_backward(dw, c_dw)
        drows = stanh_backward(dw, c_gw)
        g["E1"] = embedding_backward(drows, c_rows, memory("E1"))
        return g

    def second_embedding(self, words: np.ndarray) -> np.ndarray:
        """Return what takes the place of the second embedding, w = g(E1[x]), (n, R)."""
        return stanh_forward(self.params["E1"].take(words, axis=0))[0]
