"""The ranking half of MNLM: an LSTM reads the sentence, its last state meets the image.

    x_t = E1[w_t]                                word vectors            (P, E)
    h_t = LSTM(h_{t-1}, x_t)                     w1, ..., wL, <end>      (P, R)
    u = h_{L+1} / |h_{L+1}|                      the sentence            (N, R)
    v = (I Vi) / |I Vi|                          the image, I (N, D)     (N, R)
    s = u . v                                    their cosine

    loss = (1/N) sum_n sum_k max(0, 0.2 - s_nn + s_nk) + max(0, 0.2 - s_nn + s_kn)

over the pairs n of a batch and their negatives k; s_nk is sentence n, image k.

Source: Kiros, Salakhutdinov and Zemel, "Unifying visual-semantic embeddings with
multimodal neural language models" (2014), and the authors' later program, known as VSE.
What they disagree on, and what is done here:

    encoder     LSTM in the paper, GRU in the program      LSTM; `cell` says otherwise
    lengths     both vectors 1 in the paper; in the        both 1, always
                program the image's only when it tests
    last word   the program reads an end of the sentence   read, so that an empty
                                                           sentence is one, too
    dropout     none is reported                           `dropout_...`, chosen here

The language model that the paper puts on top of this space is another model.

Knows: how the two towers are made. Does not know: how they are trained or searched.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import Cell, make_cell
from mrnn_np.cells.stack import check_cell
from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import (
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    hinge_backward,
    hinge_distance_to_kink,
    hinge_forward,
    normalise_backward,
    normalise_forward,
)
from mrnn_np.layers.parameters import Parameter, normal
from mrnn_np.models.joint_space import JointSpaceRanker
from mrnn_np.models.parametric import Arrays, Memory, ModelConfig
from mrnn_np.models.ranker import negatives
from mrnn_np.runtime.errors import InputError

MARGIN = 0.2


@dataclass(frozen=True)
class MNLMRankConfig(ModelConfig):
    """Sizes and choices of an `MNLMRank`."""

    embedding_size: int = 300  # E
    recurrent_size: int = 300  # R, also of the space; the program's default is 1024
    cell: str = "lstm"
    dropout_embedding: float = 0.5  # of x
    dropout_image: float = 0.5  # of the image feature

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell(self.cell, 1)
        if self.cell == "relu" and self.embedding_size != self.recurrent_size:
            raise InputError(
                "the cell relu adds word vectors to its state: embedding_size must be "
                f"recurrent_size, {self.recurrent_size}"
            )


class MNLMRank(JointSpaceRanker):
    """A recurrent encoder and a linear map, compared by their cosine; see `Ranker`.

    Attributes
    ----------
    params : dict with E1 (V, E), those of the recurrent cell, and Vi (D, R).
    """

    config: MNLMRankConfig
    config_class = MNLMRankConfig

    @functools.cached_property
    def cell(self) -> Cell:
        """The recurrent cell."""
        c = self.config
        return make_cell(c.cell, c.embedding_size, c.recurrent_size)

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter."""
        c = self.config
        return {
            "E1": normal(len(self.vocabulary), c.embedding_size, 1.0),
            **self.cell.parameters(),
            "Vi": self.image_matrix(c.recurrent_size),
        }

    def text_forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return u, the direction of the state after <end>, (N, R)."""
        x, c_x = embedding_forward(batch.targets, self.params["E1"])
        x, c_dx = dropout_forward(x, self.config.dropout_embedding, rng)
        h0 = self.cell.start(len(batch.order), x.dtype)
        h, c_h = self.cell.forward(x, h0, self.params, batch.batch_sizes)
        last = last_rows(batch)
        u, c_u = normalise_forward(h[last])
        return u, (c_x, c_dx, c_h, last, c_u, h.shape)

    def text_backward(self, du: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Go back from the last states through time to the words."""
        c_x, c_dx, c_h, last, c_u, shape = cache
        dh = np.zeros(shape, du.dtype)
        dh[last] = normalise_backward(du, c_u)
        dx, _, grads = self.cell.backward(dh, c_h, memory)
        dx = dropout_backward(dx, c_dx)
        return {"E1": embedding_backward(dx, c_x, memory("E1")), **grads}

    def image_forward(
        self, features: np.ndarray, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return v, the direction of I Vi, (n, R)."""
        image, _ = dropout_forward(features, self.config.dropout_image, rng)
        v, c_v = normalise_forward(image @ self.params["Vi"])
        return v, (image, c_v)

    def image_backward(self, dv: np.ndarray, cache: tuple) -> Arrays:
        """Return the gradient of Vi."""
        image, c_v = cache
        return {"Vi": image.T @ normalise_backward(dv, c_v)}

    def pair_losses(
        self, scores: np.ndarray, apart: np.ndarray
    ) -> tuple[np.ndarray, tuple]:
        """Return by how much the negatives of each pair come too near."""
        return hinge_forward(scores, apart, MARGIN)

    def pair_losses_backward(self, dlosses: np.ndarray, cache: tuple) -> np.ndarray:
        """Return the gradient of the scores."""
        return hinge_backward(dlosses, cache)

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a negative comes to the margin, or a ReLU cell to zero."""
        u, (c_x, c_dx, *_) = self.text_forward(batch, rng)
        v, _ = self.image_forward(batch.features, rng)
        scores = u @ v.T
        words = dropout_backward(self.params["E1"][c_x[0]], c_dx)  # the same mask
        h0 = self.cell.start(len(batch.order), words.dtype)
        return min(
            hinge_distance_to_kink(scores, negatives(batch), MARGIN),
            self.cell.distance_to_kink(words, h0, self.params, batch.batch_sizes),
        )


def last_rows(batch: PackedBatch) -> np.ndarray:
    """Return the row of each sentence's <end>, (N,).

    A sentence's rows ascend with time, and the last one written stays.
    """
    last = np.empty(len(batch.order), np.int64)
    last[batch.sentence] = np.arange(len(batch.sentence))
    return last
