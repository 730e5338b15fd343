"""A network as one compiled call: a table of steps, and threads that share each step.

The small layers of a network take 0.1 ms, no more than it takes Python to call a kernel
and to wake a thread for its half. So a network is written down as a table, one record a
step (cnn/compiler.py does it), and every thread runs through the whole table inside one
call.

All maps of all layers lie in one array, `memory`, (N, height, width, channels) each,
the channels rounded up to whole vectors (not those of a picture, as a rule). Behind the
maps, each thread has some numbers of its own, the scratch. Filters and biases lie in
`weights`. Both arrays begin with zeros.

The words: a step is cut into *units*, which threads take one by one. A unit is a
*block*, of pixels, lines (then it is a *band*) or tiles, and a *group* of panels. A
*panel* is one to three vectors of output channels. A *place* is where in memory
something begins; `pixel` is how many numbers lie between the places of two neighbours.

Knows: the table. Does not know: layers, what a network is for.
"""

import numpy as np
from numba import njit

from mrnn_np.kernels.bands import convolution, depthwise, pointwise
from mrnn_np.kernels.cache import sources_stamp
from mrnn_np.kernels.rearrange import copy, elementwise, max_pool
from mrnn_np.kernels.sharing import finish, take, wait
from mrnn_np.kernels.tiles import PIXELS
from mrnn_np.kernels.winograd_steps import multiply, transform, winograd

# Operations, and what a unit of each is.
POINTWISE = 0  # 1x1 filters, stride 1: some pixels, a group of panels
CONVOLUTION = 1  # larger filters: a band of output lines, a group of panels
DEPTHWISE = 2  # one filter a channel, perhaps after 1x1 filters: a band, a panel
MAX_POOL = 3  # a band
ELEMENTWISE = 4  # clip(a + b): some pixels
COPY = 5  # into some channels of another map: some pixels
WINOGRAD = 6  # 3x3 filters by Winograd's tiles: some tiles
TRANSFORM = 7  # the same in two steps, where tiles are few: some tiles
MULTIPLY = 8  # and then some tiles, a group of panels

STEP = np.dtype(
    [
        (name, np.int64)
        for name in (
            "operation", "units",
            "count",  # images
            # The input: where it is, lines, columns, channels, numbers of a pixel.
            "x", "height", "width", "channels", "pixel",
            "other", "other_step",  # the second input of ELEMENTWISE, LANES or 0
            # The output: where it is, lines, columns, numbers of a pixel.
            "out", "out_height", "out_width", "out_pixel",
            # The window, its steps, and the padding above and to the left.
            "rows", "taps", "down", "along", "top", "left",
            # Where filters and biases are, vectors of output channels, panel groups.
            "weights", "bias", "vectors", "groups",
            # Lines, pixels or tiles of a unit, and how many such blocks there are.
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
    whether compiled code is still right. So the stamp of all kernels stands around it,
    and is used inside, for else it would not count as being around it.
    """

    @njit(cache=True, fastmath=False, nogil=True)
    def run_program(program, memory, weights, counters, scratch):
        """Do the steps of a program, together with other threads that do the same.

        Parameters
        ----------
        program : (S,) records of STEP.
        memory : (M,) float32: zeros for a pixel, the maps, and every thread's scratch.
        weights : (W,) float32: zeros for a panel, then filters and biases.
        counters : (S * COUNTERS,) int64, zeros at the start; the same for all threads.
        scratch : where in memory the scratch of this thread begins.

        Returns the stamp of the sources that it was compiled from.
        """
        places = np.empty(2 * PIXELS, np.int64)
        for number in range(len(program)):
            step = program[number]
            unit = take(counters, number)
            while unit < step.units:
                operation = step.operation
                if operation == POINTWISE:
                    pointwise(step, unit, memory, weights, places)
                elif operation == CONVOLUTION:
                    convolution(step, unit, memory, weights, places, scratch)
                elif operation == DEPTHWISE:
                    depthwise(step, unit, memory, weights, places, scratch)
                elif operation == MAX_POOL:
                    max_pool(step, unit, memory)
                elif operation == ELEMENTWISE:
                    elementwise(step, unit, memory)
                elif operation == COPY:
                    copy(step, unit, memory)
                elif operation == WINOGRAD:
                    winograd(step, unit, memory, weights, places, scratch)
                elif operation == TRANSFORM:
                    transform(step, unit, memory)
                elif operation == MULTIPLY:
                    multiply(step, unit, memory, weights, places, scratch)
                finish(counters, number)
                unit = take(counters, number)
            wait(counters, number, step.units)
        return stamp

    return run_program


run_program = _compile(sources_stamp())
