"""The innermost loops of a convolutional network: sums that stay in registers.

A *register block* is a few pixels (PIXELS, 8 with 32 registers) times one to three
vectors of output channels. Its sums start at the bias, stay in registers while all
their products are added, are clipped (ReLU, ReLU6) and only then written, once. Of
eight pixels and three vectors, one turn of the innermost loop loads three vectors of
the filters and eight numbers of the picture, and multiplies and adds 24 times: the core
never waits for memory. This reaches 97 to 115 GFLOP/s of one core for the layers of
EfficientNet-Lite0, where a product by BLAS and a pass for bias and ReLU6 reach 61 to
104.

The pixels of a block may lie anywhere: a list of offsets says where the window of each
one begins and where its sums go. So no windows are laid out beforehand (no im2col).

A vector is LANES channels, what one register holds (registers.py).

All numbers of a network are float32 and lie in two arrays, `memory` for its maps and
`weights` for its filters and biases; offsets and strides count numbers. Each block has
its plain twin, in NumPy, which serves where Numba is off.

How to read `write` in what follows: it runs while the kernel is compiled, and what it
calls on w (cnn/fast/registers.py) writes instructions. A loop of Python writes its body
again and again; ``w.loop`` writes a loop. So the number of vectors must be known then:
there is one function for each.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"
(2008): sums in registers, filters in panels.

Knows: memory and offsets. Does not know: layers, pictures.
"""

from functools import partial

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from mrnn_np.cnn.fast.registers import LANES, REGISTERS, Writer

PIXELS = REGISTERS // 4  # of a block
MOST_VECTORS = 3  # of a block: 8 * 3 sums, 3 of filters, 1 number at a time: 28 of 32


def product_block_plain(
    memory,
    offsets,
    kernel_h,
    row_stride,
    depth,
    weights,
    first,
    bias,
    low,
    high,
    vectors,
):
    """Add up the products of windows and filters: the twin of `product_block_1`, 2, 3.

    ``sums[p] = clip(bias + sum over i, k of window[p][i, k] * filter[i, k])``

    where filter[i, k] and sums[p] are rows of vectors * LANES channels.

    Parameters
    ----------
    memory : (M,) float32, read and written.
    offsets : (2 * PIXELS,) int64: where in memory each pixel's window begins; then
        where each pixel's sums go.
    kernel_h, row_stride, depth : a window is `kernel_h` times `depth` numbers side by
        side, each row `row_stride` numbers after the one before.
    weights : (W,) float32; from `first` on, a panel of filters (kernel_h * depth,
        vectors * LANES), and from `bias` on, that many biases.
    low, high : float32, limits of the result.
    vectors : 1 to MOST_VECTORS.
    """
    width = vectors * LANES
    panel = weights[first : first + kernel_h * depth * width].reshape(
        kernel_h, depth, width
    )
    for p in range(PIXELS):
        sums = weights[bias : bias + width].copy()
        for i in range(kernel_h):
            at = offsets[p] + i * row_stride
            sums += memory[at : at + depth] @ panel[i]
        out = offsets[PIXELS + p]
        memory[out : out + width] = np.clip(sums, low, high)


def depthwise_block_plain(
    memory, offsets, shift, kernel_h, row_stride, kernel_w, column_stride, weights,
    first, filter_stride, bias, low, high,
):  # fmt: skip
    """Filter every channel on its own: the twin of `depthwise_block`.

    ``sums[p] = clip(bias + sum over i, j of window[p][i, j] * filter[i, j])``, all of
    them vectors of LANES channels.

    Parameters
    ----------
    memory, offsets, weights, low, high : as for `product_block_plain`.
    shift : added to the offsets of windows and sums: which vector of channels.
    kernel_h, row_stride, kernel_w, column_stride : a window is kernel_h * kernel_w
        vectors, so many numbers from one row, and from one column, to the next.
    first, filter_stride : where the filter's vectors begin, and from each to the next.
    bias : where the vector of biases is.
    """
    for p in range(PIXELS):
        sums = weights[bias : bias + LANES].copy()
        for i in range(kernel_h):
            for j in range(kernel_w):
                at = offsets[p] + shift + i * row_stride + j * column_stride
                here = first + (i * kernel_w + j) * filter_stride
                sums += memory[at : at + LANES] * weights[here : here + LANES]
        out = offsets[PIXELS + p] + shift
        memory[out : out + LANES] = np.clip(sums, low, high)


def depthwise_line_plain(
    memory, at, out, out_stride, kernel_h, row_stride, column_stride, weights, first,
    filter_stride, bias, low, high, kernel_w, stride_w,
):  # fmt: skip
    """Filter channels of neighbours in a line: twin of `depthwise_line_3_1` and others.

    The same as `depthwise_block_plain` for PIXELS pixels side by side. Their windows
    overlap: a vector is loaded once and serves all of these windows that contain it. 68
    to 109 GFLOP/s of one core, where `depthwise_block` reaches 42 to 61.

    Parameters
    ----------
    memory, kernel_h, row_stride, column_stride, weights, first, filter_stride, bias,
        low, high : as for `depthwise_block_plain`.
    at, out : where the first window and its sums are.
    out_stride : from the sums of one pixel to those of the next.
    kernel_w, stride_w : a window is kernel_h * kernel_w vectors, and the next one
        begins `stride_w` columns further on.
    """
    offsets = at + np.arange(PIXELS) * stride_w * column_stride
    offsets = np.append(offsets, out + np.arange(PIXELS) * out_stride)
    depthwise_block_plain(
        memory, offsets, 0, kernel_h, row_stride, kernel_w, column_stride, weights,
        first, filter_stride, bias, low, high,
    )  # fmt: skip


def largest_plain(memory, offsets, count, shift, out):
    """Write the largest of `count` vectors to `out`; a NaN wins: twin of `largest`.

    offsets : (count or more,) int64, where the vectors are; `shift` is added to each.
    """
    rows = [memory[at + shift : at + shift + LANES] for at in offsets[:count]]
    memory[out : out + LANES] = np.max(rows, axis=0)


def add_vectors_plain(memory, a, b, b_stride, out, count, low, high):
    """Write clip(a + b) of `count` vectors: the twin of `add_vectors`.

    a, b, out : where the first vectors are. The next b is b_stride numbers further on.
    """
    for i in range(0, count * LANES, LANES):
        other = b + i // LANES * b_stride
        total = memory[a + i : a + i + LANES] + memory[other : other + LANES]
        memory[out + i : out + i + LANES] = np.clip(total, low, high)


def copy_numbers_plain(memory, at, to, count):
    """Copy `count` numbers that do not overlap: the twin of `copy_numbers`."""
    memory[to : to + count] = memory[at : at + count]


def _product_block(vectors):
    """Return the compiled twin for a number of vectors.

    Numba's `intrinsic` calls the function inside with the types of the arguments, and
    wants back the signature and what writes the instructions.
    """

    @intrinsic
    def block(
        typing,
        memory,
        offsets,
        kernel_h,
        row_stride,
        depth,
        weights,
        first,
        bias,
        low,
        high,
    ):
        def write(w, memory, offsets, kernel_h, row_stride, depth, weights, *rest):
            first, bias, low, high = rest
            offset = [w.number(offsets, p) for p in range(2 * PIXELS)]
            biases = w.at(weights, bias)
            sums = [
                [w.variable(w.load(w.at(biases, LANES * v))) for v in range(vectors)]
                for _ in range(PIXELS)
            ]
            filters = w.variable(w.at(weights, first))
            with w.loop(kernel_h) as i:
                row = w.times(i, row_stride)
                windows = [w.at(memory, offset[p], row) for p in range(PIXELS)]
                with w.loop(depth) as k:
                    here = w.advance(filters, LANES * vectors)
                    factors = [w.load(w.at(here, LANES * v)) for v in range(vectors)]
                    for p in range(PIXELS):
                        number = w.broadcast(w.number(windows[p], k))
                        for v in range(vectors):
                            w.add_product(sums[p][v], number, factors[v])
            low, high = w.broadcast(low), w.broadcast(high)
            for p in range(PIXELS):
                for v in range(vectors):
                    total = w.clip(w.value(sums[p][v]), low, high)
                    w.store(total, w.at(memory, offset[PIXELS + p], LANES * v))

        whole, real = types.int64, types.float32
        return types.void(
            memory, offsets, whole, whole, whole, weights, whole, whole, real, real
        ), Writer.of(write)

    return block


@intrinsic
def _depthwise_block(
    typing, memory, offsets, shift, kernel_h, row_stride, kernel_w, column_stride,
    weights, first, filter_stride, bias, low, high,
):  # fmt: skip
    def write(
        w, memory, offsets, shift, kernel_h, row_stride, kernel_w, column_stride, *rest
    ):
        weights, first, filter_stride, bias, low, high = rest
        offset = [w.number(offsets, p) for p in range(2 * PIXELS)]
        start = w.load(w.at(weights, bias))
        sums = [w.variable(start) for _ in range(PIXELS)]
        filters = w.variable(w.at(weights, first))
        with w.loop(kernel_h) as i:
            row = w.times(i, row_stride)
            windows = [w.at(memory, offset[p], shift, row) for p in range(PIXELS)]
            with w.loop(kernel_w) as j:
                column = w.times(j, column_stride)
                factor = w.load(w.advance(filters, filter_stride))
                for p in range(PIXELS):
                    w.add_product(sums[p], w.load(w.at(windows[p], column)), factor)
        low, high = w.broadcast(low), w.broadcast(high)
        for p in range(PIXELS):
            total = w.clip(w.value(sums[p]), low, high)
            w.store(total, w.at(memory, offset[PIXELS + p], shift))

    whole, real = types.int64, types.float32
    return types.void(
        memory, offsets, whole, whole, whole, whole, whole, weights, whole, whole,
        whole, real, real,
    ), Writer.of(write)  # fmt: skip


def _depthwise_line(kernel_w, stride_w):
    """Return the compiled twin for windows of a width, so many columns apart."""

    @intrinsic
    def block(
        typing, memory, at, out, out_stride, kernel_h, row_stride, column_stride,
        weights, first, filter_stride, bias, low, high,
    ):  # fmt: skip
        def write(
            w, memory, at, out, out_stride, kernel_h, row_stride, column_stride, *rest
        ):
            weights, first, filter_stride, bias, low, high = rest
            start = w.load(w.at(weights, bias))
            sums = [w.variable(start) for _ in range(PIXELS)]
            filters = w.variable(w.at(weights, first))
            row = w.variable(w.at(memory, at))
            with w.loop(kernel_h):
                here, vectors = w.advance(row, row_stride), []
                for _ in range((PIXELS - 1) * stride_w + kernel_w):
                    vectors.append(w.load(here))
                    here = w.at(here, column_stride)
                for j in range(kernel_w):
                    factor = w.load(w.advance(filters, filter_stride))
                    for p in range(PIXELS):
                        w.add_product(sums[p], vectors[p * stride_w + j], factor)
            low, high = w.broadcast(low), w.broadcast(high)
            out = w.at(memory, out)
            for p in range(PIXELS):
                w.store(w.clip(w.value(sums[p]), low, high), out)
                out = w.at(out, out_stride)

        whole, real = types.int64, types.float32
        return types.void(
            memory, whole, whole, whole, whole, whole, whole, weights, whole, whole,
            whole, real, real,
        ), Writer.of(write)  # fmt: skip

    return block


@intrinsic
def _largest(typing, memory, offsets, count, shift, out):
    def write(w, memory, offsets, count, shift, out):
        most = w.variable(w.load(w.at(memory, w.number(offsets, 0), shift)))
        with w.loop(count) as i:
            vector = w.load(w.at(memory, w.number(offsets, i), shift))
            w.keep_larger(most, vector)
        w.store(w.value(most), w.at(memory, out))

    whole = types.int64
    return types.void(memory, offsets, whole, whole, whole), Writer.of(write)


@intrinsic
def _add_vectors(typing, memory, a, b, b_stride, out, count, low, high):
    def write(w, memory, a, b, b_stride, out, count, low, high):
        low, high = w.broadcast(low), w.broadcast(high)
        a, b = w.variable(w.at(memory, a)), w.variable(w.at(memory, b))
        out = w.variable(w.at(memory, out))
        with w.loop(count):
            total = w.plus(w.load(w.advance(a, LANES)), w.load(w.advance(b, b_stride)))
            w.store(w.clip(total, low, high), w.advance(out, LANES))

    whole, real = types.int64, types.float32
    return types.void(memory, whole, whole, whole, whole, whole, real, real), Writer.of(
        write
    )


@intrinsic
def _copy_numbers(typing, memory, at, to, count):
    def write(w, memory, at, to, count):
        w.copy(w.at(memory, at), w.at(memory, to), count)

    return types.void(memory, types.int64, types.int64, types.int64), Writer.of(write)


if config.DISABLE_JIT:

    def _product_block(vectors):
        return partial(product_block_plain, vectors=vectors)

    def _depthwise_line(kernel_w, stride_w):
        return partial(depthwise_line_plain, kernel_w=kernel_w, stride_w=stride_w)

    depthwise_block, largest = depthwise_block_plain, largest_plain
    add_vectors, copy_numbers = add_vectors_plain, copy_numbers_plain
else:
    depthwise_block, largest = _depthwise_block, _largest
    add_vectors, copy_numbers = _add_vectors, _copy_numbers

product_block_1, product_block_2, product_block_3 = map(_product_block, (1, 2, 3))
# Named after kernel_w and stride_w: what the networks of our time are made of.
depthwise_line_3_1, depthwise_line_3_2 = _depthwise_line(3, 1), _depthwise_line(3, 2)
depthwise_line_5_1, depthwise_line_5_2 = _depthwise_line(5, 1), _depthwise_line(5, 2)
