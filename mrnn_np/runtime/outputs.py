"""Every output of every command: where it may go, and how it gets there.

One rule, kept before any work is done (`check_places`): an output replaces nothing but
an earlier one of its kind. It is refused where it resolves to something the command
reads, to another output, to what is no regular file, or to a file of another kind.

One way to write (`atomic_write`): beside the goal, and renamed at the end, so that a
crash or a full disk never costs the old file. A link is followed: what it points to
is written, and the link stays.

Knows: files and links. Does not know: what stands in them; who writes a kind of file
says how it begins (`Output.beginning`).
"""

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import json_text, show_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module's name that may be None

STDOUT = "-"  # in place of a file for JSON
UNFINISHED = ".unfinished"  # the end of the name of a file that is being written
HEAD = 1 << 16  # bytes of a file that are looked at to tell what it is


@dataclass(frozen=True)
class Output:
    """A file that a command will write, or a folder that it keeps its blocks in.

    Fields
    ------
    path : where; None for one that nobody asked for, STDOUT for standard output.
    option : that asks for it, as an error names it.
    kind : what it is, with its article: "a page of mrnn-np".
    beginning : regular expression; only a file that begins so is replaced. None: any.
    folder : whether it is a folder of blocks, which are deleted in the end.
    """

    path: str | Path | None
    option: str = "the output"
    kind: str = ""
    beginning: bytes | None = None
    folder: bool = False


def json_place(text: str) -> Path | str:
    """Return what --json names: a path, or STDOUT; a file ``-`` is written ``./-``."""
    return text if text == STDOUT else Path(text)


def json_output(
    path: str | Path | None, option: str, kind: str, old_keys: Iterable[str]
) -> Output:
    """Describe a file of `write_json` whose first entry is ``"kind": kind``.

    Parameters
    ----------
    old_keys : the first ones of such files before they said their kind.
    """
    old = "".join(rf' "{key}": [^\n]*\n' for key in old_keys)
    beginning = rf'\{{\n( "kind": "{kind}",|{old})'.encode()
    return Output(path, option, f"a file of {kind} of mrnn_np", beginning)


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON to a file, whole or not at all, or to stdout (STDOUT).

    Halves of characters, which UTF-8 cannot spell, are written as JSON's escapes.
    """
    if path == STDOUT:
        show_json(value)
        return
    with atomic_write(path) as temporary:
        text = json_text(value) + "\n"
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def check_places(
    *outputs: Output | str | Path | None, inputs: Iterable[str | Path] = ()
) -> None:
    """Refuse outputs that would overwrite something or cannot be written.

    Parameters
    ----------
    outputs : all that a command writes; a path alone may replace any file. Their
        folders are made.
    inputs : the files that the command reads.

    Raises
    ------
    InputError : see the rule above; or a path that is a folder, or a folder that
        cannot be made or written to.
    """
    written = [o if isinstance(o, Output) else Output(o) for o in outputs]
    written = [o for o in written if o.path is not None and o.path != STDOUT]
    read = [Output(path) for path in inputs]
    for number, output in enumerate(written):
        for source in read:
            if _meet(output, source):
                raise InputError(
                    f"{output.path}: {output.option} would overwrite {source.path}, "
                    "which is read: name another file"
                )
        for other in written[:number]:
            if _meet(output, other):
                raise InputError(
                    f"{output.path}: {other.option} and {output.option} would "
                    "overwrite each other: name two places"
                )
    for output in written:
        _check_place(output)


def _meet(one: Output, other: Output) -> bool:
    """Whether two paths are one file, or one lies in the other, a folder of blocks."""
    assert one.path is not None and other.path is not None  # else nothing is written
    first, second = (Path(os.path.realpath(path)) for path in (one.path, other.path))
    if first == second:
        return True
    if one.folder and second.is_relative_to(first):
        return True
    if other.folder and first.is_relative_to(second):
        return True
    try:  # hard links, and names that differ in case where that does not count
        return os.path.samefile(first, second)
    except OSError:
        return False


def _check_place(output: Output) -> None:
    path = output.path
    assert path is not None  # else nothing is written
    with _named(path):
        goal = resolve(path, output.folder)
        goal.parent.mkdir(parents=True, exist_ok=True)
        # As it will be written: its name may be too long for the file system.
        handle, temporary = _new_file(goal)
        os.close(handle)
        temporary.unlink()
        if output.folder or not goal.exists():
            return
        if not os.access(goal, os.W_OK):
            raise InputError(f"{path}: cannot be written: it is read-only")
        with open(goal, "rb") as stream:
            head = stream.read(HEAD)
        found = os.stat(goal)
    for number, name in ((1, "standard output"), (2, "standard error")):
        if _is_stream(number, found):
            raise InputError(
                f"{path}: {name} goes there already: name another file for "
                f"{output.option}"
            )
    # An empty file, as `mktemp` makes it, holds nothing that could be lost.
    if output.beginning and head and not re.match(output.beginning, head, re.DOTALL):
        raise InputError(
            f"{path}: exists and is not {output.kind}, so {output.option} does not "
            "replace it: delete it or name another file"
        )


def resolve(path: str | Path, folder: bool = False) -> Path:
    """Return where a path leads, through all links; nothing needs to be there yet.

    Parameters
    ----------
    folder : whether it is to be a folder, not a regular file.

    Raises
    ------
    InputError : something else is there. OSError : links that lead in a circle.
    """
    goal = Path(os.path.realpath(path))
    # Both are asked: a link to a descriptor (/dev/fd/1) leads to what has no path, and
    # a/../b leads to b although there is no folder a yet.
    for place in (path, goal):
        try:
            mode = os.stat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISDIR(mode) and not folder:
            raise InputError(f"{path}: is a folder, but a file is to be written there")
        if folder and not stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a file, but a folder is to be made there")
        if not folder and not (stat.S_ISREG(mode) and goal.exists()):
            raise InputError(
                f"{path}: is no regular file but a pipe, a device or the like: name a "
                "file (--json takes - for standard output)"
            )
    return goal


def _is_stream(number: int, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(number), found)
    except OSError:  # closed
        return False


@contextlib.contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Turn an OSError into the line that says where it happened."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be written: {reason}") from error


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path; rename it to `path` once the block ended well.

    What stood at `path` gives the new file its permissions. Files that earlier writers
    left unfinished beside it, because they were killed, are deleted.

    Raises
    ------
    InputError : the file cannot be written (no such folder, disk full), or `path` is
        no regular file; whatever stood there before still stands there.
    """
    handle = temporary = None
    with _named(path):
        try:
            goal = resolve(path)
            goal.parent.mkdir(parents=True, exist_ok=True)
            delete_unfinished(goal)
            handle, temporary = _new_file(goal)
            yield temporary
            os.fsync(handle)
            temporary.chmod(_permissions(goal))
            if fcntl is None:  # Windows renames no open file
                os.close(handle)
                handle = None
            os.replace(temporary, goal)
            _sync_folder(goal.parent)
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            if handle is not None:
                os.close(handle)


def _new_file(goal: Path) -> tuple[int, Path]:
    """Create an empty file beside the goal, locked while its writer lives.

    Between its creation and the lock somebody may delete it as left behind.
    """
    while True:
        handle, name = tempfile.mkstemp(UNFINISHED, f".{goal.name}.", goal.parent)
        if fcntl is None:
            return handle, Path(name)
        with contextlib.suppress(OSError):  # a file system that has no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if is_same_file(handle, name):
            return handle, Path(name)
        os.close(handle)


def is_same_file(handle: int, path: str | Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def delete_unfinished(goal: Path) -> None:
    """Delete what dead writers left beside a goal.

    A lock ends with its process, however that ends, so who can lock such a file knows
    that its writer is gone. Where there are no locks nothing is deleted: a process
    number would not do, the writer may be on another machine.
    """
    if fcntl is None:
        return
    begin, names = f".{goal.name}.", []
    with contextlib.suppress(OSError):  # a folder that may be written, but not listed
        names = os.listdir(goal.parent)
    for name in names:
        if name.startswith(begin) and name.endswith(UNFINISHED):
            left = goal.parent / name
            with contextlib.suppress(OSError), open(left, "rb+") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


def _permissions(goal: Path) -> int:
    """Return those of the file that is there, or of any new file."""
    try:
        return stat.S_IMODE(os.stat(goal).st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    """Make a renaming outlast a power cut, where folders can be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
