"""What is done to inputs, whatever they mean: to bytes, to texts, to JSON.

Bytes are damaged as disks and networks do it (a bit, a cut, a part twice) and as
somebody would who wants to do harm (a length that is all ones, a number of 5,000
digits). JSON is changed where it means something: a value becomes one of another type,
a key is dropped or stands twice.

Knows: random changes. Does not know: who reads the result.
"""

import json
import os
import shutil
import string
from pathlib import Path

import numpy as np

WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1,
         2**64 - 1)  # fmt: skip
# Texts that are no words: control and escape sequences, signs that are invisible, turn
# the line around or stand for halves of characters, paths, and much of everything.
TEXTS = (
    "", " ", "\n", "\t", "\r", "\0", "\x1b[2J\x1b[31m", "\x7f", "\x9b31m", "\u202e",
    "\u2028", "\ufeff", "\ud800", "\U0001f600", "e\u0301" * 40, "../../x",
    "/etc/passwd",
    "a/b", "C:\\x", "nan", "-1", "1e999", "'\"`", "<script>", "%s{0}", "don't", "狗",
    "x" * 300, "x" * 70_000, "a " * 30_000, "&." * 16_000,
)  # fmt: skip


class Raw(str):
    """JSON written as it stands here, right or wrong."""


# JSON values of every type, and of sizes that nobody means.
VALUES = (
    None, True, False, 0, 1, -1, 3, 255, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0,
    1e-300, 1e300, float("nan"), float("inf"), [], {}, [[]], [None], {"": None}, [1, 2],
    {"a": 1}, ["a", "a"], Raw("1" * 5000), Raw("[" * 2000 + "]" * 2000),
    Raw("[" * 100_000), Raw('{"a":' * 3000 + "1" + "}" * 3000), Raw("-"),
    Raw("1e999999"),
    Raw('"\\ud800"'), Raw('"\\u0000"'), [0] * 50_000, {str(i): i for i in range(5000)},
)  # fmt: skip


def choose(rng: np.random.Generator, values):
    """Return one of the values. (`rng.choice` would make an array of them.)"""
    return values[int(rng.integers(len(values)))]


def some(rng: np.random.Generator, most: int = 4) -> range:
    """Return a range of 1 to `most` steps, few more often than many."""
    return range(1 + min(int(rng.geometric(0.5)) - 1, most - 1))


def text(rng: np.random.Generator) -> str:
    """Return a hostile text, or some letters."""
    if rng.random() < 0.8:
        return choose(rng, TEXTS)
    letters = [choose(rng, string.printable) for _ in range(int(rng.integers(1, 30)))]
    return "".join(letters)


def damage(rng: np.random.Generator, content: bytes) -> bytes:
    """Return the bytes with one to four faults in them."""
    for _ in some(rng):
        content = choose(rng, BYTE_FAULTS)(rng, content) if content else b"\0"
    return content


def _place(rng, content: bytes) -> tuple[int, int]:
    """Return a random stretch; short ones are as likely as long ones."""
    begin = int(rng.integers(len(content)))
    length = int((len(content) - begin) ** rng.random())
    return begin, begin + max(length, 1)


def flip(rng, content):
    changed = bytearray(content)
    for _ in some(rng, 16):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def truncate(rng, content):
    return content[: int(rng.integers(len(content)))]


def insert(rng, content):
    at = int(rng.integers(len(content) + 1))
    return content[:at] + rng.bytes(int(rng.integers(1, 40))) + content[at:]


def remove(rng, content):
    begin, end = _place(rng, content)
    return content[:begin] + content[end:]


def double(rng, content):
    begin, end = _place(rng, content)
    times = choose(rng, (1, 1, 2, 50)) if end - begin < 2000 else 1
    return content[:end] + content[begin:end] * times + content[end:]


def splice(rng, content):
    """Put a part where another one belongs."""
    begin, end = _place(rng, content)
    at = int(rng.integers(len(content)))
    return content[:at] + content[begin:end] + content[at + end - begin :]


def blank(rng, content):
    begin, end = _place(rng, content)
    return (
        content[:begin] + choose(rng, (b"\0", b"\xff")) * (end - begin) + content[end:]
    )


def number(rng, content):
    """Write a number that programs trip over, in 1, 2, 4 or 8 bytes."""
    width = choose(rng, (1, 2, 4, 8))
    value = choose(rng, WORDS) % 256**width
    at = int(rng.integers(len(content)))
    new = value.to_bytes(width, choose(rng, ("little", "big")))
    return content[:at] + new + content[at + width :]


def digits(rng, content):
    """Make a number that is written in digits another one."""
    places = [i for i, sign in enumerate(content) if 48 <= sign < 58]
    if not places:
        return flip(rng, content)
    at = choose(rng, places)
    new = choose(
        rng, (b"-1", b"0", b"99999999999", b"1" * 5000, b"1e999", b"0.5", b"x")
    )
    return content[:at] + new + content[at + 1 :]


BYTE_FAULTS = (
    flip,
    flip,
    truncate,
    insert,
    remove,
    double,
    splice,
    blank,
    number,
    digits,
)


def damage_text(rng: np.random.Generator, content: bytes) -> bytes:
    """Damage a text file: a hostile text put in, lines changed about, other encodings.

    One in three is damaged as bytes are.
    """
    if rng.random() < 0.33:
        return damage(rng, content)
    whole = content.decode("utf-8", "surrogateescape")
    for _ in some(rng):
        kind = int(rng.integers(5))
        rows = whole.split("\n")
        at = int(rng.integers(len(rows)))
        if kind == 0:
            rows.insert(at, choose(rng, rows))
        elif kind == 1:
            del rows[at]
        elif kind == 2:
            rows[at] = text(rng)
        else:
            place = int(rng.integers(len(rows[at]) + 1))
            cut = place + int(rng.integers(2)) * int(rng.integers(10))
            rows[at] = rows[at][:place] + text(rng) + rows[at][cut:]
        whole = "\n".join(rows)
    if rng.random() < 0.1:
        encoding = choose(
            rng, ("utf-16", "utf-16-le", "latin-1", "utf-8-sig", "utf-32")
        )
        return whole.encode(encoding, "replace")
    if rng.random() < 0.1:
        whole = whole.replace("\n", choose(rng, ("\r\n", "\r", "\n\n", "\x85")))
    return whole.encode("utf-8", "surrogatepass")


def value(rng: np.random.Generator):
    """Return a JSON value of any type."""
    return text(rng) if rng.random() < 0.3 else choose(rng, VALUES)


def change(rng: np.random.Generator, data):
    """Return JSON data with one to three changes at random places in it."""
    for _ in some(rng, 3):
        data = _change_one(rng, data)
    return data


def _change_one(rng, data, depth: int = 0):
    """Go down into the data for a random while, then change what is there."""
    inside = isinstance(data, (dict, list)) and len(data) > 0
    if not inside or (depth and rng.random() < 0.2):
        return value(rng)
    keys = list(data) if isinstance(data, dict) else range(len(data))
    key = choose(rng, keys)
    kind = rng.random()
    if kind < 0.75:
        changed = dict(data) if isinstance(data, dict) else list(data)
        changed[key] = _change_one(rng, data[key], depth + 1)
        return changed
    if isinstance(data, list):
        fewer = [item for i, item in enumerate(data) if i != key]
        return fewer if kind < 0.87 else [*data, data[key]]
    pairs = list(data.items())
    at = list(keys).index(key)
    if kind < 0.85:
        del pairs[at]
    elif kind < 0.92:
        pairs[at] = (text(rng), pairs[at][1])
    else:  # the same key twice: only as text
        pairs.append((key, value(rng)))
        inner = (f"{to_json(name)}: {to_json(item)}" for name, item in pairs)
        return Raw("{" + ", ".join(inner) + "}")
    return dict(pairs)


def to_json(data) -> str:
    """Write JSON, what is `Raw` as it stands."""
    if isinstance(data, Raw):
        return str(data)
    if isinstance(data, dict):
        pairs = (f"{json.dumps(str(key))}: {to_json(data[key])}" for key in data)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(to_json, data)) + "]"
    return json.dumps(data)


def damage_json(rng: np.random.Generator, data) -> bytes:
    """Return JSON of the data with changes of meaning, or with damaged bytes."""
    if rng.random() < 0.75:
        return to_json(change(rng, data)).encode()
    return damage_text(rng, json.dumps(data).encode())


def special(rng: np.random.Generator, path: Path) -> None:
    """Put something that is no regular file in the place of a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    kind = int(rng.integers(6))
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.touch()
    else:
        path.symlink_to(
            choose(rng, (path, "gone", "/dev/zero", "/dev/null", "/proc/self/mem"))
        )
