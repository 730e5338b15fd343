"""The convolution engine: pretrained networks that turn photographs into numbers.

Names are loaded when first used, so that listing weights need not load Numba.
"""

import importlib
from typing import Any

_HOME = {
    "CNN": "network",
    "Preprocessing": "preprocessing",
    "PREPROCESSING": "preprocessing",
    "fold_batch_norm": "folding",
    "build": "architectures",
    "output_shapes": "shapes",
    "weight_shapes": "shapes",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"mrnn_np.cnn.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mrnn_np.cnn' has no attribute {name!r}")
