"""The fields of a config hold what its class declares.

A dataclass says ``epochs: int`` and takes anything: True, "16" and 1e3 go through the
constructor and go wrong somewhere else, or nowhere. A config's ``__post_init__`` calls
`check_fields` and then looks at ranges, which it can do since the types are right.

Knows: annotations. Does not know: what a field means, which values are in range.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
LARGEST = 2**63  # what NumPy can count


def check_fields(config: "DataclassInstance") -> None:
    """Refuse a dataclass with a field that is not of the type in its annotation.

        int     a whole number that NumPy can count, no truth value
        float   such a number, or a real one that is not NaN
        bool    True or False
        str     a text

    Parameters
    ----------
    config : instance of a dataclass of such fields; others are not looked at.

    Raises
    ------
    InputError : names the field, what it must be and what it is.
    """
    for field in dataclasses.fields(config):
        if field.type in NAMES and not _is(getattr(config, field.name), field.type):
            raise InputError(
                f"{field.name} must be {NAMES[field.type]}, not "
                f"{shown(getattr(config, field.name))}"
            )


def _is(value: object, kind: type) -> bool:
    if kind in (bool, str) or isinstance(value, bool):
        return type(value) is kind
    if isinstance(value, int):
        return -LARGEST <= value < LARGEST
    return kind is float and isinstance(value, float) and not math.isnan(value)
