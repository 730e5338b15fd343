"""A folder of one's own: the form, the sides, and the mistakes that people make."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniatures import draw, write

from mrnn_np.data import load_dataset
from mrnn_np.runtime.errors import InputError

NAMES = [f"{number}.jpg" for number in range(30)]
CAPTIONS = "".join(f"{name}\tA dog , number {name[:-4]}.\n" for name in NAMES)
THREE = "0.jpg\tA dog runs.\n1.jpg\tA cat.\n0.jpg\tA brown dog.\n2.jpg\tA bird.\n"


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path, *NAMES[:3])
    return tmp_path


def load(folder, captions=None, encoding="utf-8"):
    if captions is not None:
        write(folder, "captions.tsv", captions, encoding)
    return load_dataset(f"folder:{folder}")


@pytest.mark.parametrize("place", [".", "images"])
def test_the_usual_form(tmp_path, place):
    draw(tmp_path / place, *NAMES, "more.png")
    dataset = load(tmp_path, CAPTIONS + "3.jpg\tAnother one.\n")
    assert dataset.captions["3.jpg"] == ["A dog , number 3.", "Another one."]
    splits = dataset.splits
    assert list(splits) == ["train", "dev", "test"]
    assert sum(map(len, splits.values())) == 30 and len(splits["train"]) > 15
    assert dataset.images.open("3.jpg").size == (8, 6)
    sizes = ", ".join(f"{len(names)} {split}" for split, names in splits.items())
    assert dataset.remarks == (
        f"the split is made from the names: {sizes}",
        "1 picture (more.png) without a caption, not used",
    )


def test_pictures_in_subfolders_and_other_scripts(tmp_path):
    draw(tmp_path, "cats/1.jpg", "dogs/1.jpg", "ein Füchslein.JPG")
    text = "cats/1.jpg\tA\ndogs/1.jpg\tB\nein Füchslein.JPG\tC\n"
    assert (
        list(load(tmp_path, text).captions)
        == text.replace("\t", "\n").split("\n")[:-1:2]
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\t\n", " \t \r\n"])
@pytest.mark.parametrize("header", ["", "image\tcaption\n", "File name\tCaption\n"])
def test_encodings_line_ends_and_headers(folder, encoding, end, header):
    dataset = load(folder, (header + THREE).replace("\n", end), encoding)
    assert dataset.captions == {
        "0.jpg": ["A dog runs.", "A brown dog."],
        "1.jpg": ["A cat."],
        "2.jpg": ["A bird."],
    }


def test_sides_in_a_third_column(folder):
    text = "0.jpg\tA\ttrain\n1.jpg\tB\tVAL\n0.jpg\tC\tTrain\n2.jpg\tD\ttrain\n"
    dataset = load(folder, text)
    assert dataset.splits == {"train": ["0.jpg", "2.jpg"], "dev": ["1.jpg"]}
    assert dataset.remarks == ()
    with pytest.raises(InputError, match=r"folder has no split 'test'"):
        dataset.split("test")


@pytest.mark.parametrize("dev", ["dev.txt", "val.txt"])
def test_sides_in_lists(folder, dev):
    write(folder, "train.txt", "\ufeff1.jpg\r\n")
    write(folder, dev, "0.jpg")
    dataset = load(folder, THREE)
    assert dataset.splits == {"train": ["1.jpg"], "dev": ["0.jpg"]}
    assert dataset.remarks == ("1 picture (2.jpg) with captions in no list",)
    with pytest.raises(InputError, match=r"both a third column in captions\.tsv and"):
        load(folder, THREE.replace(".\n", ".\ttrain\n"))


def test_many_silent_pictures_are_named_by_three(tmp_path):
    draw(tmp_path, *NAMES[:8])
    remarks = load(tmp_path, THREE).remarks
    assert (
        remarks[1] == "5 pictures (3.jpg, 4.jpg, 5.jpg ...) without a caption, not used"
    )


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        (
            "0.jpg,A dog.\n",
            r"captions\.tsv:1: .*write a tab for the comma after 0\.jpg",
        ),
        ("0.jpg;A dog.\n", r"write a tab for the semicolon after 0\.jpg"),
        ("0.jpg   A dog.\n", r"write a tab for the blank after 0\.jpg"),
        ('"0.jpg","A dog, a cat"\n', r"write a tab for the comma after 0\.jpg"),
        (THREE + "\nA dog\n", r"tsv:6: no tab: expected FILE NAME, a tab, the caption"),
        (THREE + "0.jpeg\tA dog\n", r"tsv:5: no picture '0\.jpeg' in .*mean 0\.jpg\?"),
        (
            THREE + "1.JPG\tA dog\n",
            r"tsv:5: no picture '1\.JPG' .*did you mean 1\.jpg\?",
        ),
        (THREE + "cat\tA dog\n", r"tsv:5: no picture 'cat' in [^:]*$"),
        (THREE + "../0.jpg\tA dog\n", r"tsv:5: '\.\./0\.jpg' cannot be the name"),
        (THREE + "/0.jpg\tA dog\n", r"tsv:5: '/0\.jpg' cannot be"),
        (THREE + "a\\0.jpg\tA dog\n", r"cannot be the name"),
        ("0.jpg\t.\n", r"tsv:1: empty caption of 0\.jpg"),
        ("0.jpg\t\t\n", r"tsv:1: .*expected FILE NAME"),
        ("0.jpg\tA\tdog\truns\n", r"tsv:1: 3 tabs: expected FILE NAME"),
        ("0.jpg\tA\tdog\n", r"tsv:1: 'dog' is no side: write train, dev or test"),
        (
            "0.jpg\tA\ttrain\n0.jpg\tB\ttest\n",
            r"tsv:2: 0\.jpg is in test here, in train",
        ),
        ("0.jpg\tA\ttrain\n0.jpg\tB\n", r"tsv:2: 0\.jpg is in no side here, in train"),
        ("0.jpg\tA\ttrain\n1.jpg\tB\n", r"tsv: 1\.jpg has no side in the third column"),
        ("", r"captions\.tsv: no caption in it: write FILE NAME, a tab, the caption"),
        ("\ufeff\r\n", r"no caption in it"),
        ("image\tcaption\n", r"no caption in it"),
        ("0.jpg\tA\n1.jpg\tB\n", r"2 captioned images cannot be split into train, dev"),
    ],
)
def test_mistakes_are_named(folder, captions, message):
    with pytest.raises(InputError, match=message) as caught:
        load(folder, captions)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16-le", "latin-1"])
def test_encodings_that_do_not_say_so(folder, encoding):
    with pytest.raises(InputError, match=r"captions\.tsv:1: not .*as UTF-8"):
        load(folder, "0.jpg\tEin Füchslein\n", encoding)


@pytest.mark.parametrize(
    ("train", "dev", "message"),
    [
        ("0.jpg\n9.jpg\n", "1.jpg", r"train\.txt:2: no caption in captions\.tsv for"),
        ("0.jpg\n0.jpg\n", "1.jpg", r"train\.txt:2: 0\.jpg is listed twice"),
        ("0.jpg\n1.jpg\n", "1.jpg", r"1\.jpg is in the list of train and in that of d"),
        ("0.jpg\n", "\n", r"dev\.txt: no image in it"),
    ],
)
def test_mistakes_in_lists(folder, train, dev, message):
    write(folder, "train.txt", train)
    write(folder, "dev.txt", dev)
    with pytest.raises(InputError, match=message):
        load(folder, THREE)


def test_missing_files(tmp_path):
    with pytest.raises(
        InputError, match="write folder:DIR, with DIR the folder that ho"
    ):
        load(tmp_path / "gone")
    with pytest.raises(InputError, match=r"no captions\.tsv: a line for each caption"):
        load(tmp_path)
    write(tmp_path, "captions.tsv.txt", THREE)
    with pytest.raises(InputError, match=r"\(there is captions\.tsv\.txt: rename it\)"):
        load(tmp_path)
    with pytest.raises(InputError, match=r"no picture \(\.jpg, \.png \.\.\.\) in it"):
        load(tmp_path, THREE)


BITS = st.sampled_from(
    ["0.jpg", "1.jpg", "2.jpg", "\t", "\t", "\n", "\r\n", "A dog.", "train", "dev", ",",
     "image", " ", "../0.jpg", "\x00", "\ufeff"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(BITS | st.text(max_size=4), max_size=16).map("".join).map(str.encode)
    | st.binary(max_size=30)
)
def test_garbage_is_read_or_refused(folder, content):
    draw(folder, *NAMES[:3])
    (folder / "captions.tsv").write_bytes(content)
    try:
        dataset = load(folder)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert all(dataset.captions.values()) and all(dataset.splits.values())
