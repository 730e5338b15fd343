"""What a training run learns from, as a few hashes: is it still the same?

A run that goes on with other features or sentences mixes two trainings, and compares
the losses on different dev sets. Nothing of it would look wrong.

Knows: everything besides the configs that the result depends on. Does not know: where
it comes from.
"""

import numpy as np

from mrnn_np.data.batches import Examples
from mrnn_np.models.parametric import ParametricModel
from mrnn_np.runtime.storage import content_hash


def fingerprints(
    model: ParametricModel, train: Examples, dev: Examples
) -> dict[str, str]:
    """Return a hash (64 hex digits) of each input, under the name a message gives it.

    SHA-256 reads the 7,000 x 3,104 features of Flickr8k, 87 MB, in 0.1 s.

    Parameters
    ----------
    model : of which the CNN and the feature statistics count; its parameters do not.
    train, dev : see `Model.examples`. Words, images and features count, with their
        order.
    """
    statistics = {"mean": model.feature_mean, "scale": model.feature_scale}
    found = {
        "CNN": content_hash({"extractor": model.extractor}, {}),
        "feature statistics": content_hash({}, statistics),
    }
    for split, examples in (("training", train), ("dev", dev)):
        sentences = {
            "words": np.array([i for ids in examples.sentences for i in ids], np.int64),
            "lengths": examples.lengths(),
            "image": np.asarray(examples.image, np.int64),
        }
        found[f"{split} sentences"] = content_hash({}, sentences)
        features = {"features": examples.features}
        found[f"{split} features"] = content_hash({}, features)
    return found
