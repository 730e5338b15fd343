"""The tables from the command line: a few rows of small models, and wrong use."""

import dataclasses
import json
import shutil

import pytest

from mrnn_np import data
from mrnn_np.cli import main
from mrnn_np.data import load_dataset
from mrnn_np.runtime.progress import json_text
from mrnn_np.tables import plan as plan_module
from mrnn_np.tables.conclusions import CLAIMS

ROWS = "random,human,mrnn,mrnn-greedy,rnn-base,dmsm"


@pytest.fixture(autouse=True)
def small_scenes(monkeypatch):
    make_small(monkeypatch)


def make_small(monkeypatch):
    """Thirty-two scenes, and a plan whose models have a few units."""
    make, whole = plan_module.new_plan, load_dataset("scenes")
    splits = {"train": whole.split("train")[:24], "dev": whole.split("dev")[:8]}
    small = dataclasses.replace(whole, splits=splits)

    def load(spec):
        return small if spec == "scenes" else load_dataset(spec)

    def new_plan(*given):
        return dataclasses.replace(
            make(*given), gallery=4, samples=5, threshold=1, batch_size=40,
            learning_rates=(5e-3,), dropouts=(0.1,), scale=0.06, meteor=False,
        )  # fmt: skip

    monkeypatch.setattr(data, "load_dataset", load)
    monkeypatch.setattr(plan_module, "new_plan", new_plan)


def tables(out, *more, rows=ROWS) -> int:
    return main(["tables", "scenes", "--out", str(out), "--rows", rows, *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a whole run."""
    folder = tmp_path_factory.mktemp("tables") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        assert tables(folder, "--budget", "1e-6") == 0
    return folder


@pytest.fixture
def done(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "done")


def test_a_whole_run_and_what_it_leaves(done, capsys):
    assert tables(done) == 0  # nothing to do but to show it
    text = capsys.readouterr().out
    assert "Table 1. Retrieval among 4 images and 20 sentences" in text
    assert "RNN-Base" in text
    assert str(done / "tables.html") in text.splitlines()[-1]
    assert (done / "tables.txt").read_text() in text
    everything = json.loads((done / "tables.json").read_text())
    assert [row["row"] for row in everything["rows"]] == ROWS.split(",")
    assert len(everything["claims"]) == len(CLAIMS)
    for claim in everything["claims"]:
        assert f"{claim['verdict'].upper()}: {claim['sentence'][:40]}" in text
    assert everything["plan"]["epochs"] == 1  # the least, whatever the budget
    assert everything["plan"]["command"] == (
        f"mrnn-np tables scenes --budget 1e-06 --rows {ROWS}"
    )
    page = (done / "tables.html").read_text()
    assert page.count("<img") == 8 and "m-RNN" in page
    files = {path.name for path in done.iterdir()}
    assert files == {
        "features.npz", "plan.json", "rows", "runs", "tables.html", "tables.json",
        "tables.txt",
    }  # fmt: skip


def test_a_second_run_goes_on(done, capsys):
    before = (done / "rows" / "mrnn.json").read_bytes()
    capsys.readouterr()
    assert tables(done, rows="mrnn,deepfe") == 0
    said = capsys.readouterr()
    assert "deepfe: trial 1 of 1" in said.err and "mrnn: trial" not in said.err
    assert (done / "rows" / "mrnn.json").read_bytes() == before
    assert "DeepFE" in said.out and "RNN-Base" in said.out  # all that is done


def one_line(capsys) -> str:
    err = capsys.readouterr().err.strip().splitlines()
    return err[-1]


def test_other_budgets_features_and_data_are_refused(done, tmp_path, capsys):
    assert tables(done, "--budget", "5") == 1
    assert "begun with a budget of 1e-06 minutes" in one_line(capsys)
    assert tables(done, "--budget", "small") == 1
    assert "leave out --budget, or choose another folder" in one_line(capsys)
    other = tmp_path / "other.npz"
    assert main(["features", "scenes", "-o", str(other), "--cnn", "scenes"]) == 0
    assert tables(done, "--features", str(other)) == 0  # the same numbers
    plan = done / "plan.json"
    described = json.loads(plan.read_text())
    for key, value, message in (
        ("inputs", "0", "other captions or features"),
        ("dataset", "flickr8k", "holds the tables of flickr8k, not of scenes"),
    ):
        plan.write_text(json_text({**described, key: value}))
        assert tables(done) == 1
        assert message in one_line(capsys)


def test_wrong_use_is_told_before_any_work(tmp_path, capsys):
    assert tables(tmp_path / "t", rows="mrnn,nick") == 2
    assert "--rows: 'nick' is not one of random, human," in one_line(capsys)
    for wrong in ("0", "-3", "soon", "nan", "1e9"):
        with pytest.raises(SystemExit) as ended:
            tables(tmp_path / "t", "--budget", wrong)
        assert ended.value.code == 2
        assert "--budget" in one_line(capsys)
    assert not (tmp_path / "t").exists()


def test_a_folder_of_something_else_is_not_written_to(tmp_path, capsys):
    (tmp_path / "tables.json").write_text('{"mine": 1}')
    assert tables(tmp_path) == 1
    assert "exists and is not" in one_line(capsys)
    assert (tmp_path / "tables.json").read_text() == '{"mine": 1}'
    assert not (tmp_path / "plan.json").exists()


def test_pages_and_texts_of_others_are_not_replaced(tmp_path, capsys):
    (tmp_path / "tables.html").write_text("<p>mine</p>")
    assert tables(tmp_path) == 1
    assert "exists and is not a page of mrnn-np" in one_line(capsys)
    (tmp_path / "tables.html").unlink()
    (tmp_path / "tables.txt").write_text("mine")
    assert tables(tmp_path) == 1
    assert "tables.txt" in one_line(capsys)


def test_features_that_are_forgotten_are_not_computed_first(done, capsys):
    """A folder begun with --features has none of its own."""
    (done / "features.npz").unlink()
    assert tables(done) == 1
    said = one_line(capsys)
    assert "features.npz: not there" in said and "give its --features again" in said
    assert not (done / "features.npz").exists()
