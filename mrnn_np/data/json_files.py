"""JSON files of data sets, where every entry is looked at before it is believed.

Knows: JSON, and how to name an entry that is wrong. Does not know: any data set.
"""

import json
from typing import Any

from mrnn_np import untrusted
from mrnn_np.data.text_files import decode
from mrnn_np.errors import InputError
from mrnn_np.untrusted import check_kind


def parse_json(label: str, content: bytes) -> dict:
    """Return the object that a JSON file holds.

    Raises
    ------
    InputError : not JSON (it names the line), or something else than an object.
    """
    try:
        data = json.loads(decode(label, content))
    except json.JSONDecodeError as error:
        raise InputError(f"{label}:{error.lineno}: not JSON: {error.msg}") from None
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # absurd numbers, absurd nesting
        raise InputError(f"{label}: not JSON that can be read: {error}") from None
    return check_kind(data, dict, label)


def take(entry: dict, key: str, kind: type, where: str) -> Any:
    """Return ``entry[key]``; InputError where it is missing or of another kind."""
    value = untrusted.take(entry, key, kind, where)
    if kind is str:  # JSON can spell halves of characters, which no file can hold
        value = value.encode("utf-8", "replace").decode("utf-8")
    return value


def objects(data: dict, key: str, label: str) -> list[tuple[str, dict]]:
    """Return (where, object) for every element of the list ``data[key]``."""
    found = []
    for index, entry in enumerate(take(data, key, list, label)):
        where = f"{label}: {key}[{index}]"
        found.append((where, check_kind(entry, dict, where)))
    return found
