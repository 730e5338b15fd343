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
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.kernels.bias import add_bias, add_bias_plain
from mrnn_np.kernels.windows import Pair, count_positions, pair, resolve_padding

# Bytes of windows that are laid out at once.
BLOCK = 1 << 20
FEWEST_ROWS = 512


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

    Returns (N, H', W', O).

    Raises
    ------
    ValueError : channels, groups and weights that do not go together, or a window
        larger than the padded picture.
    """
    kernel, stride, sides, size = _geometry(x, weight, stride, padding, groups)
    out = np.empty((len(x), *size, weight.shape[3]), x.dtype)
    if kernel == stride == (1, 1) and sides == ((0, 0), (0, 0)) and groups == 1:
        _pointwise(x, weight, bias, activation, out)
        return out

    c_in, o_in = weight.shape[2], weight.shape[3] // groups
    window = kernel[0] * kernel[1] * c_in  # numbers in one window
    bands = max(1, _rows_at_once(window, x) // size[1])  # lines of output a block
    bands, images = min(bands, size[0]), max(1, bands // size[0])
    columns = np.empty((images * bands * size[1], window), x.dtype)
    for g in range(groups):
        filters = weight[..., g * o_in : (g + 1) * o_in].reshape(window, o_in)
        for n in range(0, len(x), images):
            part = x[n : n + images, ..., g * c_in : (g + 1) * c_in]
            windows = _windows(part, kernel, stride, sides)
            for y in range(0, size[0], bands):
                block = windows[:, y : y + bands]  # (images, bands, W', kh, kw*c)
                target = out[n : n + images, y : y + bands, :, g * o_in :][..., :o_in]
                rows = columns[: np.prod(block.shape[:3])]
                np.copyto(rows.reshape(block.shape), block)
                result = rows @ filters
                add_bias(result, bias[g * o_in : (g + 1) * o_in], activation)
                target[...] = result.reshape(target.shape)
    return out


def _rows_at_once(length, x):
    """Return how many rows of so many numbers make a block."""
    return max(FEWEST_ROWS, BLOCK // (length * x.itemsize))


def _pointwise(x, weight, bias, activation, out):
    """Convolve with 1x1 filters: every pixel is already its own window."""
    filters = weight[0, 0]  # (c_in, c_out)
    rows, results = x.reshape(-1, len(filters)), out.reshape(-1, filters.shape[1])
    step = _rows_at_once(sum(filters.shape), x)
    for p in range(0, len(rows), step):
        np.matmul(rows[p : p + step], filters, out=results[p : p + step])
        add_bias(results[p : p + step], bias, activation)


def _windows(x, kernel, stride, sides):
    """Return a view of all windows of a padded copy: (N, H', W', kh, kw * C).

    With the channels last, the kw * C numbers of one row of a window already lie side
    by side in memory: windows slide over pixels merged with channels, C at a time, and
    copying them moves long runs.
    """
    count, height, width, channels = x.shape
    (top, bottom), (left, right) = sides
    shape = (count, height + top + bottom, width + left + right, channels)
    padded = np.zeros(shape, x.dtype)
    padded[:, top : top + height, left : left + width] = x
    padded = padded.reshape(*shape[:2], -1)  # (N, H, W * C)
    windows = sliding_window_view(padded, (kernel[0], kernel[1] * channels), (1, 2))
    return windows[:, :: stride[0], :: stride[1] * channels]


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
