"""The deep multimodal similarity model: two towers of tanh layers, and their cosine.

    a = g(sum of E1[w] + b1)    b = g(a W2 + b2)    u = g(b W3 + b3)     a sentence
    c = g(I Vi + bi)            d = g(c V2 + c2)    v = g(d V3 + c3)     an image
    s = u . v / (|u| |v|)

    P(s_n | I_n) = exp(gamma s_nn) / sum_k exp(gamma s_kn)
    P(I_n | s_n) = exp(gamma s_nn) / sum_k exp(gamma s_nk)
    loss = -(1/N) sum_n log P(s_n | I_n) + log P(I_n | s_n)

a, b, c, d are (N, H), u and v (N, F), I is (N, D). s_nk is sentence n, image k; k runs
over n and its negatives, and the sums over w over the words of a sentence.

Source: Fang et al., "From captions to visual concepts and back" (CVPR 2015), which
takes the text tower from the DSSM of Huang et al. (2013) and Shen et al. (2014). What
is simpler here:

    words       letter trigrams and a convolution in the paper; here each word has a row
                of its own, and their order does not count, as in the DSSM
    candidates  a caption and 50 others, drawn anew for each image; here the batch
    direction   the paper learns P(caption | image) only; both are learned here, because
                a ranker is asked for both
    tanh        g is the scaled one (layers/stanh.py): the next matrix undoes the scale
    not given   gamma, which the paper sets on held-out data; 10 is what implementations
                of the DSSM use. Sizes are the DSSM's. Dropout is chosen here.

Knows: how the two towers are made. Does not know: how they are trained or searched.
"""

import math
from dataclasses import dataclass

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.kernels.scatter import scatter_add_rows
from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    normalise_backward,
    normalise_forward,
    softmax_loss_backward,
    softmax_loss_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.joint_space import JointSpaceRanker
from mrnn_np.models.parametric import Arrays, Memory, ModelConfig
from mrnn_np.models.ranker import words_of
from mrnn_np.runtime.errors import InputError

TEXT = (("W2", "b2"), ("W3", "b3"))  # above the sum of word vectors
IMAGE = (("V2", "c2"), ("V3", "c3"))  # above the first layer
WORD = 0.3  # deviation of word vectors: ten of them add up to one


@dataclass(frozen=True)
class DMSMConfig(ModelConfig):
    """Sizes and choices of a `DMSM`."""

    hidden_size: int = 300  # H
    joint_size: int = 128  # F
    gamma: float = 10.0  # the larger, the more the nearest candidates count
    dropout_image: float = 0.5  # of the image feature
    dropout_hidden: float = 0.5  # of a, b, c and d

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gamma < math.inf:
            raise InputError(f"gamma must be above 0 and finite, not {self.gamma}")


class DMSM(JointSpaceRanker):
    """Two towers of three layers, compared by their cosine; see `Ranker`.

    Attributes
    ----------
    params : dict with E1 (V, H), b1 (H,), W2 (H, H), b2 (H,), W3 (H, F), b3 (F,) of the
        text tower, Vi (D, H), bi (H,), V2 (H, H), c2 (H,), V3 (H, F), c3 (F,) of the
        image's.
    """

    config: DMSMConfig
    config_class = DMSMConfig

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter."""
        c = self.config
        H, F = c.hidden_size, c.joint_size
        return {
            "E1": normal(len(self.vocabulary), H, WORD),
            "b1": zeros(H),
            "W2": normal(H, H),
            "b2": zeros(H),
            "W3": normal(H, F),
            "b3": zeros(F),
            "Vi": self.image_matrix(H),
            "bi": zeros(H),
            "V2": normal(H, H),
            "c2": zeros(H),
            "V3": normal(H, F),
            "c3": zeros(F),
        }

    def text_forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return u / |u| of the words of each sentence, in any order, (N, F)."""
        words = words_of(batch)
        rows, c_rows = embedding_forward(words.ids, self.params["E1"])
        total = np.zeros((len(words.lengths), rows.shape[1]), rows.dtype)
        scatter_add_rows(total, words.sentence, rows)  # (W, H) -> (N, H)
        a, c_a = stanh_forward(total + self.params["b1"])
        u, c_u = self._up(a, TEXT, rng)
        u, c_n = normalise_forward(u)
        return u, (c_rows, words.sentence, c_a, c_u, c_n)

    def text_backward(self, du: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of u back; every word of a sentence gets the same."""
        c_rows, sentence, c_a, c_u, c_n = cache
        du = normalise_backward(du, c_n)
        da, grads = self._down(du, TEXT, c_u)
        dtotal = stanh_backward(da, c_a)
        dE1 = embedding_backward(dtotal[sentence], c_rows, memory("E1"))
        return {"E1": dE1, "b1": dtotal.sum(axis=0), **grads}

    def image_forward(
        self, features: np.ndarray, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return v / |v|, (n, F)."""
        image, _ = dropout_forward(features, self.config.dropout_image, rng)
        z, c_z = affine_forward(image, self.params["Vi"], self.params["bi"])
        c, c_c = stanh_forward(z)
        v, c_v = self._up(c, IMAGE, rng)
        v, c_n = normalise_forward(v)
        return v, (c_z, c_c, c_v, c_n)

    def image_backward(self, dv: np.ndarray, cache: tuple) -> Arrays:
        """Send the gradient of v back."""
        c_z, c_c, c_v, c_n = cache
        dv = normalise_backward(dv, c_n)
        dc, grads = self._down(dv, IMAGE, c_v)
        _, dVi, dbi = affine_backward(stanh_backward(dc, c_c), c_z)
        return {"Vi": dVi, "bi": dbi, **grads}

    def _up(
        self, x: np.ndarray, names: tuple, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, list[tuple]]:
        """Run x (N, H) through layers g(drop(x) W + b), by their parameters' names."""
        caches = []
        for W, b in names:
            x, c_drop = dropout_forward(x, self.config.dropout_hidden, rng)
            z, c_z = affine_forward(x, self.params[W], self.params[b])
            x, c_x = stanh_forward(z)
            caches.append((c_drop, c_z, c_x))
        return x, caches

    def _down(
        self, dx: np.ndarray, names: tuple, caches: list[tuple]
    ) -> tuple[np.ndarray, Arrays]:
        """Go back through the same layers, from the last to the first."""
        grads = {}
        for (W, b), (c_drop, c_z, c_x) in zip(names[::-1], caches[::-1], strict=True):
            dx, grads[W], grads[b] = affine_backward(stanh_backward(dx, c_x), c_z)
            dx = dropout_backward(dx, c_drop)
        return dx, grads

    def pair_losses(
        self, scores: np.ndarray, apart: np.ndarray
    ) -> tuple[np.ndarray, tuple]:
        """Return -log P(I_n | s_n) - log P(s_n | I_n), (N,)."""
        N = len(scores)
        own = np.arange(N)
        others = ~(apart | np.eye(N, dtype=bool))  # of the same image: no candidates
        z = self.config.gamma * scores
        z[others] = -np.inf
        images, c_images = softmax_loss_forward(z.copy(), own)
        sentences, c_sentences = softmax_loss_forward(z.T.copy(), own)
        return images + sentences, (c_images, c_sentences)

    def pair_losses_backward(self, dlosses: np.ndarray, cache: tuple) -> np.ndarray:
        """Return the gradient of the scores: what was said minus what is right."""
        c_images, c_sentences = cache
        dz = softmax_loss_backward(dlosses, c_images)
        dz += softmax_loss_backward(dlosses, c_sentences).T
        return self.config.gamma * dz
