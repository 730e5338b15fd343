"""Readers of weight files against the libraries that wrote them.

The files of tests/golden/convert were made by PyTorch and safetensors
(tests/golden/make_convert.py); expected.npz holds what PyTorch says is in them.
"""

import io
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from mrnn_np.convert.readers import READERS, read_tensors
from mrnn_np.errors import InputError

GOLDEN = Path(__file__).parent.parent / "golden" / "convert"


def load_expected():
    with np.load(GOLDEN / "expected.npz") as file:
        return dict(file)


def same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize(
    "file", ["zip.pth", "legacy.pth", "small.safetensors", "expected.npz"]
)
def test_every_form_gives_what_pytorch_says(file):
    same(read_tensors(GOLDEN / file), load_expected())


@pytest.mark.parametrize("file", ["zip.pth", "legacy.pth"])
def test_the_case_is_as_awkward_as_it_claims(file):
    found = read_tensors(GOLDEN / file)
    assert not found["transposed"].flags.c_contiguous
    assert np.shares_memory(found["shared.a"], found["shared.c"])
    assert not any(array.flags.writeable for array in found.values())


def test_names_of_nested_dicts_are_joined():
    found, expected = read_tensors(GOLDEN / "checkpoint.pth"), load_expected()
    same(
        found,
        {f"state_dict.module.{name}": expected[name] for name in ("plain", "half")},
    )


def test_a_whole_model_is_refused_by_the_name_of_its_class():
    with pytest.raises(InputError, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_tensors(GOLDEN / "whole_model.pth")


def test_the_name_that_files_of_2017_use(tmp_path):
    old = (GOLDEN / "legacy.pth").read_bytes().replace(b"_tensor_v2\n", b"_tensor\n")
    (tmp_path / "old.pth").write_bytes(old)
    same(read_tensors(tmp_path / "old.pth"), load_expected())


def rewrite(source, target, change, compression=zipfile.ZIP_STORED):
    """Copy a zip, each member through `change(name, data)`; None leaves it out."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", compression) as new,
    ):
        for info in old.infolist():
            data = change(info.filename, old.read(info))
            if data is not None:
                new.writestr(info.filename, data)


def test_big_endian_storages(tmp_path):
    def swap(name, data):
        if name.endswith("byteorder"):
            return b"big"
        if "/data/" in name:  # 24 float32 and 15 float16
            dtype = np.dtype("f4" if len(data) == 96 else "f2")
            return np.frombuffer(data, dtype).byteswap().tobytes()
        return data

    rewrite(GOLDEN / "checkpoint.pth", tmp_path / "big.pth", swap)
    found = read_tensors(tmp_path / "big.pth")
    native = read_tensors(GOLDEN / "checkpoint.pth")
    for name, array in native.items():
        np.testing.assert_array_equal(found[name], array)


def test_keras_file(tmp_path):
    weight = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    with h5py.File(tmp_path / "k.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1", b"pool"]
        file.create_group("conv1")["conv1_W:0"] = weight
        file["conv1"]["conv1_b:0"] = weight[0, 0, 0]
        file.create_group("pool")
    same(
        read_tensors(tmp_path / "k.h5"),
        {"conv1/conv1_W:0": weight, "conv1/conv1_b:0": weight[0, 0, 0]},
    )


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(InputError, match=r'pip install "mrnn_np\[convert\]"'):
        read_tensors(tmp_path / "k.h5")


@pytest.mark.parametrize("protocol", [3, 4])
def test_pickled_tree_of_arrays(tmp_path, protocol):
    rng = np.random.default_rng(0)
    arrays = {
        "f4": rng.normal(size=(2, 3, 4)).astype("<f4"),
        "fortran": np.asfortranarray(rng.normal(size=(3, 5))),
        "big": rng.normal(size=4).astype(">f4"),
        "int": np.arange(5, dtype=np.int16),
        "byte": np.arange(5, dtype=np.uint8),
    }
    tree = {"net": {"a": arrays}, "step": 3, "rate": 0.1}
    (tmp_path / "tree.ckpt").write_bytes(pickle.dumps(tree, protocol))
    found = read_tensors(tmp_path / "tree.ckpt")
    assert list(found) == [f"net.a.{name}" for name in arrays]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[f"net.a.{name}"], array)


def test_packed_npz_and_other_orders(tmp_path):
    arrays = {
        "a": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "b": np.arange(4, dtype=">i4"),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.float32(2.5),
    }
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    found = read_tensors(tmp_path / "x.npz")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_unknown_endings_and_missing_files(tmp_path):
    with pytest.raises(InputError, match="unknown kind"):
        read_tensors(tmp_path / "x.bin")
    for ending in READERS:
        with pytest.raises(InputError, match=r"x\..*: no such file"):
            read_tensors(tmp_path / f"x{ending}")


def test_arrays_of_objects_stay_closed(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{}, []], dtype=object))
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="not plain numbers"):
        read_tensors(tmp_path / "x.npz")
