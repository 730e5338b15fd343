"""Every ranker of the registry from the command line, on a few drawn scenes."""

import json

import numpy as np
import pytest
import toy_models

from mrnn_np.cli import main
from mrnn_np.data import load_dataset
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.features.extractors import identity
from mrnn_np.features.matrix import Features
from mrnn_np.models import Ranker, load_model, model_class
from mrnn_np.retrieval import first_ranks, pair_scores, relevance
from mrnn_np.runtime import machine

RANKERS = toy_models.names_of(Ranker)
TRAINING, SEARCHED = 40, 12
pytestmark = [
    pytest.mark.usefixtures("toys"),
    pytest.mark.parametrize("name", RANKERS),
]


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("scenes")


@pytest.fixture(autouse=True)
def quick(dataset, monkeypatch):
    """Load the data set once, and do not measure the machine."""
    monkeypatch.setattr("mrnn_np.data.load_dataset", lambda spec: dataset)
    monkeypatch.setattr(machine, "gemm_speed", lambda jobs: 1e9)


@pytest.fixture(scope="module")
def folder(dataset, tmp_path_factory):
    """A folder with features of a few scenes, a config and a picture."""
    folder = tmp_path_factory.mktemp("ranker")
    lists = [dataset.split("train"), dataset.split("dev")]
    names = lists[0][:TRAINING] + lists[1][:SEARCHED]
    failed = dict.fromkeys(lists[0][TRAINING:] + lists[1][SEARCHED:], "left out")
    matrix = SceneFeatures().features(map(dataset.images.open, names))
    who = identity(SceneFeatures())
    Features(names, matrix, who, "scenes", failed).save(folder / "f.npz")
    searched = Features(names[TRAINING:], matrix[TRAINING:], who, "scenes", failed)
    searched.save(folder / "dev_only.npz")
    (folder / "c.toml").write_text("[training]\nepochs = 3\nthreshold = 1\n")
    dataset.images.open(names[-1]).save(folder / "photo.png")
    return folder


@pytest.fixture
def trained(name, folder, tmp_path, capsys):
    """Train the ranker; return its checkpoint and what was printed."""
    arguments = ["train", "scenes", "--features", folder / "f.npz", "--model", name,
                 "--config", folder / "c.toml", "--out", tmp_path / "run"]  # fmt: skip
    assert main([*map(str, arguments)]) == 0
    return tmp_path / "run" / "best.npz", capsys.readouterr()


def call(command, folder, checkpoint, *more, features="f.npz"):
    arguments = [command, "scenes", "--features", folder / features,
                 "--checkpoint", checkpoint, *more]  # fmt: skip
    return main([*map(str, arguments)])


def matrix_of(checkpoint, folder, dataset):
    """Return the scores of all sentences of the split, and their images."""
    names = dataset.split("dev")[:SEARCHED]
    model = load_model(checkpoint)
    pairs = [(i, text) for i, n in enumerate(names) for text in dataset.captions[n]]
    words = [model.encode(text) for _, text in pairs]
    features = Features.load(folder / "f.npz").rows(names)
    return pair_scores(model, features, words)[0], np.array([i for i, _ in pairs])


def test_train_says_how_large_the_loss_is(trained, name):
    checkpoint, shown = trained
    assert isinstance(load_model(checkpoint), model_class(name))
    log = (checkpoint.parent / "log.jsonl").read_text().splitlines()
    best = min(json.loads(line)["dev_loss"] for line in log)
    assert shown.out.startswith(f"{checkpoint}: dev loss {best:.4f} after epoch ")
    assert "perplexity" not in shown.out + shown.err + "".join(log)


def test_rank(trained, folder, dataset, tmp_path, capsys):
    checkpoint, _ = trained
    page, out = tmp_path / "page.html", tmp_path / "ranks.json"
    kept = ("--matrix", tmp_path / "s.npz")
    both = ("--report", page, "--json", out, *kept)
    # Without features of training images, which nothing is normalised by.
    assert call("rank", folder, checkpoint, *both, features="dev_only.npz") == 0
    shown = capsys.readouterr()
    rows = json.loads(out.read_text())["rows"]
    assert list(rows) == [
        "image to sentence, score", "image to sentence, by chance",
        "sentence to image", "sentence to image, by chance",
    ]  # fmt: skip
    assert all(row in shown.out and row in page.read_text("utf-8") for row in rows)
    scores, owner = matrix_of(checkpoint, folder, dataset)
    relevant = relevance(owner, SEARCHED)
    for row, ranks in (
        ("sentence to image", first_ranks(scores, relevant)),
        ("image to sentence, score", first_ranks(scores.T, relevant.T)),
    ):
        assert rows[row]["mean"] == pytest.approx(ranks.mean())
        assert rows[row]["R@1"] == pytest.approx(100 * np.mean(ranks == 1))
    assert f"{scores.size} pairs in" in shown.err and "FLOP" not in shown.err
    assert call("rank", folder, checkpoint, *kept) == 0
    again = capsys.readouterr()
    assert again.out == shown.out and "read from the file" in again.err
    assert call("rank", folder, checkpoint, "--shortlist", 3) == 1
    refused = capsys.readouterr().err
    assert "leave --shortlist out" in refused and refused.count("\n") == 1


def test_search_by_text(trained, folder, dataset, tmp_path, capsys):
    checkpoint, _ = trained
    names = dataset.split("dev")[:SEARCHED]
    text = dataset.captions[names[3]][0]
    query = ("--text", text, "--top", 4)
    assert call("search", folder, checkpoint, *query, "--json") == 0
    results = json.loads(capsys.readouterr().out)["results"]
    scores, owner = matrix_of(checkpoint, folder, dataset)
    row = scores[np.flatnonzero(owner == 3)[0]]
    assert [one["image"] for one in results] == [names[i] for i in np.argsort(-row)[:4]]
    found = [one["score"] for one in results]
    np.testing.assert_allclose(found, np.sort(row)[::-1][:4], 1e-5, 2e-4)
    page = tmp_path / "page.html"
    assert call("search", folder, checkpoint, *query, "--report", page) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "the model's own" in lines[1] and "the model" in page.read_text("utf-8")
    assert lines[2].split() == ["1", f"{found[0]:.2f}", results[0]["image"]]


def test_search_by_image(trained, folder, dataset, tmp_path, capsys):
    checkpoint, _ = trained
    query = ("--image", folder / "photo.png", "--top", 3)
    use = {"features": "dev_only.npz"}
    assert call("search", folder, checkpoint, *query, "--json", **use) == 0
    shown = capsys.readouterr()
    results = json.loads(shown.out)["results"]
    scores, _ = matrix_of(checkpoint, folder, dataset)
    different = np.unique(scores[:, -1])  # one sentence may be said of two scenes
    found = [one["score"] for one in results]
    assert found == sorted(found, reverse=True) and shown.err == ""
    assert found[0] == pytest.approx(different[-1], rel=1e-5, abs=2e-4)
    assert all(set(one) == {"sentence", "score", "images"} for one in results)
    page = tmp_path / "page.html"
    assert call("search", folder, checkpoint, *query, "--report", page, **use) == 0
    shown = capsys.readouterr().out
    assert "the model's own" in shown and results[0]["sentence"] in shown
    assert results[0]["sentence"] in page.read_text("utf-8")


def test_what_speaks_refuses_it_in_one_line(trained, folder, capsys):
    checkpoint, _ = trained
    photo, features = folder / "photo.png", folder / "f.npz"
    caption = ["caption", photo, "--checkpoint", checkpoint]
    reranked = [*caption, "--rerank", "scenes", "--rerank-features", features]
    evaluate = ["evaluate", "scenes", "--features", features,
                "--checkpoint", checkpoint]  # fmt: skip
    for arguments in (caption, reranked, evaluate, [*evaluate, "--rerank"]):
        assert main([*map(str, arguments)]) == 1
        shown = capsys.readouterr()
        assert f"{checkpoint} scores pairs of images and sentences" in shown.err
        assert "cannot speak: use rank or search" in shown.err
        assert shown.out == "" and shown.err.count("\n") == 1
    assert call("rank", folder, checkpoint, "--checkpoint", checkpoint) == 1
    shown = capsys.readouterr().err
    assert "only captioners can be averaged" in shown and shown.count("\n") == 1
