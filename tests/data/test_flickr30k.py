"""Flickr30k in all its forms, in miniature; and Flickr8k's copy without lists."""

import pytest
from miniatures import draw, write

from mrnn_np.data import load_dataset
from mrnn_np.data.splits import MADE
from mrnn_np.runtime.errors import InputError

NAMES = [f"{number}.jpg" for number in range(1000, 1040)]
TOKEN = "".join(
    f"{name}#{k}\tA man number {k} , with a hat .\n" for name in NAMES for k in range(5)
)
BARS = "image_name| comment_number| comment\n" + TOKEN.replace("#", "| ").replace(
    "\t", "| "
)
CSV = "image,caption\n" + "".join(
    f'{name},"A man number {k} , with a hat ."\n' for name in NAMES for k in range(5)
)


def load(folder, name="flickr30k"):
    return load_dataset(f"{name}:{folder}")


@pytest.mark.parametrize(
    ("file_name", "text"),
    [
        ("results_20130124.token", TOKEN),
        ("flickr30k/results_20130124.token", TOKEN),
        ("results.csv", BARS),
        ("flickr30k_images/results.csv", BARS),
        ("captions.txt", CSV),
        ("captions.csv", CSV.replace("\n", "\r\n")),
    ],
)
def test_every_form_says_the_same(tmp_path, file_name, text):
    write(tmp_path, file_name, text)
    dataset = load(tmp_path)
    assert list(dataset.captions) == NAMES
    assert dataset.captions["1000.jpg"][3] == "A man number 3 , with a hat ."
    assert all(len(captions) == 5 for captions in dataset.captions.values())
    assert {split: len(names) for split, names in dataset.splits.items()} == {
        "train": 38,
        "dev": 1,
        "test": 1,
    }
    assert dataset.remarks == (MADE, "40 listed images have no picture")
    assert dataset.ids is None


@pytest.mark.parametrize(
    "place",
    ["flickr30k-images", "flickr30k_images", "flickr30k_images/flickr30k_images",
     "Images"],
)  # fmt: skip
def test_pictures(tmp_path, place):
    write(tmp_path, "results_20130124.token", TOKEN)
    draw(tmp_path / place, *NAMES)
    dataset = load(tmp_path)
    assert dataset.images.open("1003.jpg").size == (8, 6)
    assert dataset.remarks == (MADE,)


@pytest.mark.parametrize(
    ("lists", "ending"),
    [
        (("train.txt", "val.txt", "test.txt"), ""),
        (("flickr30k_train.txt", "flickr30k_val.txt", "flickr30k_test.txt"), ".jpg"),
        (
            ("Flickr_30k.trainImages.txt", "Flickr_30k.devImages.txt",
             "Flickr_30k.testImages.txt"),
            ".jpg",
        ),
    ],
)  # fmt: skip
def test_lists(tmp_path, lists, ending):
    write(tmp_path, "results_20130124.token", TOKEN)
    for file_name, number in zip(lists, (1001, 1002, 1003), strict=True):
        write(tmp_path, file_name, f"{number}{ending}\n")
    dataset = load(tmp_path)
    assert dataset.splits == {
        "train": ["1001.jpg"],
        "dev": ["1002.jpg"],
        "test": ["1003.jpg"],
    }
    assert "37 captioned images are in no list" in dataset.remarks


def test_a_list_that_is_missing_is_a_split_that_is_missing(tmp_path):
    write(tmp_path, "results_20130124.token", TOKEN)
    write(tmp_path, "train.txt", "1001\n")
    with pytest.raises(InputError, match=r"no split 'dev' \(there are: train\)"):
        load(tmp_path).split("dev")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("1001\n999\n", r"train\.txt:2: no caption in results_20130124\.token .*'999"),
        ("1001\n1001.jpg\n", r"train\.txt:2: 1001\.jpg is listed twice"),
        ("1001\n1002\n", r"1002\.jpg is in the list of train and in that of dev"),
        ("\n", r"train\.txt: no image in it"),
    ],
)
def test_bad_lists(tmp_path, train, message):
    write(tmp_path, "results_20130124.token", TOKEN)
    write(tmp_path, "train.txt", train)
    write(tmp_path, "val.txt", "1002\n")
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"none of results_20130124\.token, results"):
        load(tmp_path)
    with pytest.raises(InputError, match=r"no such folder: write flickr30k:DIR"):
        load(tmp_path / "gone")
    write(tmp_path, "captions.txt", "image,caption\n1.jpg,A\n2.jpg,B\n")
    with pytest.raises(InputError, match=r"2 captioned images cannot be split"):
        load(tmp_path)


def test_flickr8k_without_lists(tmp_path):
    write(tmp_path, "captions.txt", CSV)
    draw(tmp_path / "Images", *NAMES)
    dataset = load(tmp_path, "flickr8k")
    assert dataset.remarks == (MADE,)
    sizes = [len(names) for names in dataset.splits.values()]
    assert sizes == [30, 5, 5]
    assert dataset.images.open("1000.jpg").size == (8, 6)
    write(tmp_path, "Flickr_8k.trainImages.txt", "1000.jpg\n")
    assert load(tmp_path, "flickr8k").splits == {"train": ["1000.jpg"]}
