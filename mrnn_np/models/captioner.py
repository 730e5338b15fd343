"""What every captioner with parameters of its own can do once it has its layers.

A captioner ends in the same output layer, whatever is below it:

    m = forward(words before, image)           (P, M)   the model's own
    P(next word) = softmax(m Wo + bo)          (P, V)   here

or, with transposed weight sharing (`tied`), which has no Wo and V M parameters less,

    x = g(m UI)                                (P, E)   back among the word vectors
    P(next word) = softmax(x E1^T + bo)        (P, V)

where x is m itself for a model that predicts word vectors (`predicts_vectors`).

A model is a file of 60 to 200 lines that gives

    config_class                        a `CaptionerConfig` with its sizes
    output_size                         M
    parameters()                        shape and first draw of each, below the softmax
    forward(batch, rng) -> m, cache     all words of a packed batch, for training
    backward(dm, cache, memory)         the same lines from the last to the first
    start(features) -> state            before the first word, one row an image
    advance(tokens, state) -> m, state  one word more, for decoding

and one line in registry.py. Losses, gradients of the output layer, next words, files,
gradient checks and everything above the models follow from these.

Knows: the output layer. Does not know: what is below it, features, files (these are in
parametric.py).
"""

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.decoding.next_words import best_next_plain, best_of_output
from mrnn_np.layers import (
    Buffers,
    log_softmax,
    output_backward,
    output_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import Parameter, constant, normal, zeros
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.models.parametric import Arrays, Memory, ModelConfig, ParametricModel

TIED_SCALE = 1e-3  # of UI at the start


@dataclass(frozen=True)
class CaptionerConfig(ModelConfig):
    """Sizes and choices that all captioners share; see `ModelConfig`."""

    # The output bias starts at the log frequency of every word: the first batches
    # need not learn that "a" is common. False starts it at zero.
    bias_from_counts: bool = field(default=True, kw_only=True)
    # Transposed weight sharing: the word embedding E1 (V, E) is the output matrix too.
    tied: bool = field(default=False, kw_only=True)


class Captioner(NextWordModel, ParametricModel):
    """A model that gives every next word a probability, given an image.

    See `ParametricModel` for how it is made. Its `params` are those of `parameters`,
    and of the output layer "Wo" (M, V) or, when tied, "UI" (M, E) unless m is a word
    vector already; "bo" (V,).
    """

    config: CaptionerConfig
    config_class: type[CaptionerConfig]
    # Whether m is a word vector already: tied weights then need no UI.
    predicts_vectors = False

    # --- what a model gives -----------------------------------------------------

    @property
    @abstractmethod
    def output_size(self) -> int:
        """M, the length of what goes into the output layer."""

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer.

        The word embedding is called "E1", (V, E): where weights are tied, it serves
        twice.
        """

    @abstractmethod
    def forward(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, tuple]:
        """Run all words of a batch up to the output layer.

        Parameters
        ----------
        batch : P tokens; `batch.features` as `standardise` returns them.
        rng : source of the dropout masks, None when not training.

        Returns m (P, M) and the cache.
        """

    @abstractmethod
    def backward(self, dm: np.ndarray, cache: tuple, memory: Memory) -> Arrays:
        """Send the gradient of m back to the parameters below the output layer.

        Parameters
        ----------
        dm : (P, M).
        memory : gives for the name of a parameter an array to write its gradient to:
            for large ones, so that no step need make them anew (layers/buffers.py).
        """

    @abstractmethod
    def start(self, features: np.ndarray) -> Arrays:
        """Return the state before the first word, arrays of one row an image.

        features : (n, D) as `standardise` returns them.
        """

    @abstractmethod
    def advance(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences.

        Parameters
        ----------
        tokens : (n,) integer, the last words (<start> at first).
        state : of `start` or of the word before, n rows.

        Returns m (n, M) of the next word, and the new state.
        """

    def extra_loss(self, cache: tuple) -> float:
        """Return what a model adds to the mean loss of the words, in nats a token.

        Its gradient is part of what `backward` returns. Perplexity, `token_losses` and
        the loss on dev are of words alone; the loss while training has both.

        cache : of `forward`.
        """
        return 0.0

    # --- the output layer -------------------------------------------------------

    def all_parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter, the output layer's last.

        Wo, or UI, starts small, so that the first loss is log V, or the entropy of the
        word frequencies with `bias_from_counts`.
        """
        V, own = len(self.vocabulary), self.parameters()
        bias = zeros(V)
        if self.config.bias_from_counts:
            # <pad> and <start> are never predicted; half a count keeps log finite.
            counts = np.maximum(self.vocabulary.counts, 0.5)
            bias = constant(np.log(counts / counts.sum()))
        if not self.config.tied:
            top = {"Wo": normal(self.output_size, V, 0.01)}
        elif self.predicts_vectors:
            top = {}
        else:
            E = own["E1"].shape[1]
            top = {"UI": normal(self.output_size, E, TIED_SCALE)}
        return {**own, **top, "bo": bias}

    def output_matrix(self) -> np.ndarray:
        """Return the matrix of the output layer: Wo (M, V), or E1 transposed (E, V)."""
        return self.params["E1"].T if self.config.tied else self.params["Wo"]

    def to_output(self, m: np.ndarray) -> tuple[np.ndarray, tuple | None]:
        """Return what is multiplied with the output matrix: m itself without a UI.

            x = g(m UI)     (1504.06692, transposed weight sharing)

        Returns x (P, E), and the cache.
        """
        if "UI" not in self.params:
            return m, None
        x, c_x = stanh_forward(m @ self.params["UI"])
        return x, (m, c_x)

    def from_output(
        self, dx: np.ndarray, cache: tuple | None, memory: Memory
    ) -> tuple[np.ndarray, Arrays]:
        """Return the gradients of m, and of UI if there is one."""
        if cache is None:
            return dx, {}
        m, c_x = cache
        dz = stanh_backward(dx, c_x)
        dUI = np.matmul(m.T, dz, out=memory("UI"))
        return dz @ self.params["UI"].T, {"UI": dUI}

    def loss_terms(self, batch: PackedBatch) -> int:
        """Return P, the number of tokens, over which the loss is a mean."""
        return len(batch.tokens)

    def token_losses(self, batch: PackedBatch) -> np.ndarray:
        """Return -log P(target | words before it, image) of each token, (P,) nats."""
        x, _ = self.to_output(self.forward(batch)[0])
        return output_forward(
            x, self.output_matrix(), self.params["bo"], batch.targets
        )[0]

    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, Arrays]:
        """Return nats per token and its gradient by every parameter.

            loss = (1/P) sum_p -log P(target_p | words before it, image)  + extra_loss

        `mrnn_np.metrics.perplexity` of it is the paper's. The L2 term of its cost is
        added by the trainer (layers/l2.py). Parameters: see `ParametricModel`.
        """
        buffers = buffers or Buffers()
        buffers.next_step()
        p, tied = self.params, self.config.tied

        def memory(name: str) -> np.ndarray:
            return buffers.like(name, p[name])

        m, cache = self.forward(batch, rng)
        x, cache_x = self.to_output(m)
        W, P = self.output_matrix(), len(x)
        logits = buffers.array("logits", (P, W.shape[1]), x.dtype)
        losses, cache_o = output_forward(x, W, p["bo"], batch.targets, logits)
        dx, dW, dbo = output_backward(
            np.full(P, 1 / P, losses.dtype), cache_o, buffers.like("output matrix", W)
        )
        dm, grads = self.from_output(dx, cache_x, memory)
        grads |= self.backward(dm, cache, memory)
        if tied:  # what the input said is in there already
            grads["E1"] += dW.T
        else:
            grads["Wo"] = dW
        grads["bo"] = dbo
        loss = float(losses.mean(dtype=np.float64)) + self.extra_loss(cache)
        return loss, grads

    def step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences.

        Returns
        -------
        log_probs : (n, V) nats, of the next word; and the new state.
        """
        m, state = self.advance(tokens, state)
        x, _ = self.to_output(m)
        return log_softmax(x @ self.output_matrix() + self.params["bo"]), state

    def best_next(
        self, tokens: np.ndarray, state: Arrays, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Arrays]:
        """Do what `best_next_plain` does with `step`, in float32 the fast way."""
        if self.dtype != np.float32:
            return best_next_plain(self, tokens, state, k)
        m, state = self.advance(tokens, state)
        x, _ = self.to_output(m)
        return *best_of_output(x, self.output_matrix(), self.params["bo"], k), state

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return what similar images have similar, (n, F), for a search of neighbours.

        A model that has nothing better gives the standardised features.
        """
        return self.standardise(features)
