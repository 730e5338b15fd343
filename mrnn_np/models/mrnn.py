"""The m-RNN of Mao et al.: two embeddings, a ReLU recurrence, a multimodal layer.

    e = g(E1[x])                                  first embedding       (P, E1)
    w = g(e W2 + b2)                              second embedding      (P, R)
    r_t = relu(r_{t-1} U + w_t + br)              recurrent cell        (P, R)
    m = g(w Vw + r Vr + I Vi + bm)                multimodal layer      (P, M)
    p = softmax(m Wo + bo)                        next word             (P, V)

with g(x) = 1.7159 tanh(2x/3), P tokens in a packed batch, I the image (N, D). The
image never enters the recurrence: it joins at every word, in the multimodal layer.

Knows: how the layers hang together. Does not know: how it is trained or searched.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import Cell, make_cell
from mrnn_np.cells.relu import check_scale
from mrnn_np.cells.stack import check_cell
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
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.captioner import Arrays, CaptionerConfig, Memory
from mrnn_np.models.multimodal import MultimodalCaptioner


@dataclass(frozen=True)
class MRNNConfig(CaptionerConfig):
    """Sizes and choices of an `MRNN`. The sizes are the paper's.

    The paper gives the sizes and the non-linearities; it says nothing of biases,
    initialisation or dropout. Those fields are this project's choices.
    """

    embedding_size: int = 128  # E1
    recurrent_size: int = 256  # R; also of the second embedding, which is added to it
    multimodal_size: int = 512  # M
    # Dropped shares while training. Chosen on Flickr8k dev.
    dropout_embedding: float = 0.5  # of w, hence in the recurrence and beside it
    dropout_recurrent: float = 0.5  # of r on its way up, never of r_{t-1} -> r_t
    dropout_image: float = 0.5  # of the image feature
    dropout_multimodal: float = 0.5  # of m
    # U starts as a random orthogonal matrix times this. Below 1 the state of a ReLU
    # recurrence cannot grow without bound; near 1 it remembers longer (lesson 2 draws
    # both). Tried on Flickr8k dev: 0.9 and 0.58.
    recurrent_scale: float = 0.58
    # The paper's ReLU; "gru", "lstm" and "lstm-peepholes" take its place, in one layer
    # or several (mrnn_np/cells).
    cell: str = "relu"
    recurrent_layers: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell(self.cell, self.recurrent_layers)
        check_scale(self.recurrent_scale)


class MRNN(MultimodalCaptioner):
    """The m-RNN captioner; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, E1), W2 (E1, R), b2 (R,), those of the recurrent cell (of
        the ReLU cell U (R, R) and br (R,)), Vw (R, M), Vr (R, M), Vi (D, M), bm (M,),
        Wo (M, V), bo (V,).
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
        """Return shape and first draw of every parameter below the output layer.

        With g a unit-variance input gives a unit-variance output when the weights
        have the variance 1 / (rows of the matrix): what g was made for (LeCun).
        """
        c, V = self.config, len(self.vocabulary)
        E1, R, M = c.embedding_size, c.recurrent_size, c.multimodal_size
        return {
            "E1": normal(V, E1, 1.0),
            "W2": normal(E1, R),
            "b2": zeros(R),
            **self.cell.parameters(),
            "Vw": normal(R, M),
            "Vr": normal(R, M),
            "Vi": self.image_matrix(M),
            "bm": zeros(M),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`.

        Returns m (P, M) and the cache.
        """
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
        m, c_m = multimodal_forward(
            w, r, image, batch.sentence, p["Vw"], p["Vr"], p["Vi"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_m, c_dm)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters.

        The same lines as `forward`, from the last to the first. The second embedding
        feeds two layers, so two gradients meet in dw.
        """
        c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_m, c_dm = cache
        g = {}
        dm = dropout_backward(dm, c_dm)
        # The CNN is frozen: the gradient of the image goes nowhere. Leaving out that
        # product was tried, and saved 1 % of the step.
        dw, dr, _, g["Vw"], g["Vr"], g["Vi"], g["bm"] = multimodal_backward(
            dm, c_m, memory("Vi")
        )
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

    def text_start(self, n: int) -> Arrays:
        """Return the state before the first word: "r" (n, S), zeros."""
        return {"r": self.cell.start(n, self.dtype)}

    def text_step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to the language side, which adds w Vw + r Vr, (n, M).

        The word's side is computed once for each different word: 1,000 sentences that
        grow together end in 100 different words or so.
        """
        p = self.params
        words, place = np.unique(tokens, return_inverse=True)
        w = self.second_embedding(words)
        r = self.cell.step(w[place], state["r"], p)
        text = self.cell.output(r) @ p["Vr"]
        text += (w @ p["Vw"])[place]  # (different words, M) -> (n, M)
        return text, {"r": r}

    def second_embedding(self, words: np.ndarray) -> np.ndarray:
        """Return w = g(g(E1[x]) W2 + b2) without dropout, (n, R)."""
        p = self.params
        e, _ = stanh_forward(p["E1"].take(words, axis=0))
        return stanh_forward(affine_forward(e, p["W2"], p["b2"])[0])[0]

    def image_terms(self, features: np.ndarray) -> np.ndarray:
        """Return what the image adds to the multimodal layer, I Vi + bm, (n, M)."""
        return features @ self.params["Vi"] + self.params["bm"]

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a recurrent unit comes to a kink, as the ReLU has one."""
        p = self.params
        w = self.second_embedding(batch.tokens)
        w, _ = dropout_forward(w, self.config.dropout_embedding, rng)
        r0 = self.cell.start(len(batch.features), w.dtype)
        return self.cell.distance_to_kink(w, r0, p, batch.batch_sizes)

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return the multimodal layer as if the image were alone there.

            refined = g(I Vi)          (m-RNN paper, section 8.1)

        Images that make the model say similar things are near each other.

        Parameters
        ----------
        features : (n, D), as the CNN gives them.

        Returns (n, M).
        """
        refined, _ = stanh_forward(self.standardise(features) @ self.params["Vi"])
        return refined


def recurrent_cell(config: MRNNConfig) -> Cell:
    """Return the cell that a config asks for, or the stack of several."""
    R = config.recurrent_size
    more = {"scale": config.recurrent_scale} if config.cell == "relu" else {}
    return make_cell(config.cell, R, R, config.recurrent_layers, **more)
