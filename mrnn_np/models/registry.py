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
    "rnn-base": ("mrnn_np.models.ablations.rnn_base", "RNNBase"),
    "no-emb-input": ("mrnn_np.models.ablations.no_emb_input", "NoEmbInput"),
    "one-layer-emb": ("mrnn_np.models.ablations.one_layer_emb", "OneLayerEmb"),
    "emb-one-input": ("mrnn_np.models.ablations.emb_one_input", "EmbOneInput"),
    "vis-in-rnn": ("mrnn_np.models.ablations.vis_in_rnn", "VisInRNN"),
    "vis-in-rnn-both": ("mrnn_np.models.ablations.vis_in_rnn_both", "VisInRNNBoth"),
    "vis-in-rnn-both-shared": (
        "mrnn_np.models.ablations.vis_in_rnn_both_shared",
        "VisInRNNBothShared",
    ),
    "nic": ("mrnn_np.models.nic", "NIC"),
    "lrcn": ("mrnn_np.models.lrcn", "LRCN"),
    "deepvs": ("mrnn_np.models.deepvs", "DeepVS"),
    "mnlm-rank": ("mrnn_np.models.mnlm_rank", "MNLMRank"),
    "dmsm": ("mrnn_np.models.dmsm", "DMSM"),
    "deepfe": ("mrnn_np.models.deepfe", "DeepFE"),
    "deepvs-align": ("mrnn_np.models.deepvs_align", "DeepVSAlign"),
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
