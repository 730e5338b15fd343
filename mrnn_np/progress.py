"""Progress of long work: a bar on a terminal, a line now and then elsewhere.

Knows: how to report on stderr. Does not know: what the work is.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 15.0


def say(message: str) -> None:
    """Write one line to stderr (results go to stdout, remarks to stderr)."""
    print(message, file=sys.stderr, flush=True)


def progress(
    items: Iterable[Item], total: int | None = None, label: str = "", unit: str = "it"
) -> Iterator[Item]:
    """Yield the items and show how far the work has come.

    On a terminal this is a tqdm bar. Elsewhere (a log file, a notebook's pipe)
    it is one line every 15 seconds, so that logs stay readable.

    Parameters
    ----------
    items : the work, one element at a time.
    total : number of elements, taken from ``len(items)`` where it has one.
    label : what the work is called, at most a few words.
    unit : what one element is called ("image", "batch").
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, unit=unit, leave=False)
        return
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - start)
            share = f"{done}/{total}" if total else f"{done}"
            left = f", {(total - done) / rate:.0f} s left" if total and rate else ""
            say(f"{label}: {share} {unit}, {rate:.1f} {unit}/s{left}")
        yield item
