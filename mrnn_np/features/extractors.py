"""Who turns a picture into numbers: a CNN, its regions, `scenes`, or several together.

An extractor has ``name``, ``sha256`` of its weights, ``feature_preprocessing``,
``feature_size`` and ``features(images) -> (N, D) float32``; a CNN also has the
``feature_layers`` that these come from.

Knows: extractors by their names, and which one a model needs. Does not know: layers,
files of features.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrnn_np.features.identity import Extractor, identity
from mrnn_np.features.joined import JoinedExtractor, part_identities, part_names
from mrnn_np.features.regions import SUFFIX, RegionExtractor
from mrnn_np.runtime.errors import InputError


def load_extractor(name: str) -> Extractor:
    """Return an extractor: ``"scenes"``, a CNN's name or ``.npz`` file, or ``"a+b"``.

    A CNN with ``":regions"`` behind it gives regions (see `regions.RegionExtractor`).

    Raises
    ------
    InputError : see `mrnn_np.convert.load_cnn`, `joined.JoinedExtractor`; or regions
        of what is no CNN.
    """
    if name == "scenes":
        from mrnn_np.data.scenes.features import SceneFeatures

        return SceneFeatures()
    if "+" in name and not Path(name).is_file():
        return JoinedExtractor([load_extractor(part) for part in part_names(name)])
    from mrnn_np.convert import load_cnn

    if name.endswith(SUFFIX) and not Path(name).is_file():
        cnn = name.removesuffix(SUFFIX)
        if cnn == "scenes":
            raise InputError(f"{name}: only CNNs have a map to cut into regions")
        return RegionExtractor(load_cnn(cnn))
    return load_cnn(name)


def extractor_of(needed: Mapping[str, Any] | None, where: str) -> Extractor:
    """Load the extractor of a model's features, and make sure that it is that one.

    Parameters
    ----------
    needed : what the model says of it, see `mrnn_np.features.identity`.
    where : the model's file, for the errors.

    Raises
    ------
    InputError : the model names none, or this one has other weights.
    """
    if needed is None:
        raise InputError(
            f"{where}: does not say which CNN its image features came from, so it "
            "cannot describe an image file"
        )
    extractor = load_extractor(needed["name"])
    check_same_extractor(identity(extractor), needed, where)
    return extractor


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
