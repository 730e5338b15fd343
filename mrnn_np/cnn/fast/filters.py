"""The filters of a compiled network, laid out as the kernels read them.

Knows: arrays. Does not know: layers, operations.
"""

from collections.abc import Callable

import numpy as np

from mrnn_np.cnn.fast.bands import panel_plain
from mrnn_np.cnn.fast.memory import aligned_zeros
from mrnn_np.cnn.fast.register_blocks import MOST_VECTORS
from mrnn_np.cnn.fast.registers import LANES, whole_vectors


class Filters:
    """The filters and biases of a network in one array, as the kernels read them.

    Several programs, for other numbers and sizes of images, share it.
    """

    def __init__(self) -> None:
        self._offsets: dict[tuple, tuple[int, int]] = {}
        self._array = np.zeros(LANES * MOST_VECTORS, np.float32)  # zeros: no bias
        self._new: list[np.ndarray] = []
        self._size = len(self._array)

    def add(
        self, key: tuple, layout: Callable[[], np.ndarray], bias: np.ndarray
    ) -> tuple[int, int]:
        """Return where the filters and where the biases of a layer are.

        Parameters
        ----------
        key : stands for the layer and the way its filters are laid out.
        layout : called once for a key, returns the filters as a vector.
        bias : (O,), filled up with zeros.
        """
        if key not in self._offsets:
            at = self._append(layout()), self._append(padded_channels(bias))
            self._offsets[key] = at
        return self._offsets[key]

    def _append(self, numbers: np.ndarray) -> int:
        at = self._size
        self._new.append(numbers)
        self._size += len(numbers)
        return at

    def array(self) -> np.ndarray:
        """Return the array with everything that was given a place so far."""
        if self._new:
            array = aligned_zeros(self._size)
            np.concatenate([self._array, *self._new], out=array)
            self._array, self._new = array, []
        return self._array


def in_panels(filters: np.ndarray) -> np.ndarray:
    """Lay filters out as `product_block_plain` reads them.

    A panel has one to three vectors of output channels, see `mrnn_np.cnn.fast.bands`.

    Parameters
    ----------
    filters : (K, O), O a whole number of vectors, float32.

    Returns a vector: panel after panel, each (K, width of the panel).
    """
    depth, channels = filters.shape
    out = np.empty(filters.size, np.float32)
    for number in range(panel_plain(channels // LANES, 0)[2]):
        first, vectors, _ = panel_plain(channels // LANES, number)
        start, stop = LANES * first, LANES * (first + vectors)
        panel = out[depth * start : depth * stop].reshape(depth, stop - start)
        panel[:] = filters[:, start:stop]
    return out


def padded_channels(filters: np.ndarray) -> np.ndarray:
    """Return filters (..., O) with zeros up to whole vectors of O."""
    more = whole_vectors(filters.shape[-1]) - filters.shape[-1]
    return np.pad(filters, [(0, 0)] * (filters.ndim - 1) + [(0, more)])


def whole_windows(weight: np.ndarray, pixel: int) -> np.ndarray:
    """Return filters for windows whose pixels lie `pixel` numbers apart.

    Parameters
    ----------
    weight : (kh, kw, C, O).

    Returns (kh * ((kw - 1) * pixel + C), whole vectors of O): zeros meet what lies
    between the channels of two pixels, and give the channels that O lacks.
    """
    kh, kw, c_in, c_out = weight.shape
    filters = np.zeros((kh, (kw - 1) * pixel + c_in, c_out), np.float32)
    for j in range(kw):
        filters[:, j * pixel : j * pixel + c_in] = weight[:, j]
    return padded_channels(filters.reshape(-1, c_out))
