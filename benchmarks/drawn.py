"""Inputs for the benchmarks, made up: they need no data set.

Features are drawn with the mean and deviation of the training images, and sentences are
sampled from the model: they are as long and begin as alike as people's.
"""

import io

import numpy as np
from PIL import Image

from mrnn_np.data.batches import pack
from mrnn_np.data.vocabulary import SPECIALS, Vocabulary
from mrnn_np.features.extraction import load_once
from mrnn_np.models.mrnn import MRNN, MRNNConfig

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


def training_case(V=2540, N=100, T=11, E1=128, R=256, M=512, D=1280, dropout=0.5):
    """Return an untrained m-RNN of these sizes, and a batch of N sentences of T words.

    Sentences of one length let each size be doubled without changing another.
    """
    rng = np.random.default_rng(0)
    words = [*SPECIALS, *(f"w{i}" for i in range(V - len(SPECIALS)))]
    names = ("embedding", "recurrent", "image", "multimodal")
    drops = {f"dropout_{name}": dropout for name in names}
    config = MRNNConfig(D, E1, R, M, bias_from_counts=False, **drops)
    model = MRNN(config, Vocabulary(words, np.ones(V, int)), rng)
    zipf = 1 / np.arange(1, V - len(SPECIALS) + 1)
    ids = len(SPECIALS) + rng.choice(len(zipf), (N, T - 1), p=zipf / zipf.sum())
    return model, pack(ids, rng.standard_normal((N, D), np.float32))


def photograph(seed: int = 0, side: tuple[int, int] = (500, 375)) -> bytes:
    """Return a JPEG file with the smooth shapes of a photograph."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    file = io.BytesIO()
    smooth = Image.fromarray(coarse).resize(side, Image.Resampling.BICUBIC)
    smooth.save(file, "JPEG")
    return file.getvalue()


def describe(cnn: str, files: list[bytes]) -> np.ndarray:
    """Return the features of JPEG files; a process loads the network once."""
    pictures = (Image.open(io.BytesIO(file)) for file in files)
    return load_once(cnn).features(pictures)
