"""`mrnn-np` as a process that is killed, or whose disk is full, at a chosen moment.

    python disturbed.py FOLDER ACTION NUMBER REPORT COMMAND...

A *step* is whatever changes something below FOLDER: a file is opened for writing, a
buffer is written, a file is synchronised, locked, renamed, deleted; a folder is made or
deleted. The NUMBERth one is where ACTION happens:

    kill    the process kills itself; of a buffer, half is written before
    full    no byte more can be written and no file made, as on a full disk
    limit   no file can be longer than NUMBER bytes (a limit of the system)
    none    nothing

REPORT is the number of an open pipe. "ready" is written to it when the command begins,
and the number of steps when it ends by itself.

Python tells of most steps itself (audit events). Only to write and to synchronise it
does not, so `open`, `os.write` and `os.fsync` are replaced.
"""

import atexit
import builtins
import errno
import io
import os
import signal
import stat
import sys

EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate",
          "os.link", "os.symlink", "fcntl.flock", "fcntl.lockf"}  # fmt: skip
GROWING = {"create", "write", "os.mkdir", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Steps:
    """Counts the steps, and does what is to be done at one of them."""

    def __init__(self, folder: str, action: str, number: int) -> None:
        self.folder, self.action, self.number = folder, action, number
        self.count = 0

    def take(self, name: str, path: object, half=None) -> None:
        """Note one step; `half` writes a part of what is to be written."""
        if not self.concerns(path):
            return
        self.count += 1
        if self.action == "kill" and self.count == self.number:
            if half:
                half()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "full" and self.count >= self.number and name in GROWING:
            if half and self.count == self.number:
                half()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def concerns(self, path: object) -> bool:
        """Whether a path, or the file of an open descriptor, is below the folder."""
        if isinstance(path, int):
            if not stat.S_ISREG(os.fstat(path).st_mode):
                return False
            try:
                path = os.readlink(f"/proc/self/fd/{path}")
            except OSError:  # not Linux: nothing else is written to but our files
                return True
        path = os.path.abspath(os.fsdecode(path))
        return path.startswith(self.folder + os.sep)

    def listen(self, event: str, args: tuple) -> None:
        """Take the steps that Python tells of."""
        if event == "open" and args[0] is not None and args[2] & WRITING:
            self.take("create", args[0])
        elif event in EVENTS:
            self.take(event, args[0])


class DiskFile(io.FileIO):
    """A file whose every write is a step."""

    def write(self, data) -> int:
        view = memoryview(data).cast("B")
        STEPS.take("write", self.fileno(), lambda: io.FileIO.write(self, half(view)))
        return super().write(view)


def half(data):
    return data[: len(data) // 2]


def open_disk_file(
    file,
    mode="r",
    buffering=-1,
    encoding=None,
    errors=None,
    newline=None,
    *rest,
    **more,
):
    """Open as the builtin does; what is written goes through `DiskFile`."""
    if not set(mode) & set("wax+"):
        return TRUE_OPEN(
            file, mode, buffering, encoding, errors, newline, *rest, **more
        )
    raw = DiskFile(file, mode.replace("b", "").replace("t", ""), *rest, **more)
    if buffering == 0:
        return raw
    stream = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
    return (
        stream if "b" in mode else io.TextIOWrapper(stream, encoding, errors, newline)
    )


def write(descriptor: int, data) -> int:
    view = memoryview(data).cast("B")
    STEPS.take("write", descriptor, lambda: TRUE_WRITE(descriptor, half(view)))
    return TRUE_WRITE(descriptor, data)


def fsync(descriptor) -> None:
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    STEPS.take("fsync", number)
    TRUE_FSYNC(descriptor)


TRUE_OPEN, TRUE_WRITE, TRUE_FSYNC = builtins.open, os.write, os.fsync

if __name__ == "__main__":
    folder, action, number, report, *command = sys.argv[1:]
    STEPS = Steps(os.path.realpath(folder), action, int(number))
    if action == "limit":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
    builtins.open = io.open = open_disk_file
    os.write, os.fsync = write, fsync
    sys.addaudithook(STEPS.listen)
    sys.argv = ["mrnn-np", *command]

    from mrnn_np.cli import program

    TRUE_WRITE(int(report), b"ready\n")
    atexit.register(lambda: TRUE_WRITE(int(report), b"%d\n" % STEPS.count))
    program()
