"""METEOR: the score from the program's counts, and a program that misbehaves.

The program itself runs in one test, where Java and pycocoevalcap are.
"""

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from mrnn_np import InputError, metrics
from mrnn_np.metrics import meteor

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "metrics.json").read_text(encoding="utf-8")
)
# What METEOR 1.5 prints for three hypotheses, and its scores of them.
PRINTED = """\
6 7 3 4 0 0 2 2 0 0 0 0 0 0 0 0 0 0 0 0 2 2 2
3 3 1 1 2 2 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 3 3
0 3 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
"""


def program(folder: Path, script: str, monkeypatch) -> None:
    """Put a script in the place of `java`."""
    path = folder / "java"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    package = folder / "pycocoevalcap"
    (package / "meteor").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.syspath_prepend(str(folder))


def test_scores_of_counts_by_hand(tmp_path, monkeypatch):
    (tmp_path / "out").write_text(PRINTED)
    script = f"cat > {tmp_path}/in; cat {tmp_path}/out"
    program(tmp_path, script, monkeypatch)
    references = [[["x"], ["y", "z"]], [["a"]], [["a"]]]
    hypotheses = [["the", "|||", "cat"], ["b"], []]
    corpus, each = meteor.compute_score(references, hypotheses)
    # First: content words weigh 3/4, function words 1/4; two function words match.
    P, R = 0.5 / (3 * 0.75 + 3 * 0.25), 0.5 / (3 * 0.75 + 4 * 0.25)
    mean = 1 / (0.15 / P + 0.85 / R)
    assert each[0] == pytest.approx(mean * (1 - 0.6 * (2 / 2) ** 0.2))
    assert each[1] == pytest.approx(1)  # a perfect sentence has no break
    assert each[2] == 0
    # Corpus: counts are added, the perfect sentence without its one chunk.
    P, R = 2.25 / (5 * 0.75 + 4 * 0.25), 2.25 / (7 * 0.75 + 6 * 0.25)
    mean = 1 / (0.15 / P + 0.85 / R)
    assert corpus == pytest.approx(mean * (1 - 0.6 * (2 / 5) ** 0.2))
    sent = (tmp_path / "in").read_text().split("\n")
    assert sent[0] == "SCORE ||| x ||| y z ||| the cat"
    assert sent[2] == "SCORE ||| a ||| "


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("echo no memory >&2; exit 3", "stopped with status 3: no memory"),
        ("cat > /dev/null; echo Error: specify lines", "gave 1 lines for 2 images"),
        ("cat > /dev/null", "gave 0 lines for 2 images"),
        ("exit 0", "gave 0 lines for 2 images"),  # does not even read
        ("cat > /dev/null; echo 0,5; echo 0,5", "gave 2 lines"),
        ("sleep 30", "did not run"),
    ],
)
def test_a_program_that_fails_gives_one_line(tmp_path, monkeypatch, script, part):
    program(tmp_path, script, monkeypatch)
    monkeypatch.setattr(meteor, "PATIENCE", 2)
    with pytest.raises(InputError, match=part) as error:
        meteor.compute_score([[["a"]], [["b"]]], [["a"], ["b"]])
    assert str(error.value).startswith("METEOR: ") and "\n" not in str(error.value)


def test_without_java_it_says_so(tmp_path, monkeypatch):
    program(tmp_path, "exit 0", monkeypatch)
    assert meteor.unavailable() is None
    (tmp_path / "java").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "java" in meteor.unavailable()
    with pytest.raises(InputError, match="METEOR: there is no `java`"):
        meteor.compute_score([[["a"]]], [["a"]])


@pytest.mark.slow
def test_equal_to_coco_caption():
    if meteor.unavailable():
        pytest.skip(f"METEOR: {meteor.unavailable()}")
    truth, guess, expected, spans = [], [], [], []
    for frozen in GOLDEN.values():  # all in one run: Java takes long to start
        start = len(guess)
        for image, texts in frozen["hypotheses"].items():
            truth.append([text.split() for text in frozen["references"][image]])
            guess.append(texts[0].split())
        expected += frozen["each"]["METEOR"]
        spans.append((slice(start, len(guess)), frozen["corpus"]["METEOR"]))
    counts = meteor.image_counts(truth, guess)
    np.testing.assert_allclose(meteor.meteor_of_counts(counts), expected, atol=1e-9)
    for part, corpus in spans:
        score = meteor.meteor_of_counts(counts[part].sum(axis=0))
        assert score == pytest.approx(corpus, abs=1e-9)


def test_intervals_of_meteor(tmp_path, monkeypatch):
    (tmp_path / "out").write_text(PRINTED)
    program(tmp_path, f"cat > /dev/null; cat {tmp_path}/out", monkeypatch)
    texts = {i: ["a b"] for i in range(3)}
    rating = metrics.rate(texts, texts, with_meteor=True)
    low, high = rating.intervals(np.random.default_rng(0))["METEOR"]
    assert 0 <= low < rating.corpus["METEOR"] < high <= 1
