"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications.

One 6 x 6 tile d of the input holds all that 4 x 4 outputs of a 3 x 3 filter g need.
Directly they cost 144 multiplications a channel. Winograd's way costs 36:

    Y = A^T [ (G g G^T) * (B^T d B) ] A            * element by element

It is the evaluation of polynomials at the points 0, 1, -1, 2, -2 and infinity: the
product of two polynomials is the product of their values, and B^T and A^T go there and
back. The filters are transformed once. Both transforms of the data are additions; the
36 products, summed over the channels, are 36 matrix products over all tiles:

    V[k] (tiles, C) @ U[k] (C, O) = M[k] (tiles, O),   k = 0..35

Tiles are taken in blocks, so that V and M of a block stay in cache between the three
steps: a large map would otherwise go through memory four times.

The price: tiles that hang over the edge, and rounding, because values near 2^4 cancel.
In float32 the result differs from the direct sum by 1e-5 of the largest at most.

Source: Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016),
sections 4.1 and 4.3; Winograd, "Arithmetic complexity of computations" (1980).

Knows: arrays (N, height, width, channels), filters 3 x 3, stride 1. Does not know:
networks.
"""

import numpy as np
from numba import njit

from mrnn_np.kernels.bias import LIMITS, add_bias_plain
from mrnn_np.kernels.room import OUTSIDE, Room
from mrnn_np.kernels.windows import count_positions, resolve_padding

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
# Row p holds the powers 1, p, p^2 of a point p, divided by the product of its
# distances to the other points; the last row is the point at infinity.
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

FEWEST_TILES = 112  # of a block
LANES = 16  # channels that a transform takes at once, in 5 kB of scratch


def worth_while(tiles: int, c_in: int, c_out: int) -> bool:
    """Say whether `winograd` is faster than the direct sum, from the shapes alone.

    BLAS packs the filters for every product, and 36 matrices need four times the
    packing of 9. Many tiles pay for it; so do few, if the filters are small. Measured
    gains (one thread): 16 tiles 32 -> 128 channels 1.5, 64 -> 256 1.6, 256 -> 256 1.1,
    512 -> 512 1.0; 32 tiles of 512 -> 512 1.3, 49 tiles 2.1, 3136 tiles of 64 2.6, 196
    tiles of 16 -> 64 1.4.
    """
    if min(c_in, c_out) < LANES:
        return False
    return tiles >= 32 or c_in * c_out <= 1 << 16


def transform_filters(weight: np.ndarray) -> np.ndarray:
    """Return ``U = G g G^T`` of every filter, for `winograd`.

    Parameters
    ----------
    weight : (3, 3, C, O), float32 or float64.

    Returns (36, C, O), same dtype, computed in float64.
    """
    taps = weight.reshape(9, -1).astype(np.float64)  # (3, 3, C, O) -> (9, C*O)
    u = np.kron(G, G) @ taps  # rows of G g G^T: (36, C*O)
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
    down, across = -(-height // TILE), -(-width // TILE)
    # Zeros below and to the right fill the last tiles.
    bottom += down * TILE - height
    right += across * TILE - width
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (6, 6), axis=(1, 2))
    tiles = tiles[:, ::TILE, ::TILE]  # (N, down, across, C, 6, 6)
    v = B_T @ tiles @ B_T.T
    u = G @ weight.transpose(2, 3, 0, 1) @ G.T  # (C, O, 6, 6)
    m = np.einsum("nyxcij,coij->nyxoij", v, u)
    y = A_T @ m @ A_T.T  # (N, down, across, O, 4, 4)
    y = y.transpose(0, 1, 4, 2, 5, 3)  # (N, down, 4, across, 4, O)
    out = y.reshape(len(x), down * TILE, across * TILE, -1)[:, :height, :width]
    return add_bias_plain(out.astype(x.dtype), bias, activation)


def winograd(
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray,
    padding: int | str | tuple = 0,
    activation: str | None = None,
    room: Room = OUTSIDE,
) -> np.ndarray:
    """Convolve with filters of 3 x 3 and stride 1, add the bias, apply the activation.

    Parameters
    ----------
    x : (N, H, W, C) float32 or float64.
    filters : (36, C, O), same dtype, from `transform_filters`.
    bias : (O,), same dtype.
    padding, activation, room : as in `convolution`.

    Returns (N, H', W', O).

    Raises
    ------
    ValueError : another number of channels in `x` than in the filters, or fewer than
        LANES in or out, or a window larger than the padded picture.
    """
    _, c_in, c_out = filters.shape
    if x.shape[3] != c_in or min(c_in, c_out) < LANES:
        raise ValueError(
            f"{x.shape[3]} channels, filters for {c_in} to {c_out}: these must agree "
            f"and be {LANES} at least"
        )
    sides = resolve_padding(padding, x.shape[1:3], (3, 3), (1, 1))
    height, width = (
        count_positions(x.shape[axis + 1], 3, 1, sides[axis]) for axis in (0, 1)
    )
    out = room.empty((len(x), height, width, c_out), x.dtype)
    corner, x = (sides[0][0], sides[1][0]), np.ascontiguousarray(x)
    low, high = (x.dtype.type(limit) for limit in LIMITS[activation])
    total = len(x) * -(-height // TILE) * -(-width // TILE)
    # A block's V and M stay in the cache (2 MB for 64 channels), but they are as large
    # as the filters at least, which every block sends through the cache once.
    most = max(FEWEST_TILES, c_in * c_out // (c_in + c_out))

    def work(first, last, start, stop):
        """Compute the channels start, ..., stop - 1 of tiles first, ..., last - 1."""
        block = min(most, last - first)
        v = _planes(room, block, c_in, x.dtype)
        m = _planes(room, block, stop - start, x.dtype)
        scratch = np.empty((2, 36 * LANES), x.dtype)
        for tile in range(first, last, block):
            count = min(block, last - tile)
            input_tiles(x, corner, out.shape, tile, scratch, v[:, :count])
            np.matmul(v[:, :count], filters[..., start:stop], out=m[:, :count])
            output_tiles(
                m[:, :count], bias[start:stop], low, high, tile, start, scratch, out
            )

    room.each(work, room.tasks(total, most, c_out, LANES))
    return out


def _planes(room, tiles, channels, dtype):
    """Return an array (36, tiles, channels) whose 36 planes do not lie 2^k apart.

    Otherwise the 36 numbers of a channel would all compete for the same few places of
    the cache.
    """
    planes = room.empty((36, tiles * channels + LANES), dtype)
    return planes[:, : tiles * channels].reshape(36, tiles, channels)


# The loops over c below become vector instructions, but only if the compiler sees that
# the 36 numbers of a channel never overlap. Hence the scratch: they lie LANES apart in
# it, a constant. (With distances in variables these transforms took 10 times as long.)
# A pass transforms the columns of all 6 x 6 numbers and leaves them transposed; a
# second pass does the other side and transposes them back.


@njit(cache=True, fastmath={"contract"}, nogil=True)
def input_tiles(x, corner, out_shape, first, scratch, v):
    """Write B^T d B of the tiles first, first + 1, ... into v (36, tiles, C)."""
    across = (out_shape[2] + TILE - 1) // TILE
    down = (out_shape[1] + TILE - 1) // TILE
    _, height, width, channels = x.shape
    # One index instead of four: finding a pixel took 3 times as long as copying it.
    numbers = x.reshape(-1)
    here, there = scratch[0], scratch[1]
    for t in range(v.shape[1]):
        n, place = divmod(first + t, down * across)
        top = TILE * (place // across) - corner[0]
        left = TILE * (place % across) - corner[1]
        for start in range(0, channels, LANES):
            c0 = min(start, channels - LANES)  # the last may overlap the one before
            for i in range(6):
                for j in range(6):
                    at = (6 * i + j) * LANES
                    row, column = top + i, left + j
                    if 0 <= row < height and 0 <= column < width:
                        pixel = ((n * height + row) * width + column) * channels
                        source = numbers[pixel + c0 :]
                        for c in range(LANES):
                            here[at + c] = source[c]
                    else:
                        for c in range(LANES):
                            here[at + c] = 0
            _to_points(here, there)
            _to_points(there, here)
            for k in range(36):
                target = v[k, t, c0:]
                for c in range(LANES):
                    target[c] = here[k * LANES + c]


@njit(cache=True, fastmath={"contract"}, nogil=True)
def _to_points(source, target):
    """Write (B^T d)^T of 6 x 6 numbers d, for every lane."""
    # A plain 4 would promote float32 to float64.
    real = source.dtype.type
    two, four, five = real(2), real(4), real(5)
    for j in range(6):
        for c in range(LANES):
            at, to = j * LANES + c, 6 * j * LANES + c
            d0, d1 = source[at], source[at + 6 * LANES]
            d2, d3 = source[at + 12 * LANES], source[at + 18 * LANES]
            d4, d5 = source[at + 24 * LANES], source[at + 30 * LANES]
            even, odd = d4 - four * d2, d3 - four * d1  # at the points 1 and -1
            even2, odd2 = d4 - d2, two * (d3 - d1)  # at the points 2 and -2
            target[to] = four * d0 - five * d2 + d4
            target[to + LANES] = even + odd
            target[to + 2 * LANES] = even - odd
            target[to + 3 * LANES] = even2 + odd2
            target[to + 4 * LANES] = even2 - odd2
            target[to + 5 * LANES] = four * d1 - five * d3 + d5


@njit(cache=True, fastmath={"contract"}, nogil=True)
def output_tiles(m, bias, low, high, first, start, scratch, out):
    """Write clip(A^T m A + bias) of the tiles first, first + 1, ... into out.

    m (36, tiles, channels) and bias belong to the channels of out from start on.
    """
    across = (out.shape[2] + TILE - 1) // TILE
    down = (out.shape[1] + TILE - 1) // TILE
    _, height, width, all_channels = out.shape
    channels = len(bias)
    numbers = out.reshape(-1)
    here, there = scratch[0], scratch[1]
    for t in range(m.shape[1]):
        n, place = divmod(first + t, down * across)
        top, left = TILE * (place // across), TILE * (place % across)
        for begin in range(0, channels, LANES):
            c0 = min(begin, channels - LANES)  # the last may overlap the one before
            for k in range(36):
                source = m[k, t, c0:]
                for c in range(LANES):
                    here[k * LANES + c] = source[c]
            _from_points(here, there, 6)
            _from_points(there, here, TILE)
            shift = bias[c0:]
            for i in range(min(TILE, height - top)):
                for j in range(min(TILE, width - left)):
                    at = (6 * i + j) * LANES
                    pixel = (n * height + top + i) * width + left + j
                    target = numbers[pixel * all_channels + start + c0 :]
                    for c in range(LANES):
                        value = here[at + c] + shift[c]
                        value = low if value < low else value
                        target[c] = high if value > high else value


@njit(cache=True, fastmath={"contract"}, nogil=True)
def _from_points(source, target, columns):
    """Write (A^T m)^T of 6 x `columns` numbers m, for every lane."""
    real = source.dtype.type
    two, four, eight = real(2), real(4), real(8)
    for j in range(columns):
        for c in range(LANES):
            at, to = j * LANES + c, 6 * j * LANES + c
            m0, m1 = source[at], source[at + 6 * LANES]
            m2, m3 = source[at + 12 * LANES], source[at + 18 * LANES]
            m4, m5 = source[at + 24 * LANES], source[at + 30 * LANES]
            even, odd, even2, odd2 = m1 + m2, m1 - m2, m3 + m4, m3 - m4
            target[to] = m0 + even + even2
            target[to + LANES] = odd + two * odd2
            target[to + 2 * LANES] = even + four * even2
            target[to + 3 * LANES] = odd + eight * odd2 + m5
