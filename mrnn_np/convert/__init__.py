"""Pretrained weights of others: readers, maps of names, and where they come from.

The way of a network, one file a step:

    manifest.py -> sources.py (download.py, package_index.py, archives.py)
        -> readers.py (torch_files.py, keras_files.py, flax_files.py, ...)
        -> mapping.py (layouts.py) -> library.py, which writes one .npz
        -> load.py, which makes a network of it

Every file that is read may come from a stranger: nothing in it is ever run.
"""

from typing import TYPE_CHECKING, Any

from mrnn_np.convert.library import convert_file, entries, get

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers and editors
    from mrnn_np.convert.load import load_cnn as load_cnn
    from mrnn_np.convert.mapping import convert_state_dict as convert_state_dict
    from mrnn_np.convert.readers import read_tensors as read_tensors

__all__ = [
    "convert_file",
    "convert_state_dict",
    "entries",
    "get",
    "load_cnn",
    "read_tensors",
]


def __getattr__(name: str) -> Any:
    """Import what needs the convolution engine only when it is asked for."""
    if name == "convert_state_dict":
        from mrnn_np.convert.mapping import convert_state_dict

        return convert_state_dict
    if name == "load_cnn":
        from mrnn_np.convert.load import load_cnn

        return load_cnn
    if name == "read_tensors":
        from mrnn_np.convert.readers import read_tensors

        return read_tensors
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
