"""JSON files of data sets, where every entry is looked at before it is believed.

Knows: how to name an entry that is wrong. Does not know: JSON
(`mrnn_np.runtime.untrusted`), or any data set.
"""

from mrnn_np.data.text_files import LARGEST_FILE, decode
from mrnn_np.runtime import untrusted
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import LONGEST_AXIS, check_kind, take


def parse_json(label: str, content: bytes) -> dict:
    """Return the object that a JSON file holds.

    Raises
    ------
    InputError : not JSON (it names the line), absurd JSON (see `untrusted.parse_json`),
        or something else than an object.
    """
    data = untrusted.parse_json(decode(label, content), label, LARGEST_FILE)
    return check_kind(data, dict, label)


def take_id(entry: dict, key: str, where: str) -> int:
    """Return the number ``entry[key]`` of an image, of 64 bits.

    Larger ones could be chosen so that all have one hash, and a dict of n of them takes
    n^2 comparisons.
    """
    number = take(entry, key, int, where)
    if abs(number) > LONGEST_AXIS:
        raise InputError(f"{where}: {key}: an integer beyond 64 bits")
    return number


def objects(data: dict, key: str, label: str) -> list[tuple[str, dict]]:
    """Return (where, object) for every element of the list ``data[key]``."""
    found = []
    for index, entry in enumerate(take(data, key, list, label)):
        where = f"{label}: {key}[{index}]"
        found.append((where, check_kind(entry, dict, where)))
    return found
