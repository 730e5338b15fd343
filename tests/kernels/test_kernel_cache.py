"""Compiled kernels: kept, made anew after an edit, announced, never stale.

Numba stamps the cache of a kernel with the contents of its own file and of no other,
so a kernel must not depend on another file: the first test reads the source of all.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mrnn_np

PACKAGE = Path(mrnn_np.__file__).parent
KERNELS = sorted((PACKAGE / "kernels").glob("*.py"))
# A kernel as small as can be, added to a copy of the package.
ADDITION = """
from numba import njit

@njit(cache=True, fastmath=False)
def add(a, b):
    return a + b
"""
CALL = "from mrnn_np.kernels.addition import add; print(add(1.0, 1.0))"
LINE = "compiling kernels for this machine, once"


def names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def is_kernel(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any("njit" in names_in(decorator) for decorator in decorators)


def foreign_names(tree: ast.Module) -> dict[str, set[str]]:
    """Return kernel -> names it reads that come from elsewhere in this project."""
    foreign, kernels = set(), {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "mrnn").startswith(
            "mrnn"
        ):
            foreign |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and names_in(node.value) & foreign:
            # What is computed from a foreign name is as foreign as the name.
            foreign |= {name for goal in node.targets for name in names_in(goal)}
        elif is_kernel(node):
            inside = {name for line in node.body for name in names_in(line)}
            kernels[node.name] = inside
    return {name: inside & foreign for name, inside in kernels.items()}


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_no_kernel_depends_on_another_file(file):
    found = foreign_names(ast.parse(file.read_text(encoding="utf-8")))
    assert not {name: inside for name, inside in found.items() if inside}


def test_all_kernels_are_where_they_are_looked_for():
    others = set(PACKAGE.rglob("*.py")) - set(KERNELS)
    assert not [file for file in others if "njit" in file.read_text(encoding="utf-8")]


def test_the_reader_of_kernels_sees_what_it_should():
    tree = ast.parse(
        "from mrnn_np.data import A, B\nC = 2 * A\nD = 3\n"
        "@njit(cache=True)\ndef f(x):\n    return x + C + D\n"
        "@njit\ndef g(x):\n    return B(x)\n"
        "def h(x):\n    return A\n"
    )
    assert foreign_names(tree) == {"f": {"C"}, "g": {"B"}}


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with one more kernel, without compiled code."""
    package = tmp_path / "copy" / "mrnn_np"
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(PACKAGE, package, ignore=ignored)
    (package / "kernels" / "addition.py").write_text(ADDITION)
    return package


def run(package, **environment) -> tuple[str, str]:
    """Add 1 and 1 in a new process; return what came to stdout and to stderr."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    inherited["PYTHONPATH"] = str(package.parent)
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        env=inherited | environment,
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.slow
def test_compiled_once_and_again_after_an_edit(copy, tmp_path):
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    out, err = run(copy, **folder)
    assert out == "2.0" and err.count(LINE) == 1
    assert run(copy, **folder) == ("2.0", "")

    file = copy / "kernels" / "addition.py"
    file.write_text(ADDITION.replace("a + b", "a - b"))
    out, err = run(copy, **folder)
    assert out == "0.0" and LINE in err


@pytest.mark.slow
def test_no_folder_to_write_to_is_said_and_works(copy, tmp_path):
    # Even root cannot make a folder where there is a file.
    (copy / "kernels" / "__pycache__").touch()
    nowhere = tmp_path / "file"
    nowhere.touch()
    out, err = run(copy, HOME=str(nowhere), XDG_CACHE_HOME=str(nowhere / "cache"))
    assert out == "2.0"
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in err
    assert "Traceback" not in err
