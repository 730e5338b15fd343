"""The .safetensors format: 8 bytes of length, a JSON header, then the bytes.

Knows: the header (name -> dtype, shape, begin and end in the bytes). Does not know:
what the tensors are for.
"""

import json
import math
from pathlib import Path

import numpy as np

from mrnn_np.convert.checks import MOST_TENSORS, floats, readable
from mrnn_np.errors import InputError

ELEMENTS = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf16", "I64": "i8", "I32": "i4",
    "I16": "i2", "I8": "i1", "U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8",
    "BOOL": "b1",
}  # fmt: skip
BYTES = {"bf16": 2}
LONGEST_HEADER = 100_000_000  # bytes, the limit of the format itself


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a .safetensors file.

    Returns name -> array as stored (bfloat16 becomes float32).

    Raises
    ------
    InputError : missing, cut short, damaged; a tensor whose bytes are not as many as
        its shape asks for; tensors that overlap or leave gaps (the format forbids
        both, so either means damage or mischief).
    """
    with readable(path, ".safetensors") as (stream, size):
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise InputError(f"a header of {length} bytes in a file of {size}")
        entries = json.loads(stream.read(length), object_pairs_hook=_once)
        entries.pop("__metadata__", None)
        if not 0 < len(entries) <= MOST_TENSORS:
            raise InputError(f"{len(entries)} tensors")
        data = stream.read(size - 8 - length)
        tensors, reached = {}, 0
        by_place = sorted(entries.items(), key=lambda item: item[1]["data_offsets"])
        for name, entry in by_place:
            begin, end = entry["data_offsets"]
            if begin != reached or end < begin or end > len(data):
                raise InputError(
                    f"tensor {name[:60]!r} lies at bytes {begin} to {end}, expected "
                    f"from {reached} on and up to {len(data)}"
                )
            tensors[name] = _array(name, entry, data[begin:end])
            reached = end
        if reached != len(data):
            raise InputError(f"{len(data) - reached} bytes belong to no tensor")
        return {name: tensors[name] for name in entries}


def _once(pairs: list) -> dict:
    """Make a dict of JSON's pairs; the same name twice is an error."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InputError("the header says the same thing twice")
    return found


def _array(name: str, entry: dict, data: bytes) -> np.ndarray:
    """Give one tensor's bytes their shape."""
    element, shape = ELEMENTS.get(entry["dtype"]), entry["shape"]
    if element is None:
        raise InputError(f"tensor {name[:60]!r} has a dtype unknown here")
    if any(type(length) is not int or length < 0 for length in shape):
        raise InputError(f"tensor {name[:60]!r} has a shape that is none")
    width = BYTES.get(element) or np.dtype(element).itemsize
    if math.prod(shape) * width != len(data):
        raise InputError(
            f"tensor {name[:60]!r} of shape {shape[:20]} has {len(data)} bytes"
        )
    return floats(data, element).reshape(shape)
