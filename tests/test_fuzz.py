"""A short run of the fuzzer, and whether it sees what it is there to see."""

import subprocess
import sys
from pathlib import Path

import fuzz
import pytest
from fuzzing import worker
from fuzzing.limits import Target

HERE = Path(__file__).parent
COUNT = 600  # cases; 15 s compiled, 30 s as plain Python, on one core


def test_a_short_run(tmp_path):
    """In a process of its own: it forks, which one with many threads should not."""
    command = [sys.executable, str(HERE / "fuzz.py"), "--count", str(COUNT), "--keep"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert f"{COUNT} cases, 0 failures" in done.stdout


def test_every_target_gets_its_turns():
    targets = fuzz.all_targets()
    turns = fuzz.rota(targets)
    assert {target.name for target in targets} == {target.name for target in turns}
    assert len(turns) == sum(target.weight for target in targets) <= COUNT
    assert len({target.name for target in targets}) == len(targets)


@pytest.mark.parametrize("target", fuzz.all_targets(), ids=lambda target: target.name)
def test_a_case_follows_from_its_number(target):
    one, again, other = (
        worker.generator(target, 3, number).bytes(8) for number in (5, 5, 6)
    )
    assert one == again != other


def judge(read, tmp_path, make=lambda rng, folder: folder, **options):
    """Return what the worker finds wrong with one case of a reader."""
    target = Target("test", "text", make, read, **options)
    return worker.run_case(target, 0, 0, tmp_path)
