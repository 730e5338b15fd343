"""PyTorch's .pth files, both forms, read without PyTorch and without running them.

Since version 1.6 a .pth is a zip: `data.pkl` describes the tensors, `data/KEY` holds
the bytes of each storage. Before, it was five things in a row: three small pickles
(magic number, version, machine), the pickle that describes the tensors, a list of
keys, then for each key its number of elements (8 bytes) and the elements. In both
a tensor is a window into a storage: offset, shape and strides, all counted in
elements. Two tensors may share one storage.

Knows: files, storages and strides. Does not know: what the tensors are for.
"""

import io
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from mrnn_np.convert.checks import ByteOrder, flatten, floats, readable
from mrnn_np.convert.pickles import read_pickle
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import LONGEST_AXIS
from mrnn_np.runtime.untrusted_arrays import checked_shape, read_member

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
# The element of each kind of storage; bfloat16 is widened by `floats`.
STORAGES = {
    "torch.FloatStorage": "f4",
    "torch.DoubleStorage": "f8",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "bf16",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "b1",
}
ITEM_BYTES = {"bf16": 2}
BYTE_ORDERS: dict[bytes, ByteOrder] = {b"little": "<", b"big": ">"}
FEW = 100  # steps of the small pickles of the old form; the longest takes 25


class Storage:
    """One run of elements; its bytes come before (zip) or after (legacy) the pickle."""

    def __init__(self, element: str, size: int) -> None:
        self.element = element
        self.size = size
        self.elements: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Length in the file."""
        return self.size * self.width

    @property
    def width(self) -> int:
        """Bytes of an element in the file."""
        return ITEM_BYTES.get(self.element) or np.dtype(self.element).itemsize

    def fill(self, data: bytes, order: ByteOrder) -> None:
        """Take the bytes.

        As many as were said: the windows were compared with that, and are cut out
        without another look.
        """
        if len(data) != self.nbytes:
            raise InputError(
                f"a storage of {self.size} elements has {len(data)} bytes, not "
                f"{self.nbytes}: the file is cut short"
            )
        self.elements = floats(data, self.element, order)


class Tensor:
    """A window into a storage, not yet cut out of it."""

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any) -> None:
        if not isinstance(storage, Storage):
            raise InputError("a tensor without a storage")
        shape = checked_shape(shape, storage.width, storage.nbytes, "a tensor")
        if not isinstance(strides, list | tuple) or len(strides) != len(shape):
            raise InputError("a tensor with more or fewer strides than axes")
        for number in (offset, *strides):
            if type(number) is not int or not 0 <= number <= LONGEST_AXIS:
                raise InputError("a tensor whose offset or stride is no count")
        strides = tuple(strides)
        steps = zip(shape, strides, strict=True)
        last = offset + sum((size - 1) * stride for size, stride in steps)
        if 0 in shape or last >= storage.size:
            raise InputError(
                f"a tensor of shape {str(shape)[:80]} at offset {offset} with strides "
                f"{str(strides)[:80]} reaches outside of its storage of {storage.size} "
                "elements"
            )
        self.storage, self.offset = storage, offset
        self.shape, self.strides = shape, strides

    def array(self) -> np.ndarray:
        """Cut the window out: a read-only view, nothing is copied."""
        elements = self.storage.elements
        assert elements is not None  # all are filled before an array is cut out
        return np.lib.stride_tricks.as_strided(
            elements[self.offset :],
            self.shape,
            tuple(stride * elements.itemsize for stride in self.strides),
            writeable=False,
        )


def rebuild_tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, *_rest: object
) -> Tensor:
    """Stand in for torch._utils._rebuild_tensor and _v2."""
    return Tensor(storage, offset, shape, strides)


def rebuild_parameter(tensor: Any, *_rest: object) -> Any:
    """Stand in for torch._utils._rebuild_parameter: the tensor itself."""
    return tensor


def ordered_dict(items: Any = ()) -> dict:
    """Stand in for collections.OrderedDict (a dict keeps its order too).

    Files written with Python 2 give the items here, newer ones set them afterwards.
    """
    return {name: value for name, value in items if isinstance(name, str)}


NAMES = {
    "collections.OrderedDict": ordered_dict,
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    **{name: name for name in STORAGES},  # named only, never called
}


class Storages(dict[str, Storage]):
    """The storages a pickle points at, by key; checks them against the file."""

    def __init__(self, file_bytes: int) -> None:
        self.left = file_bytes

    def __call__(self, persistent_id: Any) -> Storage:
        """Return the storage of ``("storage", type, key, device, size, ...)``."""
        kind, name, key, _device, size, *view = persistent_id
        if not isinstance(name, str) or not isinstance(key, str):
            raise InputError("a pointer to something that is not a storage")
        if kind != "storage" or name not in STORAGES:
            raise InputError(f"a pointer to {name[:40]!a}, which is not a storage")
        if type(size) is not int or not 0 <= size <= LONGEST_AXIS:
            raise InputError(f"storage {key[:20]!a} of a size that is no count")
        if view not in ([], [None]):
            raise InputError(f"storage {key[:20]!a} of a form unknown here")
        if key not in self:
            self[key] = Storage(STORAGES[name], size)
            self.left -= self[key].nbytes
            if self.left < 0:  # also what stops a zip bomb
                raise InputError("more elements than the file has bytes for")
        if (self[key].element, self[key].size) != (STORAGES[name], size):
            raise InputError(f"storage {key[:20]!a} described in two ways")
        return self[key]


def read_pth(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a PyTorch file of either form.

    Returns name -> read-only array, float16, 32, 64, int or bool as stored
    (bfloat16 becomes float32, which holds every one of its values). Names in nested
    dicts are joined with a dot. Arrays may be views that are not contiguous.

    Raises
    ------
    InputError : missing, cut short, damaged, of a form unknown here, a tensor
        outside of its storage, or a pickle that names anything but tensors.
    """
    with readable(path, ".pth") as (stream, size):
        zipped = stream.read(4) == b"PK\x03\x04"
        stream.seek(0)
        content = _read_zip(stream, size) if zipped else _read_legacy(stream, size)
        return flatten(content, Tensor, lambda tensor: tensor.array())


def _read_zip(stream: IO[bytes], size: int) -> Any:
    with zipfile.ZipFile(stream) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise InputError("a zip, but without PyTorch's data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        storages = Storages(size)
        text = _member(archive, pickles[0], size)
        content = read_pickle(io.BytesIO(text), NAMES, storages)
        order: ByteOrder = "<"
        if f"{folder}byteorder" in archive.namelist():
            order = BYTE_ORDERS[_member(archive, f"{folder}byteorder", size)]
        for key, storage in storages.items():
            data = _member(archive, f"{folder}data/{key}", size)
            storage.fill(data, order)
    return content


def _member(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    """Read one member; PyTorch stores them all as they are."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise InputError("a compressed member, which PyTorch never writes")
    return read_member(archive, info, size, ascii(name[-60:]))


def _read_legacy(stream: IO[bytes], size: int) -> Any:
    if read_pickle(stream, {}, most=FEW) != LEGACY_MAGIC:
        raise InputError("neither form of a PyTorch file")
    if read_pickle(stream, {}, most=FEW) != 1001:
        raise InputError("an unknown version of PyTorch's old form (known is 1001)")
    # Byte order and sizes of C types on the writer's machine.
    read_pickle(stream, {}, most=FEW)
    storages = Storages(size)
    content = read_pickle(stream, NAMES, storages)
    for key in read_pickle(stream, {}):
        count = int.from_bytes(stream.read(8), "little")
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None or storage.size != count or storage.elements is not None:
            raise InputError("the storages do not match the tensors")
        # Little-endian on every machine: the writer swapped the bytes where needed.
        storage.fill(stream.read(storage.nbytes), "<")
    if any(storage.elements is None for storage in storages.values()):
        raise InputError("the storages do not match the tensors")
    return content
