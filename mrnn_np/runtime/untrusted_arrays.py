"""Arrays and zips that a file declares, bounded before memory is spent on them.

Shapes of arrays, the header of a .npy, the members of a zip: the rules of untrusted.py
for what is counted in gigabytes.

Knows: shapes, .npy headers, zips. Does not know: what a file is for.
"""

import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import LONGEST_AXIS

MOST_AXES = 32  # NumPy's own limit up to version 1
LONGEST_ARRAY_HEADER = 10_000  # bytes, as NumPy; one of 32 axes has 700
LONGEST_TEXT = 1 << 16  # characters of one element of an array of texts
MOST_MEMBERS = 20_000  # of a zip; EfficientNet-B7 has 1,700 tensors
# A zip bomb packs 1000 to 1, trained weights and features of images below 5 to 1.
MOST_SMALLER = 50
SMALL = 1 << 20  # bytes: what unpacks to no more than this may be packed as it likes

ELEMENT_KINDS = {"f": "floats", "i": "integers", "u": "integers", "U": "texts"}
LAST_CHARACTER = 0x10FFFF  # of Unicode
SURROGATES = 0xD800 >> 11  # up to 0xDFFF: halves of characters
# {'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), } in any order. A dtype of
# several fields is a list in it, and does not match.
AXES = r"\((?:\d{1,19}L?(?:, ?|(?=\))))*\)"
ITEM = rf"\s*['\"](\w{{1,20}})['\"]\s*:\s*(['\"][^'\"]*['\"]|True|False|{AXES})\s*"
ARRAY_HEADER = re.compile(rf"\{{{ITEM},{ITEM},{ITEM}(?:,\s*)?\}}\s*")
# Truth values, whole and real numbers, texts. Nothing else is an array of ours, least
# of all Python objects, which are pickles inside.
ELEMENT = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248]|U(\d{1,9}))")


def checked_shape(
    shape: Any, itemsize: int, available_bytes: int, what: str
) -> tuple[int, ...]:
    """Return the shape of an array as a tuple, once it fits into the bytes there are.

    Looked at in this order, so that no step costs more than the one before allows: the
    number of axes, every length, their product.

    Parameters
    ----------
    shape : what the file says; a list or tuple of integers from 0 on is accepted.
    itemsize : bytes of an element.
    available_bytes : that the file has for this array; it may need fewer.
    what : the array, for the errors, which begin with it.

    Raises
    ------
    InputError : not such a list, more than 32 axes, or more bytes than there are.
    """
    if not isinstance(shape, list | tuple):
        raise InputError(f"{what}: its shape is no list of lengths")
    if len(shape) > MOST_AXES:
        raise InputError(f"{what}: a shape of {len(shape)} axes, at most {MOST_AXES}")
    if any(type(axis) is not int or not 0 <= axis <= LONGEST_AXIS for axis in shape):
        raise InputError(f"{what}: its shape holds something that is no length")
    needed = math.prod(shape) * itemsize
    # NumPy cannot even make an empty array of (0, 2^62) float64.
    reach = math.prod(max(axis, 1) for axis in shape) * itemsize
    if needed > available_bytes or reach > LONGEST_AXIS:
        raise InputError(
            f"{what}: of shape {str(tuple(shape))[:80]} takes more than the "
            f"{available_bytes} bytes there are"
        )
    return tuple(shape)


def read_array_header(
    stream: IO[bytes], size: int, what: str
) -> tuple[tuple[int, ...], np.dtype, Literal["C", "F"]]:
    """Read the header of a .npy: what `np.save` writes before the bytes of an array.

    NumPy evaluates the header as Python; here only the one form that it has is read.

    Parameters
    ----------
    stream : at the beginning of the .npy, and afterwards at the array's bytes.
    size : bytes of header and array together.
    what : the array, for the errors, which begin with it.

    Returns
    -------
    shape, dtype (truth values, integers, floats, texts), and order, "C" or "F".

    Raises
    ------
    InputError : not a .npy, cut short, Python objects or anything else that is not an
        array of plain numbers or texts, or a shape that the bytes do not suffice for.
    """
    magic = stream.read(8)
    width = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}.get(magic[6:])
    if magic[:6] != b"\x93NUMPY" or width is None:
        raise InputError(f"{what}: not an array as NumPy saves it")
    length = int.from_bytes(stream.read(width), "little")
    available = size - 8 - width - length
    if length > LONGEST_ARRAY_HEADER or available < 0:
        raise InputError(f"{what}: an array header of {length} bytes in {size}")
    found = ARRAY_HEADER.fullmatch(stream.read(length).decode("utf-8", "replace"))
    parts = found.groups() if found else ()
    described = dict(zip(parts[::2], parts[1::2], strict=True))
    whole = described.keys() == {"descr", "fortran_order", "shape"}
    if not whole or described["shape"][0] != "(":
        raise InputError(f"{what}: its header describes no array of numbers or texts")
    name = described["descr"][1:-1]
    element = ELEMENT.fullmatch(name)
    if element is None:
        kind = "Python objects" if "O" in name else ascii(name[:40])
        raise InputError(f"{what}: holds {kind}, neither plain numbers nor texts")
    if int(element[1] or 0) > LONGEST_TEXT:
        raise InputError(f"{what}: texts of more than {LONGEST_TEXT} characters")
    dtype = np.dtype(name)
    shape = [int(axis) for axis in re.findall(r"\d+", described["shape"])]
    checked = checked_shape(shape, dtype.itemsize, available, what)
    return checked, dtype, "F" if described["fortran_order"] == "True" else "C"


def check_members(members: Sequence[zipfile.ZipInfo], size: int, what: str) -> None:
    """Refuse a zip that unpacks to far more than it is, or names a member twice.

    Parameters
    ----------
    members : what its list of contents says of each.
    size : bytes of the zip itself.

    Raises
    ------
    InputError : too many members, two of one name, one packed by an unusual method,
        or too much when unpacked.
    """
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{what}: {len(members)} members, at most {MOST_MEMBERS}")
    seen = set()
    for member in members:
        check_method(member, what)
        if member.filename in seen:
            name = ascii(member.filename[:60])
            raise InputError(f"{what}: two members of the name {name}: which one?")
        seen.add(member.filename)
    check_ratio(sum(member.file_size for member in members), size, what)


def check_ratio(unpacked: int, size: int, what: str) -> None:
    """Refuse `size` bytes that claim to unpack to far more than that."""
    if unpacked > max(SMALL, MOST_SMALLER * size):
        raise InputError(
            f"{what}: {size} bytes that unpack to {unpacked}, at most "
            f"{MOST_SMALLER} times as many are believed"
        )


def check_method(member: zipfile.ZipInfo, what: str) -> None:
    """Refuse a member that is packed by anything but deflate.

    `zipfile` unpacks bzip2 and LZMA without any limit: a block of 4 kB, the least that
    it reads, gives 80 MB of zeros, whatever length the member has by the list.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(
            f"{what}: member {member.filename[:60]!a} is packed in an unusual way: "
            "pack it anew with deflate"
        )


def read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int, what: str
) -> bytes:
    """Return the contents of a member of a zip, of at most `limit` bytes.

    `ZipFile.read` unpacks first and looks at the declared length afterwards; here no
    more than that length is ever unpacked.

    Parameters
    ----------
    what : zip and member, for the errors, which begin with it.

    Raises
    ------
    InputError : longer, or far longer than it is packed; packed in an unusual way,
        damaged, or encrypted.
    """
    check_method(member, what)
    size = member.file_size
    if size > limit:
        raise InputError(f"{what}: {size} bytes when unpacked, more than {limit}")
    # How long it is packed is a claim too, but it cannot be longer than all members.
    check_ratio(size, min(member.compress_size, archive.start_dir), what)
    try:
        with archive.open(member) as stream:
            content = stream.read(size)  # and with the last byte the checksum
    # Wrong checksum, encrypted, broken header ...: half a dozen kinds of exceptions.
    except Exception as error:
        raise InputError(f"{what}: cannot be unpacked: {error}") from error
    if len(content) != size:
        raise InputError(f"{what}: cannot be unpacked: shorter than the zip says")
    return content


def array_of(
    arrays: Mapping[str, np.ndarray],
    name: str,
    kinds: str,
    shape: tuple[int | None, ...],
    where: str | Path,
) -> np.ndarray:
    """Return ``arrays[name]`` if it is what its place asks for.

    Parameters
    ----------
    kinds : letters of NumPy's kinds of elements: "f" floats, "iu" integers, "U" texts.
    shape : None stands for any length.
    where : the file, for the errors, which begin with it.

    Raises
    ------
    InputError : not there, of other elements, or of another shape.
    """
    if name not in arrays:
        raise InputError(f"{where}: has no array {name!r}")
    array = arrays[name]
    if array.dtype.kind not in kinds:
        wanted = " or ".join(ELEMENT_KINDS[kind] for kind in kinds)
        raise InputError(f"{where}: {name} holds {array.dtype}, expected {wanted}")
    fits = len(shape) == array.ndim and all(
        length in (None, given)
        for length, given in zip(shape, array.shape, strict=True)
    )
    if not fits:
        lengths = tuple("any" if length is None else length for length in shape)
        raise InputError(
            f"{where}: {name} is of shape {array.shape}, expected {lengths}"
        )
    return array


def texts_of(array: np.ndarray, what: str) -> list[str]:
    """Return the texts of an array (n,) of texts.

    Raises
    ------
    InputError : one that holds what is no character, or half of one.
    """
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    codes = np.frombuffer(native.tobytes(), np.uint32)
    # NumPy makes texts of them unseen, and ends in a SystemError beyond Unicode.
    if codes.max(initial=0) > LAST_CHARACTER or (codes >> 11 == SURROGATES).any():
        raise InputError(f"{what}: holds something that is no text")
    return array.tolist()
