"""Who made features: what their file and the models that learn from them keep of it.

Name, hash of the weights, preprocessing and layers are the identity of an extractor.
Features of another CNN, or of the same with other weights, mean nothing to a model.

Knows: what an identity consists of. Does not know: how features are computed, or what
joined extractors (joined.py) have in common.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import check_kind, take

if TYPE_CHECKING:
    from mrnn_np.cnn.preprocessing import Preprocessing

MOST_REGIONS = 1 << 16  # of an image: far more than any detector finds
LONGEST_NAME = 255  # characters of an extractor's name, which may become a file's


class Extractor(Protocol):
    """Who turns pictures into numbers.

    A `CNN`, `RegionExtractor`, `SceneFeatures` or `JoinedExtractor`.
    """

    name: str
    sha256: str
    feature_size: int

    @property
    def feature_preprocessing(self) -> "Preprocessing | Mapping[str, Any]":
        """What happens to a picture before; a mapping, or with ``to_dict()``."""

    def features(self, images: Iterable) -> np.ndarray:
        """Return (N, feature_size) float32."""


def identity(extractor: Extractor) -> dict[str, Any]:
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


def region_count(whole: Mapping[str, Any]) -> int:
    """Return how many regions of an image lie side by side in a row of features.

    It stands in the preprocessing as "regions". Where it does not, and of joined
    features, the whole image is the only region.

    whole : what `identity` says of an extractor, or a file of features.
    """
    return 1 if "parts" in whole else whole["preprocessing"].get("regions", 1)


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
    elif "regions" in value["preprocessing"]:
        regions = take(
            value["preprocessing"], "regions", int, f"{where}: preprocessing"
        )
        if not 1 <= regions <= MOST_REGIONS:
            raise InputError(f"{where}: preprocessing: {regions} regions of an image")
    return value
