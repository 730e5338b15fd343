"""Weight files of others: .pth in both forms, .ckpt, .safetensors, .h5, .npz.

Each right file holds the first layer of a known network and so can be converted. What
a reader gives is converted, and every number in it is looked at.

Knows: how these formats are put together. Does not know: how they are read.
"""

import io
import itertools
import json
import pickle
import pickletools
from pathlib import Path

import convert_cases as cases
import numpy as np

from fuzzing.limits import Target, Wrong
from fuzzing.mutations import choose, damage, damage_json, some, text
from fuzzing.structures import alter_one, npy, strange_npy, zipped
from mrnn_np.convert.mapping import convert_state_dict
from mrnn_np.convert.readers import read_tensors

RNG = np.random.default_rng(3)
WEIGHTS = {
    "features.0.weight": RNG.standard_normal((64, 3, 3, 3)).astype(np.float32),
    "features.0.bias": RNG.standard_normal(64).astype(np.float32),
}
# What stands where a pickle says how large or where something is.
COUNTS = (0, 1, 2, 3, 63, 65, -1, 2**31, 2**63, -(2**63), 10**400, True, None, 1.5, "x")
ARGUMENTS = (
    b"N", b"\x88", b"K\x00", b"J\xff\xff\xff\xff", b"G\x7f\xf0\0\0\0\0\0\0", b"]", b"}",
    b")", b"\x8a\x09" + b"\xff" * 8 + b"\x7f", b"X\x01\0\0\0x", b"(", b"0", b"2", b"1",
    b"X\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f", b"\x8e" + b"\xff" * 7 + b"\x7f",
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"R", b"b", b"Q", b"Pstorage\n", b"\x81",
    b"\x82\x01", b"\x97", b"\x98", b"h\x00", b"q\x00", b"r\xff\xff\xff\xff", b"\x93",
    b".",
)  # fmt: skip


def damage_pickle(rng: np.random.Generator, content: bytes) -> bytes:
    """Return a pickle with instructions exchanged, doubled, removed or added."""
    places = [place for _, _, place in pickletools.genops(content)] + [len(content)]
    parts = [content[a:b] for a, b in itertools.pairwise(places)]
    for _ in some(rng):
        at = int(rng.integers(1, len(parts)))
        kind = rng.random()
        if kind < 0.4:
            parts[at] = choose(rng, ARGUMENTS)
        elif kind < 0.6:
            parts.insert(at, choose(rng, ARGUMENTS))
        elif kind < 0.8:
            parts.insert(at, choose(rng, parts) * choose(rng, (1, 1, 2, 30)))
        elif len(parts) > 2:
            del parts[at]
    return b"".join(parts)


def bombs(rng: np.random.Generator) -> bytes:
    """Return a pickle that costs little to write and, read carelessly, everything."""
    many = int(rng.integers(1000, 30_000))
    inner = cases.literal({"a": [1.0] * 50, "b": {"c": "x" * 1000}})
    kind = int(rng.integers(5))
    if kind == 0:  # one list, given to many dicts, many times
        items = b"".join(cases.literal(i) + b"}K\x00h\x7fs" for i in range(many))
        return cases.program(b"](" + b"K\x01" * 3000 + b"eq\x7f0", b"}(", items, b"u")
    if kind == 1:  # every list holds the one before twice
        deep = b"](h\x00h\x00eq\x00" * 300
        return cases.program(b"}(X\x01\0\0\0w]q\x00", deep, b"u")
    if kind == 2:  # names that are long, over and over
        name = cases.literal("n" * 50_000) + b"q\x05"
        items = b"".join(cases.literal(str(i)) + inner for i in range(many // 20))
        return cases.program(b"}(", name, b"}(", items, b"uu")
    if kind == 3:
        return cases.program(b"}K\x00" * many, b"}", b"s" * many)
    return cases.program(b"}(X\x01\0\0\0w(", b"K\x01" * many, b"tu")


def torch_window(rng: np.random.Generator) -> dict:
    """Return the numbers of a tensor, some of them wrong."""
    numbers = {"size": 6, "offset": 0, "shape": (2, 3), "strides": (3, 1)}
    for _ in some(rng):
        name = choose(rng, list(numbers))
        new = choose(rng, COUNTS)
        if name in ("shape", "strides") and rng.random() < 0.8:
            known = ((2, 3), (3, 2), (1, 1), (4, 1), (0, 0), (1, 6), (6, 1), (), (2,))
            absurd = ((new, 3), (2, new), (new,) * 5, (2,) * 40, (1,) * 3000)
            new = choose(rng, (*known, *absurd, (0, 2**62), [2, 3], {"a": 1}))
        numbers[name] = new
    kind = choose(rng, ("torch.FloatStorage", "torch.BFloat16Storage", "torch.x",
                        "torch.DoubleStorage", "torch.BoolStorage"))  # fmt: skip
    key = choose(rng, ("0", "0", "1", "", "../0", "x" * 5000, 0, None))
    return {**numbers, "kind": kind, "key": key}


def torch_pickled(rng: np.random.Generator) -> bytes:
    """Return the pickle of a .pth file."""
    kind = rng.random()
    if kind < 0.1:
        return bombs(rng)
    if kind < 0.5:
        return cases.torch_pickle(**torch_window(rng))
    return damage_pickle(rng, cases.torch_pickle())


def make_zip_pth(rng: np.random.Generator, folder: Path) -> Path:
    content = (cases.GOLDEN / "zip.pth").read_bytes()
    kind = rng.random()
    if kind < 0.3:
        content = damage(rng, content)
    else:
        members = {
            "archive/data.pkl": torch_pickled(rng),
            "archive/data/0": np.arange(6, dtype=np.float32).tobytes(),
            "archive/version": b"3\n",
        }
        if kind < 0.4:
            members["archive/byteorder"] = choose(rng, (b"big", b"little", b"x", b""))
        content = zipped(rng, members, strange=kind > 0.8)
    return written(folder / "w.pth", content)


def make_legacy_pth(rng: np.random.Generator, folder: Path) -> Path:
    content = (cases.GOLDEN / "legacy.pth").read_bytes()
    if rng.random() < 0.4:
        return written(folder / "w.pth", damage(rng, content))
    names = (("0", np.arange(6)), ("1", np.arange(3)), ("0", ()), (0, (1.0,)))
    storages = [names[0], *(choose(rng, names) for _ in range(int(rng.integers(2))))]
    content = cases.legacy_pth(torch_pickled(rng), *storages)
    return written(folder / "w.pth", content)


def make_ckpt(rng: np.random.Generator, folder: Path) -> Path:
    arrays = WEIGHTS if rng.random() < 0.6 else alter_one(rng, WEIGHTS)
    content = pickle.dumps({"VGG16_0": {"Conv_0": arrays}}, choose(rng, (2, 3, 4)))
    kind = rng.random()
    if kind < 0.3:
        content = damage(rng, content)
    elif kind < 0.7:
        content = damage_pickle(rng, content)
    elif kind < 0.8:
        content = bombs(rng)
    return written(folder / "w.ckpt", content)


def make_safetensors(rng: np.random.Generator, folder: Path) -> Path:
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in WEIGHTS.items():
        end = len(data) + array.nbytes
        header[name] = {
            "dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), end]
        }  # fmt: skip
        data += array.tobytes()
    kind = rng.random()
    if kind < 0.65:
        content = cases.safetensors(damage_json(rng, header), data)
    elif kind < 0.75:  # shapes of very many entries
        shape = [choose(rng, (1, 1, 2, 2**40))] * int(rng.integers(10, 200_000))
        header["features.0.bias"]["shape"] = shape
        content = cases.safetensors(header, data)
    else:
        content = damage(rng, cases.safetensors(json.dumps(header).encode(), data))
    return written(folder / "w.safetensors", content)


def make_npz(rng: np.random.Generator, folder: Path) -> Path:
    arrays = WEIGHTS if rng.random() < 0.5 else alter_one(rng, WEIGHTS)
    members = {f"{name}.npy": npy(array) for name, array in arrays.items()}
    kind = rng.random()
    if kind < 0.5:
        name = choose(rng, list(arrays))
        members[f"{name}.npy"] = strange_npy(rng, arrays[name])
    content = zipped(rng, members, strange=0.4 < kind < 0.8)
    if kind > 0.8:
        content = damage(rng, content)
    return written(folder / "w.npz", content)


def make_h5(rng: np.random.Generator, folder: Path) -> Path:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in WEIGHTS.items():
            if rng.random() < 0.7:
                file[f"conv1/{name}"] = array
            elif rng.random() < 0.5:
                file.create_dataset(
                    f"conv1/{name}", data=array, compression="gzip", chunks=True
                )
            else:  # declared, never written
                shape = choose(rng, ((2**40,), (64, 2**40), (), (0,)))
                chunks = (64,) * len(shape) if np.prod(shape) > 1 else None
                file.create_dataset(f"conv1/{name}", shape, "f4", chunks=chunks)
        if rng.random() < 0.2:
            file["ring"] = file["/"]
        if rng.random() < 0.2:
            file["link"] = choose(
                rng, (h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/gone"))
            )
        if rng.random() < 0.2:
            file["words"] = np.array([text(rng).encode(errors="replace")[:99]], "S99")
    content = stream.getvalue()
    return written(
        folder / "w.h5", damage(rng, content) if rng.random() < 0.7 else content
    )


def written(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content)
    return path


def inside(array: np.ndarray) -> bool:
    """Whether every element of an array lies in the memory of what it is a view of."""
    whole, behind = array, array.base
    while behind is not None:  # as_strided puts something between that is no array
        whole = behind if isinstance(behind, np.ndarray) else whole
        behind = getattr(behind, "base", None)
    (low, high), (first, last) = bounds(array), bounds(whole)
    return array.size == 0 or first <= low <= high <= last


def bounds(array: np.ndarray) -> tuple[int, int]:
    """Return the addresses of the first byte of an array and behind its last."""
    steps = [s * (n - 1) for s, n in zip(array.strides, array.shape, strict=True)]
    begin = array.__array_interface__["data"][0]
    below, above = sum(min(s, 0) for s in steps), sum(max(s, 0) for s in steps)
    return begin + below, begin + above + array.itemsize


def read(path: Path) -> None:
    """Read the tensors, look at every number, and convert them."""
    tensors = read_tensors(path)
    with np.errstate(all="ignore"):
        for name, array in tensors.items():
            if not inside(array):
                raise Wrong(f"{name!r} reaches outside of the memory it was given")
            array.astype(np.float64).sum()
    if any(name in tensors for name in WEIGHTS):  # else there is no such network
        convert_state_dict(None, tensors)


TARGETS = (
    Target("zip-pth", "weights", make_zip_pth, read, 3),
    Target("legacy-pth", "weights", make_legacy_pth, read, 3),
    Target("ckpt", "weights", make_ckpt, read, 3),
    Target("safetensors", "weights", make_safetensors, read, 3),
    Target("npz", "weights", make_npz, read, 3),
    Target("h5", "weights", make_h5, read, 3),
)
