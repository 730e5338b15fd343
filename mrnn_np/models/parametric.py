"""What captioners and rankers share: parameters, feature statistics, files.

A model that learns is a table of parameters with their first draws, a loss of a batch
with its gradients, and the mean and deviation of the features that it learned from.
Everything that trains, stores or checks a model needs no more of it than stands here.

Knows: parameters, feature statistics. Does not know: layers, losses, words to come.
"""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from mrnn_np.data.batches import Examples, PackedBatch
from mrnn_np.data.vocabulary import Vocabulary
from mrnn_np.layers import Buffers
from mrnn_np.layers.parameters import Parameter, draw, normal
from mrnn_np.models.checkpoint import save_model
from mrnn_np.models.model import Model
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.fields import check_fields
from mrnn_np.runtime.storage import content_hash

# Four bytes each, and training needs them five times: for gradients, for Adam's two
# means and for the best so far. The shipped model has 3.5 million.
MOST_PARAMETERS = 1 << 30
IMAGE_LENGTH = 8.0  # of standardised features, see `ParametricModel.image_gain`
Arrays = dict[str, np.ndarray]
# Gives a model an array like one of its parameters, to write the gradient to.
Memory = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and choices that all models share.

    A field whose name ends in ``_size`` is a positive integer, one that begins with
    ``dropout_`` a share in [0, 1).
    """

    image_size: int = 1280  # D; set from the features when a model is trained

    def __post_init__(self) -> None:
        check_fields(self)
        for one in dataclasses.fields(self):
            name, value = one.name, getattr(self, one.name)
            if name.endswith("_size") and value < 1:
                raise InputError(f"{name} must be a positive integer, not {value}")
            if name.startswith("dropout_") and not 0 <= value < 1:
                raise InputError(f"{name} must be in [0, 1), not {value}")


class ParametricModel(Model, ABC):
    """A model with parameters of its own.

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
    params : dict, name -> array; those of `all_parameters`.
    feature_mean, feature_scale : (D,); the model works on (features - mean) / scale.
    """

    config_class: type[ModelConfig]

    def __init__(
        self,
        config: ModelConfig,
        vocabulary: Vocabulary,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
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

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter of its own."""

    @abstractmethod
    def loss_and_grads(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None = None,
        buffers: Buffers | None = None,
    ) -> tuple[float, Arrays]:
        """Return the mean loss of a batch and its gradient by every parameter.

        Parameters
        ----------
        batch : see data/batches.py; features as `standardise` returns them.
        rng : source of dropout masks; None switches dropout off.
        buffers : keeps large arrays for the next call with the same `Buffers`, which
            overwrites the gradients of this one; None makes new arrays.
        """

    @abstractmethod
    def loss_terms(self, batch: PackedBatch) -> int:
        """Return how many terms the loss of a batch is the mean of."""

    @abstractmethod
    def mean_loss(self, examples: Examples, label: str = "") -> float:
        """Return the mean loss over all examples, by which epochs are compared.

        label : shows progress under this name when given.
        """

    def all_parameters(self) -> dict[str, Parameter]:
        """Return the table that is drawn, trained and stored."""
        return self.parameters()

    def distance_to_kink(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> float:
        """Return how near a unit comes to a kink, where there is no gradient to check.

        With the dropout masks that `loss_and_grads` draws from such a generator. A
        model of smooth layers has no kink.
        """
        return np.inf

    # --- features and files -----------------------------------------------------

    @property
    def image_rows(self) -> int:
        """How many features of an image meet a matrix together: all D of them."""
        return self.config.image_size

    @property
    def image_gain(self) -> float:
        """What standardised features are multiplied by: min(1, 8 / sqrt(D)).

        Adam moves every weight by about the learning rate, however small its gradient.
        What the image adds to a layer is a sum over D features, so it moves the faster
        the more there are, and overfits to the training images. A feature vector of D
        numbers of variance 1 is sqrt(D) long; here it is never longer than 8, and
        weights start larger in turn (`image_matrix`). With the m-RNN on Flickr8k dev
        and 3,104 features, perplexity after five epochs was 20.17 without this, 19.28
        with a length of 22, 19.03 with 8; 3 learned more slowly.

        D stands for `image_rows`.
        """
        return min(1.0, IMAGE_LENGTH / self.image_rows**0.5)

    def image_matrix(self, columns: int) -> Parameter:
        """Return a matrix for the features of an image, (image_rows, columns).

        What it gives begins with variance 1.
        """
        rows = self.image_rows
        return normal(rows, columns, rows**-0.5 / self.image_gain)

    def set_feature_statistics(self, features: np.ndarray) -> None:
        """Take mean and deviation of each feature from the training images.

        A feature that never varies has the deviation 1. The scale includes
        `image_gain`; a checkpoint keeps it, so the gain is asked for only here.
        """
        self.feature_mean = features.mean(axis=0, dtype=np.float64).astype(self.dtype)
        scale = features.std(axis=0, dtype=np.float64)
        scale[scale < 1e-6] = 1
        self.feature_scale = scale.astype(self.dtype)
        self.feature_scale /= self.dtype.type(self.image_gain)

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

    def save(
        self,
        path: str | Path,
        half: bool = False,
        training: tuple[dict, Arrays] | None = None,
    ) -> None:
        """Write a checkpoint; see `mrnn_np.models.checkpoint.save_model`."""
        save_model(self, path, half=half, training=training)
