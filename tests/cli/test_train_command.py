"""Train, evaluate and caption from the command line, on a few drawn scenes."""

import dataclasses
import json

import numpy as np
import pytest

from mrnn_np import InputError, metrics
from mrnn_np.cli import main
from mrnn_np.data import load_dataset, tokenize
from mrnn_np.features.extractors import load_extractor
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.models import MODELS, load_model
from mrnn_np.training import RunFolder

CONFIG = """
[model]
embedding_size = 16
recurrent_size = 32
multimodal_size = 48
dropout_embedding = 0.0
dropout_recurrent = 0.0
dropout_image = 0.0
dropout_multimodal = 0.0
[training]
epochs = 2
learning_rate = 5e-3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with features, a config, and a run of two epochs."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "c.toml").write_text(CONFIG)
    assert main(["features", "scenes", "-o", str(folder / "f.npz")]) == 0
    assert main(arguments_of("train", folder, "--config", folder / "c.toml",
                             "--out", folder / "run")) == 0  # fmt: skip
    return folder


def arguments_of(command, folder, *more) -> list[str]:
    return [command, "scenes", "--features", str(folder / "f.npz"), *map(str, more)]


@pytest.mark.slow
def test_the_run_has_its_three_files(folder):
    files = sorted(path.name for path in (folder / "run").iterdir())
    assert files == ["best.npz", "last.npz", "log.jsonl"]
    log = (folder / "run" / "log.jsonl").read_text().splitlines()
    perplexities = [json.loads(line)["dev_perplexity"] for line in log]
    assert len(perplexities) == 2
    assert perplexities[-1] < 3


@pytest.mark.slow
def test_it_says_when_most_words_are_unknown(folder, capsys, tmp_path):
    rare = CONFIG.replace("[training]", "[training]\nthreshold = 3000")
    (tmp_path / "c.toml").write_text(rare.replace("epochs = 2", "epochs = 1"))
    arguments = arguments_of("train", folder, "--config", tmp_path / "c.toml")
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    assert " % of what people said is <unk>, words that" in capsys.readouterr().err


@pytest.mark.slow
def test_a_second_training_does_not_overwrite(folder, capsys):
    before = (folder / "run" / "best.npz").read_bytes()
    again = arguments_of("train", folder, "--config", folder / "c.toml", "--out",
                         folder / "run")  # fmt: skip
    assert main(again) == 1
    assert "holds a training run already" in capsys.readouterr().err
    assert (folder / "run" / "best.npz").read_bytes() == before
    assert main([*again, "--resume"]) == 0  # nothing left to do


@pytest.mark.slow
def test_features_of_shifted_rows_are_not_resumed_with(folder, tmp_path, capsys):
    features = Features.load(folder / "f.npz")
    features.matrix = np.roll(features.matrix, 1, axis=0)
    features.save(tmp_path / "f.npz")
    assert main(["train", "scenes", "--features", str(tmp_path / "f.npz"), "--config",
                 str(folder / "c.toml"), "--out", str(folder / "run"),
                 "--resume"]) == 1  # fmt: skip
    assert "not made with the same feature statistics" in capsys.readouterr().err


def test_a_second_run_in_a_folder_is_refused_before_any_work(tmp_path, capsys):
    arguments = ["train", "scenes", "--features", "no.npz", "--out", str(tmp_path)]
    with RunFolder(tmp_path).open(resume=False):
        assert main(arguments) == 1
    assert "another process" in capsys.readouterr().err
    assert main(arguments) == 1
    assert "no.npz: no such file" in capsys.readouterr().err
    (tmp_path / "log.jsonl").write_text("my notes")
    assert main(arguments) == 1
    assert "log.jsonl: exists already" in capsys.readouterr().err
    assert (tmp_path / "log.jsonl").read_text() == "my notes"


def test_an_unknown_model_is_wrong_use(capsys):
    assert main(["train", "scenes", "--features", "x.npz", "--model", "lstm"]) == 2
    assert "--model 'lstm' is not one of mrnn" in capsys.readouterr().err


def test_model_chooses_the_class(tmp_path, capsys, monkeypatch):
    """Its config is read, and it is what `prepare` builds."""

    @dataclasses.dataclass(frozen=True)
    class OtherConfig:
        image_size: int = 1
        depth: int = 2

    class Other:
        config_class = OtherConfig

        def __init__(self, config, vocabulary, rng, **more):
            raise InputError(f"depth {config.depth}")

    monkeypatch.setitem(MODELS, "other", ("mrnn_np.cli.train", "Other"))
    monkeypatch.setattr("mrnn_np.cli.train.Other", Other, raising=False)
    dataset = load_dataset("scenes")
    names = [name for split in dataset.splits for name in dataset.split(split)]
    extractor = identity(load_extractor("scenes"))
    matrix = np.ones((len(names), 3), np.float32)
    Features(names, matrix, extractor).save(tmp_path / "f.npz")
    (tmp_path / "c.toml").write_text("[model]\ndepth = 7\n")
    assert main(["train", "scenes", "--features", str(tmp_path / "f.npz"),
                 "--config", str(tmp_path / "c.toml"), "--model", "other",
                 "--out", str(tmp_path / "run")]) == 1  # fmt: skip
    assert "depth 7" in capsys.readouterr().err


@pytest.mark.slow
def test_evaluate_writes_scores_and_coco_results(folder, capsys):
    out = folder / "dev.json"
    best = folder / "run" / "best.npz"
    assert main(
        arguments_of("evaluate", folder, "--checkpoint", best, "--json", out)
    ) == 0  # fmt: skip
    shown = capsys.readouterr().out
    assert "perplexity" in shown and "BLEU-4" in shown
    scores = json.loads(out.read_text())["scores"]
    results = json.loads((folder / "dev.captions.json").read_text())
    dataset = load_dataset("scenes")
    assert [entry["image_id"] for entry in results] == dataset.split("dev")
    references = {
        name: [" ".join(tokenize(text)) for text in dataset.captions[name]]
        for name in dataset.split("dev")
    }
    again = metrics.score(
        references, {entry["image_id"]: [entry["caption"]] for entry in results}
    )
    for name, value in again.items():
        assert scores[name] == pytest.approx(value)
    log = (folder / "run" / "log.jsonl").read_text().splitlines()
    assert scores["perplexity"] == pytest.approx(
        min(json.loads(line)["dev_perplexity"] for line in log), rel=1e-5
    )


@pytest.mark.slow
def test_the_image_matters(folder):
    """Sentences of other images must be much less likely than an image's own."""
    dataset = load_dataset("scenes")
    model = load_model(folder / "run" / "best.npz")
    names = dataset.split("dev")[:100]
    matrix = Features.load(folder / "f.npz").rows(names)
    sentences = [dataset.captions[name][0] for name in names]
    own = model.log_likelihood(matrix, sentences)
    other = model.log_likelihood(np.roll(matrix, 1, axis=0), sentences)
    assert own.mean() - other.mean() > 3


@pytest.mark.slow
def test_caption_images_from_files(folder, tmp_path, capsys):
    dataset = load_dataset("scenes")
    for name in dataset.split("dev")[:2]:
        dataset.images.open(name).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"not an image")
    images = sorted(map(str, tmp_path.iterdir()))
    checkpoint = ["--checkpoint", str(folder / "run" / "best.npz")]
    capsys.readouterr()
    assert main(["caption", *images, *checkpoint]) == 1  # one of them is broken
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 2
    assert shown.err.count("\n") == 1 and "broken.png" in shown.err
    good = images[1:]
    assert main(["caption", *good, *checkpoint, "--nbest", "3", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [entry["image"] for entry in results] == good
    for entry in results:
        order = [caption["log_prob"] for caption in entry["captions"]]
        assert len(order) == 3 and order == sorted(order, reverse=True)
    drawn = ["--sample", "--nbest", "2", "--seed", "1"]
    outputs = []
    for _ in range(2):
        assert main(["caption", *good, *checkpoint, *drawn]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert main(["caption", *good, *checkpoint, "--nbest", "9"]) == 1
    assert "widen the beam" in capsys.readouterr().err


@pytest.mark.slow
def test_features_of_another_cnn_are_refused(folder, tmp_path, capsys):
    features = Features.load(folder / "f.npz")
    features.extractor["name"] = "vgg16"
    features.save(tmp_path / "f.npz")
    checkpoint = ["--checkpoint", str(folder / "run" / "best.npz")]
    assert main(["evaluate", "scenes", "--features", str(tmp_path / "f.npz"),
                 *checkpoint]) == 1  # fmt: skip
    assert "made by vgg16" in capsys.readouterr().err


def test_an_unknown_key_in_the_config_exits_1(tmp_path, capsys):
    (tmp_path / "c.toml").write_text("[training]\nepoch = 3\n")
    assert main(["train", "scenes", "--features", "x.npz", "--config",
                 str(tmp_path / "c.toml")]) == 1  # fmt: skip
    assert "unknown key 'epoch'" in capsys.readouterr().err
