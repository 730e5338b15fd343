"""A run's folder: from every state in which it can be left, somebody can go on."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from training_cases import (
    config,
    folders_equal,
    make_examples,
    make_model,
    without_time,
)

from mrnn_np import InputError
from mrnn_np.models.checkpoint import read_checkpoint
from mrnn_np.training import RunFolder, Trainer, TrainingDiverged
from mrnn_np.training import trainer as trainer_module

train, dev = make_examples(), make_examples(20, 1)
FILES = ["best.npz", "last.npz", "log.jsonl"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nobody stopped, and its log."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, fit(folder)


def fit(folder, resume=False, choices=None) -> list[dict]:
    return Trainer(make_model(), choices or config(), folder).fit(train, dev, resume)


def assert_same(whole, folder, history):
    assert without_time(history) == without_time(whole[1])
    assert folders_equal(whole[0], folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    lines = (folder / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history


class Killed(BaseException):
    """What no handler of errors catches."""


@pytest.mark.parametrize("how", ["killed before", "killed after", "disk full"])
@pytest.mark.parametrize("number", range(9))
def test_no_moment_of_saving_leaves_a_folder_that_is_stuck(
    whole, tmp_path, monkeypatch, number, how
):
    """Nine files are put in place in three epochs: what if one of them fails?"""
    replace, done = os.replace, []

    def fails(source, goal):
        done.append(goal)
        if len(done) == number + 1:
            if how == "disk full":
                raise OSError(28, "No space left on device")
            if how == "killed after":
                replace(source, goal)
            left = tmp_path / f".{os.path.basename(goal)}.k1ll3d__"
            left.write_bytes(b"half of it")  # as a killed process leaves it
            raise Killed
        replace(source, goal)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(InputError if how == "disk full" else Killed):
        fit(tmp_path)
    monkeypatch.undo()
    nothing_kept = number == 0 and how != "killed after"
    assert (tmp_path / "last.npz").exists() is not nothing_kept
    assert_same(whole, tmp_path, fit(tmp_path, resume=not nothing_kept))


def test_a_hidden_file_of_another_name_stays(tmp_path):
    (tmp_path / ".best.npz.backup-of-may").write_text("mine")
    fit(tmp_path, choices=config(epochs=1))
    assert (tmp_path / ".best.npz.backup-of-may").read_text() == "mine"


def first_line(whole) -> str:
    return (whole[0] / "log.jsonl").read_text().splitlines(keepends=True)[0]


def test_earlier_versions_wrote_best_before_the_first_last(whole, tmp_path, capsys):
    """Such a folder was stuck: nothing to resume, and in the way of a fresh start."""
    shutil.copy(whole[0] / "best.npz", tmp_path)
    (tmp_path / "log.jsonl").write_text(first_line(whole))
    with pytest.raises(InputError, match="go on with --resume"):
        fit(tmp_path)
    assert_same(whole, tmp_path, fit(tmp_path, resume=True))
    assert "begins anew" in capsys.readouterr().err


@pytest.mark.parametrize("length", [0, 1, 20, 40, None])
def test_earlier_versions_left_a_log_alone(whole, tmp_path, length):
    """Empty, cut by a full disk, or of one epoch."""
    (tmp_path / "log.jsonl").write_text(first_line(whole)[:length])
    with pytest.raises(InputError, match="nothing to resume"):
        fit(tmp_path, resume=True)
    assert_same(whole, tmp_path, fit(tmp_path))


@pytest.mark.parametrize("text", ["notes\n", "two lines", '{"epoch": 1}\n', "\n"])
def test_a_log_of_something_else_is_not_replaced(whole, tmp_path, text):
    log = tmp_path / "log.jsonl"
    text = first_line(whole) * 2 if text == "two lines" else text
    log.write_text(text)
    with pytest.raises(InputError, match=r"log\.jsonl: exists already"):
        fit(tmp_path)
    assert log.read_text() == text


def test_a_log_that_is_no_text_is_not_replaced(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"log\.jsonl: exists already"):
        fit(tmp_path)
    assert (tmp_path / "log.jsonl").read_bytes() == b"\xff\xfe\x00"


@pytest.mark.parametrize("log", [None, "", "two epochs"])
def test_a_model_alone_is_not_replaced(whole, tmp_path, log):
    """Somebody's best.npz, of whatever run, is not a run that was just begun."""
    shutil.copy(whole[0] / "best.npz", tmp_path)
    if log is not None:
        (tmp_path / "log.jsonl").write_text(log and first_line(whole) * 2)
    before = (tmp_path / "best.npz").read_bytes()
    with pytest.raises(InputError, match=r"best\.npz: exists already.*run: choose"):
        fit(tmp_path)
    with pytest.raises(InputError, match="nothing to resume"):
        fit(tmp_path, resume=True)
    assert (tmp_path / "best.npz").read_bytes() == before


def test_a_run_is_never_overwritten(tmp_path):
    fit(tmp_path, choices=config(epochs=1))
    before = (tmp_path / "best.npz").read_bytes()
    with pytest.raises(InputError, match="holds a training run already"):
        fit(tmp_path)
    assert (tmp_path / "best.npz").read_bytes() == before


@pytest.mark.parametrize("file", ["best.npz", "log.jsonl"])
@pytest.mark.parametrize("finished", [False, True])
def test_what_was_deleted_beside_last_comes_back(
    whole, tmp_path, file, finished, capsys
):
    choices = config(patience=9)
    with pytest.raises(InputError):  # stopped in the third epoch
        stop_in_epoch_3(tmp_path, choices)
    if finished:
        fit(tmp_path, True, choices)
    (tmp_path / file).unlink()
    capsys.readouterr()
    fit(tmp_path, True, choices)
    said = "best.npz: was gone, it is written again" in capsys.readouterr().err
    assert said is (file == "best.npz")
    assert folders_equal(whole[0], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def stop_in_epoch_3(folder, choices):
    trainer = Trainer(make_model(), choices, folder)
    honest = trainer.train_step

    def step(batch):
        if trainer.epoch == 2:
            raise InputError("stop here")
        honest(batch)

    trainer.train_step = step
    trainer.fit(train, dev)


def test_best_that_is_deleted_meanwhile_comes_back(whole, tmp_path):
    trainer = Trainer(make_model(), config(), tmp_path)
    save = trainer._save

    def delete_and_save():
        (tmp_path / "best.npz").unlink(missing_ok=True)
        save()

    trainer._save = delete_and_save
    assert_same(whole, tmp_path, trainer.fit(train, dev))


@pytest.mark.parametrize("path", ["missing", "."])
def test_nothing_to_resume(tmp_path, path):
    with pytest.raises(InputError, match="nothing to resume"):
        fit(tmp_path / path, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_in_one_folder(tmp_path):
    with RunFolder(tmp_path).open(resume=False):
        with pytest.raises(InputError, match="another process"):
            fit(tmp_path)
        assert list(tmp_path.glob("*.npz")) == []
    fit(tmp_path, choices=config(epochs=1))


def test_an_open_folder_is_handed_on(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.open(resume=False):
        fit(folder, choices=config(epochs=1))
        assert folder.is_open
        with pytest.raises(InputError, match="another process"):
            fit(tmp_path, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path, place):
    (tmp_path / "file").write_text("")
    trainer = Trainer(make_model(), config(), tmp_path / place)
    trainer.train_step = None
    with pytest.raises(InputError, match="cannot be written"):
        trainer.fit(train, dev)


def test_a_folder_in_the_place_of_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "log.jsonl").mkdir()
    trainer = Trainer(make_model(), config(), tmp_path)
    trainer.train_step = None
    with pytest.raises(InputError, match="is a folder"):
        trainer.fit(train, dev)


def shifted(examples):
    return dataclasses.replace(examples, features=np.roll(examples.features, 1, axis=0))


def with_(examples, **fields):
    return dataclasses.replace(examples, **fields)


def model_of(**attributes):
    model = make_model()
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


one_bit = train.features.copy()
one_bit[7, 3] = np.nextafter(one_bit[7, 3], np.float32(9))


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"config": config(seed=3)}, "training config"),
        ({"model": make_model(dropout_image=0.1)}, "model config"),
        ({"model": model_of(extractor={"name": "vgg16"})}, "CNN"),
        ({"model": model_of(feature_mean=np.ones(6))}, "feature statistics"),
        ({"train": make_examples(61)}, "training sentences"),
        ({"train": with_(train, sentences=train.sentences[1:])}, "training sentences"),
        ({"train": with_(train, image=np.roll(train.image, 1))}, "training sentences"),
        ({"train": shifted(train)}, "training features"),
        ({"train": with_(train, features=one_bit)}, "training features"),
        ({"dev": shifted(dev)}, "dev features"),
        ({"dev": with_(dev, image=np.roll(dev.image, 1))}, "dev sentences"),
        ({"dev": with_(dev, sentences=[*dev.sentences[:-1], [4]])}, "dev sentences"),
    ],
)
def test_resuming_another_run_is_refused(whole, tmp_path, changed, part):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    trainer = Trainer(
        changed.get("model", make_model()), changed.get("config", config()), folder
    )
    with pytest.raises(InputError, match=f"not made with the same {part}"):
        trainer.fit(changed.get("train", train), changed.get("dev", dev), resume=True)


def test_words_that_move_from_one_sentence_to_the_next_are_noticed(whole, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    one, two, *rest = train.sentences
    moved = with_(train, sentences=[[*one, *two[:1]], two[1:], *rest])
    with pytest.raises(InputError, match="same training sentences"):
        Trainer(make_model(), config(), folder).fit(moved, dev, resume=True)


def as_earlier_versions(folder, **changes):
    """Rewrite last.npz as it was without the best parameters and most fingerprints."""
    model, state, arrays = read_checkpoint(folder / "last.npz")
    state.pop("inputs")
    state = {**state, "fingerprint": "0123456789abcdef", **changes}
    arrays = {k: v for k, v in arrays.items() if not k.startswith("best/")}
    model.save(folder / "last.npz", training=(state, arrays))


def test_a_run_of_an_earlier_version_goes_on_with_a_remark(whole, tmp_path, capsys):
    with pytest.raises(InputError):
        stop_in_epoch_3(tmp_path, config())
    as_earlier_versions(tmp_path)
    history = fit(tmp_path, resume=True)
    assert "an earlier version of mrnn_np made it" in capsys.readouterr().err
    assert_same(whole, tmp_path, history)


def test_a_run_of_an_earlier_version_needs_its_best(tmp_path):
    fit(tmp_path, choices=config(epochs=1))
    as_earlier_versions(tmp_path)
    (tmp_path / "best.npz").unlink()
    with pytest.raises(InputError, match=r"best\.npz: is gone.*train again"):
        fit(tmp_path, True, config(epochs=1))


@pytest.mark.parametrize(
    "state",
    [{"epoch": "three"}, {"history": None}, {"best_loss": []}, {"inputs": 3},
     {"optimiser_steps": None}, {"inputs": None}],
)  # fmt: skip
def test_a_state_that_is_not_understood(whole, tmp_path, state):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    model, old, arrays = read_checkpoint(folder / "last.npz")
    model.save(folder / "last.npz", training=({**old, **state}, arrays))
    with pytest.raises(InputError, match=r"last\.npz: "):
        fit(folder, resume=True)


def test_arrays_of_the_state_that_are_missing(whole, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    model, state, arrays = read_checkpoint(folder / "last.npz")
    for name in ("mean/U", "best/U"):
        fewer = {key: value for key, value in arrays.items() if key != name}
        model.save(folder / "last.npz", training=(state, fewer))
        with pytest.raises(InputError, match=r"last\.npz: "):
            fit(folder, resume=True)


def test_a_model_alone_in_the_place_of_last(tmp_path):
    make_model().save(tmp_path / "last.npz")
    with pytest.raises(InputError, match="holds no training state"):
        fit(tmp_path, resume=True)


def test_a_run_that_diverges_after_a_save_in_its_first_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_SAVES", 0.0)
    model, calls = make_model(), []
    honest = model.loss_and_grads

    def faulty(*args):
        loss, grads = honest(*args)
        calls.append(loss)
        return (np.nan if len(calls) == 3 else loss), grads

    model.loss_and_grads = faulty
    with pytest.raises(TrainingDiverged) as caught:
        Trainer(model, config(), tmp_path).fit(train, dev)
    assert "still good" not in str(caught.value)
    assert not (tmp_path / "best.npz").exists()
