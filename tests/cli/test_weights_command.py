"""`mrnn-np weights` as a user meets it: the list, a conversion, and every mistake."""

import numpy as np
import pytest

from mrnn_np.cli import main
from mrnn_np.cli.weights import table
from mrnn_np.convert.library import Entry
from mrnn_np.runtime.storage import load_arrays


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder, and an empty current folder."""
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def alexnet_front():
    rng = np.random.default_rng(3)
    return {
        "features.0.weight": rng.normal(size=(64, 3, 11, 11)).astype(np.float32),
        "features.0.bias": rng.normal(size=64).astype(np.float32),
    }


def test_list_with_nothing_here(home, capsys):
    assert main(["weights", "list"]) == 0
    out, err = capsys.readouterr()
    head, *rows = out.splitlines()
    assert head.split() == ["name", "architecture", "layers", "licence", "MB", "where"]
    names = [row.split()[0] for row in rows]
    assert names[:2] == ["efficientnet_lite0", "squeezenet1_1"]
    assert {"alexnet", "vgg16", "vgg16_full", "vgg19_full"} < set(names)
    for name, row in zip(names, rows, strict=True):
        assert row.endswith(f"not here: weights get {name}")
    assert err == "" and list(home.iterdir()) == []


def test_the_table_is_as_wide_as_its_contents():
    entries = [
        Entry("a", "alexnet", "conv1 to fc8", "MIT", 5.4, None),
        Entry("long_name", "vgg16", "conv1_1", "BSD", 550.0, "/x/y.npz"),
    ]
    assert table(entries) == [
        "name       architecture  layers        licence   MB  where",
        "a          alexnet       conv1 to fc8  MIT        5  not here: weights get a",
        "long_name  vgg16         conv1_1       BSD      550  /x/y.npz",
    ]


def test_convert_prints_the_new_file(home, capsys):
    np.savez(home / "mine.npz", **alexnet_front())
    assert main(["weights", "convert", "mine.npz", "-o", "out/new.npz"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("out/new.npz\n", "")
    header, arrays = load_arrays(home / "out" / "new.npz", "cnn")
    assert header["architecture"] == "alexnet"
    assert set(arrays) == {"conv1.weight", "conv1.bias"}


def test_a_converted_file_shows_in_the_list_and_can_be_used(home, capsys):
    from mrnn_np.convert import load_cnn

    np.savez("mine.npz", **alexnet_front())
    target = home.parent / "home" / "cnn" / "mine.npz"
    assert main(["weights", "convert", "mine.npz", "-o", str(target)]) == 0
    assert main(["weights", "list"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split()[:2] == ["mine", "alexnet"] and last.endswith(str(target))
    assert main(["weights", "get", "mine"]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    cnn = load_cnn("mine")
    assert cnn.layer_names == ("conv1", "relu1", "pool1")


def make_text(home):
    (home / "f.pth").write_text("Dear reader, these are no weights.\n")


def make_nothing(home):
    (home / "f.pth").touch()


def make_folder(home):
    (home / "f.pth").mkdir()


def make_other_ending(home):
    (home / "f.docx").write_text("text")


def make_other_network(home):
    np.savez(home / "f.npz", **{"layer1.0.conv1.weight": np.zeros(3, np.float32)})


def make_incomplete(home):
    tensors = alexnet_front()
    del tensors["features.0.bias"]
    np.savez(home / "f.npz", **tensors)


def make_good(home):
    np.savez(home / "f.npz", **alexnet_front())


@pytest.mark.parametrize(
    ("make", "arguments", "part"),
    [
        (None, ["get", "vgg61"], "no network is called 'vgg61'; known are"),
        (None, ["get", "../vgg16"], "no network is called '../vgg16'"),
        (None, ["convert", "f.pth"], "f.pth: no such file"),
        (make_text, ["convert", "f.pth"], "f.pth: not a readable pickle (cut short"),
        (make_nothing, ["convert", "f.pth"], "f.pth: the file is empty"),
        (make_folder, ["convert", "f.pth"], "f.pth: is a folder"),
        (make_other_ending, ["convert", "f.docx"], "known are .pth"),
        (make_other_network, ["convert", "f.npz"], "no network known here"),
        (make_incomplete, ["convert", "f.npz"], "'features.0.bias' of shape (64,)"),
        (make_good, ["convert", "f.npz", "--arch", "resnet"], "unknown architecture"),
        (
            make_good,
            ["convert", "f.npz", "-o", "f.npz"],
            "would overwrite f.npz, which is read",
        ),
        (make_good, ["convert", "f.npz", "-o", "new"], "must end in .npz"),
        (make_good, ["convert", "f.npz", "-o", "f.npz/x.npz"], "cannot be written"),
    ],
)
def test_a_mistake_gives_one_line_and_1(home, capsys, make, arguments, part):
    if make:
        make(home)
    before = sorted(home.rglob("*"))
    assert main(["weights", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == "" and part in err
    assert err.startswith("mrnn-np: error: ") and err.count("\n") == 1
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("arguments", [[], ["take"], ["get"], ["convert"]])
def test_wrong_use_exits_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["weights", *arguments])
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err
