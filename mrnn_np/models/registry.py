"""The models by name: ``mrnn-np train --model NAME``, and what a checkpoint stores.

A new model is one file beside this one and one line here. The table holds names, not
classes, so that nothing is imported before it is needed.
"""

import importlib
from typing import TYPE_CHECKING

from mrnn_np.runtime.errors import InputError

if TYPE_CHECKING:
    from mrnn_np.models.parametric import ParametricModel

# NAME -> module, class.
MODELS = {
    "mrnn": ("mrnn_np.models.mrnn", "MRNN"),
    "mlbl-b": ("mrnn_np.models.mlbl_b", "MLBLB"),
    "mlbl-f": ("mrnn_np.models.mlbl_f", "MLBLF"),
    "rvr": ("mrnn_np.models.rvr", "RVR"),
}


def model_class(name: str) -> "type[ParametricModel]":
    """Return the class of a model.

    Raises
    ------
    InputError : there is none of that name.
    """
    if name not in MODELS:
        raise InputError(f"model {name[:40]!r} is not one of {', '.join(MODELS)}")
    module, cls = MODELS[name]
    return getattr(importlib.import_module(module), cls)


def model_name(cls: type) -> str:
    """Return the name of a class of models, the reverse of `model_class`."""
    return next(
        name
        for name, place in MODELS.items()
        if place == (cls.__module__, cls.__qualname__)
    )
