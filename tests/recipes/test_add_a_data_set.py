"""CONTRIBUTING's recipe "Add a data set", followed with toy_data_set.py."""

import sys
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS), str(TESTS / "data")]

from fuzzing.datasets import CAPTIONS, NAMES, joined, maker, pictures, read  # noqa: E402
from fuzzing.limits import Target, check_line  # noqa: E402
from miniatures import draw, write  # noqa: E402

from mrnn_np.cli import main  # noqa: E402
from mrnn_np.data import load_dataset  # noqa: E402
from mrnn_np.data.dataset import READERS  # noqa: E402
from mrnn_np.features.matrix import Features  # noqa: E402
from mrnn_np.runtime.errors import InputError  # noqa: E402

TOY = """train | a.png | A red dog.
train | a.png | A dog is red.

dev | b.png | Two cats.
"""


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """Step 2, the one line in the table."""
    monkeypatch.setitem(READERS, "toy", ("toy:DIR", "toy_data_set"))


def made(folder, text=TOY):
    """Step 3, the miniature of its files."""
    write(folder, "toy.txt", text)
    draw(folder / "pictures", "a.png", "b.png")
    return f"toy:{folder}"


def test_it_is_read_by_its_name(tmp_path):
    dataset = load_dataset(made(tmp_path))
    assert dataset.split("train") == ["a.png"] and dataset.split("dev") == ["b.png"]
    assert list(dataset.sentences("train")) == [
        ("a.png", "A red dog."),
        ("a.png", "A dog is red."),
    ]
    assert dataset.images.open("b.png").size == (8, 6) and dataset.remarks == ()


def test_commands_take_it(tmp_path):
    out = tmp_path / "f.npz"
    assert main(["features", made(tmp_path), "--cnn", "scenes", "-o", str(out)]) == 0
    assert list(Features.load(out).names) == ["a.png", "b.png"]


def test_it_is_among_those_that_are_known():
    with pytest.raises(InputError, match=r"unknown data set 'toys:x': .*toy:DIR"):
        load_dataset("toys:x")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("train | a.png | A dog.\ntrain | b.png\n", "toy.txt:2: expected a line"),
        ("train | a.png | ...\n", "toy.txt:1: expected a line"),
        ("train | a.png | A dog.\n\nval | b.png | A cat.\n", "toy.txt:3: the split"),
        ("train | ../a.png | A dog.\n", "toy.txt:1: '../a.png' cannot be the name"),
        ("train | a.png | A dog.\ndev | a.png | A cat.\n", "a.png is in the list of"),
        ("train | a.png | A dog.\x00\n", "toy.txt:1: not a text file"),
    ],
)
def test_an_error_names_file_and_line(tmp_path, text, error):
    with pytest.raises(InputError) as caught:
        load_dataset(made(tmp_path, text))
    assert error in str(caught.value) and str(tmp_path) in str(caught.value)


def files(rng):
    sides = ("train", "train", "train", "dev", "dev", "test")
    rows = zip(sides, NAMES, CAPTIONS, strict=True)
    return {"toy.txt": joined(" | ".join(row) for row in rows)} | pictures("pictures")


# Step 3 again: the target of tests/fuzzing, as it would stand in its TARGETS.
TARGET = Target("toy", "dataset", maker("toy", files), read, 2)


def test_damaged_files_are_read_or_refused(tmp_path):
    refused = 0
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        spec = TARGET.make(np.random.default_rng([0, number]), folder)
        try:
            TARGET.read(spec)
        except InputError as error:
            check_line(str(error))
            refused += 1
    assert 10 < refused < 60
