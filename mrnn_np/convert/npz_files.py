"""NumPy's own .npz: a zip of .npy files, each a short header and the bytes.

The members are read here one by one, so that a header that promises more than the
file holds, or a zip that unpacks without end, is refused before memory is taken.

Knows: zip and .npy headers. Does not know: what the arrays are for.
"""

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from mrnn_np.convert.checks import readable
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted_arrays import check_members, read_array_header


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz, packed or not.

    Raises
    ------
    InputError : missing, cut short, damaged, a zip bomb, a name twice, or arrays of
        anything but plain numbers (those of Python objects are pickles inside; they are
        never opened).
    """
    with readable(path, ".npz") as (stream, size), zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if not members:
            raise InputError("holds no arrays")
        check_members(members, size, "the zip")
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as content:
                arrays[name] = _array(name, content, member.file_size)
        return arrays


def _array(name: str, stream: IO[bytes], size: int) -> np.ndarray:
    """Read one .npy of `size` bytes."""
    what = f"array {name[:60]!a}"
    shape, dtype, order = read_array_header(stream, size, what)
    if dtype.kind not in "fiub":
        raise InputError(f"{what}: holds texts, not plain numbers")
    left = size - stream.tell()
    if math.prod(shape) * dtype.itemsize != left:
        raise InputError(f"{what} of shape {shape} has {left} bytes")
    return np.frombuffer(stream.read(left), dtype).reshape(shape, order=order)
