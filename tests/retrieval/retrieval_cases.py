"""A small model with random weights, and sentences that share prefixes."""

import numpy as np

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import MRNN, MRNNConfig

WORDS = "abcdefgh"
FIRST_WORD = len(SPECIALS)


def small_model(seed: int = 0, dtype=np.float32) -> MRNN:
    """An MRNN whose words really depend on the image: weights far from zero."""
    rng = np.random.default_rng(seed)
    vocabulary = Vocabulary([*SPECIALS, *WORDS], np.arange(len(SPECIALS) + len(WORDS)))
    config = MRNNConfig(
        image_size=5, embedding_size=4, recurrent_size=6, multimodal_size=7
    )
    model = MRNN(config, vocabulary, rng, dtype)
    model.params["Wo"] = rng.standard_normal(model.params["Wo"].shape).astype(dtype)
    model.set_feature_statistics(rng.standard_normal((20, 5)).astype(dtype))
    return model


def some_sentences(rng, count: int, longest: int = 6) -> list[list[int]]:
    """Sentences of few words, so that many begin alike and some are equal."""
    return [
        rng.integers(FIRST_WORD, FIRST_WORD + 3, rng.integers(1, longest + 1)).tolist()
        for _ in range(count)
    ]


def as_text(sentence: list[int]) -> str:
    return " ".join(WORDS[word - FIRST_WORD] for word in sentence)
