"""A pretrained network by its name: from the cache folder, else fetched and converted.

Knows: where weights are found. Does not know: what a network does with them.
"""

from pathlib import Path

from mrnn_np.cnn.network import CNN
from mrnn_np.convert.library import get
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import cache_folder, load_arrays
from mrnn_np.runtime.untrusted import take
from mrnn_np.runtime.untrusted_arrays import array_of


def load_cnn(name_or_path: str | Path, engine: str = "fast") -> CNN:
    """Load a pretrained network by its name or from a weight file.

    Parameters
    ----------
    name_or_path : a path that ends in ``.npz``, or a name of the manifest such as
        ``"efficientnet_lite0"``. A name is looked up in the user's cache folder and,
        the first time, fetched and converted.
    engine : see `CNN`.

    Raises
    ------
    InputError : no such file or name, a damaged file, or weights that cannot be
        fetched.
    """
    path = Path(name_or_path)
    if path.suffix != ".npz":
        path = cache_folder() / "cnn" / f"{name_or_path}.npz"
        if not path.is_file():
            path = get(str(name_or_path))
    # Mapped: 0.03 instead of 0.06 s for 18 MB, and worker processes share the memory.
    header, arrays = load_arrays(path, "cnn", mapped=True)
    for field, kind in (("name", str), ("architecture", str), ("preprocessing", dict)):
        take(header, field, kind, path)
    if header.get("variant") is not None:
        take(header, "variant", str, path)
    for name, array in arrays.items():
        array_of(arrays, name, "f", array.shape, path)
    try:
        return CNN(header, arrays, engine)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
