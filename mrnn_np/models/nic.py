"""NIC, "Show and Tell" (Vinyals et al., 2015): an LSTM whose first word is the image.

    x_{-1} = I Wi                             image, in the place of a word   (N, E)
    x_t = E1[w_t]                             embedding                       (P, E)
    h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})    from zeros before the image     (P, R)
    p = softmax(h_t Wo + bo)                  next word                       (P, V)

The image is seen once; whatever the sentence needs of it later is in h and c. What the
LSTM says after the image is not used: the first prediction is made from <start>. (The
m-RNN's image never enters the recurrence, and joins at every word.)

So a batch is a packed batch with one time step more: N rows of images, then P words.

The paper leaves open where dropout acts, and writes h = o c. Here, as in what its
authors published later (im2txt, 2016): a share of 0.3 of what goes into the LSTM and of
what comes out, and h = o tanh(c). First draws are this project's (cells/lstm.py).

Knows: how the layers hang together. Does not know: how it is trained or searched.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import LSTMCell
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
class NICConfig(CaptionerConfig):
    """Sizes and choices of a `NIC`. The sizes are the paper's."""

    embedding_size: int = 512  # E, of words and of the image among them
    recurrent_size: int = 512  # R
    dropout_input: float = 0.3  # of x, the image's included
    dropout_output: float = 0.3  # of h on its way up, never of h_{t-1} -> h_t


class NIC(Captioner):
    """The captioner of "Show and Tell"; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, E), Wi (D, E), of the LSTM W (E, 4R), U (R, 4R) and
        br (4R,), Wo (R, V), bo (V,).
    """

    config: NICConfig
    config_class = NICConfig

    @property
    def output_size(self) -> int:
        """R: the softmax stands on the LSTM."""
        return self.config.recurrent_size

    @functools.cached_property
    def cell(self) -> LSTMCell:
        """The LSTM."""
        return LSTMCell(self.config.embedding_size, self.config.recurrent_size)

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c, V = self.config, len(self.vocabulary)
        return {
            "E1": normal(V, c.embedding_size, 1.0),
            "Wi": self.image_matrix(c.embedding_size),
            **self.cell.parameters(),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run the image and all words up to the output layer; see `Captioner`.

        Returns h (P, R) of the words, and the cache.
        """
        p, c, N = self.params, self.config, len(batch.features)
        words, c_words = embedding_forward(batch.tokens, p["E1"])
        x = np.concatenate([batch.features @ p["Wi"], words])  # (N + P, E)
        x, c_x = dropout_forward(x, c.dropout_input, rng)
        sizes = np.concatenate([[N], batch.batch_sizes])  # a step more, the first
        h, c_h = self.cell.forward(x, self.cell.start(N, x.dtype), p, sizes)
        m, c_m = dropout_forward(h[N:], c.dropout_output, rng)
        return m, (batch.features, c_words, c_x, c_h, c_m)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of h back: the same lines, from the last to the first."""
        features, c_words, c_x, c_h, c_m = cache
        N = len(features)
        dm = dropout_backward(dm, c_m)
        # Nobody reads the output after the image: its gradient is what h_0 sends back.
        dh = np.concatenate([np.zeros((N, dm.shape[1]), dm.dtype), dm])
        dx, _, g = self.cell.backward(dh, c_h, memory)
        dx = dropout_backward(dx, c_x)
        g["Wi"] = np.matmul(features.T, dx[:N], out=memory("Wi"))
        g["E1"] = embedding_backward(dx[N:], c_words, memory("E1"))
        return g

    def start(self, features: np.ndarray) -> Arrays:
        """Feed the image: the state before <start>, "h" (n, 2R), h and c."""
        before = self.cell.start(len(features), self.dtype)
        return {"h": self.cell.step(features @ self.params["Wi"], before, self.params)}

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return h (n, R) and the new state."""
        x = self.params["E1"].take(tokens, axis=0)
        h = self.cell.step(x, state["h"], self.params)
        return self.cell.output(h), {"h": h}
