"""Search and the retrieval page from the command line, on a few drawn scenes."""

import dataclasses
import json
import re

import numpy as np
import pytest
import small_model
from small_model import SEARCHED, TRAINING

from mrnn_np.cli import demo, main
from mrnn_np.data import load_dataset, tokenize
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.features.matrix import Features
from mrnn_np.images import NoImages
from mrnn_np.models import load_model
from mrnn_np.runtime import machine


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("scenes")


@pytest.fixture(scope="module")
def folder(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    small_model.make(folder, dataset)
    return folder


@pytest.fixture(autouse=True)
def loaded_once(dataset, monkeypatch):
    """Loading takes half a second, a search much less."""
    monkeypatch.setattr("mrnn_np.data.load_dataset", lambda spec: dataset)


def arguments_of(folder, *more, features: str = "f.npz") -> list[str]:
    """Return the command with the folder's files."""
    return ["search", "scenes", "--features", str(folder / features),
            "--checkpoint", str(folder / "model.npz"), *map(str, more)]  # fmt: skip


def test_by_text_in_the_order_of_single_likelihoods(folder, dataset, capsys):
    text = "a large red circle"
    assert main(arguments_of(folder, "--text", text, "--top", 99, "--json")) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["text"] == text and shown.err == ""
    model, features = load_model(folder / "model.npz"), Features.load(folder / "f.npz")
    names = dataset.split("dev")[:SEARCHED]
    alone = model.log_likelihood(features.rows(names), [text] * SEARCHED)
    order = np.argsort(-alone)
    assert [one["image"] for one in found["results"]] == [names[i] for i in order]
    log_probs = [one["log_prob"] for one in found["results"]]
    np.testing.assert_allclose(log_probs, alone[order], atol=2e-4)
    assert main(arguments_of(folder, "--text", text, "--top", 2)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"scenes dev: best 2 of {SEARCHED} images for {text!r}"
    assert "nats" in lines[1]
    assert lines[2].split() == ["1", f"{log_probs[0]:.2f}", names[order[0]]]
    assert len(lines) == 4


def test_by_image_in_the_order_of_the_papers_formula(folder, dataset, capsys):
    photo = folder / "photo.png"
    assert main(arguments_of(folder, "--image", photo, "--top", 3, "--json")) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)["results"]
    assert re.fullmatch(r"\d+ % of all pairs .*\n", shown.err)
    names, model = dataset.split("dev")[:SEARCHED], load_model(folder / "model.npz")
    features = Features.load(folder / "f.npz")
    training = features.rows(dataset.split("train")[:TRAINING])
    images = np.vstack([features.rows(names[2:3]), training])
    scores, owners = {}, {}
    for name in names:
        for text in dataset.captions[name]:
            tokens = tuple(tokenize(text))
            owners.setdefault(tokens, []).append(name)
            if tokens not in scores:
                log_probs = model.log_likelihood(images, [text] * len(images))
                mean = np.exp(log_probs[1:].astype(float)).mean()
                scores[tokens] = log_probs[0] - np.log(mean)
    best = sorted(scores, key=scores.get, reverse=True)[:3]
    assert [tuple(tokenize(one["sentence"])) for one in found] == best
    for one, tokens in zip(found, best, strict=True):
        assert one["score"] == pytest.approx(scores[tokens], abs=1e-3)
        assert one["images"] == list(dict.fromkeys(owners[tokens]))
    assert main(arguments_of(folder, "--image", photo, "--top", 1)) == 0
    line = capsys.readouterr().out.splitlines()[2]
    assert found[0]["sentence"] in line and found[0]["images"][0] in line


def test_unknown_words_are_named_and_a_sentence_of_them_refused(folder, capsys):
    text = "a zorgblat above a red quux"
    assert main(arguments_of(folder, "--text", text)) == 0
    remark = capsys.readouterr().err
    assert remark.count("\n") == 1 and "zorgblat, quux" in remark
    for text, message in [("zorgblat!", "no word of the sentence 'zorgblat!'"),
                          ("!", "no word in the sentence '!'")]:  # fmt: skip
        assert main(arguments_of(folder, "--text", text)) == 1
        shown = capsys.readouterr()
        assert shown.out == "" and message in shown.err
        assert shown.err.count("\n") == 1


def test_what_cannot_be_searched_gives_one_line(
    folder, dataset, capsys, tmp_path, monkeypatch
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    photo = folder / "photo.png"
    text = ("--text", "a red circle")
    for arguments, message in [
        (arguments_of(folder, "--image", broken), "broken.png: not an image"),
        (arguments_of(folder, "--image", tmp_path / "no.png"), "no.png: no such file"),
        (arguments_of(folder, *text, "--split", "nine"), "no split 'nine'"),
        (arguments_of(folder, *text, "--split", "test"), "no features of image"),
        (
            arguments_of(folder, "--image", photo, features="dev_only.npz"),
            "no features of training images",
        ),
    ]:
        assert main(arguments) == 1
        shown = capsys.readouterr()
        assert message in shown.err and shown.err.count("\n") == 1
        assert shown.out == ""
    bare = dataclasses.replace(
        dataset,
        images=NoImages("scenes: the pictures did not come along"),
        splits={**dataset.splits, "test": []},
    )
    monkeypatch.setattr("mrnn_np.data.load_dataset", lambda spec: bare)
    page = tmp_path / "page.html"
    assert main(arguments_of(folder, *text, "--report", page)) == 1
    assert "did not come along" in capsys.readouterr().err and not page.exists()
    assert main(arguments_of(folder, *text, "--split", "test")) == 1
    assert "the split 'test' has no image" in capsys.readouterr().err
    assert main(arguments_of(folder, *text)) == 0  # pictures are not needed for names


@pytest.mark.parametrize("query", [[], ["--text", "a", "--image", "b.png"]])
def test_one_query_and_only_one(folder, query, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments_of(folder, *query))
    assert stopped.value.code == 2


@pytest.mark.parametrize("query", ["text", "image"])
def test_the_page_shows_what_was_found(folder, query, capsys, tmp_path):
    value = {"text": "a <red> circle", "image": folder / "photo.png"}[query]
    page = tmp_path / "page.html"
    arguments = arguments_of(folder, f"--{query}", value, "--top", 3, "--json")
    assert main([*arguments, "--report", str(page)]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    html = page.read_text(encoding="utf-8")
    assert "<red>" not in html
    assert html.count("<img ") == {"text": 3, "image": 4}[query]
    for result in results:
        assert result.get("image") or result["sentence"] in html


def test_rank_writes_a_page(folder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "gemm_speed", lambda jobs: 1e9)  # takes its time
    page, out = tmp_path / "page.html", tmp_path / "ranks.json"
    arguments = ["rank", *arguments_of(folder)[1:], "--report", page, "--json", out]
    assert main([*map(str, arguments)]) == 0
    html = page.read_text(encoding="utf-8")
    for name, row in json.loads(out.read_text())["rows"].items():
        cells = [f"{row[key]:.1f}" for key in ("R@1", "R@5", "R@10", "median", "mean")]
        body = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        assert f"<td>{name}</td>{body}" in html
    strips = re.findall(r'<div class="query">.*?</div></div>', html)
    assert len(strips) == 10 and all("class=" in strip for strip in strips)
    assert html.count('<div class="query beside">') == SEARCHED  # all there are


@pytest.mark.slow
def test_the_demo_scores_retrieval(folder, dataset, capsys):
    names = {"train": dataset.split("train")[:9], "dev": dataset.split("dev")[:50]}
    few, model = (
        dataclasses.replace(dataset, splits=names),
        load_model(folder / "model.npz"),
    )
    every = names["train"] + names["dev"]
    matrix = SceneFeatures().features(map(dataset.images.open, every))
    result = demo.find_scenes(model, few, Features(every, matrix, model.extractor))
    shown = capsys.readouterr().out
    first = result.rows["sentence to image"].at[1]
    assert (
        f"sentence to image: right first for {first:.1f} % (by chance 2.0 %)" in shown
    )
    assert len(result.names) == 50 and first < 10  # nothing was learned
