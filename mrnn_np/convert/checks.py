"""What every reader of a foreign weight file shares: opening, numbers, nesting.

Knows: how damage shows and how it is told. Does not know: any one format.
"""

import contextlib
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import check_regular

# What NumPy, zipfile, zlib, struct and json raise on bytes that are not as expected.
DAMAGE = (
    OSError, ValueError, TypeError, LookupError, EOFError, MemoryError, OverflowError,
    RecursionError, NotImplementedError, AttributeError, AssertionError, RuntimeError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
ByteOrder = Literal["<", ">"]  # little, big
LARGEST_FILE = 4 << 30  # bytes; VGG-16 with an optimiser's two moments has 1.7 GB
MOST_TENSORS = 20_000  # EfficientNet-B7, the largest known here, has 1,700
DEEPEST = 20  # nested dicts; a checkpoint within a checkpoint has 3
LONGEST_NAME = 1000  # characters with all prefixes; real ones have below 100


@contextlib.contextmanager
def readable(path: str | Path, form: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for a reader and turn whatever goes wrong into one clear line.

    Yields the stream and the file's length in bytes.
    """
    size = check_regular(path, LARGEST_FILE, "a file of weights")
    try:
        if not size:
            raise InputError("the file is empty")
        with open(path, "rb") as stream, warnings.catch_warnings():
            # Parsers warn of odd bytes; here they are read well or refused.
            warnings.simplefilter("ignore")
            yield stream, size
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except DAMAGE as error:
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"{path}: not a readable {form} file (cut short or damaged?): {detail}"
        ) from error


def floats(data: bytes, element: str, order: ByteOrder = "<") -> np.ndarray:
    """Give bytes their meaning: a flat array, bfloat16 widened to float32.

    bfloat16 is the upper half of a float32, so 16 zero bits behind it make one.
    """
    if element == "bf16":
        halves = np.frombuffer(data, np.dtype("u2").newbyteorder(order))
        return (halves.astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, np.dtype(element).newbyteorder(order))


def joined(prefix: str, key: object, sign: str) -> str:
    """Return the name of something inside of something named, with a sign between.

    A prefix is written once in the file and stands in front of every name below it: of
    0.5 MB and over 19,000 tensors it would become 9 GB.

    Raises
    ------
    InputError : the name is longer than any.
    """
    key = str(key)
    if len(prefix) + len(key) >= LONGEST_NAME:
        raise InputError(f"the name of a tensor has more than {LONGEST_NAME} letters")
    return f"{prefix}{sign}{key}" if prefix else key


def flatten(content: object, leaf: type, convert: Callable) -> dict[str, np.ndarray]:
    """Join the names of nested dicts with a dot and keep what is a `leaf`.

    Other things (an epoch number, optimiser settings) are left out.

    Raises
    ------
    InputError : not a dict, no tensor in it, nested without end, or names of no
        sensible length.
    """
    tensors = {}
    budget = MOST_TENSORS

    def walk(value: object, name: str, depth: int) -> None:
        nonlocal budget
        budget -= 1
        if budget < 0 or depth > DEEPEST:
            raise InputError("more or deeper nested entries than any weights have")
        if isinstance(value, leaf):
            tensors[name] = convert(value)
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, joined(name, key, "."), depth + 1)

    walk(content if isinstance(content, dict) else {}, "", 0)
    if not tensors:
        raise InputError("holds no tensors by name (a state_dict is needed)")
    return tensors
