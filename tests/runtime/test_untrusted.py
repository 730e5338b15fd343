"""Declarations are bounded before they are believed."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from mrnn_np.runtime import untrusted_arrays
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import DEEPEST, parse_json, read_bounded
from mrnn_np.runtime.untrusted_arrays import (
    MOST_AXES,
    check_members,
    checked_shape,
    read_array_header,
    read_member,
)

LIMIT = 1 << 20


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(InputError, match=r"f: larger than 4 bytes, .* a config"):
        read_bounded(path, 4, "a config")
    with pytest.raises(InputError, match="no such file"):
        read_bounded(tmp_path / "gone", 5)
    with pytest.raises(InputError, match="is a folder, not a config"):
        read_bounded(tmp_path, 5, "a config")
    with pytest.raises(InputError, match="cannot be read"):
        read_bounded("a\0b", 5)
    with pytest.raises(InputError, match="cannot be read"):
        read_bounded(path / "below a file", 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(InputError, match="a pipe or a device"):
            read_bounded(path, 5)


@pytest.mark.parametrize(
    "value", [None, [1, {"a": [-2.5, "é 狗 \U0001f415"]}], 10**299]
)
def test_json_is_what_the_json_module_says(value):
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        assert parse_json(text, "f", LIMIT) == value
        assert parse_json(text.encode(), "f", LIMIT) == value
    nested = "[" * DEEPEST + "]" * DEEPEST
    assert parse_json(nested, "f", LIMIT) == json.loads(nested)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "f:1: not JSON: Expecting"),
        ('{\n"a":\nb}', "f:3: not JSON"),
        ("", "f:1: not JSON"),
        (b"[\n\xff]", "f:2: not UTF-8"),
        ("9" * 301, "integer of 301 digits, at most 300"),
        ("[" + "9" * 5000 + "]", "integer of 5000 digits"),
        ("-" + "9" * 5000, "integer of 5001 digits"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested more than 64 deep"),
        ('{"a":' * 100 + "1" + "}" * 100, "nested more than 64"),
        ("[" * 100_000, "nested more than 64"),
        (r'["\ud83d"]', r"half a character \(\\ud83d"),
        (r'{"a": {"\udc00 \ud83d\udc15": 1}}', r"half a character \(\\udc00"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        ('"' + "x" * LIMIT + '"', "1048578 bytes of JSON, more than 1048576"),
    ],
)
def test_json_that_is_refused(content, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_json(content, "f", LIMIT)
    line = str(caught.value)
    assert line.startswith("f:") and "\n" not in line and len(line) < 200
    line.encode()


def test_a_shape_that_fits_is_returned():
    assert checked_shape([3, 5], 4, 60, "x") == (3, 5)
    assert checked_shape((), 8, 8, "x") == ()
    assert checked_shape([0, 10**9], 4, 0, "x") == (0, 10**9)
    assert checked_shape([1] * MOST_AXES, 4, 4, "x") == (1,) * MOST_AXES


@pytest.mark.parametrize(
    "shape",
    [
        [3, 6], [2**62, 2**62], [2**62, 0], [1 << 200], [10**5000], [-1, 5], [True, 5],
        [2.0], ["5"], [None], "35", 15, None, {"0": 3}, [[3]], [1] * 33, [1] * 10**6,
        [2**63 - 1] * 32, [2**63 - 1] * 10**6,
    ],
)  # fmt: skip
def test_a_shape_that_cannot_be_is_refused(shape):
    tracemalloc.start()
    with pytest.raises(InputError, match=r"^x: ") as caught:
        checked_shape(shape, 4, 60, "x")
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 100_000 and len(str(caught.value)) < 1000


def saved(array, **options) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 5), np.float32),
        np.zeros((3, 5), ">f8"),
        np.asfortranarray(np.zeros((4, 3, 2), np.float16)),
        np.arange(7),
        np.zeros((2, 0, 3), np.uint8),
        np.array(2.5),
        np.array([True, False]),
        np.array(["a dog", "ein Hund"]),
        np.array([], dtype=str),
    ],
)
def test_array_headers_say_what_numpy_says(array, version):
    content = saved(array, version=version)
    stream = io.BytesIO(content)
    shape, dtype, order = read_array_header(stream, len(content), "x")
    assert (shape, dtype) == (array.shape, array.dtype)
    assert order == ("F" if array.flags.fnc else "C")
    assert len(content) - stream.tell() == array.nbytes


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([{}, None]), "holds Python objects"),
        (np.zeros(3, "M8[s]"), r"holds '<M8\[s\]', neither"),
        (np.zeros(3, "m8[D]"), "neither plain numbers nor texts"),
        (np.zeros(3, "S5"), "holds '|S5', neither"),
        (np.zeros(3, complex), "holds '<c16', neither"),
        (np.zeros(3, "V5"), "neither"),
        (np.zeros(3, [("a", "f4"), ("b", "O")]), "describes no array of numbers"),
        (np.zeros(3, [("a", "f4", (2,))]), "describes no array of numbers"),
    ],
)
def test_other_arrays_are_refused(array, words):
    content = saved(array, allow_pickle=True)
    with pytest.raises(InputError, match=rf"^x: .*{words}"):
        read_array_header(io.BytesIO(content), len(content), "x")


def header(text: str, declared: int | None = None) -> bytes:
    content = text.encode()
    length = len(content) if declared is None else declared
    return b"\x93NUMPY\2\0" + length.to_bytes(4, "little") + content


def header_of(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\7\0\0\0",
        header(""),
        header(header_of("(3, ")[:-3]),
        header(header_of("(3,)"), 4_000_000_000),
        header(header_of("(4,)")),
        header(header_of("(-3,)")),
        header(header_of("'3'")),
        header(header_of(f"({'9' * 5000},)")),
        header(header_of(f"({'0' * 9000}!,)")),
        header(header_of(f"({'1, ' * 99})")),
        header(f"{{'descr': '<f4',{' ' * 9000}!"),
        header("(" * 9000),
        header(header_of("(3,)", "'<f3'")),
        header(header_of("(0,)", "'<U999999999'")),
        header(header_of("(3,)", "__import__('os')")),
        header("{'descr': '<f4', 'descr': '<f8', 'shape': (3,), }"),
    ],
)
def test_damaged_array_headers_are_refused(content):
    content += bytes(12)
    with pytest.raises(InputError, match=r"^x: ") as caught:
        read_array_header(io.BytesIO(content), len(content), "x")
    assert "\n" not in str(caught.value)


def test_zips_that_unpack_without_end_are_refused(tmp_path):
    def zipped(**members) -> tuple:
        with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return archive.infolist(), (tmp_path / "z").stat().st_size

    check_members(*zipped(a=bytes(1 << 20)), "z")  # a megabyte is allowed to anybody
    check_members(*zipped(a=os.urandom(1 << 16) * 20, b=b""), "z")
    with pytest.raises(InputError, match=r"z: \d+ bytes that unpack to 4000000, at"):
        check_members(*zipped(a=bytes(4_000_000)), "z")


def test_a_name_twice_in_a_zip_is_refused():
    members = [zipfile.ZipInfo("a"), zipfile.ZipInfo("b"), zipfile.ZipInfo("a")]
    check_members(members[:2], 100, "z")
    with pytest.raises(InputError, match="two members of the name 'a'"):
        check_members(members, 100, "z")
    with pytest.raises(InputError, match="20001 members"):
        check_members([zipfile.ZipInfo(str(i)) for i in range(20_001)], 1 << 30, "z")


def lying_zip(path, method, content: bytes, declared: int) -> zipfile.ZipFile:
    """Return a zip whose one member, a.txt, has another length by the list."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.txt", content)
    written = path.read_bytes()
    length = len(content).to_bytes(4, "little")
    assert written.count(length) == 2  # before the member, and in the list
    path.write_bytes(written.replace(length, declared.to_bytes(4, "little")))
    return zipfile.ZipFile(path)


@pytest.mark.parametrize("declared", [10, 70_000_000])
def test_a_member_gives_no_more_than_it_declares(tmp_path, monkeypatch, declared):
    content = bytes(60_000_000)
    monkeypatch.setattr(untrusted_arrays, "MOST_SMALLER", 10_000)  # look at the rest
    path = tmp_path / "z.zip"
    with lying_zip(path, zipfile.ZIP_DEFLATED, content, declared) as archive:
        del content
        tracemalloc.start()
        try:
            with pytest.raises(InputError, match=r"^z: a: cannot be unpacked"):
                read_member(archive, archive.infolist()[0], 1 << 30, "z: a")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2 * declared + 1_000_000


def test_members_are_read_whole_and_checked(tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"hello" * 1000)
        archive.writestr("empty", b"")
    with zipfile.ZipFile(tmp_path / "z") as archive:
        a, empty = archive.infolist()
        assert read_member(archive, a, 5000, "z") == b"hello" * 1000
        assert read_member(archive, empty, 5000, "z") == b""
        with pytest.raises(
            InputError, match=r"^z: 5000 bytes when unpacked, more than"
        ):
            read_member(archive, a, 4999, "z")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "z", "w", method) as archive:
        archive.writestr("a", b"hello")
    with zipfile.ZipFile(tmp_path / "z") as archive:
        with pytest.raises(InputError, match=r"^z: member 'a' is packed in an unusual"):
            read_member(archive, archive.infolist()[0], 100, "z")
        with pytest.raises(InputError, match=r"^z: member 'a' is packed in an unusual"):
            check_members(archive.infolist(), 1000, "z")


def test_no_more_memory_is_taken_than_the_file_is_long(tmp_path):
    (tmp_path / "a").write_bytes(bytes(1000))
    tracemalloc.start()
    try:
        assert read_bounded(tmp_path / "a", 1 << 30) == bytes(1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    if os.path.isfile("/proc/self/stat"):  # a file of 0 bytes, it says
        assert len(read_bounded("/proc/self/stat", 1 << 30)) > 20
        with pytest.raises(InputError, match="larger than"):
            read_bounded("/proc/self/stat", 10)
