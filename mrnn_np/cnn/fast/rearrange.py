"""Instructions without filters: pooling, sums, copies, a work item at a time.

Knows: records of a program (cnn/fast/program.py), memory. Does not know: threads.
"""

import numpy as np
from numba import njit

from mrnn_np.cnn.fast.bands import band, pixels_of
from mrnn_np.cnn.fast.register_blocks import add_vectors, copy_numbers, largest
from mrnn_np.cnn.fast.registers import LANES


@njit(fastmath=False)
def max_pool_item(op, item, memory):
    """Take the largest number of every window of some lines; padding never wins."""
    offsets = np.empty(op.kernel_h * op.kernel_w, np.int64)
    n, first, lines = band(op, item)
    for y in range(first, first + lines):
        top = y * op.stride_h - op.top
        for column in range(op.out_width):
            left = column * op.stride_w - op.left
            count = 0
            for i in range(max(0, top), min(op.height, top + op.kernel_h)):
                for j in range(max(0, left), min(op.width, left + op.kernel_w)):
                    at = (n * op.height + i) * op.width + j
                    offsets[count] = op.x + at * op.pixel
                    count += 1
            out = (n * op.out_height + y) * op.out_width + column
            out = op.out + out * op.out_pixel
            for shift in range(0, op.pixel, LANES):
                largest(memory, offsets, count, shift, out + shift)


@njit(fastmath=False)
def elementwise_item(op, item, memory):
    """Write clip(a + b) of some pixels; b may be the same zeros for all of them."""
    first, pixels = pixels_of(op, item)
    at = first * op.pixel
    add_vectors(
        memory, op.x + at, op.other + at * (op.other_stride > 0), op.other_stride,
        op.out + at, pixels * op.pixel // LANES, op.low, op.high,
    )  # fmt: skip


@njit(fastmath=False)
def copy_item(op, item, memory):
    """Copy the channels of some pixels into another map."""
    first, pixels = pixels_of(op, item)
    for p in range(first, first + pixels):
        at, to = op.x + p * op.pixel, op.out + p * op.out_pixel
        copy_numbers(memory, at, to, op.channels)
