"""The alignment model of DeepVS: every word takes the region that fits it best.

    e_t = relu(E1[w_t] We + be)                            a word            (W, F)
    f_t = relu(e_t + f_{t-1} Uf + bf)                      read forwards     (W, F)
    b_t = relu(e_t + b_{t+1} Ub + bb)                      read backwards    (W, F)
    s_t = relu((f_t + b_t) Wd + bd)                        in its sentence   (W, F)
    v_i = x_i Vi + bi                                      a region          (n B, F)
    score = sum_t max_i s_t . v_i                          a pair

with B regions in the image; the loss is that of fragments.py. Both recurrences are the
ReLU cell (cells/relu.py), which adds e_t without a matrix, as here.

Source: Karpathy and Fei-Fei, "Deep visual-semantic alignments for generating image
descriptions" (CVPR 2015). The bidirectional recurrence is whole. What is simpler:

    words       word2vec, kept fixed, in the paper; learned here
    regions     the 19 best of a detector and the whole image; here whatever the
                features hold side by side (`regions`)
    alignment   the paper smooths which region belongs to which word, by a Markov
                chain, after training; left out, as scores do not need it

Knows: how words are read and what a score is. Does not know: how it is trained.
"""

import functools
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import Cell, make_cell
from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    relu_backward,
    relu_forward,
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.fragments import FragmentConfig, FragmentRanker, sum_of_words
from mrnn_np.models.parametric import Arrays, Memory
from mrnn_np.models.ranker import Words


@dataclass(frozen=True)
class DeepVSAlignConfig(FragmentConfig):
    """Sizes and choices of a `DeepVSAlign`; see `FragmentConfig`."""


class DeepVSAlign(FragmentRanker):
    """Words read both ways, and the best region of each; see `FragmentRanker`.

    Attributes
    ----------
    params : dict with Vi (D / B, F), bi (F,), E1 (V, E), We (E, F), be (F,),
        Uf (F, F), bf (F,), Ub (F, F), bb (F,), Wd (F, F), bd (F,).
    """

    config_class = DeepVSAlignConfig

    @functools.cached_property
    def cell(self) -> Cell:
        """The recurrent cell, of either direction."""
        return make_cell("relu", self.config.joint_size, self.config.joint_size)

    def text_parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter that makes s_t."""
        c, own = self.config, self.cell.parameters()
        return {
            "E1": normal(len(self.vocabulary), c.embedding_size, 1.0),
            "We": normal(c.embedding_size, c.joint_size),
            "be": zeros(c.joint_size),
            "Uf": own["U"],
            "bf": own["br"],
            "Ub": own["U"],
            "bb": own["br"],
            "Wd": normal(c.joint_size, c.joint_size),
            "bd": zeros(c.joint_size),
        }

    def words_forward(
        self, words: Words, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Return s (W, F), each word among its neighbours."""
        p, sizes, mirror = self.params, words.batch_sizes, mirrored(words)
        x, c_x = embedding_forward(words.ids, p["E1"])
        x, c_dx = dropout_forward(x, self.config.dropout_embedding, rng)
        z, c_z = affine_forward(x, p["We"], p["be"])
        e, c_e = relu_forward(z)
        zero = self.cell.start(sizes[0], e.dtype)
        f, c_f = self.cell.forward(e, zero, self.own("f"), sizes)
        b, c_b = self.cell.forward(e[mirror], zero, self.own("b"), sizes)
        z, c_d = affine_forward(f + b[mirror], p["Wd"], p["bd"])
        s, c_s = relu_forward(z)
        return s, (c_x, c_dx, c_z, c_e, c_f, c_b, mirror, c_d, c_s)

    def words_backward(self, ds: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of s back to the parameters; in e two meet."""
        c_x, c_dx, c_z, c_e, c_f, c_b, mirror, c_d, c_s = cache
        g = {}
        dboth, g["Wd"], g["bd"] = affine_backward(relu_backward(ds, c_s), c_d)
        de, _, own = self.cell.backward(dboth, c_f, lambda name: memory(f"{name}f"))
        g["Uf"], g["bf"] = own["U"], own["br"]
        db, _, own = self.cell.backward(
            dboth[mirror], c_b, lambda name: memory(f"{name}b")
        )
        g["Ub"], g["bb"] = own["U"], own["br"]
        dz = relu_backward(de + db[mirror], c_e)
        dx, g["We"], g["be"] = affine_backward(dz, c_z)
        dx = dropout_backward(dx, c_dx)
        g["E1"] = embedding_backward(dx, c_x, memory("E1"))
        return g

    def own(self, direction: str) -> Arrays:
        """Return the parameters of the forward ("f") or backward ("b") cell."""
        return {"U": self.params[f"U{direction}"], "br": self.params[f"b{direction}"]}

    def fit_forward(self, a: np.ndarray, words: Words) -> tuple[np.ndarray, tuple]:
        """Return the sum over the words of what fits them best."""
        best = a.argmax(axis=2, keepdims=True)  # (W, n, 1)
        fits = np.take_along_axis(a, best, axis=2)[:, :, 0]
        return sum_of_words(fits, words), (best, a.shape, words.sentence)

    def fit_backward(self, dscores: np.ndarray, cache: tuple) -> np.ndarray:
        """Return the gradient of a: that of its pair, at the best region."""
        best, shape, sentence = cache
        da = np.zeros(shape, dscores.dtype)
        np.put_along_axis(da, best, dscores[sentence][:, :, None], axis=2)
        return da

    def fit_distance(self, a: np.ndarray) -> float:
        """Return how near a second region comes to the best one."""
        if a.shape[2] == 1:
            return np.inf
        ordered = np.sort(a, axis=2)
        return float((ordered[:, :, -1] - ordered[:, :, -2]).min(initial=np.inf))

    def words_distance(
        self, words: Words, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a unit of any layer comes to zero."""
        _, cache = self.words_forward(words, rng)
        _, _, (x, We), e, _, _, mirror, (both, Wd), _ = cache
        if not len(x):
            return np.inf
        zero = self.cell.start(words.batch_sizes[0], e.dtype)
        return min(
            float(np.abs(x @ We + self.params["be"]).min()),
            self.cell.distance_to_kink(e, zero, self.own("f"), words.batch_sizes),
            self.cell.distance_to_kink(
                e[mirror], zero, self.own("b"), words.batch_sizes
            ),
            float(np.abs(both @ Wd + self.params["bd"]).min()),
        )


def mirrored(words: Words) -> np.ndarray:
    """Return, for every word, the row of the one as far from its sentence's other end.

    A sentence keeps its length when it is read backwards, so its rows stay its own:
    with batch_sizes (2, 2, 1) the rows of sentence 0 are 0 2 4, and 4 2 0 mirrored.
    """
    sizes = words.batch_sizes
    start = np.cumsum(sizes) - sizes  # the first row of each step
    step = np.repeat(np.arange(len(sizes)), sizes)
    return start[words.lengths[words.sentence] - 1 - step] + words.sentence
