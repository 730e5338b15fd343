"""Captioning models: each owns its parameters and composes layers.

`next_word.py` is what follows from next-word probabilities (scoring, describing),
`captioner.py` what a network with parameters adds (the output layer, gradients, files),
`multimodal.py` what follows when the image joins last. A model, mrnn.py, adds how its
layers hang together; registry.py knows all of them by name. An `Ensemble` averages what
several say, a `Ranker` scores pairs and cannot speak. `load_model` reads any of them
from a checkpoint.

Names are loaded when first used, so that the registry costs no import of Numba.
"""

import importlib

_HOME = {
    "Captioner": "captioner",
    "CaptionerConfig": "captioner",
    "Ensemble": "ensemble",
    "MODELS": "registry",
    "MRNN": "mrnn",
    "MRNNConfig": "mrnn",
    "MultimodalCaptioner": "multimodal",
    "Ranker": "ranker",
    "load_model": "checkpoint",
    "model_class": "registry",
    "shipped_models": "checkpoint",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"mrnn_np.models.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mrnn_np.models' has no attribute {name!r}")
