"""The steps of a network without filters: pooling, sums, copies, a unit at a time.

Knows: records of a program (kernels/program.py), memory. Does not know: threads.
"""

import numpy as np
from numba import njit

from mrnn_np.kernels.bands import band, pixels_of
from mrnn_np.kernels.registers import LANES
from mrnn_np.kernels.tiles import add_vectors, copy_numbers, largest


@njit(fastmath=False)
def max_pool(step, unit, memory):
    """Take the largest number of every window of some lines; padding never wins."""
    places = np.empty(step.rows * step.taps, np.int64)
    n, first, lines = band(step, unit)
    for y in range(first, first + lines):
        top = y * step.down - step.top
        for column in range(step.out_width):
            left = column * step.along - step.left
            count = 0
            for i in range(max(0, top), min(step.height, top + step.rows)):
                for j in range(max(0, left), min(step.width, left + step.taps)):
                    at = (n * step.height + i) * step.width + j
                    places[count] = step.x + at * step.pixel
                    count += 1
            out = (n * step.out_height + y) * step.out_width + column
            out = step.out + out * step.out_pixel
            for shift in range(0, step.pixel, LANES):
                largest(memory, places, count, shift, out + shift)


@njit(fastmath=False)
def elementwise(step, unit, memory):
    """Write clip(a + b) of some pixels; b may be the same zeros for all of them."""
    first, pixels = pixels_of(step, unit)
    at = first * step.pixel
    add_vectors(
        memory, step.x + at, step.other + at * (step.other_step > 0), step.other_step,
        step.out + at, pixels * step.pixel // LANES, step.low, step.high,
    )  # fmt: skip


@njit(fastmath=False)
def copy(step, unit, memory):
    """Copy the channels of some pixels into another map."""
    first, pixels = pixels_of(step, unit)
    for p in range(first, first + pixels):
        at, to = step.x + p * step.pixel, step.out + p * step.out_pixel
        copy_numbers(memory, at, to, step.channels)
