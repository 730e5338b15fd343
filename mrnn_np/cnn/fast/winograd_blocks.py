"""Winograd's convolution, a work item at a time.

Tiles are taken in blocks, so that a transformed block (winograd.py) stays in the cache
between input transform, 36 matrix products and output transform. A large map would
otherwise go through memory four times.

Every block sends all filters through the cache, four times as many numbers as the 3 x 3
filters have. Where a network has few tiles and many channels, the tiles are therefore
transformed first, all of them, and a work item of the second instruction multiplies
many tiles by few filters.

Knows: records of a program (cnn/fast/program.py), memory. Does not know: threads.
"""

import numpy as np
from numba import njit

from mrnn_np.cnn.fast.bands import ONE, ZERO, panel, panels_of, products
from mrnn_np.cnn.fast.registers import LANES
from mrnn_np.cnn.fast.winograd import POINTS, TILE, input_transform, output_transform

NO_LIMITS = np.float32(-np.inf), np.float32(np.inf)


@njit(fastmath=False)
def winograd_item(op, item, memory, weights, offsets, scratch):
    """Convolve some tiles, all channels, with everything between in the scratch."""
    first = item * op.block
    count = min(op.block, _tiles(op) - first)
    plane = op.block * op.pixel + LANES
    _tiles_in(op, first, count, memory, scratch, plane)
    for number in panels_of(op, ZERO):
        m = scratch + POINTS * plane
        _tiles_out(
            op, first, count, number, memory, weights, offsets, scratch, plane, m
        )


@njit(fastmath=False)
def transform_item(op, item, memory):
    """Transform some tiles, for `multiply_item`."""
    first = item * op.block
    plane = _tiles(op) * op.pixel + LANES
    count = min(op.block, _tiles(op) - first)
    at = op.middle + first * op.pixel
    _tiles_in(op, first, count, memory, at, plane)


@njit(fastmath=False)
def multiply_item(op, item, memory, weights, offsets, scratch):
    """Multiply some tiles that were transformed by some panels, transform back."""
    group, block = item // op.blocks, item % op.blocks
    first = block * op.block
    plane = _tiles(op) * op.pixel + LANES
    count = min(op.block, _tiles(op) - first)
    v = op.middle + first * op.pixel
    for number in panels_of(op, group):
        _tiles_out(
            op, first, count, number, memory, weights, offsets, v, plane, scratch
        )


@njit(fastmath=False)
def _tiles(op):
    """Return the number of tiles of all images."""
    rows = (op.out_height + TILE - 1) // TILE
    return op.count * rows * ((op.out_width + TILE - 1) // TILE)


@njit(fastmath=False)
def _corner(op, tile):
    """Return image, first line and first column of the outputs of a tile."""
    rows = (op.out_height + TILE - 1) // TILE
    columns = (op.out_width + TILE - 1) // TILE
    n, tile = tile // (rows * columns), tile % (rows * columns)
    return n, TILE * (tile // columns), TILE * (tile % columns)


@njit(fastmath=False)
def _tiles_in(op, first, count, memory, v, plane):
    """Transform tiles first, first + 1, ...: v[k] is (tiles, pixel).

    The planes v[k] lie a little more than that apart: if it were a power of 2, the 36
    numbers of a channel would compete for the same few offsets of the cache.
    """
    offsets = np.empty(POINTS, np.int64)
    for t in range(count):
        n, top, left = _corner(op, first + t)
        for i in range(6):
            y = top + i - op.top
            for j in range(6):
                x = left + j - op.left
                if 0 <= y < op.height and 0 <= x < op.width:
                    at = (n * op.height + y) * op.width + x
                    offsets[6 * i + j] = op.x + at * op.pixel
                else:
                    offsets[6 * i + j] = 0  # where memory holds zeros, a pixel long
        for shift in range(0, op.pixel, LANES):
            input_transform(memory, offsets, shift, v + t * op.pixel + shift, plane)


@njit(fastmath=False)
def _tiles_out(op, first, count, number, memory, weights, offsets, v, plane, m):
    """Multiply tiles by one panel of filters, and transform the sums to outputs.

    The products get no bias yet: weights begin with zeros. What hangs over the edge of
    the map goes behind the sums, and is forgotten.
    """
    begin, vectors, _ = panel(op.vectors, number)
    width = vectors * LANES
    sums = op.block * width + LANES  # from m[k] to m[k + 1]
    filters = op.weights + POINTS * op.channels * begin * LANES
    for k in range(POINTS):
        source = v + k * plane, ZERO, op.pixel
        target = m + k * sums, ZERO, width
        products(
            memory, offsets, (ONE, count), source, target, (ONE, ZERO, op.channels),
            weights, filters + k * op.channels * width, ZERO, vectors, NO_LIMITS,
        )  # fmt: skip
    nowhere = m + POINTS * sums
    pixels = np.empty(TILE * TILE, np.int64)
    for t in range(count):
        n, top, left = _corner(op, first + t)
        for i in range(TILE):
            for j in range(TILE):
                if top + i < op.out_height and left + j < op.out_width:
                    at = (n * op.out_height + top + i) * op.out_width + left + j
                    pixels[TILE * i + j] = op.out + at * op.out_pixel + begin * LANES
                else:
                    pixels[TILE * i + j] = nowhere
        for shift in range(0, width, LANES):
            bias = op.bias + begin * LANES + shift
            at = m + t * width + shift
            output_transform(
                memory, at, sums, pixels, shift, weights, bias, op.low, op.high
            )
