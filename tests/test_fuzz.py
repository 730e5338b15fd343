"""A short run of the fuzzer, and whether it sees what it is there to see."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import fuzz
import numpy as np
import pytest
from fuzzing import limits, mutations, worker
from fuzzing.limits import Target

from mrnn_np.runtime.errors import InputError

HERE = Path(__file__).parent
COUNT = 500  # cases: 30 s of processor time


def run_fuzzer(*arguments):
    """Run it as a process: it forks, which one with many threads should not do."""
    command = [sys.executable, str(HERE / "fuzz.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_a_short_run(tmp_path):
    done = run_fuzzer("--count", COUNT, "--keep", tmp_path)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert f"{COUNT} cases, 0 failures" in done.stdout


def test_a_few_cases_of_every_reader_with_plain_kernels_too(tmp_path):
    readers = [t.name for t in fuzz.all_targets() if t.kind != "command"]
    only = [part for name in readers for part in ("--only", name)]
    done = run_fuzzer("--count", 100, "--seed", 1, "--keep", tmp_path, *only)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


def test_every_target_gets_its_turns():
    targets = fuzz.all_targets()
    turns = fuzz.rota(targets)
    assert {target.name for target in targets} == {target.name for target in turns}
    assert len(turns) == sum(target.weight for target in targets) <= COUNT
    assert len({target.name for target in targets}) == len(targets)
    assert {target.kind for target in targets} == limits.LIMITS.keys()


def test_a_case_follows_from_its_number():
    first, second = fuzz.all_targets(["coco", "karpathy"])
    cases = [(first, 3, 5), (first, 3, 5), (first, 3, 6), (first, 4, 5), (second, 3, 5)]
    one, again, *others = (worker.generator(*case).bytes(8) for case in cases)
    assert one == again and one not in others


def test_an_unknown_reader_is_named():
    done = run_fuzzer("--only", "nothing")
    assert done.returncode == 1 and "no target 'nothing'" in done.stderr


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """Returns what the worker finds wrong with one case of a reader."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(limits, "HANG", 1.0)
    monkeypatch.setattr(worker, "HANG", 1.0)
    monkeypatch.setitem(limits.LIMITS, "tiny", (0.1, 64))

    def make(rng, folder):
        (folder / "input").write_bytes(b"0")
        return folder

    def judge(read):
        (tmp_path / "run").mkdir()
        target = Target("test", "tiny", make, read)
        return worker.run_case(target, 0, 0, tmp_path / "run")

    return judge


class AsItIs(InputError):
    """An error that does not mend its text."""

    def __str__(self):
        return self.args[0]


def refuse(text, cause=None):
    raise AsItIs(text) from cause


def warn_quietly(folder):
    warnings.warn("odd", UserWarning)


@pytest.mark.parametrize(
    ("read", "refused"),
    [
        (lambda folder: None, False),
        (lambda folder: refuse(f"{folder}: wrong, 狗"), True),
        (lambda folder: bytearray(1 << 20), False),
    ],
)
def test_cases_that_end_well(judge, read, refused):
    outcome = judge(read)
    assert (outcome.wrong, outcome.refused) == ("", refused)


@pytest.mark.parametrize(
    ("read", "part"),
    [
        (lambda folder: {}["x"], "KeyError: 'x'"),
        (lambda folder: sys.exit(3), "SystemExit: 3"),
        (lambda folder: bytearray(1 << 28), "MemoryError"),
        (lambda folder: refuse("x", MemoryError("256 MB")), "behind an InputError"),
        (lambda folder: refuse("a\nb"), "line ends"),
        (lambda folder: refuse("a\x1b[31mb"), "control characters"),
        (lambda folder: refuse("a\x9b31mb"), "control characters"),
        (lambda folder: refuse("a" * 5000), "5000 characters"),
        (lambda folder: refuse(" "), "without a text"),
        (lambda folder: [i for i in iter(int, 1)], "processor time"),
        (lambda folder: os.read(os.pipe()[0], 1), "waiting"),
        (warn_quietly, "warns: UserWarning: odd"),
        (lambda folder: os.write(2, b"TIFF"), "written to standard"),
        (lambda folder: print("hello"), "written to standard"),
        (lambda folder: (folder / "input").write_bytes(b"1"), "changed or left"),
        (lambda folder: (folder / "input").unlink(), "changed or left"),
        (lambda folder: (folder / ".new").write_bytes(b"1"), "changed or left"),
        (lambda folder: __import__("tempfile").mkstemp(), "temporary files left"),
    ],
)
def test_cases_that_end_badly_are_seen(judge, read, part):
    assert part in judge(read).wrong


def test_a_process_that_dies_is_a_failure_and_is_replaced(tmp_path):
    lines = (
        "import os, sys; from pathlib import Path; import fuzz",
        "die = lambda number: os.abort() if number else None",
        "make = lambda rng, folder: rng.random() < 0.5",
        "target = fuzz.Target('test', 'text', make, die)",
        "report = fuzz.Report(0, Path(sys.argv[1]))",
        "fuzz.run([target], 0, range(20), 2, report)",
        "sys.exit(report.end())",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), str(tmp_path)],
        cwd=HERE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "the process died, status -6" in done.stdout
    assert "\n20 cases, " in done.stdout and " 20 failures" not in done.stdout


def test_a_reader_that_refuses_everything_is_a_failure(tmp_path, capsys):
    target = Target("test", "text", None, None)
    report = fuzz.Report(0, tmp_path)
    for number in range(fuzz.MANY):
        outcome = worker.Outcome(0.1, 1.0, refused=True)
        report.add(target, number, outcome, tmp_path)
    assert report.end() == 1
    assert "test: every case was refused" in capsys.readouterr().out
    report.add(target, fuzz.MANY, worker.Outcome(0.1, 1.0), tmp_path)
    assert report.end() == 0


def test_json_keeps_its_meaning_where_nothing_is_changed():
    data = {"a": [1, "ü", None], "b": {"c": True}}
    assert mutations.to_json(data) == '{"a": [1, "\\u00fc", null], "b": {"c": true}}'
    rng = np.random.default_rng(0)
    changed = [mutations.to_json(mutations.change(rng, data)) for _ in range(50)]
    assert mutations.to_json(data) not in changed and len(set(changed)) > 25
