"""The features of a data set's images: one row of numbers for every name.

Knows: names, rows, and which extractor made them. Does not know: what an extractor is
(extractors.py), how rows are computed (extraction.py) or joined (joined.py), or what a
model does with one.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrnn_np.features.identity import check_identity
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import load_arrays, save_arrays
from mrnn_np.runtime.untrusted import take
from mrnn_np.runtime.untrusted_arrays import array_of, texts_of

BETWEEN = " + "  # the sources of joined features
ROWS = 1024  # checked at a time: 17 MB of 4,096 numbers each
UNKNOWN = -1  # stands for the checksum of a picture that has none


class Features:
    """One row of numbers for every image, and who computed them.

    Parameters
    ----------
    names : n image names.
    matrix : (n, D) float16 or float32.
    extractor : what `identity` says of the extractor: name, sha256, preprocessing.
        Of joined CNNs also ``parts`` (see `mrnn_np.features.joined`).
    dataset : as on the command line, for messages.
    failed : image name -> why it has no row.
    source : the file they came from, for messages.
    checksums : image name -> CRC-32 of the file of the picture that the row is of.
        Pictures that are no files have none, and older files of features have none.
    """

    def __init__(
        self,
        names: Sequence[str],
        matrix: np.ndarray,
        extractor: Mapping[str, Any],
        dataset: str = "",
        failed: Mapping[str, str] | None = None,
        source: str = "",
        checksums: Mapping[str, int] | None = None,
    ) -> None:
        self.names = tuple(names)
        self.matrix = matrix
        self.extractor = dict(extractor)
        self.dataset = dataset
        self.failed = dict(failed or {})
        self.source = source
        self.checksums = dict(checksums or {})
        self._rows = {name: row for row, name in enumerate(self.names)}
        if matrix.ndim != 2 or not len(self._rows) == len(self.names) == len(matrix):
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
            goal = self.source or "F.npz"
            cnn = self.extractor["name"]
            if BETWEEN in goal:
                goal, cnn = "each of the files", "its CNN"
            raise InputError(
                f"{where}: no features of image {name!r}; compute them: mrnn-np "
                f"features DATASET --cnn {cnn} -o {goal} --resume"
            )
        return self.matrix[[self._rows[name] for name in names]].astype(np.float32)

    def only(self, names: Sequence[str]) -> "Features":
        """Return the same features, of these images alone and in this order."""
        return Features(
            names,
            self.matrix[[self._rows[name] for name in names]],
            self.extractor,
            self.dataset,
            self.failed,
            self.source,
            {name: self.checksums[name] for name in names if name in self.checksums},
        )

    def save(self, path: str | Path) -> None:
        """Write everything to one `.npz` (see `mrnn_np.runtime.storage`)."""
        header = {
            "extractor": self.extractor,
            "dataset": self.dataset,
            "failed": self.failed,
        }
        arrays = {"names": np.array(self.names, dtype=str), "features": self.matrix}
        if self.checksums:
            known = [self.checksums.get(name, UNKNOWN) for name in self.names]
            arrays["checksums"] = np.array(known, np.int64)
        save_arrays(path, "features", header, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Features":
        """Read what `save` wrote; InputError for any other or a damaged file."""
        header, arrays = load_arrays(path, "features")
        matrix = array_of(arrays, "features", "f", (None, None), path)
        names = texts_of(
            array_of(arrays, "names", "U", (None,), path), f"{path}: names"
        )
        failed = take(header, "failed", dict, path)
        for name in failed:
            take(failed, name, str, f"{path}: failed")
        made = cls(
            names,
            matrix,
            check_identity(header.get("extractor"), f"{path}: extractor"),
            take(header, "dataset", str, path),
            failed,
            str(path),
            checksums_of(arrays, names, path),
        )
        made.check_finite()
        return made

    def check_finite(self) -> None:
        """Raise InputError, naming the image, unless all are numbers in float32."""
        for start in range(0, len(self), ROWS):
            with np.errstate(over="ignore"):  # float64 may be too large
                rows = self.matrix[start : start + ROWS].astype(np.float32, copy=False)
            finite = np.isfinite(rows).all(axis=1)
            if not finite.all():
                name = self.names[start + int(np.argmin(finite))]
                raise InputError(
                    f"{self.source or 'features'}: the features of {name!r} hold NaN "
                    "or infinity: compute them again"
                )


def checksums_of(
    arrays: Mapping[str, np.ndarray], names: Sequence[str], path: str | Path
) -> dict[str, int]:
    """Return image name -> checksum where a file of features knows it.

    Raises
    ------
    InputError : not an integer for each of the names.
    """
    if "checksums" not in arrays:
        return {}
    values = array_of(arrays, "checksums", "iu", (len(names),), path).tolist()
    known = zip(names, values, strict=True)
    return {name: value for name, value in known if value != UNKNOWN}
