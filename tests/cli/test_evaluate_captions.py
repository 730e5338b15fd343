"""`evaluate --captions`: any results file, without a model."""

import json

import pytest

import mrnn_np.data
from mrnn_np.cli import main
from mrnn_np.data import CaptionDataset, load_dataset


@pytest.fixture
def small(monkeypatch):
    """A data set of three numbered images and an empty split."""
    captions = {
        "a.jpg": ["A man's dog runs.", "the dog (brown) runs"],
        "b.jpg": ["Two girls can't swim"],
        "c.jpg": ["A red car"],
    }
    dataset = CaptionDataset(
        name="small",
        images=None,
        captions=captions,
        splits={"dev": ["a.jpg", "b.jpg"], "test": ["c.jpg"], "none": []},
        ids={"a.jpg": 11, "b.jpg": 12, "c.jpg": 13},
    )
    monkeypatch.setattr(mrnn_np.data, "load_dataset", lambda spec: dataset)
    return dataset


def write(folder, captions) -> str:
    entries = [{"image_id": i, "caption": text} for i, text in captions]
    (folder / "r.json").write_text(json.dumps(entries))
    return str(folder / "r.json")


def test_peoples_own_sentences_are_perfect(small, tmp_path, capsys):
    file = write(tmp_path, [(12, "two girls CAN'T swim!"), (11, "a man's dog runs")])
    out = tmp_path / "out.json"
    assert main(["evaluate", "small:X", "--captions", file, "--json", str(out)]) == 0
    shown = capsys.readouterr()
    assert "small dev: 2 images" in shown.out and "BLEU-4" in shown.out
    assert "perplexity" not in shown.out
    results = tmp_path / "out.captions.json"
    assert shown.err.splitlines() == [
        "METEOR is left out: not in these tests",
        f"{out}: the scores of every image; {results}: the captions",
    ]
    found = json.loads(out.read_text())
    for name in ("BLEU-1", "BLEU-4", "ROUGE-L"):
        assert found["scores"][name] == pytest.approx(1)
        assert found["intervals"][name] == pytest.approx([1, 1])
    assert set(found["intervals"]) == set(found["scores"])
    # The order is the data set's, the ids are its numbers.
    assert [entry["image_id"] for entry in found["images"]] == [11, 12]
    mean = sum(entry["CIDEr"] for entry in found["images"]) / 2
    assert found["scores"]["CIDEr"] == pytest.approx(mean)
    again = json.loads(results.read_text())
    assert again[0] == {"image_id": 11, "caption": "a man's dog runs"}


def test_english_is_cut_as_published_scores_are(small, tmp_path, capsys):
    """`(brown)` is three tokens there, and the brackets are not dropped."""
    file = write(tmp_path, [(11, "the dog -lrb- brown -rrb- runs"), (12, "x")])
    out = tmp_path / "out.json"
    assert main(["evaluate", "small:X", "--captions", file, "--json", str(out)]) == 0
    first = json.loads(out.read_text())["images"][0]
    assert first["BLEU-4"] == pytest.approx(1)


def test_names_serve_as_ids_and_missing_images_are_counted(small, tmp_path, capsys):
    file = write(tmp_path, [("b.jpg", "two girls swim")])
    assert main(["evaluate", "small:X", "--captions", file]) == 0
    shown = capsys.readouterr()
    assert "small dev: 1 images" in shown.out
    said = "no caption for 1 of 2 images of dev of small:X (the first is a.jpg)"
    assert said in shown.err


@pytest.mark.parametrize(
    ("captions", "part"),
    [
        ([(11, "a"), (11, "b")], "r.json: two captions for image 11"),
        ([(11, "a"), ("a.jpg", "b")], "two captions for image 'a.jpg'"),
        ([(13, "a")], "unknown image 13: it is not in dev of small:X"),
        ([("d.jpg", "a")], "unknown image 'd.jpg'"),
        ([], "r.json: no caption in it"),
    ],
)
def test_bad_results_files(small, tmp_path, capsys, captions, part):
    file = write(tmp_path, captions)
    assert main(["evaluate", "small:X", "--captions", file]) == 1
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1


def test_an_empty_split_and_an_image_without_sentences(small, tmp_path, capsys):
    file = write(tmp_path, [(11, "a"), (12, "b")])
    arguments = ["evaluate", "small:X", "--captions", file]
    assert main([*arguments, "--split", "none"]) == 1
    assert "small: the split 'none' has no image" in capsys.readouterr().err
    small.captions["b.jpg"] = []
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "no reference sentence for image 'b.jpg'" in error


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ([], "give --features and --checkpoint, or --captions"),
        (["--features", "f.npz"], "give --features and --checkpoint"),
        (["--captions", "r.json", "--checkpoint", "m.npz"], "leave out the model's"),
    ],
)
def test_options_that_do_not_go_together(options, part, capsys):
    assert main(["evaluate", "scenes", *options]) == 2
    assert part in capsys.readouterr().err


def test_chinese_keeps_its_own_tokenizer(tmp_path, capsys):
    dataset = load_dataset("scenes:zh")
    captions = [(name, dataset.captions[name][0]) for name in dataset.split("dev")]
    out = tmp_path / "out.json"
    arguments = ["evaluate", "scenes:zh", "--captions", write(tmp_path, captions)]
    assert main([*arguments, "--json", str(out)]) == 0
    scores = json.loads(out.read_text())["scores"]
    assert scores["BLEU-4"] == pytest.approx(1)
