"""The reader on miniatures in every layout, on bad lines, and on the real set."""

import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrnn_np.data import Vocabulary, load_dataset, tokenize
from mrnn_np.data.flickr8k import LISTS
from mrnn_np.runtime.errors import InputError

CAPTIONS = (
    "1_a.jpg#0\tA dog 's ball .\n"
    "1_a.jpg#1  \t \tA ball\n"
    "2_b.jpg#0 Two cats .\n"
    "\n"
    "2258277193_586949ec62.jpg.1#0\tA bird .\n"
)


def write_text(folder, captions=CAPTIONS, train="1_a.jpg\n", dev="2_b.jpg\n"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Flickr8k.token.txt").write_text(captions, encoding="utf-8")
    (folder / LISTS["train"]).write_text(train)
    (folder / LISTS["dev"]).write_text(dev)


def write_images(folder, *names):
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (8, 6), "red").save(folder / name)


def zip_folder(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))


def load(folder):
    return load_dataset(f"flickr8k:{folder}")


def test_folders(tmp_path):
    write_text(tmp_path / "Flickr8k_text")
    write_images(tmp_path / "Flicker8k_Dataset", "1_a.jpg")
    dataset = load(tmp_path)
    assert dataset.split("train") == ["1_a.jpg"]
    assert dataset.captions["1_a.jpg"] == ["A dog 's ball .", "A ball"]
    assert dataset.captions["2258277193_586949ec62.jpg"] == ["A bird ."]
    assert list(dataset.sentences("dev")) == [("2_b.jpg", "Two cats .")]
    assert dataset.images.open("1_a.jpg").size == (8, 6)
    assert dataset.remarks == (
        "1 captioned images are in no list",
        "1 listed images have no picture",
    )
    with pytest.raises(InputError, match=r"no split 'test' \(there are: train, dev\)"):
        dataset.split("test")


def test_zips_as_downloaded(tmp_path):
    write_text(tmp_path / "x")
    with zipfile.ZipFile(tmp_path / "Flickr8k_text.zip", "w") as archive:
        archive.writestr("__MACOSX/Flickr8k.token.txt", "\x00")
        for file in (tmp_path / "x").iterdir():
            archive.write(file, file.name)
    write_images(tmp_path / "Flicker8k_Dataset", "1_a.jpg", "2_b.jpg")
    zip_folder(tmp_path / "Flicker8k_Dataset", tmp_path / "Flickr8k_Dataset.zip")
    (tmp_path / "Flicker8k_Dataset").rename(tmp_path / "elsewhere")
    dataset = load(tmp_path)
    assert dataset.images.names() == ["1_a.jpg", "2_b.jpg"]
    assert dataset.splits == {"train": ["1_a.jpg"], "dev": ["2_b.jpg"]}


def test_text_files_in_the_folder_itself_and_no_pictures(tmp_path):
    write_text(tmp_path)
    dataset = load(tmp_path)
    assert dataset.split("dev") == ["2_b.jpg"]
    with pytest.raises(InputError, match=r"no pictures: no folder Flicker8k_Dataset"):
        dataset.images.open("1_a.jpg")


def test_windows_line_ends_and_byte_order_mark(tmp_path):
    write_text(
        tmp_path,
        captions="\ufeff" + CAPTIONS.replace("\n", "\r\n"),
        train="1_a.jpg\r\n",
    )
    assert load(tmp_path).captions["1_a.jpg"][1] == "A ball"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captions": CAPTIONS + "3.png#0\tA man\n"}, r"token\.txt:6: expected NAME"),
        ({"captions": "1_a.jpg A dog\n"}, r"token\.txt:1: expected NAME"),
        ({"captions": CAPTIONS + "2_b.jpg#1\t \n"}, r":6: empty caption of 2_b.jpg#1"),
        ({"captions": CAPTIONS + "2_b.jpg#1\t .\n"}, r":6: empty caption"),
        ({"captions": CAPTIONS + "1_a.jpg#0\tA\n"}, r":6: 1_a.jpg#0 has a caption"),
        ({"captions": "\n"}, r"no caption in it"),
        ({"train": "1_a.jpg\n9.jpg\n"}, r"trainImages\.txt:2: no caption .*'9.jpg'"),
        ({"train": "1_a.jpg\n\n1_a.jpg\n"}, r"trainImages\.txt:3: 1_a.jpg is listed"),
        ({"dev": "\n"}, r"devImages\.txt: no image in it"),
    ],
)
def test_bad_lines_are_named(tmp_path, change, message):
    write_text(tmp_path / "Flickr8k_text", **change)
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_text_that_is_not_utf8_is_named(tmp_path):
    write_text(tmp_path)
    content = CAPTIONS.encode() + b"5.jpg#0\tA caf\xe9\n"
    (tmp_path / "Flickr8k.token.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"token\.txt:6: not UTF-8"):
        load(tmp_path)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="no such folder: write flickr8k:DIR"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="flickr8k: no such folder"):
        load_dataset("flickr8k")
    with pytest.raises(InputError, match=r"no Flickr8k\.token\.txt"):
        load(tmp_path)
    (tmp_path / "Flickr8k.token.txt").write_text(CAPTIONS)
    with pytest.raises(InputError, match="none of the lists"):
        load(tmp_path)
    (tmp_path / "Flickr8k_text.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"Flickr8k_text\.zip: not a readable zip"):
        load(tmp_path)


def real_data():
    repository = Path(__file__).parents[2]
    folder = Path(os.environ.get("MRNN_NP_DATA", repository.parent / "shared" / "data"))
    if not (folder / "flickr8k" / "Flickr8k_text").is_dir():
        pytest.skip("Flickr8k is not here (set MRNN_NP_DATA to the folder above it)")
    return folder / "flickr8k"


def test_the_real_set():
    dataset = load(real_data())
    sizes = {"train": 6000, "dev": 1000}
    for split, size in sizes.items():
        names = dataset.split(split)
        assert len(names) == len(set(names)) == size
        assert Counter(len(dataset.captions[name]) for name in names) == {5: size}
        assert all(name in dataset.images for name in names)
    assert not set(dataset.split("train")) & set(dataset.split("dev"))
    tokens = [tokenize(caption) for _, caption in dataset.sentences("train")]
    vocabulary = Vocabulary.build(tokens, threshold=5)
    # 2,536 words and the four specials; the most frequent ones are known.
    assert len(vocabulary) == 2540
    assert vocabulary.words[4:10] == ("a", "in", "the", "on", "is", "and")
    assert vocabulary.counts[2] == 30000
    picture = np.asarray(dataset.images.open("1000268201_693b08cb0e.jpg"))
    assert picture.shape == (224, 224, 3) and picture.std() > 10
