"""`mrnn-np bench`: processes, table and exit status, with benchmarks of no length."""

import json
import shutil

import pytest

from mrnn_np.cli import bench, main

FAKE = """
from timing import Row

def measure(repeats=1, cpu=False):
    print("chatter")
    return [
        Row(f"jump {repeats} {cpu}", 0.1234, "frog", 0.05, 2.0, 3 << 20),
        Row("sleep", 2.0, "cat", 4.0, 1.0),
    ]
"""
LACKING = "import timing\nimport a_package_that_nobody_has\n"
BROKEN = "def measure(repeats=1, cpu=False):\n    raise RuntimeError('broken')\n"
THREADS = """
import os
from timing import Row

def measure(repeats=1, cpu=False):
    return [Row(os.environ["OPENBLAS_NUM_THREADS"], 1.0, "", 1.0, 1.0)]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of benchmarks: this project's own worker, and some that take no time."""
    for name in ("worker.py", "timing.py"):
        shutil.copy(bench.benchmarks_folder() / name, tmp_path)
    fakes = {"beam": FAKE, "cnn": LACKING, "metrics": BROKEN, "threads": THREADS}
    for name, text in fakes.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(bench, "benchmarks_folder", lambda: tmp_path)
    return tmp_path


def test_a_table_of_what_was_measured(folder, capsys):
    assert main(["bench", "beam", "--repeats", "3"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "job",
        "ours",
        "peer",
        "peer's",
        "ratio",
        "needed",
        "memory",
    ]
    assert first.split() == (
        "jump 3 False 123 ms frog 50 ms 0.41 2.00 MISSED 3 MiB".split()
    )
    assert second.split() == "sleep 2 s cat 4 s 2.00 1.00 ok".split()


def test_json_and_processor_time(folder, capsys):
    assert main(["bench", "beam", "--cpu", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["job"] == "jump 1 True" and first["memory"] == 3 << 20
    assert first["ratio"] == pytest.approx(0.05 / 0.1234)
    assert second["benchmark"] == "beam" and second["memory"] is None


def test_a_missing_peer_is_said_and_the_others_run(folder, capsys):
    assert main(["bench", "cnn", "beam"]) == 0
    out, err = capsys.readouterr()
    assert "cnn: left out: a_package_that_nobody_has is not installed" in err
    assert len(out.splitlines()) == 3


def test_a_benchmark_that_fails_costs_its_own_rows(folder, capfd):
    assert main(["bench", "metrics", "beam"]) == 1
    out, err = capfd.readouterr()
    assert "benchmark metrics failed" in err and "RuntimeError: broken" in err
    assert len(out.splitlines()) == 3


def test_every_program_gets_the_same_threads(folder, capsys):
    assert main(["bench", "threads", "--threads", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("3 ")


def test_an_unknown_job_is_wrong_use(folder, capsys):
    assert main(["bench", "beam", "chess"]) == 2
    assert "no job 'chess': train_step, train_peers, cnn" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more", [["beam"], ["--repeats", "3"], ["--cpu"], ["--json"]], ids=str
)
def test_what_scaling_would_not_heed_is_wrong_use(folder, capsys, more):
    assert main(["bench", *more, "--scaling"]) == 2
    assert "only --threads and --out count" in capsys.readouterr().err


def test_without_the_repository_it_says_where_they_are(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "a/b/c/bench.py"))
    assert main(["bench"]) == 1
    err = capsys.readouterr().err
    assert "not part of the installed package" in err and "pip install -e ." in err


@pytest.mark.parametrize("job", bench.JOBS)
def test_every_job_is_a_benchmark_of_the_repository(job):
    text = (bench.benchmarks_folder() / f"{job}.py").read_text(encoding="utf-8")
    assert "def measure(" in text
