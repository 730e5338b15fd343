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

Knows: parameters, feature statistics, the output layer. Does not know: what is below.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.data.vocabulary import Vocabulary
from mrnn_np.decoding.next_words import best_next_plain, best_of_output
from mrnn_np.layers import Buffers, log_softmax, output_backward, output_forward
from mrnn_np.layers.parameters import Parameter, constant, draw, normal, zeros
from mrnn_np.models.checkpoint import save_model
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.fields import check_fields
from mrnn_np.runtime.storage import content_hash

# Four bytes each, and training needs them five times: for gradients, for Adam's two
# means and for the best so far. The shipped model has 3.5 million.
MOST_PARAMETERS = 1 << 30
Arrays = dict[str, np.ndarray]
# Gives a model an array like one of its parameters, to write the gradient to.
Memory = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class CaptionerConfig:
    """Sizes and choices that all captioners share.

    A field whose name ends in ``_size`` is a positive integer, one that begins with
    ``dropout_`` a share in [0, 1).
    """

    image_size: int = 1280  # D; set from the features when a model is trained
    # The output bias starts at the log frequency of every word: the first batches
    # need not learn that "a" is common. False starts it at zero.
    bias_from_counts: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        check_fields(self)
        for one in dataclasses.fields(self):
            name, value = one.name, getattr(self, one.name)
            if name.endswith("_size") and value < 1:
                raise InputError(f"{name} must be a positive integer, not {value}")
            if name.startswith("dropout_") and not 0 <= value < 1:
                raise InputError(f"{name} must be in [0, 1), not {value}")


class Captioner(NextWordModel, ABC):
    """A model that gives every next word a probability, given an image.

    Parameters
    ----------
    config : sizes and choices.
    vocabulary : the V words.
    rng : source of the first parameters; a Generator of seed 0 when left out.
    dtype : float32 to train and run, float64 to check gradients.
    tokenizer : name of the tokenizer its sentences went through.
    extractor : dict naming the CNN of its features (name, sha256, preprocessing), or
        None when that is not known.
    params : parameters that are there already; drawn when left out.

    Attributes
    ----------
    config, vocabulary, dtype, tokenizer, extractor : as given.
    params : dict, name -> array; those of `parameters`, and "Wo" (M, V), "bo" (V,).
    feature_mean, feature_scale : (D,); the model works on (features - mean) / scale.
    """

    config_class: type[CaptionerConfig]

    def __init__(
        self,
        config: CaptionerConfig,
        vocabulary: Vocabulary,
        rng: np.random.Generator | None = None,
        dtype=np.float32,
        tokenizer: str = "english",
        extractor: Mapping | None = None,
        params: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self.dtype = np.dtype(dtype)
        self.tokenizer = tokenizer
        self.extractor = extractor
        if params is None:
            table = self.all_parameters()
            count = sum(math.prod(parameter.shape) for parameter in table.values())
            if count > MOST_PARAMETERS:
                raise InputError(
                    f"a model of {count:.1e} parameters, at most {MOST_PARAMETERS:.1e} "
                    "are possible: choose smaller sizes"
                )
        self.feature_mean = np.zeros(config.image_size, self.dtype)
        self.feature_scale = np.ones(config.image_size, self.dtype)
        if params is None:
            params = draw(table, rng or np.random.default_rng(0))
        self.params = {
            name: np.ascontiguousarray(value, self.dtype)
            for name, value in params.items()
        }

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

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a unit comes to a kink, where there is no gradient to check.

        With the dropout masks that `forward` draws from such a generator. A model of
        smooth layers has no kink.
        """
        return np.inf

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

        Base 2 to the power of loss / ln 2 is the paper's perplexity. The L2 term of
        its cost is added by the trainer (layers/l2.py).

        Parameters
        ----------
        batch : see data/batches.py; features as `standardise` returns them.
        rng : source of dropout masks; None switches dropout off.
        buffers : keeps large arrays for the next call with the same `Buffers`, which
            overwrites the gradients of this one; None makes new arrays.
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

    # --- features and files -----------------------------------------------------

    def set_feature_statistics(self, features: np.ndarray) -> None:
        """Take mean and deviation of each feature from the training images.

        A feature that never varies keeps the scale 1.
        """
        self.feature_mean = features.mean(axis=0, dtype=np.float64).astype(self.dtype)
        scale = features.std(axis=0, dtype=np.float64)
        scale[scale < 1e-6] = 1
        self.feature_scale = scale.astype(self.dtype)

    def standardise(self, features: np.ndarray) -> np.ndarray:
        """Return (features - mean) / scale, (n, D), in the model's dtype.

        Raises
        ------
        InputError : not a matrix of D columns, or not finite.
        """
        with np.errstate(over="ignore"):  # float64 may be too large
            features = np.asarray(features, self.dtype)
        D = self.config.image_size
        if features.ndim != 2 or features.shape[1] != D:
            raise InputError(
                f"image features of shape {features.shape}, the model expects (n, {D})"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            standard = (features - self.feature_mean) / self.feature_scale
        finite = np.isfinite(standard).all(axis=1)
        if not finite.all():
            raise InputError(
                f"image features hold NaN or infinity in row {int(np.argmin(finite))} "
                f"of {len(features)}"
            )
        return standard

    def fingerprint(self) -> str:
        """Return a hash of class, config, words, CNN, statistics and parameters."""
        cls = type(self)
        described = {
            "model": f"{cls.__module__}.{cls.__qualname__}",
            "config": dataclasses.asdict(self.config),
            "vocabulary": self.vocabulary.to_dict(),
            "tokenizer": self.tokenizer,
            "extractor": self.extractor and dict(self.extractor),
            "dtype": self.dtype.name,
        }
        arrays = {f"params/{name}": value for name, value in self.params.items()}
        arrays["feature_mean"] = self.feature_mean
        arrays["feature_scale"] = self.feature_scale
        return content_hash(described, arrays)

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return what similar images have similar, (n, F), for a search of neighbours.

        A model that has nothing better gives the standardised features.
        """
        return self.standardise(features)

    def save(self, path: str | Path, half: bool = False, training=None) -> None:
        """Write a checkpoint; see `mrnn_np.models.checkpoint.save_model`."""
        save_model(self, path, half=half, training=training)
