"""Would the tests notice? Change the code at one place, run them, and see.

    pip install -e ".[pretrained,test,dev]"
    python tests/mutate.py --count 100 --seed 0          a sample, about 15 minutes
    python tests/mutate.py --only mrnn_np/metrics        of one folder or file
    python tests/mutate.py --keep survivors.txt          the changes nobody noticed

A mutant is the project with one small change that cosmic-ray makes: ``+`` becomes
``-``, ``<`` becomes ``<=``, ``and`` becomes ``or``, a number becomes its successor, a
loop is not entered. It is killed when a test fails, or when the tests do not end within
ten times their usual time. The score is the share of killed ones. A survivor is either
a gap in the tests or makes no difference, which a person has to judge:
`tests/survivors.md` has the last score and an answer for each survivor.

Places are drawn evenly, then one of the changes that are possible there. Annotations
are left out: ``int | None`` means nothing to a running program. The tests of the
mutant's own folder run first, the whole suite only when these pass; kernels run as
plain Python.

Knows: which tests belong to which folder. Does not know: what a mutant means.
"""

import argparse
import difflib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

ROOT = Path(__file__).parents[1]
# What is mutated -> the tests that should notice. The whole suite runs after these.
TESTS = {
    "mrnn_np/layers": ["tests/layers", "tests/gradcheck", "tests/models"],
    "mrnn_np/models": ["tests/models", "tests/gradcheck", "tests/decoding"],
    "mrnn_np/gradcheck": ["tests/gradcheck", "tests/layers"],
    "mrnn_np/cells": ["tests/cells", "tests/gradcheck"],
    "mrnn_np/decoding": ["tests/decoding", "tests/models"],
    "mrnn_np/metrics": ["tests/metrics"],
    "mrnn_np/retrieval": ["tests/retrieval"],
    "mrnn_np/training": ["tests/training"],
    "mrnn_np/tables": ["tests/tables"],
    "tutorials/exercises/check.py": ["tests/test_tutorials.py"],
}
# All but the drivers that attack whole commands, which take minutes.
SUITE = ["tests", "--ignore=tests/crash", "--ignore=tests/test_fuzz.py"]
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
PATIENCE = 10  # times the usual time of the tests, then a mutant counts as killed
LEFT_OUT = {".git", ".ci-venv", ".venv", "__pycache__", ".hypothesis", "runs"}


@dataclass(frozen=True)
class Mutant:
    """One change: the n-th place where a cosmic-ray operator can work on a file."""

    file: str  # relative to the repository
    operator: str
    occurrence: int
    line: int

    def source(self) -> tuple[str, str]:
        """Return the text of the file before and after the change."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        before = (ROOT / self.file).read_text(encoding="utf-8")
        return before, mutate_code(
            before, get_operator(self.operator)(), self.occurrence
        )

    def __str__(self) -> str:
        """Return the change as a diff without context."""
        before, after = (text.splitlines() for text in self.source())
        changed = difflib.unified_diff(before, after, n=0, lineterm="")
        lines = [line for line in changed if line[:3] not in ("---", "+++", "@@ ")]
        return "\n".join([f"{self.file}:{self.line} {self.operator}", *lines])


def places(file: Path) -> dict[tuple[int, int], list[Mutant]]:
    """Return what can be changed in a file: position -> mutants there."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast_from_path(file)))
    found = defaultdict(list)
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments():  # these need to be told what to put in
            continue
        operator, occurrence = operator_class(), 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                mutant = Mutant(
                    file.relative_to(ROOT).as_posix(), name, occurrence, start[0]
                )
                occurrence += 1
                if not in_annotation(node):
                    found[start].append(mutant)
    return found


def in_annotation(node) -> bool:
    """Whether a node of parso's tree is part of a type annotation."""
    while node.parent is not None:
        above = node.parent
        if above.type == "tfpdef" and node is above.children[2]:  # name : annotation
            return True
        if above.type == "annassign" and node is above.children[1]:  # : annotation
            return True
        if above.type == "funcdef" and node is above.annotation:
            return True
        node = above
    return False


def sample(only: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """Draw `count` places without repetition, and one change at each."""
    files = []
    for name in only:
        path = ROOT / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    rng = random.Random(seed)
    every = [mutants for file in files for mutants in places(file).values()]
    chosen = rng.sample(every, min(count, len(every)))
    return [rng.choice(mutants) for mutants in chosen]


def tests_of(file: str) -> list[str]:
    """Return the tests that belong to a file."""
    return next(tests for name, tests in TESTS.items() if file.startswith(name))


class Copy:
    """A copy of the repository in which one mutant at a time lives.

    What its tests say goes to a file beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(
            ROOT,
            folder,
            ignore=lambda _, names: [n for n in names if n in LEFT_OUT],
        )
        self.environment = os.environ | {
            "NUMBA_DISABLE_JIT": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def passes(self, tests: Sequence[str], seconds: float | None = None) -> bool:
        """Whether the tests pass, in time."""
        command = [*PYTEST, "-m", "not slow", *tests]
        with open(self.folder.with_suffix(".log"), "w", encoding="utf-8") as log:
            try:
                done = subprocess.run(
                    command,
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    timeout=seconds,
                )
            except subprocess.TimeoutExpired:
                return False
        return done.returncode == 0

    def usual_time(self, tests: Sequence[str]) -> float:
        """Return how long the tests take; they must pass without a mutant."""
        start = time.perf_counter()
        if not self.passes(tests):
            said = self.folder.with_suffix(".log").read_text(encoding="utf-8")
            raise SystemExit(f"{said}\nthese fail before anything is changed")
        return time.perf_counter() - start

    def survives(self, mutant: Mutant, limits: dict[str, float]) -> bool:
        """Whether neither the tests of its folder nor the suite notice a mutant."""
        before, after = mutant.source()
        file = self.folder / mutant.file
        try:
            file.write_text(after, encoding="utf-8")
            own = tests_of(mutant.file)
            return self.passes(own, limits[" ".join(own)]) and self.passes(
                SUITE, limits[" ".join(SUITE)]
            )
        finally:
            file.write_text(before, encoding="utf-8")


def judge(mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant and whether it survived, as results come."""
    with tempfile.TemporaryDirectory() as place:
        copies = SimpleQueue()
        for number in range(jobs):
            copies.put(first := Copy(Path(place) / str(number)))
        groups = {" ".join(tests_of(mutant.file)) for mutant in mutants}
        groups.add(" ".join(SUITE))
        limits = {
            group: PATIENCE * first.usual_time(group.split())
            for group in tqdm(sorted(groups), "the tests alone")
        }

        def survives(mutant: Mutant) -> tuple[Mutant, bool]:
            copy = copies.get()
            try:
                return mutant, copy.survives(mutant, limits)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            yield from tqdm(pool.map(survives, mutants), "mutants", len(mutants))


def main() -> int:
    """Judge a sample and print the score; 1 when it is below 95 %."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="mutants (100)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at once")
    parser.add_argument(
        "--only", action="append", metavar="PATH", help="a file or folder; all if none"
    )
    parser.add_argument("--keep", type=Path, help="write the survivors to this file")
    options = parser.parse_args()
    mutants = sample(options.only or list(TESTS), options.count, options.seed)
    drawn, survived = Counter(), []
    for mutant, alive in judge(mutants, options.jobs):
        drawn[tests_of(mutant.file)[0]] += 1
        if alive:
            survived.append(mutant)
            tqdm.write(f"survived: {mutant}\n")
            if options.keep:
                options.keep.write_text("\n\n".join(map(str, survived)) + "\n")
    lost = Counter(tests_of(mutant.file)[0] for mutant in survived)
    for group, number in sorted(drawn.items()):
        print(f"{group:<28}{number - lost[group]:>5} of {number} killed")
    score = 1 - len(survived) / len(mutants)
    print(f"{score:.1%} of {len(mutants)} mutants killed")
    return 0 if score >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
