"""Pooling: the largest or the mean number of each window, channel by channel.

This is the plain version, in NumPy; that of the fast engine (cnn/fast/rearrange.py) is
tested against it.

Knows: arrays (N, height, width, channels) and windows. Does not know: networks.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.cnn.windows import Pair, count_positions, pair, resolve_padding


def max_pool(
    x: np.ndarray,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | str | tuple = 0,
    ceil: bool = False,
) -> np.ndarray:
    """Return the largest number of every window; padding never wins, a NaN always.

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    kernel, stride : window and stride, one number or (vertical, horizontal).
    padding : see `resolve_padding`.
    ceil : whether a last window may hang over the edge, see `count_positions`.

    Returns (N, H', W', C).

    Raises
    ------
    ValueError : a window larger than the padded picture.
    """
    return _padded_windows(x, kernel, stride, padding, ceil, -np.inf).max((4, 5))


def average_pool(
    x: np.ndarray,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | str | tuple = 0,
    ceil: bool = False,
    count_padding: bool = False,
) -> np.ndarray:
    """Return the mean of every window.

    Arguments as in `max_pool`. With `count_padding` the zeros of the padding count in
    the divisor (PyTorch's default, Caffe's rule), but never what lies beyond them;
    without it, only pixels of the picture count (TensorFlow's rule).
    """
    ones = np.ones((1, *x.shape[1:3], 1), x.dtype)
    edge = 1 if count_padding else 0
    total = _padded_windows(x, kernel, stride, padding, ceil, 0).sum((4, 5))
    area = _padded_windows(ones, kernel, stride, padding, ceil, edge, 0).sum((4, 5))
    return total / area


def global_average_pool(x: np.ndarray) -> np.ndarray:
    """Return the mean of each channel over all positions: (N, H, W, C) -> (N, C)."""
    return x.mean(axis=(1, 2))


def adaptive_average_pool(x: np.ndarray, cells: int) -> np.ndarray:
    """Return the means of a grid of cells that covers the map, (N, cells, cells, C).

    Along an axis of length H, cell i goes from floor(i H / cells) up to, not including,
    ceil((i + 1) H / cells), as in PyTorch. So all cells are about equally large, and
    neighbours share a row where H is no multiple of `cells`: of 7 rows three cells have
    0 1 2, 2 3 4 and 4 5 6.

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64, at least one pixel.
    """
    rows, columns = (
        [(i * size // cells, -(-(i + 1) * size // cells)) for i in range(cells)]
        for size in x.shape[1:3]
    )
    means = [
        x[:, top:bottom, left:right].mean(axis=(1, 2))
        for top, bottom in rows
        for left, right in columns
    ]
    return np.stack(means, axis=1).reshape(len(x), cells, cells, x.shape[3])


def _padded_windows(
    x: np.ndarray,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | str | tuple,
    ceil: bool,
    edge: float,
    beyond: float | None = None,
) -> np.ndarray:
    """Return the windows (N, H', W', C, kh, kw) of a padded copy.

    The padding is filled with `edge`; a window of ceil mode may hang over even that,
    and finds `beyond` there.
    """
    kernel, stride = pair(kernel), pair(stride)
    sides = resolve_padding(padding, x.shape[1:3], kernel, stride)
    size = tuple(
        count_positions(
            x.shape[1 + axis], kernel[axis], stride[axis], sides[axis], ceil
        )
        for axis in (0, 1)
    )
    padded = np.pad(x, ((0, 0), *sides, (0, 0)), constant_values=edge)
    missing = [
        (0, max(0, (size[axis] - 1) * stride[axis] + kernel[axis] - length))
        for axis, length in enumerate(padded.shape[1:3])
    ]
    beyond = edge if beyond is None else beyond
    padded = np.pad(padded, ((0, 0), *missing, (0, 0)), constant_values=beyond)
    windows = sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]
    return windows[:, : size[0], : size[1]]
