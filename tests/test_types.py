"""What mypy does not ask for: precise types at the seams between the packages.

mypy itself runs in .ci/run; these rules hold where it is lenient.
"""

import ast
import importlib
from pathlib import Path

import pytest

import mrnn_np

PACKAGE = Path(mrnn_np.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# What many functions are given, and what a reader wants to know the kind of.
SEAMS = {"model", "extractor", "dataset", "workers", "trie"}
SAYS_NOTHING = {"object", "Any"}
# Packages that import a name when it is first used.
LAZY = ("mrnn_np", "mrnn_np.cnn", "mrnn_np.convert", "mrnn_np.models")


def untyped(source: str) -> list[tuple[int, str]]:
    """Return (line, name) of parameters and fields at a seam that have no type."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign):
            name, annotation = ast.unparse(node.target), node.annotation
        else:
            continue
        kind = ast.unparse(annotation) if annotation else "Any"
        if name in SEAMS and kind in SAYS_NOTHING:
            found.append((node.lineno, name))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_models_and_the_like_have_a_type(file):
    assert untyped(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(model): pass",
        "def f(a: int, *, model=None): pass",
        "async def f(model: object): pass",
        "class C:\n def f(self, trie, x: int): pass",
        "def f():\n def g(a: str, workers): pass",
        "f = lambda dataset: dataset",
        "class C:\n extractor: Any",
    ],
)
def test_a_seam_without_a_type_is_seen(source):
    assert len(untyped(source)) == 1
    assert untyped("def f(model: Model, other, trie: 'PrefixTrie | None'): pass") == []


@pytest.mark.parametrize("package", LAZY)
def test_lazy_names_are_there_for_type_checkers_too(package):
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    blocks = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    names = {}
    for line in (line for block in blocks for line in block.body):
        assert isinstance(line, ast.ImportFrom)
        for alias in line.names:
            assert alias.asname == alias.name  # "as" marks what is handed on
            names[alias.name] = line.module
    at_once = {
        name
        for node in tree.body
        if isinstance(node, ast.ImportFrom | ast.Assign)
        for name in map(ast.unparse, getattr(node, "names", None) or node.targets)
    }
    assert names.keys() == set(module.__all__) - at_once
    for name, home in names.items():
        there = importlib.import_module(home)
        assert getattr(module, name) is getattr(there, name), name


def test_the_package_says_that_it_has_types():
    assert (PACKAGE / "py.typed").is_file()
