"""The container: aligned, mapped or read, whole or damaged."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from mrnn_np.errors import InputError
from mrnn_np.storage import (
    ALIGNMENT,
    load_arrays,
    only_run,
    save_arrays,
)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "weight": rng.standard_normal((3, 5), np.float32),
        "columns first": np.asfortranarray(rng.standard_normal((4, 3))),
        "half": rng.standard_normal(7).astype(np.float16),
        "names": np.array(["a dog", "ein Hund"]),
        "none": np.zeros((0, 4), np.float32),
        "one": np.float64(2.5),
    }


@pytest.fixture
def file(tmp_path, arrays):
    path = tmp_path / "file.npz"
    save_arrays(path, "cnn", {"name": "x"}, arrays)
    return path


@pytest.mark.parametrize("mapped", [False, True])
def test_what_was_saved_comes_back(file, arrays, mapped):
    header, found = load_arrays(file, "cnn", mapped=mapped)
    assert header["name"] == "x" and found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.aligned


def test_numpy_reads_it_too(file, arrays):
    with np.load(file, allow_pickle=False) as archive:
        for name, array in arrays.items():
            np.testing.assert_array_equal(archive[name], array)


def test_arrays_begin_at_multiples(file):
    found = load_arrays(file, "cnn", mapped=True)[1]
    # A mapping begins at a page, so addresses are as round as places in the file.
    begins = {name: array.ctypes.data % ALIGNMENT for name, array in found.items()}
    del begins["none"]  # NumPy gives no memory an address of its own
    assert not any(begins.values())


def test_writing_to_a_mapped_array_leaves_the_file_alone(file, arrays):
    before = file.read_bytes()
    found = load_arrays(file, "cnn", mapped=True)[1]
    found["weight"] += 1
    np.testing.assert_array_equal(found["weight"], arrays["weight"] + 1)
    assert file.read_bytes() == before
    np.testing.assert_array_equal(
        load_arrays(file, "cnn", mapped=True)[1]["weight"], arrays["weight"]
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_numpy_are_mapped_where_they_can_be(file, arrays, save):
    with np.load(file) as archive:
        content = dict(archive)
    # What NumPy writes is not aligned, or compressed; the header's hash still holds.
    save(file, **content)
    found = load_arrays(file, "cnn", mapped=True)[1]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.aligned


@pytest.mark.parametrize("mapped", [False, True])
def test_a_damaged_file_is_refused(file, arrays, mapped):
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        begin = archive.getinfo("weight.npy").header_offset
    numbers = whole.index(arrays["weight"].tobytes())
    # The length of the name, NumPy's mark, its shape, and the numbers themselves.
    for place in (begin + 27, numbers - 128, whole.index(b"(3, 5)") + 1, numbers + 9):
        damaged = bytearray(whole)
        damaged[place] ^= 0x11
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"not a readable|not match their hash"):
            load_arrays(file, "cnn", mapped=mapped)
    for length in (0, 40, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError, match="not a readable"):
            load_arrays(file, "cnn", mapped=mapped)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('["cnn"]', "not a readable"),
        ('"kind"', "not a readable"),
        ('{"kind": "cnn"}', "not one of mrnn_np"),
        ('{"kind": "cnn", "version": null}', "not a readable"),
        ('{"kind": "cnn", "version": "one"}', "not a readable"),
        ('{"kind": [], "version": 1}', r"holds \[\], expected 'cnn'"),
        ('{"kind": "cnn", "version": 99}', "format 99, this version"),
        ('{"kind": "cnn", "version": 1}', "not match their hash"),
        ('{"kind": "cnn", "version": Infinity}', "not a readable"),
        ("[" * 100_000, "not a readable"),
        ("{", "not a readable"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(tmp_path, header, words):
    path = tmp_path / "f.npz"
    with open(path, "wb") as stream:
        np.savez(stream, **{"header.json": np.frombuffer(header.encode(), np.uint8)})
    with pytest.raises(InputError, match=words):
        load_arrays(path, "cnn")


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_of_objects_is_refused(tmp_path, mapped):
    path = tmp_path / "objects.npz"
    np.savez(path, data=np.array([{}, None], dtype=object))
    with pytest.raises(InputError, match="not a readable"):
        load_arrays(path, "cnn", mapped=mapped)


def test_python_objects_are_not_saved(tmp_path):
    with pytest.raises(TypeError, match="Python objects"):
        save_arrays(tmp_path / "x.npz", "cnn", {}, {"data": np.array([None])})


def test_one_process_computes_for_a_goal(tmp_path):
    pytest.importorskip("fcntl")
    goal = tmp_path / "new" / "F.npz"
    code = (
        "import sys; from mrnn_np.storage import only_run\n"
        f"with only_run({str(goal)!r}): print('mine', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline().strip() == b"mine"
        with pytest.raises(InputError, match=r"F\.npz: another process is computing"):
            with only_run(goal):
                raise AssertionError("two at once")
        (tmp_path / "link").symlink_to(goal)
        with pytest.raises(InputError, match="link: another process is computing"):
            with only_run(tmp_path / "link"):
                raise AssertionError("two at once, one through a link")
        with only_run(tmp_path / "new" / "G.npz"):
            pass
        other.kill()
    with only_run(goal):  # what was killed holds nothing
        pass
    assert list(goal.parent.iterdir()) == []
