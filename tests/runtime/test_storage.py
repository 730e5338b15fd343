"""The container: aligned, mapped or read, whole or damaged."""

import os
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import (
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
        with pytest.raises(InputError, match=r"file\.npz: (not a|array|contents)"):
            load_arrays(file, "cnn", mapped=mapped)
    for length in (0, 40, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError, match="not a readable"):
            load_arrays(file, "cnn", mapped=mapped)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ('["cnn"]', "expected an object, got a list of 1"),
        ('"kind"', "expected an object, got 'kind'"),
        ('{"name": "cnn"}', "has no 'kind'"),
        ('{"kind": "cnn"}', "has no 'version'"),
        ('{"kind": "cnn", "version": null}', "version: expected a whole number"),
        ('{"kind": "cnn", "version": "one"}', "version: expected a whole number"),
        ('{"kind": "cnn", "version": true}', "version: expected a whole number"),
        ('{"kind": "cnn", "version": Infinity}', "version: expected a whole number"),
        (f'{{"kind": "cnn", "version": {"1" * 5000}}}', "an integer of 5000 digits"),
        ('{"kind": [], "version": 1}', "kind: expected a text, got a list of 0"),
        ('{"kind": "features", "version": 1}', "holds 'features', expected 'cnn'"),
        ('{"kind": "cnn", "version": 99}', "format 99, this version"),
        ('{"kind": "cnn", "version": 1}', "not match their hash"),
        ('{"kind": "cnn", "version": 1, "version": 1}', "'version' stands twice"),
        (r'{"kind": "cnn", "version": 1, "name": "\ud800"}', "half a character"),
        ("[" * 100_000, "nested more than 64 deep"),
        ("{", "header.json:1: not JSON"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(tmp_path, header, words):
    path = tmp_path / "f.npz"
    with open(path, "wb") as stream:
        np.savez(stream, **{"header.json": np.frombuffer(header.encode(), np.uint8)})
    with pytest.raises(InputError, match=words) as caught:
        load_arrays(path, "cnn")
    assert str(caught.value).startswith(str(path))


HEADER = np.frombuffer(b'{"kind": "cnn", "version": 1}', np.uint8)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([{}, None], dtype=object), "Python objects"),
        (np.zeros(3, "M8[s]"), r"'<M8\[s\]', neither plain numbers nor texts"),
        (np.zeros(3, [("a", "f4"), ("b", "f8")]), "no array of numbers or texts"),
        (np.array([b"x"]), "neither plain numbers nor texts"),
    ],
)
def test_arrays_that_are_never_ours_are_refused(tmp_path, array, words, save, mapped):
    path = tmp_path / "f.npz"
    save(path, data=array)
    with pytest.raises(InputError, match=r"an \.npz, but not one of mrnn_np"):
        load_arrays(path, "cnn", mapped=mapped)
    save(path, **{"header.json": HEADER, "data": array})
    with pytest.raises(InputError, match=rf"f\.npz: array 'data': .*{words}"):
        load_arrays(path, "cnn", mapped=mapped)


def test_a_small_file_does_not_unpack_without_end(tmp_path):
    path = tmp_path / "f.npz"
    np.savez_compressed(path, **{"header.json": HEADER, "data": np.zeros(1 << 24)})
    assert path.stat().st_size < 1 << 18
    tracemalloc.start()
    with pytest.raises(InputError, match=r"f\.npz: \d+ bytes that unpack to 134\d+"):
        load_arrays(path, "cnn")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["weight.npy", "header.json.npy"])
def test_a_member_twice_is_refused(file, name):
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, archive.read(name))
    with pytest.raises(InputError, match=f"two members of the name '{name}'"):
        load_arrays(file, "cnn")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f.npz")
    with pytest.raises(InputError, match=r"f\.npz: is a pipe or a device"):
        load_arrays(tmp_path / "f.npz", "cnn")
    with pytest.raises(InputError, match="is a folder"):
        load_arrays(tmp_path, "cnn")


def test_python_objects_are_not_saved(tmp_path):
    with pytest.raises(TypeError, match="Python objects"):
        save_arrays(tmp_path / "x.npz", "cnn", {}, {"data": np.array([None])})


def test_one_process_computes_for_a_goal(tmp_path):
    pytest.importorskip("fcntl")
    goal = tmp_path / "new" / "F.npz"
    code = (
        "import sys; from mrnn_np.runtime.storage import only_run\n"
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
