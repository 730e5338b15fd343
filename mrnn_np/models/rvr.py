"""RVR: a captioner with a visual memory, that learns to draw the image from the words.

    s_t = relu(s_{t-1} Us + E1[x_t] + bs)         state of the language  (P, S)
    u_t = relu(u_{t-1} Uu + Eu[x_t] + bu)         visual memory          (P, R)
    y_t = u_t Y + by                              image, as read so far  (P, D)
    m = g(s Vs + u Vu + I Vi + bm)                multimodal layer       (P, M)
    p = softmax(m Wo + bo)                        next word              (P, V)

    loss = (1/P) sum over tokens of  -log p(next word) + weight |y_t - J|^2 / (2 D)

At every word the memory has to tell the whole image J from what it has read. So it
keeps what was said of the scene, which the language state forgets for the sake of the
next word, and it knows what has been said already. P are the tokens of a packed batch.
J = I / `image_gain` are the features of variance 1: however many there are, a memory
that knows nothing has the loss weight / 2.

Source: Chen and Zitnick, Mind's Eye: a recurrent visual representation for image
caption generation, CVPR 2015 (arXiv 1411.5654). Theirs are two simple recurrences of
100 units, reconstruction from the memory, and the joint likelihood of words and image.
The rest is this project's, and not checked against their text: rectified linear units;
the squared error, its weight, and that it counts at every word; dropout; and one
multimodal layer where theirs predicts words without one, and shows the image to half of
the units only. It makes retrieval as fast as the m-RNN's. Their search of images by
reconstruction alone is not done here.

Knows: how the two states hang together. Does not know: how it is trained or searched.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import Cell, make_cell
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
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.captioner import Arrays, CaptionerConfig, Memory
from mrnn_np.models.multimodal import MultimodalCaptioner
from mrnn_np.runtime.errors import InputError

WORD_SCALE = 0.3  # of E1 and Eu at the start
MOST_WEIGHT = 1e6


@dataclass(frozen=True)
class RVRConfig(CaptionerConfig):
    """Sizes and choices of an `RVR`."""

    recurrent_size: int = 100  # S
    visual_size: int = 100  # R, of the memory
    multimodal_size: int = 512  # M
    dropout_recurrent: float = 0.5  # of s and u on their way up, never through time
    dropout_image: float = 0.5  # of the image feature, never of what is reconstructed
    dropout_multimodal: float = 0.5  # of m
    reconstruction_weight: float = 1.0  # 0: the memory learns from the words alone

    def __post_init__(self) -> None:
        super().__post_init__()
        weight = self.reconstruction_weight
        if not 0 <= weight <= MOST_WEIGHT:
            raise InputError(
                f"reconstruction_weight must be 0 to {MOST_WEIGHT:g}, not {weight}"
            )


class RVR(MultimodalCaptioner):
    """The captioner with a visual memory; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, S), s.U (S, S), s.br (S,), Eu (V, R), u.U (R, R), u.br
        (R,), Y (R, D), by (D,), Vs (S, M), Vu (R, M), Vi (D, M), bm (M,), Wo (M, V),
        bo (V,).
    """

    config: RVRConfig
    config_class = RVRConfig

    @property
    def output_size(self) -> int:
        """M, the size of the multimodal layer."""
        return self.config.multimodal_size

    @functools.cached_property
    def cells(self) -> dict[str, Cell]:
        """The two recurrences: "s" of the language, "u" of the visual memory."""
        c = self.config
        sizes = {"s": c.recurrent_size, "u": c.visual_size}
        return {name: make_cell("relu", size, size) for name, size in sizes.items()}

    def of_cell(self, name: str) -> Arrays:
        """Return the parameters of a cell, "U" and "br", of "s.U" and "s.br"."""
        return {key: self.params[f"{name}.{key}"] for key in ("U", "br")}

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c, V, D = self.config, len(self.vocabulary), self.config.image_size
        S, R, M = c.recurrent_size, c.visual_size, c.multimodal_size
        return {
            "E1": normal(V, S, WORD_SCALE),
            "Eu": normal(V, R, WORD_SCALE),
            **{
                f"{name}.{key}": parameter
                for name, cell in self.cells.items()
                for key, parameter in cell.parameters().items()
            },
            "Y": normal(R, D),
            "by": zeros(D),
            "Vs": normal(S, M),
            "Vu": normal(R, M),
            "Vi": self.image_matrix(M),
            "bm": zeros(M),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`.

        Returns m (P, M) and the cache, which begins with y - J (P, D).
        """
        p, c = self.params, self.config
        n, sizes = len(batch.features), batch.batch_sizes
        rows_s, c_es = embedding_forward(batch.tokens, p["E1"])
        rows_u, c_eu = embedding_forward(batch.tokens, p["Eu"])
        start = self.text_start(n)
        s, c_s = self.cells["s"].forward(rows_s, start["s"], self.of_cell("s"), sizes)
        u, c_u = self.cells["u"].forward(rows_u, start["u"], self.of_cell("u"), sizes)
        y, c_y = affine_forward(u, p["Y"], p["by"])
        y -= (batch.features / self.image_gain)[batch.sentence]
        s, c_ds = dropout_forward(s, c.dropout_recurrent, rng)
        u, c_du = dropout_forward(u, c.dropout_recurrent, rng)
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        m, c_m = multimodal_forward(
            s, u, image, batch.sentence, p["Vs"], p["Vu"], p["Vi"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        return m, (y, c_es, c_eu, c_s, c_u, c_y, c_ds, c_du, c_m, c_dm)

    def extra_loss(self, cache: tuple) -> float:
        """Return weight times the mean of |y - J|^2 / 2 over tokens and features."""
        error = cache[0]
        half = 0.5 * np.square(error).mean(dtype=np.float64)
        return float(self.config.reconstruction_weight * half)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradients of m and of `extra_loss` back to the parameters.

        The same lines as `forward`, from the last to the first. The memory serves the
        words and the image, so two gradients meet in du.
        """
        error, c_es, c_eu, c_s, c_u, c_y, c_ds, c_du, c_m, c_dm = cache
        g = {}
        dm = dropout_backward(dm, c_dm)
        ds, du, _, g["Vs"], g["Vu"], g["Vi"], g["bm"] = multimodal_backward(
            dm, c_m, memory("Vi")
        )
        du = dropout_backward(du, c_du)
        ds = dropout_backward(ds, c_ds)
        dy = error * error.dtype.type(self.config.reconstruction_weight / error.size)
        du_image, g["Y"], g["by"] = affine_backward(dy, c_y)
        du += du_image
        for name, table, dout, cached, c_e in (
            ("u", "Eu", du, c_u, c_eu),
            ("s", "E1", ds, c_s, c_es),
        ):
            rows, _, dp = self.cells[name].backward(dout, cached)
            g |= {f"{name}.{key}": grad for key, grad in dp.items()}
            g[table] = embedding_backward(rows, c_e, memory(table))
        return g

    def text_start(self, n: int) -> Arrays:
        """Return the states before the first word, zeros: "s" (n, S), "u" (n, R)."""
        return {name: cell.start(n, self.dtype) for name, cell in self.cells.items()}

    def text_step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to both states; they add s Vs + u Vu, (n, M)."""
        p, tables = self.params, {"s": "E1", "u": "Eu"}
        after = {
            name: cell.step(
                p[tables[name]].take(tokens, axis=0), state[name], self.of_cell(name)
            )
            for name, cell in self.cells.items()
        }
        return after["s"] @ p["Vs"] + after["u"] @ p["Vu"], after

    def image_terms(self, features: np.ndarray) -> np.ndarray:
        """Return what the image adds to the multimodal layer, I Vi + bm, (n, M)."""
        return features @ self.params["Vi"] + self.params["bm"]

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a unit of the two states comes to the kink of its ReLU."""
        start = self.text_start(len(batch.features))
        return min(
            cell.distance_to_kink(
                self.params[table].take(batch.tokens, axis=0),
                start[name],
                self.of_cell(name),
                batch.batch_sizes,
            )
            for (name, cell), table in zip(
                self.cells.items(), ("E1", "Eu"), strict=True
            )
        )
