"""Feature files: rows by name, blocks that survive, broken pictures, other CNNs."""

import dataclasses
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

import mrnn_np.features.extraction
from mrnn_np.data.pictures import ImageTree, ImageUnion
from mrnn_np.data.scenes import SceneImages
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.features.extraction import compact, extract_features
from mrnn_np.features.extractors import (
    check_same_extractor,
    extractor_of,
    load_extractor,
)
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.images import ImageFolder, ImageZip, NoImages
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import save_arrays
from mrnn_np.runtime.workers import Workers

SCENES = SceneImages()
NAMES = SCENES.names()[:10]
TWO = Workers("processes", 2)


class Brightness:
    """An extractor of three numbers: the mean of each colour, times `factor`."""

    name, sha256, feature_size = "brightness", "b" * 64, 3

    def __init__(self, factor=1.0):
        self.feature_preprocessing = {"factor": factor}
        self.factor = factor

    def features(self, images):
        means = [np.asarray(image).mean((0, 1)) * self.factor for image in images]
        return np.array(means, np.float32).reshape(-1, 3)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(mrnn_np.features.extraction, "BLOCK", 4)


def make_folder(path, *colours):
    path.mkdir()
    for i, colour in enumerate(colours):
        Image.new("RGB", (5, 4), colour).save(path / f"{i}.png")
    return ImageFolder(path)


def test_rows_equal_what_the_extractor_says(tmp_path):
    goal = tmp_path / "new folder" / "f.npz"
    features = extract_features(SCENES, NAMES, "scenes", goal, dataset="scenes")
    expected = SceneFeatures().features(SCENES.open(name) for name in NAMES)
    for copy in (features, Features.load(goal)):
        assert copy.names == tuple(NAMES) and copy.size == 236 and len(copy) == 10
        assert copy.matrix.dtype == np.float16
        rows = copy.rows([NAMES[7], NAMES[2], NAMES[7]])
        assert rows.dtype == np.float32
        assert np.allclose(rows, expected[[7, 2, 7]], rtol=1e-3, atol=1e-6)
        assert copy.extractor == identity(SceneFeatures())
        assert copy.dataset == "scenes" and copy.failed == {}
        assert NAMES[3] in copy and "scene0099" not in copy
    assert [path.name for path in goal.parent.iterdir()] == ["f.npz"]


def test_two_processes_give_the_same(tmp_path):
    one = extract_features(SCENES, NAMES, "scenes", tmp_path / "1.npz")
    two = extract_features(SCENES, NAMES, "scenes", tmp_path / "2.npz", workers=TWO)
    given = extract_features(
        SCENES, NAMES, SceneFeatures(), tmp_path / "3.npz", workers=TWO
    )
    assert one.names == two.names == given.names
    assert np.array_equal(one.matrix, two.matrix)
    assert np.array_equal(one.matrix, given.matrix)


@dataclasses.dataclass
class Interrupted:
    """Images behind which somebody presses Ctrl-C after `after` of them."""

    images: object
    after: int

    def __contains__(self, name):
        return name in self.images

    def open(self, name):
        if self.after == 0:
            raise KeyboardInterrupt
        self.after -= 1
        return self.images.open(name)


def test_an_interrupted_run_goes_on(tmp_path, capsys):
    goal, whole = tmp_path / "f.npz", tmp_path / "whole.npz"
    extract_features(SCENES, NAMES, "scenes", whole)
    with pytest.raises(KeyboardInterrupt):
        extract_features(Interrupted(SCENES, 9), NAMES, "scenes", goal)
    assert "go on with --resume" in capsys.readouterr().err
    assert not goal.exists()
    with pytest.raises(InputError, match=r"f\.npz\.part: holds an interrupted run"):
        extract_features(SCENES, NAMES, "scenes", goal)
    with pytest.raises(InputError, match=r"made by scenes \(.*go on with brightness"):
        extract_features(SCENES, NAMES, Brightness(), goal, resume=True)
    # Two blocks of four were finished: two pictures are left to do.
    rest = Interrupted(SCENES, 2)
    extract_features(rest, NAMES, "scenes", goal, resume=True)
    assert rest.after == 0
    assert goal.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.npz", "whole.npz"]


def test_resume_adds_what_a_finished_file_lacks(tmp_path):
    goal = tmp_path / "f.npz"
    extract_features(SCENES, NAMES[4:], "scenes", goal)
    before = goal.read_bytes()
    with pytest.raises(InputError, match="exists already: --resume adds"):
        extract_features(SCENES, NAMES, "scenes", goal)
    with pytest.raises(InputError, match="cannot go on with brightness"):
        extract_features(SCENES, NAMES, Brightness(), goal, resume=True)
    assert goal.read_bytes() == before
    features = extract_features(SCENES, NAMES[:6], "scenes", goal, resume=True)
    assert features.names == tuple(NAMES)
    again = extract_features(Interrupted(SCENES, 0), NAMES, "scenes", goal, resume=True)
    assert np.array_equal(again.matrix, features.matrix)


def test_broken_images_are_named_skipped_and_listed(tmp_path, capsys):
    images = make_folder(tmp_path / "images", "red", "lime", "blue")
    (images.path / "bad.png").write_bytes(b"no picture")
    names = ["0.png", "bad.png", "gone.png", "2.png"]
    goal = tmp_path / "f.npz"
    extract_features(images, names, Brightness(), goal)
    error = capsys.readouterr().err
    assert "skipped bad.png:" in error and "not an image" in error
    assert "skipped gone.png:" in error
    features = Features.load(goal)
    assert features.names == ("0.png", "2.png")
    assert features.rows(["2.png"]).tolist() == [[0, 0, 255]]
    assert set(features.failed) == {"bad.png", "gone.png"}
    with pytest.raises(
        InputError, match=r"'bad\.png' has no features, it could not be"
    ):
        features.rows(["0.png", "bad.png"])
    # A picture that was mended is taken in.
    Image.new("RGB", (2, 2), "lime").save(images.path / "bad.png")
    mended = extract_features(images, names, Brightness(), goal, resume=True)
    assert mended.names == ("0.png", "bad.png", "2.png")
    assert set(mended.failed) == {"gone.png"}


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"inner/{file.name}")
    return ImageZip(path)


@pytest.mark.parametrize("kind", [ImageFolder, ImageTree, zipped, "union"])
def test_resume_notices_pictures_that_were_replaced(kind, tmp_path, capsys):
    folder, goal, new = tmp_path / "images", tmp_path / "f.npz", tmp_path / "new.npz"
    make_folder(folder, "red", "lime", "blue", "white", "black", "gray")

    def images():
        if kind == "union":
            return ImageUnion([ImageFolder(tmp_path), ImageTree(folder)])
        return kind(folder, tmp_path / "i.zip") if kind is zipped else kind(folder)

    Image.new("RGB", (5, 4), "red").save(folder / "0.png", "BMP")
    names = images().names()
    first = extract_features(images(), names, Brightness(), goal)
    # The same size in bytes, and the same times.
    before = (folder / "0.png").stat()
    Image.new("RGB", (5, 4), "aqua").save(folder / "0.png", "BMP")
    os.utime(folder / "0.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (folder / "0.png").stat().st_size == before.st_size
    Image.new("RGB", (3, 3), "yellow").save(folder / "4.png")
    (folder / "5.png").write_bytes(b"no picture")
    capsys.readouterr()
    found = extract_features(images(), names, Brightness(), goal, resume=True)
    error = capsys.readouterr().err
    assert ": 3 (0.png, 4.png, 5.png); computing these anew" in error
    assert found.rows(["0.png", "1.png"]).tolist() == [[0, 255, 255], [0, 255, 0]]
    assert list(found.failed) == ["5.png"] and "5.png" not in found
    assert np.array_equal(found.rows(["2.png"]), first.rows(["2.png"]))
    extract_features(images(), names, Brightness(), new)
    assert goal.read_bytes() == new.read_bytes()
    extract_features(images(), names, Brightness(), goal, resume=True)
    assert "replaced" not in capsys.readouterr().err


def test_a_run_that_was_interrupted_notices_them_too(tmp_path, capsys, monkeypatch):
    images = make_folder(tmp_path / "images", *["red"] * 14)
    names = [f"{i}.png" for i in range(14)]
    goal, new = tmp_path / "f.npz", tmp_path / "new.npz"
    read = ImageFolder.read

    def stopped_at(name):
        def reads(images, asked):
            if asked == name:
                raise KeyboardInterrupt
            return read(images, asked)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ImageFolder, "read", reads)
            extract_features(images, names, Brightness(), goal, resume=True)

    stopped_at("8.png")
    Image.new("RGB", (5, 4), "lime").save(images.path / "1.png")
    stopped_at("11.png")
    assert ": 1 (1.png); computing" in capsys.readouterr().err
    # By then it was computed anew, with 8, 9 and 10, and there is nothing to notice.
    extract_features(images, names, Brightness(), goal, resume=True)
    assert "replaced" not in capsys.readouterr().err
    extract_features(images, names, Brightness(), new)
    assert goal.read_bytes() == new.read_bytes()
    assert Features.load(goal).rows(["1.png"]).tolist() == [[0, 255, 0]]


def test_pictures_that_are_gone_keep_their_features(tmp_path, capsys):
    images = make_folder(tmp_path / "images", "red", "blue")
    goal = tmp_path / "f.npz"
    before = extract_features(images, images.names(), Brightness(), goal)
    (images.path / "0.png").unlink()
    names = list(before.names)
    after = extract_features(images, names, Brightness(), goal, resume=True)
    assert np.array_equal(after.rows(names), before.rows(names))
    assert after.checksums == before.checksums and len(before.checksums) == 2
    assert "replaced" not in capsys.readouterr().err


def test_features_outlive_all_their_pictures(tmp_path):
    images = make_folder(tmp_path / "images", "red", "blue")
    goal = tmp_path / "f.npz"
    before = extract_features(images, images.names(), Brightness(), goal)
    gone, names = NoImages("they were deleted"), list(before.names)
    after = extract_features(gone, names, Brightness(), goal, resume=True)
    assert np.array_equal(after.rows(names), before.rows(names))


def test_files_without_checksums_are_resumed_as_they_were(tmp_path, capsys):
    images = make_folder(tmp_path / "images", "red", "blue")
    goal = tmp_path / "f.npz"
    older = extract_features(images, ["0.png"], Brightness(), goal)
    older.checksums = {}
    older.save(goal)
    with np.load(goal) as arrays:
        assert "checksums" not in arrays
    assert Features.load(goal).checksums == {}
    Image.new("RGB", (5, 4), "lime").save(images.path / "0.png")
    new = extract_features(images, images.names(), Brightness(), goal, resume=True)
    assert new.rows(["0.png", "1.png"]).tolist() == [[255, 0, 0], [0, 0, 255]]
    assert list(Features.load(goal).checksums) == ["1.png"]
    assert "replaced" not in capsys.readouterr().err
    # Of the added picture it is known.
    Image.new("RGB", (5, 4), "lime").save(images.path / "1.png")
    new = extract_features(images, images.names(), Brightness(), goal, resume=True)
    assert new.rows(["1.png"]).tolist() == [[0, 255, 0]]


@pytest.mark.parametrize("wrong", [[1], [[1, 2]], ["a", "b"], [0.5, 1.0]])
def test_checksums_of_another_form_are_refused(wrong, tmp_path):
    header = {"extractor": identity(Brightness()), "dataset": "", "failed": {}}
    arrays = {"names": np.array(["a", "b"]), "features": np.ones((2, 3), np.float16)}
    arrays["checksums"] = np.array(wrong)
    save_arrays(tmp_path / "f.npz", "features", header, arrays)
    with pytest.raises(InputError, match=r"f\.npz: checksums (holds|is of shape)"):
        Features.load(tmp_path / "f.npz")


def test_no_picture_at_all(tmp_path):
    goal = tmp_path / "f.npz"
    with pytest.raises(InputError, match="no zip here"):
        extract_features(NoImages("no zip here"), NAMES, "scenes", goal)
    with pytest.raises(InputError, match="no image to compute"):
        extract_features(SCENES, [], "scenes", goal)
    images = ImageFolder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"no image could be read; a\.png: .*not an"):
        extract_features(images, ["a.png"], Brightness(), goal)
    assert not goal.exists()


def test_numbers_too_large_for_float16_stay_float32(tmp_path):
    images = make_folder(tmp_path / "images", *["black"] * 4, "white")
    goal = tmp_path / "f.npz"
    names = images.names()
    features = extract_features(images, names, Brightness(1000.0), goal)
    assert features.matrix.dtype == np.float32
    assert features.rows(["4.png"]).tolist() == [[255000.0] * 3]
    assert compact(np.full((1, 2), 65504, np.float32), ["a"], "x").dtype == np.float16
    for value in (np.nan, np.inf):
        with pytest.raises(InputError, match="features of b are not finite"):
            compact(np.array([[1.0], [value]], np.float32), ["a", "b"], "cnn")


def test_missing_rows_say_how_to_get_them(tmp_path):
    features = Features(["a"], np.ones((1, 2)), identity(Brightness()), source="f.npz")
    with pytest.raises(InputError, match=r"'b'.*--cnn brightness -o f\.npz --resume"):
        features.rows(["a", "b"])


def test_a_model_refuses_features_of_another_cnn():
    needed = identity(Brightness())
    check_same_extractor(needed, dict(needed))
    other = identity(SceneFeatures())
    with pytest.raises(InputError, match=r"f\.npz: made by scenes.*of brightness"):
        check_same_extractor(other, needed, "f.npz")
    with pytest.raises(InputError, match=r"other weights \(c{64}, not b{64}\)"):
        check_same_extractor({**needed, "sha256": "c" * 64}, needed)
    with pytest.raises(InputError, match="other preprocessing"):
        check_same_extractor({**needed, "preprocessing": {}}, needed)


def test_the_extractor_that_a_model_needs_is_loaded_or_refused():
    needed = identity(SceneFeatures())
    assert identity(extractor_of(needed, "m.npz")) == needed
    with pytest.raises(InputError, match=r"m\.npz: made by scenes, .* other weights"):
        extractor_of({**needed, "sha256": "c" * 64}, "m.npz")
    with pytest.raises(InputError, match=r"m\.npz: does not say which CNN"):
        extractor_of(None, "m.npz")


def test_only_some_of_the_images():
    made_by, failed = identity(Brightness()), {"x": "no picture"}
    matrix, checksums = np.arange(6, dtype=np.float16).reshape(3, 2), {"a": 7, "b": 8}
    whole = Features("abc", matrix, made_by, "d", failed, "f.npz", checksums)
    some = whole.only(["c", "a"])
    assert some.names == ("c", "a") and some.matrix.tolist() == [[4, 5], [0, 1]]
    assert some.matrix.dtype == np.float16 and some.checksums == {"a": 7}
    assert (some.extractor, some.dataset) == (made_by, "d")
    assert (some.failed, some.source) == (failed, "f.npz")
    assert whole.only([]).matrix.shape == (0, 2)


def test_wrong_files(tmp_path):
    goal = tmp_path / "f.npz"
    extract_features(SCENES, NAMES, "scenes", goal)
    content = goal.read_bytes()
    goal.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"f\.npz: not a readable"):
        Features.load(goal)
    with pytest.raises(InputError, match="no such file"):
        Features.load(tmp_path / "gone.npz")
    with pytest.raises(InputError, match="2 different names for a matrix"):
        Features(["a", "b"], np.ones((3, 2)), identity(Brightness()))


GOOD = {
    "extractor": {"name": "c", "sha256": "0", "preprocessing": {}},
    "dataset": "d",
    "failed": {"z.jpg": "broken"},
}
ROWS = np.ones((2, 3), np.float16)
BEYOND = np.array([0x110000, 0x110000], np.uint32).view("<U1")


@pytest.mark.parametrize(
    ("header", "names", "matrix", "words"),
    [
        ({"extractor": 3}, ["a", "b"], ROWS, "extractor: expected an object"),
        ({"extractor": ["c"]}, ["a", "b"], ROWS, "extractor: expected an object"),
        ({"extractor": None}, ["a", "b"], ROWS, "extractor: expected an object"),
        ({"extractor": {"sha256": "0"}}, ["a", "b"], ROWS, "has no 'name'"),
        ({"failed": ["z"]}, ["a", "b"], ROWS, "failed: expected an object"),
        ({"failed": {"z": 5}}, ["a", "b"], ROWS, "failed: z: expected a text"),
        ({"dataset": {}}, ["a", "b"], ROWS, "dataset: expected a text"),
        ({}, "a", ROWS, r"names is of shape \(\), expected \('any',\)"),
        ({}, [["a"], ["b"]], ROWS, r"names is of shape \(2, 1\)"),
        ({}, [1, 2], ROWS, "names holds int64, expected texts"),
        ({}, ["a", "\udc00"], ROWS, "names: holds something that is no text"),
        ({}, BEYOND, ROWS, "names: holds something that is no text"),
        ({}, ["a", "a"], ROWS, "1 different names for a matrix"),
        ({}, ["a", "b", "a", "b"], ROWS, "2 different names for a matrix"),
        ({}, ["a", "b"], ROWS[0], r"features is of shape \(3,\)"),
        ({}, ["a", "b"], ROWS.astype(int), "features holds int64, expected floats"),
        ({}, ["a", "b"], ROWS.astype(str), "expected floats"),
        ({}, ["a", "b"], ROWS * [[1], [np.nan]], "features of 'b' hold NaN or"),
        ({}, ["a", "b"], ROWS * [[1], [1e300]], "features of 'b' hold NaN or"),
    ],
)
def test_files_whose_parts_are_something_else(tmp_path, header, names, matrix, words):
    path = tmp_path / "f.npz"
    arrays = {"names": np.array(names), "features": matrix}
    save_arrays(path, "features", {**GOOD, **header}, arrays)
    with pytest.raises(InputError, match=rf"f\.npz: .*{words}") as caught:
        Features.load(path)
    assert "\n" not in str(caught.value)
    save_arrays(path, "features", GOOD, {"names": np.array(["a", "b"])})
    with pytest.raises(InputError, match="has no array 'features'"):
        Features.load(path)
    save_arrays(
        path, "features", GOOD, {"names": np.array(["a", "b"]), "features": ROWS}
    )
    assert Features.load(path).names == ("a", "b")


def test_an_extractor_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path))
    with pytest.raises(InputError, match="squeezenet9"):
        extract_features(SCENES, NAMES, "squeezenet9", tmp_path / "f.npz")
    assert load_extractor("scenes").name == "scenes"
