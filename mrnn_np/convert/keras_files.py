"""Keras weights (.h5): an HDF5 file with a group a layer, read through h5py.

Knows: where Keras puts arrays, and what HDF5 can do that a weight file never needs
(pointers to other files, packed or unfilled data: all refused). Does not know: what
the arrays are for.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrnn_np.convert.checks import DEEPEST, MOST_TENSORS, joined, readable
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted_arrays import checked_shape

if TYPE_CHECKING:
    import h5py


def read_h5(path: str | Path) -> dict[str, np.ndarray]:
    """Read every array of a Keras weight file.

    Returns the path inside of the file -> array, as in ``"conv1/conv1_W:0"``.

    Raises
    ------
    InputError : h5py is not installed, or the file is missing, cut short, damaged,
        or holds more than plain arrays of numbers.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(
            f'{path}: reading a Keras .h5 file needs h5py: pip install "mrnn_np'
            '[convert]"'
        ) from None

    with readable(path, "Keras .h5") as (stream, size), h5py.File(stream) as file:
        arrays = {}
        tensors_left, bytes_left = MOST_TENSORS, size

        def walk(group: h5py.Group, prefix: str, depth: int) -> None:
            nonlocal tensors_left, bytes_left
            for key in group:
                name = joined(prefix, key, "/")
                if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                    raise InputError(f"{name[:60]!a} points elsewhere: refused")
                item = group[key]
                tensors_left -= 1
                if depth > DEEPEST or tensors_left < 0:  # links may form a ring
                    raise InputError("more or deeper nested entries than any weights")
                if isinstance(item, h5py.Group):
                    walk(item, name, depth + 1)
                else:
                    arrays[name] = _array(item, ascii(name[:60]), bytes_left)
                    bytes_left -= arrays[name].nbytes

        walk(file, "", 0)
        if not arrays:
            raise InputError("holds no arrays")
        return arrays


def _array(item: "h5py.Dataset", name: str, most: int) -> np.ndarray:
    """Read one data set that lies in the file as it is, of at most `most` bytes."""
    import h5py

    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
        raise InputError(f"{name} holds something that is not plain numbers")
    shape = checked_shape(item.shape, item.dtype.itemsize, most, name)
    stored = math.prod(shape) * item.dtype.itemsize
    if item.is_virtual or item.external or item.id.get_storage_size() != stored:
        raise InputError(f"{name} is packed, unfilled or kept elsewhere: refused")
    return item[()]
