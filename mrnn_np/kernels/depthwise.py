"""Depthwise convolution: every channel has one small filter of its own.

    out[n, y, x, c] = bias[c] + sum over i, j of
                      x[n, y*stride + i - top, x*stride + j - left, c] * w[i, j, c]

There is no sum over channels, hence no matrix product to hand over: this is the one
convolution that a compiled loop does best. The channels lie side by side in memory,
so the innermost loop runs over them and becomes vector instructions.

What takes time is not the arithmetic but loading and storing. Four neighbouring outputs
need the same row of the filter and mostly the same pixels, so they are computed
together, a whole row of the filter at a time: 12 (5 x 5: 20) multiplications for 17
(21) numbers loaded and stored, instead of one for four. 1.6 times as fast.

Knows: arrays (N, height, width, channels). Does not know: networks.
"""

import functools

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
    compute = depthwise_kernel(kernel[1])
    room.each(compute, [(*rest, first, last) for first, last in lines])
    return out


@functools.cache
def depthwise_kernel(width):
    """Return the kernel for filters so wide: the compiler must know, to unroll it.

    See `depthwise_lines` in it, which `mrnn_np.kernels.bottleneck` uses too.
    """

    @njit(cache=True, fastmath={"contract"}, nogil=True)
    def depthwise_lines(x, weight, bias, stride, corner, low, high, out, first, last):
        """Compute the lines first, ..., last - 1, counted through all images."""
        _, height, length, channels = x.shape
        step, infinity = stride[1], x.dtype.type(np.inf)
        for line in range(first, last):
            n, y = divmod(line, out.shape[1])
            top = y * stride[0] - corner[0]
            # The rows of the filter that lie inside the picture.
            begin, end = max(0, -top), min(weight.shape[0], height - top)
            column = 0
            while column < out.shape[2]:
                left = column * step - corner[1]
                inside = left >= 0 and left + 3 * step + width <= length
                if begin < end and inside and column + 4 <= out.shape[2]:
                    o0, o1 = out[n, y, column], out[n, y, column + 1]
                    o2, o3 = out[n, y, column + 2], out[n, y, column + 3]
                    for c in range(channels):
                        b = bias[c]
                        o0[c], o1[c], o2[c], o3[c] = b, b, b, b
                    lower, upper = -infinity, infinity
                    for i in range(begin, end):
                        pixels, factors = x[n, top + i], weight[i]
                        p = pixels[left:]
                        if i == end - 1:  # the sum is complete
                            lower, upper = low, high
                        for c in range(channels):
                            a0, a1, a2, a3 = o0[c], o1[c], o2[c], o3[c]
                            for j in range(width):
                                factor = factors[j, c]
                                a0 += p[j, c] * factor
                                a1 += p[step + j, c] * factor
                                a2 += p[2 * step + j, c] * factor
                                a3 += p[3 * step + j, c] * factor
                            a0, a1 = max_(a0, lower), max_(a1, lower)
                            a2, a3 = max_(a2, lower), max_(a3, lower)
                            o0[c], o1[c] = min_(a0, upper), min_(a1, upper)
                            o2[c], o3[c] = min_(a2, upper), min_(a3, upper)
                    column += 4
                else:  # at the left and the right edge: one output, tap by tap
                    row = out[n, y, column]
                    for c in range(channels):
                        row[c] = bias[c]
                    for i in range(begin, end):
                        for j in range(max(0, -left), min(width, length - left)):
                            pixel, factor_ = x[n, top + i, left + j], weight[i, j]
                            for c in range(channels):
                                row[c] += pixel[c] * factor_[c]
                    for c in range(channels):
                        row[c] = min_(max_(row[c], low), high)
                    column += 1

    return depthwise_lines


@njit(cache=True)
def max_(value, low):
    """Return the larger; a NaN stays a NaN, and this comparison vectorises."""
    return low if value < low else value


@njit(cache=True)
def min_(value, high):
    """Return the smaller; a NaN stays a NaN."""
    return high if value > high else value
