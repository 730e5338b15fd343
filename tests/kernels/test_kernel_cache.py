"""Compiled kernels: kept, made anew after an edit, announced, never stale.

Numba stamps the cache of a kernel with the contents of its own file and of no other. So
a kernel that is kept must not depend on another file, or else be made by a function
that gives it the stamp of all kernels: the first test reads the source of all.
"""

import ast
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

import mrnn_np
from mrnn_np.runtime.outputs import fcntl

PACKAGE = Path(mrnn_np.__file__).parent
FOLDERS = PACKAGE / "kernels", PACKAGE / "cnn" / "fast"
KERNELS = sorted(file for folder in FOLDERS for file in folder.glob("*.py"))
ENGINE = [file for file in KERNELS if file.parent == FOLDERS[1]]
# A kernel as small as can be, added to a copy of the package.
ADDITION = """
from numba import njit

@njit(cache=True, fastmath=False)
def add(a, b):
    return a + b
"""
CALL = "from mrnn_np.kernels.addition import add; print(add(1.0, 1.0))"
# A network without layers: says which sources it was compiled from.
PROGRAM = """
import numpy as np
from mrnn_np.cnn.fast.program import RECORD, run_program

real, whole = np.zeros(1, np.float32), np.zeros(1, np.int64)
print(run_program(np.zeros(0, RECORD).view(np.recarray), real, real, whole, 0))
"""
LINE = "compiling kernels for this machine, once"


def names_in(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def is_kept(node: ast.AST) -> bool:
    """Tell whether a function is a kernel that Numba keeps on disk."""
    return any(
        "njit" in names_in(decorator) and "cache=True" in ast.unparse(decorator)
        for decorator in getattr(node, "decorator_list", [])
    )


def foreign_names(tree: ast.Module) -> dict[str, set[str]]:
    """Return kernel -> names it reads that come from elsewhere in this project.

    Of the kernels that are kept and do not read `stamp`, an argument of the function
    that they are in.
    """
    foreign, kernels = set(), {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "mrnn").startswith(
            "mrnn"
        ):
            foreign |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and names_in(node.value) & foreign:
            # What is computed from a foreign name is as foreign as the name.
            foreign |= {name for goal in node.targets for name in names_in(goal)}
        elif isinstance(node, ast.FunctionDef):
            given = {argument.arg for argument in node.args.args} & {"stamp"}
            for inner in ast.walk(node):
                if is_kept(inner):
                    inside = {name for line in inner.body for name in names_in(line)}
                    stamped = inner is not node and inside & given
                    kernels[inner.name] = set() if stamped else inside
    return {name: inside & foreign for name, inside in kernels.items()}


def names_from_outside(tree: ast.Module, folder: str) -> set[str]:
    """Return the names that compiled functions read from outside of a folder.

    Only what is imported from this project counts: the rest has versions.
    """
    outside, compiled = set(), set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            if node.module.startswith("mrnn") and not node.module.startswith(folder):
                outside |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and names_in(node.value) & outside:
            outside |= {name for goal in node.targets for name in names_in(goal)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            decorators = {n for one in node.decorator_list for n in names_in(one)}
            if decorators & {"njit", "intrinsic"}:
                compiled |= {n for line in node.body for n in names_in(line)}
    return compiled & outside


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_no_kernel_depends_on_another_file(file):
    found = foreign_names(ast.parse(file.read_text(encoding="utf-8")))
    assert not {name: inside for name, inside in found.items() if inside}


@pytest.mark.parametrize("file", ENGINE, ids=lambda file: file.stem)
def test_the_stamp_of_the_engine_covers_all_that_is_compiled(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not names_from_outside(tree, "mrnn_np.cnn.fast")


def test_all_kernels_are_where_they_are_looked_for():
    others = set(PACKAGE.rglob("*.py")) - set(KERNELS)
    assert not [file for file in others if "njit" in file.read_text(encoding="utf-8")]


def test_the_reader_of_kernels_sees_what_it_should():
    tree = ast.parse(
        "from mrnn_np.data import A, B\nC = 2 * A\nD = 3\n"
        "@njit(cache=True)\ndef f(x):\n    return x + C + D\n"
        "@njit(cache=True)\ndef g(x):\n    return B(x)\n"
        "@njit\ndef not_kept(x):\n    return B(x)\n"
        "def h(x):\n    return A\n"
        "def make(stamp):\n"
        "    @njit(cache=True)\n    def k(x):\n        return B(x) + stamp\n"
        "    @njit(cache=True)\n    def l(x):\n        return B(x)\n"
        "@njit(cache=True)\ndef m(stamp):\n    return B(stamp)\n"
    )
    assert foreign_names(tree) == {
        "f": {"C"}, "g": {"B"}, "k": set(), "l": {"B"}, "m": {"B"},
    }  # fmt: skip
    tree = ast.parse(
        "from mrnn_np.data import A, B, C\nfrom mrnn_np.cnn.fast.b import D\n"
        "E = A + 1\n@njit\ndef h(x):\n    return E\n"
        "@intrinsic\ndef f(typing, x):\n    def write(w, x):\n        return A + D\n"
        "def make(stamp):\n    @njit(cache=True)\n    def g(x):\n        return B\n"
        "def plain(x):\n    return C\n"
    )
    assert names_from_outside(tree, "mrnn_np.cnn.fast") == {"A", "B", "E"}


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with one more kernel, without compiled code."""
    package = tmp_path / "copy" / "mrnn_np"
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(PACKAGE, package, ignore=ignored)
    (package / "kernels" / "addition.py").write_text(ADDITION)
    return package


def run(package, call=CALL, **environment) -> tuple[str, str]:
    """Call in a new process; return what came to stdout and to stderr."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    inherited["PYTHONPATH"] = str(package.parent)
    done = subprocess.run(
        [sys.executable, "-c", call],
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
def test_the_program_is_compiled_again_after_an_edit_of_any_kernel(copy, tmp_path):
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, err = run(copy, PROGRAM, **folder)
    assert LINE in err
    assert run(copy, PROGRAM, **folder) == (first, "")
    file = copy / "cnn" / "fast" / "register_blocks.py"
    file.write_text(file.read_text(encoding="utf-8") + "\n# another line\n")
    second, err = run(copy, PROGRAM, **folder)
    assert LINE in err and second != first


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


@pytest.mark.slow
def test_a_kernel_that_cannot_be_kept_is_said_and_works(copy, tmp_path):
    pytest.importorskip("resource", reason="this system has no limit of file sizes")
    limit = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    )
    cache = tmp_path / "cache"
    call = limit + CALL + "; add(1, 1)"  # of whole numbers: a second kernel
    out, err = run(copy, call, NUMBA_CACHE_DIR=str(cache))
    assert out == "2.0"
    assert err.count("a compiled kernel cannot be kept (File too large)") == 1
    assert "Traceback" not in err
    assert not [file for file in cache.rglob("*") if ".tmp." in file.name]
    assert run(copy, NUMBA_CACHE_DIR=str(cache))[0] == "2.0"


@pytest.mark.skipif(fcntl is None, reason="this system has no locks")
def test_two_that_keep_kernels_at_the_same_moment_do_not_mix_them_up(
    tmp_path, monkeypatch
):
    one, two = (IndexDataCacheFile(str(tmp_path), "add", "stamp") for _ in range(2))
    both = threading.Barrier(2)
    read = IndexDataCacheFile._load_index

    def reads_slowly(cache):
        found = read(cache)
        with contextlib.suppress(threading.BrokenBarrierError):  # the other one waits
            both.wait(timeout=0.5)
        return found

    monkeypatch.setattr(IndexDataCacheFile, "_load_index", reads_slowly)
    other = threading.Thread(target=two.save, args=("float32", "of float32"))
    other.start()
    one.save("float64", "of float64")
    other.join()
    assert one.load("float64") == "of float64"
    assert one.load("float32") == "of float32"
