"""--features and --checkpoint given several times, from the command line."""

import json

import numpy as np
import pytest

from mrnn_np.cli import main
from mrnn_np.cnn import Preprocessing, build, weight_shapes
from mrnn_np.data import Vocabulary, load_dataset
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.features.extractors import load_extractor
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.models import MRNN, Ensemble, MRNNConfig, load_model
from mrnn_np.runtime.storage import save_arrays

SIZE = 63  # pixels of the small CNN
CONFIG = """
[model]
embedding_size = 8
recurrent_size = 8
multimodal_size = 8
[training]
epochs = 1
threshold = 1
seed = {seed}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with features by two extractors of twelve scenes of either split.

    One is a CNN of two layers with random weights, "tiny", in the user's cache.
    """
    tmp_path = tmp_path_factory.mktemp("inputs")
    patch = pytest.MonkeyPatch()
    patch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    arrays = {
        key: rng.standard_normal(shape).astype(np.float32)
        for key, shape in weight_shapes(build("alexnet", None)[:3], SIZE).items()
    }
    header = {
        "name": "tiny",
        "architecture": "alexnet",
        "preprocessing": Preprocessing(SIZE, SIZE, scale=1 / 255).to_dict(),
    }
    save_arrays(tmp_path / "home" / "cnn" / "tiny.npz", "cnn", header, arrays)
    dataset = load_dataset("scenes")
    names = dataset.split("train")[:12] + dataset.split("dev")[:12]
    rest = dataset.split("train")[12:] + dataset.split("dev")[12:]
    for extractor in (SceneFeatures(), load_extractor("tiny")):
        matrix = extractor.features(dataset.images.open(name) for name in names)
        failed = dict.fromkeys(rest, "left out")
        features = Features(names, matrix, identity(extractor), "scenes", failed)
        features.save(tmp_path / f"{extractor.name}.npz")
    dataset.images.open(names[-1]).save(tmp_path / "photo.png")
    yield tmp_path
    patch.undo()


def features_of(folder, *names) -> list[str]:
    return [word for n in names for word in ("--features", str(folder / f"{n}.npz"))]


def checkpoints(*paths) -> list[str]:
    return [word for path in paths for word in ("--checkpoint", str(path))]


def make_model(path, seed, words=("a", "small", "red", "circle", "and", "square")):
    """Save an untrained model of the scenes' own features; return its path."""
    vocabulary = Vocabulary.build([words], 1)
    config = MRNNConfig(
        image_size=236, embedding_size=8, recurrent_size=8, multimodal_size=8
    )
    extractor = identity(SceneFeatures())
    rng = np.random.default_rng(seed)
    MRNN(config, vocabulary, rng, extractor=extractor).save(path)
    return path


@pytest.mark.parametrize("command", ["rank", "evaluate", "search"])
def test_a_split_without_a_picture_that_could_be_read(folder, command, capsys):
    path = make_model(folder / "one.npz", 0)
    names = load_dataset("scenes").split("dev")
    failed = dict.fromkeys(names, "no picture at all")
    train = Features.load(folder / "scenes.npz").only(
        load_dataset("scenes").split("train")[:12]
    )
    train.failed = failed
    train.save(folder / "unread.npz")
    query = ["--text", "a red circle"] if command == "search" else []
    given = [*features_of(folder, "unread"), *checkpoints(path)]
    assert main([command, "scenes", *query, *given]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == (
        f"mrnn-np: error: {folder / 'unread.npz'}: none of the {len(names)} images of "
        f"the split 'dev' could be read; {names[0]}: no picture at all\n"
    )


def test_two_checkpoints_are_an_ensemble(folder, capsys):
    paths = [make_model(folder / f"{seed}.npz", seed) for seed in (0, 1)]
    scores = folder / "scores.json"
    arguments = ["evaluate", "scenes", *features_of(folder, "scenes"), "--beam", "2"]
    assert main([*arguments, *checkpoints(*paths), "--json", str(scores)]) == 0
    result = json.loads(scores.read_text())
    assert result["checkpoint"] == f"{paths[0]} + {paths[1]}"
    dataset = load_dataset("scenes")
    names = dataset.split("dev")[:12]
    matrix = Features.load(folder / "scenes.npz").rows(names)
    ensemble = Ensemble([load_model(path) for path in paths])
    pairs = [(n, text) for n in names for text in dataset.captions[n]]
    loss = ensemble.mean_loss(ensemble.examples(pairs, names, matrix))
    assert result["scores"]["perplexity"] == pytest.approx(np.exp(loss))
    photo = str(folder / "photo.png")
    capsys.readouterr()
    assert main(["caption", photo, *checkpoints(*paths), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)[0]["captions"][0]
    image = load_dataset("scenes").images.open(names[-1])
    best = ensemble.caption(SceneFeatures().features([image]))[0]
    assert said == {"caption": best.text, "log_prob": round(best.log_prob, 4)}


def test_checkpoints_that_do_not_fit_together(folder, capsys):
    paths = [make_model(folder / "a.npz", 0), make_model(folder / "b.npz", 1, ["ab"])]
    for command in (
        ["evaluate", "scenes", *features_of(folder, "scenes")],
        ["caption", str(folder / "photo.png")],
    ):
        assert main([*command, *checkpoints(*paths)]) == 1
        error = capsys.readouterr().err
        assert f"{paths[0]} + {paths[1]}: models 1 and 2" in error
        assert "know different words" in error and error.count("\n") == 1


@pytest.mark.slow
def test_a_model_of_two_cnns_from_files_to_a_photograph(folder, capsys):
    runs = []
    for seed in (0, 3):
        config, run = folder / "c.toml", folder / f"run{seed}"
        config.write_text(CONFIG.format(seed=seed))
        order = ["tiny", "scenes"] if seed else ["scenes", "tiny"]
        arguments = ["train", "scenes", *features_of(folder, *order), "--config"]
        assert main([*arguments, str(config), "--out", str(run)]) == 0
        runs.append(run / "best.npz")
    models = [load_model(run) for run in runs]
    assert models[0].extractor["name"] == "scenes+tiny"
    assert models[0].config.image_size == 236 + 64
    assert not np.array_equal(models[0].params["Vi"], models[1].params["Vi"])
    whole = ["features", "scenes", "--split", "dev", "--cnn", "tiny+scenes"]
    assert main([*whole, "-o", str(folder / "whole.npz")]) == 0
    shown = []
    capsys.readouterr()
    for given in (["scenes", "tiny"], ["tiny", "scenes"]):
        arguments = ["evaluate", "scenes", *features_of(folder, *given)]
        assert main([*arguments, *checkpoints(*runs)]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    dataset = load_dataset("scenes")
    name = dataset.split("dev")[11]
    photo = [str(folder / "photo.png"), "--json"]
    assert main(["caption", *photo, *checkpoints(runs[0])]) == 0
    said = json.loads(capsys.readouterr().out)[0]["captions"][0]["caption"]
    row = Features.load(folder / "whole.npz").rows([name])
    assert said == models[0].caption(row)[0].text


def test_a_file_of_features_is_missing_or_too_many(folder, capsys):
    path = make_model(folder / "a.npz", 0)
    arguments = ["evaluate", "scenes", *checkpoints(path)]
    for given, message in [
        (["tiny"], "tiny.npz: made by tiny, but the model was trained on"),
        (["scenes", "tiny"], "tiny.npz: made by scenes+tiny, but the model was"),
        (["scenes", "scenes"], "scenes.npz: scenes+scenes: the same CNN twice"),
    ]:
        assert main([*arguments, *features_of(folder, *given)]) == 1
        error = capsys.readouterr().err.splitlines()
        assert message in error[-1]


def test_what_joining_leaves_out_is_said(folder, capsys):
    features = Features.load(folder / "tiny.npz")
    fewer = Features(features.names[:-1], features.matrix[:-1], features.extractor)
    fewer.save(folder / "fewer.npz")
    main(
        [
            "evaluate",
            "scenes",
            *features_of(folder, "scenes", "fewer"),
            *checkpoints(make_model(folder / "a.npz", 0)),
        ]
    )
    dataset = load_dataset("scenes")
    error = capsys.readouterr().err
    missing = len(dataset.split("train") + dataset.split("dev")) - 23
    assert f"{missing} images are left out; " in error


def test_at_least_one_file_of_features(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "scenes"])
    assert stop.value.code == 2
    assert "--features" in capsys.readouterr().err
