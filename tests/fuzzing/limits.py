"""What a case may cost, and what counts as a good end of it. THE table of limits.

A case ends well with a result, or with an InputError whose text is one line of at most
`LONGEST_LINE` characters,
without any that command a terminal. It does so within its target's limits:

    seconds     of processor time, user and system. Ten times as many may pass on the
                clock (never less than HANG): whoever waits for a FIFO uses none.
    megabytes   of address space, above what the process has when the case begins
                (RLIMIT_AS). A MemoryError is a failure even where a reader turns it
                into an InputError: on a machine with more memory it would be a cost.

It is a failure too, if a case warns, if a C library writes to the standard output or
error, if a file that was there is changed, or if one is there at the end that nobody
asked for.

Knows: numbers and rules. Does not know: readers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LONGEST_LINE = 1000  # characters of an error; lists of what is known take 300
# What no line for a terminal may hold: control characters, line ends, what changes the
# direction of writing, halves of characters.
COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
HANG = 20.0  # seconds on the clock, at least

# kind of target -> (seconds of processor time, megabytes). A whole case on a good input
# takes less than 0.02 s and 10 MB by a reader, 0.5 s and 100 MB by a command, which
# starts threads (each takes 64 MB of address space before it does anything).
LIMITS = {
    "text": (3.0, 64),
    "container": (3.0, 192),  # a network has two threads, each with 64 MB of its own
    "weights": (5.0, 64),
    "dataset": (4.0, 64),
    # A picture of 64 million pixels, the most that is read, has 192 MB as RGB, and
    # twice that while it is turned or made opaque.
    "picture": (8.0, 1024),
    "command": (12.0, 1024),
}


@dataclass(frozen=True)
class Target:
    """Something under test; see the package for how to write one.

    name : of --only.
    kind : a row of LIMITS.
    make : (rng, folder) -> argument of `read`.
    read : argument -> anything, or InputError.
    weight : how many cases it gets beside the others.
    writes : whether files in the folder may come and go (`read` checks them itself).
    """

    name: str
    kind: str
    make: Callable[[np.random.Generator, Path], Any]
    read: Callable[[Any], Any]
    weight: int = 1
    writes: bool = False

    @property
    def seconds(self) -> float:
        return LIMITS[self.kind][0]

    @property
    def megabytes(self) -> int:
        return LIMITS[self.kind][1]


class Wrong(Exception):
    """A case that did not end well; the text says how."""


def check_line(line: str) -> None:
    """Raise Wrong unless this is a line that a terminal can show."""
    if len(line) > LONGEST_LINE:
        raise Wrong(f"an error of {len(line)} characters: {line[:60]!r} ...")
    if COMMANDS.search(line):
        raise Wrong(f"an error with control characters or line ends: {line!r}")
    if not line.strip():
        raise Wrong("an error without a text")


def check_chain(error: BaseException | None) -> None:
    """Raise Wrong where a MemoryError lies behind an InputError."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            raise Wrong(f"a MemoryError behind an InputError: {error}")
        error = error.__cause__ or error.__context__
