"""From a data set and its features to a model and its examples.

Knows: what may be learned from which split. Does not know: how a model is trained.
"""

import dataclasses
from typing import TypeVar

import numpy as np

from mrnn_np.data import CaptionDataset, Vocabulary, get_tokenizer
from mrnn_np.data.batches import Examples
from mrnn_np.features.identity import region_count
from mrnn_np.features.matrix import Features
from mrnn_np.models.mrnn import MRNN
from mrnn_np.models.parametric import ModelConfig, ParametricModel
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import say
from mrnn_np.training.config import TrainingConfig

Learner = TypeVar("Learner", bound=ParametricModel)
Config = TypeVar("Config", bound=ModelConfig)


def prepare(
    dataset: CaptionDataset,
    features: Features,
    model_config: ModelConfig,
    config: TrainingConfig,
    # A type variable that is not given cannot be inferred: whoever wants to know the
    # class names it.
    model_class: type[Learner] = MRNN,  # type: ignore[assignment]
) -> tuple[Learner, Examples, Examples]:
    """Build a model and its examples from a data set.

    Vocabulary and feature statistics come from the training split alone. Images that
    have no features because they could not be read are left out.

    Parameters
    ----------
    features : `mrnn_np.features.matrix.Features` of the images of both splits.
    model_config : what it says of the features is replaced, see `fitted`.
    config : gives the seed and the vocabulary's threshold.
    model_class : of ``mrnn_np.models.MODELS``; `model_config` is of its
        ``config_class``.

    Returns the model, the training examples and the dev examples.
    """
    tokenize = get_tokenizer(dataset.tokenizer).tokenize
    pairs = {split: list(dataset.sentences(split)) for split in ("train", "dev")}
    vocabulary = Vocabulary.build(
        (tokenize(text) for _, text in pairs["train"]), config.threshold
    )
    names = {
        split: [n for n in dataset.split(split) if n not in features.failed]
        for split in pairs
    }
    matrix = {split: features.rows(names[split]) for split in pairs}
    model_config = fitted(model_config, features)
    model = model_class(
        model_config,
        vocabulary,
        np.random.default_rng(config.seed),
        tokenizer=dataset.tokenizer,
        extractor=features.extractor,
    )
    model.set_feature_statistics(matrix["train"])
    train, dev = (
        model.examples(
            [pair for pair in pairs[split] if pair[0] not in features.failed],
            names[split],
            matrix[split],
        )
        for split in ("train", "dev")
    )
    return model, train, dev


def fitted(config: Config, features: Features) -> Config:
    """Return the config with `image_size`, and `regions` if it has it, of the features.

    A line on stderr says what becomes of regions. A model without that field sees them
    all the same: their numbers are one long row to it.

    Raises
    ------
    InputError : the config asks for another number of regions than the features have.
    """
    facts, regions = {"image_size": features.size}, region_count(features.extractor)
    asked = getattr(config, "regions", None)
    if asked is not None:
        facts["regions"] = regions
        if asked not in (1, regions):  # 1 is what stands there when nobody asks
            raise InputError(
                f"regions = {asked}, but {features.source or 'the features'} have "
                f"{regions} an image: leave `regions` out of the config, or compute "
                "other features"
            )
    if regions > 1:
        each = features.size // regions
        what = f"{regions} regions of {each} numbers an image"
        if asked is None:
            what += f": to this model they are one row of {features.size}"
        say(what)
    return dataclasses.replace(config, **facts)
