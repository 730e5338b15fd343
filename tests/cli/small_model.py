"""A folder with all that a command about a model needs, small enough for every test."""

import numpy as np

from mrnn_np.data import Vocabulary, tokenize
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.models import MRNN, MRNNConfig

TRAINING, SEARCHED = 6, 5


def make(folder, dataset) -> None:
    """Write features of a few scenes, an untrained model, and a picture.

    The files are f.npz, dev_only.npz (features without those of training images),
    model.npz and photo.png.
    """
    training, searched = dataset.split("train"), dataset.split("dev")
    names = training[:TRAINING] + searched[:SEARCHED]
    failed = dict.fromkeys(training[TRAINING:] + searched[SEARCHED:], "left out")
    matrix = SceneFeatures().features(map(dataset.images.open, names))
    extractor = identity(SceneFeatures())
    Features(names, matrix, extractor, "scenes", failed).save(folder / "f.npz")
    Features(names[TRAINING:], matrix[TRAINING:], extractor, "scenes", failed).save(
        folder / "dev_only.npz"
    )
    words = Vocabulary.build(
        [tokenize(text) for name in names for text in dataset.captions[name]], 1
    )
    rng = np.random.default_rng(0)
    config = MRNNConfig(
        image_size=236, embedding_size=6, recurrent_size=6, multimodal_size=8
    )
    model = MRNN(config, words, rng, extractor=extractor)
    model.params["Wo"] = rng.standard_normal(model.params["Wo"].shape, np.float32)
    model.set_feature_statistics(matrix)
    model.save(folder / "model.npz")
    dataset.images.open(searched[2]).save(folder / "photo.png")
