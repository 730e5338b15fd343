"""Every file this project writes: one `.npz` of plain arrays with a JSON header.

Checkpoints, image features and converted CNN weights share this one container.
The header says what the file is (`kind`), which version of the layout it has and
what its contents hash to, so a file that is cut short, altered, or made by a newer
version is refused with one clear line.

Knows: the container. Does not know: what the arrays mean.
"""

import contextlib
import hashlib
import json
import math
import mmap
import os
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import Output, atomic_write, fcntl, is_same_file
from mrnn_np.runtime.untrusted import check_kind, check_regular, parse_json, take
from mrnn_np.runtime.untrusted_arrays import check_members, read_array_header

HEADER = "header.json"
HALVES = re.compile("[\ud800-\udfff]")
VERSIONS = {
    "checkpoint": 1, "features": 1, "cnn": 1, "likelihoods": 1, "captions": 1,
}  # fmt: skip
ALIGNMENT = 64  # bytes: arrays begin at multiples of it, as a mapped array must
PADDING_ID = 0x6D72  # marks the empty bytes that see to this ("rm": any free number)
LOCAL_HEADER, ZIP64_FIELD = 30, 20  # bytes before and after a zip member's name
LARGEST_FILE = 4 << 30  # bytes: nothing this project makes comes near to it
# Bytes. The largest part is a vocabulary: 130 kB for the 2,540 words of Flickr8k. Of
# the shortest values of JSON so many become half a gigabyte of Python objects.
LARGEST_HEADER = 16 << 20


def cache_folder() -> Path:
    """Return the user's cache folder: ``$MRNN_NP_HOME`` or ``~/.cache/mrnn_np``."""
    home = os.environ.get("MRNN_NP_HOME")
    return Path(home) if home else Path.home() / ".cache" / "mrnn_np"


def weights_folder() -> Path:
    """Return the folder of the weights that come with the project.

    It is ``weights/`` of a checkout (editable install) or ``mrnn_np/weights`` of an
    installed package.
    """
    package = Path(__file__).parents[1]
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content_hash(header: Mapping, arrays: Mapping[str, np.ndarray]) -> str:
    """Hash what a file says: header (without its own hash) and every array.

    The hash does not depend on the order of the arrays or on the container.
    """
    digest = hashlib.sha256()
    plain = {key: value for key, value in header.items() if key != "content_sha256"}
    digest.update(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


@contextlib.contextmanager
def only_run(goal: str | Path) -> Iterator[None]:
    """Let no other process compute for the same goal meanwhile.

    A hidden file beside the goal is locked. The lock ends with its process, however
    that ends, and the file goes away unless the process was killed. Where the system
    has no such locks (Windows) nothing is locked.

    Raises
    ------
    InputError : another process is at it, or the folder cannot be written to.
    """
    real = Path(os.path.realpath(goal))  # a link and its target are one goal
    lock = real.with_name(f".{real.name}.lock")
    handle = None
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        while handle is None or not is_same_file(handle, lock):
            if handle is not None:  # who had it before has just deleted it
                os.close(handle)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if handle is not None:
            os.close(handle)
        raise InputError(
            f"{goal}: another process is computing it: wait for it, or name another "
            "file"
        ) from None
    except OSError as error:
        if handle is None:
            reason = error.strerror or error
            raise InputError(f"{goal}: cannot be written: {reason}") from error
        # A file system that has no locks.
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def npz_output(path: str | Path | None, option: str, kind: str) -> Output:
    """Describe a file of `save_arrays` that a command will write.

    Parameters
    ----------
    path, option : see `Output`.
    kind : one of ``VERSIONS``. Only a file whose header says so is replaced.
    """
    beginning = rb'PK\x03\x04.{26}%s\.npy.{,1024}?\{"kind": "%s",'
    beginning %= re.escape(HEADER).encode(), kind.encode()
    return Output(path, option, f"a file of {kind} of mrnn_np", beginning)


def save_arrays(
    path: str | Path, kind: str, header: Mapping, arrays: Mapping[str, np.ndarray]
) -> str:
    """Write header and arrays to one uncompressed `.npz`, atomically.

    Parameters
    ----------
    path : where to; its folder is made when missing.
    kind : one of ``VERSIONS``.
    header : anything JSON can hold; see `whole_characters`.
    arrays : name -> array of a plain dtype (numbers or fixed-width strings).

    Returns the content hash (64 hex digits), which the file holds too.
    `np.load` reads the file as well.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name} holds Python objects")
    full = {"kind": kind, "version": VERSIONS[kind], **whole_characters(header)}
    full["content_sha256"] = content_hash(full, arrays)
    text = json.dumps(full, ensure_ascii=False).encode()
    arrays = {HEADER: np.frombuffer(text, np.uint8), **arrays}
    with atomic_write(path) as temporary, open(temporary, "wb") as stream:
        write_members(stream, arrays)
    return full["content_sha256"]


def whole_characters(header: Mapping) -> dict:
    """Return a header where halves of characters are replaced by their escapes.

    Python holds the bytes of a file name that are no text as such halves. UTF-8 has
    none, and `load_arrays` need not expect any.
    """
    text = json.dumps(header, ensure_ascii=False)
    return json.loads(HALVES.sub(lambda half: rf"\\u{ord(half[0]):04x}", text))


def write_members(stream: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    """Write an uncompressed `.npz` whose arrays begin at multiples of ALIGNMENT.

    `np.savez` would do, but puts them wherever they fall, and an array of floats that
    does not begin at a multiple of 4 bytes cannot be used where it lies.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            item = zipfile.ZipInfo(f"{name}.npy")
            name_length = len(item.filename.encode())
            begin = stream.tell() + LOCAL_HEADER + name_length + ZIP64_FIELD
            length = -(begin + 4) % ALIGNMENT
            item.extra = struct.pack("<HH", PADDING_ID, length) + bytes(length)
            with archive.open(item, "w", force_zip64=True) as member:
                # NumPy's own header has a multiple of 64 bytes.
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_members(path: Path, size: int, mapped: bool) -> dict[str, np.ndarray]:
    """Return all arrays of a file, once what it says of them fits into it.

    Parameters
    ----------
    size : bytes of the file.
    mapped : leave the arrays in the file. A part is read when it is first used, and
        processes that map the same file share its memory; what is written to an array
        changes a private copy of that part. An array that is compressed, or does not
        lie at a multiple of its item's size, is read.

    Raises
    ------
    InputError : see untrusted.py. Or whatever zipfile raises for a broken file.
    """
    arrays = {}
    with open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        check_members(members, size, str(path))
        if f"{HEADER}.npy" not in (item.filename for item in members):
            raise InputError(f"{path}: an .npz, but not one of mrnn_np")
        if mapped:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        for item in members:
            name = item.filename.removesuffix(".npy")
            what = f"{path}: array {name[:60]!a}"
            if item.compress_type != zipfile.ZIP_STORED:
                with archive.open(item) as member:
                    arrays[name] = read_array(member, item.file_size, what)
                continue
            # What the list of contents says of the place is not yet the place.
            stream.seek(item.header_offset + 26)
            lengths = struct.unpack("<HH", stream.read(4))
            begin = item.header_offset + LOCAL_HEADER + sum(lengths)
            stream.seek(begin)
            available = min(item.file_size, size - begin)
            if not mapped:
                arrays[name] = read_array(stream, available, what)
                continue
            shape, dtype, order = read_array_header(stream, available, what)
            array = np.ndarray(shape, dtype, content, stream.tell(), order=order)
            arrays[name] = np.require(array, requirements=["ALIGNED"])
    return arrays


def read_array(stream: IO[bytes], size: int, what: str) -> np.ndarray:
    """Read a .npy of `size` bytes, header included; the array can be written to."""
    shape, dtype, order = read_array_header(stream, size, what)
    content = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    # Every stream of bytes has it, but typing.IO lacks it.
    if stream.readinto(content) != len(content):  # type: ignore[attr-defined]
        raise InputError(f"{what}: cut short")
    return np.ndarray(shape, dtype, content, order=order)


def load_arrays(
    path: str | Path, kind: str, verify: bool = True, mapped: bool = False
) -> tuple[dict, dict[str, np.ndarray]]:
    """Read a file of `save_arrays`: its header and its arrays.

    Parameters
    ----------
    kind : what the file must be.
    verify : compare the contents with their hash.
    mapped : leave the arrays in the file, see `read_members`. For files that nobody
        writes while they are in use.

    Raises
    ------
    InputError : missing, not such a file, of another kind, of a newer version, cut
        short or altered.
    """
    path = Path(path)
    size = check_regular(path, LARGEST_FILE)
    try:
        arrays = read_members(path, size, mapped)
    except InputError:
        raise
    # One wrong bit can lead zipfile and zlib into a dozen kinds of exceptions
    # (NotImplementedError, UnicodeDecodeError, OverflowError ...): the file is broken.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{path}: not a readable .npz (cut short or damaged?): {reason}"
        ) from error
    text = arrays.pop(HEADER).tobytes()
    header = check_kind(
        parse_json(text, f"{path}: {HEADER}", LARGEST_HEADER), dict, path
    )
    found = take(header, "kind", str, path)
    version = take(header, "version", int, path)
    if found != kind:
        raise InputError(
            f"{path}: holds {found[:40]!a}, expected {kind!r} (is it the "
            "right file for this option?)"
        )
    if version > VERSIONS[kind]:
        raise InputError(
            f"{path}: {kind} format {version}, this version of mrnn_np "
            f"reads up to {VERSIONS[kind]}: install a newer mrnn_np"
        )
    if verify and header.get("content_sha256") != content_hash(header, arrays):
        raise InputError(f"{path}: contents do not match their hash: damaged file")
    return header, arrays
