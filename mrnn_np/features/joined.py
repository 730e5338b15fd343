"""Several CNNs side by side: what that means for pictures, for files and for models.

    features(I) = [features_1(I), features_2(I), ...]

They are written with a plus sign, ``efficientnet_lite0+vgg16``. Names, hashes and
columns always come in the alphabetical order of the names, so that the order in which
somebody names them does not matter, and so that files joined afterwards
(`join_features`) hold what the joined extractor computes (`JoinedExtractor`).

Knows: what joined things are made of. Does not know: how one of them is computed.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mrnn_np.features.identity import Extractor, identity, region_count
from mrnn_np.features.matrix import BETWEEN, Features
from mrnn_np.runtime.errors import InputError

BATCH = 4  # images in memory at a time: the batch of a CNN, so the numbers are the same


def part_names(name: str) -> list[str]:
    """Return the names that a joined one is made of; of a single CNN, its own."""
    return name.split("+")


def join_identities(identities: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the identity of several extractors that are joined.

    Besides name, sha256 and preprocessing it has ``parts``, the name and sha256 of
    each, so that a difference can be traced to one of them.

    Raises
    ------
    InputError : one that is joined already (nobody knows which columns are whose) or
        has several regions, or the same one twice.
    """
    ordered = sorted(identities, key=lambda one: one["name"])
    for one in ordered:
        if "parts" in one:
            raise InputError(
                f"features of {one['name']} are joined already, join those of single "
                "CNNs"
            )
        if region_count(one) > 1:
            raise InputError(
                f"features of {one['name']} are {region_count(one)} regions side by "
                "side: they cannot be joined with others"
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


class JoinedExtractor:
    """Describes each image by the features of several extractors, one after another.

    Parameters
    ----------
    parts : extractors.

    Attributes
    ----------
    parts : tuple of them, in the order of their names.
    identity : see `join_identities`.
    name : their names with "+" between them; sha256 : hash of their hashes.
    feature_preprocessing : dict, name of a part -> its preprocessing.
    feature_size : D, the sum of theirs.

    Raises
    ------
    InputError : the same part twice, or one that is joined already.
    """

    def __init__(self, parts: Sequence[Extractor]) -> None:
        self.parts = tuple(sorted(parts, key=lambda part: part.name))
        self.identity = join_identities([identity(part) for part in self.parts])
        self.name, self.sha256 = self.identity["name"], self.identity["sha256"]
        self.feature_preprocessing = self.identity["preprocessing"]
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


def join_features(parts: Sequence[Features]) -> Features:
    """Put the features of several CNNs side by side, one row an image.

    The result is what the joined extractor would have computed. An image that lacks a
    row in any part has none, and is in `failed`.

    Parameters
    ----------
    parts : features of the same images by different CNNs; one alone is returned as it
        is.

    Raises
    ------
    InputError : no image has a row in every part, the same CNN twice, or a part that is
        joined already.
    """
    if len(parts) == 1:
        return parts[0]
    parts = sorted(parts, key=lambda part: part.extractor["name"])
    source = BETWEEN.join(part.source or "features" for part in parts)
    try:
        extractor = join_identities([part.extractor for part in parts])
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    every = itertools.chain.from_iterable((*p.names, *p.failed) for p in parts)
    failed = {}
    for name in dict.fromkeys(every):
        lacking = [part for part in parts if name not in part]
        if lacking:
            reason = f"it is not in {lacking[0].source or 'one of them'}"
            failed[name] = lacking[0].failed.get(name, reason)
    names = [name for name in parts[0].names if name not in failed]
    if not names:
        raise InputError(f"{source}: no image has features in all of them")
    matrix = np.hstack([part.only(names).matrix for part in parts])
    return Features(names, matrix, extractor, parts[0].dataset, failed, source)
