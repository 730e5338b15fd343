"""Pooling: the largest or the mean number of each window, channel by channel.

Knows: arrays (N, height, width, channels) and windows. Does not know: networks.
"""

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.kernels.room import OUTSIDE, Room
from mrnn_np.kernels.windows import Pair, count_positions, pair, resolve_padding


def max_pool_plain(
    x: np.ndarray,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | str | tuple = 0,
    ceil: bool = False,
) -> np.ndarray:
    """Take the maximum over all windows of a padded copy: the twin of `max_pool`."""
    return _padded_windows(x, kernel, stride, padding, ceil, -np.inf).max((4, 5))


def average_pool_plain(
    x: np.ndarray,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | str | tuple = 0,
    ceil: bool = False,
    count_padding: bool = False,
) -> np.ndarray:
    """Divide the sums of windows by the sums of a map of ones: the twin."""
    ones = np.ones((1, *x.shape[1:3], 1), x.dtype)
    edge = 1 if count_padding else 0
    total = _padded_windows(x, kernel, stride, padding, ceil, 0).sum((4, 5))
    area = _padded_windows(ones, kernel, stride, padding, ceil, edge, 0).sum((4, 5))
    return total / area


def _padded_windows(x, kernel, stride, padding, ceil, edge, beyond=None):
    """Return the windows (N, H', W', C, kh, kw) of a padded copy.

    The padding is filled with `edge`; a window of ceil mode may hang over even that,
    and finds `beyond` there.
    """
    kernel, stride, sides, size = _geometry(x, kernel, stride, padding, ceil)
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


def max_pool(
    x: np.ndarray,
    kernel: int | Pair,
    stride: int | Pair,
    padding: int | str | tuple = 0,
    ceil: bool = False,
    room: Room = OUTSIDE,
) -> np.ndarray:
    """Return the largest number of every window; padding never wins.

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    kernel, stride : window and step, one number or (vertical, horizontal).
    padding : see `resolve_padding`.
    ceil : whether a last window may hang over the edge, see `count_positions`.
    room : memory and threads to work with.

    Returns (N, H', W', C).

    Raises
    ------
    ValueError : a window larger than the padded picture.
    """
    kernel, stride, sides, size = _geometry(x, kernel, stride, padding, ceil)
    out = room.empty((len(x), *size, x.shape[3]), x.dtype)
    corner, x = (sides[0][0], sides[1][0]), np.ascontiguousarray(x)
    lines = room.shares(len(x) * size[0])
    room.each(_max_pool, [(x, kernel, stride, corner, out, *share) for share in lines])
    return out


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
    kernel, stride, sides, size = _geometry(x, kernel, stride, padding, ceil)
    out = np.empty((len(x), *size, x.shape[3]), x.dtype)
    x = np.ascontiguousarray(x)
    _average_pool(x, kernel, stride, sides, count_padding, out)
    return out


def global_average_pool(x: np.ndarray) -> np.ndarray:
    """Return the mean of each channel over all positions: (N, H, W, C) -> (N, C)."""
    return x.mean(axis=(1, 2))


def _geometry(x, kernel, stride, padding, ceil):
    """Return kernel, stride, sides and output size, all as pairs."""
    kernel, stride = pair(kernel), pair(stride)
    sides = resolve_padding(padding, x.shape[1:3], kernel, stride)
    size = tuple(
        count_positions(
            x.shape[1 + axis], kernel[axis], stride[axis], sides[axis], ceil
        )
        for axis in (0, 1)
    )
    return kernel, stride, sides, size


@njit(cache=True, fastmath=False, nogil=True)
def _max_pool(x, kernel, stride, corner, out, first, last):
    """Compute the lines first, ..., last - 1, counted through all images."""
    _, height, width, channels = x.shape
    for line in range(first, last):
        n, y = divmod(line, out.shape[1])
        top = y * stride[0] - corner[0]
        for column in range(out.shape[2]):
            left = column * stride[1] - corner[1]
            row = out[n, y, column]
            row[:] = -np.inf
            for i in range(max(0, top), min(height, top + kernel[0])):
                for j in range(max(0, left), min(width, left + kernel[1])):
                    pixel = x[n, i, j]
                    for c in range(channels):
                        # A NaN wins and stays, as in PyTorch.
                        if pixel[c] > row[c] or pixel[c] != pixel[c]:
                            row[c] = pixel[c]


@njit(cache=True, fastmath=False, nogil=True)
def _average_pool(x, kernel, stride, sides, count_padding, out):
    count, height, width, channels = x.shape
    for n in range(count):
        for y in range(out.shape[1]):
            top = y * stride[0] - sides[0][0]
            bottom = min(top + kernel[0], height + sides[0][1])
            for column in range(out.shape[2]):
                left = column * stride[1] - sides[1][0]
                right = min(left + kernel[1], width + sides[1][1])
                area = (bottom - top) * (right - left)
                inside = (min(bottom, height) - max(top, 0)) * (
                    min(right, width) - max(left, 0)
                )
                row = out[n, y, column]
                row[:] = 0
                for i in range(max(0, top), min(height, bottom)):
                    for j in range(max(0, left), min(width, right)):
                        pixel = x[n, i, j]
                        for c in range(channels):
                            row[c] += pixel[c]
                divisor = area if count_padding else inside
                for c in range(channels):
                    row[c] /= divisor
