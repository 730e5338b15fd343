"""Convolutions, a work item at a time: pixels in registers, lines in the cache.

No map has padding. Filters larger than 1x1 copy a *band* of its lines into the thread's
scratch, with zeros around them, and read it from there. A depthwise layer after 1x1
filters does not copy its input: it computes it, for one panel of channels, so that the
widest maps of a network never exist as a whole.

The words are explained in this folder's `__init__`.

Knows: records of a program, memory. Does not know: other threads.
"""

import numpy as np
from numba import njit

from mrnn_np.cnn.fast.register_blocks import (
    MOST_VECTORS,
    PIXELS,
    copy_numbers,
    depthwise_block,
    depthwise_line_3_1,
    depthwise_line_3_2,
    depthwise_line_5_1,
    depthwise_line_5_2,
    product_block_1,
    product_block_2,
    product_block_3,
)
from mrnn_np.cnn.fast.registers import LANES

# To the compiler a tuple with a plain 0 or 1 in it is of another type than one of
# variables, and everything that takes it would be compiled once more: 1 s altogether.
ZERO, ONE = np.int64(0), np.int64(1)

# In what follows, three numbers (offset, row stride, column stride) say how a rectangle
# of pixels lies in memory, and `op` is the record of the instruction.


def panel_plain(vectors, number):
    """Return the first vector of a panel, how many it has, and how many panels.

    The vectors of a layer are divided evenly: 7 into panels of 2, 2 and 3.
    """
    panels = (vectors + MOST_VECTORS - 1) // MOST_VECTORS
    first = number * vectors // panels
    return first, (number + 1) * vectors // panels - first, panels


panel = njit(fastmath=False)(panel_plain)  # filters are laid out by the plain one


@njit(fastmath=False)
def panels_of(op, group):
    """Return the numbers of the panels in a group, as a range."""
    panels = panel(op.vectors, ZERO)[2]
    return range(
        group * panels // op.panel_groups, (group + 1) * panels // op.panel_groups
    )


@njit(fastmath=False)
def fill_offsets(offsets, row, column, left, columns, source, target):
    """Note the offsets of the next pixels of a rectangle, for a register block.

    If fewer than PIXELS are left, the last one is noted, and computed, several times.

    Returns row and column of the pixel after them, while there is one.
    """
    x = source[0] + row * source[1] + column * source[2]
    out = target[0] + row * target[1] + column * target[2]
    if left >= PIXELS and column + PIXELS <= columns:  # all in one row: 8 ns, not 20
        for p in range(PIXELS):
            offsets[p] = x + p * source[2]
            offsets[PIXELS + p] = out + p * target[2]
        column += PIXELS
        return (row, column) if column < columns else (row + 1, 0)
    for p in range(PIXELS):
        offsets[p], offsets[PIXELS + p] = x, out
        if p < left - 1:
            column += 1
            if column == columns:
                row, column = row + 1, 0
            x = source[0] + row * source[1] + column * source[2]
            out = target[0] + row * target[1] + column * target[2]
    return row, column


@njit(fastmath=False)
def products(
    memory, offsets, size, source, target, window, weights, filters, bias, vectors,
    limits,
):  # fmt: skip
    """Compute one panel of output channels of a rectangle of pixels.

    Parameters
    ----------
    size : (rows, columns) of the rectangle.
    source, target : where the windows of its pixels begin, and where the sums go.
    window : (rows, row stride, depth), see `product_block_plain`.
    weights : (W,) float32; filters, bias : where the panel is in it; vectors : its
        width.
    limits : (low, high).
    """
    rows, row_stride, depth = window
    low, high = limits
    row, column = ZERO, ZERO
    for left in range(size[0] * size[1], 0, -PIXELS):
        row, column = fill_offsets(offsets, row, column, left, size[1], source, target)
        if vectors == 3:
            product_block_3(
                memory,
                offsets,
                rows,
                row_stride,
                depth,
                weights,
                filters,
                bias,
                low,
                high,
            )
        elif vectors == 2:
            product_block_2(
                memory,
                offsets,
                rows,
                row_stride,
                depth,
                weights,
                filters,
                bias,
                low,
                high,
            )
        else:
            product_block_1(
                memory,
                offsets,
                rows,
                row_stride,
                depth,
                weights,
                filters,
                bias,
                low,
                high,
            )


@njit(fastmath=False)
def pointwise_item(op, item, memory, weights, offsets):
    """Apply some panels of 1x1 filters to some pixels of all images."""
    group, block = item // op.blocks, item % op.blocks
    first, pixels = pixels_of(op, block)
    for number in panels_of(op, group):
        v, vectors, _ = panel(op.vectors, number)
        source = op.x + first * op.pixel, ZERO, op.pixel
        target = op.out + first * op.out_pixel + v * LANES, ZERO, op.out_pixel
        products(
            memory, offsets, (ONE, pixels), source, target, (ONE, ZERO, op.channels),
            weights, op.weights + op.channels * v * LANES, op.bias + v * LANES,
            vectors, (op.low, op.high),
        )  # fmt: skip


@njit(fastmath=False)
def convolution_item(op, item, memory, weights, offsets, scratch):
    """Apply some panels of filters to a band of an image."""
    group, block = item // op.blocks, item % op.blocks
    n, first, lines = band(op, block)
    columns = (op.out_width - 1) * op.stride_w + op.kernel_w
    needed = (lines - 1) * op.stride_h + op.kernel_h
    top = first * op.stride_h - op.top
    _copy_lines(op, n, top, needed, columns, 0, op.pixel, memory, scratch)
    line = columns * op.pixel
    depth = (op.kernel_w - 1) * op.pixel + op.channels
    out = op.out + (n * op.out_height + first) * op.out_width * op.out_pixel
    source = scratch, op.stride_h * line, op.stride_w * op.pixel
    for number in panels_of(op, group):
        v, vectors, _ = panel(op.vectors, number)
        target = out + v * LANES, op.out_width * op.out_pixel, op.out_pixel
        products(
            memory, offsets, (lines, op.out_width), source, target,
            (op.kernel_h, line, depth),
            weights, op.weights + op.kernel_h * depth * v * LANES,
            op.bias + v * LANES, vectors, (op.low, op.high),
        )  # fmt: skip


@njit(fastmath=False)
def depthwise_item(op, item, memory, weights, offsets, scratch):
    """Filter one panel of channels of a band, which 1x1 filters may compute first."""
    number, block = item // op.blocks, item % op.blocks
    n, first, lines = band(op, block)
    v, vectors, _ = panel(op.vectors, number)
    pixel = vectors * LANES  # of the scratch
    columns = (op.out_width - 1) * op.stride_w + op.kernel_w
    needed = (lines - 1) * op.stride_h + op.kernel_h
    top = first * op.stride_h - op.top
    line = columns * pixel
    if op.expand < 0:
        _copy_lines(op, n, top, needed, columns, v * LANES, pixel, memory, scratch)
    else:
        start, stop = max(0, -top), min(needed, op.height - top)
        width = min(op.width, columns - op.left)
        _zero_border(
            memory, scratch, needed, line, start, stop, op.left * pixel, width * pixel
        )
        at = (n * op.height + top + start) * op.width * op.pixel
        source = op.x + at, op.width * op.pixel, op.pixel
        target = scratch + start * line + op.left * pixel, line, pixel
        products(
            memory, offsets, (stop - start, width), source, target,
            (ONE, ZERO, op.channels),
            weights, op.expand + op.channels * v * LANES,
            op.expand_bias + v * LANES, vectors, (op.expand_low, op.expand_high),
        )  # fmt: skip
    out = op.out + (n * op.out_height + first) * op.out_width * op.out_pixel
    source = scratch, op.stride_h * line, op.stride_w * pixel
    target = out + v * LANES, op.out_width * op.out_pixel, op.out_pixel
    _filter_lines(op, memory, weights, offsets, lines, line, v, vectors, source, target)


@njit(fastmath=False)
def _filter_lines(
    op, memory, weights, offsets, lines, line, v, vectors, source, target
):
    """Filter the channels of one panel, which lie in the scratch.

    Windows of neighbours share what they load, where their kind has a kernel. In the
    columns that are left over, of all lines together, each window loads its own.
    """
    pixel = vectors * LANES
    columns = ZERO  # whose windows share
    if op.kernel_w in (3, 5) and op.stride_w in (1, 2):
        columns = op.out_width // PIXELS * PIXELS
    for row in range(lines):
        for column in range(0, columns, PIXELS):
            at = source[0] + row * source[1] + column * source[2]
            to = target[0] + row * target[1] + column * target[2]
            for i in range(vectors):
                _neighbours(
                    op, memory, at + i * LANES, to + i * LANES, line, pixel, weights,
                    (v + i) * LANES,
                )  # fmt: skip
    source = source[0] + columns * source[2], source[1], source[2]
    target = target[0] + columns * target[2], target[1], target[2]
    columns = op.out_width - columns
    y, x = ZERO, ZERO
    for left in range(lines * columns, 0, -PIXELS):
        y, x = fill_offsets(offsets, y, x, left, columns, source, target)
        for i in range(vectors):
            channel = (v + i) * LANES
            depthwise_block(
                memory, offsets, i * LANES, op.kernel_h, line, op.kernel_w, pixel,
                weights, op.weights + channel, op.vectors * LANES,
                op.bias + channel, op.low, op.high,
            )  # fmt: skip


@njit(fastmath=False)
def _neighbours(op, memory, at, to, line, pixel, weights, channel):
    """Filter a vector of channels of some neighbours in a line of the scratch."""
    given = (
        memory, at, to, op.out_pixel, op.kernel_h, line, pixel,
        weights, op.weights + channel, op.vectors * LANES, op.bias + channel,
        op.low, op.high,
    )  # fmt: skip
    if op.kernel_w == 3 and op.stride_w == 1:
        depthwise_line_3_1(*given)
    elif op.kernel_w == 3:
        depthwise_line_3_2(*given)
    elif op.stride_w == 1:
        depthwise_line_5_1(*given)
    else:
        depthwise_line_5_2(*given)


@njit(fastmath=False)
def pixels_of(op, block):
    """Return the first pixel of a block, of all images, and how many it has."""
    first = block * op.block
    return first, min(op.block, op.count * op.height * op.width - first)


@njit(fastmath=False)
def band(op, block):
    """Return the image, first output line and number of lines of a band."""
    bands = op.blocks // op.count
    first = block % bands * op.block
    return block // bands, first, min(op.block, op.out_height - first)


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
def _copy_lines(op, n, top, lines, columns, channel, pixel, memory, scratch):
    """Copy `pixel` channels of the lines top, top + 1, ..., zeros around them."""
    line = columns * pixel
    start, stop = max(0, -top), min(lines, op.height - top)
    width = min(op.width, columns - op.left)
    _zero_border(
        memory, scratch, lines, line, start, stop, op.left * pixel, width * pixel
    )
    for i in range(start, stop):
        at = op.x + (n * op.height + top + i) * op.width * op.pixel + channel
        to = scratch + i * line + op.left * pixel
        if pixel == op.pixel:  # the whole line is one piece
            copy_numbers(memory, at, to, width * pixel)
        else:
            for j in range(width):
                copy_numbers(memory, at + j * op.pixel, to + j * pixel, pixel)
