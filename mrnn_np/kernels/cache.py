"""Machine code of the kernels: kept on disk, and a line when it has to be made.

Numba keeps what it compiled beside the kernels (``__pycache__``), or where that cannot
be written in the user's own cache folder, or first of all in ``$NUMBA_CACHE_DIR``. It
compiles anew when a file of kernels changes, for another processor and for another
version of Numba. Describing the first photograph compiles for 8 s of the 9 that it
takes; from then on the kernels are loaded in 0.1 s. Processes that compile at the same
time keep their work one after the other.

Knows: Numba's cache and its events. Does not know: what a kernel computes.
"""

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
from numba.core import event
from numba.core.caching import IndexDataCacheFile

from mrnn_np.runtime.outputs import fcntl
from mrnn_np.runtime.progress import say


class Notice(event.Listener):
    """Says on stderr, once a process, that kernels are being compiled."""

    said = False
    failed = False  # whether it was said that one could not be kept

    def on_start(self, event: event.Event) -> None:
        module = event.data["dispatcher"].py_func.__module__
        if not self.said and module.startswith("mrnn_np."):
            self.said = True
            say("compiling kernels for this machine, once: this takes some seconds")

    def on_end(self, event: event.Event) -> None:
        pass


NOTICE = Notice()


def use_cache() -> None:
    """Make sure that kernels can be declared with ``cache=True``, and announce work.

    Numba refuses such a kernel, at import, where it finds no folder to write to: an
    installed package that belongs to somebody else, in an account without a home. Then
    a temporary folder serves, for this process only.
    """
    event.register("numba:compile", NOTICE)
    IndexDataCacheFile.save = keep_if_possible(IndexDataCacheFile.save)
    try:
        numba.njit(cache=True)(use_cache)  # looks for the folder, compiles nothing
    except RuntimeError:
        # A fixed name would be safer to find again, and for everybody else to fill:
        # machine code is only ever loaded from a folder that is ours alone.
        folder = tempfile.mkdtemp(prefix="mrnn_np-kernels-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba.config.CACHE_DIR = folder
        say(
            "compiled kernels cannot be kept, every start makes them anew: set "
            "NUMBA_CACHE_DIR to a folder that can be written"
        )


def keep_if_possible(save: Callable) -> Callable:
    """Return Numba's way to keep a kernel, which a full disk no longer stops.

    The kernel is compiled by then, and Numba takes away what it wrote of it: so the
    command that needs it goes on, and the next one compiles it anew.
    """

    @functools.wraps(save)
    def kept(cache: IndexDataCacheFile, *arguments: object) -> None:
        try:
            with alone_in(cache._cache_path):
                save(cache, *arguments)
        except OSError as error:
            if not NOTICE.failed:
                NOTICE.failed = True
                reason = error.strerror or error
                say(f"a compiled kernel cannot be kept ({reason}); this run goes on")

    return kept


@contextlib.contextmanager
def alone_in(folder: str) -> Iterator[None]:
    """Wait until no other process keeps a kernel in a folder, and hold them off.

    Numba reads the list of what is kept, takes the first free name and writes the list
    anew. Two that do so at the same moment take one name for two kernels, and from then
    on the code for float64 is called with arrays of float32, which is a TypeError until
    the cache is deleted. Without locks (Windows, some file systems) it can happen.
    """
    handle = None
    if fcntl is not None:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):  # a fork of this process has it open too
                fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)


def sources_stamp(folder: Path) -> int:
    """Return a number that changes with the sources in a folder."""
    stamp = 0
    for file in sorted(folder.glob("*.py")):
        stamp = zlib.crc32(file.read_bytes(), stamp)
    return stamp
