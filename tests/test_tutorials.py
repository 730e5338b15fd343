"""The lessons run, the solutions pass, gaps and typical mistakes do not."""

import os
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrnn_np.cells import ReLUCell

TUTORIALS = Path(__file__).parents[1] / "tutorials"
LESSONS = {
    "02_one_step_then_through_time.py": ["packed_batch", "gradient_in_time"],
    "03_is_my_gradient_right.py": ["choice_of_step"],
}
CHECK = runpy.run_path(str(TUTORIALS / "exercises" / "check.py"))
EXERCISES, examine, verdict = CHECK["EXERCISES"], CHECK["examine"], CHECK["verdict"]


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
    monkeypatch.setitem(examine.__globals__, "LIMIT", 1e-8)
    monkeypatch.setitem(examine.__globals__, "LIMIT_DIFFERENCE", 1e-9)
    assert examine(number, TUTORIALS / "solutions") is None
    text = (TUTORIALS / "exercises" / EXERCISES[number][0]).read_text()
    assert f"check.py {number}\n" in text and "Expect: errors below 1e-" in text


@pytest.mark.parametrize("number", ["02a", "02b", "03a"])
def test_a_gap_is_not_an_answer(number):
    assert "still has its gap" in examine(number, TUTORIALS / "exercises")


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
    (
        "not put back",
        "03a",
        {"        x[index] = middle\n": ""},
        "x is not the same after",
    ),
    (
        "float32",
        "03a",
        {"empty_like(x)": "empty(x.shape, 'f')"},
        "gradient is float32, expected float64",
    ),
    (
        "a step relative to x",
        "03a",
        {"h=1e-5": "h=1e-5, r=1e-5", "middle + h": "middle + r * middle"}
        | {"middle - h": "middle - r * middle", "(2 * h)": "(2 * r * middle)"},
        r"gradient\[0, 2\]: got nan|RuntimeWarning",
    ),
    (
        "a step relative to x, no slope at 0",
        "03a",
        {"middle + h": "middle + h * middle", "middle - h": "middle - h * middle"}
        | {"(2 * h)": "(2 * h * middle or np.inf)"},
        "gradient.*from calculus",
    ),
    (
        "put back by adding",
        "03a",
        {
            "= middle + h": "+= h",
            "= middle - h": "-= 2 * h",
            "x[index] = middle\n        g": "x[index] += h\n        g",
        },
        "x is not the same after",
    ),
    ("a step of its own", "03a", {"(2 * h)": "2e-5"}, "h = 0.1"),
    (
        "a list of numbers",
        "03a",
        {"return gradient": "return gradient.tolist()"},
        "gradient is of type list, expected an array",
    ),
    (
        "nothing",
        "03a",
        {"return gradient": "return"},
        "gradient is of type NoneType",
    ),
    (
        "one gate too many",
        "02b",
        {SECOND_PATH: "dx[before] += (dx[now] @ U.T) * (out[now] > 0)"},
        "wrong: dx, dU, db",
    ),
    (
        "the gate of the step before",
        "02b",
        {SECOND_PATH: "dx[before] += (dx[now] @ U.T) * (out[before] > 0)"}
        | {"dx[now] *= out[now] > 0": "dx[now] *= (out[now] > 0) | (t == 0)"},
        "wrong: dx, db; right: dU",
    ),
    (
        "no gate at the last step",
        "02b",
        {"out[now] > 0": "(out[now] > 0) | (t == len(begin) - 1)"},
        "wrong: dx, dU, db",
    ),
    (
        "no gate at the end of any sentence",
        "02b",
        {
            "dx[now] *= out[now] > 0": "n = [*batch_sizes, 0][t + 1]; "
            "dx[now][:n] *= out[now][:n] > 0"
        },
        "wrong: dx, dU, db",
    ),
    (
        "no gate at the first step",
        "02b",
        {"dx[now] *= out[now] > 0": "dx[now] *= (out[now] > 0) | (t == 0)"},
        "wrong: dx, db; right: dU",
    ),
    (
        "the gate of the first step at every step",
        "02b",
        {"dx[now] *= out[now] > 0": "dx[now] *= out[: batch_sizes[t]] > 0"},
        "wrong: dx, dU, db",
    ),
    (
        "gates that are always open",
        "02b",
        {"out[now] > 0": "out[now] >= 0"},
        "wrong: dx",
    ),
    (
        "truncated after eight steps",
        "02b",
        {SECOND_PATH: f"{SECOND_PATH} * (t % 8 > 0)"},
        "wrong: dx, dU, db",
    ),
    (
        "dU without the first states",
        "02b",
        {"dU += out": "dU += (t > 1) * out"},
        "wrong: dU; right: dx, db",
    ),
    (
        "db of the first step",
        "02b",
        {"dx.sum(axis=0)": "dx[: batch_sizes[0]].sum(axis=0)"},
        "wrong: db; right: dx, dU",
    ),
    (
        "sentences of equal length",
        "02b",
        {"begin[t] + batch_sizes[t])": "begin[t] + batch_sizes[0])"},
        "ValueError|wrong: dx",
    ),
    (
        "dU in float32",
        "02b",
        {"np.zeros_like(U)": "np.zeros(U.shape, np.float32)"},
        "dU is float32, expected float64",
    ),
    (
        "all in float32",
        "02b",
        {
            "begin = np": (
                "dout, out, U = (a.astype('f') for a in (dout, out, U))\n    begin = np"
            )
        },
        "dx is float32, expected float64",
    ),
    (
        "dout is used up",
        "02b",
        {"dout.copy()": "dout"},
        "dout is not the same after the call as before",
    ),
    ("float32", "02a", {"dr * (r > 0)": "dr.astype('f') * (r > 0)"}, "dw is float32"),
    (
        "dr is used up",
        "02a",
        {"dz = dr * (r > 0)": "dr *= r > 0\n    dz = dr"},
        "dr is not the same after the call as before",
    ),
    (
        "a view of an input",
        "02a",
        {"dz @ U.T,": "previous,"},
        "wrong: dprevious; right: dw, dU, db",
    ),
    ("no answer", "02a", {"return dz,": "return; dz,"}, "must return a tuple"),
    (
        "lists",
        "02a",
        {"previous.T @ dz": "(previous.T @ dz).tolist()"},
        "dU is of type list, expected an array",
    ),
    (
        "objects",
        "02a",
        {"previous.T @ dz": "(previous.T @ dz).astype(object)"},
        "object",
    ),
    (
        "None among the gradients",
        "02a",
        {"dz.sum(axis=0)": "None"},
        "db is of type NoneType",
    ),
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
    (
        "the first word of each sentence",
        "03b",
        {
            "np.add.at(per_sentence, sentence, dz)": (
                "per_sentence[np.unique(sentence)] += "
                "dz[np.unique(sentence, return_index=True)[1]]"
            )
        },
        "wrong: dimage, dVi, db; right: dw, dr, dVw, dVr",
    ),
    (
        "float32",
        "03b",
        {"dz.shape[1]))": "dz.shape[1]), 'f')"},
        "wrong: dimage, dVi, db; right: dw, dr, dVw, dVr",
    ),
    (
        "dz in the memory of dm",
        "03b",
        {
            "dz = stanh_backward(dm, cache_g)": (
                "dm[:] = stanh_backward(dm, cache_g)\n    dz = dm"
            )
        },
        "dm is not the same",
    ),
    (
        "the cache is used up",
        "03b",
        {"w.T @ dz": "np.multiply(w, 2, out=w).T @ dz / 2"},
        "cache is not the same",
    ),
    (
        "as many images as words",
        "03b",
        {"np.zeros((len(image)": "np.zeros((len(dz)"},
        "ValueError|shape",
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
    found = examine(number, tmp_path)
    assert found and re.search(report, found), found


@pytest.mark.parametrize("words", [(5, 3, 3, 1), (8,), (3, 3), (4, 2, 0, 0)])
def test_in_the_cases_of_02b_every_gate_counts(words):
    x, U, b, batch_sizes = CHECK["through_time_case"](words)
    cell = ReLUCell(3, 3)
    arguments = x, np.zeros((len(words), 3)), {"U": U, "br": b}, batch_sizes
    out, _ = cell.forward(*arguments)
    assert cell.distance_to_kink(*arguments) > 1e-3
    sentence = np.concatenate([np.arange(n) for n in batch_sizes])
    courses, ends = "", []
    for n in range(batch_sizes[0]):
        gates = out[sentence == n] > 0
        assert len(gates) == words[n] + 1
        ends += [*gates[-1]]
        for unit in gates.T:
            courses += " " + "".join("-+"[int(is_open)] for is_open in unit)
    assert re.search(r"\+-+\+", courses) and re.search(r"-\++-", courses)
    assert False in ends and True in ends


@pytest.mark.parametrize(
    ("courses", "moves"),
    [
        ((["+-+", "-+-"],), True),
        ((["+-+", "---"],), False),
        ((["-+-", "+++"],), False),
        ((["+-++", "-+-+"],), False),  # open at the end
        ((["+-++", "-+-+"], ["-", "+"]), True),  # but not at that of another sentence
        ((["+-", "-+"], ["+-", "-+"]), False),  # no turns across sentences
    ],
)
def test_what_the_gates_of_a_case_of_02b_must_do(courses, moves):
    out = [np.array([[c == "+" for c in unit] for unit in one]).T for one in courses]
    sentence = np.repeat(np.arange(len(out)), [len(one) for one in out])
    assert CHECK["gates_move"](np.concatenate(out).astype(float), sentence) is moves


def answer(folder: Path, body: str) -> Path:
    """Write an answer to exercise 02a that begins with these lines."""
    text = (TUTORIALS / "solutions" / "02a_step_backward.py").read_text()
    head = "def step_backward(dr, r, previous, U):\n"
    assert text.count(head) == 1
    file = folder / "02a_step_backward.py"
    file.write_text(text.replace(head, head + textwrap.indent(body, "    ") + "\n"))
    return folder


@pytest.mark.parametrize(
    ("body", "report"),
    [
        ("import sys; sys.exit(0)", "02a_step_backward.py, line .*: SystemExit: 0"),
        ("raise KeyboardInterrupt", "line .*: KeyboardInterrupt"),
        ("import os; os._exit(0)", "ended in the middle, with exit status 0"),
        ("import os; os.abort()", "ended in the middle, with exit status -?\\d+"),
        ("input('? ')", "line .*: EOFError"),
        ("step_backward(dr, r, previous, U)", "RecursionError"),
        ("raise Exception('\\udc80')", r"Exception: \\udc80"),
    ],
)
def test_an_answer_that_ends_python_is_wrong(body, report, tmp_path):
    found = verdict("02a", answer(tmp_path, body))
    assert found and re.search(report, found), found


@pytest.mark.parametrize("loop", ["while True: pass", "import time; time.sleep(1e6)"])
def test_an_answer_without_end_is_wrong(loop, tmp_path, monkeypatch):
    monkeypatch.setitem(verdict.__globals__, "TIME_LIMIT", 3)
    found = verdict("02a", answer(tmp_path, loop))
    assert found.startswith("no end after 3 s")


def test_an_answer_that_ends_python_does_not_end_the_check(tmp_path, capfd):
    answer(tmp_path, "import sys; sys.exit(0)")
    for number in ("02b", "03a"):
        file = EXERCISES[number][0]
        (tmp_path / file).write_text((TUTORIALS / "solutions" / file).read_text())
    assert CHECK["main"](["02a", "02b", "03a", "--answers", str(tmp_path)]) == 1
    shown = capfd.readouterr().out
    assert "02a  fail: " in shown and "SystemExit" in shown
    assert shown.endswith("02b  pass\n03a  pass\n2 of 3 pass\n")


def test_what_an_answer_prints_is_seen(tmp_path, capfd):
    answer(tmp_path, "print('dr is', dr.shape)")
    assert CHECK["main"](["02a", "--answers", str(tmp_path)]) == 0
    assert capfd.readouterr().out.startswith("dr is (1, 2)\ndr is (3, 3)\n")


def test_an_answer_that_stops_is_named_with_its_line(tmp_path):
    file = "02a_step_backward.py"
    (tmp_path / file).write_text(
        "def step_backward(dr, r, previous, U):\n    return dr @ previous\n"
    )
    assert examine("02a", tmp_path).startswith(f"{file}, line 2: ValueError: matmul")
    (tmp_path / file).write_text("answer = 42\n")
    assert examine("02a", tmp_path) == f"{file} does not define step_backward"
    assert "FileNotFoundError" in examine("02b", tmp_path)


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


def test_what_an_answer_says_reaches_any_terminal_and_commands_none(tmp_path):
    text = "def step_backward(*_):\n    raise ValueError('ü\\x1b[2J\\udc80')\n"
    (tmp_path / "02a_step_backward.py").write_text(text, encoding="utf-8")
    command = [sys.executable, TUTORIALS / "exercises" / "check.py", "02a"]
    done = subprocess.run(
        [*command, "--answers", tmp_path],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1 and not done.stderr
    assert rb"ValueError: \u00fc\u001b[2J\udc80" in done.stdout


def test_the_command_on_unfinished_exercises(capfd):
    assert CHECK["main"]([]) == 1
    assert "0 of 4 pass" in capfd.readouterr().out
    assert CHECK["main"](["02a"]) == 1
    with pytest.raises(SystemExit, match="2"):
        CHECK["main"](["99"])
