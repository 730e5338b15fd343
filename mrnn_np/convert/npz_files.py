"""NumPy's own .npz: a zip of .npy files, each a short header and the bytes.

The members are read here one by one, so that a header that promises more than the
file holds, or a zip that unpacks without end, is refused before memory is taken.

Knows: zip and .npy headers. Does not know: what the arrays are for.
"""

import math
import zipfile
from pathlib import Path

import numpy as np

from mrnn_np.convert.checks import MOST_TENSORS, readable
from mrnn_np.errors import InputError

READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
MOST_SMALLER = 50  # a zip bomb packs about 1000 to 1, trained weights below 5 to 1


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz, packed or not.

    Raises
    ------
    InputError : missing, cut short, damaged, a zip bomb, or arrays of Python objects
        (those are pickles inside; they are never opened).
    """
    with readable(path, ".npz") as (stream, size), zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > MOST_SMALLER * size or not 0 < len(members) <= MOST_TENSORS:
            raise InputError(
                f"{len(members)} members that unpack to {unpacked} bytes from {size}"
            )
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as content:
                arrays[name] = _array(name, content, member.file_size)
        return arrays


def _array(name: str, stream, size: int) -> np.ndarray:
    """Read one .npy of `size` bytes."""
    version = np.lib.format.read_magic(stream)
    if version not in READ_HEADER:
        raise InputError(f"array {name[:60]!r} has .npy version {version}")
    shape, fortran, dtype = READ_HEADER[version](stream)
    if dtype.hasobject or dtype.kind not in "fiub":
        raise InputError(f"array {name[:60]!r} holds {dtype}, not plain numbers")
    left = size - stream.tell()
    if math.prod(shape) * dtype.itemsize != left:
        raise InputError(f"array {name[:60]!r} of shape {shape} has {left} bytes")
    return np.frombuffer(stream.read(), dtype).reshape(
        shape, order="F" if fortran else "C"
    )
