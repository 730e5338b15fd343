"""Models of images and sentences: each owns its parameters and composes layers.

    Model               words and image features
      NextWordModel     ... and the probability of every next word: it can speak
        Ensemble        the mean of several
      ParametricModel   ... and parameters, which are trained and stored
        Captioner       both of these: a NextWordModel with parameters
          MultimodalCaptioner   whose image joins last, such as MRNN
        Ranker          scores pairs of image and sentence, and cannot speak

A model, such as mrnn.py, adds how its layers hang together; registry.py knows all of
them by name. `load_model` reads any of them from a checkpoint.

Names are loaded when first used, so that the registry costs no import of Numba.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers and editors
    from mrnn_np.models.captioner import Captioner as Captioner
    from mrnn_np.models.captioner import CaptionerConfig as CaptionerConfig
    from mrnn_np.models.checkpoint import load_model as load_model
    from mrnn_np.models.checkpoint import shipped_models as shipped_models
    from mrnn_np.models.ensemble import Ensemble as Ensemble
    from mrnn_np.models.model import Model as Model
    from mrnn_np.models.mrnn import MRNN as MRNN
    from mrnn_np.models.mrnn import MRNNConfig as MRNNConfig
    from mrnn_np.models.multimodal import MultimodalCaptioner as MultimodalCaptioner
    from mrnn_np.models.next_word import NextWordModel as NextWordModel
    from mrnn_np.models.next_word import must_speak as must_speak
    from mrnn_np.models.parametric import ModelConfig as ModelConfig
    from mrnn_np.models.parametric import ParametricModel as ParametricModel
    from mrnn_np.models.ranker import Ranker as Ranker
    from mrnn_np.models.registry import MODELS as MODELS
    from mrnn_np.models.registry import model_class as model_class

_HOME = {
    "Captioner": "captioner",
    "CaptionerConfig": "captioner",
    "Ensemble": "ensemble",
    "MODELS": "registry",
    "MRNN": "mrnn",
    "MRNNConfig": "mrnn",
    "Model": "model",
    "ModelConfig": "parametric",
    "MultimodalCaptioner": "multimodal",
    "NextWordModel": "next_word",
    "ParametricModel": "parametric",
    "Ranker": "ranker",
    "load_model": "checkpoint",
    "model_class": "registry",
    "must_speak": "next_word",
    "shipped_models": "checkpoint",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"mrnn_np.models.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mrnn_np.models' has no attribute {name!r}")
