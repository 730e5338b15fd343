"""What every captioner with parameters of its own can do once it has its layers.

A model adds `param_shapes`, `initial_params`, `forward`, `backward`, `start`, `step`.
What it can do with a trained network, scoring and describing, is in `next_word.py`.

Knows: parameters, feature statistics, gradients. Does not know: any model's layers.
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.data.vocabulary import Vocabulary
from mrnn_np.errors import InputError
from mrnn_np.layers import Buffers
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.storage import content_hash

# Four bytes each, and training needs them five times: for gradients, for Adam's two
# means and for the best so far. The shipped model has 3.5 million.
MOST_PARAMETERS = 1 << 30


class Captioner(NextWordModel):
    """A model that gives every next word a probability, given an image.

    Attributes
    ----------
    config, vocabulary, params, dtype : see the model.
    tokenizer : name of the tokenizer its sentences went through.
    extractor : dict naming the CNN of its features (name, sha256, preprocessing), or
        None when that is not known.
    feature_mean, feature_scale : (D,); the model works on (features - mean) / scale.
    """

    config_class: type

    def __init__(
        self,
        config,
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
            count = sum(map(math.prod, self.param_shapes().values()))
            if count > MOST_PARAMETERS:
                raise InputError(
                    f"a model of {count:.1e} parameters, at most {MOST_PARAMETERS:.1e} "
                    "are possible: choose smaller sizes"
                )
        self.feature_mean = np.zeros(config.image_size, self.dtype)
        self.feature_scale = np.ones(config.image_size, self.dtype)
        if params is None:
            params = self.initial_params(rng or np.random.default_rng(0))
        self.params = {
            name: np.ascontiguousarray(value, self.dtype)
            for name, value in params.items()
        }

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

    def token_losses(self, batch: PackedBatch) -> np.ndarray:
        """Return -log P(target | words before it, image) of each token, (P,) nats."""
        return self.forward(batch, None, Buffers())[0]

    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, dict[str, np.ndarray]]:
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
        losses, cache = self.forward(batch, rng, buffers)
        P = len(losses)
        grads = self.backward(np.full(P, 1 / P, losses.dtype), cache, buffers)
        return float(losses.mean(dtype=np.float64)), grads

    def save(self, path: str | Path, half: bool = False, training=None) -> None:
        """Write a checkpoint; see `mrnn_np.models.checkpoint.save_model`."""
        from mrnn_np.models.checkpoint import save_model

        save_model(self, path, half=half, training=training)
