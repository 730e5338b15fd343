"""The innermost loops, compiled, against their plain twins and the equations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from mrnn_np.cnn.fast import register_blocks
from mrnn_np.cnn.fast.bands import fill_offsets
from mrnn_np.cnn.fast.register_blocks import PIXELS
from mrnn_np.cnn.fast.registers import LANES, REGISTERS, whole_vectors

product_1, product_2, product_3 = (
    register_blocks.product_block_1,
    register_blocks.product_block_2,
    register_blocks.product_block_3,
)
depthwise_block, largest = register_blocks.depthwise_block, register_blocks.largest
add_vectors, copy_numbers = register_blocks.add_vectors, register_blocks.copy_numbers
F = np.float32
ANY = F(-np.inf), F(np.inf)


# Only compiled code can call what is written in instructions.
@njit
def call_product(m, offsets, rows, step, depth, w, first, bias, low, high, vectors):
    if vectors == 1:
        product_1(m, offsets, rows, step, depth, w, first, bias, low, high)
    elif vectors == 2:
        product_2(m, offsets, rows, step, depth, w, first, bias, low, high)
    else:
        product_3(m, offsets, rows, step, depth, w, first, bias, low, high)


@njit
def call_depthwise(
    m, offsets, shift, rows, down, kernel_w, stride_w, w, first, step, b, lo, hi
):
    depthwise_block(
        m, offsets, shift, rows, down, kernel_w, stride_w, w, first, step, b, lo, hi
    )


def caller_of(line):
    @njit
    def call(memory, at, out, out_stride, rows, down, step, w, first, next_, b, lo, hi):
        line(memory, at, out, out_stride, rows, down, step, w, first, next_, b, lo, hi)

    return call


LINES = {
    (3, 1): caller_of(register_blocks.depthwise_line_3_1),
    (3, 2): caller_of(register_blocks.depthwise_line_3_2),
    (5, 1): caller_of(register_blocks.depthwise_line_5_1),
    (5, 2): caller_of(register_blocks.depthwise_line_5_2),
}


@njit
def call_largest(memory, offsets, count, shift, out):
    largest(memory, offsets, count, shift, out)


@njit
def call_add(memory, a, b, b_stride, out, count, low, high):
    add_vectors(memory, a, b, b_stride, out, count, low, high)


@njit
def call_copy(memory, at, to, count):
    copy_numbers(memory, at, to, count)


def numbers(seed, size):
    return np.random.default_rng(seed).standard_normal(size).astype(F)


def both(call, plain, memory, *rest):
    """Return memory after the compiled call, which its twin agrees with."""
    got, twin = memory.copy(), memory.copy()
    call(got, *rest)
    plain(twin, *rest)
    np.testing.assert_allclose(got, twin, rtol=1e-5, atol=2e-5)
    return got


def test_a_block_fits_into_the_registers():
    sums = PIXELS * register_blocks.MOST_VECTORS
    assert sums + register_blocks.MOST_VECTORS + 1 <= REGISTERS
    assert [whole_vectors(n) for n in (0, 1, LANES, LANES + 1)] == [
        0, LANES, LANES, 2 * LANES,
    ]  # fmt: skip


@given(
    st.integers(1, 4), st.integers(1, 20), st.integers(1, register_blocks.MOST_VECTORS),
    st.sampled_from([ANY, (F(0), F(np.inf)), (F(0), F(6))]), st.integers(0, 99),
)  # fmt: skip
def test_products(rows, depth, vectors, limits, seed):
    rng = np.random.default_rng(seed)
    step, width = depth + 3, vectors * LANES
    memory = 2 * numbers(seed, 2000)
    sources = rng.integers(0, 300, PIXELS)  # windows may overlap
    targets = 500 + rng.permutation(PIXELS) * (width + 5)
    offsets = np.concatenate([sources, targets])
    weights = numbers(seed + 1, 7 + width + rows * depth * width)
    got = both(
        call_product, register_blocks.product_block_plain, memory,
        offsets, rows, step, depth, weights, 7 + width, 7, *limits, vectors,
    )  # fmt: skip
    panel = weights[7 + width :].reshape(rows, depth, width)
    window = sources[0] + step * np.arange(rows)[:, None] + np.arange(depth)
    expected = weights[7 : 7 + width] + np.einsum("ik,iko->o", memory[window], panel)
    np.testing.assert_allclose(
        got[targets[0] :][:width], np.clip(expected, *limits), rtol=1e-4, atol=1e-4
    )
    touched = (targets[:, None] + np.arange(width)).ravel()
    untouched = np.setdiff1d(np.arange(len(memory)), touched)
    np.testing.assert_array_equal(got[untouched], memory[untouched])


def test_a_pixel_that_stands_twice_is_computed_twice():
    memory, weights = numbers(0, 600), numbers(1, 200)
    offsets = np.zeros(2 * PIXELS, np.int64)
    offsets[PIXELS:] = 300
    got = both(
        call_product, register_blocks.product_block_plain, memory,
        offsets, 1, 0, 4, weights, LANES, 0, *ANY, 1,
    )  # fmt: skip
    panel = weights[LANES : 5 * LANES].reshape(4, LANES)
    expected = memory[:4] @ panel + weights[:LANES]
    np.testing.assert_allclose(got[300 : 300 + LANES], expected, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2), st.integers(0, 99))
def test_depthwise(rows, kernel_w, vector, seed):
    rng = np.random.default_rng(seed)
    pixel, shift = 3 * LANES, vector * LANES
    line = 12 * pixel
    memory = numbers(seed, 12 * line + PIXELS * pixel)
    sources = rng.integers(0, 7, PIXELS) * line + rng.integers(0, 7, PIXELS) * pixel
    targets = 12 * line + np.arange(PIXELS) * pixel
    weights = numbers(seed + 1, (1 + rows * kernel_w) * pixel)
    got = both(
        call_depthwise, register_blocks.depthwise_block_plain, memory,
        np.concatenate([sources, targets]), shift, rows, line, kernel_w, pixel,
        weights, pixel + shift, pixel, shift, F(-1), F(1.5),
    )  # fmt: skip
    for p in range(PIXELS):
        for c in (0, LANES - 1):
            total = weights[shift + c] + sum(
                memory[sources[p] + i * line + j * pixel + shift + c]
                * weights[(1 + i * kernel_w + j) * pixel + shift + c]
                for i in range(rows)
                for j in range(kernel_w)
            )
            wanted = min(max(total, -1), 1.5)
            assert abs(got[targets[p] + shift + c] - wanted) < 1e-4


@pytest.mark.parametrize("kernel_w, stride_w", [(3, 1), (3, 2), (5, 1), (5, 2)])
@given(st.integers(1, 5), st.integers(0, 99))
def test_depthwise_of_neighbours_is_depthwise_to_the_bit(
    kernel_w, stride_w, rows, seed
):
    pixel, shift = 2 * LANES, LANES
    line = ((PIXELS - 1) * stride_w + kernel_w) * pixel
    memory = numbers(seed, rows * line + PIXELS * pixel)
    weights = numbers(seed + 1, (1 + rows * kernel_w) * pixel)
    rest = rows, line, pixel, weights, pixel + shift, pixel, shift, F(-1), F(1.5)
    got = both(
        LINES[kernel_w, stride_w],
        lambda *given: register_blocks.depthwise_line_plain(*given, kernel_w, stride_w),
        memory, shift, rows * line + shift, pixel, *rest,
    )  # fmt: skip
    offsets = np.arange(PIXELS) * stride_w * pixel
    offsets = np.append(offsets, rows * line + np.arange(PIXELS) * pixel)
    expected = memory.copy()
    call_depthwise(expected, offsets, shift, rows, line, kernel_w, *rest[2:])
    np.testing.assert_array_equal(got, expected)


def test_the_largest_number_wins_unless_one_is_not_a_number():
    memory = numbers(0, 20 * LANES)
    offsets = np.array([3, 7, 1, 12]) * LANES
    memory[offsets[1] + 2] = memory[offsets[3] + 5] = np.nan  # before and after others
    got = both(
        call_largest, register_blocks.largest_plain, memory, offsets, 4, 0, 18 * LANES
    )
    rows = memory.reshape(-1, LANES)[[3, 7, 1, 12]]
    np.testing.assert_array_equal(got[18 * LANES : 19 * LANES], rows.max(0))
    one = both(
        call_largest, register_blocks.largest_plain, memory, offsets, 1, LANES, 0
    )
    np.testing.assert_array_equal(one[:LANES], memory[4 * LANES : 5 * LANES])


@pytest.mark.parametrize("step", [0, LANES])
def test_sums_of_vectors(step):
    memory = numbers(1, 20 * LANES)
    memory[2] = np.nan
    limits = F(-0.5), F(0.75)
    got = both(
        call_add, register_blocks.add_vectors_plain, memory,
        0, 5 * LANES, step, 10 * LANES, 4, *limits,
    )  # fmt: skip
    other = memory[5 * LANES : 9 * LANES].reshape(4, LANES)
    other = other if step else other[:1]
    expected = np.clip(memory[: 4 * LANES].reshape(4, LANES) + other, *limits)
    np.testing.assert_array_equal(got[10 * LANES : 14 * LANES], expected.ravel())
    assert np.isnan(got[10 * LANES + 2])


@pytest.mark.parametrize("count", [0, 1, 3, LANES, 67])
def test_copies(count):
    memory = numbers(2, 200)
    got = both(call_copy, register_blocks.copy_numbers_plain, memory, 5, 101, count)
    np.testing.assert_array_equal(got[101 : 101 + count], memory[5 : 5 + count])
    np.testing.assert_array_equal(got[101 + count :], memory[101 + count :])


@pytest.mark.parametrize("vectors", [1, 2, 3])
def test_what_is_not_a_number_stays_so(vectors):
    """A ReLU must not turn it into a zero, as maximum instructions may do."""
    memory, weights = numbers(3, 600), numbers(4, 4 * vectors * LANES)
    memory[4] = np.nan
    offsets = np.arange(2 * PIXELS) * (vectors * LANES)
    offsets[:PIXELS] = 2 * np.arange(PIXELS)
    offsets[PIXELS:] += 100
    got = both(
        call_product, register_blocks.product_block_plain, np.resize(memory, 2000),
        offsets, 1, 0, 3, weights, vectors * LANES, 0, F(0), F(6), vectors,
    )  # fmt: skip
    for p in range(PIXELS):
        sums = got[offsets[PIXELS + p] :][: vectors * LANES]
        sees = 2 * p <= 4 < 2 * p + 3
        assert np.isnan(sums).all() == np.isnan(sums).any() == sees


@pytest.mark.parametrize("columns", [1, 3, PIXELS, PIXELS + 1, 5 * PIXELS])
@pytest.mark.parametrize("rows", [1, 4])
def test_offsets_visit_every_pixel_of_a_rectangle_in_order(rows, columns):
    source, target = (7, 1000, 3), (50, 2000, 5)
    offsets = np.zeros(2 * PIXELS, np.int64)
    seen, row, column = [], 0, 0
    for left in range(rows * columns, 0, -PIXELS):
        row, column = fill_offsets(offsets, row, column, left, columns, source, target)
        found = list(zip(offsets[:PIXELS], offsets[PIXELS:], strict=True))
        assert set(found[left:]) <= {found[min(left, PIXELS) - 1]}  # the last, again
        seen += found[:left]
    assert seen == [
        (7 + i * 1000 + j * 3, 50 + i * 2000 + j * 5)
        for i in range(rows)
        for j in range(columns)
    ]
