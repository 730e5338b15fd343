"""Readers of .safetensors, .npz, .h5 and .ckpt, right files and wrong ones."""

import os
import pickle
import sys
import zipfile

import convert_cases as cases
import numpy as np
import pytest

from mrnn_np.convert.flax_files import read_ckpt
from mrnn_np.convert.keras_files import read_h5
from mrnn_np.convert.npz_files import read_npz
from mrnn_np.convert.readers import read_tensors
from mrnn_np.convert.safetensors_files import read_safetensors
from mrnn_np.runtime.errors import InputError


def written(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def refused(reader, path, part):
    with pytest.raises(InputError, match=part) as caught:
        reader(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text and len(text) < 500


# --- which reader ---------------------------------------------------------------------


def test_an_unknown_ending_lists_the_known_ones(tmp_path):
    refused(read_tensors, tmp_path / "weights.docx", r"\.pth, .*\.safetensors, \.npz")


@pytest.mark.parametrize("suffix", [".pth", ".h5", ".ckpt", ".safetensors", ".npz"])
def test_text_nothing_a_folder_and_no_file(tmp_path, suffix):
    text = written(tmp_path, f"text{suffix}", b"Dear reader,\nthese are no weights.\n")
    refused(read_tensors, text, "not a readable|pickle|a header of")
    refused(read_tensors, written(tmp_path, f"empty{suffix}", b""), "the file is empty")
    refused(read_tensors, tmp_path / f"missing{suffix}", "no such file")
    (tmp_path / f"folder{suffix}").mkdir()
    refused(read_tensors, tmp_path / f"folder{suffix}", "a folder")


@pytest.mark.parametrize("suffix", [".pth", ".h5", ".ckpt", ".safetensors", ".npz"])
def test_what_has_no_end_is_not_read(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    refused(read_tensors, tmp_path / f"pipe{suffix}", "a pipe or a device")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    refused(read_tensors, tmp_path / f"zero{suffix}", "a pipe or a device")
    sparse = written(tmp_path, f"sparse{suffix}", b"")
    os.truncate(sparse, 10 << 30)
    refused(read_tensors, sparse, "larger than")
    with pytest.raises(InputError, match="cannot be read"):
        read_tensors("x" * 5000 + suffix)
    with pytest.raises(InputError, match="cannot be read"):
        read_tensors("x\0" + suffix)


# --- .safetensors ---------------------------------------------------------------------


def entry(begin, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_safetensors_as_its_owners_write_it():
    found = read_safetensors(cases.GOLDEN / "small.safetensors")
    expected = cases.expected_tensors()
    assert set(found) == set(expected)
    for key, array in expected.items():
        assert found[key].dtype == array.dtype, key
        np.testing.assert_array_equal(found[key], array, err_msg=key)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, "'b' lies at bytes 4 to 12"),
        ({"a": entry(0, 8, [2]), "b": entry(0, 8, [2])}, "'b' lies at bytes 0 to 8"),
        ({"a": entry(0, 16, [4])}, "'a' lies at bytes 0 to 16, .* up to 12"),
        ({"a": entry(4, 12, [2])}, "'a' lies at bytes 4 to 12, expected from 0"),
        ({"a": entry(0, 8, [2])}, "4 bytes belong to no tensor"),
        ({"a": entry(-4, 12, [4])}, "lies at bytes -4"),
        ({"a": entry(0, 12, [4])}, r"shape \(4,\) takes more than the 12 bytes"),
        ({"a": entry(0, 12, [2])}, r"shape \(2,\) has 12 bytes"),
        ({"a": entry(0, 12, [2**40, 2**40])}, "takes more than the 12 bytes"),
        ({"a": entry(0, 12, [-1, -3])}, "no length"),
        ({"a": entry(0, 12, [3.0])}, "no length"),
        ({"a": entry(0, 12, [3], "F8_E4M3")}, "a dtype unknown here"),
        ({"a": entry(0, 12, [3], ["F32"])}, "dtype: expected a text"),
        ({"a": {"dtype": "F32", "shape": [3]}}, "has no 'data_offsets'"),
        ({"a": "no entry"}, "expected an object"),
        ({}, "no tensors|0 tensors"),
        ([], "expected an object"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"[" * 100_000, "nested more than"),
        (b"{no json", "not JSON"),
        ({"a": entry(0, 12, [2**62] * 1000)}, "1000 axes"),
        ({"a": entry(0, 12, [2**62] * 32)}, "more than the 12 bytes"),
        ({"a": entry(0, 10**299, [3])}, "to an integer beyond 64 bits"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000, "5000 digits|not JSON"),
        (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b"]}}", "5000 digits"),
        ({"a": {**entry(0, 12, [3]), "data_offsets": [0, 12, 12]}}, "expected 2"),
        ({"a": {**entry(0, 12, [3]), "data_offsets": [None, 12]}}, "a whole number"),
        (b" " * (4 << 20) + b"{}", "a header of 4194306 bytes"),
    ],
)
def test_safetensors_headers_that_lie(tmp_path, header, part):
    data = cases.safetensors(header, bytes(12))
    refused(read_safetensors, written(tmp_path, "x.safetensors", data), part)


def test_a_header_longer_than_the_file(tmp_path):
    data = (2**62).to_bytes(8, "little") + b"{}"
    refused(read_safetensors, written(tmp_path, "x.safetensors", data), "a header of")


# --- .npz -----------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_as_numpy_writes_it(tmp_path, save):
    rng = np.random.default_rng(0)
    arrays = {
        "c": rng.normal(size=(2, 3, 4)).astype(np.float32),
        "fortran": np.asfortranarray(rng.normal(size=(4, 5))),
        "scalar": np.float16(3),
        "big": np.arange(3, dtype=">i4"),
    }
    save(tmp_path / "x.npz", **arrays)
    found = read_npz(tmp_path / "x.npz")
    assert set(found) == set(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


def test_object_arrays_are_never_opened(tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "executed"), "w")

    np.savez(tmp_path / "x.npz", a=np.array([Evil()], object))
    refused(read_npz, tmp_path / "x.npz", "'a': holds Python objects")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("shape", "descr", "part"),
    [
        ((2**40, 2**40), "<f4", "more than the 12 bytes"),
        ((-3,), "<f4", "describes no array"),
        ((4,), "<f4", "more than the 12 bytes"),
        ((2,), "<f4", r"shape \(2,\) has 12 bytes"),
        ((3,), "<U1", "holds texts"),
        ((3,), [("x", "<f4")], "describes no array"),
        ((3,), "|O", "Python objects"),
        ("3", "<f4", "describes no array"),
    ],
)
def test_npz_headers_that_lie(tmp_path, shape, descr, part):
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    data = cases.npz(a=cases.npy(header, bytes(12)))
    refused(read_npz, written(tmp_path, "x.npz", data), part)


def test_a_zip_bomb_is_told_by_its_directory(tmp_path):
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**7,)}
    data = cases.npz(zipfile.ZIP_DEFLATED, a=cases.npy(header, bytes(4 * 10**7)))
    assert len(data) < 10**5
    refused(read_npz, written(tmp_path, "x.npz", data), "unpack to 400000")


# --- .h5 ------------------------------------------------------------------------------


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="h5py (extra `convert`) is not installed")


def test_h5_as_keras_lays_it_out(tmp_path, h5py):
    kernel = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1", b"deep"]
        file["conv1/conv1_W:0"] = kernel
        file["deep/er/b"] = np.float32([1, 2])
        file.create_group("input_1")
    found = read_h5(tmp_path / "x.h5")
    assert set(found) == {"conv1/conv1_W:0", "deep/er/b"}
    np.testing.assert_array_equal(found["conv1/conv1_W:0"], kernel)


def _external_link(h5py, file, tmp_path):
    file["a"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft_link(h5py, file, tmp_path):
    file["a"] = h5py.SoftLink("/b")


def _external_bytes(h5py, file, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(16))
    file.create_dataset("a", (4,), "f4", external=[(str(tmp_path / "secret"), 0, 16)])


def _virtual(h5py, file, tmp_path):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "a", (4,))
    file.create_virtual_dataset("a", layout)


def _bomb(h5py, file, tmp_path):
    file.create_dataset("a", (10**12,), "f4", chunks=(1000,), compression="gzip")


def _packed(h5py, file, tmp_path):
    file.create_dataset("a", (300,), "f4", chunks=(300,), compression="gzip")


def _ring(h5py, file, tmp_path):
    file.create_group("a")["a"] = file["/"]


def _text(h5py, file, tmp_path):
    file["a"] = "some text"


def _nothing(h5py, file, tmp_path):
    file.create_group("a")


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (_external_link, "points elsewhere"),
        (_soft_link, "points elsewhere"),
        (_external_bytes, "kept elsewhere"),
        (_virtual, "kept elsewhere"),
        (_bomb, "takes more than"),
        (_packed, "packed, unfilled"),
        (_ring, "more or deeper nested"),
        (_text, "not plain numbers"),
        (_nothing, "holds no arrays"),
    ],
)
def test_what_hdf5_can_do_and_weights_never_need(tmp_path, h5py, make, part):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(h5py, file, tmp_path)
    refused(read_h5, tmp_path / "x.h5", part)


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)  # import raises ImportError
    path = written(tmp_path, "x.h5", b"\x89HDF")
    refused(read_h5, path, r'needs h5py: pip install "mrnn_np\[convert\]"')


def test_h5_names_do_not_multiply(tmp_path, h5py):
    """One long name stands in front of all that is below it."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("n" * 900)
        for number in range(3):
            group[f"{number:099d}"] = np.zeros(3)
    assert len(read_h5(tmp_path / "x.h5")) == 3
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["n" * 900][f"{0:0100d}"] = np.zeros(3)
    refused(read_h5, tmp_path / "x.h5", "more than 1000 letters")


# --- .ckpt ----------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_ckpt_of_nested_dicts(tmp_path, protocol):
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(2, 3)).astype(np.float32)
    tree = {
        "VGG16_0": {
            "Conv_0": {"kernel": kernel, "bias": np.arange(3.0)},
            "Conv_1": {"kernel": np.asfortranarray(kernel), "step": 7},
            "big": kernel.astype(">f4"),
        }
    }
    # Buffers in the band of protocol 5 are another function: NumPy's __reduce__ is
    # what files hold that were written with the default settings of their time.
    data = pickle.dumps(tree, min(protocol, 4))
    found = read_ckpt(written(tmp_path, "x.ckpt", data))
    assert set(found) == {
        "VGG16_0.Conv_0.kernel",
        "VGG16_0.Conv_0.bias",
        "VGG16_0.Conv_1.kernel",
        "VGG16_0.big",
    }
    for key in found:
        if not key.endswith("bias"):
            np.testing.assert_array_equal(found[key], kernel, err_msg=key)


def ckpt(shape=(3,), code="f4", order="<", fortran=False, data=bytes(12)):
    """Return a pickled array with any numbers in it."""
    dtype = cases.call("numpy.dtype", code, False, True)
    dtype += cases.literal((3, order, None, None, None, -1, -1, 0)) + b"b"
    state = b"(K\x01" + cases.literal(shape) + dtype + cases.literal(fortran)
    state += b"C" + bytes([len(data)]) + data + b"tb"
    array = cases.named("numpy.core.multiarray._reconstruct")
    array += b"(" + cases.named("numpy.ndarray") + cases.literal((0,)) + b"C\x01btR"
    return cases.program(b"}", cases.literal("a"), array, state, b"s")


def test_ckpt_made_by_hand_is_read(tmp_path):
    found = read_ckpt(written(tmp_path, "x.ckpt", ckpt()))
    np.testing.assert_array_equal(found["a"], np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("numbers", "part"),
    [
        ({"shape": (4,)}, "more than the 12 bytes"),
        ({"shape": (2,)}, r"shape \(2,\) with 12 bytes"),
        ({"shape": (2**40, 2**40)}, "more than the 12 bytes"),
        ({"shape": (-1, -3)}, "no length"),
        ({"shape": ("3",)}, "no length"),
        ({"shape": 3}, "no list of lengths"),
        ({"shape": (2**2000,) * 300_000}, "a shape of 300000 axes"),
        ({"shape": (2**2000,) * 3}, "no length"),
        ({"code": "O8"}, "not plain numbers"),
        ({"code": "V4"}, "not plain numbers"),
        ({"code": 4}, "not plain numbers"),
        ({"data": bytes(11)}, "more than the 11 bytes"),
    ],
)
def test_ckpt_numbers_that_lie(tmp_path, numbers, part):
    refused(read_ckpt, written(tmp_path, "x.ckpt", ckpt(**numbers)), part)


@pytest.mark.parametrize(
    "name", ["numpy.load", "numpy.frombuffer", "numpy.core.multiarray.scalar"]
)
def test_ckpt_names_arrays_only(tmp_path, name):
    data = cases.program(b"}", cases.literal("a"), cases.call(name, "x"), b"s")
    refused(read_ckpt, written(tmp_path, "x.ckpt", data), f"object '{name}'")


def test_ckpt_without_arrays(tmp_path):
    refused(read_ckpt, written(tmp_path, "x.ckpt", pickle.dumps([1])), "no tensors")
