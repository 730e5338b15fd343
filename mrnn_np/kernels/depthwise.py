"""Depthwise convolution: every channel has one small filter of its own.

    out[n, y, x, c] = bias[c] + sum over i, j of
                      x[n, y*stride + i - top, x*stride + j - left, c] * w[i, j, c]

There is no sum over channels, hence no matrix product to hand over: this is the one
convolution that a compiled loop does best. The channels lie side by side in memory,
so the innermost loop runs over them and becomes vector instructions.

Knows: arrays (N, height, width, channels). Does not know: networks.
"""

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.kernels.bias import LIMITS, add_bias_plain
from mrnn_np.kernels.room import OUTSIDE, Room
from mrnn_np.kernels.windows import Pair, count_positions, pair, resolve_padding


def depthwise_plain(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    stride: int | Pair = 1,
    padding: int | str | tuple = 0,
    activation: str | None = None,
) -> np.ndarray:
    """Sum over all windows of a padded copy: the twin of `depthwise`."""
    kernel, stride = weight.shape[:2], pair(stride)
    sides = resolve_padding(padding, x.shape[1:3], kernel, stride)
    padded = np.pad(x, ((0, 0), *sides, (0, 0)))
    windows = sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]  # (N, H', W', C, kh, kw)
    return add_bias_plain(
        np.einsum("nyxcij,ijc->nyxc", windows, weight), bias, activation
    )


def depthwise(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    stride: int | Pair = 1,
    padding: int | str | tuple = 0,
    activation: str | None = None,
    room: Room = OUTSIDE,
) -> np.ndarray:
    """Convolve each channel with its own filter, add the bias, apply the activation.

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    weight : (kh, kw, C), bias : (C,), same dtype.
    stride, padding, activation, room : as in `convolution`.

    Returns (N, H', W', C).

    Raises
    ------
    ValueError : another number of channels in `x` than in `weight`, or a window larger
        than the padded picture.
    """
    kernel, stride = weight.shape[:2], pair(stride)
    if x.shape[3] != weight.shape[2]:
        raise ValueError(f"{x.shape[3]} channels, but weights for {weight.shape[2]}")
    sides = resolve_padding(padding, x.shape[1:3], kernel, stride)
    height, width = (
        count_positions(x.shape[1 + axis], kernel[axis], stride[axis], sides[axis])
        for axis in (0, 1)
    )
    out = room.empty((len(x), height, width, x.shape[3]), x.dtype)
    corner = (sides[0][0], sides[1][0])
    low, high = (x.dtype.type(limit) for limit in LIMITS[activation])
    rest = (np.ascontiguousarray(x), weight, bias, stride, corner, low, high, out)
    lines = room.shares(len(x) * height)
    room.each(_depthwise, [(*rest, first, last) for first, last in lines])
    return out


@njit(cache=True, fastmath={"contract"}, nogil=True)
def _depthwise(x, weight, bias, stride, corner, low, high, out, first, last):
    """Compute the lines first, ..., last - 1, counted through all images."""
    _, height, width, channels = x.shape
    for line in range(first, last):
        n, y = divmod(line, out.shape[1])
        top = y * stride[0] - corner[0]
        for column in range(out.shape[2]):
            left = column * stride[1] - corner[1]
            row = out[n, y, column]
            for c in range(channels):
                row[c] = bias[c]
            # The part of the window that lies inside the picture.
            for i in range(max(0, -top), min(weight.shape[0], height - top)):
                for j in range(max(0, -left), min(weight.shape[1], width - left)):
                    pixel, factor = x[n, top + i, left + j], weight[i, j]
                    for c in range(channels):
                        row[c] += pixel[c] * factor[c]
            for c in range(channels):
                value = row[c]
                value = low if value < low else value
                row[c] = high if value > high else value
