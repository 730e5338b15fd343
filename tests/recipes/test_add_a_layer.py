"""CONTRIBUTING's recipe "Add a layer", followed step by step in a copy of the package.

(The recipe "Add a model" is followed by tests/models/toy_models.py.)
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mrnn_np"

# Step 1: mrnn_np/layers/scale.py
SCALE = '''
def scale_forward(x, s):
    """out = x * s, x (P, A), s (A,)"""
    return x * s, (x, s)


def scale_backward(dout, cache):
    """dx = dout * s, ds = sum over rows of dout * x"""
    x, s = cache
    return dout * s, (dout * x).sum(axis=0)
'''
# Step 2: a line of layers/__init__.py
EXPORT = "\nfrom mrnn_np.layers.scale import scale_backward, scale_forward\n"
# Step 3: a case in `layer_cases` of gradcheck/cases.py
CASE = """    yield LayerCase(
        "scale",
        layers.scale_forward,
        layers.scale_backward,
        {"x": normal((4, 3)), "s": normal(3)},
    )
"""
BEFORE = "    normal = rng.standard_normal\n"  # the first line that a case needs

# What the tests of all layers ask (tests/layers/test_layers.py), of this one.
CHECKS = """
import numpy as np
from mrnn_np.gradcheck.cases import check_layer, layer_cases
from mrnn_np.gradcheck.precision import compare_layer
rng = np.random.default_rng(0)
(case,) = (case for case in layer_cases(0) if case.name == "scale")
double = check_layer(case.forward, case.backward, case.arrays, rng, case.limit)
for precision, checks in (("64", double), ("32", compare_layer(case, rng))):
    for check in checks:
        print(precision, check.name, check.entries, check.passed)
"""
# `mrnn-np gradcheck` without cells and models, which take half a minute.
COMMAND = """
from mrnn_np.cli import main
from mrnn_np.gradcheck import cases, run
cases.cell_cases = lambda seed: []
run.model_case = run.model_comparison = lambda *arguments, **choices: []
raise SystemExit(main(["gradcheck"]))
"""


def run(folder, *arguments):
    """Run Python with the package that is in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_DISABLE_JIT": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def checks_of(folder):
    """Return (precision, name, entries) -> passed, of the new layer's checks."""
    done = run(folder, "-c", CHECKS)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    return {(bits, name, int(n)): passed == "True" for bits, name, n, passed in rows}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the package with one layer more."""
    folder = tmp_path_factory.mktemp("copy")
    copy = folder / "mrnn_np"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "layers" / "scale.py").write_text(SCALE)
    with (copy / "layers" / "__init__.py").open("a") as file:
        file.write(EXPORT)
    cases = copy / "gradcheck" / "cases.py"
    text = cases.read_text(encoding="utf-8")
    assert text.count(BEFORE) == 1
    cases.write_text(text.replace(BEFORE, BEFORE + CASE), encoding="utf-8")
    return folder


def test_every_entry_is_checked_in_both_precisions(folder):
    assert checks_of(folder) == {
        ("64", "x", 12): True,
        ("64", "s", 3): True,
        ("32", "out", 12): True,
        ("32", "x", 12): True,
        ("32", "s", 3): True,
    }


@pytest.mark.parametrize(
    ("right", "wrong", "seen"),
    [
        ("return dout * s,", "return dout,", {("64", "x", 12)}),
        ("(dout * x).sum", "(dout * x)[1:].sum", {("64", "s", 3)}),
        (  # of float32 alone: no difference of the cost shows it
            "return dout * s,",
            "return dout * s * (1.001 if dout.dtype == 'float32' else 1),",
            {("32", "x", 12)},
        ),
    ],
)
def test_a_fault_in_the_backward_pass_is_found(folder, right, wrong, seen):
    file = folder / "mrnn_np" / "layers" / "scale.py"
    assert SCALE.count(right) == 1
    file.write_text(SCALE.replace(right, wrong))
    try:
        checks = checks_of(folder)
    finally:
        file.write_text(SCALE)
    assert {check for check, passed in checks.items() if not passed} == seen


def test_the_command_checks_it_too(folder):
    done = run(folder, "-c", COMMAND)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows if row[0] == "scale"] == [
        ["scale", "x"],
        ["scale", "s"],
    ]
    assert sum(row[:2] == ["float32", "scale"] for row in rows) == 3
