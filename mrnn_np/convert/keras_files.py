"""Keras weights (.h5): an HDF5 file with a group a layer, read through h5py.

Knows: where Keras puts arrays, and what HDF5 can do that a weight file never needs
(pointers to other files, packed or unfilled data: all refused). Does not know: what
the arrays are for.
"""

from pathlib import Path

import numpy as np

from mrnn_np.convert.checks import DEEPEST, MOST_TENSORS, readable
from mrnn_np.errors import InputError


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

        def walk(group, prefix: str, depth: int) -> None:
            nonlocal tensors_left, bytes_left
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise InputError(f"{prefix}{name} points elsewhere: refused")
                item = group[name]
                tensors_left -= 1
                if depth > DEEPEST or tensors_left < 0:  # links may form a ring
                    raise InputError("more or deeper nested entries than any weights")
                if isinstance(item, h5py.Group):
                    walk(item, f"{prefix}{name}/", depth + 1)
                else:
                    array = _array(item, f"{prefix}{name}", bytes_left)
                    arrays[f"{prefix}{name}"] = array
                    bytes_left -= array.nbytes

        walk(file, "", 0)
        if not arrays:
            raise InputError("holds no arrays")
        return arrays


def _array(item, name: str, most: int) -> np.ndarray:
    """Read one data set that lies in the file as it is."""
    import h5py

    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
        raise InputError(f"{name} holds something that is not plain numbers")
    if item.is_virtual or item.external or item.id.get_storage_size() != item.nbytes:
        raise InputError(f"{name} is packed, unfilled or kept elsewhere: refused")
    if item.nbytes > most:
        raise InputError(f"{name} of shape {item.shape} is larger than the file")
    return item[()]
