"""Who turns a picture into numbers: a CNN, the built-in `scenes`, or several together.

An extractor has ``name``, ``sha256`` of its weights, ``feature_preprocessing``,
``feature_size`` and ``features(images) -> (N, D) float32``; a CNN also has the
``feature_layers`` that these come from. Name, hash, preprocessing and layers are its
identity: it is written into every file of features and into every model, because
features of another CNN, or of the same with other weights, mean nothing to a model.

Several CNNs describe an image by their features side by side. They are written with a
plus sign, ``efficientnet_lite0+vgg16``, always in alphabetical order, so that the order
in which somebody names them does not matter.

Knows: names and identities. Does not know: layers, files of features.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import check_kind, take

if TYPE_CHECKING:
    from mrnn_np.cnn.preprocessing import Preprocessing

LONGEST_NAME = 255  # characters of an extractor's name, which may become a file's
BATCH = 4  # images in memory at a time: the batch of a CNN, so the numbers are the same


class Extractor(Protocol):
    """Who turns pictures into numbers: a `CNN`, `SceneFeatures`, `JoinedExtractor`."""

    name: str
    sha256: str
    feature_size: int

    @property
    def feature_preprocessing(self) -> "Preprocessing | Mapping[str, Any]":
        """What happens to a picture before; a mapping, or with ``to_dict()``."""

    def features(self, images: Iterable) -> np.ndarray:
        """Return (N, feature_size) float32."""


def load_extractor(name: str) -> Extractor:
    """Return an extractor: ``"scenes"``, a CNN's name or ``.npz`` file, or ``"a+b"``.

    Raises
    ------
    InputError : see `mrnn_np.convert.load_cnn`, `JoinedExtractor`.
    """
    if name == "scenes":
        from mrnn_np.data.scenes.features import SceneFeatures

        return SceneFeatures()
    if "+" in name and not Path(name).is_file():
        return JoinedExtractor([load_extractor(part) for part in name.split("+")])
    from mrnn_np.convert import load_cnn

    return load_cnn(name)


class JoinedExtractor:
    """Describes each image by the features of several extractors, one after another.

        features(I) = [features_1(I), features_2(I), ...]

    Parameters
    ----------
    parts : extractors.

    Attributes
    ----------
    parts : tuple of them, in the order of their names.
    name : their names with "+" between them; sha256 : hash of their hashes.
    feature_preprocessing : dict, name of a part -> its preprocessing.
    feature_size : D, the sum of theirs.

    Raises
    ------
    InputError : the same part twice.
    """

    def __init__(self, parts: Sequence[Extractor]) -> None:
        self.parts = tuple(sorted(parts, key=lambda part: part.name))
        joined = join_identities([identity(part) for part in self.parts])
        self.name, self.sha256 = joined["name"], joined["sha256"]
        self.feature_preprocessing = joined["preprocessing"]
        self.feature_size = sum(part.feature_size for part in self.parts)

    def features(self, images: Iterable) -> np.ndarray:
        """Return (N, D) float32.

        Parameters
        ----------
        images : whatever the parts take; a generator is gone through once.
        """
        found = [np.empty((0, self.feature_size), np.float32)]
        images = iter(images)
        while batch := list(itertools.islice(images, BATCH)):
            found.append(np.hstack([part.features(batch) for part in self.parts]))
        return np.concatenate(found)


def identity(extractor: Extractor) -> dict[str, Any]:
    """Return name, hash and preprocessing of an extractor, as JSON can hold them.

    The preprocessing of a CNN includes the layers that its features come from. A joined
    one also has ``parts``, see `join_identities`.
    """
    if isinstance(extractor, JoinedExtractor):
        return join_identities([identity(part) for part in extractor.parts])
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


def join_identities(identities: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the identity of several extractors that are joined.

    Besides name, sha256 and preprocessing it has ``parts``, the name and sha256 of
    each, so that a difference can be traced to one of them.

    Raises
    ------
    InputError : one that is joined already (nobody knows which columns are whose), or
        the same one twice.
    """
    ordered = sorted(identities, key=lambda one: one["name"])
    for one in ordered:
        if "parts" in one:
            raise InputError(
                f"features of {one['name']} are joined already, join those of single "
                "CNNs"
            )
    name = "+".join(one["name"] for one in ordered)
    parts = {one["name"]: one["sha256"] for one in ordered}
    if len(parts) < len(ordered):
        raise InputError(f"{name}: the same CNN twice")
    return {
        "name": name,
        "sha256": hashlib.sha256("+".join(parts.values()).encode()).hexdigest(),
        "preprocessing": {one["name"]: one["preprocessing"] for one in ordered},
        "parts": parts,
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


def part_identities(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return name -> identity of what was joined; of a single extractor, its own."""
    if "parts" not in whole:
        return {whole["name"]: dict(whole)}
    return {
        name: {
            "name": name,
            "sha256": sha256,
            "preprocessing": whole["preprocessing"][name],
        }
        for name, sha256 in whole["parts"].items()
    }


def check_same_extractor(
    given: Mapping[str, Any], needed: Mapping[str, Any], source: str = "features"
) -> None:
    """Refuse features that another extractor made than the one a model learned from.

    Parameters
    ----------
    given : `identity` of the extractor that made the features.
    needed : the one that the model's checkpoint names.
    source : what the features are called in the error.

    Raises
    ------
    InputError : names the part that is missing or differs, when they are joined.
    """
    theirs, mine = part_identities(needed), part_identities(given)
    if given["name"] != needed["name"]:
        remedy = f"compute them with --cnn {needed['name']}"
        if mine.keys() < theirs.keys():
            missing = [name for name in theirs if name not in mine]
            remedy = f"give the features of {' and '.join(missing)} too"
        raise InputError(
            f"{source}: made by {given['name']}, but the model was trained on features "
            f"of {needed['name']}: {remedy}"
        )
    for name, part in theirs.items():
        for aspect in ("sha256", "preprocessing"):
            if mine[name][aspect] != part[aspect]:
                what = "weights" if aspect == "sha256" else aspect
                raise InputError(
                    f"{source}: made by {name}, as the model needs, but with other "
                    f"{what} ({difference(mine[name][aspect], part[aspect])}): compute "
                    "them again"
                )


def difference(given: Any, needed: Any) -> str:
    """Say how two values differ; of two mappings only the entries that do."""
    if not isinstance(given, Mapping):
        return f"{given}, not {needed}"
    keys = [key for key in {**given, **needed} if given.get(key) != needed.get(key)]
    return ", ".join(f"{k} {given.get(k)}, not {needed.get(k)}" for k in keys)
