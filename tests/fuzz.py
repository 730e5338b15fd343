"""Damaged and hostile inputs for all readers and commands: none may do harm.

    python tests/fuzz.py --count 20000
    python tests/fuzz.py --count 2000 --only safetensors --seed 3
    python tests/fuzz.py --only safetensors --seed 3 --case 1234

The last line runs one case again, of the number that a failure was reported with, and
keeps its files. A case ends well with a result or with one clear InputError, within
limits: `fuzzing/limits.py` has the table of them. How to add a reader stands in
`fuzzing/__init__.py`. The exit status is 1 if a case did not end well.

Cases run in worker processes that are forked from this one, which has imported
everything; a worker that dies or does not answer is one failure and is replaced.
"""

import argparse
import collections
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from fuzzing import commands, containers, datasets, pictures, texts, weights
from fuzzing.limits import HANG, Target
from fuzzing.worker import Outcome, clear, run_case

FAMILIES = (containers, weights, datasets, pictures, texts, commands)
FORK = multiprocessing.get_context("fork")
SHOWN = 40  # kinds of failures
MANY = 100  # cases; of so many a target reads some, unless it looks at nothing
GRACE = 20.0  # seconds on the clock for a worker to obey its own limits


def all_targets(only: list[str] | None = None) -> list[Target]:
    """Return the targets of all families, or those of these names."""
    targets = [target for family in FAMILIES for target in family.TARGETS]
    if not only:
        return targets
    known = [target.name for target in targets]
    if unknown := [name for name in only if name not in known]:
        sys.exit(f"no target {unknown[0]!r}: {', '.join(known)}")
    return [target for target in targets if target.name in only]


def rota(targets: list[Target]) -> list[Target]:
    """Return whose turn it is: every target as often as its weight."""
    rounds = range(max(target.weight for target in targets))
    return [target for turn in rounds for target in targets if target.weight > turn]


def work(connection, targets: list[Target], seed: int, folder: Path) -> None:
    """Run the cases that are asked for, until there are no more."""
    by_name = {target.name: target for target in targets}
    while (task := connection.recv()) is not None:
        name, number = task
        clear(folder)
        try:
            outcome = run_case(by_name[name], seed, number, folder)
        except Exception:  # while the input was made: the fuzzer's own fault
            outcome = Outcome(0.0, 0.0, traceback.format_exc(), "not made")
        connection.send((name, number, outcome))
    os._exit(0)  # without the ends of threads and of pools that a case has left


class Worker:
    """A process that runs cases, one at a time, and is replaced when it dies."""

    def __init__(self, targets: list[Target], seed: int, folder: Path) -> None:
        self.targets, self.seed, self.folder = targets, seed, folder
        self.task = None
        self.start()

    def start(self) -> None:
        self.connection, other = FORK.Pipe()
        arguments = (other, self.targets, self.seed, self.folder)
        self.process = FORK.Process(target=work, args=arguments, daemon=True)
        self.process.start()
        other.close()

    def give(self, target: Target, number: int) -> None:
        self.task = target, number
        self.deadline = time.monotonic() + max(HANG, 10 * target.seconds) + GRACE
        self.connection.send((target.name, number))

    def take(self) -> Outcome | None:
        """Return the outcome of the present case; None while there is none yet."""
        late = time.monotonic() > self.deadline
        if self.connection.poll():
            try:
                return self.connection.recv()[2]
            except EOFError:
                self.process.join()
                how = f"the process died, status {self.process.exitcode}"
        elif late:
            self.process.kill()
            self.process.join()
            how = "took too long, and nothing but SIGKILL ended it"
        else:
            return None
        self.start()
        return Outcome(0.0, 0.0, how, how)

    def end(self) -> None:
        self.connection.send(None)
        self.process.join(5)
        self.process.kill()


@dataclass
class Row:
    """What happened to one target; seconds and megabytes are the largest."""

    cases: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0


class Report:
    """Counts of cases, and the failures, one of a kind shown."""

    def __init__(self, seed: int, keep: Path) -> None:
        self.seed, self.keep = seed, keep
        self.rows: dict[Target, Row] = collections.defaultdict(Row)
        self.slowest = self.largest = (0.0, "")
        self.kinds: dict[tuple, list] = collections.defaultdict(list)

    def add(self, target: Target, number: int, outcome: Outcome, folder: Path) -> None:
        """Take one outcome; keep the files of the first failure of a kind."""
        row = self.rows[target]
        row.cases += 1
        row.refused += outcome.refused
        row.failed += bool(outcome.wrong)
        row.seconds = max(row.seconds, outcome.seconds)
        row.megabytes = max(row.megabytes, outcome.megabytes)
        case = f"--only {target.name} --seed {self.seed} --case {number}"
        self.slowest = max(self.slowest, (outcome.seconds, case))
        self.largest = max(self.largest, (outcome.megabytes, case))
        if not outcome.wrong:
            return
        kind = self.kinds[target.name, outcome.place]
        kind.append(case)
        if len(kind) == 1 and len(self.kinds) <= SHOWN:
            files = self.keep / f"{target.name}-{self.seed}-{number}"
            shutil.rmtree(files, ignore_errors=True)
            shutil.copytree(
                folder, files, symlinks=True, ignore=special, dirs_exist_ok=True
            )
            print(f"FAILED  python tests/fuzz.py {case}\n"
                  f"        {outcome.wrong}\n        files: {files}",
                  flush=True)  # fmt: skip

    def end(self) -> int:
        """Print the table, with the limits of each target; return the exit status."""
        print(f"\n{'target':<16}{'cases':>8}{'refused':>9}{'failed':>8}", end="")
        print(f"{'slowest':>10}{'of':>4} s{'largest':>10}{'of':>6} MB")
        for target, row in sorted(self.rows.items(), key=lambda item: item[0].name):
            print(
                f"{target.name:<16}{row.cases:>8}{row.refused:>9}{row.failed:>8}",
                end="",
            )
            print(f"{row.seconds:>10.2f}{target.seconds:>4.0f} s", end="")
            print(f"{row.megabytes:>10.0f}{target.megabytes:>6} MB")
        total = sum(row.cases for row in self.rows.values())
        failed = sum(len(cases) for cases in self.kinds.values())
        print(f"{total} cases, {failed} failures of {len(self.kinds)} kinds")
        print(f"slowest  {self.slowest[0]:8.2f} s   {self.slowest[1]}")
        print(f"largest  {self.largest[0]:8.0f} MB  {self.largest[1]}")
        for (name, place), cases in sorted(self.kinds.items()):
            print(f"{len(cases):>6} x {name}: {place}\n         {cases[0]}")
        blind = [t.name for t, r in self.rows.items() if r.refused == r.cases >= MANY]
        for name in blind:
            print(f"{name}: every case was refused: is its right input still right?")
        return 1 if failed or blind else 0


def special(folder: str, names: list[str]) -> list[str]:
    """Return the names of what cannot be copied: pipes and devices."""
    paths = [(name, Path(folder) / name) for name in names]
    return [name for name, path in paths if not (path.is_file() or path.is_dir())]


def run(targets, seed: int, numbers: range, jobs: int, report: Report) -> None:
    """Run the cases of these numbers by several workers."""
    turns = rota(targets)
    tasks = ((turns[number % len(turns)], number) for number in numbers)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        workers = [Worker(targets, seed, Path(folder) / str(i)) for i in range(jobs)]
        try:
            busy = [worker for worker in workers if hand_out(worker, tasks)]
            while busy:
                wait([worker.connection for worker in busy], timeout=1.0)
                for worker in list(busy):
                    if (outcome := worker.take()) is not None:
                        report.add(*worker.task, outcome, worker.folder)
                        if not hand_out(worker, tasks):
                            busy.remove(worker)
        finally:
            for worker in workers:
                worker.end()


def hand_out(worker: Worker, tasks) -> bool:
    """Give a worker its next case; return False when there is none."""
    if (task := next(tasks, None)) is None:
        return False
    worker.give(*task)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="cases (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument(
        "--only", action="append", metavar="READER", help="one target, or several"
    )
    parser.add_argument("--case", type=int, metavar="N", help="only this number")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-failures"), metavar="DIR",
        help="where files of failures go (default fuzz-failures)",
    )  # fmt: skip
    args = parser.parse_args()
    targets = all_targets(args.only)
    report = Report(args.seed, args.keep.resolve())
    numbers = range(args.count)
    if args.case is not None:
        numbers = range(args.case, args.case + 1)
    with tempfile.TemporaryDirectory(prefix="fuzz-good-") as folder:
        containers.prepare(Path(folder))
        commands.prepare(Path(folder))
        # In a process of its own: the threads of kernels would not survive a fork.
        first = FORK.Process(target=containers.compile_kernels, args=(Path(folder),))
        first.start()
        first.join()
        run(targets, args.seed, numbers, args.jobs, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
