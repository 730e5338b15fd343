"""What people read while a command runs: results, remarks, and how far work has come.

`show` writes a line of results to stdout, `say` a remark to stderr. Both pass through
`printable`, the one place where text meets a terminal. File names, captions and words
come from strangers: printed as they are, an escape sequence among them could clear the
screen or put a false line on it, and a letter that the terminal's encoding lacks would
end a command after hours of work.

Knows: stdout and stderr. Does not know: what the work is.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TextIO, TypeGuard, TypeVar

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.lines import escape, harmless

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 15.0
STDERR = threading.RLock()  # held by whoever writes to it


def printable(text: str, encoding: str | None = None) -> str:
    """Return a line in which nothing commands a terminal.

    What does, and what the encoding cannot spell, becomes an escape as JSON has it
    (``\\n``, ``\\u001b``, ``\\ud83d\\ude00``): a line of JSON still means the same.

    Parameters
    ----------
    text : one line; a line feed in it is shown as ``\\n``.
    encoding : of the stream, UTF-8 when None.
    """
    text = harmless(text)
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(c if _can_encode(c, encoding) else escape(c) for c in text)
    return text


def _can_encode(character: str, encoding: str) -> bool:
    try:
        return bool(character.encode(encoding))
    except UnicodeEncodeError:
        return False


def show(line: str = "") -> None:
    """Write one line of results to stdout, at once.

    Raises
    ------
    BrokenPipeError : the reader has gone away, as `head` does.
    InputError : stdout cannot be written to (a full disk).
    """
    _write_results(printable(line, _encoding(sys.stdout)) + "\n")


def show_json(value: Any) -> None:
    """Write results to stdout as JSON; raises what `show` raises."""
    lines = json_text(value).split("\n")
    encoding = _encoding(sys.stdout)
    _write_results("".join(f"{printable(line, encoding)}\n" for line in lines))


def json_text(value: Any) -> str:
    """Return JSON as this project writes it, to files and to stdout."""
    return json.dumps(value, indent=1, ensure_ascii=False)


def flush() -> None:
    """Write what others have printed to stdout; raises what `show` raises."""
    _write_results("")


def _write_results(text: str) -> None:
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"standard output: cannot be written: {reason}") from error


def say(message: str) -> None:
    """Write one line to stderr (results go to stdout, remarks to stderr).

    A remark that cannot be written is left out: no work ends for it. Nor for one of a
    signal handler that comes amid another (RuntimeError).
    """
    with STDERR, contextlib.suppress(OSError, RuntimeError):
        _write(sys.stderr, printable(message, _encoding(sys.stderr)) + "\n")


def _is_open(stream: TextIO | None) -> TypeGuard[TextIO]:
    """Whether there is a stream: there is none after `>&-`."""
    return stream is not None and not getattr(stream, "closed", False)


def _encoding(stream: TextIO | None) -> str | None:
    return getattr(stream, "encoding", None)


def _write(stream: TextIO | None, text: str) -> None:
    """Write a text at once, where there is a stream."""
    if not _is_open(stream):
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        _give_up(stream)
        raise


def _give_up(stream: TextIO) -> None:
    """Lead a stream nowhere from now on.

    What it holds would be written again when Python ends, fail again, and be reported
    in three lines of Python's own.
    """
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is no file
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


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
    if total is None and isinstance(items, Sized):
        total = len(items)
    if _is_open(sys.stderr) and sys.stderr.isatty():
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
