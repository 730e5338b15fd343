"""What a file declares, bounded before memory or time is spent on it.

A file is made by somebody else, or by an accident. Its header may say that 16 numbers
are a matrix of 2^40 rows, its zip may unpack to a thousand times its length, its JSON
may hold an integer that takes minutes to read. Nothing of that is wrong by itself, so
every declaration is compared with a limit before it is acted upon: lengths before they
are multiplied, a product before it is allocated. What is beyond a limit is an
`InputError`, one line.

Every limit is far beyond anything real and far below what hurts; the reason stands
beside it.

Arrays and zips are in untrusted_arrays.py.

Knows: bytes, JSON, kinds of values. Does not know: what a file is for.
"""

import json
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from mrnn_np.runtime.errors import InputError

KINDS = {
    dict: "an object", list: "a list", str: "a text", int: "a whole number",
    float: "a number", bool: "true or false",
}  # fmt: skip
LONGEST_AXIS = (1 << 63) - 1  # what an index can count; 19 digits
MOST_DIGITS = 300  # of an integer in JSON: any with fewer can become a float
DEEPEST = 64  # nested lists and objects; our deepest header has 5
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def read_bounded(path: str | Path, limit: int, what: str = "") -> bytes:
    """Return the contents of a regular file of at most `limit` bytes.

    A pipe would be waited for without end, and ``/dev/zero`` read without end.

    Parameters
    ----------
    limit : bytes.
    what : what the file is, for the errors ("a config").

    Raises
    ------
    InputError : missing, not a regular file, larger, or not readable.
    """
    size = check_regular(path, limit, what)
    try:
        with open(path, "rb") as stream:
            # Python takes memory for all that it is asked to read, before it reads.
            content = stream.read(size + 1)
            if len(content) > size:  # it has grown meanwhile, or has no length (/proc)
                content += stream.read(limit + 1 - len(content))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > limit:
        raise _too_large(path, limit, what)
    return content


def check_regular(path: str | Path, limit: int, what: str = "") -> int:
    """Return the length of a regular file in bytes, of at most `limit`.

    Raises
    ------
    InputError : missing, not a regular file, or larger.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: is a folder, not {what or 'a file'}")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(
            f"{path}: is a pipe or a device, not {what or 'a file'}: save what it "
            "gives to a file"
        )
    if found.st_size > limit:
        raise _too_large(path, limit, what)
    return found.st_size


def _too_large(path: str | Path, limit: int, what: str) -> InputError:
    return InputError(
        f"{path}: larger than {limit} bytes, the limit for {what or 'such a file'}"
    )


def parse_json(content: str | bytes, what: str, limit: int) -> Any:
    """Return the value that a JSON text of at most `limit` bytes stands for.

    Parameters
    ----------
    content : text, or bytes in UTF-8.
    what : file and part, for the errors, which begin with it.

    Raises
    ------
    InputError : too long, not UTF-8, not JSON (names the line), nested too deeply, an
        absurd integer, a name twice in one object (which of the two values is meant?),
        or half a surrogate pair, which JSON can spell and no file or terminal can take.
    """
    if len(content) > limit:
        raise InputError(f"{what}: {len(content)} bytes of JSON, more than {limit}")
    try:
        if isinstance(content, bytes):
            content = content.decode("utf-8-sig")
        value = json.loads(content, object_pairs_hook=_object, parse_int=_integer)
        if not _nested_at_most(value, DEEPEST):
            raise RecursionError
        if HALF_CHARACTER.search(content):  # of a pair, or alone
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{what}:{line}: not UTF-8 text") from None
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise InputError(
            f"{what}: holds half a character ({half} without its other half)"
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(f"{what}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise InputError(f"{what}: JSON nested more than {DEEPEST} deep") from None
    except _Absurd as error:
        raise InputError(f"{what}: {error}") from None
    return value


class _Absurd(ValueError):
    """Something inside a JSON text that is not believed."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, n in Counter(n for n, _ in pairs).items() if n > 1)
        raise _Absurd(f"{twice[:60]!a} stands twice in one JSON object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _Absurd(f"an integer of {len(digits)} digits, at most {MOST_DIGITS}")
    return int(digits)


def _nested_at_most(value: Any, most: int) -> bool:
    """Whether no element lies inside more than `most` lists and objects."""
    level = [value]
    for _ in range(most + 1):
        containers = [one for one in level if isinstance(one, list | dict)]
        if not containers:
            return True
        level = []
        for one in containers:
            level.extend(one.values() if isinstance(one, dict) else one)
    return False


def check_kind(value: Any, kind: type, where: str | Path) -> Any:
    """Return the value if it is of that kind; InputError names where it stands.

    A truth value is no whole number, a whole number is a number (float).
    """
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (
        isinstance(value, bool) and kind is not bool
    ):
        raise InputError(f"{where}: expected {KINDS[kind]}, got {shown(value)}")
    return value


def take(entry: dict, key: str, kind: type, where: str | Path) -> Any:
    """Return ``entry[key]``; InputError where it is missing or of another kind."""
    if key not in entry:
        raise InputError(f"{where}: has no {key!r}")
    return check_kind(entry[key], kind, f"{where}: {key}")


def shown(value: Any) -> str:
    """Return the beginning of a value of any size, as an error can show it."""
    if isinstance(value, dict | list | tuple):
        return f"{KINDS[dict if isinstance(value, dict) else list]} of {len(value)}"
    if isinstance(value, int) and abs(value) > LONGEST_AXIS:  # writing it takes time
        return "an integer beyond 64 bits"
    return f"{value[:40]!a}" if isinstance(value, str) else str(value)[:40]
