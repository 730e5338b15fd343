"""Winograd's convolution, a unit of work at a time.

Tiles are taken in blocks, so that the points of a block (kernels/winograd.py) stay in
the cache between its three steps: to the points, 36 matrix products, and back. A large
map would otherwise go through memory four times.

Every block sends all filters through the cache, four times as many numbers as the 3 x 3
filters have. Where a network has few tiles and many channels, the tiles are therefore
transformed first, all of them, and a unit of the second step multiplies many tiles by
few filters.

Knows: records of a program (kernels/program.py), memory. Does not know: threads.
"""

import numpy as np
from numba import njit

from mrnn_np.kernels.bands import ONE, ZERO, panel, panels_of, products
from mrnn_np.kernels.registers import LANES
from mrnn_np.kernels.winograd import POINTS, TILE, from_points, to_points

NO_LIMITS = np.float32(-np.inf), np.float32(np.inf)


@njit(fastmath=False)
def winograd(step, unit, memory, weights, places, scratch):
    """Convolve some tiles, all channels, with everything between in the scratch."""
    first = unit * step.block
    count = min(step.block, _tiles(step) - first)
    plane = step.block * step.pixel + LANES
    _tiles_in(step, first, count, memory, scratch, plane)
    for number in panels_of(step, ZERO):
        m = scratch + POINTS * plane
        _tiles_out(
            step, first, count, number, memory, weights, places, scratch, plane, m
        )


@njit(fastmath=False)
def transform(step, unit, memory):
    """Transform some tiles, for `multiply`."""
    first = unit * step.block
    plane = _tiles(step) * step.pixel + LANES
    count = min(step.block, _tiles(step) - first)
    at = step.middle + first * step.pixel
    _tiles_in(step, first, count, memory, at, plane)


@njit(fastmath=False)
def multiply(step, unit, memory, weights, places, scratch):
    """Multiply some tiles that were transformed by some panels, transform back."""
    group, block = unit // step.blocks, unit % step.blocks
    first = block * step.block
    plane = _tiles(step) * step.pixel + LANES
    count = min(step.block, _tiles(step) - first)
    v = step.middle + first * step.pixel
    for number in panels_of(step, group):
        _tiles_out(
            step, first, count, number, memory, weights, places, v, plane, scratch
        )


@njit(fastmath=False)
def _tiles(step):
    """Return the number of tiles of all images."""
    down = (step.out_height + TILE - 1) // TILE
    return step.count * down * ((step.out_width + TILE - 1) // TILE)


@njit(fastmath=False)
def _corner(step, tile):
    """Return image, first line and first column of the outputs of a tile."""
    down = (step.out_height + TILE - 1) // TILE
    across = (step.out_width + TILE - 1) // TILE
    n, tile = tile // (down * across), tile % (down * across)
    return n, TILE * (tile // across), TILE * (tile % across)


@njit(fastmath=False)
def _tiles_in(step, first, count, memory, v, plane):
    """Write the points of tiles first, first + 1, ...: v[k] is (tiles, pixel).

    The planes v[k] lie a little more than that apart: if it were a power of 2, the 36
    numbers of a channel would compete for the same few places of the cache.
    """
    places = np.empty(POINTS, np.int64)
    for t in range(count):
        n, top, left = _corner(step, first + t)
        for i in range(6):
            y = top + i - step.top
            for j in range(6):
                x = left + j - step.left
                if 0 <= y < step.height and 0 <= x < step.width:
                    at = (n * step.height + y) * step.width + x
                    places[6 * i + j] = step.x + at * step.pixel
                else:
                    places[6 * i + j] = 0  # where memory holds zeros, a pixel long
        for shift in range(0, step.pixel, LANES):
            to_points(memory, places, shift, v + t * step.pixel + shift, plane)


@njit(fastmath=False)
def _tiles_out(step, first, count, number, memory, weights, places, v, plane, m):
    """Multiply points by one panel of filters, and transform the sums to outputs.

    The products get no bias yet: weights begin with zeros. What hangs over the edge of
    the map goes behind the sums, and is forgotten.
    """
    begin, vectors, _ = panel(step.vectors, number)
    width = vectors * LANES
    sums = step.block * width + LANES  # from m[k] to m[k + 1]
    filters = step.weights + POINTS * step.channels * begin * LANES
    for k in range(POINTS):
        source = v + k * plane, ZERO, step.pixel
        target = m + k * sums, ZERO, width
        products(
            memory, places, (ONE, count), source, target, (ONE, ZERO, step.channels),
            weights, filters + k * step.channels * width, ZERO, vectors, NO_LIMITS,
        )  # fmt: skip
    nowhere = m + POINTS * sums
    pixels = np.empty(TILE * TILE, np.int64)
    for t in range(count):
        n, top, left = _corner(step, first + t)
        for i in range(TILE):
            for j in range(TILE):
                if top + i < step.out_height and left + j < step.out_width:
                    at = (n * step.out_height + top + i) * step.out_width + left + j
                    pixels[TILE * i + j] = (
                        step.out + at * step.out_pixel + begin * LANES
                    )
                else:
                    pixels[TILE * i + j] = nowhere
        for shift in range(0, width, LANES):
            bias = step.bias + begin * LANES + shift
            at = m + t * width + shift
            from_points(
                memory, at, sums, pixels, shift, weights, bias, step.low, step.high
            )
