import pytest

from mrnn_np.cli import main
from mrnn_np.features.matrix import Features


def test_scenes_need_no_cnn(tmp_path, capsys):
    goal = tmp_path / "f.npz"
    assert main(["features", "scenes", "--split", "dev", "-o", str(goal)]) == 0
    out = capsys.readouterr().out
    assert f"{goal}: 300 images, 236 numbers each by scenes" in out
    features = Features.load(goal)
    assert features.names[0] == "scene2000" and features.dataset == "scenes"
    assert main(["features", "scenes", "--split", "dev", "-o", str(goal)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mrnn-np: error: ") and "exists already" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense", "-o", "F"], "unknown data set 'nonsense'"),
        (["scenes", "-o", "F", "--split", "tset"], "no split 'tset'"),
        (["flickr8k:nowhere", "-o", "F"], "no such folder"),
        (["scenes", "-o", "F", "--cnn", "gone.npz"], "gone.npz: no such file"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["features", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_wrong_use_is_status_2(jobs, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["features", "scenes", "-o", "F.npz", "--jobs", jobs])
    assert stop.value.code == 2
    assert "--jobs" in capsys.readouterr().err


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["features", "--help"])
    assert stop.value.code == 0
    assert "example: mrnn-np features flickr8k:" in capsys.readouterr().out
