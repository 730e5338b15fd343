"""The .safetensors format: 8 bytes of length, a JSON header, then the bytes.

Knows: the header (name -> dtype, shape, begin and end in the bytes). Does not know:
what the tensors are for.
"""

import math
from pathlib import Path

import numpy as np

from mrnn_np.convert.checks import MOST_TENSORS, floats, readable
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import check_kind, parse_json, shown, take
from mrnn_np.runtime.untrusted_arrays import checked_shape

ELEMENTS = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bf16", "I64": "i8", "I32": "i4",
    "I16": "i2", "I8": "i1", "U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8",
    "BOOL": "b1",
}  # fmt: skip
BYTES = {"bf16": 2}
# Bytes. An entry has about 150, of MOST_TENSORS; the format itself allows 100 MB, of
# which Python would make 2 GB of empty lists.
LONGEST_HEADER = 4 << 20


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
        entries = parse_json(stream.read(length), "the header", LONGEST_HEADER)
        check_kind(entries, dict, "the header")
        entries.pop("__metadata__", None)
        if not 0 < len(entries) <= MOST_TENSORS:
            raise InputError(f"{len(entries)} tensors")
        places = {name: _place(name, entry) for name, entry in entries.items()}
        reached, end_of_data = 0, size - 8 - length
        tensors = {}
        for name, (begin, end) in sorted(places.items(), key=lambda item: item[1]):
            if begin != reached or not begin <= end <= end_of_data:
                raise InputError(
                    f"tensor {name[:60]!a} lies at bytes {shown(begin)} to "
                    f"{shown(end)}, expected from {reached} on and up to {end_of_data}"
                )
            tensors[name] = _array(name, entries[name], stream.read(end - begin))
            reached = end
        if reached != end_of_data:
            raise InputError(f"{end_of_data - reached} bytes belong to no tensor")
        return {name: tensors[name] for name in entries}


def _place(name: str, entry: object) -> tuple[int, int]:
    """Return where one tensor begins and ends, counted from the end of the header."""
    what = f"tensor {name[:60]!a}"
    offsets = take(check_kind(entry, dict, what), "data_offsets", list, what)
    if len(offsets) != 2:
        raise InputError(f"{what}: has {len(offsets)} data_offsets, expected 2")
    begin, end = (check_kind(offset, int, what) for offset in offsets)
    return begin, end


def _array(name: str, entry: dict, data: bytes) -> np.ndarray:
    """Give one tensor's bytes their shape."""
    what = f"tensor {name[:60]!a}"
    element = ELEMENTS.get(take(entry, "dtype", str, what))
    if element is None:
        raise InputError(f"{what} has a dtype unknown here")
    width = BYTES.get(element) or np.dtype(element).itemsize
    shape = checked_shape(take(entry, "shape", list, what), width, len(data), what)
    if math.prod(shape) * width != len(data):
        raise InputError(f"{what} of shape {shape} has {len(data)} bytes")
    return floats(data, element).reshape(shape)
