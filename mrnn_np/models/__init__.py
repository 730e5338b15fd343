"""Captioning models: each owns its parameters and composes layers.

`next_word.py` is what follows from next-word probabilities (scoring, describing),
`base.py` what a network with parameters adds (gradients, files), a model adds how its
layers hang together, and an `Ensemble` lets several of them vote. `load_model` reads
any of them from a checkpoint.
"""

from mrnn_np.models.base import Captioner
from mrnn_np.models.checkpoint import load_model, shipped_models
from mrnn_np.models.ensemble import Ensemble
from mrnn_np.models.mrnn import MRNN, MRNNConfig

__all__ = [
    "MRNN",
    "Captioner",
    "Ensemble",
    "MRNNConfig",
    "load_model",
    "shipped_models",
]
