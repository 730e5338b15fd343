"""The lessons run, the solutions pass, gaps and typical mistakes do not."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TUTORIALS = Path(__file__).parents[1] / "tutorials"
LESSONS = {
    "02_one_step_then_through_time.py": ["packed_batch", "gradient_in_time"],
    "03_is_my_gradient_right.py": ["choice_of_step"],
}
CHECK = runpy.run_path(str(TUTORIALS / "exercises" / "check.py"))
EXERCISES, verdict = CHECK["EXERCISES"], CHECK["verdict"]


def test_every_lesson_is_known_here():
    assert sorted(LESSONS) == sorted(p.name for p in TUTORIALS.glob("[0-9]*.py"))


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_and_draws_its_pictures(lesson, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs matplotlib")
    pyplot.switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    try:
        runpy.run_path(str(TUTORIALS / lesson))
    finally:
        pyplot.close("all")
    names = [f"lesson{lesson[:2]}_{name}.png" for name in LESSONS[lesson]]
    assert sorted(names) == sorted(p.name for p in tmp_path.iterdir())
    for name in names:
        with Image.open(name) as picture:
            gray = np.asarray(picture.convert("L"))
        assert gray.shape[1] >= 600
        assert 0.01 < (gray < 250).mean() < 0.8  # something is drawn, most is paper


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_a_notebook_in_text_form(lesson):
    text = (TUTORIALS / lesson).read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert cells[0] == "" and len(cells) > 15
    for cell in cells[1:]:
        kind, *lines = cell.splitlines()
        assert kind in ("", " [markdown]")
        if kind:  # every line of a text cell is a comment
            assert all(line.startswith("#") for line in lines if line)
    for title in ("will do", "will learn", "you need"):
        assert f"**What {title}" in text or f"**What you {title}" in text
    for title in ("On your own", "In practice", "Further reading"):
        assert f"# ## {title}" in text


@pytest.mark.parametrize("number", EXERCISES)
def test_an_exercise_and_its_solution(number, monkeypatch):
    # The size of error that an exercise announces is kept by its solution.
    monkeypatch.setitem(verdict.__globals__, "LIMIT", 1e-8)
    monkeypatch.setitem(verdict.__globals__, "LIMIT_DIFFERENCE", 2e-9)
    assert verdict(number, TUTORIALS / "solutions") is None
    text = (TUTORIALS / "exercises" / EXERCISES[number][0]).read_text()
    assert f"check.py {number}\n" in text and "Expect: errors below 1e-" in text


@pytest.mark.parametrize("number", ["02a", "02b", "03a"])
def test_a_gap_is_not_an_answer(number):
    assert "still has its gap" in verdict(number, TUTORIALS / "exercises")


# What a reader may well write: name, exercise, edits of the solution, what is reported.
SECOND_PATH = "dx[before] += dx[now] @ U.T"
MISTAKES = [
    (
        "the gate forgotten",
        "02a",
        {"dr * (r > 0)": "dr"},
        r"dw\[0, 1\]: got 3, expected 0 as on paper",
    ),
    ("the gate of the old state", "02a", {"(r > 0)": "(previous > 0)"}, r"dw\[0, 1\]"),
    ("U not transposed", "02a", {"dz @ U.T": "dz @ U"}, r"dprevious\[0, 1\]"),
    ("db of one sentence", "02a", {"dz.sum(axis=0)": "dz[0]"}, "wrong: db; right: dw"),
    (
        "dU of one sentence",
        "02a",
        {"previous.T @ dz": "previous[:1].T @ dz[:1]"},
        "wrong: dU; right: dw, dprevious, db",
    ),
    (
        "the mean over the sentences",
        "02a",
        {"previous.T @ dz": "previous.T @ dz / len(dz)"},
        "wrong: dU; right: dw, dprevious, db",
    ),
    ("one gradient too few", "02a", {", dz.sum(axis=0)": ""}, "must return a tuple"),
    ("a wrong shape", "02a", {"dz.sum(axis=0)": "dz"}, r"db has the shape \(1, 2\)"),
    ("no second path", "02b", {SECOND_PATH: "pass"}, "wrong: dx, dU, db"),
    (
        "truncated after three steps",
        "02b",
        {SECOND_PATH: f"{SECOND_PATH} * (t % 3 > 0)"},
        "wrong: dx, dU, db",
    ),
    (
        "no first path",
        "02b",
        {"dx[before] += dx[now]": "dx[before] = dx[now]"},
        "wrong: dx, dU, db",
    ),
    ("the second path through U", "02b", {"@ U.T": "@ U"}, "wrong: dx, dU, db"),
    (
        "the second path around the gates",
        "02b",
        {
            "dx = dout.copy()": "dx = dout * (out > 0)",
            "dx[now] *= out[now] > 0": "pass",
        },
        "wrong: dx, dU, db",
    ),
    (
        "the last rows of the step before",
        "02b",
        {
            "slice(begin[t - 1], begin[t - 1] + batch_sizes[t])": (
                "slice(begin[t] - batch_sizes[t], begin[t])"
            )
        },
        "wrong: dx, dU, db",
    ),
    (
        "dU with the new state",
        "02b",
        {"out[before].T": "out[now].T"},
        "wrong: dU; right: dx, db",
    ),
    ("dU of one step", "02b", {"dU +=": "dU ="}, "wrong: dU; right: dx, db"),
    (
        "dU without the last step",
        "02b",
        {"dU += out": "dU += (t < len(batch_sizes) - 1) * out"},
        "wrong: dU; right: dx, db",
    ),
    (
        "one-sided",
        "03a",
        {"middle - h": "middle", "(2 * h)": "h"},
        "sum of x.* from calculus",
    ),
    (
        "one-sided with the best step for it",
        "03a",
        {"middle - h": "middle", "(2 * h)": "h", "h=1e-5": "h=1e-8"},
        "sum of x.* from calculus",
    ),
    ("divided by h", "03a", {"(2 * h)": "h"}, "relative error 5.0e-01"),
    ("the step too small", "03a", {"h=1e-5": "h=1e-9"}, "from calculus"),
    ("the step too large", "03a", {"h=1e-5": "h=1e-3"}, "from calculus"),
    ("not put back", "03a", {"        x[index] = middle\n": ""}, "x after the call"),
    ("float32", "03a", {"empty_like(x)": "empty(x.shape, 'f')"}, "from calculus"),
    (
        "the bug as it was",
        "03b",
        {"np.add.at(per_sentence, sentence, dz)": "per_sentence[sentence] += dz"},
        "wrong: dimage, dVi, db; right: dw, dr, dVw, dVr",
    ),
    (
        "only the bias mended",
        "03b",
        {
            "np.add.at(per_sentence, sentence, dz)": "per_sentence[sentence] += dz",
            "per_sentence.sum(axis=0)": "dz.sum(axis=0)",
        },
        "wrong: dimage, dVi; right: dw, dr, dVw, dVr, db",
    ),
    (
        "the mean over the words",
        "03b",
        {"sentence, dz)": "sentence, dz / np.bincount(sentence)[sentence][:, None])"},
        "wrong: dimage, dVi, db; right: dw, dr, dVw, dVr",
    ),
]


@pytest.mark.parametrize(
    ("number", "edits", "report"),
    [mistake[1:] for mistake in MISTAKES],
    ids=[mistake[0] for mistake in MISTAKES],
)
def test_a_mistake_is_reported(number, edits, report, tmp_path):
    file = EXERCISES[number][0]
    text = (TUTORIALS / "solutions" / file).read_text()
    begin = text.index("def ")
    code = text[begin:]
    for right, instead in edits.items():
        assert code.count(right) == 1
        code = code.replace(right, instead)
    (tmp_path / file).write_text(text[:begin] + code)
    found = verdict(number, tmp_path)
    assert found and re.search(report, found), found


def test_an_answer_that_stops_is_named_with_its_line(tmp_path):
    file = "02a_step_backward.py"
    (tmp_path / file).write_text(
        "def step_backward(dr, r, previous, U):\n    return dr @ previous\n"
    )
    assert verdict("02a", tmp_path).startswith(f"{file}, line 2: ValueError: matmul")
    (tmp_path / file).write_text("answer = 42\n")
    assert verdict("02a", tmp_path) == f"{file} does not define step_backward"
    assert "FileNotFoundError" in verdict("02b", tmp_path)


def test_the_command(tmp_path):
    command = [sys.executable, TUTORIALS / "exercises" / "check.py"]
    done = subprocess.run(
        [*command, "--answers", TUTORIALS / "solutions"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{n}  pass\n" for n in EXERCISES) + "4 of 4 pass\n"


def test_the_command_on_unfinished_exercises(capsys):
    assert CHECK["main"]([]) == 1
    assert "0 of 4 pass" in capsys.readouterr().out
    assert CHECK["main"](["02a"]) == 1
    with pytest.raises(SystemExit, match="2"):
        CHECK["main"](["99"])
