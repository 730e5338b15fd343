"""The command line as a user meets it: help, errors, exit status."""

import platform
import subprocess
import sys

import numba
import numpy as np
import pytest

from mrnn_np import InputError, __version__
from mrnn_np.cli import COMMANDS, main


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "mrnn_np", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_names_every_command():
    done = run("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example: mrnn-np {command}" in capsys.readouterr().out


def test_no_command_gives_the_help_and_2(capsys, monkeypatch):
    assert main([]) == 2
    out, error = capsys.readouterr()
    assert out == "" and "mrnn-np COMMAND --help says more" in error
    monkeypatch.setattr(sys, "argv", ["mrnn-np"])
    assert main() == 2
    assert capsys.readouterr() == ("", error)


def test_version_names_all_that_a_result_depends_on(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    line = (
        f"mrnn_np {__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, Numba {numba.__version__}\n"
    )
    assert capsys.readouterr() == (line, "")


@pytest.mark.parametrize("what", ["build_parser", "versions"])
def test_help_and_version_load_neither_numpy_nor_numba(what):
    code = (
        f"import sys; from mrnn_np.cli import {what}; {what}();"
        "import mrnn_np; assert not {'numpy', 'numba', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--debug"], "required: COMMAND"),
        (["captoin"], "invalid choice: 'captoin'"),
        (["caption"], "required: IMAGE"),
        (["train", "x"], "required: --features"),
        (["caption", ""], "an argument is empty"),
        (["demo", "--out="], "an argument is empty"),
        (["demo", "--out=--"], "an argument is empty"),
        (["features", "scenes", "-o", "F", "--split", ""], "an argument is empty"),
        (["features", "scenes", "-o", "F", "--cnn", ""], "an argument is empty"),
        (["search", "scenes", "--text", ""], "an argument is empty"),
    ],
)
def test_wrong_use_exits_2(arguments, part, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "error:" in error and part in error


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("bench", "--threads"), ("bench", "--repeats"), ("caption", "--beam"),
        ("caption", "--nbest"), ("demo", "--epochs"), ("evaluate", "--beam"),
        ("features", "--jobs"), ("rank", "--memory"), ("rank", "--samples"),
        ("rank", "--shortlist"), ("search", "--samples"), ("search", "--top"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("0", "must be 1 or more, not 0"),
        ("-3", "must be 1 or more, not -3"),
        ("many", "'many'"),
    ],
)
def test_what_is_counted_begins_with_one(command, option, number, reason, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, option, number])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert f"error: argument {option}: " in error and reason in error


@pytest.mark.parametrize(
    ("command", "option", "most"),
    [
        ("caption x.jpg", "--beam", 1000),
        ("caption x.jpg", "--nbest", 1000),
        ("caption x.jpg --sample", "--nbest", 1000),
        ("evaluate scenes --features f --checkpoint m", "--beam", 1000),
    ],
)
def test_what_is_counted_has_an_end(command, option, most, capsys):
    assert main([*command.split(), option, str(most + 1)]) == 2
    assert f"error: {option} must be at most {most}\n" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["gradcheck", "caption x.jpg --sample"])
def test_a_seed_is_not_negative(command, capsys):
    assert main([*command.split(), "--seed", "-1"]) == 2
    assert "error: --seed must be 0 or more, not -1\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "nothing", "--features", "f.npz"], "unknown data set 'nothing'"),
        (["train", "scenes", "--features", "missing.npz"], "missing.npz: no such file"),
        (["caption", "x.jpg", "--checkpoint", "no.npz"], "no such checkpoint"),
        (["features", "flickr8k:/no/such/place", "-o", "f.npz"], "/no/such/place"),
        (
            ["evaluate", "scenes", "--features", "f.npz", "--checkpoint", "no.npz"],
            "no such checkpoint",
        ),
    ],
)
def test_a_mistake_gives_one_line_and_1(arguments, part, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1 and error.startswith("mrnn-np: error: ")
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback():
    with pytest.raises(InputError):
        main(["--debug", "caption", "x.jpg", "--checkpoint", "no.npz"])
    with pytest.raises(InputError):
        main(["caption", "x.jpg", "--checkpoint", "no.npz", "--debug"])
