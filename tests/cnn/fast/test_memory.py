import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.fast.filters import Filters, in_panels, padded_channels, whole_windows
from mrnn_np.cnn.fast.memory import LINE, Maps, Memory, aligned_zeros
from mrnn_np.cnn.fast.registers import LANES
from mrnn_np.cnn.graph import plan


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9 * LANES)), max_size=60))
def test_pieces_in_use_never_overlap(moves):
    memory, used = Memory(), []
    for take, number in moves:
        if take or not used:
            used.append(memory.allocate(number))
            assert used[-1].size >= number
        else:
            memory.free(used.pop(number % len(used)))
        offsets = sorted(
            (allocation.at, allocation.at + allocation.size) for allocation in used
        )
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(offsets))
        assert not offsets or offsets[-1][1] <= memory.size
    most = memory.size
    for allocation in used:
        memory.free(allocation)
    assert most == 0 or memory.allocate(most).at == 0  # one free piece again
    assert memory.size == most


def test_the_last_piece_grows_if_it_is_free():
    memory = Memory()
    first, last = memory.allocate(LANES), memory.allocate(2 * LANES)
    memory.free(last)
    assert memory.allocate(5 * LANES).at == first.size
    assert memory.size == 6 * LANES


def test_maps_are_views_of_one_array():
    layers = [
        Layer("a", "convolution", ("input",), LANES, kernel=1),
        Layer("b", "convolution", ("input",), 2 * LANES, kernel=1),
        Layer("both", "concat", ("a", "b")),
    ]
    maps = Maps(plan(layers, ["both"]), {"both"}, count=2, zeros=1)
    a, b = maps.add("a", 3, 4, LANES), maps.add("b", 3, 4, 2 * LANES)
    memory = np.zeros(maps.memory.size, np.float32)
    a.view(memory, 2)[:] = 1
    b.view(memory, 2)[:] = 2
    whole = maps["both"].view(memory, 2)
    assert whole.shape == (2, 3, 4, 3 * LANES)
    assert (whole[..., :LANES] == 1).all() and (whole[..., LANES:] == 2).all()
    assert (memory[:LANES] == 0).all()
    maps.release("a")
    maps.release("b")
    maps.rename("both", "drop")
    maps.release("both")
    assert maps.add("c", 1, 1, 1).at >= LANES + 24 * 3 * LANES  # its place is in use
    maps.release("drop")
    assert maps.add("d", 1, 1, 1).at == LANES


def test_a_map_is_filled_between_its_pixels_too():
    maps = Maps([], set(), count=1, zeros=1)
    picture = maps.add("input", 2, 2, 3)
    memory = np.full(maps.memory.size, np.nan, np.float32)
    picture.fill(memory, np.ones((1, 2, 2, 3)))
    assert memory[picture.at :].sum() == 12


def test_arrays_begin_with_a_line_of_the_cache():
    for size in (1, 17, 1000):
        array = aligned_zeros(size)
        assert array.ctypes.data % LINE == 0 and array.shape == (size,)
        assert array.dtype == np.float32 and not array.any()


def test_filters_in_panels():
    """Seven vectors are divided into panels of 2, 2 and 3, row by row."""
    filters = np.arange(2.0 * 7 * LANES).reshape(2, -1).astype(np.float32)
    got = in_panels(filters)
    edges = [0, 2 * LANES, 4 * LANES, 7 * LANES]
    panels = [filters[:, a:b].ravel() for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(got, np.concatenate(panels))


@pytest.mark.parametrize("pixel", [2, 5])
def test_windows_of_whole_pixels(pixel):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((3, 2, 2, 4)).astype(np.float32)
    rows = whole_windows(weight, pixel)
    assert rows.shape == (3 * (pixel + 2), LANES) and not rows[:, 4:].any()
    line = rng.standard_normal((3, 2 * pixel)).astype(np.float32)
    window = line.reshape(3, 2, pixel)[..., :2]
    got = line[:, : pixel + 2].ravel() @ rows
    expected = np.einsum("ijc,ijco->o", window, weight)
    np.testing.assert_allclose(got[:4], expected, rtol=1e-5, atol=1e-6)


def test_filters_are_laid_out_once():
    filters, calls = Filters(), []

    def layout():
        calls.append(1)
        return np.full(3, 7, np.float32)

    bias = np.arange(1, 3, dtype=np.float32)
    first = filters.add(("a", 1), layout, bias)
    before = filters.array()
    assert filters.add(("a", 1), layout, bias) == first and calls == [1]
    second = filters.add(("a", 2), layout, bias)
    array = filters.array()
    for at, bias_at in (first, second):
        assert (array[at : at + 3] == 7).all()
        np.testing.assert_array_equal(
            array[bias_at : bias_at + LANES], padded_channels(bias)
        )
    np.testing.assert_array_equal(array[: len(before)], before)
    assert not array[:LANES].any()  # biases of no effect
