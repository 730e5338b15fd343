"""The drivers in a short form, and that they notice what is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crash_commands import COMMANDS
from crash_runs import (
    Disturbance,
    Ended,
    Laboratory,
    Lost,
    Reference,
    check_end,
    contents,
    readable,
    run_cases,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows knows no signals")


@pytest.mark.slow
def test_nothing_is_lost(tmp_path):
    # Takes half a minute; `python tests/crash --count 200` tries more.
    assert run_cases(tmp_path, count=12, seed=0) == []


def refused(function, *args) -> str:
    with pytest.raises(Lost) as found:
        function(*args)
    return str(found.value)


def test_the_end_of_a_process_is_judged():
    error = "mrnn-np: error: f.npz: cannot be written: No space left on device\n"
    full, term = Disturbance("full", 3), Disturbance("SIGTERM")
    for status, text, what, complete in [
        (0, "a remark\n", full, True),
        (1, error, full, False),
        (130, "mrnn-np: stopped\n", term, False),
        (-signal.SIGTERM, "", term, True),
        (-signal.SIGKILL, "", Disturbance("kill", 3), False),
    ]:
        check_end(Ended(status, "", text, []), what, complete)
    for status, text, what in [
        (1, "Traceback (most recent call last):\n" + error, full),
        (1, error + error, full),
        (1, "", full),
        (1, "mrnn-np: error: f.npz: damaged\n", full),
        (130, "", term),
        (-signal.SIGTERM, "", term),
        (-signal.SIGSEGV, "", term),
        (2, error, full),
        (-signal.SIGKILL, "", term),
        (1, error, Disturbance("none")),
    ]:
        assert "status" in refused(check_end, Ended(status, "", text, []), what, False)


def test_what_is_left_is_judged(tmp_path):
    laboratory, features = Laboratory(tmp_path), COMMANDS[0]
    folder = tmp_path / "case"
    folder.mkdir()
    goal = folder / "f.npz"
    goal.write_bytes((tmp_path / "inputs" / "f.npz").read_bytes())
    whole = Reference(contents(folder, features.plain), 1, 1.0, 1)
    laboratory.references[features.name] = whole
    laboratory.compare(features, folder)
    assert readable(features, folder) == 600
    with open(folder / ".f.npz.x", "wb"):
        assert "left over: {'.f.npz.x'}" in refused(
            laboratory.compare, features, folder
        )
    (folder / ".f.npz.x").unlink()
    content = bytearray(goal.read_bytes())
    content[-9000] ^= 1
    goal.write_bytes(content)
    assert "f.npz is not what" in refused(laboratory.compare, features, folder)
    assert "a file is damaged" in refused(readable, features, folder)
    goal.unlink()
    assert "missing at the end: {'f.npz'}" in refused(
        laboratory.compare, features, folder
    )
    goal.write_bytes((tmp_path / "inputs" / "f.npz").read_bytes())
    left = tmp_path / "temporary" / "left"
    left.touch()
    assert "temporary files" in refused(laboratory.compare, features, folder)
    left.unlink()
    (tmp_path / "inputs" / "config.toml").touch()
    laboratory.compare(features, folder)
    (tmp_path / "inputs" / "config.toml").write_text("")
    assert "an input was changed" in refused(laboratory.compare, features, folder)


@pytest.mark.parametrize("number", [1, 3, 5, 7])
@pytest.mark.parametrize("action", ["kill", "full"])
def test_steps(tmp_path, action, number):
    # What a program does on the disk, as seen from outside, when it is stopped.
    script = Path(__file__).with_name("disturbed.py")
    program = tmp_path / "mrnn_np" / "cli.py"
    program.parent.mkdir()
    (program.parent / "__init__.py").touch()
    program.write_text(
        "import os\n"
        "def program():\n"
        "    with open('a', 'wb') as stream:\n"  # 1 and, with what follows, 2
        "        stream.write(b'x' * 10)\n"
        "    os.mkdir('folder')\n"  # 3
        "    with open('folder/b', 'w') as stream:\n"  # 4
        "        stream.write('y' * 10)\n"
        "        stream.flush()\n"  # 5
        "        os.fsync(stream.fileno())\n"  # 6
        "    os.replace('folder/b', 'c')\n"  # 7
    )
    folder = tmp_path / "case"
    folder.mkdir()
    read, write = os.pipe()
    done = subprocess.run(
        [sys.executable, str(script), str(folder), action, str(number), str(write)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        pass_fds=[write],
        capture_output=True,
        text=True,
    )
    os.close(write)
    with os.fdopen(read) as report:
        assert report.readline() == "ready\n"
    found = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert (
        found
        == {
            1: {},
            3: {"a": "x" * 10},
            5: {"a": "x" * 10, "folder/b": "y" * 5},
            7: {"a": "x" * 10, **{"folder/b" if action == "kill" else "c": "y" * 10}},
        }[number]
    )
    assert (folder / "folder").is_dir() == (number > 3)
    if action == "kill":
        assert done.returncode == -signal.SIGKILL
    else:
        assert ("No space left on device" in done.stderr) == (number < 7)


def test_draws_are_what_the_seed_says(tmp_path):
    laboratory = Laboratory(tmp_path)
    for command in COMMANDS:
        laboratory.references[command.name] = Reference({}, 100, 1.0, 10_000)
        one, two = (
            [laboratory.draw(command, rng) for _ in range(100)]
            for rng in (np.random.default_rng([1, 2]), np.random.default_rng([1, 2]))
        )
        assert one == two
        actions = {what.action for what in one}
        signals = {"SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"}
        assert actions - {"worker"} == signals | {"kill", "full", "limit", "two"}
        assert ("worker" in actions) == (command.name == "features by two")
