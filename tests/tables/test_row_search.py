"""Trials and trainings of a row: the same for each, and they go on after a stop."""

import dataclasses
import json

import pytest
from small_race import same_params, small_material

from mrnn_np import InputError
from mrnn_np.features.matrix import Features
from mrnn_np.tables import search as module
from mrnn_np.tables.rows import ROWS
from mrnn_np.tables.search import (
    best_trial,
    prepared,
    search,
    seconds_an_epoch,
    train_row,
    training_config,
)
from mrnn_np.training import TrainingDiverged
from mrnn_np.training.trainer import Trainer

BY_NAME = {row.name: row for row in ROWS}
MRNN = BY_NAME["mrnn"]


@pytest.fixture(scope="module")
def material():
    return small_material(
        epochs=2, learning_rates=(1e-3, 4e-3), dropouts=(0.5, 0.1), batch_size=40
    )


@pytest.fixture
def losses(monkeypatch):
    """Replace trainings: what each would get by (rate, dropout), and who asked."""
    table, asked = {}, []

    def train(row, material, config, dropout, run):
        asked.append((config.learning_rate, dropout, config.epochs))
        loss = table[config.learning_rate, dropout]
        if loss is None:
            raise TrainingDiverged("training diverged in epoch 1")
        return None, {"dev_loss": loss, "seconds": 1.0}

    monkeypatch.setattr(module, "_train", train)
    return table, asked


def test_rates_are_tried_first_then_dropouts_with_the_best(material, losses, tmp_path):
    table, asked = losses
    table |= {(1e-3, 0.5): 3.0, (4e-3, 0.5): 2.0, (4e-3, 0.1): 2.5}
    trials = search(MRNN, material, tmp_path)
    assert asked == [(1e-3, 0.5, 1), (4e-3, 0.5, 1), (4e-3, 0.1, 1)]
    assert [trial["dev_loss"] for trial in trials] == [3.0, 2.0, 2.5]
    assert best_trial(trials) == {
        "learning_rate": 4e-3, "dropout": 0.5, "dev_loss": 2.0,
    }  # fmt: skip
    assert search(MRNN, material, tmp_path) == trials  # from the file
    assert len(asked) == 3


def test_a_trial_that_diverges_is_noted_and_the_others_go_on(
    material, losses, tmp_path
):
    table, _asked = losses
    table |= {(1e-3, 0.5): 3.0, (4e-3, 0.5): None, (1e-3, 0.1): 1.0}
    trials = search(MRNN, material, tmp_path)
    assert [trial["dev_loss"] for trial in trials] == [3.0, None, 1.0]
    assert best_trial(trials)["dropout"] == 0.1


def test_where_all_rates_diverge_the_row_does(material, losses, tmp_path):
    losses[0].update({(1e-3, 0.5): None, (4e-3, 0.5): None})
    with pytest.raises(TrainingDiverged, match=r"every learning rate .*0\.001, 0\.004"):
        search(MRNN, material, tmp_path)


def test_a_stopped_search_goes_on_with_the_trial_it_was_in(
    material, losses, tmp_path, monkeypatch
):
    table, asked = losses
    table |= {(1e-3, 0.5): 3.0, (4e-3, 0.5): 2.0, (4e-3, 0.1): 2.5}
    train = module._train

    def stopped(row, material, config, *rest):
        if len(asked) == 1:
            raise KeyboardInterrupt
        return train(row, material, config, *rest)

    monkeypatch.setattr(module, "_train", stopped)
    with pytest.raises(KeyboardInterrupt):
        search(MRNN, material, tmp_path)
    monkeypatch.setattr(module, "_train", train)
    assert len(search(MRNN, material, tmp_path)) == 3
    assert asked == [(1e-3, 0.5, 1), (4e-3, 0.5, 1), (4e-3, 0.1, 1)]


def test_a_training_is_kept_and_loaded_and_stops_in_the_middle(
    material, tmp_path, monkeypatch, capsys
):
    trial = {"learning_rate": 4e-3, "dropout": 0.1, "dev_loss": 1.0}
    whole = train_row(MRNN, material, tmp_path / "whole", 0, trial)
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert files == ["seed-0.json", "seed-0.npz"]
    again = train_row(MRNN, material, tmp_path / "whole", 0, trial)
    assert same_params(whole.model, again.model)
    assert again.dev_loss == whole.dev_loss
    assert again.seconds == whole.seconds >= 0

    step, steps = Trainer.train_step, []

    def stops(self, batch):
        steps.append(1)
        if len(steps) == 4:  # one epoch has three
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)
        step(self, batch)

    monkeypatch.setattr(Trainer, "train_step", stops)
    with pytest.raises(KeyboardInterrupt):
        train_row(MRNN, material, tmp_path / "stopped", 0, trial)
    assert (tmp_path / "stopped" / "seed-0" / "last.npz").exists()
    said = capsys.readouterr().err
    assert "keeps this state: give the same command again" in said
    assert "--resume" not in said  # which `mrnn-np tables` does not have
    before = len(steps)
    resumed = train_row(MRNN, material, tmp_path / "stopped", 0, trial)
    assert len(steps) - before == 2  # of six
    assert same_params(whole.model, resumed.model)
    assert resumed.dev_loss == whole.dev_loss


def test_another_seed_is_another_training(material, tmp_path):
    trial = {"learning_rate": 4e-3, "dropout": 0.1, "dev_loss": 1.0}
    one, other = (train_row(MRNN, material, tmp_path, seed, trial) for seed in (0, 1))
    assert not same_params(one.model, other.model)
    assert one.model.config.dropout_image == 0.1
    assert one.training.learning_rate == 4e-3


@pytest.mark.parametrize(
    "content",
    [
        "no JSON", "[]", "{}", '{"plan": "other"}',
        '{"plan": "PLAN", "trials": [1]}', '{"plan": "PLAN", "trials": 3}',
        '{"plan": "PLAN", "trials": [{"learning_rate": "x"}]}',
    ],
)  # fmt: skip
def test_a_damaged_file_of_trials_is_refused(material, tmp_path, content):
    text = content.replace("PLAN", material.plan.fingerprint())
    (tmp_path / "search.json").write_text(text)
    with pytest.raises(InputError, match=r"search\.json"):
        search(MRNN, material, tmp_path)


def test_an_epoch_takes_as_many_steps_as_it_has(material, monkeypatch):
    """Two batches of 200: twice the time of the fastest step."""
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 24.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(Trainer, "train_step", lambda self, batch: None)
    monkeypatch.setattr(module, "TIMED_SECONDS", 100.0)
    assert seconds_an_epoch(MRNN, material) == 3 * 2.0


def test_a_row_that_does_not_fit_the_features_is_named(material):
    row = dataclasses.replace(BY_NAME["deepfe"], choices={"regions": 7})
    config = training_config(material.plan, 1, 1e-3)
    with pytest.raises(
        InputError, match=r"the row deepfe: regions = 7, but the features have 1"
    ):
        prepared(row, material, config, 0.5)


def test_rows_of_regions_see_those_where_they_are_given(material):
    regions = Features(["a"], material.features.matrix[:1], {"name": "x"})
    with_regions = dataclasses.replace(material, regions=regions)
    assert with_regions.of(BY_NAME["deepfe"]) is regions
    assert with_regions.of(MRNN) is material.features
    assert material.of(BY_NAME["deepfe"]) is material.features


def test_the_note_of_a_training_belongs_to_its_plan(material, tmp_path):
    trial = {"learning_rate": 4e-3, "dropout": 0.1, "dev_loss": 1.0}
    train_row(MRNN, material, tmp_path, 0, trial)
    note = tmp_path / "seed-0.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "plan": "other"}))
    with pytest.raises(InputError, match="another plan"):
        train_row(MRNN, material, tmp_path, 0, trial)


def test_a_model_whose_file_is_gone_is_trained_anew(material, tmp_path):
    trial = {"learning_rate": 4e-3, "dropout": 0.1, "dev_loss": 1.0}
    before = train_row(MRNN, material, tmp_path, 0, trial)
    (tmp_path / "seed-0.npz").unlink()
    again = train_row(MRNN, material, tmp_path, 0, trial)
    assert same_params(before.model, again.model)


def test_no_training_ends_before_its_epochs_are_over(material):
    config = training_config(material.plan, 8, 1e-3, seed=3)
    assert (config.epochs, config.patience, config.seed) == (8, 8, 3)
