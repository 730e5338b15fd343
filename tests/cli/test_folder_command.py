"""A newcomer's folder of pictures, from the captions file to a trained model."""

import pytest

from mrnn_np.cli import main
from mrnn_np.data import load_dataset
from mrnn_np.features.matrix import Features
from mrnn_np.runtime.errors import InputError

CONFIG = """
[model]
embedding_size = 16
recurrent_size = 32
multimodal_size = 48
[training]
epochs = 2
threshold = 1
"""


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder as the documentation asks for it: 40 drawn scenes, 5 captions each."""
    scenes = load_dataset("scenes")
    folder = tmp_path_factory.mktemp("pets")
    names = scenes.images.names()[:40]
    for name in names:
        scenes.images.open(name).save(folder / f"{name}.png")
    rows = [f"{name}.png\t{text}\n" for name in names for text in scenes.captions[name]]
    (folder / "captions.tsv").write_text("".join(rows), encoding="utf-8")
    (folder / "c.toml").write_text(CONFIG)
    features = ["features", f"folder:{folder}", "--cnn", "scenes"]
    assert main([*features, "-o", str(folder / "f.npz")]) == 0
    return folder


def test_features_of_a_folder(pets, capsys):
    again = ["features", f"folder:{pets}", "--cnn", "scenes", "--split", "dev"]
    assert main([*again, "-o", str(pets / "dev.npz")]) == 0
    out, error = capsys.readouterr()
    dev = load_dataset(f"folder:{pets}").split("dev")
    assert f"dev.npz: {len(dev)} images" in out
    assert error == f"folder: the split is made from the names: {sizes(pets)}\n"
    assert list(Features.load(pets / "dev.npz").names) == dev
    assert len(Features.load(pets / "f.npz")) == 40


def sizes(pets):
    splits = load_dataset(f"folder:{pets}").splits
    return ", ".join(f"{len(names)} {split}" for split, names in splits.items())


@pytest.mark.slow
def test_training_on_a_folder(pets, capsys):
    run = pets / "run"
    train = ["train", f"folder:{pets}", "--features", str(pets / "f.npz")]
    options = ["--config", str(pets / "c.toml"), "--out", str(run)]
    assert main([*train, *options]) == 0
    assert f"{run}/best.npz: dev perplexity" in capsys.readouterr().out
    evaluate = ["evaluate", *train[1:], "--split", "test", "--checkpoint"]
    assert main([*evaluate, str(run / "best.npz")]) == 0


def test_the_real_cnn_on_a_folder(pets, tmp_path):
    from mrnn_np.convert import load_cnn

    try:
        load_cnn("efficientnet_lite0")
    except InputError as error:
        pytest.skip(f"no CNN weights: {error}")
    (tmp_path / "images").mkdir()
    rows = (pets / "captions.tsv").read_text(encoding="utf-8").splitlines(True)[:15]
    for name in dict.fromkeys(row.partition("\t")[0] for row in rows):
        (tmp_path / "images" / name).write_bytes((pets / name).read_bytes())
    (tmp_path / "captions.tsv").write_text("".join(rows), encoding="utf-8")
    goal = tmp_path / "f.npz"
    assert main(["features", f"folder:{tmp_path}", "-o", str(goal)]) == 0
    features = Features.load(goal)
    assert features.matrix.shape == (3, 1280 + 1152 + 672)
    assert features.extractor["name"] == "efficientnet_lite0"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "dog.png,A dog.\n",
            "captions.tsv:201: expected FILE NAME, a tab, the caption",
        ),
        ("dog.png\tA dog.\n", "captions.tsv:201: no picture 'dog.png' in"),
        ("scene0000.png\tA dog.\tdev\n", "captions.tsv:201: scene0000.png is in dev h"),
    ],
)
def test_mistakes_are_one_line_and_status_1(pets, row, message, capsys):
    captions = pets / "captions.tsv"
    before = captions.read_text(encoding="utf-8")
    captions.write_text(before + row, encoding="utf-8")
    try:
        assert main(["features", f"folder:{pets}", "-o", str(pets / "g.npz")]) == 1
    finally:
        captions.write_text(before, encoding="utf-8")
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (pets / "g.npz").exists()


def test_an_empty_list_and_one_with_an_image_twice(pets, capsys):
    for text, message in (("\n", "dev.txt: no image in it"),
                          ("scene0001.png\nscene0001.png\n",
                           "dev.txt:2: scene0001.png is listed twice")):  # fmt: skip
        (pets / "dev.txt").write_text(text)
        try:
            assert main(["features", f"folder:{pets}", "-o", "never.npz"]) == 1
        finally:
            (pets / "dev.txt").unlink()
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
