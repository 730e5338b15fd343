"""MLBL-F: the log-bilinear model whose word vectors the image gates, factor by factor.

    r_i = E1[w_{t-i}] Wfx^T                       the n last words       (P, K) each
    code = relu(I J + bJ)                         image code             (N, H)
    rhat = sum over i of r_i C_i + code M         predicted word vector  (P, K)
    f = (rhat Wfx) * (code Wfv)                   gated factors          (P, F)
    p = softmax(f E1^T + bo)                      next word              (P, V)

MLBL-B (mlbl_b.py) compares rhat with one and the same word vectors whatever the image.
Here every image has its own: the matrix of word vectors (K, V) is Wfx diag(code Wfv)
E1^T, a tensor of K V H numbers in three factors, of F columns each. The gate
multiplies: where code Wfv is 0, this factor says nothing about the next word.

E1 (V, F) are the factors of the words, and Wfx (K, F) leads from a word vector to its
factors and back, so both serve twice.

Source: Kiros, Salakhutdinov and Zemel, Multimodal Neural Language Models, ICML 2014,
and the sizes of the authors' program, which first draws E1 and Wfx by a singular value
decomposition of word vectors; here they are drawn independently (this project's
choice). Tied weights, contexts and C: see mlbl_b.py.

Knows: how factors are gated. Does not know: sentences before the context.
"""

from dataclasses import dataclass

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.layers import dropout_forward, embedding_backward, embedding_forward
from mrnn_np.layers.parameters import Parameter, normal
from mrnn_np.models.captioner import Arrays, Memory
from mrnn_np.models.mlbl_b import MLBLB, MLBLBConfig, contexts, per_sentence


@dataclass(frozen=True)
class MLBLFConfig(MLBLBConfig):
    """Sizes and choices of an `MLBLF`; those of the authors' program."""

    factor_size: int = 50  # F


class MLBLF(MLBLB):
    """The factored log-bilinear captioner; see `Captioner` for how it is made.

    Attributes
    ----------
    params : dict with E1 (V, F), Wfx (K, F), C (n K, K), J (D, H), bJ (H,), M (H, K),
        Wfv (H, F), bo (V,), and Wo (F, V) where weights are not tied.
    """

    config: MLBLFConfig
    config_class = MLBLFConfig

    @property
    def output_size(self) -> int:
        """F, the number of factors."""
        return self.config.factor_size

    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""
        c = self.config
        K, F, H = c.embedding_size, c.factor_size, c.code_size
        return {
            **super().parameters(),
            "E1": normal(len(self.vocabulary), F, F**-0.5),
            "Wfx": normal(K, F),
            "Wfv": normal(H, F),
        }

    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer; see `Captioner`.

        Returns f (P, F) and the cache.
        """
        p, P = self.params, len(batch.tokens)
        context = contexts(batch, self.config.context_size)
        rows, c_rows = embedding_forward(context.ravel(), p["E1"])  # (P n, F)
        r = (rows @ p["Wfx"].T).reshape(P, -1)  # (P, n K)
        code = self.image_code(batch.features)
        code, c_d = dropout_forward(code, self.config.dropout_code, rng)
        rhat = r @ p["C"]
        rhat += (code @ p["M"])[batch.sentence]  # (N, K) -> (P, K)
        factors = rhat @ p["Wfx"]
        gate = (code @ p["Wfv"])[batch.sentence]  # (N, F) -> (P, F)
        f = factors * gate
        return f, (rows, c_rows, r, code, c_d, rhat, factors, gate, batch)

    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of f back to the parameters.

        The same lines as `forward`, from the last to the first. Wfx and the image code
        serve twice, so two gradients meet in each.
        """
        p, g = self.params, {}
        rows, c_rows, r, code, c_d, rhat, factors, gate, batch = cache
        dgate = per_sentence(dm * factors, batch)
        g["Wfv"] = code.T @ dgate
        dcode = dgate @ p["Wfv"].T
        dfactors = dm * gate
        dWfx = rhat.T @ dfactors
        drhat = dfactors @ p["Wfx"].T
        dimage = per_sentence(drhat, batch)
        g["M"] = code.T @ dimage
        dcode += dimage @ p["M"].T
        g |= self.image_code_backward(dcode, code, c_d, batch.features, memory)
        g["C"] = r.T @ drhat
        dr = (drhat @ p["C"].T).reshape(len(rows), -1)  # (P n, K)
        g["Wfx"] = dWfx + dr.T @ rows
        g["E1"] = embedding_backward(dr @ p["Wfx"], c_rows, memory("E1"))
        return g

    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word: of `MLBLB`, and "gate" (n, F)."""
        gate = self.image_code(features) @ self.params["Wfv"]
        return {**super().start(features), "gate": gate}

    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences; return f (n, F) and the new state."""
        p = self.params
        words = np.column_stack([tokens, state["words"][:, :-1]])
        r = (p["E1"].take(words, axis=0) @ p["Wfx"].T).reshape(len(words), -1)
        rhat = r @ p["C"] + state["image"]
        return (rhat @ p["Wfx"]) * state["gate"], {**state, "words": words}
