"""LRCN (Donahue et al., 2015): a stack of LSTMs that see the image at every word.

    x_t = E1[w_t]                                                        (P, E)
    h1_t = LSTM1(x_t)                    language only, when factored    (P, R)
    h2_t = LSTM2(h1_t, v)                v = I Wi is told to its gates   (P, R)
    p = softmax(h2_t Wo + bo)            next word                       (P, V)

v is a static input: the gates of an LSTM are computed from z = x W + h' U + b + v, with
the same v (N, 4R) at every step. `factored` means that the lower half of the stack
works on words alone, and the image enters above it; not factored, it enters the lowest
layer. The paper's LRCN_2f is two layers, factored, the best of those it compares; four
layers, and one, are a matter of `recurrent_layers`.

The paper leaves open which layers of the upper half see the image when there are two of
them: here the lowest, and the others through it. Its features are the 1,000 scores of
a CNN's last layer, learned on; here they are whatever features there are, as they are.
It says nothing of dropout; here a share of x and of every h on its way up is dropped.

Knows: how the layers hang together. Does not know: how it is trained or searched.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import LSTMCell
from mrnn_np.cells.stack import check_cell, numbered, of_cell
from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
)
from mrnn_np.layers.parameters import Parameter, blocks, normal
from mrnn_np.models.captioner import Arrays, Captioner, CaptionerConfig, Memory
from mrnn_np.runtime.errors import InputError


@dataclass(frozen=True)
class LRCNConfig(CaptionerConfig):
    """Sizes and choices of an `LRCN`. The sizes are the paper's."""

    embedding_size: int = 1000  # E
    recurrent_size: int = 1000  # R, of every layer
    recurrent_layers: int = 2
    factored: bool = True  # the image enters the upper half, not the lowest layer
    dropout_embedding: float = 0.5  # of x
    dropout_recurrent: float = 0.5  # of every h on its way up, never of h' -> h

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell("lstm", self.recurrent_layers)
        if self.factored and self.recurrent_layers == 1:
            raise InputError("factored needs recurrent_layers of 2 or more, not 1")


class LRCN(Captioner):
    """The captioner of LRCN; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, E), of the n-th LSTM, from 1 at the bottom, n.W (E or R,
        4R), n.U (R, 4R) and n.br (4R,), Wi (D, 4R), Wo (R, V), bo (V,).
    """

    config: LRCNConfig
    config_class = LRCNConfig

    @property
    def output_size(self) -> int:
        """R: the softmax stands on the topmost LSTM."""
        return self.config.recurrent_size

    @functools.cached_property
    def cells(self) -> dict[int, LSTMCell]:
        """The LSTMs by their numbers, from 1 at the bottom."""
        c = self.config
        below = [c.embedding_size] + [c.recurrent_size] * (c.recurrent_layers - 1)
        return {n: LSTMCell(X, c.recurrent_size) for n, X in enumerate(below, 1)}

    @property
    def sees_image(self) -> int:
        """The number of the LSTM that the image enters."""
        c = self.config
        return c.recurrent_layers // 2 + 1 if c.factored else 1

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c, V = self.config, len(self.vocabulary)
        layers = {
            f"{n}.{name}": parameter
            for n, cell in self.cells.items()
            for name, parameter in cell.parameters().items()
        }
        return {
            "E1": normal(V, c.embedding_size, 1.0),
            **layers,
            "Wi": blocks(*[self.image_matrix(c.recurrent_size)] * 4),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`.

        Returns h (P, R) of the topmost LSTM and the cache.
        """
        p, c, N = self.params, self.config, len(batch.features)
        x, c_words = embedding_forward(batch.tokens, p["E1"])
        x, c_x = dropout_forward(x, c.dropout_embedding, rng)
        # v is a table with a row a sentence, and looked up as words are.
        v, c_v = embedding_forward(batch.sentence, batch.features @ p["Wi"])
        layers = []
        for n, cell in self.cells.items():
            own, below = numbered(p, n), x
            z = below @ own["W"]
            if n == self.sees_image:
                z += v
            state0 = cell.start(N, z.dtype)
            h, c_h = cell.gates_forward(z, state0, own, batch.batch_sizes)
            x, c_dh = dropout_forward(h, c.dropout_recurrent, rng)
            layers.append((below, own["W"], c_h, c_dh))
        return x, (batch.features, c_words, c_x, c_v, layers)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of h back: the same lines, from the last to the first."""
        features, c_words, c_x, c_v, layers = cache
        g: Arrays = {}
        dx = dm
        for n in reversed(self.cells):
            below, W, c_h, c_dh = layers[n - 1]
            own = of_cell(memory, n)
            dh = dropout_backward(dx, c_dh)
            dz, _, dp = self.cells[n].gates_backward(dh, c_h, own)
            if n == self.sees_image:
                dv = embedding_backward(dz, c_v)
                g["Wi"] = np.matmul(features.T, dv, out=memory("Wi"))
            dp["W"] = np.matmul(below.T, dz, out=own("W"))
            g |= {f"{n}.{name}": grad for name, grad in dp.items()}
            dx = dz @ W.T
        dx = dropout_backward(dx, c_x)
        g["E1"] = embedding_backward(dx, c_words, memory("E1"))
        return g

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word: v, and of each LSTM zeros (n, 2R)."""
        zeros = {
            f"{n}": cell.start(len(features), self.dtype)
            for n, cell in self.cells.items()
        }
        return {**zeros, "v": features @ self.params["Wi"]}

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return h (n, R) and the new state."""
        x = self.params["E1"].take(tokens, axis=0)
        after = {"v": state["v"]}
        for n, cell in self.cells.items():
            own = numbered(self.params, n)
            z = x @ own["W"]
            if n == self.sees_image:
                z += state["v"]
            after[f"{n}"] = cell.gates_step(z, state[f"{n}"], own)
            x = cell.output(after[f"{n}"])
        return x, after
