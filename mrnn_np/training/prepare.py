"""From a data set and its features to a model and its examples.

Knows: what may be learned from which split. Does not know: how a model is trained.
"""

import dataclasses
from typing import TypeVar

import numpy as np

from mrnn_np.data import CaptionDataset, Vocabulary, get_tokenizer
from mrnn_np.data.batches import Examples
from mrnn_np.features.matrix import Features
from mrnn_np.models.mrnn import MRNN
from mrnn_np.models.parametric import ModelConfig, ParametricModel
from mrnn_np.training.config import TrainingConfig

Learner = TypeVar("Learner", bound=ParametricModel)


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
    model_config : its `image_size` is replaced by that of the features.
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
    model_config = dataclasses.replace(
        model_config, image_size=matrix["train"].shape[1]
    )
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
