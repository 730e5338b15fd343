"""Convolutions, a unit of work at a time: pixels in the registers, lines in the cache.

No map has padding. Filters larger than 1x1 copy a *band* of its lines into the thread's
scratch, with zeros around them, and read it from there. A depthwise layer after 1x1
filters does not copy its input: it computes it, for one panel of channels, so that the
widest maps of a network never exist as a whole.

The words (unit, band, panel, place ...) are those of kernels/program.py.

Knows: records of a program, memory. Does not know: who else works.
"""

import numpy as np
from numba import njit

from mrnn_np.kernels.registers import LANES
from mrnn_np.kernels.tiles import (
    MOST_VECTORS,
    PIXELS,
    copy_numbers,
    depthwise_line_3_1,
    depthwise_line_3_2,
    depthwise_line_5_1,
    depthwise_line_5_2,
    depthwise_tile,
    product_tile_1,
    product_tile_2,
    product_tile_3,
)

# To the compiler a tuple with a plain 0 or 1 in it is of another type than one of
# variables, and everything that takes it would be compiled once more: 1 s altogether.
ZERO, ONE = np.int64(0), np.int64(1)

# In what follows, three numbers (where, row step, column step) say how a rectangle of
# pixels lies in memory.


def panel_plain(vectors, number):
    """Return the first vector of a panel, how many it has, and how many panels.

    The vectors of a layer are dealt out evenly: 7 to panels of 2, 2 and 3.
    """
    panels = (vectors + MOST_VECTORS - 1) // MOST_VECTORS
    first = number * vectors // panels
    return first, (number + 1) * vectors // panels - first, panels


panel = njit(fastmath=False)(panel_plain)  # filters are laid out by the plain one


@njit(fastmath=False)
def panels_of(step, group):
    """Return the numbers of the panels in a group, as a range."""
    panels = panel(step.vectors, ZERO)[2]
    return range(group * panels // step.groups, (group + 1) * panels // step.groups)


@njit(fastmath=False)
def fill_places(places, row, column, left, columns, source, target):
    """Note where the next pixels of a rectangle are, for a tile.

    If fewer than PIXELS are left, the last one is noted, and computed, several times.

    Returns row and column of the pixel after them, while there is one.
    """
    x = source[0] + row * source[1] + column * source[2]
    out = target[0] + row * target[1] + column * target[2]
    if left >= PIXELS and column + PIXELS <= columns:  # all in one row: 8 ns, not 20
        for p in range(PIXELS):
            places[p] = x + p * source[2]
            places[PIXELS + p] = out + p * target[2]
        column += PIXELS
        return (row, column) if column < columns else (row + 1, 0)
    for p in range(PIXELS):
        places[p], places[PIXELS + p] = x, out
        if p < left - 1:
            column += 1
            if column == columns:
                row, column = row + 1, 0
            x = source[0] + row * source[1] + column * source[2]
            out = target[0] + row * target[1] + column * target[2]
    return row, column


@njit(fastmath=False)
def products(
    memory, places, size, source, target, window, weights, filters, bias, vectors,
    limits,
):  # fmt: skip
    """Compute one panel of output channels of a rectangle of pixels.

    Parameters
    ----------
    size : (rows, columns) of the rectangle.
    source, target : where the windows of its pixels begin, and where the sums go.
    window : (rows, row step, depth), see `product_tile_plain`.
    weights : (W,) float32; filters, bias : where the panel is in it; vectors : its
        width.
    limits : (low, high).
    """
    rows, row_step, depth = window
    low, high = limits
    row, column = ZERO, ZERO
    for left in range(size[0] * size[1], 0, -PIXELS):
        row, column = fill_places(places, row, column, left, size[1], source, target)
        if vectors == 3:
            product_tile_3(
                memory, places, rows, row_step, depth, weights, filters, bias, low, high
            )
        elif vectors == 2:
            product_tile_2(
                memory, places, rows, row_step, depth, weights, filters, bias, low, high
            )
        else:
            product_tile_1(
                memory, places, rows, row_step, depth, weights, filters, bias, low, high
            )


@njit(fastmath=False)
def pointwise(step, unit, memory, weights, places):
    """Apply some panels of 1x1 filters to some pixels of all images."""
    group, block = unit // step.blocks, unit % step.blocks
    first, pixels = pixels_of(step, block)
    for number in panels_of(step, group):
        v, vectors, _ = panel(step.vectors, number)
        source = step.x + first * step.pixel, ZERO, step.pixel
        target = step.out + first * step.out_pixel + v * LANES, ZERO, step.out_pixel
        products(
            memory, places, (ONE, pixels), source, target, (ONE, ZERO, step.channels),
            weights, step.weights + step.channels * v * LANES, step.bias + v * LANES,
            vectors, (step.low, step.high),
        )  # fmt: skip


@njit(fastmath=False)
def convolution(step, unit, memory, weights, places, scratch):
    """Apply some panels of filters to a band of an image."""
    group, block = unit // step.blocks, unit % step.blocks
    n, first, lines = band(step, block)
    columns = (step.out_width - 1) * step.along + step.taps
    needed = (lines - 1) * step.down + step.rows
    top = first * step.down - step.top
    _copy_lines(step, n, top, needed, columns, 0, step.pixel, memory, scratch)
    line = columns * step.pixel
    depth = (step.taps - 1) * step.pixel + step.channels
    out = step.out + (n * step.out_height + first) * step.out_width * step.out_pixel
    source = scratch, step.down * line, step.along * step.pixel
    for number in panels_of(step, group):
        v, vectors, _ = panel(step.vectors, number)
        target = out + v * LANES, step.out_width * step.out_pixel, step.out_pixel
        products(
            memory, places, (lines, step.out_width), source, target,
            (step.rows, line, depth),
            weights, step.weights + step.rows * depth * v * LANES,
            step.bias + v * LANES, vectors, (step.low, step.high),
        )  # fmt: skip


@njit(fastmath=False)
def depthwise(step, unit, memory, weights, places, scratch):
    """Filter one panel of channels of a band, which 1x1 filters may compute first."""
    number, block = unit // step.blocks, unit % step.blocks
    n, first, lines = band(step, block)
    v, vectors, _ = panel(step.vectors, number)
    pixel = vectors * LANES  # of the scratch
    columns = (step.out_width - 1) * step.along + step.taps
    needed = (lines - 1) * step.down + step.rows
    top = first * step.down - step.top
    line = columns * pixel
    if step.expand < 0:
        _copy_lines(step, n, top, needed, columns, v * LANES, pixel, memory, scratch)
    else:
        start, stop = max(0, -top), min(needed, step.height - top)
        width = min(step.width, columns - step.left)
        _zero_border(
            memory, scratch, needed, line, start, stop, step.left * pixel, width * pixel
        )
        at = (n * step.height + top + start) * step.width * step.pixel
        source = step.x + at, step.width * step.pixel, step.pixel
        target = scratch + start * line + step.left * pixel, line, pixel
        products(
            memory, places, (stop - start, width), source, target,
            (ONE, ZERO, step.channels),
            weights, step.expand + step.channels * v * LANES,
            step.expand_bias + v * LANES, vectors, (step.expand_low, step.expand_high),
        )  # fmt: skip
    out = step.out + (n * step.out_height + first) * step.out_width * step.out_pixel
    source = scratch, step.down * line, step.along * pixel
    target = out + v * LANES, step.out_width * step.out_pixel, step.out_pixel
    _filter_lines(
        step, memory, weights, places, lines, line, v, vectors, source, target
    )


@njit(fastmath=False)
def _filter_lines(
    step, memory, weights, places, lines, line, v, vectors, source, target
):
    """Filter the channels of one panel, which lie in the scratch.

    Windows of neighbours share what they load, where their kind has a kernel. In the
    columns that are left over, of all lines together, each window loads its own.
    """
    pixel = vectors * LANES
    columns = ZERO  # whose windows share
    if step.taps in (3, 5) and step.along in (1, 2):
        columns = step.out_width // PIXELS * PIXELS
    for row in range(lines):
        for column in range(0, columns, PIXELS):
            at = source[0] + row * source[1] + column * source[2]
            to = target[0] + row * target[1] + column * target[2]
            for i in range(vectors):
                _neighbours(
                    step, memory, at + i * LANES, to + i * LANES, line, pixel, weights,
                    (v + i) * LANES,
                )  # fmt: skip
    source = source[0] + columns * source[2], source[1], source[2]
    target = target[0] + columns * target[2], target[1], target[2]
    columns = step.out_width - columns
    row, column = ZERO, ZERO
    for left in range(lines * columns, 0, -PIXELS):
        row, column = fill_places(places, row, column, left, columns, source, target)
        for i in range(vectors):
            channel = (v + i) * LANES
            depthwise_tile(
                memory, places, i * LANES, step.rows, line, step.taps, pixel,
                weights, step.weights + channel, step.vectors * LANES,
                step.bias + channel, step.low, step.high,
            )  # fmt: skip


@njit(fastmath=False)
def _neighbours(step, memory, at, to, line, pixel, weights, channel):
    """Filter a vector of channels of some neighbours in a line of the scratch."""
    given = (
        memory, at, to, step.out_pixel, step.rows, line, pixel,
        weights, step.weights + channel, step.vectors * LANES, step.bias + channel,
        step.low, step.high,
    )  # fmt: skip
    if step.taps == 3 and step.along == 1:
        depthwise_line_3_1(*given)
    elif step.taps == 3:
        depthwise_line_3_2(*given)
    elif step.along == 1:
        depthwise_line_5_1(*given)
    else:
        depthwise_line_5_2(*given)


@njit(fastmath=False)
def pixels_of(step, block):
    """Return the first pixel of a block, of all images, and how many it has."""
    first = block * step.block
    return first, min(step.block, step.count * step.height * step.width - first)


@njit(fastmath=False)
def band(step, block):
    """Return the image, first output line and number of lines of a band."""
    bands = step.blocks // step.count
    first = block % bands * step.block
    return block // bands, first, min(step.block, step.out_height - first)


@njit(fastmath=False)
def _zero_border(memory, scratch, lines, line, start, stop, left, width):
    """Write zeros around the lines start, ..., stop - 1 of the scratch."""
    for i in range(lines):
        at = scratch + i * line
        if start <= i < stop:
            memory[at : at + left] = 0
            memory[at + left + width : at + line] = 0
        else:
            memory[at : at + line] = 0


@njit(fastmath=False)
def _copy_lines(step, n, top, lines, columns, channel, pixel, memory, scratch):
    """Copy `pixel` channels of the lines top, top + 1, ..., zeros around them."""
    line = columns * pixel
    start, stop = max(0, -top), min(lines, step.height - top)
    width = min(step.width, columns - step.left)
    _zero_border(
        memory, scratch, lines, line, start, stop, step.left * pixel, width * pixel
    )
    for i in range(start, stop):
        at = step.x + (n * step.height + top + i) * step.width * step.pixel + channel
        to = scratch + i * line + step.left * pixel
        if pixel == step.pixel:  # the whole line is one piece
            copy_numbers(memory, at, to, width * pixel)
        else:
            for j in range(width):
                copy_numbers(memory, at + j * step.pixel, to + j * pixel, pixel)
