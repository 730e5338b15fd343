"""Inputs for the benchmarks that need no data set: the shipped model makes them up.

Features are drawn with the mean and deviation of the training images, and sentences are
sampled from the model: they are as long and begin as alike as people's.
"""

import numpy as np

SENTENCES_AN_IMAGE = 5


def features(model, count: int, seed: int = 0) -> np.ndarray:
    """Return (count, D) float32."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((count, len(model.feature_mean)))
    return (model.feature_mean + model.feature_scale * noise).astype(np.float32)


def sentences(model, images: int, each: int = SENTENCES_AN_IMAGE) -> list[list[str]]:
    """Return `each` sentences, of words joined by spaces, for every image."""
    drawn = model.sample(
        np.repeat(features(model, images), each, axis=0), np.random.default_rng(1)
    )
    texts = [" ".join(caption.tokens) or "a" for caption in drawn]
    return [texts[i : i + each] for i in range(0, len(texts), each)]
