"""The features of a data set's images: one row of numbers for every name.

Knows: names, rows, and which extractor made them. Does not know: how they are computed
(`mrnn_np.extraction`), or what a model does with a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrnn_np.errors import InputError
from mrnn_np.storage import load_arrays, save_arrays


class Features:
    """One row of numbers for every image, and who computed them.

    Parameters
    ----------
    names : n image names.
    matrix : (n, D) float16 or float32.
    extractor : what `identity` says of the extractor: name, sha256, preprocessing.
    dataset : as on the command line, for messages.
    failed : image name -> why it has no row.
    source : the file they came from, for messages.
    """

    def __init__(
        self,
        names: Sequence[str],
        matrix: np.ndarray,
        extractor: Mapping[str, Any],
        dataset: str = "",
        failed: Mapping[str, str] | None = None,
        source: str = "",
    ) -> None:
        self.names = tuple(names)
        self.matrix = matrix
        self.extractor = dict(extractor)
        self.dataset = dataset
        self.failed = dict(failed or {})
        self.source = source
        self._rows = {name: row for row, name in enumerate(self.names)}
        if matrix.ndim != 2 or len(self._rows) != len(matrix):
            raise InputError(
                f"{source or 'features'}: {len(self._rows)} different names for a "
                f"matrix of shape {matrix.shape}"
            )

    @property
    def size(self) -> int:
        """D, the length of a row."""
        return self.matrix.shape[1]

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def rows(self, names: Iterable[str]) -> np.ndarray:
        """Return the features of these images in this order, (n, D) float32.

        Raises
        ------
        InputError : an image without features; says how to compute them.
        """
        names = list(names)
        for name in names:
            if name in self._rows:
                continue
            where = self.source or "features"
            if name in self.failed:
                raise InputError(
                    f"{where}: image {name!r} has no features, it could not be read: "
                    f"{self.failed[name]}"
                )
            raise InputError(
                f"{where}: no features of image {name!r}; compute them: mrnn-np "
                f"features DATASET --cnn {self.extractor['name']} -o "
                f"{self.source or 'F.npz'} --resume"
            )
        return self.matrix[[self._rows[name] for name in names]].astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write everything to one `.npz` (see `mrnn_np.storage`)."""
        header = {
            "extractor": self.extractor,
            "dataset": self.dataset,
            "failed": self.failed,
        }
        arrays = {"names": np.array(self.names, dtype=str), "features": self.matrix}
        save_arrays(path, "features", header, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Features":
        """Read what `save` wrote; InputError for any other or a damaged file."""
        header, arrays = load_arrays(path, "features")
        try:
            names, matrix = arrays["names"].tolist(), arrays["features"]
            extractor, failed = header["extractor"], header["failed"]
            return cls(names, matrix, extractor, header["dataset"], failed, str(path))
        except KeyError as error:
            raise InputError(f"{path}: a features file without {error}") from None


def identity(extractor: object) -> dict[str, Any]:
    """Return name, hash and preprocessing of an extractor, as JSON can hold them."""
    preprocessing = extractor.feature_preprocessing
    if not isinstance(preprocessing, Mapping):
        preprocessing = preprocessing.to_dict()
    return {
        "name": extractor.name,
        "sha256": extractor.sha256,
        "preprocessing": dict(preprocessing),
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
    """
    if given["name"] != needed["name"]:
        raise InputError(
            f"{source}: made by {given['name']}, but the model was trained on features "
            f"of {needed['name']}: compute them with --cnn {needed['name']}"
        )
    for part in ("sha256", "preprocessing"):
        if given[part] != needed[part]:
            raise InputError(
                f"{source}: made by {given['name']}, as the model needs, but with "
                f"other {'weights' if part == 'sha256' else part} "
                f"({given[part]}, not {needed[part]}): compute them again"
            )


def load_extractor(name: str) -> object:
    """Return an extractor by name: ``"scenes"``, or a CNN's name or ``.npz`` file.

    It has ``name``, ``sha256``, ``feature_preprocessing``, ``feature_size`` and
    ``features(images) -> (N, D) float32``.
    """
    if name == "scenes":
        from mrnn_np.data.scenes.features import SceneFeatures

        return SceneFeatures()
    from mrnn_np.cnn import load_cnn

    return load_cnn(name)
