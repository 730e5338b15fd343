"""A network as one compiled call: a table of instructions that threads share.

The small layers of a network take 0.1 ms, no more than it takes Python to call a kernel
and to wake a thread for its half. So a network is written down as a table, one record
an instruction (compiler.py does it), and every thread runs through the whole table
inside one call. The words are explained in this folder's `__init__`.

Knows: the table, memory, threads. Does not know: layers, what a network is for.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from mrnn_np.cnn.fast.bands import convolution_item, depthwise_item, pointwise_item
from mrnn_np.cnn.fast.memory import Map
from mrnn_np.cnn.fast.rearrange import copy_item, elementwise_item, max_pool_item
from mrnn_np.cnn.fast.register_blocks import PIXELS
from mrnn_np.cnn.fast.sharing import COUNTERS, claim, mark_done, wait
from mrnn_np.cnn.fast.winograd_blocks import (
    multiply_item,
    transform_item,
    winograd_item,
)
from mrnn_np.cnn.graph import Step
from mrnn_np.kernels.cache import sources_stamp
from mrnn_np.runtime.threads import Team

# Operations, and what a work item of each is.
POINTWISE = 0  # 1x1 filters, stride 1: some pixels, a group of panels
CONVOLUTION = 1  # larger filters: a band of output lines, a group of panels
DEPTHWISE = 2  # one filter a channel, perhaps after 1x1 filters: a band, a panel
MAX_POOL = 3  # a band
ELEMENTWISE = 4  # clip(a + b): some pixels
COPY = 5  # into some channels of another map: some pixels
WINOGRAD = 6  # 3x3 filters by Winograd's tiles: some tiles
TRANSFORM = 7  # the same in two instructions, where tiles are few: some tiles
MULTIPLY = 8  # and then some tiles, a group of panels

RECORD = np.dtype(
    [
        (name, np.int64)
        for name in (
            "operation", "items",
            "count",  # images
            # The input: its offset, lines, columns, channels, numbers of a pixel.
            "x", "height", "width", "channels", "pixel",
            "other", "other_stride",  # the second input of ELEMENTWISE, LANES or 0
            # The output: its offset, lines, columns, numbers of a pixel.
            "out", "out_height", "out_width", "out_pixel",
            # The window, its strides, and the padding above and to the left.
            "kernel_h", "kernel_w", "stride_h", "stride_w", "top", "left",
            # Offsets of filters and biases, vectors of output channels, panel groups.
            "weights", "bias", "vectors", "panel_groups",
            # Lines, pixels or tiles of an item, and how many such blocks there are.
            "block", "blocks",
            "expand", "expand_bias",  # 1x1 filters before DEPTHWISE, or -1
            "middle",  # where TRANSFORM leaves its numbers for MULTIPLY
        )
    ]
    + [(name, np.float32) for name in ("low", "high", "expand_low", "expand_high")]
)  # fmt: skip


def _compile(stamp):
    """Return `run_program`.

    Numba looks only at this file, and at what a function finds around it, to tell
    whether compiled code is still right. So the stamp of all sources stands around it,
    and is used inside, for else it would not count as being around it.
    """

    @njit(cache=True, fastmath=False, nogil=True)
    def run_program(program, memory, weights, counters, scratch):
        """Carry out a program, together with other threads that do the same.

        Parameters
        ----------
        program : (S,) records of RECORD.
        memory : (M,) float32: zeros for a pixel, the maps, and every thread's scratch.
        weights : (W,) float32: zeros for a panel, then filters and biases.
        counters : (S * COUNTERS,) int64, zeros at the start; the same for all threads.
        scratch : offset of this thread's scratch in memory.

        Returns the stamp of the sources that it was compiled from.
        """
        offsets = np.empty(2 * PIXELS, np.int64)
        for number in range(len(program)):
            record = program[number]
            item = claim(counters, number)
            while item < record.items:
                operation = record.operation
                if operation == POINTWISE:
                    pointwise_item(record, item, memory, weights, offsets)
                elif operation == CONVOLUTION:
                    convolution_item(record, item, memory, weights, offsets, scratch)
                elif operation == DEPTHWISE:
                    depthwise_item(record, item, memory, weights, offsets, scratch)
                elif operation == MAX_POOL:
                    max_pool_item(record, item, memory)
                elif operation == ELEMENTWISE:
                    elementwise_item(record, item, memory)
                elif operation == COPY:
                    copy_item(record, item, memory)
                elif operation == WINOGRAD:
                    winograd_item(record, item, memory, weights, offsets, scratch)
                elif operation == TRANSFORM:
                    transform_item(record, item, memory)
                elif operation == MULTIPLY:
                    multiply_item(record, item, memory, weights, offsets, scratch)
                mark_done(counters, number)
                item = claim(counters, number)
            wait(counters, number, record.items)
        return stamp

    return run_program


run_program = _compile(sources_stamp(Path(__file__).parent))


@dataclass(frozen=True)
class Program:
    """A network compiled for one number and size of images, and one set of outputs.

    table : (S,) records of RECORD.
    size : numbers of memory that the maps need.
    scratch : numbers of memory that each thread needs behind them.
    picture : where the images go.
    maps : where the outputs are that are wanted, or that `rest` reads.
    rest : the last steps, which there are no kernels for.
    """

    table: np.recarray
    size: int
    scratch: int
    picture: Map
    maps: dict[str, Map]
    rest: list[Step]

    def run(
        self, x: np.ndarray, filters: np.ndarray, memory: np.ndarray, team: Team
    ) -> dict[str, np.ndarray]:
        """Return `maps` of the images x (N, H, W, C), as views of the memory.

        Parameters
        ----------
        filters : the array that the program was compiled with, or a longer one.
        memory : (self.size + team.jobs * self.scratch or more,) float32, zeros at
            first. Programs of one network may use it in turn.
        """
        self.picture.fill(memory, x)
        counters = np.zeros(len(self.table) * COUNTERS, np.int64)
        everything = self.table, memory, filters, counters
        scratch = [self.size + i * self.scratch for i in range(team.jobs)]
        team.together(run_program, [(*everything, at) for at in scratch])
        return {name: map_.view(memory, len(x)) for name, map_ in self.maps.items()}
