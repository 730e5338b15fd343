"""COCO captions in miniature: the official layout, zips, ids, wrong entries."""

import copy
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniatures import draw, write_json, zip_folder

from mrnn_np.data import load_dataset
from mrnn_np.data.coco import read_part
from mrnn_np.runtime.errors import InputError


def captions_file(part, year, *numbers):
    """Return a caption file as COCO writes it, two captions an image."""
    prefix = f"COCO_{part}{year}_" if year == "2014" else ""
    images = [
        {
            "license": 3,
            "file_name": f"{prefix}{number:012d}.jpg",
            "coco_url": f"http://images.example/{number}.jpg",
            "height": 6,
            "width": 8,
            "date_captured": "2013-11-14 11:18:45",
            "flickr_url": "http://flickr.example/x.jpg",
            "id": number,
        }
        for number in numbers
    ]
    # Captions come in no order, some with line ends in them.
    annotations = [
        {"image_id": n, "id": 10 * n + k, "caption": f"Picture {n}, way\n{k}. "}
        for k in range(2)
        for n in reversed(numbers)
    ]
    info = {"description": "drawn", "url": "", "version": "1.0", "year": int(year)}
    licenses = [{"url": "", "id": 3, "name": "none"}]
    return {
        "info": info,
        "images": images,
        "licenses": licenses,
        "annotations": annotations,
    }


def write_coco(folder, year="2014", train=(9, 167126), val=(42, 73)):
    for part, numbers in (("train", train), ("val", val)):
        data = captions_file(part, year, *numbers)
        write_json(folder, f"annotations/captions_{part}{year}.json", data)
        draw(
            folder / f"{part}{year}", *[image["file_name"] for image in data["images"]]
        )


def load(folder):
    return load_dataset(f"coco:{folder}")


def test_2014(tmp_path):
    write_coco(tmp_path)
    dataset = load(tmp_path)
    train, val = "COCO_train2014_000000000009.jpg", "COCO_val2014_000000000042.jpg"
    assert dataset.splits == {
        "train": [train],
        "dev": [val, "COCO_val2014_000000000073.jpg"],
    }
    assert dataset.captions[train] == ["Picture 9, way 0.", "Picture 9, way 1."]
    assert dataset.ids == {train: 9, val: 42, "COCO_val2014_000000000073.jpg": 73}
    assert dataset.images.open(val).size == (8, 6)
    assert dataset.remarks == (
        "image 167126 is left out: its file is broken in many copies",
    )


def test_2017_and_folders_in_images(tmp_path):
    write_coco(tmp_path, "2017")
    (tmp_path / "images").mkdir()
    for part in ("train2017", "val2017"):
        (tmp_path / part).rename(tmp_path / "images" / part)
    dataset = load(tmp_path)
    assert dataset.split("train") == ["000000000009.jpg", "000000167126.jpg"]
    assert dataset.ids["000000000073.jpg"] == 73
    assert "000000000042.jpg" in dataset.images
    assert dataset.remarks == ()


def test_2014_goes_before_2017(tmp_path):
    write_coco(tmp_path, "2017")
    write_coco(tmp_path, "2014")
    assert load(tmp_path).split("train") == ["COCO_train2014_000000000009.jpg"]


def test_zips_as_downloaded(tmp_path):
    write_coco(tmp_path / "x")
    for source, goal in [
        ("annotations", "annotations_trainval2014"),
        ("train2014", "train2014"),
        ("val2014", "val2014"),
    ]:
        zip_folder(tmp_path / "x" / source, tmp_path / f"{goal}.zip")
    shutil.rmtree(tmp_path / "x")
    dataset = load(tmp_path)
    assert len(dataset.split("dev")) == 2
    assert dataset.images.open("COCO_val2014_000000000042.jpg").size == (8, 6)
    assert len(dataset.remarks) == 1


def test_captions_without_pictures_and_one_part_only(tmp_path):
    data = captions_file("val", "2014", 42)
    write_json(tmp_path, "captions_val2014.json", data)
    dataset = load(tmp_path)
    assert list(dataset.splits) == ["dev"]
    assert dataset.remarks == ("1 listed images have no picture",)
    with pytest.raises(InputError, match=r"no folder train2014 or images/train2014"):
        dataset.images.open("COCO_val2014_000000000042.jpg")


def test_empty_captions_and_images_without_any_are_counted(tmp_path):
    data = captions_file("val", "2014", 42, 43)
    for annotation in data["annotations"]:
        if annotation["image_id"] == 43:
            annotation["caption"] = " .\n"
    write_json(tmp_path, "captions_val2014.json", data)
    dataset = load(tmp_path)
    assert dataset.remarks[:2] == (
        "2 empty captions of captions_val2014.json are left out",
        "1 images of captions_val2014.json have no caption",
    )
    assert list(dataset.ids.values()) == [42]


def set_in(data, value, *path):
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (([], "annotations"), r"f: no image with a caption in it"),
        (([], "images"), r"f: annotations\[0\]: no image has the id 43"),
        (({}, "images"), r"f: images: expected a list, got an object of 0"),
        ((7, "images", 1), r"f: images\[1\]: expected an object, got 7"),
        ((42, "images", 1, "id"), r"f: images\[1\]: a second image with the id 42"),
        (("42", "images", 0, "id"), r"images\[0\]: id: expected a whole number, got"),
        ((True, "images", 0, "id"), r"images\[0\]: id: expected a whole number"),
        (("../a.jpg", "images", 0, "file_name"), r"images\[0\]: '../a.jpg' cannot be"),
        (("/a.jpg", "images", 0, "file_name"), r"images\[0\]: '/a.jpg' cannot be"),
        ((2**63, "images", 0, "id"), r"images\[0\]: id: an integer beyond 64 bits"),
        ((2**63, "annotations", 0, "image_id"), r"image_id: an integer beyond 64 bits"),
        (("x" * 5000, "images", 0, "file_name"), r"images\[0\]: 'x+' cannot be"),
        (({}, "images", 0), r"images\[0\]: has no 'id'"),
        (
            (99, "annotations", 2, "image_id"),
            r"annotations\[2\]: no image has the id 9",
        ),
        (
            (None, "annotations", 2, "caption"),
            r"annotations\[2\]: caption: expected a t",
        ),
    ],
)
def test_wrong_entries_are_named(change, message):
    data = captions_file("val", "2014", 42, 43)
    set_in(data, *change)
    with pytest.raises(InputError, match=message):
        read_part("f", json.dumps(data).encode())


def test_two_images_of_one_name(tmp_path):
    data = captions_file("val", "2014", 42, 43)
    data["images"][1]["file_name"] = data["images"][0]["file_name"]
    with pytest.raises(InputError, match="f: two images have the same file_name"):
        read_part("f", json.dumps(data).encode())
    write_coco(tmp_path, "2017", train=(1, 2), val=(3, 2))
    with pytest.raises(InputError, match=r"val2017\.json: image 2 .* is in train too"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"f:1: not JSON"),
        (b'{"images":\n [}', r"f:2: not JSON"),
        (b"[]", r"f: expected an object, got a list of 0"),
        (b'{"images": 1' + b"0" * 5000 + b"}", r"f: an integer of 5001 digits"),
        (b"[" * 100_000, r"f: JSON nested more than 64 deep"),
        (b'{"a": 1, "a": 2}', r"f: 'a' stands twice"),
        (b'{"a": "\\ud83d"}', r"f: holds half a character"),
        (b'{"a": "\xff"}', r"f:1: not UTF-8"),
    ],
)
def test_files_that_are_not_json(content, message):
    with pytest.raises(InputError, match=message):
        read_part("f", content)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match=r"no annotations/captions_train2014\.json"):
        load(tmp_path)
    with pytest.raises(InputError, match="no such folder: write coco:DIR"):
        load(tmp_path / "gone")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "file_name", "caption"]), inner)
    ),
    max_leaves=6,
)
PATHS = [
    ("images",),
    ("images", 0),
    ("images", 1, "id"),
    ("images", 1, "file_name"),
    ("annotations",),
    ("annotations", 1),
    ("annotations", 1, "image_id"),
    ("annotations", 1, "caption"),
]
GOOD = captions_file("val", "2014", 42, 43)


@settings(max_examples=200)
@given(st.sampled_from(PATHS), JSON)
def test_garbage_is_read_or_refused(path, value):
    data = copy.deepcopy(GOOD)
    set_in(data, value, *path)
    try:
        part = read_part("f", json.dumps(data).encode())
    except InputError as error:
        assert str(error).startswith("f") and "\n" not in str(error)
        return
    assert part.ids.keys() == part.captions.keys()
    json.dumps(part.captions, ensure_ascii=False).encode()  # can be written to files
