"""The lessons run and state true numbers; the exercises tell right from wrong."""

import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mrnn_np.layers import stanh_backward

TUTORIALS = Path(__file__).parents[1] / "tutorials"
LESSONS = sorted(TUTORIALS.glob("0*.py"))
CHECKS = {
    "02a_step_backward": "check_step_backward",
    "02b_through_time_backward": "check_through_time",
    "03a_centred_difference": "check_numerical_gradient",
    "03b_find_the_bug": "check_multimodal_backward",
}


def load(path):
    spec = importlib.util.spec_from_file_location(f"tutorial_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checks(monkeypatch):
    """The module `checks`, importable by exercises and solutions as well."""
    monkeypatch.setattr(sys, "path", [str(TUTORIALS / "exercises"), *sys.path])
    monkeypatch.delitem(sys.modules, "checks", raising=False)
    import checks

    yield checks
    sys.modules.pop("checks", None)


def answer(checks, folder, name):
    """Return the check of an exercise, and the function written in that folder."""
    module = load(TUTORIALS / folder / f"{name}.py")
    (function,) = (
        value
        for value in vars(module).values()
        if getattr(value, "__module__", "") == module.__name__
    )
    return getattr(checks, CHECKS[name]), function


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_its_figures_are_labelled(lesson, monkeypatch, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)  # figures are saved in the working folder
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    runpy.run_path(str(lesson), run_name="__main__")
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert figures
    for axes in (axes for figure in figures for axes in figure.axes):
        assert axes.get_title()
        for axis in (axes.xaxis, axes.yaxis):  # one without ticks needs no label
            assert axis.get_label_text() or len(axis.get_ticklocs()) == 0
    plt.close("all")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_a_notebook_with_all_its_parts(lesson):
    text = lesson.read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ")
    parts = ("**What you will do.**", "**What you will learn**", "**What you need.**")
    parts += ("## On your own", "## In practice", "## Further reading")
    positions = [text.index(part) for part in parts]
    assert positions == sorted(positions)
    for name in CHECKS:
        if name[:2] == lesson.name[:2]:
            assert f"exercises/{name}.py" in text


def test_every_exercise_has_a_solution_and_a_check():
    for folder in ("exercises", "solutions"):
        assert {path.stem for path in (TUTORIALS / folder).glob("0*.py")} == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_solution_passes(checks, name, capsys):
    assert checks.run(*answer(checks, "solutions", name)) == 0
    assert capsys.readouterr().out.startswith("pass: ")


@pytest.mark.parametrize("name", CHECKS)
def test_the_exercise_as_given_fails(checks, name, capsys):
    assert checks.run(*answer(checks, "exercises", name)) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("fail: ")
    if name == "03b_find_the_bug":  # the unmended bug: parameter, index, both numbers
        assert "dimage[" in printed and "numeric" in printed
    else:
        assert "still has its gap" in printed


def test_the_files_run_as_the_readme_says():
    for folder, status, word in (("exercises", 1, "fail"), ("solutions", 0, "pass")):
        done = subprocess.run(
            [sys.executable, f"tutorials/{folder}/02a_step_backward.py"],
            cwd=TUTORIALS.parent,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert done.stdout.startswith(word)


def through_time(paths_back, gate=True, all_of_dU=True):
    """Return an answer to 02b that follows the second path so many steps only."""

    def through_time_backward(dout, out, U, batch_sizes):
        begin = np.cumsum(batch_sizes) - batch_sizes
        dx, dU = np.zeros_like(out), np.zeros_like(U)
        for source in range(len(batch_sizes)):  # the gradient that enters at one step
            n = batch_sizes[source]
            dr = dout[begin[source] : begin[source] + n]
            for t in range(source, max(source - paths_back, 0) - 1, -1):
                now = slice(begin[t], begin[t] + n)
                dz = dr * (out[now] > 0) if gate else dr
                dx[now] += dz
                if t > 0 and (all_of_dU or t == source):
                    dU += out[begin[t - 1] : begin[t - 1] + n].T @ dz
                dr = dz @ U.T
        return dx, dU, dx.sum(axis=0)

    return through_time_backward


def test_through_time_accepts_another_right_way(checks):
    checks.check_through_time(through_time(paths_back=99))


@pytest.mark.parametrize(
    ("wrong", "array"),
    [
        (through_time(paths_back=0), "dx"),  # the second path forgotten
        (through_time(paths_back=2), "dx"),  # truncated
        (through_time(paths_back=99, gate=False), "dx"),
        (through_time(paths_back=99, all_of_dU=False), "dU"),
    ],
    ids=["one path", "truncated", "no gate", "dU of one path"],
)
def test_through_time_refuses(checks, wrong, array):
    with pytest.raises(checks.Wrong, match=rf"{array}\[\d+, \d+\]: got .* numeric "):
        checks.check_through_time(wrong)


def test_step_refuses_a_forgotten_gate_and_a_missing_transpose(checks):
    def no_gate(dr, r, previous, U):
        return dr, dr @ U.T, previous.T @ dr, dr.sum(axis=0)

    def no_transpose(dr, r, previous, U):
        dz = dr * (r > 0)
        return dz, dz @ U, previous.T @ dz, dz.sum(axis=0)

    def bias_per_row(dr, r, previous, U):
        dz = dr * (r > 0)
        return dz, dz @ U.T, previous.T @ dz, dz

    with pytest.raises(checks.Wrong, match=r"dw\[0, 1\]: got 3, on paper 0"):
        checks.check_step_backward(no_gate)
    with pytest.raises(checks.Wrong, match=r"dprevious\[0, 1\]: got -2, on paper 2"):
        checks.check_step_backward(no_transpose)
    with pytest.raises(checks.Wrong, match=r"db has the shape \(1, 2\), expected"):
        checks.check_step_backward(bias_per_row)
    with pytest.raises(checks.Wrong, match="tuple of dw, dprevious, dU, db"):
        checks.check_step_backward(lambda *arguments: None)


def differences(below, h, restore=True):
    def numerical_gradient(f, x):
        gradient = np.empty_like(x)
        for index in np.ndindex(x.shape):
            middle = x[index]
            x[index] = middle + h
            high = f(x)
            x[index] = middle - below * h
            gradient[index] = (high - f(x)) / ((1 + below) * h)
            if restore:
                x[index] = middle
        return gradient

    return numerical_gradient


def test_the_difference_must_be_centred_and_the_step_good(checks):
    checks.check_numerical_gradient(differences(1, 1e-5))
    for h in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9):
        with pytest.raises(checks.Wrong, match=r"sum of x\^3: d\["):
            checks.check_numerical_gradient(differences(0, h))
    for h in (1e-2, 1e-10):
        with pytest.raises(checks.Wrong, match="relative error"):
            checks.check_numerical_gradient(differences(1, h))
    with pytest.raises(checks.Wrong, match="as it was before"):
        checks.check_numerical_gradient(differences(1, 1e-5, restore=False))


def test_overwriting_does_not_mend_the_multimodal_layer(checks):
    def multimodal_backward(dm, cache):
        w, r, image, sentence, Vw, Vr, Vi, cache_g = cache
        dz = stanh_backward(dm, cache_g)
        per_sentence = np.zeros((len(image), dz.shape[1]))
        per_sentence[sentence] = dz
        dVi, db = image.T @ per_sentence, per_sentence.sum(axis=0)
        return dz @ Vw.T, dz @ Vr.T, per_sentence @ Vi.T, w.T @ dz, r.T @ dz, dVi, db

    with pytest.raises(checks.Wrong, match=r"dimage\["):
        checks.check_multimodal_backward(multimodal_backward)
