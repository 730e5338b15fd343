"""Calls of the command line, run inside of this process or as one of its own.

A call ends with status 0, 1 or 2. What it prints can be shown on a terminal, in the
encoding that the stream has; of a failure the last line on standard error says what is
wrong. Inputs stay as they are, outputs are where they were asked for, nothing else is
left, and what is not a regular file stays what it is.

Knows: processes and files. Does not know: commands.
"""

import contextlib
import fcntl
import io
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from fuzzing.limits import COMMANDS, LIMITS, LONGEST_LINE, Wrong
from fuzzing.worker import contents
from mrnn_np import cli
from mrnn_np.cli import bench, demo
from mrnn_np.convert import sources
from mrnn_np.metrics import meteor
from mrnn_np.runtime import machine
from mrnn_np.runtime.errors import InputError

PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Call:
    """One call.

    arguments : as `mrnn-np` gets them.
    folder : where it runs.
    outputs : paths that it was asked to write to.
    resumes : whether it may add to a file that is there.
    encoding : of its standard output and error.
    room : bytes that a file may grow to, as on a disk that is full; None for any.
    """

    arguments: list[str]
    folder: Path
    outputs: list[str]
    resumes: bool
    encoding: str
    room: int | None = None


@contextlib.contextmanager
def alone():
    """No network, no Java, no benchmarks: what a case is not about, and takes long."""

    def no_network(*arguments, **options):
        raise InputError("no network in these tests")

    done = mock.Mock(returncode=0)
    with (
        mock.patch.object(sources, "fetch", no_network),
        mock.patch.object(meteor, "unavailable", lambda: "not in these tests"),
        mock.patch.object(machine, "SECONDS", 0.001),
        mock.patch.object(machine, "SIZES", (8, 8, 8)),
        mock.patch.object(bench, "measured", lambda *arguments: iter([0])),
        mock.patch.object(bench.subprocess, "run", return_value=done),
        mock.patch.object(demo, "train_on_scenes", lambda epochs, page: None),
    ):
        yield


@contextlib.contextmanager
def judged(call: Call):
    """Look at the files before and after; hold the pipe open for who writes into it."""
    before = contents(call.folder)
    pipe = os.open(call.folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        yield
    finally:
        os.close(pipe)
    check_files(call, before)


@contextlib.contextmanager
def limited_files(room: int | None):
    """Let no file grow beyond so many bytes; Python gets an OSError, not the signal."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def read(call: Call) -> None:
    """Run a call in this process."""
    streams = [
        io.TextIOWrapper(io.BytesIO(), call.encoding, newline="\n") for _ in range(2)
    ]
    out, error = streams
    home = str(call.folder / "home")
    with judged(call), alone(), mock.patch.dict(os.environ, {"MRNN_NP_HOME": home}):
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
            limited_files(call.room),
        ):
            try:
                status = cli.main(call.arguments)
            except SystemExit as stopped:
                status = stopped.code
    printed = []
    for stream in streams:
        stream.flush()
        printed.append(stream.buffer.getvalue().decode(call.encoding))
    conclude(call, status, *printed)


def read_as_process(call: Call) -> None:
    """Run a call as a process, with the limits of a process."""
    seconds, megabytes = LIMITS["command"]

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (int(3 * seconds), int(3 * seconds)))
        space = (megabytes + 2048) << 20  # with all libraries
        resource.setrlimit(resource.RLIMIT_AS, (space, space))

    settings = {
        "PYTHONIOENCODING": call.encoding,
        "MRNN_NP_HOME": str(call.folder / "home"),
    }
    command = [sys.executable, "-W", "error", "-m", "mrnn_np", *call.arguments]
    full = "full" in call.arguments  # standard output on a full disk
    with judged(call), open("/dev/full" if full else os.devnull, "w") as broken:
        done = subprocess.run(
            command,
            cwd=call.folder,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=broken if full else subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=30 * seconds,
            preexec_fn=limit,
        )
    out, error = done.stdout or b"", done.stderr
    printed = out.decode(call.encoding), error.decode(call.encoding)
    conclude(call, done.returncode, *printed)


def conclude(call: Call, status: object, out: str, error: str) -> None:
    """Judge the end of a call; raise InputError when it was refused, and well so."""
    check_printed(status, out, error)
    if status:
        raise InputError(f"status {status}")
    check_outputs(call)


def check_printed(status: object, out: str, error: str) -> None:
    """Raise Wrong for a status or lines that no command may end with."""
    if status not in (0, 1, 2):
        raise Wrong(f"exit status {status!r}; {error[-300:]!r}")
    for line in (*out.split("\n"), *error.split("\n")):
        if COMMANDS.search(line):
            raise Wrong(f"printed raw: {line[:300]!r}")
    last = error.rstrip("\n").rpartition("\n")[2]
    if "Traceback" in error or "--debug for the traceback" in error:
        raise Wrong(f"not an InputError: {last[-400:]}")
    if status and "error" not in error:
        raise Wrong(f"exit status {status} without a reason: {error[-300:]!r}")
    if len(last) > LONGEST_LINE:
        raise Wrong(f"an error of {len(last)} characters: {last[:60]!r} ...")


def check_files(call: Call, before: dict) -> None:
    """Raise Wrong for an input that is another now, or a file nobody asked for."""
    now = contents(call.folder)
    cache = os.path.join(call.folder, "home")
    asked = [os.path.normpath(call.folder / name) for name in call.outputs]
    asked += [os.path.realpath(path) for path in asked]  # links are written through
    for path in sorted({**before, **now}):
        if before.get(path) == now.get(path):
            continue
        inner = os.path.relpath(path, call.folder)
        if path in before:
            if not may_change(call, inner):
                raise Wrong(f"changed: {inner}")
        elif os.path.basename(path).startswith(".") and path not in asked:
            raise Wrong(f"left: {inner}")
        elif not any(belongs(path, goal) for goal in (*asked, cache)):
            raise Wrong(f"made without being asked: {inner}")


def may_change(call: Call, inner: str) -> bool:
    """Whether a call may write to a file that was there.

    An old result of its kind, or a run that it goes on with; nothing is lost with an
    empty file.
    """
    of_its_kind = ["old.json", "old.html", "empty", "damaged.npz"]
    if call.arguments[0] == "weights":
        of_its_kind.append("cnn.npz")
    if inner == "old.captions.json":  # of evaluate, beside old.json
        return inner not in " ".join(call.arguments)
    if inner in of_its_kind:  # and nothing that is read
        named = " ".join(call.arguments).count(inner)
        return named == 1 and inner in map(os.path.normpath, call.outputs)
    return call.resumes and call.arguments[0] in ("features", "train")


def belongs(path: str, goal: str) -> bool:
    """Whether a new file is an output, in it, beside it by its name, or on its way."""
    stem = os.path.splitext(goal)[0]
    return (
        path == goal
        or path.startswith((f"{goal}/", f"{goal}.part"))
        or path == f"{stem}.captions.json"
        or goal.startswith(f"{path}/")
    )


def check_outputs(call: Call) -> None:
    """Raise Wrong where a command that succeeded did not write what was asked for."""
    implied = call.arguments[0] == "weights" and "-o" not in call.arguments
    if implied or call.arguments[0] == "bench":  # whose work is left out
        return
    places = [os.path.realpath(call.folder / name) for name in call.outputs]
    if len(set(places)) < len(places):
        raise Wrong("exit status 0, but two outputs are one file")
    for name in call.outputs:
        place = os.path.normpath(call.folder / name)
        if name != "-" and not os.path.lexists(place):
            raise Wrong(f"exit status 0, but {name[:100]!r} is not there")
