"""A small model, examples it can learn, and what makes two runs the same."""

import numpy as np

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.data.batches import Examples
from mrnn_np.models import MRNN, MRNNConfig, load_model
from mrnn_np.training import TrainingConfig

SMALL = {
    "image_size": 6,
    "embedding_size": 8,
    "recurrent_size": 16,
    "multimodal_size": 16,
}
WORDS = [*SPECIALS, *(f"w{i}" for i in range(12))]


def make_model(seed=0, **choices) -> MRNN:
    vocabulary = Vocabulary(WORDS, np.ones(16, int))
    config = MRNNConfig(**SMALL, **choices)
    return MRNN(config, vocabulary, np.random.default_rng(seed))


def make_examples(count=60, seed=0) -> Examples:
    """Sentences that follow from the image: its largest entry names the words."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 6)).astype(np.float32)
    largest = features.argmax(axis=1)
    sentences = [[4 + k] * (1 + k % 3) + [10 + k] for k in largest]
    return Examples(sentences, np.arange(count), features)


def config(**choices) -> TrainingConfig:
    return TrainingConfig(
        **{"epochs": 3, "batch_size": 8, "learning_rate": 0.01, **choices}
    )


def params_equal(one, two) -> bool:
    return all(np.array_equal(one[name], two[name]) for name in one)


def without_time(log) -> list[dict]:
    return [
        {key: value for key, value in entry.items() if key != "seconds"}
        for entry in log
    ]


def folders_equal(one, two) -> bool:
    """Whether both runs keep the same parameters."""
    return all(
        params_equal(load_model(one / file).params, load_model(two / file).params)
        for file in ("best.npz", "last.npz")
    )
