"""Convolution as a matrix product (what deep learning calls convolution).

    out[n, y, x, o] = bias[o] + sum over i, j, c of
                      x[n, y*stride + i - top, x*stride + j - left, c] * w[i, j, c, o]

Every window is laid out as one row of a matrix ("im2col"), every filter as one
column; one product gives all outputs. A depthwise convolution has one filter a channel
and no sum over channels:

    out[n, y, x, c] = bias[c] + sum over i, j of
                      x[n, y*stride + i - top, x*stride + j - left, c] * w[i, j, c]

This is the plain version, in NumPy; the fast engine (cnn/fast) needs no such matrix,
and is tested against it. Only this one has groups: no network here uses them, but
lesson 6 shows AlexNet's two towers with them.

Knows: arrays (N, height, width, channels), windows, groups. Does not know: networks.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.cnn.windows import Pair, count_positions, pair, resolve_padding

# What each activation does to a number: clip it to [low, high].
LIMITS = {
    None: (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
}


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

    With groups, output channel o sees only the input channels of its own group (AlexNet
    had two, one a GPU).

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    weight : (kh, kw, C / groups, O), same dtype.
    bias : (O,), same dtype.
    stride : from one window to the next, one number or (vertical, horizontal).
    padding : pixels of zeros around the picture, see `resolve_padding`.
    groups : number of groups that C and O are split into.
    activation : None, ``"relu"`` or ``"relu6"``.

    Returns (N, H', W', O).

    Raises
    ------
    ValueError : channels, groups and weights that do not go together, or a window
        larger than the padded picture.
    """
    c_in, c_out = weight.shape[2], weight.shape[3]
    if x.shape[3] != c_in * groups or c_out % groups:
        raise ValueError(
            f"{x.shape[3]} channels in {groups} group(s) do not fit weights of shape "
            f"{weight.shape}"
        )
    windows = _windows(x, weight.shape[:2], pair(stride), padding)
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (N, H', W', kh, kw, C)
    outputs = []
    for g in range(groups):
        part = windows[..., g * c_in : (g + 1) * c_in]
        rows = part.reshape(*part.shape[:3], -1)  # (N, H', W', kh*kw*c_in)
        filters = np.split(weight, groups, axis=3)[g]
        outputs.append(rows @ filters.reshape(-1, c_out // groups))
    return add_bias(np.concatenate(outputs, axis=3), bias, activation)


def depthwise(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    stride: int | Pair = 1,
    padding: int | str | tuple = 0,
    activation: str | None = None,
) -> np.ndarray:
    """Convolve each channel with its own filter, add the bias, apply the activation.

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    weight : (kh, kw, C), bias : (C,), same dtype.
    stride, padding, activation : as in `convolution`.

    Returns (N, H', W', C).

    Raises
    ------
    ValueError : another number of channels in `x` than in `weight`, or a window larger
        than the padded picture.
    """
    if x.shape[3] != weight.shape[2]:
        raise ValueError(f"{x.shape[3]} channels, but weights for {weight.shape[2]}")
    windows = _windows(x, weight.shape[:2], pair(stride), padding)
    return add_bias(np.einsum("nyxcij,ijc->nyxc", windows, weight), bias, activation)


def _windows(
    x: np.ndarray, kernel: Pair, stride: Pair, padding: int | str | tuple
) -> np.ndarray:
    """Return the windows (N, H', W', C, kh, kw) of a padded copy."""
    sides = resolve_padding(padding, x.shape[1:3], kernel, stride)
    for axis in (0, 1):
        count_positions(x.shape[1 + axis], kernel[axis], stride[axis], sides[axis])
    padded = np.pad(x, ((0, 0), *sides, (0, 0)))
    windows = sliding_window_view(padded, kernel, axis=(1, 2))
    return windows[:, :: stride[0], :: stride[1]]


def add_bias(
    rows: np.ndarray, bias: np.ndarray, activation: str | None = None
) -> np.ndarray:
    """Return ``min(max(rows + bias, low), high)``, the end of every convolution.

    Parameters
    ----------
    rows : (..., C), float32 or float64.
    bias : (C,), same dtype.
    activation : None, ``"relu"`` (0 and above) or ``"relu6"`` (0 to 6).

    A NaN stays a NaN, as in PyTorch.
    """
    return np.clip(rows + bias, *LIMITS[activation]).astype(rows.dtype)
