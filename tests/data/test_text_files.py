import os
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniatures import write

from mrnn_np.data import load_dataset
from mrnn_np.data.text_files import (
    clean_caption,
    decode,
    find_file,
    lines,
    need_folder,
    read_list,
    safe_name,
)
from mrnn_np.runtime.errors import InputError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are(encoding):
    assert decode("f", "café\n猫".encode(encoding)) == "café\n猫"


def test_utf16_of_both_byte_orders():
    assert decode("f", b"\xff\xfea\0") == decode("f", b"\xfe\xff\0a") == "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\ncaf\xe9", r"f\.txt:3: not UTF-8 text: save the file as UTF-8"),
        ("a\ndog".encode("utf-16-le"), r"f\.txt:1: not a text file"),
        (b"\xff\xfe\x00", r"f\.txt:1: not UTF-8 text"),  # half a character
        (b"\xff\xfe\x00\xd8", r"f\.txt:1: not UTF-8 text"),  # half of a pair
    ],
)
def test_other_encodings_name_the_line(content, message):
    with pytest.raises(InputError, match=message):
        decode("f.txt", content)


def test_any_line_ends_and_numbers_that_count_blank_lines():
    text = "a\r\n\r\nb\n \nc\rd"
    assert list(lines(text)) == [(1, "a"), (3, "b"), (5, "c"), (6, "d")]
    # What other programs take for line ends is part of a caption.
    assert list(lines("a\u2028b\x0cc")) == [(1, "a\u2028b\x0cc")]


@pytest.mark.parametrize("name", ["a.jpg", "01/1000.jpg", "a b.jpg", "猫.jpg", "..a"])
def test_names_that_stay_inside(name):
    assert safe_name(name, "f:1") == name


@pytest.mark.parametrize(
    "name",
    ["", "..", "../a.jpg", "a/../../b.jpg", "/etc/passwd", "a//b.jpg", "./a.jpg",
     "C:\\a.jpg", "C:/a.jpg", "a\\b.jpg", "a\0.jpg", "a\n.jpg", "\ud800.jpg",
     "a\x7f.jpg", "\x9b31m.jpg", "\u202egpj.a",
     "x" * 256, "猫" * 90, "a/" * 600 + "b", " ", "a/ /b", "a/.. /b"],
)  # fmt: skip
def test_names_that_do_not(name):
    with pytest.raises(InputError, match=r"f:1: .* cannot be the name of a picture"):
        safe_name(name, "f:1")


@given(st.text(max_size=30))
def test_a_safe_name_is_below_its_folder(name):
    try:
        safe_name(name, "f:1")
    except InputError:
        return
    root = Path("/some/folder")
    assert root in (root / name).resolve().parents


def test_captions_are_one_line_of_words():
    assert clean_caption("  A dog\n runs\t. ") == "A dog runs ."
    assert clean_caption("一只猫。") == "一只猫。"
    assert clean_caption(" . ! ") == clean_caption("") == ""


def test_files_in_folders_and_zips(tmp_path):
    write(tmp_path, "sub/a.txt", "in sub")
    write(tmp_path, "a.txt", "in the folder")
    write(tmp_path, "b.txt", "in the folder")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("__MACOSX/deep/c.txt", "\0")
        archive.writestr("deep/c.txt", "in the zip")
    assert find_file(tmp_path, "a.txt", ("sub",))[1] == b"in sub"
    assert find_file(tmp_path, "b.txt", ("sub",))[1] == b"in the folder"
    label, content = find_file(tmp_path, "c.txt", ("sub",), "z.zip")
    assert content == b"in the zip" and label == f"{tmp_path / 'z.zip'}: c.txt"
    assert find_file(tmp_path, "d.txt", ("sub",), "z.zip")[1] is None
    assert find_file(tmp_path, "d.txt") == ("d.txt", None)


@pytest.mark.parametrize(
    "text", ["", "a", "\n", "a\n", "\n\ra\r\n\r", "a\n\nb", " \n\x85\n"]
)
def test_lines_are_those_between_line_ends(text):
    parted = enumerate(re.split(r"\r\n|\n|\r", text), start=1)
    assert list(lines(text)) == [pair for pair in parted if pair[1].strip()]


def test_what_has_no_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    (tmp_path / "sparse.txt").touch()
    os.truncate(tmp_path / "sparse.txt", 10 << 30)
    for name, part in (
        ("pipe.txt", "a pipe or a device"),
        ("zero.txt", "a pipe or a device"),
        ("sparse.txt", "larger than"),
    ):
        with pytest.raises(InputError, match=rf"{name}: .*{part}"):
            find_file(tmp_path, name)
    (tmp_path / "a.txt").mkdir()
    write(tmp_path, "a.txt/a.txt", "unpacked so by some programs")
    assert find_file(tmp_path, "a.txt") == ("a.txt", None)
    assert find_file(tmp_path, "a.txt", ("a.txt",))[1].startswith(b"unpacked")
    os.mkfifo(tmp_path / "z.zip")
    assert find_file(tmp_path, "b.txt", (), "z.zip") == ("b.txt", None)


@pytest.mark.parametrize("place", ["x" * 5000, "x\0", "/dev/zero", "x/" * 5000])
def test_places_that_are_none(place):
    for name in ("coco", "flickr8k", "flickr30k", "iaprtc12", "folder", "karpathy"):
        with pytest.raises(InputError, match=r"no such|a pipe or a device"):
            load_dataset(f"{name}:{place}")


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("c.txt", b"[]," * 1_000_000)
    with pytest.raises(InputError, match=r"c\.txt: \d+ bytes that unpack to 3000000"):
        find_file(tmp_path, "c.txt", (), "z.zip")


def test_zips_that_cannot_be_read(tmp_path):
    write(tmp_path, "z.zip", "no zip")
    with pytest.raises(InputError, match=r"z\.zip: not a readable zip"):
        find_file(tmp_path, "c.txt", (), "z.zip")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("c.txt", "hello hello")
    damaged = (tmp_path / "z.zip").read_bytes().replace(b"hello hello", b"hallo hallo")
    (tmp_path / "z.zip").write_bytes(damaged)
    with pytest.raises(InputError, match=r"zip: c\.txt: cannot be unpacked: Bad CRC"):
        find_file(tmp_path, "c.txt", (), "z.zip")


def test_a_folder_that_is_not_there(tmp_path):
    assert need_folder(str(tmp_path), "coco", "x") == tmp_path
    with pytest.raises(InputError, match="coco: no such folder: write coco:DIR, with"):
        need_folder("", "coco", "annotations")
    with pytest.raises(InputError, match="gone: no such folder: write coco:DIR"):
        need_folder("gone", "coco", "annotations")


def test_lists():
    captions = {"a.jpg": ["A"], "b.jpg": ["B"]}
    assert read_list("l", "b\r\na.jpg\n\n", captions, "c", ".jpg") == ["b.jpg", "a.jpg"]
    for text, message in [
        ("a.jpg\nc.jpg", "l:2: no caption in c for 'c.jpg'"),
        ("a.jpg\n\na.jpg", "l:3: a.jpg is listed twice"),
        ("a\na.jpg", "l:2: a.jpg is listed twice"),
        (" \n", "l: no image in it"),
    ]:
        with pytest.raises(InputError, match=message):
            read_list("l", text, captions, "c", ".jpg")
