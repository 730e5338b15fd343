"""m-RNN image captioning from scratch in NumPy and Numba.

The names below are loaded when they are first used (PEP 562), so that importing the
package costs nothing and `mrnn-np --help` answers at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers and editors
    from mrnn_np import gradcheck as gradcheck
    from mrnn_np import metrics as metrics
    from mrnn_np.convert import load_cnn as load_cnn
    from mrnn_np.data import Vocabulary as Vocabulary
    from mrnn_np.data import load_dataset as load_dataset
    from mrnn_np.data import tokenize as tokenize
    from mrnn_np.decoding import Caption as Caption
    from mrnn_np.decoding.consensus import Consensus as Consensus
    from mrnn_np.estimator import MRNNCaptioner as MRNNCaptioner
    from mrnn_np.models import MRNN as MRNN
    from mrnn_np.models import Ensemble as Ensemble
    from mrnn_np.models import MRNNConfig as MRNNConfig
    from mrnn_np.models import load_model as load_model
    from mrnn_np.runtime.errors import InputError as InputError
    from mrnn_np.training import Trainer as Trainer

__version__ = "0.1.0"

# public name -> the module that defines it
_HOME = {
    "load_cnn": "mrnn_np.convert",
    "load_dataset": "mrnn_np.data",
    "tokenize": "mrnn_np.data",
    "Vocabulary": "mrnn_np.data",
    "load_model": "mrnn_np.models",
    "Ensemble": "mrnn_np.models",
    "MRNN": "mrnn_np.models",
    "MRNNConfig": "mrnn_np.models",
    "Caption": "mrnn_np.decoding",
    "Consensus": "mrnn_np.decoding.consensus",
    "Trainer": "mrnn_np.training",
    "MRNNCaptioner": "mrnn_np.estimator",
    "InputError": "mrnn_np.runtime.errors",
}
_MODULES = ("metrics", "gradcheck")

__all__ = sorted([*_HOME, *_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"mrnn_np.{name}")
    raise AttributeError(f"module 'mrnn_np' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
