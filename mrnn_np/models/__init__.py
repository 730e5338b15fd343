"""Captioning models: each owns its parameters and composes layers.

`base.py` is what every captioner can do (score, caption, save); a model adds how its
layers hang together. `load_model` reads any of them from a checkpoint.
"""

from mrnn_np.models.base import Captioner
from mrnn_np.models.checkpoint import load_model, shipped_models
from mrnn_np.models.mrnn import MRNN, MRNNConfig

__all__ = ["MRNN", "Captioner", "MRNNConfig", "load_model", "shipped_models"]
