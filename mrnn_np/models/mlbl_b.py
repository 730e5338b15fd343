"""MLBL-B: a log-bilinear model of the last n words, which the image biases.

    r_i = E1[w_{t-i}]                             the n last words       (P, K) each
    code = relu(I J + bJ)                         image code             (N, H)
    rhat = sum over i of r_i C_i + code M         predicted word vector  (P, K)
    p = softmax(rhat E1^T + bo)                   next word              (P, V)

There is no recurrence and no non-linearity between words: what comes next is a linear
guess at its word vector, and a word is the likelier the more its vector points there.
Before the first word stands <start>, n times. P are the tokens of a packed batch, N its
sentences, I (N, D) the image features. C (n K, K) holds C_1 .. C_n below each other, so
that their sum is one product; each is a full matrix, as in the authors' program, where
the diagonal ones of other log-bilinear models would save nearly nothing beside E1.

Source: Kiros, Salakhutdinov and Zemel, Multimodal Neural Language Models, ICML 2014,
and the sizes and first draws of the authors' program. It ties input and output vectors,
and rhat is a word vector already: `tied`, the default here, therefore has no layer
g(m UI) in between, as it has in other captioners. Not tied, p = softmax(rhat Wo + bo).
Choices of this project: E1 is drawn larger, and trained by Adam like everything.

Knows: the words of a context, the image. Does not know: sentences before the context.
"""

from dataclasses import dataclass, field

import numpy as np

from mrnn_np.cells.cell import shifted
from mrnn_np.data.batches import PackedBatch
from mrnn_np.data.vocabulary import START
from mrnn_np.kernels.scatter import scatter_add_rows
from mrnn_np.layers import (
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
)
from mrnn_np.layers.parameters import Parameter, normal, zeros
from mrnn_np.models.captioner import Arrays, Captioner, CaptionerConfig, Memory

SCALE = 0.01  # of the matrices C and M at the start


@dataclass(frozen=True)
class MLBLBConfig(CaptionerConfig):
    """Sizes and choices of an `MLBLB`; those of the authors' program."""

    embedding_size: int = 100  # K
    context_size: int = 5  # n
    code_size: int = 441  # H
    dropout_code: float = 0.15  # of the image code
    tied: bool = field(default=True, kw_only=True)


class MLBLB(Captioner):
    """The log-bilinear captioner; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, K), C (n K, K), J (D, H), bJ (H,), M (H, K), bo (V,), and
        Wo (K, V) where weights are not tied.
    """

    config: MLBLBConfig
    config_class: type[CaptionerConfig] = MLBLBConfig
    predicts_vectors = True

    @property
    def output_size(self) -> int:
        """K, the length of the predicted word vector."""
        return self.config.embedding_size

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer.

        A word vector starts about 1 long.
        """
        c, V = self.config, len(self.vocabulary)
        K, n, H = c.embedding_size, c.context_size, c.code_size
        return {
            "E1": normal(V, K, K**-0.5),
            "C": normal(n * K, K, SCALE),
            "J": self.image_matrix(H),
            "bJ": zeros(H),
            "M": normal(H, K, SCALE),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`.

        Returns rhat (P, K) and the cache.
        """
        p, P = self.params, len(batch.tokens)
        context = contexts(batch, self.config.context_size)
        rows, c_rows = embedding_forward(context.ravel(), p["E1"])  # (P n, K)
        r = rows.reshape(P, -1)  # (P, n K)
        code = self.image_code(batch.features)
        code, c_d = dropout_forward(code, self.config.dropout_code, rng)
        rhat = r @ p["C"]
        rhat += (code @ p["M"])[batch.sentence]  # (N, K) -> (P, K)
        return rhat, (c_rows, r, code, c_d, batch)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of rhat back to the parameters.

        The same lines as `forward`, from the last to the first.
        """
        p, g = self.params, {}
        c_rows, r, code, c_d, batch = cache
        drhat = dm
        dimage = per_sentence(drhat, batch)
        g["M"] = code.T @ dimage
        dcode = dimage @ p["M"].T
        g |= self.image_code_backward(dcode, code, c_d, batch.features, memory)
        g["C"] = r.T @ drhat
        dr = drhat @ p["C"].T
        drows = dr.reshape(-1, p["E1"].shape[1])
        g["E1"] = embedding_backward(drows, c_rows, memory("E1"))
        return g

    def image_code(self, features: np.ndarray) -> np.ndarray:
        """Return relu(I J + bJ), (n, H), of features as `standardise` returns them."""
        z, _ = affine_forward(features, self.params["J"], self.params["bJ"])
        return np.maximum(z, 0, out=z)

    def image_code_backward(
        self,
        dcode: np.ndarray,
        code: np.ndarray,
        c_d: tuple | None,
        features: np.ndarray,
        memory: Memory,
    ) -> Arrays:
        """Return the gradients of J and bJ.

        dcode, code : (N, H), of the code after dropout. What was dropped is 0 there,
            like a unit that is shut, and has no gradient either way.
        c_d : the cache of that dropout.
        """
        dz = dropout_backward(dcode, c_d) * (code > 0)
        dJ = np.matmul(features.T, dz, out=memory("J"))
        return {"J": dJ, "bJ": dz.sum(axis=0)}

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word.

        "words" (n, context) integer, the last ones, newest first: all <start>; and
        "image" (n, K), what the image adds to rhat.
        """
        return {
            "words": np.full((len(features), self.config.context_size), START),
            "image": self.image_code(features) @ self.params["M"],
        }

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return rhat (n, K) and the new state.

        The oldest word leaves the context.
        """
        words = np.column_stack([tokens, state["words"][:, :-1]])
        r = self.params["E1"].take(words, axis=0).reshape(len(words), -1)
        rhat = r @ self.params["C"] + state["image"]
        return rhat, {**state, "words": words}

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a unit of the image code comes to the kink of its ReLU."""
        z = batch.features @ self.params["J"] + self.params["bJ"]
        return float(np.abs(z).min())


def contexts(batch: PackedBatch, n: int) -> np.ndarray:
    """Return the n last words at every token, newest first, (P, n) integer.

    Column i is column i - 1 one step earlier in the same sentence; before the first
    step is <start>. For the sentence "a man runs" and n = 3 the rows are

        s s s    a s s    man a s    runs man a         (s is <start>)
    """
    first = np.full(len(batch.features), START)
    columns = [batch.tokens]
    for _ in range(n - 1):
        columns.append(shifted(columns[-1], first, batch.batch_sizes))
    return np.stack(columns, axis=1)


def per_sentence(rows: np.ndarray, batch: PackedBatch) -> np.ndarray:
    """Return the sums of the rows (P, C) of each sentence, (N, C)."""
    out = np.zeros((len(batch.features), rows.shape[1]), rows.dtype)
    scatter_add_rows(out, batch.sentence, rows)
    return out
