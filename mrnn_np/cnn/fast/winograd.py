"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications.

One 6 x 6 tile d of the input holds all that 4 x 4 outputs of a 3 x 3 filter g need.
Directly they cost 144 multiplications a channel. Winograd's way costs 36:

    Y = A^T [ (G g G^T) * (B^T d B) ] A            * element by element

It comes from multiplying polynomials by their values at the points 0, 1, -1, 2, -2 and
infinity. Sliding a filter over data is that multiplication transposed, so G evaluates
the filter at the points, B^T is the transpose of interpolation, and A^T that of
evaluation. The filters are transformed once. The input transform B^T d B and the output
transform A^T m A are additions and small factors; the 36 products, summed over the
channels, are 36 matrix products:

    V[k] (tiles, C) @ U[k] (C, O) = M[k] (tiles, O),   k = 0..35

The price: tiles that hang over the edge, and rounding, because values near 2^4 cancel.
In float32 the result differs from the direct sum by 1e-5 of the largest at most.

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016),
sections 4.1 and 4.3; Winograd, "Arithmetic complexity of computations" (1980).

Here are the equation and, in vectors, the two transforms of one tile; blocks of tiles
are in winograd_blocks.py.

Knows: filters 3 x 3, stride 1, tiles. Does not know: networks.
"""

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from mrnn_np.cnn.convolution import add_bias
from mrnn_np.cnn.fast.registers import LANES, Writer
from mrnn_np.cnn.windows import resolve_padding

TILE = 4  # outputs of a tile, each way; its inputs are TILE + 2

B_T = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    float,
)
# Row p holds the powers 1, p, p^2 of a point p, divided by the product of p - q over
# the other points q; the last row is the point at infinity.
G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
# Column p holds the powers 1, p, p^2, p^3.
A_T = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    float,
)

POINTS = 36  # of a tile, after its transform


def transform_filters(weight: np.ndarray) -> np.ndarray:
    """Return ``U = G g G^T`` of every filter.

    Parameters
    ----------
    weight : (3, 3, C, O), float32 or float64.

    Returns (36, C, O), same dtype, computed in float64.
    """
    kernel_w = weight.reshape(9, -1).astype(np.float64)  # (3, 3, C, O) -> (9, C*O)
    u = np.kron(G, G) @ kernel_w  # rows of G g G^T: (36, C*O)
    return u.astype(weight.dtype).reshape(36, *weight.shape[2:])


def winograd_plain(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    padding: int | str | tuple = 0,
    activation: str | None = None,
) -> np.ndarray:
    """Convolve by the equation at the top of this file: the twin to read first.

    Same result as `convolution` with stride 1.
    """
    (top, bottom), (left, right) = resolve_padding(
        padding, x.shape[1:3], (3, 3), (1, 1)
    )
    height, width = x.shape[1] + top + bottom - 2, x.shape[2] + left + right - 2
    rows, columns = -(-height // TILE), -(-width // TILE)  # of tiles
    # Zeros below and to the right fill the last tiles.
    bottom += rows * TILE - height
    right += columns * TILE - width
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (6, 6), axis=(1, 2))
    tiles = tiles[:, ::TILE, ::TILE]  # (N, rows, columns, C, 6, 6)
    v = B_T @ tiles @ B_T.T
    u = G @ weight.transpose(2, 3, 0, 1) @ G.T  # (C, O, 6, 6)
    m = np.einsum("nyxcij,coij->nyxoij", v, u)
    y = A_T @ m @ A_T.T  # (N, rows, columns, O, 4, 4)
    y = y.transpose(0, 1, 4, 2, 5, 3)  # (N, rows, 4, columns, 4, O)
    out = y.reshape(len(x), rows * TILE, columns * TILE, -1)[:, :height, :width]
    return add_bias(out.astype(x.dtype), bias, activation)


def input_transform_plain(memory, offsets, shift, out, plane):
    """Write B^T d B of one tile and one vector of channels: twin of `input_transform`.

    Parameters
    ----------
    memory : (M,) float32, read and written.
    offsets : (36,) int64 or more: where the pixels of the tile begin, row by row.
    shift : which channel of them comes first.
    out, plane : where the first of the 36 vectors goes, and from each to the next.
    """
    d = np.stack([memory[at + shift : at + shift + LANES] for at in offsets[:POINTS]])
    v = B_T.astype(np.float32) @ d.T.reshape(LANES, 6, 6) @ B_T.T.astype(np.float32)
    for k in range(POINTS):
        memory[out + k * plane : out + k * plane + LANES] = v.reshape(LANES, -1)[:, k]


def output_transform_plain(memory, m, plane, offsets, shift, weights, bias, low, high):
    """Write clip(A^T m A + bias) of one tile and vector: twin of `output_transform`.

    Parameters
    ----------
    memory : (M,) float32, read and written.
    m, plane : where the first of 36 vectors is, and from each to the next.
    offsets : (16,) int64 or more: where the pixels of the result begin, row by row.
    shift : which channel of them comes first.
    weights, bias : the biases are weights[bias], ...
    low, high : float32, limits of the result.
    """
    rows = [memory[m + k * plane : m + k * plane + LANES] for k in range(POINTS)]
    a_t = A_T.astype(np.float32)
    y = a_t @ np.stack(rows, axis=1).reshape(LANES, 6, 6) @ a_t.T
    y = y.reshape(LANES, -1).T + weights[bias : bias + LANES]  # (16, LANES)
    for k in range(TILE * TILE):
        at = offsets[k] + shift
        memory[at : at + LANES] = np.clip(y[k], low, high)


def _b_t(w, d):
    """Return B^T d of six vectors."""
    even, odd = w.plus_scaled(d[4], -4, d[2]), w.plus_scaled(d[3], -4, d[1])
    even2, odd2 = w.minus(d[4], d[2]), w.minus(d[3], d[1])
    return [
        w.plus_scaled(w.plus_scaled(d[4], -5, d[2]), 4, d[0]),
        w.plus(even, odd),  # at the points 1
        w.minus(even, odd),  # and -1
        w.plus_scaled(even2, 2, odd2),  # at the points 2
        w.plus_scaled(even2, -2, odd2),  # and -2
        w.plus_scaled(w.plus_scaled(d[5], -5, d[3]), 4, d[1]),
    ]


def _a_t(w, m):
    """Return A^T m of six vectors, four of them."""
    even, odd = w.plus(m[1], m[2]), w.minus(m[1], m[2])
    even2, odd2 = w.plus(m[3], m[4]), w.minus(m[3], m[4])
    return [
        w.plus(w.plus(m[0], even), even2),
        w.plus_scaled(odd, 2, odd2),
        w.plus_scaled(even, 4, even2),
        w.plus(w.plus_scaled(odd, 8, odd2), m[5]),
    ]


@intrinsic
def _input_transform(typing, memory, offsets, shift, out, plane):
    def write(w, memory, offsets, shift, out, plane):
        columns = [
            _b_t(
                w,
                [
                    w.load(w.at(memory, w.number(offsets, 6 * i + j), shift))
                    for i in range(6)
                ],
            )
            for j in range(6)
        ]
        address = w.variable(w.at(memory, out))
        for i in range(6):
            for vector in _b_t(w, [column[i] for column in columns]):
                w.store(vector, w.advance(address, plane))

    whole = types.int64
    return types.void(memory, offsets, whole, whole, whole), Writer.of(write)


@intrinsic
def _output_transform(
    typing, memory, m, plane, offsets, shift, weights, bias, low, high
):
    def write(w, memory, m, plane, offsets, shift, weights, bias, low, high):
        address = w.variable(w.at(memory, m))
        rows = [[w.load(w.advance(address, plane)) for _ in range(6)] for _ in range(6)]
        columns = [_a_t(w, [row[j] for row in rows]) for j in range(6)]
        bias, low, high = (
            w.load(w.at(weights, bias)),
            w.broadcast(low),
            w.broadcast(high),
        )
        for i in range(TILE):
            line = _a_t(w, [column[i] for column in columns])
            for j in range(TILE):
                place = w.number(offsets, TILE * i + j)
                total = w.clip(w.plus(line[j], bias), low, high)
                w.store(total, w.at(memory, place, shift))

    whole, real = types.int64, types.float32
    return types.void(
        memory, whole, whole, offsets, whole, weights, whole, real, real
    ), Writer.of(write)


if config.DISABLE_JIT:
    input_transform, output_transform = input_transform_plain, output_transform_plain
else:
    input_transform, output_transform = _input_transform, _output_transform
