"""RNN-Base: the m-RNN without the image, a language model.

    e = g(E1[x])                      w = g(e W2 + b2)
    r_t = relu(r_{t-1} U + w_t + br)
    m = g(w Vw + r Vr + bm)           without the m-RNN's I Vi     (P, M)

It takes features, as every captioner does, and disregards them: all images get the same
caption, and whatever another model gains over its perplexity, the image gave.

Source: m-RNN paper, section 7.3 (2015), a row of its tables.

Knows: a multimodal layer of words alone. Does not know: images.
"""

from dataclasses import dataclass

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
from mrnn_np.models.ablations.config import RecurrentConfig
from mrnn_np.models.captioner import Arrays, Memory
from mrnn_np.models.mrnn import MRNN


@dataclass(frozen=True)
class RNNBaseConfig(RecurrentConfig):
    """Sizes and choices of an `RNNBase`. `image_size` is there, and without effect."""

    embedding_size: int = 128  # E1


class RNNBase(MRNN):
    """The m-RNN that sees no image.

    Attributes
    ----------
    params : those of `MRNN` without Vi.
    """

    # Of MRNN's own lines none that is left asks for `dropout_image`.
    config_class = RNNBaseConfig  # type: ignore[assignment]

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        table = super().parameters()
        del table["Vi"]
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
        z, c_z = affine_forward(r, p["Vr"], p["bm"])
        z += w @ p["Vw"]
        m, c_m = stanh_forward(z)
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_z, w, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first. The second embedding
        feeds two layers, so two gradients meet in dw.
        """
        c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_z, w, c_m, c_dm = cache
        g = {}
        dm = dropout_backward(dm, c_dm)
        dz = stanh_backward(dm, c_m)
        dw, g["Vw"] = dz @ self.params["Vw"].T, w.T @ dz
        dr, g["Vr"], g["bm"] = affine_backward(dz, c_z)
        dr = dropout_backward(dr, c_dr)
        dx, _, dp = self.cell.backward(dr, c_r, memory)
        g |= dp
        dw += dx
        dw = dropout_backward(dw, c_dw)
        dw = stanh_backward(dw, c_gw)
        de, g["W2"], g["b2"] = affine_backward(dw, c_w)
        drows = stanh_backward(de, c_e)
        g["E1"] = embedding_backward(drows, c_rows, memory("E1"))
        return g

    def image_terms(self, features: np.ndarray) -> np.ndarray:
        """Return the bias bm for every image, (n, M)."""
        return np.tile(self.params["bm"], (len(features), 1))

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return the standardised features: the model has nothing better, (n, D)."""
        return self.standardise(features)
