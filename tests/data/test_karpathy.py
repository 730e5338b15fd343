"""Karpathy's files in miniature: their data sets, splits, ids, wrong entries."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniatures import draw, write, write_json

from mrnn_np.data import load_dataset
from mrnn_np.runtime.errors import InputError


def entry(number, split, **more):
    sentids = [2 * number, 2 * number + 1]
    sentences = [
        {
            "tokens": ["picture", str(number), "way", str(sentid)],
            "raw": f"Picture {number}, way {sentid}.\n",
            "imgid": number,
            "sentid": sentid,
        }
        for sentid in sentids
    ]
    return {
        "sentids": sentids,
        "imgid": number,
        "sentences": sentences,
        "split": split,
        "filename": f"{number}.jpg",
        **more,
    }


FLICKR = {
    "dataset": "flickr8k",
    "images": [entry(0, "test"), entry(1, "train"), entry(2, "val"), entry(3, "train")],
}
COCO = {
    "dataset": "coco",
    "images": [
        entry(0, "train", filepath="train2014", cocoid=57870),
        entry(1, "restval", filepath="val2014", cocoid=522418),
        entry(2, "val", filepath="val2014", cocoid=318219),
        entry(3, "test", filepath="val2014", cocoid=391895),
    ],
}


def load(folder, data, name="dataset.json"):
    return load_dataset(f"karpathy:{write_json(folder, name, data)}")


@pytest.mark.parametrize("place", ["Flicker8k_Dataset", "images", "imgs", "."])
def test_flickr(tmp_path, place):
    draw(tmp_path / place, *[f"{n}.jpg" for n in range(4)])
    dataset = load(tmp_path, FLICKR)
    assert dataset.name == "karpathy:flickr8k"
    assert dataset.splits == {
        "train": ["1.jpg", "3.jpg"],
        "dev": ["2.jpg"],
        "test": ["0.jpg"],
    }
    assert dataset.captions["3.jpg"] == ["Picture 3, way 6.", "Picture 3, way 7."]
    assert dataset.images.open("2.jpg").size == (8, 6)
    assert dataset.remarks == () and dataset.ids is None


@pytest.mark.parametrize("root", ["", "images"])
def test_coco(tmp_path, root):
    draw(tmp_path / root / "train2014", "0.jpg")
    draw(tmp_path / root / "val2014", "1.jpg", "2.jpg", "3.jpg")
    dataset = load(tmp_path, COCO)
    assert dataset.splits == {
        "train": ["0.jpg", "1.jpg"],
        "dev": ["2.jpg"],
        "test": ["3.jpg"],
    }
    assert dataset.ids == {
        "0.jpg": 57870,
        "1.jpg": 522418,
        "2.jpg": 318219,
        "3.jpg": 391895,
    }
    assert dataset.images.open("0.jpg").size == dataset.images.open("3.jpg").size
    assert dataset.remarks == ()


def test_without_pictures_and_without_some_captions(tmp_path):
    data = copy.deepcopy(FLICKR)
    data["images"][1]["sentences"] = []
    data["images"][2]["sentences"][0]["raw"] = " .\n"
    dataset = load(tmp_path, data)
    assert dataset.captions["2.jpg"] == ["Picture 2, way 5."]
    assert dataset.split("train") == ["3.jpg"]
    assert dataset.remarks == (
        "1 images have no caption",
        "3 listed images have no picture",
    )
    with pytest.raises(InputError, match=r"no folder Flicker8k_Dataset or .* or imgs"):
        dataset.images.open("0.jpg")


def test_an_empty_split_is_no_split(tmp_path):
    data = {"images": FLICKR["images"][1:2]}
    dataset = load(tmp_path, data)
    assert dataset.name == "karpathy"
    with pytest.raises(InputError, match=r"no split 'dev' \(there are: train\)"):
        dataset.split("dev")


@pytest.mark.parametrize("name", ["../../evil", "a/b", "", 7, "x" * 41])
def test_odd_names_of_the_set_are_not_used(tmp_path, name):
    assert load(tmp_path, FLICKR | {"dataset": name}).name == "karpathy"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ("images", 2, "split"),
            "dev",
            r"images\[2\]: split 'dev', expected one of tr",
        ),
        (("images", 2, "filename"), "1.jpg", r"images\[2\]: a second image 1\.jpg"),
        (("images", 2, "filename"), "../x.jpg", r"images\[2\]: '../x.jpg' cannot be"),
        (("images", 2, "filepath"), "/etc", r"images\[2\]: '/etc' cannot be"),
        (("images", 2, "cocoid"), "9", r"images\[2\]: cocoid: expected a whole number"),
        (("images", 2, "cocoid"), 57870, r"two images have the same cocoid"),
        (("images", 2, "sentences"), None, r"images\[2\]: sentences: expected a list"),
        (
            ("images", 2, "sentences", 1),
            {},
            r"images\[2\]: sentences\[1\]: has no 'raw'",
        ),
        (("images",), [], r"no image with a caption in it"),
        (("images",), {}, r"images: expected a list"),
    ],
)
def test_wrong_entries_are_named(tmp_path, path, value, message):
    data = copy.deepcopy(COCO)
    inner = data
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=message):
        load(tmp_path, data)


def test_missing_and_broken_files(tmp_path):
    for spec in ("karpathy", f"karpathy:{tmp_path}", "karpathy:gone.json"):
        with pytest.raises(
            InputError, match=r"no such file: write karpathy:FILE\.json"
        ):
            load_dataset(spec)
    path = write(tmp_path, "x.json", '{"images":\n oops}')
    with pytest.raises(InputError, match=r"x\.json:2: not JSON"):
        load_dataset(f"karpathy:{path}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("raw"), inner),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*COCO["images"][0], "dataset"]), JSON)
def test_garbage_is_read_or_refused(tmp_path, key, value):
    data = copy.deepcopy(COCO)
    (data if key == "dataset" else data["images"][0])[key] = value
    try:
        dataset = load(tmp_path, data)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert len(dataset.captions) in (3, 4)
