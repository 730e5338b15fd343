"""The innermost loops of a convolutional network: sums that stay in registers.

A *tile* is a few pixels (PIXELS, 8 with 32 registers) times one to three vectors of
output channels. Its sums start at the bias, stay in registers while all their products
are added, are clipped (ReLU, ReLU6) and only then written, once. Of eight pixels and
three vectors, one turn of the innermost loop loads three vectors of the filters and
eight numbers of the picture, and multiplies and adds 24 times: the core never waits for
memory. This reaches 97 to 115 GFLOP/s of one core for the layers of EfficientNet-Lite0,
where a product by BLAS and a pass for bias and ReLU6 reach 61 to 104.

The pixels of a tile may lie anywhere: a list of places says where the window of each
one begins and where its sums go. So no windows are laid out beforehand.

A vector is LANES channels, what one register holds (kernels/registers.py); unit, panel
and place are words of kernels/program.py.

All numbers of a network are float32 and lie in two arrays, `memory` for its maps and
`weights` for its filters and biases; places and steps count numbers. Each tile has its
plain twin, in NumPy, which takes its place where Numba is off.

How to read `write` in what follows: it runs while the kernel is compiled, and what it
calls on w (kernels/registers.py) writes instructions. A loop of Python writes its body
again and again; ``w.loop`` writes a loop. So the number of vectors must be known then:
there is one function for each.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"
(2008): sums in registers, filters in panels.

Knows: memory and places. Does not know: layers, pictures.
"""

import numpy as np
from numba import config, types
from numba.extending import intrinsic

from mrnn_np.kernels.registers import LANES, REGISTERS, Writer

PIXELS = REGISTERS // 4  # of a tile
MOST_VECTORS = 3  # of a tile: 8 * 3 sums, 3 of filters, 1 number at a time: 28 of 32


def product_tile_plain(
    memory, places, rows, row_step, depth, weights, first, bias, low, high, vectors
):
    """Add up the products of windows and filters: the twin of `product_tile_1`, 2, 3.

    ``sums[p] = clip(bias + sum over i, k of window[p][i, k] * filter[i, k])``

    where filter[i, k] and sums[p] are rows of vectors * LANES channels.

    Parameters
    ----------
    memory : (M,) float32, read and written.
    places : (2 * PIXELS,) int64: where in memory each pixel's window begins; then where
        each pixel's sums go.
    rows, row_step, depth : a window is `rows` times `depth` numbers side by side, each
        row `row_step` numbers after the one before.
    weights : (W,) float32; from `first` on, a panel of filters (rows * depth,
        vectors * LANES), and from `bias` on, that many biases.
    low, high : float32, limits of the result.
    vectors : 1 to MOST_VECTORS.
    """
    width = vectors * LANES
    panel = weights[first : first + rows * depth * width].reshape(rows, depth, width)
    for p in range(PIXELS):
        sums = weights[bias : bias + width].copy()
        for i in range(rows):
            at = places[p] + i * row_step
            sums += memory[at : at + depth] @ panel[i]
        out = places[PIXELS + p]
        memory[out : out + width] = np.clip(sums, low, high)


def depthwise_tile_plain(
    memory, places, shift, rows, row_step, taps, tap_step, weights, first, step, bias,
    low, high,
):  # fmt: skip
    """Filter every channel on its own: the twin of `depthwise_tile`.

    ``sums[p] = clip(bias + sum over i, j of window[p][i, j] * filter[i, j])``, all of
    them vectors of LANES channels.

    Parameters
    ----------
    memory, places, weights, low, high : as for `product_tile_plain`.
    shift : added to the places of windows and sums: which vector of channels.
    rows, row_step, taps, tap_step : a window is rows * taps vectors, so many numbers
        from one row, and from one tap, to the next.
    first, step : where the filter's vectors begin, and from each to the next.
    bias : where the vector of biases is.
    """
    for p in range(PIXELS):
        sums = weights[bias : bias + LANES].copy()
        for i in range(rows):
            for j in range(taps):
                at = places[p] + shift + i * row_step + j * tap_step
                tap = first + (i * taps + j) * step
                sums += memory[at : at + LANES] * weights[tap : tap + LANES]
        out = places[PIXELS + p] + shift
        memory[out : out + LANES] = np.clip(sums, low, high)


def depthwise_line_plain(
    memory, at, out, out_step, rows, row_step, tap_step, weights, first, step, bias,
    low, high, taps, along,
):  # fmt: skip
    """Filter channels of neighbours in a line: twin of `depthwise_line_3_1` and others.

    The same as `depthwise_tile_plain` for PIXELS pixels side by side. Their windows
    overlap: a vector is loaded once and serves all of these windows that contain it. 68
    to 109 GFLOP/s of one core, where `depthwise_tile` reaches 42 to 61.

    Parameters
    ----------
    memory, rows, row_step, tap_step, weights, first, step, bias, low, high : as for
        `depthwise_tile_plain`.
    at, out : where the first window and its sums are.
    out_step : from the sums of one pixel to those of the next.
    taps, along : a window is rows * taps vectors, and the next one begins `along` taps
        further on.
    """
    places = at + np.arange(PIXELS) * along * tap_step
    places = np.append(places, out + np.arange(PIXELS) * out_step)
    depthwise_tile_plain(
        memory, places, 0, rows, row_step, taps, tap_step, weights, first, step, bias,
        low, high,
    )  # fmt: skip


def largest_plain(memory, places, count, shift, out):
    """Write the largest of `count` vectors to `out`; a NaN wins: twin of `largest`.

    places : (count or more,) int64, where the vectors are; `shift` is added to each.
    """
    rows = [memory[at + shift : at + shift + LANES] for at in places[:count]]
    memory[out : out + LANES] = np.max(rows, axis=0)


def add_vectors_plain(memory, a, b, b_step, out, count, low, high):
    """Write clip(a + b) of `count` vectors: the twin of `add_vectors`.

    a, b, out : where the first vectors are. The next b is b_step numbers further on.
    """
    for i in range(0, count * LANES, LANES):
        other = b + i // LANES * b_step
        total = memory[a + i : a + i + LANES] + memory[other : other + LANES]
        memory[out + i : out + i + LANES] = np.clip(total, low, high)


def copy_numbers_plain(memory, at, to, count):
    """Copy `count` numbers that do not overlap: the twin of `copy_numbers`."""
    memory[to : to + count] = memory[at : at + count]


def _product_tile(vectors):
    """Return the compiled twin for a number of vectors.

    Numba's `intrinsic` calls the function inside with the types of the arguments, and
    wants back the signature and what writes the instructions.
    """

    @intrinsic
    def tile(
        typing, memory, places, rows, row_step, depth, weights, first, bias, low, high
    ):
        def write(w, memory, places, rows, row_step, depth, weights, *rest):
            first, bias, low, high = rest
            place = [w.number(places, p) for p in range(2 * PIXELS)]
            biases = w.at(weights, bias)
            sums = [
                [w.variable(w.load(w.at(biases, LANES * v))) for v in range(vectors)]
                for _ in range(PIXELS)
            ]
            filters = w.variable(w.at(weights, first))
            with w.loop(rows) as i:
                down = w.times(i, row_step)
                windows = [w.at(memory, place[p], down) for p in range(PIXELS)]
                with w.loop(depth) as k:
                    here = w.advance(filters, LANES * vectors)
                    row = [w.load(w.at(here, LANES * v)) for v in range(vectors)]
                    for p in range(PIXELS):
                        number = w.spread(w.number(windows[p], k))
                        for v in range(vectors):
                            w.add_product(sums[p][v], number, row[v])
            low, high = w.spread(low), w.spread(high)
            for p in range(PIXELS):
                for v in range(vectors):
                    total = w.clip(w.value(sums[p][v]), low, high)
                    w.store(total, w.at(memory, place[PIXELS + p], LANES * v))

        whole, real = types.int64, types.float32
        return types.void(
            memory, places, whole, whole, whole, weights, whole, whole, real, real
        ), Writer.of(write)

    return tile


@intrinsic
def _depthwise_tile(
    typing, memory, places, shift, rows, row_step, taps, tap_step, weights, first, step,
    bias, low, high,
):  # fmt: skip
    def write(w, memory, places, shift, rows, row_step, taps, tap_step, *rest):
        weights, first, step, bias, low, high = rest
        place = [w.number(places, p) for p in range(2 * PIXELS)]
        start = w.load(w.at(weights, bias))
        sums = [w.variable(start) for _ in range(PIXELS)]
        filters = w.variable(w.at(weights, first))
        with w.loop(rows) as i:
            down = w.times(i, row_step)
            windows = [w.at(memory, place[p], shift, down) for p in range(PIXELS)]
            with w.loop(taps) as j:
                along = w.times(j, tap_step)
                tap = w.load(w.advance(filters, step))
                for p in range(PIXELS):
                    w.add_product(sums[p], w.load(w.at(windows[p], along)), tap)
        low, high = w.spread(low), w.spread(high)
        for p in range(PIXELS):
            total = w.clip(w.value(sums[p]), low, high)
            w.store(total, w.at(memory, place[PIXELS + p], shift))

    whole, real = types.int64, types.float32
    return types.void(
        memory, places, whole, whole, whole, whole, whole, weights, whole, whole, whole,
        real, real,
    ), Writer.of(write)  # fmt: skip


def _depthwise_line(taps, along):
    """Return the compiled twin for windows of so many taps, so many taps apart."""

    @intrinsic
    def tile(
        typing, memory, at, out, out_step, rows, row_step, tap_step, weights, first,
        step, bias, low, high,
    ):  # fmt: skip
        def write(w, memory, at, out, out_step, rows, row_step, tap_step, *rest):
            weights, first, step, bias, low, high = rest
            start = w.load(w.at(weights, bias))
            sums = [w.variable(start) for _ in range(PIXELS)]
            filters = w.variable(w.at(weights, first))
            row = w.variable(w.at(memory, at))
            with w.loop(rows):
                here, vectors = w.advance(row, row_step), []
                for _ in range((PIXELS - 1) * along + taps):
                    vectors.append(w.load(here))
                    here = w.at(here, tap_step)
                for j in range(taps):
                    tap = w.load(w.advance(filters, step))
                    for p in range(PIXELS):
                        w.add_product(sums[p], vectors[p * along + j], tap)
            low, high = w.spread(low), w.spread(high)
            out = w.at(memory, out)
            for p in range(PIXELS):
                w.store(w.clip(w.value(sums[p]), low, high), out)
                out = w.at(out, out_step)

        whole, real = types.int64, types.float32
        return types.void(
            memory, whole, whole, whole, whole, whole, whole, weights, whole, whole,
            whole, real, real,
        ), Writer.of(write)  # fmt: skip

    return tile


@intrinsic
def _largest(typing, memory, places, count, shift, out):
    def write(w, memory, places, count, shift, out):
        most = w.variable(w.load(w.at(memory, w.number(places, 0), shift)))
        with w.loop(count) as i:
            vector = w.load(w.at(memory, w.number(places, i), shift))
            w.keep_larger(most, vector)
        w.store(w.value(most), w.at(memory, out))

    whole = types.int64
    return types.void(memory, places, whole, whole, whole), Writer.of(write)


@intrinsic
def _add_vectors(typing, memory, a, b, b_step, out, count, low, high):
    def write(w, memory, a, b, b_step, out, count, low, high):
        low, high = w.spread(low), w.spread(high)
        a, b = w.variable(w.at(memory, a)), w.variable(w.at(memory, b))
        out = w.variable(w.at(memory, out))
        with w.loop(count):
            total = w.plus(w.load(w.advance(a, LANES)), w.load(w.advance(b, b_step)))
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

    def _product_tile(vectors):
        return lambda *arguments: product_tile_plain(*arguments, vectors)

    def _depthwise_line(taps, along):
        return lambda *arguments: depthwise_line_plain(*arguments, taps, along)

    depthwise_tile, largest = depthwise_tile_plain, largest_plain
    add_vectors, copy_numbers = add_vectors_plain, copy_numbers_plain
else:
    depthwise_tile, largest = _depthwise_tile, _largest
    add_vectors, copy_numbers = _add_vectors, _copy_numbers

product_tile_1, product_tile_2, product_tile_3 = map(_product_tile, (1, 2, 3))
# Named after taps and step: what the networks of our time are made of.
depthwise_line_3_1, depthwise_line_3_2 = _depthwise_line(3, 1), _depthwise_line(3, 2)
depthwise_line_5_1, depthwise_line_5_2 = _depthwise_line(5, 1), _depthwise_line(5, 2)
