"""Convolution as a matrix product (what deep learning calls convolution).

    out[n, y, x, o] = bias[o] + sum over i, j, c of
                      x[n, y*stride + i - top, x*stride + j - left, c] * w[i, j, c, o]

Every window is laid out as one row of a matrix ("im2col"), every filter as one
column; one product gives all outputs. `convolution_plain` does exactly that and
nothing else. `convolution` does the same block by block, so that the matrix of
windows, kernel-area times larger than the picture, never exists as a whole.

Knows: arrays (N, height, width, channels), windows, groups. Does not know: networks.
"""

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.kernels.bias import add_bias, add_bias_plain
from mrnn_np.kernels.room import OUTSIDE, Room
from mrnn_np.kernels.windows import Pair, count_positions, pair, resolve_padding

# Bytes of windows that are laid out at once.
BLOCK = 1 << 20
FEWEST_ROWS = 512
FEW = 16  # channels


def convolution_plain(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    stride: int | Pair = 1,
    padding: int | str | tuple = 0,
    groups: int = 1,
    activation: str | None = None,
) -> np.ndarray:
    """Convolve with one matrix product a group: the twin to read first.

    Same arguments and result as `convolution`.
    """
    kernel, stride, sides, _ = _geometry(x, weight, stride, padding, groups)
    c_in, c_out = weight.shape[2], weight.shape[3]
    padded = np.pad(x, ((0, 0), *sides, (0, 0)))
    windows = sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]]  # (N, H', W', C, kh, kw)
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (N, H', W', kh, kw, C)
    outputs = []
    for g in range(groups):
        part = windows[..., g * c_in : (g + 1) * c_in]
        rows = part.reshape(*part.shape[:3], -1)  # (N, H', W', kh*kw*c_in)
        filters = np.split(weight, groups, axis=3)[g]
        outputs.append(rows @ filters.reshape(-1, c_out // groups))
    return add_bias_plain(np.concatenate(outputs, axis=3), bias, activation)


def convolution(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    stride: int | Pair = 1,
    padding: int | str | tuple = 0,
    groups: int = 1,
    activation: str | None = None,
    room: Room = OUTSIDE,
) -> np.ndarray:
    """Convolve, add the bias and apply the activation.

    The equation stands at the top of this file. With groups, output channel o sees
    only the input channels of its own group (AlexNet had two, one a GPU).

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    weight : (kh, kw, C / groups, O), same dtype.
    bias : (O,), same dtype.
    stride : step of the window, one number or (vertical, horizontal).
    padding : pixels of zeros around the picture, see `resolve_padding`.
    groups : number of groups that C and O are split into.
    activation : None, ``"relu"`` or ``"relu6"``.
    room : memory and threads to work with.

    Returns (N, H', W', O).

    Raises
    ------
    ValueError : channels, groups and weights that do not go together, or a window
        larger than the padded picture.
    """
    kernel, stride, sides, size = _geometry(x, weight, stride, padding, groups)
    out = room.empty((len(x), *size, weight.shape[3]), x.dtype)
    x = np.ascontiguousarray(x)
    if kernel == stride == (1, 1) and sides == ((0, 0), (0, 0)) and groups == 1:
        pointwise(x, weight[0, 0], bias, activation, room, out)
        return out

    c_in, o_in = weight.shape[2], weight.shape[3] // groups
    window = kernel[0] * kernel[1] * c_in  # numbers in one window
    results = out.reshape(-1, out.shape[3])  # (N*H'*W', O)
    corner = (sides[0][0], sides[1][0])

    def work(first, last, start, stop):
        """Compute channels start, ..., stop - 1 of each group of lines first, ..."""
        step = -(-_rows_at_once(window + o_in, x) // size[1])
        columns = room.empty((min(step, last - first) * size[1], window), x.dtype)
        for line in range(first, last, step):
            rows = results[line * size[1] : min(line + step, last) * size[1]]
            block = columns[: len(rows)]
            for g in range(groups):
                part = slice(g * o_in + start, g * o_in + stop)
                filters = weight.reshape(window, -1)[:, part]
                lay_out(x, g * c_in, c_in, kernel, stride, corner, size, line, block)
                np.matmul(block, filters, out=rows[:, part])
                add_bias(rows, bias, activation, (part.start, part.stop))

    least = -(-FEWEST_ROWS // size[1])
    room.each(work, room.tasks(len(x) * size[0], least, o_in, FEW))
    return out


def _rows_at_once(length, x):
    """Return how many rows of so many numbers make a block."""
    return max(FEWEST_ROWS, BLOCK // (length * x.itemsize))


def pointwise(x, filters, bias, activation, room, out):
    """Convolve with 1x1 filters (c_in, c_out): every pixel is its own window.

    x (..., c_in) and out (..., c_out), which is written, are contiguous.
    """
    c_in, c_out = filters.shape
    rows, results = x.reshape(-1, c_in), out.reshape(-1, c_out)

    def work(first, last, start, stop):
        step = _rows_at_once(c_in + c_out, x)
        for p in range(first, last, step):
            block = slice(p, min(p + step, last))
            target = results[block]
            np.matmul(rows[block], filters[:, start:stop], out=target[:, start:stop])
            add_bias(target, bias, activation, (start, stop))

    room.each(work, room.tasks(len(rows), FEWEST_ROWS, c_out, FEW))


@njit(cache=True, fastmath=False, nogil=True)
def lay_out(x, start, c_in, kernel, stride, corner, size, first, columns):
    """Write the windows of whole lines of the output into rows.

    Parameters
    ----------
    x : (N, H, W, C), of which the channels start, ..., start + c_in - 1 count.
    kernel, stride, size : of the window, the step, and the output (H', W').
    corner : rows and columns of zeros above and to the left of the picture.
    first : line that the rows begin with, counted through all images.
    columns : (lines * W', kh * kw * c_in), written.
    """
    _, height, width, channels = x.shape
    numbers, cells = x.reshape(-1), columns.reshape(-1)
    window, step = columns.shape[1], stride[1] * channels
    for line in range(columns.shape[0] // size[1]):
        n, y = divmod(first + line, size[0])
        for i in range(kernel[0]):
            row = y * stride[0] - corner[0] + i
            for j in range(kernel[1]):
                # Output columns low, ..., high - 1 find pixel j in the picture.
                low = min(size[1], max(0, (corner[1] - j + stride[1] - 1) // stride[1]))
                high = (width - 1 + corner[1] - j) // stride[1] + 1
                high = max(low, min(size[1], high))
                if row < 0 or row >= height:
                    low = high = size[1]
                target = cells[line * size[1] * window + (i * kernel[1] + j) * c_in :]
                for p in range(low):
                    target[p * window : p * window + c_in] = 0
                for p in range(high, size[1]):
                    target[p * window : p * window + c_in] = 0
                if low == high:
                    continue
                left = low * stride[1] - corner[1] + j
                source = numbers[
                    ((n * height + row) * width + left) * channels + start :
                ]
                target = target[low * window :]
                if (
                    c_in < FEW
                ):  # runs so short that to begin one costs more than to go it
                    for c in range(c_in):
                        for p in range(high - low):
                            target[p * window + c] = source[p * step + c]
                else:
                    for p in range(high - low):
                        pixel, cell = source[p * step :], target[p * window :]
                        for c in range(c_in):
                            cell[c] = pixel[c]


def _geometry(x, weight, stride, padding, groups):
    """Check the shapes; return kernel, stride, sides and output size, all as pairs."""
    kernel, stride = weight.shape[:2], pair(stride)
    if x.shape[3] != weight.shape[2] * groups or weight.shape[3] % groups:
        raise ValueError(
            f"{x.shape[3]} channels in {groups} group(s) do not fit weights of shape "
            f"{weight.shape}"
        )
    sides = resolve_padding(padding, x.shape[1:3], kernel, stride)
    size = tuple(
        count_positions(x.shape[1 + axis], kernel[axis], stride[axis], sides[axis])
        for axis in (0, 1)
    )
    return kernel, stride, sides, size
