"""Row after row: what is missing is made, what is done stays, what fails says why."""

import dataclasses
import json
import os
import shutil

import pytest
from small_race import small_material

from mrnn_np import InputError
from mrnn_np.tables import work as module
from mrnn_np.tables.results import ResultsFolder
from mrnn_np.tables.rows import ROWS, chosen_rows
from mrnn_np.tables.work import do_rows, plan_epochs
from mrnn_np.training import TrainingDiverged
from mrnn_np.training.trainer import Trainer

NAMES = "random,human,nearest-neighbour,mrnn,mrnn-greedy,dmsm"


@pytest.fixture(scope="module")
def material():
    return small_material(learning_rates=(4e-3,), dropouts=(0.1,), batch_size=40)


def run(material, results, names=NAMES, seeds=1, full=False) -> list[str]:
    """Do rows; return the names of those that were new."""
    new = []

    def after_each():
        files = results.row_file("x").parent.glob("*.json")
        new.append(len([file for file in files if "captions" not in file.name]))

    do_rows(material, chosen_rows(names), results, seeds, full, after_each)
    return new


@pytest.fixture(scope="module")
def done(material, tmp_path_factory):
    """A folder with six rows."""
    results = ResultsFolder(tmp_path_factory.mktemp("tables"))
    results.save_plan(material.plan)
    assert run(material, results) == [1, 2, 3, 4, 5, 6]
    return results


def entry(results, material, name) -> dict:
    found = results.load_row(name, material.plan)
    assert found is not None
    return found


def test_a_captioner_has_everything(done, material):
    row = entry(done, material, "mrnn")
    assert row["reason"] is None
    assert row["search"][0]["learning_rate"] == 4e-3
    assert row["config"]["dropout_image"] == 0.1
    assert row["training"]["epochs"] == 1
    assert row["parameters"] > 1000 and row["captions_per_second"] > 0
    assert row["seeds"] == [0]
    assert len(row["nats"]) == len(row["tokens"]) == 8
    assert set(row["retrieval"]) == {"4"}
    assert row["retrieval"]["4"]["sentences"] == 20
    assert list(done.captions("mrnn")) == material.dataset.split("dev")


def test_a_row_of_another_ones_training_says_the_same_of_sentences(done, material):
    beam, greedy = (entry(done, material, name) for name in ("mrnn", "mrnn-greedy"))
    assert beam["nats"] == greedy["nats"]
    assert beam["search"] == greedy["search"]
    assert greedy["retrieval"] == {}
    assert not (done.path / "runs" / "mrnn-greedy").exists()


def test_a_ranker_has_no_captions_and_baselines_no_training(done, material):
    ranker = entry(done, material, "dmsm")
    assert ranker["scores"] == {} and ranker["captions_per_second"] is None
    assert done.captions("dmsm") == {}
    human = entry(done, material, "human")
    assert human["parameters"] is None and human["scores"]["BLEU-1"]["value"] > 0.3
    near = entry(done, material, "nearest-neighbour")
    assert len(done.captions("nearest-neighbour")) == 8
    assert near["scores"]["CIDEr"]["low"] <= near["scores"]["CIDEr"]["value"]
    chance = entry(done, material, "random")["retrieval"]["4"]
    # 5 of 20 sentences are right: one in four.
    assert chance["image to sentence"]["R@1"]["value"] == pytest.approx(25)
    assert chance["sentence to image"]["R@1"]["value"] == pytest.approx(25)


def test_what_is_done_is_not_done_again(done, material):
    assert run(material, done) == []


def test_more_seeds_and_the_full_list_are_added(done, material, monkeypatch):
    before = entry(done, material, "mrnn")
    steps = []
    step = Trainer.train_step
    monkeypatch.setattr(
        Trainer, "train_step", lambda self, batch: steps.append(1) or step(self, batch)
    )
    run(material, done, "mrnn", seeds=2, full=True)
    after = entry(done, material, "mrnn")
    assert len(steps) == 3  # one epoch of the second seed
    assert after["seeds"] == [0, 1]
    for name, value in after["scores"].items():
        assert value["seeds"][0] == before["scores"][name]["value"]
        assert value["low"] == before["scores"][name]["low"]
    assert set(after["retrieval"]) == {"4", "8"}
    assert run(material, done, "mrnn", seeds=1) == []


def test_what_was_asked_for_earlier_stays_when_more_is(done, material, tmp_path):
    """Seeds without --full keep the whole list, and --full keeps the seeds."""
    results = ResultsFolder(shutil.copytree(done.path, tmp_path / "copy"))
    run(material, results, "random,dmsm", seeds=2, full=True)
    run(material, results, "random,dmsm", seeds=3)
    after = entry(results, material, "dmsm")
    assert after["seeds"] == [0, 1, 2]
    assert set(after["retrieval"]) == {"4", "8"}
    results = ResultsFolder(shutil.copytree(done.path, tmp_path / "other"))
    run(material, results, "dmsm", seeds=2)
    run(material, results, "dmsm", full=True)
    after = entry(results, material, "dmsm")
    assert after["seeds"] == [0, 1]
    assert len(after["retrieval"]["8"]["image to sentence"]["R@1"]["seeds"]) == 2


def test_where_people_cannot_be_rated_the_others_go_on(material, tmp_path):
    """One caption an image leaves nobody to compare with."""
    captions = {name: found[:1] for name, found in material.dataset.captions.items()}
    dataset = dataclasses.replace(material.dataset, captions=captions)
    results = ResultsFolder(tmp_path)
    run(dataclasses.replace(material, dataset=dataset), results, "random,human,dmsm")
    assert entry(results, material, "human")["reason"]
    assert entry(results, material, "dmsm")["reason"] is None


def test_a_row_that_diverges_is_marked_and_the_others_go_on(
    material, tmp_path, monkeypatch
):
    search = module.search

    def diverges(row, *rest):
        if row.name == "mrnn":
            raise TrainingDiverged("training diverged in epoch 1, step 2: loss nan")
        return search(row, *rest)

    monkeypatch.setattr(module, "search", diverges)
    results = ResultsFolder(tmp_path)
    run(material, results, "mrnn,dmsm")
    failed = entry(results, material, "mrnn")
    assert failed["reason"].startswith("training diverged in epoch 1")
    assert failed["scores"] == {} and failed["retrieval"] == {}
    assert entry(results, material, "dmsm")["reason"] is None
    assert run(material, results, "mrnn,dmsm") == []  # it would diverge again


def test_a_stopped_run_loses_only_the_row_in_work(material, tmp_path, monkeypatch):
    score = module.score_runs

    def stopped(material, row, *rest):
        if row.name == "mrnn":
            raise KeyboardInterrupt
        return score(material, row, *rest)

    monkeypatch.setattr(module, "score_runs", stopped)
    results = ResultsFolder(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(material, results, "random,mrnn,dmsm")
    assert results.load_row("random", material.plan)
    assert results.load_row("mrnn", material.plan) is None
    monkeypatch.setattr(module, "score_runs", score)
    monkeypatch.setattr(Trainer, "train_step", _refuse_mrnn(Trainer.train_step))
    assert run(material, results, "random,mrnn,dmsm") == [2, 3]


def _refuse_mrnn(step):
    def train_step(self, batch):
        assert type(self.model).__name__ != "MRNN", "it was trained already"
        return step(self, batch)

    return train_step


def test_epochs_come_from_timing_every_row_that_is_trained(material, monkeypatch):
    timed = []

    def seconds(row, material):
        timed.append(row.name)
        return 10.0

    monkeypatch.setattr(module, "seconds_an_epoch", seconds)
    # One trial of 1 and 5 epochs, of two rows of 10 s: 120 s.
    plan = dataclasses.replace(material.plan, minutes=120 / 60 / 0.7 + 1e-6)
    with_plan = dataclasses.replace(material, plan=plan)
    assert plan_epochs(with_plan, chosen_rows("mrnn-greedy,dmsm"), 1).epochs == 5
    assert timed == ["mrnn", "dmsm"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:100],
        lambda text: text.replace('"table row"', '"scores"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace('"plan": "', '"plan": "0'),
        lambda text: text.replace('"seeds": [', '"seeds": 3, "other": [', 1),
        lambda text: "[1]",
    ],
)
def test_a_damaged_row_or_one_of_another_plan_is_refused(
    done, material, tmp_path, damage
):
    results = ResultsFolder(tmp_path)
    text = json.dumps(json.loads(done.row_file("dmsm").read_text()))
    os.makedirs(results.row_file("dmsm").parent)
    results.row_file("dmsm").write_text(damage(text))
    with pytest.raises(InputError, match=r"dmsm\.json"):
        results.load_row("dmsm", material.plan)


def test_a_plan_of_another_version_is_refused(material, tmp_path):
    results = ResultsFolder(tmp_path)
    assert results.load_plan() is None
    results.save_plan(material.plan)
    assert results.load_plan() == material.plan
    text = results.plan_file.read_text()
    results.plan_file.write_text(text.replace('"version": 1', '"version": 7'))
    with pytest.raises(InputError, match=r"another version of mrnn_np .*7"):
        results.load_plan()


def test_every_row_without_a_model_is_a_baseline(material):
    baselines = [row.name for row in ROWS if not row.model]
    assert baselines == ["random", "human", "nearest-neighbour"]


def test_lost_captions_come_back(done, material, tmp_path):
    results = ResultsFolder(shutil.copytree(done.path, tmp_path / "copy"))
    for name in ("mrnn", "nearest-neighbour"):
        results.captions_file(name).unlink()
    run(material, results)
    for name in ("mrnn", "nearest-neighbour"):
        assert results.captions(name) == done.captions(name)


def test_a_row_without_its_seeds_is_refused(done, material, tmp_path):
    results = ResultsFolder(tmp_path)
    content = json.loads(done.row_file("dmsm").read_text())
    del content["seeds"]
    os.makedirs(results.row_file("dmsm").parent)
    results.row_file("dmsm").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"dmsm\.json: has no 'seeds'"):
        results.load_row("dmsm", material.plan)


def test_the_time_of_a_training_is_the_mean_over_seeds(
    done, material, tmp_path, monkeypatch
):
    train = module.train_row

    def timed(row, material, folder, seed, trial):
        trained = train(row, material, folder, seed, trial)
        return dataclasses.replace(trained, seconds=[2.0, 4.0][seed])

    monkeypatch.setattr(module, "train_row", timed)
    results = ResultsFolder(shutil.copytree(done.path, tmp_path / "copy"))
    run(material, results, "dmsm", seeds=2)
    assert entry(results, material, "dmsm")["training_seconds"] == 3.0


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("retrieval", "4", "image to sentence", "ranks"), [1], "1 ranks of 4 queries"),
        (("retrieval", "4", "owner"), [0] * 19 + [4], "owner"),
        (("retrieval", "4", "sentences"), "20", "sentences"),
        (("retrieval", "-4"), {}, "not a number of images"),
        (("retrieval", "4", "sentence to image", "R@5", "low"), None, r"R@5"),
        (("scores", "BLEU-4", "value"), 1e400, "BLEU-4: inf is not finite"),
        (("scores", "BLEU-4", "seeds"), ["0"], "BLEU-4"),
        (("training_seconds",), 1e400, "training_seconds: inf is not finite"),
        (("parameters",), "many", "parameters"),
        (("search",), [{"learning_rate": 0.1}], "search"),
        (("nats",), [1.0], "nats and tokens are of different images"),
        (("row",), "nic", "is of another row"),
    ],
)
def test_a_row_that_could_not_be_shown_is_refused_by_its_field(
    done, material, tmp_path, place, value, message
):
    results = ResultsFolder(tmp_path)
    entry = json.loads(done.row_file("mrnn").read_text())
    inner = entry
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    os.makedirs(results.row_file("mrnn").parent)
    results.row_file("mrnn").write_text(json.dumps(entry))
    with pytest.raises(InputError, match=f"mrnn.json: .*{message}"):
        results.load_row("mrnn", material.plan)
