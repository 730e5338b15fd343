"""What is done to arrays, to the headers of .npy files, and to zips.

A damaged file whose hash no longer fits is refused at the door. So arrays and headers
are changed first and hashed afterwards: what is read then is whole, and wrong.

Knows: NumPy's and zip's formats. Does not know: what an array is for.
"""

import io
import json
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

from fuzzing.mutations import change, choose, damage, some, text, to_json
from mrnn_np.runtime.storage import HEADER, content_hash

DTYPES = (
    "?", "u1", "i1", "<i2", ">i4", "<i8", "<u8", "<f2", ">f4", "<f8", "<f16", "<c8",
    "<c16", "<M8[s]", "<m8[D]", "S3", "<U4", ">U4", "V5", "<U0", "S0",
)  # fmt: skip
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, 3e38, 65505.0, np.nan, np.inf, -np.inf,
           2.0**63, -(2.0**63))  # fmt: skip
# Headers that are no header: what stands for shape and type in a .npy.
SHAPES = (
    "()", "(0,)", "(-1,)", "(1,) * 9", "(3,", "3", "(True,)", "(1.5,)", "('a',)",
    "(2**63,)", "(9223372036854775807, 9223372036854775807)", "(1000000000,)",
    "(65536, 65536, 65536, 65536)", "(0, 9223372036854775807)", f"({'1' * 5000},)",
    f"({'1, ' * 3000})", f"({'9' * 300}, 0)", "(" * 300, "[4]", "None", "(4, 4, 4)",
)  # fmt: skip
TYPES = ("'<f4'", "'|O'", "'O'", "'<f4', '<i4'", "[('a', '<f4')]", "'<M8[s]'", "'|V0'",
         "'<U1000000000'", "'<f3'", "'x'", "None", "4", "[]",
         "'(1000000,)<f4'")  # fmt: skip


def alter(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """Return an array of another type, shape or content."""
    with np.errstate(all="ignore"):
        kind = int(rng.integers(8))
        if kind == 0 and array.dtype.kind in "fiu":
            return _as_type(array, choose(rng, DTYPES))
        if kind == 1:
            shapes = ((), (0,), (-1,), (1, -1), (-1, 1), (1, 1, -1), array.shape[::-1])
            shape = choose(rng, shapes)
            if shape in ((), (0,)):
                return np.zeros(shape, array.dtype)
            return array.reshape(shape)
        if kind == 2 and array.ndim:
            return np.concatenate([array, array[: int(rng.integers(len(array) + 1))]])
        if kind == 3 and array.ndim:
            return array[: int(rng.integers(len(array) + 1))]
        if kind == 4 and array.ndim > 1:
            return np.asfortranarray(array) if rng.random() < 0.5 else array.T
        if kind == 5:
            return np.zeros_like(array)
        changed = array.copy()
        if array.size and array.dtype.kind in "fiu":
            where = rng.random(array.shape) < choose(rng, (0.0, 0.2, 1.0))
            where.flat[int(rng.integers(array.size))] = True
            if array.dtype.kind == "f" and rng.random() < 0.5:
                changed = changed.astype(np.float64)
            changed[where] = np.array(choose(rng, NUMBERS)).astype(changed.dtype)
        elif array.size and array.dtype.kind == "U":
            changed = array.astype("<U400")
            changed.flat[int(rng.integers(array.size))] = text(rng)[:400]
        return changed


def _as_type(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype in ("V5", "<U0", "S0"):
        return np.zeros(array.shape, dtype)
    return array.astype(dtype)


def alter_one(rng, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays with one of them altered, gone, renamed or added."""
    arrays = dict(arrays)
    name = choose(rng, list(arrays))
    kind = rng.random()
    if kind < 0.7:
        arrays[name] = alter(rng, arrays[name])
    elif kind < 0.8:
        del arrays[name]
    elif kind < 0.9:
        arrays[text(rng)[:200].replace("\ud800", "") + "x"] = arrays[name]
    else:
        arrays[choose(rng, list(arrays))] = arrays[name]
    return arrays


def npy(array: np.ndarray) -> bytes:
    """Return the bytes of a .npy."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def npy_of_zeros(length: int) -> bytes:
    """Return the bytes of a .npy of so many float32 zeros."""
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + bytes(4 * length)


def strange_npy(rng: np.random.Generator, array: np.ndarray) -> bytes:
    """Return a .npy whose header is not the array's, or is damaged."""
    if rng.random() < 0.3:
        content = npy(array)
        return damage(rng, content[:128]) + content[128:]
    shape, descr = str(array.shape), f"'{array.dtype.str}'"
    if rng.random() < 0.6:
        shape = choose(rng, SHAPES)
    if rng.random() < 0.5:
        descr = choose(rng, TYPES)
    order = choose(rng, ("False", "True", "False", "1", "None"))
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    header += " " * choose(rng, (0, 0, 20, 60_000))
    version = choose(rng, ((1, 0), (1, 0), (2, 0), (3, 0), (4, 0)))
    form = "<H" if version == (1, 0) else "<I"
    length = min(len(header) + 1, 65535) if form == "<H" else len(header) + 1
    start = b"\x93NUMPY" + bytes(version) + struct.pack(form, length)
    return start + header.encode() + b"\n" + np.ascontiguousarray(array).tobytes()


def zipped(
    rng: np.random.Generator, members: Mapping[str, bytes], strange: bool
) -> bytes:
    """Return a zip; a strange one has members twice, packed, or of empty bytes."""
    stream = io.BytesIO()
    entries = list(members.items())
    method = zipfile.ZIP_STORED
    if strange:
        for _ in some(rng, 2):
            kind = int(rng.integers(6))
            name, content = choose(rng, entries)
            if kind == 0:
                entries.append((name, choose(rng, entries)[1]))
            elif kind == 1:
                method = zipfile.ZIP_DEFLATED
            elif kind == 2:  # 200 MB that pack into 1 MB
                method = zipfile.ZIP_DEFLATED
                others = [entry for entry in entries if entry[0] != name]
                entries = [*others, (name, npy_of_zeros(50_000_000))]
            elif kind == 3:
                entries.append(
                    (text(rng)[:300].replace("\ud800", "") + ".npy", content)
                )
            elif kind == 4:
                method = choose(rng, (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            else:
                entries += [(f"{i}.npy", b"") for i in range(3000)]
    with zipfile.ZipFile(stream, "w", method, compresslevel=1) as archive:
        for name, content in entries:
            item = zipfile.ZipInfo(name)
            item.compress_type = method
            with archive.open(item, "w") as member:
                member.write(content)
    return stream.getvalue()


def container(
    rng: np.random.Generator,
    kind: str,
    header: Mapping,
    arrays: Mapping[str, np.ndarray],
) -> bytes:
    """Return a file of this project's form (runtime/storage.py) with something wrong.

    The hash in the header is right wherever there can be one.
    """
    what = rng.random()
    full = {"kind": kind, "version": 1, **header}
    words = json.dumps(full)
    if 0.2 < what < 0.5:
        words = to_json(change(rng, full))
    if 0.5 < what < 0.8:
        arrays = alter_one(rng, arrays)
    words = _with_hash(words, arrays).encode()
    members = {HEADER: npy(np.frombuffer(words, np.uint8))}
    members |= {name: npy(array) for name, array in arrays.items()}
    if what > 0.85:
        name = choose(rng, list(members))
        content = arrays.get(name, np.frombuffer(words, np.uint8))
        members[name] = strange_npy(rng, content)
    named = {f"{name}.npy": content for name, content in members.items()}
    whole = zipped(rng, named, strange=0.8 < what < 0.92)
    return damage(rng, whole) if what < 0.2 else whole


def _with_hash(words: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the header with the hash of itself and the arrays, where JSON reads it."""
    try:
        header = json.loads(words)
        digest = content_hash(header, arrays)
    except Exception:  # what is wrong with it is the reader's to say
        return words
    if not isinstance(header, dict) or "content_sha256" in header:
        return words
    end = ", " if len(header) else ""
    return words.rstrip()[:-1] + f'{end}"content_sha256": "{digest}"}}'
