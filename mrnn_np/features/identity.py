"""Who made features: what their file and the models that learn from them keep of it.

Name, hash of the weights, preprocessing and layers are the identity of an extractor.
Features of another CNN, or of the same with other weights, mean nothing to a model.

Knows: what an identity consists of. Does not know: how features are computed, or what
joined extractors (joined.py) have in common.
"""

from collections.abc import Mapping
from typing import Any

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import check_kind, take

LONGEST_NAME = 255  # characters of an extractor's name, which may become a file's


def identity(extractor: object) -> dict[str, Any]:
    """Return name, hash and preprocessing of an extractor, as JSON can hold them.

    The preprocessing of a CNN includes the layers that its features come from. A joined
    extractor has its ``identity`` ready.
    """
    if hasattr(extractor, "identity"):
        return extractor.identity
    preprocessing = extractor.feature_preprocessing
    if not isinstance(preprocessing, Mapping):
        preprocessing = preprocessing.to_dict()
    if hasattr(extractor, "feature_layers"):
        layers = list(extractor.feature_layers)
        preprocessing = {**preprocessing, "layers": layers}
    return {
        "name": extractor.name,
        "sha256": extractor.sha256,
        "preprocessing": dict(preprocessing),
    }


def check_identity(value: Any, where: str) -> dict[str, Any]:
    """Return what a file says of an extractor, if it has the form of `identity`.

    Parameters
    ----------
    where : the file and the place in it, for the errors, which begin with it.

    Raises
    ------
    InputError : something that is missing or of another kind.
    """
    check_kind(value, dict, where)
    for key, kind in (("name", str), ("sha256", str), ("preprocessing", dict)):
        take(value, key, kind, where)
    if not 0 < len(value["name"]) <= LONGEST_NAME:
        raise InputError(f"{where}: a name of {len(value['name'])} characters")
    if "parts" in value:
        for name in take(value, "parts", dict, where):
            take(value["parts"], name, str, f"{where}: parts")
            take(value["preprocessing"], name, dict, f"{where}: preprocessing")
    return value
