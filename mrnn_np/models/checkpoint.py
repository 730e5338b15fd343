"""Models to and from files.

A checkpoint is one `.npz` (runtime/storage.py) whose header holds everything that
gives the arrays a meaning: the class of the model, its config, the vocabulary, the
tokenizer and the CNN its features came from. A training run adds its own state to the
same file; a released model leaves it out and stores float16.

Knows: the layout of a checkpoint. Does not know: what training state means.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from mrnn_np.data.tokenizer import get_tokenizer
from mrnn_np.data.vocabulary import Vocabulary
from mrnn_np.features.identity import check_identity
from mrnn_np.models.registry import model_class, model_name
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import load_arrays, save_arrays, weights_folder
from mrnn_np.runtime.untrusted import take
from mrnn_np.runtime.untrusted_arrays import array_of

if TYPE_CHECKING:  # parametric.py imports this file to save itself
    from mrnn_np.models.parametric import ParametricModel

LARGEST_HALF = np.finfo(np.float16).max


def save_model(
    model: "ParametricModel",
    path: str | Path,
    half: bool = False,
    training: tuple[dict, dict[str, np.ndarray]] | None = None,
) -> None:
    """Write a model to one file, atomically.

    Parameters
    ----------
    half : store float16: half the size, for a release.
    training : (what JSON can hold, arrays) of a training run, to resume it.
    """
    header = {
        "model": model_name(type(model)),
        "config": dataclasses.asdict(model.config),
        "vocabulary": model.vocabulary.to_dict(),
        "tokenizer": model.tokenizer,
        "extractor": model.extractor,
    }
    dtype = np.float16 if half else model.dtype
    arrays = {f"params/{name}": value for name, value in model.params.items()}
    if half:
        for name, value in arrays.items():
            if np.abs(value).max() > LARGEST_HALF:
                raise InputError(f"{path}: {name} does not fit into float16")
    arrays = {name: value.astype(dtype) for name, value in arrays.items()}
    arrays["feature_mean"] = model.feature_mean
    arrays["feature_scale"] = model.feature_scale
    if training is not None:
        header["training"], state = training
        arrays.update({f"training/{name}": value for name, value in state.items()})
    save_arrays(path, "checkpoint", header, arrays)


def read_checkpoint(
    path: str | Path, dtype: DTypeLike = np.float32
) -> "tuple[ParametricModel, dict, dict]":
    """Return the model of a file, with its training header and arrays (or empty).

    Raises
    ------
    InputError : see `load_arrays`; or something in it that does not fit together.
    """
    header, arrays = load_arrays(path, "checkpoint")
    training = take(header, "training", dict, path) if "training" in header else {}
    try:
        model = _build(header, arrays, np.dtype(dtype))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    state = {
        key.removeprefix("training/"): value
        for key, value in arrays.items()
        if key.startswith("training/")
    }
    return model, training, state


def _build(header: dict, arrays: dict, dtype: np.dtype) -> "ParametricModel":
    """Make the model that a header describes, and give it its arrays.

    What the header declares is compared with the arrays before anything of that size
    is made: a few bytes of JSON can ask for any number of features.
    """
    name = take(header, "model", str, "checkpoint")
    cls = model_class(name)
    try:
        config = cls.config_class(**take(header, "config", dict, "checkpoint"))
    except TypeError as error:
        raise InputError(f"config not understood: {error}") from error
    vocabulary = Vocabulary.from_dict(take(header, "vocabulary", dict, "checkpoint"))
    extractor = header.get("extractor")
    if extractor is not None:
        check_identity(extractor, "extractor")

    def number_array(key: str, shape: tuple[int, ...]) -> np.ndarray:
        array = array_of(arrays, key, "f", shape, "checkpoint")
        with np.errstate(over="ignore"):  # float64 may be too large for float32
            array = np.ascontiguousarray(array, dtype)
        if not np.isfinite(array).all():
            raise InputError(f"{key} holds NaN or infinity")
        return array

    mean = number_array("feature_mean", (config.image_size,))
    scale = number_array("feature_scale", (config.image_size,))
    if not scale.min() > 0:
        raise InputError("feature_scale holds a number that is not above 0")
    model = cls(
        config,
        vocabulary,
        dtype=dtype,
        tokenizer=get_tokenizer(take(header, "tokenizer", str, "checkpoint")).name,
        extractor=extractor,
        # Drawing 3 million numbers to throw them away took 5 % of `mrnn-np caption`.
        params={},
    )
    model.feature_mean, model.feature_scale = mean, scale
    for key, parameter in model.all_parameters().items():
        model.params[key] = number_array(f"params/{key}", parameter.shape)
    return model


def shipped_models() -> list[str]:
    """Return the names of the models that come with the project."""
    cards = (path.stem for path in weights_folder().glob("*.npz"))
    return sorted(cards)


def load_model(name: str | Path, dtype: DTypeLike = np.float32) -> "ParametricModel":
    """Load a shipped model by its name, or any checkpoint by its path.

    Raises
    ------
    InputError : no such file, or one that cannot be used.
    """
    shipped = weights_folder() / f"{name}.npz"
    if str(name) in shipped_models():
        return read_checkpoint(shipped, dtype)[0]
    if not Path(name).is_file():
        raise InputError(
            f"{name}: no such checkpoint (a path, or one of the shipped models: "
            f"{', '.join(shipped_models()) or 'none'})"
        )
    return read_checkpoint(name, dtype)[0]
