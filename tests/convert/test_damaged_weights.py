"""Files cut short or with wrong bytes: an InputError, or arrays, and nothing else."""

import pickle
import warnings

import convert_cases as cases
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrnn_np.convert.readers import read_tensors
from mrnn_np.runtime.errors import InputError

MODEST = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
KINDS = ["zip.pth", "legacy.pth", "small.safetensors", "x.npz", "x.ckpt", "x.h5"]


def good_file(kind, folder):
    """Return the bytes of a file that is read without complaint."""
    arrays = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.arange(5)}
    path = folder / kind
    if kind == "x.npz":
        np.savez_compressed(path, **arrays)
    elif kind == "x.ckpt":
        path.write_bytes(pickle.dumps({"outer": arrays}, 4))
    elif kind == "x.h5":
        h5py = pytest.importorskip("h5py", reason="h5py is not installed")
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[f"layer/{name}"] = array
    else:
        return (cases.GOLDEN / kind).read_bytes()
    return path.read_bytes()


def read_or_refuse(path):
    """Read; every number must be reachable, or the one kind of error is raised."""
    try:
        tensors = read_tensors(path)
    except InputError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return False
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for array in tensors.values():
            array.astype(np.float64).sum()
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short(kind, tmp_path):
    whole = good_file(kind, tmp_path)
    path = tmp_path / kind
    path.write_bytes(whole)
    assert read_or_refuse(path)
    cuts = np.unique(np.linspace(0, len(whole) - 1, 60).astype(int))
    for cut in cuts:
        path.write_bytes(whole[:cut])
        assert not read_or_refuse(path), f"{kind} cut to {cut} bytes was taken as whole"


@pytest.mark.parametrize("kind", KINDS)
@MODEST
@given(data=st.data())
def test_wrong_bytes(kind, tmp_path, data):
    broken = bytearray(good_file(kind, tmp_path))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    path = tmp_path / f"broken_{kind}"
    path.write_bytes(broken)
    read_or_refuse(path)


@pytest.mark.parametrize("kind", [".pth", ".ckpt", ".safetensors", ".npz", ".h5"])
@MODEST
@given(noise=st.binary(max_size=300))
def test_noise(kind, tmp_path, noise):
    path = tmp_path / f"noise{kind}"
    path.write_bytes(noise)
    read_or_refuse(path)
