"""What every captioner with parameters of its own can do once it has its layers.

A captioner ends in the same output layer, whatever is below it:

    m = forward(words before, image)           (P, M)   the model's own
    P(next word) = softmax(m Wo + bo)          (P, V)   here

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
from mrnn_np.layers import Buffers, log_softmax, output_backward, output_forward
from mrnn_np.layers.parameters import Parameter, constant, normal, zeros
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.models.parametric import Arrays, Memory, ModelConfig, ParametricModel


@dataclass(frozen=True)
class CaptionerConfig(ModelConfig):
    """Sizes and choices that all captioners share; see `ModelConfig`."""

    # The output bias starts at the log frequency of every word: the first batches
    # need not learn that "a" is common. False starts it at zero.
    bias_from_counts: bool = field(default=True, kw_only=True)


class Captioner(NextWordModel, ParametricModel):
    """A model that gives every next word a probability, given an image.

    See `ParametricModel` for how it is made. Its `params` are those of `parameters`,
    and of the output layer "Wo" (M, V), "bo" (V,).
    """

    config_class: type[CaptionerConfig]

    # --- what a model gives -----------------------------------------------------

    @property
    @abstractmethod
    def output_size(self) -> int:
        """M, the length of what goes into the output layer."""

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter below the output layer."""

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

    # --- the output layer -------------------------------------------------------

    def all_parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter, the output layer's last.

        Wo starts small, so that the first loss is log V, or the entropy of the word
        frequencies with `bias_from_counts`.
        """
        V = len(self.vocabulary)
        bias = zeros(V)
        if self.config.bias_from_counts:
            # <pad> and <start> are never predicted; half a count keeps log finite.
            counts = np.maximum(self.vocabulary.counts, 0.5)
            bias = constant(np.log(counts / counts.sum()))
        return {**self.parameters(), **self.output_parameters(), "bo": bias}

    def output_parameters(self) -> dict[str, Parameter]:
        """Return the parameters that `output_matrix` is made of.

        The three methods from here are the hook for a model whose output matrix is made
        of others of its parameters, as transposed weight sharing does.
        """
        return {"Wo": normal(self.output_size, len(self.vocabulary), 0.01)}

    def output_matrix(self) -> np.ndarray:
        """Return the matrix of the output layer, (M, V)."""
        return self.params["Wo"]

    def add_output_gradient(self, dW: np.ndarray, grads: Arrays) -> None:
        """Add the gradient by the output matrix to those of what it is made of."""
        grads["Wo"] = dW

    def loss_terms(self, batch: PackedBatch) -> int:
        """Return P, the number of tokens, over which the loss is a mean."""
        return len(batch.tokens)

    def token_losses(self, batch: PackedBatch) -> np.ndarray:
        """Return -log P(target | words before it, image) of each token, (P,) nats."""
        m, _ = self.forward(batch)
        return output_forward(
            m, self.output_matrix(), self.params["bo"], batch.targets
        )[0]

    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, Arrays]:
        """Return nats per token and its gradient by every parameter.

            loss = (1/P) sum_p -log P(target_p | words before it, image)

        `mrnn_np.metrics.perplexity` of it is the paper's. The L2 term of its cost is
        added by the trainer (layers/l2.py). Parameters: see `ParametricModel`.
        """
        buffers = buffers or Buffers()
        buffers.next_step()
        m, cache = self.forward(batch, rng)
        W, P = self.output_matrix(), len(m)
        logits = buffers.array("logits", (P, W.shape[1]), m.dtype)
        losses, cache_o = output_forward(m, W, self.params["bo"], batch.targets, logits)
        dm, dW, dbo = output_backward(
            np.full(P, 1 / P, losses.dtype),
            cache_o,
            buffers.like("output matrix", W),
        )
        grads = self.backward(
            dm, cache, lambda name: buffers.like(name, self.params[name])
        )
        grads["bo"] = dbo
        self.add_output_gradient(dW, grads)
        return float(losses.mean(dtype=np.float64)), grads

    def step(self, tokens: np.ndarray, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Feed one word to each of n sentences.

        Returns
        -------
        log_probs : (n, V) nats, of the next word; and the new state.
        """
        m, state = self.advance(tokens, state)
        return log_softmax(m @ self.output_matrix() + self.params["bo"]), state

    def best_next(
        self, tokens: np.ndarray, state: Arrays, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Arrays]:
        """Do what `best_next_plain` does with `step`, in float32 the fast way."""
        if self.dtype != np.float32:
            return best_next_plain(self, tokens, state, k)
        m, state = self.advance(tokens, state)
        return *best_of_output(m, self.output_matrix(), self.params["bo"], k), state

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return what similar images have similar, (n, F), for a search of neighbours.

        A model that has nothing better gives the standardised features.
        """
        return self.standardise(features)
