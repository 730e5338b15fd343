"""Runs cases one after another in a process of its own, each under its limits.

Knows: limits of the system, what a case left behind. Does not know: readers.
"""

import contextlib
import ctypes
import gc
import io
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import traceback
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzzing.limits import HANG, Target, Wrong, check_chain, check_line
from fuzzing.mutations import special
from mrnn_np.runtime.errors import InputError


@dataclass(frozen=True)
class Outcome:
    """How one case ended.

    seconds, megabytes : processor time, and memory above what there was before.
    wrong : what is wrong with it, "" for a case that ended well.
    place : where, to tell faults apart.
    refused : whether it was an InputError.
    """

    seconds: float
    megabytes: float
    wrong: str = ""
    place: str = ""
    refused: bool = False


class TookTooLong(BaseException):
    """Raised by a signal: no reader's `except Exception` catches it."""


def generator(target: Target, seed: int, number: int) -> np.random.Generator:
    """Return the random numbers of a case: the same whatever ran before it."""
    return np.random.default_rng([seed, number, zlib.crc32(target.name.encode())])


def run_case(target: Target, seed: int, number: int, folder: Path) -> Outcome:
    """Make the input of a case in an empty folder, read it, and judge the end."""
    rng = generator(target, seed, number)
    place, temporary = folder / "case", folder / "tmp"
    for each in (place, temporary):
        each.mkdir()
    os.chdir(place)
    tempfile.tempdir = str(temporary)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's, of what is done on purpose
        argument = target.make(rng, place)
    if isinstance(argument, Path) and argument.exists() and rng.random() < 0.01:
        special(rng, argument)
    tidy()
    before = contents(place)
    with spied(folder / "spy") as spy:
        start, resident = processor_time(), reset_peak()
        wrong, where, refused = attempt(target, argument)
        used = processor_time() - start
        grown = max(0.0, peak() - resident)
    if not wrong and (written := spy()):
        wrong = f"written to standard output or error: {written[:200]!r}"
    if not wrong and not target.writes and (changed := difference(before, place)):
        wrong = f"files changed or left: {changed}"
    if not wrong and (left := os.listdir(temporary)):
        wrong = f"temporary files left: {left[:3]}"
    if not wrong and used > target.seconds:  # C code that no signal stops
        wrong = f"took {used:.1f} s of processor time, allowed are {target.seconds:g}"
    if not wrong and grown > target.megabytes:  # in what was mapped before
        wrong = f"took {grown:.0f} MB, allowed are {target.megabytes}"
    return Outcome(used, grown, wrong, where or wrong[:40], refused)


def tidy() -> None:
    """Give back the memory that making an input took: a reader must ask for its own."""
    gc.collect(0)
    with contextlib.suppress(OSError, AttributeError):  # other systems than glibc's
        ctypes.CDLL(None).malloc_trim(0)


def attempt(target: Target, argument) -> tuple[str, str, bool]:
    """Return what is wrong, where, and whether the input was refused."""
    try:
        with limited(target), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                target.read(argument)
                refused = False
            except InputError as error:
                refused = True
                check_chain(error)
                check_line(str(error))
        if warned:
            first = warned[0]
            where = f"{first.filename.rpartition('/')[2]}:{first.lineno}"
            return f"warns: {first.category.__name__}: {first.message}", where, refused
        return "", "", refused
    except Wrong as error:
        behind = error.__context__
        where = place_of(behind) if behind is not None else str(error)[:60]
        return str(error), where, False
    except TookTooLong as error:
        return f"took too long: {error}", place_of(error), False
    except (Exception, SystemExit) as error:
        summary = traceback.format_exception_only(error)[-1].strip()[:300]
        return f"{place_of(error)}: {summary}", place_of(error), False


def place_of(error: BaseException) -> str:
    """Return file and line of the innermost frame of this project."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/mrnn_np/" in f.filename] or frames
    return f"{ours[-1].filename.rpartition('/mrnn_np/')[2]}:{ours[-1].lineno}"


@contextlib.contextmanager
def limited(target: Target):
    """Allow seconds and memory; raises TookTooLong or MemoryError inside."""

    def too_long(number, frame):
        clock = "processor time" if number == signal.SIGPROF else "waiting"
        raise TookTooLong(f"{clock}, allowed are {target.seconds:g} s")

    old = [(s, signal.signal(s, too_long)) for s in (signal.SIGPROF, signal.SIGALRM)]
    space, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0])
    most = in_use * resource.getpagesize() + (target.megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    # Again and again: a signal that arrives inside of a callback is swallowed there.
    signal.setitimer(signal.ITIMER_PROF, target.seconds, 1.0)
    signal.setitimer(signal.ITIMER_REAL, max(HANG, 10 * target.seconds), 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (space, hard))
        for number, handler in old:
            signal.signal(number, handler)


@contextlib.contextmanager
def spied(path: Path):
    """Send what anybody writes to standard output and error, C libraries too, away.

    Yields a function that returns it.
    """
    kept = [os.dup(1), os.dup(2)]
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    for number in (1, 2):
        os.dup2(handle, number)
    os.close(handle)
    replaced = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = python = io.StringIO()
    try:
        yield lambda: python.getvalue().encode(errors="replace") + path.read_bytes()
    finally:
        sys.stdout, sys.stderr = replaced
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)


def processor_time() -> float:
    """Return seconds used by this process and by those it has waited for."""
    return sum(os.times()[:4])


def reset_peak() -> float:
    """Begin to measure the most memory; return what there is now, in MB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """Return the most memory since `reset_peak`, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def contents(folder: Path) -> dict[str, tuple]:
    """Return path -> kind, size and time of last change of all that is in a folder."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            status = os.lstat(path)
            size, time = status.st_size, status.st_mtime_ns
            if stat.S_ISDIR(status.st_mode):  # what is in it has its own line
                size = time = 0
            found[path] = (status.st_mode, status.st_ino, size, time)
    return found


def difference(before: dict, folder: Path) -> str:
    """Say which file is another than before, "" for none."""
    now = contents(folder)
    other = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    return ", ".join(sorted(other)[:3])


def clear(folder: Path) -> None:
    """Empty a folder, whatever lies in it."""
    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
