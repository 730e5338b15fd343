"""PyTorch's files against what PyTorch said is in them, and files made to mislead."""

import zipfile

import convert_cases as cases
import numpy as np
import pytest

from mrnn_np.convert.torch_files import read_pth
from mrnn_np.runtime.errors import InputError

FLOATS = np.arange(6, dtype="<f4").tobytes()


def written(tmp_path, data):
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
def test_every_kind_of_tensor(name):
    found, expected = read_pth(cases.GOLDEN / name), cases.expected_tensors()
    assert list(found) == list(expected)
    for key, array in expected.items():
        assert found[key].dtype == array.dtype, key
        np.testing.assert_array_equal(found[key], array, err_msg=key)


def test_the_awkward_kinds_are_among_them():
    found = read_pth(cases.GOLDEN / "zip.pth")
    assert not found["transposed"].flags.c_contiguous
    assert np.shares_memory(found["shared.a"], found["shared.b"])
    assert found["count"].shape == () and found["count"] == 1234567890123
    assert found["bfloat16"].dtype == np.float32
    assert {found[k].dtype.str[1:] for k in ("half", "double", "bool", "byte")} == {
        "f2", "f8", "b1", "u1",
    }  # fmt: skip
    assert not found["plain"].flags.writeable


def test_a_checkpoint_keeps_its_tensors_and_drops_the_rest():
    found = read_pth(cases.GOLDEN / "checkpoint.pth")
    expected = cases.expected_tensors()
    assert set(found) == {"state_dict.module.plain", "state_dict.module.half"}
    np.testing.assert_array_equal(found["state_dict.module.plain"], expected["plain"])


def test_a_whole_model_is_refused_by_name():
    with pytest.raises(InputError, match=r"'torch\.nn\.modules\.linear\.Linear'"):
        read_pth(cases.GOLDEN / "whole_model.pth")


def test_the_files_of_these_tests_are_read_when_nothing_is_wrong(tmp_path):
    """Else the refusals below would prove nothing."""
    expected = np.arange(6, dtype=np.float32).reshape(2, 3)
    whole = cases.zip_pth(cases.torch_pickle(), s0=FLOATS)
    np.testing.assert_array_equal(read_pth(written(tmp_path, whole))["w"], expected)
    old = cases.legacy_pth(cases.torch_pickle(), ("0", range(6)))
    np.testing.assert_array_equal(read_pth(written(tmp_path, old))["w"], expected)


def test_files_of_2017_use_an_older_name_and_list_the_items_of_a_dict(tmp_path):
    old = cases.torch_pickle().replace(b"_tensor_v2\n", b"_tensor\n")
    pair = b"](](" + cases.literal("w") + old[old.index(b"ctorch") : -2] + b"ee"
    whole = cases.program(cases.named("collections.OrderedDict"), pair, b"\x85R")
    path = written(tmp_path, cases.legacy_pth(whole, ("0", range(6))))
    np.testing.assert_array_equal(read_pth(path)["w"], np.arange(6.0).reshape(2, 3))


def test_big_endian_storages(tmp_path):
    data = cases.zip_pth(cases.torch_pickle(), s0=np.arange(6, dtype=">f4").tobytes())
    path = written(tmp_path, data)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/byteorder", "big")
    np.testing.assert_array_equal(read_pth(path)["w"], np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("numbers", "part"),
    [
        ({"offset": 1}, "outside of its storage"),
        ({"offset": -1}, "no count"),
        ({"strides": (4, 1)}, "outside of its storage"),
        ({"strides": (-3, 1)}, "no count"),
        ({"strides": (2**62, 1)}, "outside of its storage"),
        ({"shape": (2**40, 2**40), "strides": (0, 0)}, "takes more than"),
        ({"shape": (7,), "strides": (0,)}, "takes more than"),
        ({"shape": (2, 3), "strides": (3,)}, "strides"),
        ({"shape": (1,) * 40, "strides": (0,) * 40}, "40 axes"),
        ({"shape": (True, 3)}, "no length"),
        ({"shape": ("2", 3)}, "no length"),
        ({"shape": (0, 3)}, "outside of its storage"),
        ({"size": 2**50}, "more elements than the file has bytes for"),
        ({"size": -6}, "no count"),
        ({"size": 10**400}, "no count"),
        ({"size": 5, "shape": (5,), "strides": (1,)}, "cut short"),
        ({"kind": "torch.QUInt8Storage"}, "'torch.QUInt8Storage'"),
        ({"kind": "os.system"}, "'os.system'"),
        ({"kind": "collections.OrderedDict"}, "not a storage"),
        ({"first": "module"}, "not a storage"),
        ({"key": 0}, "not a storage"),
        ({"key": "../data.pkl"}, "not a readable"),
    ],
)
def test_numbers_that_lie(tmp_path, numbers, part):
    path = written(tmp_path, cases.zip_pth(cases.torch_pickle(**numbers), s0=FLOATS))
    with pytest.raises(InputError, match=part) as caught:
        read_pth(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_compressed_member_is_no_file_of_pytorch(tmp_path):
    """A zip bomb needs compression; PyTorch never uses it."""
    bomb = cases.zip_pth(
        cases.torch_pickle(size=10**7, shape=(10**7,), strides=(1,)),
        compression=zipfile.ZIP_DEFLATED,
        s0=bytes(4 * 10**7),
    )
    assert len(bomb) < 10**5
    with pytest.raises(InputError, match="compressed member"):
        read_pth(written(tmp_path, bomb))


def test_a_storage_that_the_file_ends_in(tmp_path):
    """A window is cut out by its numbers: behind the bytes lies other memory."""
    whole = cases.legacy_pth(cases.torch_pickle(), ("0", range(6)))
    for missing in (1, 4, 8, 24):
        with pytest.raises(InputError, match="cut short"):
            read_pth(written(tmp_path, whole[:-missing]))


@pytest.mark.parametrize("shape", [[2**60] * 100_000, (2**2000, 2), (2**62,) * 32])
def test_shapes_are_looked_at_before_they_are_multiplied(tmp_path, shape):
    pickled = cases.torch_pickle(shape=shape, strides=shape)
    with pytest.raises(InputError, match=r"100000 axes|no length|takes more than"):
        read_pth(written(tmp_path, cases.zip_pth(pickled, s0=FLOATS)))


def test_a_list_given_away_many_times_is_paid_for_each_time(tmp_path):
    pairs = b"](" + (b"(" + cases.literal("w") + b"Nt") * 1000 + b"eq\x07"
    ask = cases.named("collections.OrderedDict") + b"h\x07\x85R"
    few = cases.program(b"](", pairs, ask * 900, b"e")
    with pytest.raises(InputError, match="holds no tensors"):
        read_pth(written(tmp_path, cases.zip_pth(few)))
    many = cases.program(b"](", pairs, ask * 1000, b"e")
    with pytest.raises(InputError, match="more steps"):
        read_pth(written(tmp_path, cases.zip_pth(many)))


def test_a_long_prefix_is_not_written_before_every_name(tmp_path):
    tensor = cases.torch_pickle().partition(cases.literal("w"))[2][:-2]
    inner = b"}(" + cases.literal("first") + tensor + b"q\x07"
    inner += b"".join(cases.literal(f"{number}") + b"h\x07" for number in range(1000))
    for length, part in ((900, None), (500_000, "more than 1000 letters")):
        pickled = cases.program(b"}", cases.literal("p" * length), inner + b"us")
        path = written(tmp_path, cases.zip_pth(pickled, s0=FLOATS))
        if part is None:
            assert len(read_pth(path)) == 1001
        else:
            with pytest.raises(InputError, match=part):
                read_pth(path)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "the file is empty"),
        (b"hello, I am a text\n" * 5, "pickle"),
        (cases.zip_pth(cases.program(b"}")), "holds no tensors"),
        (cases.zip_pth(cases.program(b"K\x07")), "holds no tensors"),
        (cases.npz(a=b"x"), "without PyTorch's data.pkl"),
        (cases.zip_pth(cases.torch_pickle()), "archive/data/0"),
        (cases.legacy_pth(cases.torch_pickle(), magic=1), "neither form"),
        (cases.legacy_pth(cases.torch_pickle(), version=7), "unknown version"),
        (cases.legacy_pth(cases.torch_pickle(), ("1", range(6))), "do not match"),
        (cases.legacy_pth(cases.torch_pickle(), ("0", range(5))), "do not match"),
        (cases.legacy_pth(cases.torch_pickle()), "do not match"),
    ],
)
def test_other_files(tmp_path, data, part):
    with pytest.raises(InputError, match=part):
        read_pth(written(tmp_path, data))


def test_a_missing_file_and_a_folder(tmp_path):
    for path, part in ((tmp_path / "no.pth", "no such file"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=part):
            read_pth(path)
