"""IAPR TC-12 in miniature: Latin-1, open tags, lists, what is missing."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniatures import draw, write

from mrnn_np.data import load_dataset
from mrnn_np.data.iaprtc12 import parse_description
from mrnn_np.runtime.errors import InputError

ENG = """<DOC>
<DOCNO>annotations/{id}.eng</DOCNO>
<TITLE>A place in Tucumán</TITLE>
<DESCRIPTION>{description}</DESCRIPTION>
<NOTES>a note; that is no caption;</NOTES>
<LOCATION>Tucumán, Argentina</LOCATION>
<DATE>April 2002</DATE>
<IMAGE>images/{id}.jpg</IMAGE>
<THUMBNAIL>thumbnails/{id}.jpg</THUMBNAIL>
</DOC>
"""
IDS = [f"{number // 1000:02d}/{number}" for number in range(990, 1010)]


def write_set(folder, texts="annotations_complete_eng", ids=IDS):
    for id in ids:
        text = ENG.format(id=id, description=f"a lake near Tafí; hill {id[3:]} behind;")
        write(folder, f"{texts}/{id}.eng", text, "latin-1")


def load(folder):
    return load_dataset(f"iaprtc12:{folder}")


@pytest.mark.parametrize("root", ["", "iaprtc12"])
@pytest.mark.parametrize("lists", ["", "iaprtc12.20091111"])
def test_as_distributed(tmp_path, root, lists):
    write_set(tmp_path / root)
    write_set(tmp_path / root, "annotations", ["01/1000"])
    draw(tmp_path / root / "images", *[f"{id}.jpg" for id in IDS])
    write(tmp_path / lists, "iaprtc12_train_list.txt", "\n".join(IDS[:15]) + "\n")
    write(tmp_path / lists, "iaprtc12_test_list.txt", "\r\n".join(IDS[15:18]))
    dataset = load(tmp_path)
    assert dataset.captions["00/999.jpg"] == ["a lake near Tafí", "hill 999 behind"]
    assert dataset.split("test") == ["01/1005.jpg", "01/1006.jpg", "01/1007.jpg"]
    train, dev = dataset.split("train"), dataset.split("dev")
    assert sorted(train + dev) == [f"{id}.jpg" for id in IDS[:15]]
    assert 1 <= len(dev) < 5
    assert dataset.images.open("01/1000.jpg").size == (8, 6)
    assert dataset.remarks == (
        f"dev is {len(dev)} images of the training list, chosen by their names",
    )


def test_without_lists_and_pictures(tmp_path):
    write_set(tmp_path, "annotations")
    dataset = load(tmp_path)
    assert list(dataset.splits) == ["train", "dev", "test"]
    assert sum(map(len, dataset.splits.values())) == len(IDS)
    assert dataset.remarks == (
        "no iaprtc12_train_list.txt: the split is made from the names",
        "20 listed images have no picture",
    )
    with pytest.raises(InputError, match="no folder images in it"):
        dataset.images.open("01/1000.jpg")


def test_images_without_a_description_are_counted(tmp_path):
    write_set(tmp_path, ids=IDS[:4])
    write(tmp_path, f"annotations_complete_eng/{IDS[4]}.eng", ENG.format(
        id=IDS[4], description=" ; "))  # fmt: skip
    write(tmp_path, "iaprtc12_train_list.txt", "\n".join(IDS[:6]))
    dataset = load(tmp_path)
    assert "2 images have no description and are left out" in dataset.remarks
    names = dataset.split("train") + dataset.split("dev")
    assert sorted(names) == sorted(dataset.captions) == [f"{id}.jpg" for id in IDS[:4]]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("<DESCRIPTION>a man; a dog</DESCRIPTION>", ["a man", "a dog"]),
        ("<description>a man;\n a\n dog;</description>", ["a man", "a dog"]),
        ("<DESCRIPTION>a man\n<NOTES>a note</NOTES>", ["a man"]),
        ("<DESCRIPTION>a man</NOTES>", ["a man"]),
        ("<DESCRIPTION>a man", ["a man"]),
        ("<DESCRIPTION>a &quot;stop&quot; sign &amp; a car", ['a "stop" sign & a car']),
        ("<DESCRIPTION>a <b>man</b> < 3 m</DESCRIPTION>", ["a man < 3 m"]),
        ("<DESCRIPTION></DESCRIPTION><NOTES>a note</NOTES>", []),
        ("<TITLE>a man</TITLE>", []),
        ("", []),
    ],
)
def test_descriptions_that_are_not_well_formed(text, sentences):
    assert parse_description(text.encode("latin-1")) == sentences


def test_latin1_and_utf8():
    text = "<DESCRIPTION>el Niño</DESCRIPTION>"
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        assert parse_description(text.encode(encoding)) == ["el Niño"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1000", r"train_list\.txt:3: expected a line like 01/1000, got '1000'"),
        ("../1000", r"train_list\.txt:3: expected a line like"),
        ("/01/1000", r"train_list\.txt:3: expected a line like"),
        ("01/" + "1" * 5000, r"train_list\.txt:3: .* cannot be the name of a picture"),
        ("1" * 300 + "/1", r"train_list\.txt:3: .* cannot be the name of a picture"),
        (IDS[0], r"train_list\.txt:3: 00/990 is listed twice"),
        (IDS[3], r"00/993\.jpg is in the list of train and in that of test"),
    ],
)
def test_bad_lists(tmp_path, line, message):
    write_set(tmp_path)
    write(tmp_path, "iaprtc12_train_list.txt", f"{IDS[0]}\n{IDS[1]}.jpg\n{line}\n")
    write(tmp_path, "iaprtc12_test_list.txt", IDS[3])
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_empty_splits(tmp_path):
    write_set(tmp_path, ids=IDS[:1])
    write(tmp_path, "iaprtc12_train_list.txt", f"{IDS[1]}\n")
    with pytest.raises(InputError, match="no description of any image"):
        load(tmp_path)
    write(tmp_path, "iaprtc12_train_list.txt", f"{IDS[0]}\n")
    with pytest.raises(InputError, match=r"one described image .* is too few"):
        load(tmp_path)
    write(tmp_path, "iaprtc12_test_list.txt", f"{IDS[1]}\n")
    with pytest.raises(InputError, match=r"any image of iaprtc12_test_list\.txt"):
        load(tmp_path)
    write(tmp_path, "iaprtc12_train_list.txt", "\n")
    with pytest.raises(InputError, match=r"train_list\.txt: no image in it"):
        load(tmp_path)


def test_missing_files(tmp_path):
    with pytest.raises(InputError, match="no folder annotations_complete_eng or annot"):
        load(tmp_path)
    (tmp_path / "annotations").mkdir()
    with pytest.raises(InputError, match="annotations: no description of any image"):
        load(tmp_path)
    with pytest.raises(InputError, match="no such folder: write iaprtc12:DIR"):
        load(tmp_path / "gone")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_a_description_or_none(before, inside):
    for content in (before, before + b"<DESCRIPTION>" + inside):
        assert all(sentence.strip() for sentence in parse_description(content))


def test_names_and_numbers_without_end(tmp_path):
    write_set(tmp_path)
    for name in ("1" * 300 + "/1", "01/" + "1" * 300, "01/" * 2000 + "1"):
        write(tmp_path, "iaprtc12_train_list.txt", f"{IDS[0]}\n{name}\n")
        with pytest.raises(InputError, match=r"train_list\.txt:2: ") as caught:
            load(tmp_path)
        assert len(str(caught.value)) < 500
    digits = "9" * 5000
    text = f"<DESCRIPTION>a lake &#{digits};; a &#233; &#{digits} hill"
    assert parse_description(text.encode()) == ["a lake \ufffd", "a \xe9 \ufffd hill"]


def test_descriptions_without_end(tmp_path):
    write_set(tmp_path)
    write(tmp_path, "iaprtc12_train_list.txt", "\n".join(IDS))
    path = tmp_path / f"annotations_complete_eng/{IDS[3]}.eng"
    os.truncate(path, 10 << 30)
    with pytest.raises(InputError, match="larger than 1048576 bytes"):
        load(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="a pipe or a device"):
        load(tmp_path)


def test_file_names_that_are_no_text(tmp_path):
    write_set(tmp_path)
    (tmp_path / "annotations_complete_eng/01/\udcff.eng").write_text("")
    with pytest.raises(InputError, match="cannot be the name of a picture"):
        load(tmp_path)
