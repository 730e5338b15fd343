"""Which reader a weight file needs."""

from pathlib import Path

import numpy as np

from mrnn_np.convert.flax_files import read_ckpt
from mrnn_np.convert.keras_files import read_h5
from mrnn_np.convert.npz_files import read_npz
from mrnn_np.convert.safetensors_files import read_safetensors
from mrnn_np.convert.torch_files import read_pth
from mrnn_np.runtime.errors import InputError

READERS = {
    ".pth": read_pth,
    ".pt": read_pth,
    ".h5": read_h5,
    ".hdf5": read_h5,
    ".ckpt": read_ckpt,
    ".safetensors": read_safetensors,
    ".npz": read_npz,
}


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Read a weight file of any known kind, told by the ending of its name.

    Returns name -> array, named and laid out as in the file.

    Raises
    ------
    InputError : an unknown ending, or what the reader of the format refuses.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path}: an unknown kind of weight file; known are {', '.join(READERS)}"
        )
    return reader(path)
