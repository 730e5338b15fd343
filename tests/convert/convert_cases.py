"""Weight files made by hand, byte by byte, without the libraries that write them."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent.parent / "golden" / "convert"


def expected_tensors():
    """Return what PyTorch said is in zip.pth, legacy.pth and small.safetensors."""
    with np.load(GOLDEN / "expected.npz") as file:
        return dict(file)


def literal(value):
    """Return the instructions that push a plain value on a pickle's stack."""
    return pickle.dumps(value, 2)[2:-1]  # without the header and the final "."


def named(name):
    """Return the instruction that looks a Python object up."""
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def program(*parts):
    """Return a whole pickle of these instructions."""
    return b"\x80\x02" + b"".join(parts) + b"."


def call(name, *arguments):
    """Return the instructions that call a Python object with values."""
    return named(name) + b"(" + b"".join(map(literal, arguments)) + b"tR"


def torch_pickle(
    size=6,
    offset=0,
    shape=(2, 3),
    strides=(3, 1),
    kind="torch.FloatStorage",
    key="0",
    first="storage",
):
    """Return PyTorch's pickle of ``{"w": tensor}`` with these numbers in it."""
    storage = literal(first) + named(kind) + b"".join(map(literal, (key, "cpu", size)))
    window = b"".join(map(literal, (offset, shape, strides, False)))
    hooks = named("collections.OrderedDict") + b")R"
    tensor = (
        named("torch._utils._rebuild_tensor_v2")
        + b"(("
        + storage
        + b"tQ"
        + window
        + hooks
        + b"tR"
    )
    return program(b"}(", literal("w"), tensor, b"u")


def zip_pth(pickled, compression=zipfile.ZIP_STORED, **storages):
    """Return the bytes of a .pth of the new form; storages are given as ``s0=...``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key.removeprefix('s')}", data)
    return buffer.getvalue()


def legacy_pth(pickled, *storages, magic=0x1950A86A20F9469CFC6C, version=1001):
    """Return the bytes of a .pth of the old form; a storage is (key, floats)."""
    parts = [pickle.dumps(magic, 2), pickle.dumps(version, 2), pickle.dumps({}, 2)]
    parts += [pickled, pickle.dumps([key for key, _ in storages], 2)]
    for _, numbers in storages:
        parts.append(struct.pack("<q", len(numbers)))
        parts.append(np.asarray(numbers, "<f4").tobytes())
    return b"".join(parts)


def safetensors(header, data=b""):
    """Return the bytes of a .safetensors with any header, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def npy(array_header, data=b""):
    """Return the bytes of a .npy with any header, right or wrong."""
    text = repr(array_header).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz(compression=zipfile.ZIP_STORED, **members):
    """Return the bytes of an .npz of such members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()
