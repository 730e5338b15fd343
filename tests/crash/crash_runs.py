"""Runs that are disturbed, and what has to hold of each.

A case is one command in a new folder: it is disturbed several times, each time after it
was told to go on, and is left in peace at last. After every disturbance

- a process that was not killed outright says in one line what happened, and ends with
  the status that goes with it;
- no process of it is left after some seconds;
- what is in the folder can be read, and nothing that was done before is lost;

and at last the folder holds what that of a run never disturbed holds: the same files,
of the same contents, and no other.

Knows: how to disturb and what to expect. Does not know: commands (crash_commands.py).
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crash_commands import COMMANDS, Command, make_inputs

PATIENCE = 60.0  # seconds for a run, and for the processes that it has left behind
SIGNALS = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")
FULL = ("No space left on device", "File too large")
KINDS = ("step", "step", "signal", "signal", "full", "limit", "worker", "two")


class Lost(AssertionError):
    """Something did not survive: says what, and how to see it again."""


@dataclass(frozen=True)
class Disturbance:
    """What happens to a run.

    Fields
    ------
    action : "kill", "full" or "limit" (see disturbed.py), the name of a signal,
        "worker" (one is killed), "two" (the same command is started again), "none".
    number : of the step, or of bytes.
    delay : seconds from the moment that the command begins.
    to_all : the signal goes to the workers too, as that of a terminal does.
    """

    action: str
    number: int = 0
    delay: float = 0.0
    to_all: bool = False


@dataclass
class Ended:
    """How a process ended."""

    status: int
    out: str
    error: str
    report: list[str]


class Run:
    """A process that runs a command in a folder."""

    def __init__(self, words: list[str], folder: Path, what: Disturbance) -> None:
        action = what.action if what.action in ("kill", "full", "limit") else "none"
        self.pipe, writer = os.pipe()
        self.folder = folder
        script = str(Path(__file__).with_name("disturbed.py"))
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, script, str(folder), action, str(what.number), str(writer),
             *words],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder.parent / "temporary")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[writer],
            start_new_session=True,
            text=True,
        )  # fmt: skip
        os.close(writer)
        self.report = os.fdopen(self.pipe)
        self.ready = self.report.readline() == "ready\n"

    def signal(self, number: int, to_all: bool) -> None:
        """Send a signal to the process, or to all that it has started too."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if to_all else os.kill)(self.process.pid, number)

    def kill_worker(self) -> None:
        """Kill one of the processes that compute, once there is one."""
        while self.process.poll() is None:
            for number in children(self.process.pid):
                if "popen_loky" in command_line(number):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
                    return
            time.sleep(0.01)

    def end(self) -> Ended:
        """Wait for its end, and that of all who could write into its pipes."""
        try:
            out, error = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            alone = self.process.poll() is None
            self.signal(signal.SIGKILL, to_all=True)
            self.process.communicate()
            raise Lost(
                f"does not end within {PATIENCE:g} s"
                if alone
                else f"has left processes that are there after {PATIENCE:g} s"
            ) from None
        finally:
            report = self.report.read().split()
            self.report.close()
        return Ended(self.process.returncode, out, error, report)


def children(number: int) -> list[int]:
    """Return the processes that a process has started (Linux; elsewhere none)."""
    try:
        text = Path(f"/proc/{number}/task/{number}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def command_line(number: int) -> str:
    """Return the words of a process, "" when it is gone."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@dataclass
class Reference:
    """A run never disturbed: what it leaves, and how long and large it is."""

    files: dict[str, object]
    steps: int
    seconds: float
    largest: int  # bytes of a file


class Laboratory:
    """A folder of inputs, and one for each case beside it.

    Parameters
    ----------
    root : an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        make_inputs(root / "inputs")
        self.inputs = contents(root / "inputs", Path.read_bytes)
        (root / "temporary").mkdir()
        self.references: dict[str, Reference] = {}
        self.cases = itertools.count()

    def new_folder(self) -> Path:
        folder = self.root / f"case{next(self.cases)}"
        folder.mkdir()
        return folder

    def reference(self, command: Command) -> Reference:
        """Return the run never disturbed, which is made at the first call."""
        if command.name not in self.references:
            folder = self.new_folder()
            # The first run may have to compile.
            for _ in range(2):
                shutil.rmtree(folder)
                folder.mkdir()
                run = Run(command.words(folder), folder, Disturbance("none"))
                began = time.monotonic()
                ended = run.end()
                if ended.status:
                    raise Lost(f"{command.name}: undisturbed: {ended.error}")
            self.references[command.name] = Reference(
                contents(folder, command.plain),
                int(ended.report[0]),
                time.monotonic() - began,
                max(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
            )
        return self.references[command.name]

    def draw(self, command: Command, rng: np.random.Generator) -> Disturbance:
        """Draw how a run of a command is disturbed."""
        reference = self.reference(command)
        kinds = [kind for kind in KINDS if kind != "worker" or "two" in command.name]
        kind = kinds[rng.integers(len(kinds))]
        number = 1 + int(rng.integers(reference.steps))
        delay = float(rng.uniform(0, reference.seconds))
        if kind == "step":
            return Disturbance("kill", number)
        if kind == "signal":
            name = SIGNALS[rng.integers(len(SIGNALS))]
            to_all = name in ("SIGINT", "SIGHUP") and rng.random() < 0.5
            return Disturbance(name, 0, delay, to_all)
        if kind == "limit":
            return Disturbance("limit", int(rng.integers(reference.largest)))
        return Disturbance(kind, number if kind == "full" else 0, delay)

    def case(self, command: Command, disturbances: list[Disturbance]) -> None:
        """Disturb a command, let it finish, compare; raise `Lost` when it is not so."""
        folder, story = self.new_folder(), []
        try:
            for what in disturbances:
                before = command.done(folder)
                story.append(what)
                self.disturb(command, folder, what)
                after = readable(command, folder)
                if after < before:
                    raise Lost(f"{before - after} of {before} parts are lost")
            run = Run(command.words(folder), folder, Disturbance("none"))
            ended = run.end()
            if ended.status:
                raise Lost(f"does not go on, status {ended.status}: {ended.error}")
            self.compare(command, folder)
        except Lost as lost:
            told = "\n  ".join(map(str, story))
            raise Lost(f"{command.name}: {lost}\n  {told}\n  in {folder}") from None
        finally:
            shutil.rmtree(self.root / "temporary")
            (self.root / "temporary").mkdir()
        shutil.rmtree(folder)

    def disturb(self, command: Command, folder: Path, what: Disturbance) -> None:
        """Start a run in a folder, disturb it, and judge how it ended."""
        words = command.words(folder)
        run = Run(words, folder, what)
        if what.action in SIGNALS:
            time.sleep(what.delay)
            run.signal(getattr(signal, what.action), what.to_all)
        elif what.action == "worker":
            run.kill_worker()
        elif what.action == "two":
            time.sleep(what.delay)
            other = Run(words, folder, what)
            others = other.end()
            ended = run.end()
            if 0 not in (others.status, ended.status):
                raise Lost(f"neither ended well: {ended.error} {others.error}")
            check_end(ended, what, complete=False)
            check_end(others, what, complete=False)
            return
        ended = run.end()
        complete = self.reference(command).files.keys() <= names(folder)
        check_end(ended, what, complete)

    def compare(self, command: Command, folder: Path) -> None:
        """Raise `Lost` unless a folder holds what it has to, and no input changed."""
        expected, found = self.reference(command).files, names(folder)
        if found != expected.keys():
            missing, left = expected.keys() - found, found - expected.keys()
            raise Lost(f"missing at the end: {missing}, left over: {left}")
        for name, content in contents(folder, command.plain).items():
            if content != expected[name]:
                raise Lost(f"{name} is not what it is after a run never disturbed")
        if contents(self.root / "inputs", Path.read_bytes) != self.inputs:
            raise Lost("an input was changed")
        if left := names(self.root / "temporary"):
            raise Lost(f"temporary files are left: {left}")


def readable(command: Command, folder: Path) -> int:
    """Return how much is done in a folder; `Lost` when a file there is damaged."""
    try:
        return command.done(folder)
    except Exception as error:
        raise Lost(f"a file is damaged: {type(error).__name__}: {error}") from error


def names(folder: Path) -> set[str]:
    """Return the paths of all files and folders in a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def contents(folder: Path, plain) -> dict[str, object]:
    """Return path in the folder -> content of every file, None of every folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else plain(path)
        for path in sorted(folder.rglob("*"))
    }


def check_end(ended: Ended, what: Disturbance, complete: bool) -> None:
    """Raise `Lost` unless a process ended as it should and said so in one line.

    Parameters
    ----------
    complete : all files of the command are there: it may have been at its very end,
        where a signal ends it without ado.
    """
    told = [line for line in ended.error.splitlines() if line.startswith("mrnn-np: ")]
    shown = f"status {ended.status}: {ended.error}"
    if "Traceback" in ended.error:
        raise Lost(f"a traceback, {shown}")
    if ended.status == 0:
        return
    if ended.status == -signal.SIGKILL and what.action in ("kill", "SIGKILL"):
        return
    if what.action in SIGNALS[1:]:
        if ended.status == 130 and told == ["mrnn-np: stopped"]:
            return
        if ended.status == -getattr(signal, what.action) and complete:
            return
    elif ended.status == 1 and len(told) == 1 and told[0].startswith("mrnn-np: error:"):
        if what.action in ("worker", "two"):
            return
        if what.action in ("full", "limit") and any(map(told[0].endswith, FULL)):
            return
    raise Lost(f"ended in a way that nobody can expect, {shown}")


def run_cases(root: Path, count: int, seed: int, tell=None) -> list[str]:
    """Disturb `count` runs in all, spread over the commands; return what was lost.

    Parameters
    ----------
    root : an empty folder; that of a case that failed is kept in it.
    tell : is given a line after every case.
    """
    laboratory, lost, done = Laboratory(root), [], 0
    for number in itertools.count():
        if done >= count:
            return lost
        rng = np.random.default_rng([seed, number])
        command = COMMANDS[number % len(COMMANDS)]
        times = min(count - done, int(rng.integers(1, 5)))
        drawn = [laboratory.draw(command, rng) for _ in range(times)]
        done += times
        try:
            laboratory.case(command, drawn)
            result = "ok"
        except Lost as error:
            lost.append(f"case {number}: {error}")
            result = str(error)
        if tell:
            tell(f"{done:>4} of {count}  case {number}: {command.name}: {result}")
