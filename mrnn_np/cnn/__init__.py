"""The convolution engine: pretrained networks that turn photographs into numbers.

Names are loaded when first used, so that listing weights need not load Numba.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers and editors
    from mrnn_np.cnn.architectures import build as build
    from mrnn_np.cnn.folding import fold_batch_norm as fold_batch_norm
    from mrnn_np.cnn.network import CNN as CNN
    from mrnn_np.cnn.preprocessing import PREPROCESSING as PREPROCESSING
    from mrnn_np.cnn.preprocessing import Preprocessing as Preprocessing
    from mrnn_np.cnn.shapes import output_shapes as output_shapes
    from mrnn_np.cnn.shapes import weight_shapes as weight_shapes

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
