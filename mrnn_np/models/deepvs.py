"""DeepVS, the sentence generator of Karpathy and Fei-Fei (2015): a plain recurrence.

    x_t = E1[w_t]                                                  (P, E)
    v = I Wi                                  the image            (N, R)
    h_t = relu(x_t Wx + h_{t-1} U + br + [t = 1] v)                (P, R)
    p = softmax(h_t Wo + bo)                  next word            (P, V)

The image is added at the first time step only, together with <start>: the paper found
that better than at every step. (The program that came with it, neuraltalk, does it at
every step unless told otherwise.) What is left of it later is in h; a ReLU recurrence
has no gate that could keep it.

The paper gives sizes from 300 to 600, takes word2vec for E1, and drops shares of all
layers but the recurrent one; it does not say how large the shares are, nor how U
starts. Here words are learned from the beginning, and U starts orthogonal.

The other half of the paper, which aligns regions with words, is not here.

Knows: how the layers hang together. Does not know: how it is trained or searched.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import ReLUCell
from mrnn_np.cells.relu import check_scale
from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
)
from mrnn_np.layers.parameters import Parameter, normal
from mrnn_np.models.captioner import Arrays, Captioner, CaptionerConfig, Memory


@dataclass(frozen=True)
class DeepVSConfig(CaptionerConfig):
    """Sizes and choices of a `DeepVS`."""

    embedding_size: int = 300  # E, as word2vec's
    recurrent_size: int = 512  # R
    dropout_embedding: float = 0.5  # of x
    dropout_image: float = 0.5  # of I
    dropout_recurrent: float = 0.5  # of h on its way up, never of h_{t-1} -> h_t
    # U starts as a random orthogonal matrix times this. About half of the units are
    # shut, so a state keeps 1 / sqrt(2) of its length at each step with 1.
    recurrent_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scale(self.recurrent_scale)


class DeepVS(Captioner):
    """The generator of DeepVS; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, E), Wx (E, R), Wi (D, R), U (R, R), br (R,), Wo (R, V),
        bo (V,).
    """

    config: DeepVSConfig
    config_class = DeepVSConfig

    @property
    def output_size(self) -> int:
        """R: the softmax stands on the recurrent layer."""
        return self.config.recurrent_size

    @functools.cached_property
    def cell(self) -> ReLUCell:
        """The recurrence; what is fed in, (P, R), is x Wx and, at first, v."""
        R = self.config.recurrent_size
        return ReLUCell(R, R, self.config.recurrent_scale)

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c, V = self.config, len(self.vocabulary)
        return {
            "E1": normal(V, c.embedding_size, 1.0),
            "Wx": normal(c.embedding_size, c.recurrent_size),
            "Wi": self.image_matrix(c.recurrent_size),
            **self.cell.parameters(),
        }

    def cell_input(
        self, batch: PackedBatch, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, tuple]:
        """Return x Wx, plus v in the rows of the first step, (P, R); and the cache."""
        p, c = self.params, self.config
        x, c_x = embedding_forward(batch.tokens, p["E1"])
        x, c_dx = dropout_forward(x, c.dropout_embedding, rng)
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        z = x @ p["Wx"]
        z[: len(image)] += image @ p["Wi"]  # a packed batch begins with all sentences
        return z, (x, c_x, c_dx, image)

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`.

        Returns h (P, R) and the cache.
        """
        z, c_z = self.cell_input(batch, rng)
        h0 = self.cell.start(len(batch.features), z.dtype)
        h, c_h = self.cell.forward(z, h0, self.params, batch.batch_sizes)
        m, c_m = dropout_forward(h, self.config.dropout_recurrent, rng)
        return m, (c_z, c_h, c_m)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of h back: the same lines, from the last to the first."""
        (x, c_x, c_dx, image), c_h, c_m = cache
        dh = dropout_backward(dm, c_m)
        dz, _, g = self.cell.backward(dh, c_h, memory)
        g["Wi"] = np.matmul(image.T, dz[: len(image)], out=memory("Wi"))
        g["Wx"] = x.T @ dz
        dx = dropout_backward(dz @ self.params["Wx"].T, c_dx)
        g["E1"] = embedding_backward(dx, c_x, memory("E1"))
        return g

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word: "h" (n, R), zeros, and "v" (n, R)."""
        return {
            "h": self.cell.start(len(features), self.dtype),
            "v": features @ self.params["Wi"],
        }

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return h (n, R) and the new state.

        The first word takes v; there are zeros for those after it.
        """
        z = self.params["E1"].take(tokens, axis=0) @ self.params["Wx"]
        z += state["v"]
        h = self.cell.step(z, state["h"], self.params)
        return h, {"h": h, "v": np.zeros_like(z)}

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a recurrent unit comes to a kink."""
        z, _ = self.cell_input(batch, rng)
        h0 = self.cell.start(len(batch.features), z.dtype)
        return self.cell.distance_to_kink(z, h0, self.params, batch.batch_sizes)
