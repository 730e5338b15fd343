"""evaluate --rerank, caption --rerank and recipes/choose_consensus.py, on scenes."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mrnn_np.cli import main
from mrnn_np.data import Vocabulary, get_tokenizer, load_dataset
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.decoding.consensus import NEIGHBOURS, VOTES, Consensus
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.models import MRNN, MRNNConfig, load_model

RECIPE = Path(__file__).parents[2] / "recipes" / "choose_consensus.py"
TRAIN, DEV = 40, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with features of a few scenes, a model of random weights, a picture."""
    folder = tmp_path_factory.mktemp("rerank")
    dataset = load_dataset("scenes")
    names = dataset.split("train")[:TRAIN] + dataset.split("dev")[:DEV]
    extractor = SceneFeatures()
    matrix = extractor.features(dataset.images.open(name) for name in names)
    others = (name for split in ("train", "dev") for name in dataset.split(split))
    failed = {name: "left out" for name in others if name not in names}
    features = Features(names, matrix, identity(extractor), "scenes", failed)
    features.save(folder / "f.npz")
    tokenize = get_tokenizer(dataset.tokenizer).tokenize
    texts = [text for name in names for text in dataset.captions[name]]
    vocabulary = Vocabulary.build(map(tokenize, texts), 1)
    config = MRNNConfig(
        image_size=matrix.shape[1],
        embedding_size=8,
        recurrent_size=8,
        multimodal_size=8,
    )
    model = MRNN(
        config, vocabulary, np.random.default_rng(0), extractor=features.extractor
    )
    model.set_feature_statistics(matrix)
    # Without this it would say little but "a" and "the", which say nothing.
    model.params["Wo"] *= 100
    model.save(folder / "m.npz")
    dataset.images.open(names[-1]).save(folder / "photo.png")
    return folder


def options(folder, features: str = "--features") -> list[str]:
    return ["--checkpoint", str(folder / "m.npz"), features, str(folder / "f.npz")]


@pytest.mark.slow
@pytest.mark.parametrize("similarity", ["cider", "bleu"])
def test_evaluate(folder, capsys, similarity):
    out = folder / "dev.json"
    arguments = ["evaluate", "scenes", *options(folder), "--json", str(out)]
    assert main([*arguments, "--beam", "4", "--rerank", similarity]) == 0
    shown = capsys.readouterr().out
    assert f"beam 4, reranked by {similarity}" in shown
    table = [line.split() for line in shown.partition("\n\n")[2].splitlines()]
    assert [row[0] for row in table[1:]] == ["beam", "reranked", "cider", "bleu"]
    result = json.loads(out.read_text())
    found = result["other_scores"] | {"reranked": result["scores"]}
    assert set(found) == {"beam", "reranked", "cider oracle", "bleu oracle"}
    assert found["cider oracle"]["CIDEr"] >= found["beam"]["CIDEr"]
    # The captions are those of the library, an image's own sentences not counting.
    model, features = load_model(folder / "m.npz"), Features.load(folder / "f.npz")
    dataset = load_dataset("scenes")
    names = dataset.split("dev")[:DEV]
    matrix = features.rows(names)
    beams = model.caption(matrix, beam_size=4, n_best=4)
    consensus = Consensus.of_training_split(model, dataset, features)
    assert len(consensus.names) == TRAIN
    vectors = model.refined_features(matrix)
    best = consensus.rerank(beams, vectors, names, similarity)
    captions = json.loads((folder / "dev.captions.json").read_text())
    assert [entry["caption"] for entry in captions] == [own[0].text for own in best]
    # "beam" is what evaluate gives without --rerank.
    assert main([*arguments, "--beam", "4"]) == 0
    plain = json.loads(out.read_text())["scores"]
    for name, value in found["beam"].items():
        assert plain[name] == pytest.approx(value)


@pytest.mark.slow
def test_caption_asks_for_the_wider_beam_of_the_paper(folder, capsys):
    photo = [str(folder / "photo.png")]
    rerank = ["--rerank", "scenes", *options(folder, "--rerank-features")]
    assert main(["caption", *photo, *rerank, "--nbest", "10", "--json"]) == 0
    (reranked,) = json.loads(capsys.readouterr().out)
    plain = ["caption", *photo, *options(folder)[:2], "--nbest", "10", "--json"]
    assert main([*plain, "--beam", "10"]) == 0
    (direct,) = json.loads(capsys.readouterr().out)
    order, likely = (
        [caption["caption"] for caption in one["captions"]]
        for one in (reranked, direct)
    )
    assert sorted(order) == sorted(likely) and order != likely
    assert main(["caption", *photo, *rerank]) == 0
    assert capsys.readouterr().out == f"{photo[0]}: {order[0]}\n"
    assert main(["caption", *photo, *rerank, "--nbest", "11"]) == 1
    assert "widen the beam" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["caption", "x.png", "--rerank", "scenes"], "give both"),
        (["caption", "x.png", "--rerank-features", "f.npz"], "give both"),
        (
            ["caption", "x.png", "--rerank", "scenes", "--rerank-features", "f.npz",
             "--sample"],
            "does not search",
        ),
        (["evaluate", "scenes", "--captions", "c.json", "--rerank"], "model's beam"),
    ],
)  # fmt: skip
def test_wrong_use_exits_2(arguments, part, capsys):
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert part in shown and shown.count("\n") == 1


@pytest.mark.slow
def test_captions_of_another_language_are_refused(folder, capsys):
    rerank = ["--rerank", "scenes:zh", *options(folder, "--rerank-features")]
    assert main(["caption", str(folder / "photo.png"), *rerank]) == 1
    assert "in the model's language" in capsys.readouterr().err


def test_features_of_another_cnn_are_refused(folder, capsys):
    features = Features.load(folder / "f.npz")
    made_by = {**features.extractor, "sha256": "0" * 64}
    Features(features.names, features.matrix, made_by).save(folder / "other.npz")
    arguments = ["--checkpoint", str(folder / "m.npz"), "--rerank", "scenes"]
    arguments += ["--rerank-features", str(folder / "other.npz")]
    assert main(["caption", str(folder / "photo.png"), *arguments]) == 1
    assert "other.npz: made by scenes, as the model" in capsys.readouterr().err


@pytest.mark.slow
def test_the_recipe_that_chose_the_defaults(folder, capsys, monkeypatch):
    arguments = ["scenes", *options(folder), "--beam", "3"]
    monkeypatch.setattr(sys, "argv", [str(RECIPE), *arguments])
    runpy.run_path(str(RECIPE), run_name="__main__")
    shown = capsys.readouterr().out
    assert shown.count("neighbours by the") == 8
    first = shown.partition("\n\n")[2].splitlines()
    ks = [line.split()[0] for line in first[2:9]]
    assert ks == ["10", "20", "30", "40", "60", "80", "100"]
    # With the defaults it is what evaluate prints (20 neighbours, 75 votes).
    assert main(["evaluate", *arguments, "--rerank"]) == 0
    table = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    columns, row = table[0].split(), table[2].split()[3:]
    expected = f"{row[columns.index('BLEU-4')]}/{row[columns.index('CIDEr')]}"
    votes = first[1].split()[3:]
    row_of_k = next(line for line in first if line.startswith(f"  {NEIGHBOURS} "))
    cells = row_of_k.split()[1:]
    assert cells[votes.index(str(VOTES))] == expected
