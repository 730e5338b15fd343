import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.cnn.windows import count_positions, pair, resolve_padding


def test_every_way_of_writing_a_padding():
    def sides(padding):
        return resolve_padding(padding, (7, 7), (3, 3), (1, 1))

    assert sides(2) == ((2, 2), (2, 2))
    assert sides((1, 2)) == ((1, 1), (2, 2))
    assert sides(((0, 1), (2, 3))) == ((0, 1), (2, 3))
    assert sides("VALID") == ((0, 0), (0, 0))
    assert sides("SAME") == ((1, 1), (1, 1))
    assert pair(3) == (3, 3) and pair((1, 2)) == (1, 2)
    with pytest.raises(ValueError, match="same"):
        sides("same")


def test_same_puts_the_odd_pixel_at_the_bottom_and_right():
    # 224 px, kernel 3, stride 2: 112 windows reach over 225 pixels.
    assert resolve_padding("SAME", (224, 223), (3, 3), (2, 2)) == ((0, 1), (1, 1))


sizes = st.integers(1, 40)
small = st.integers(1, 7)


@given(sizes, small, small)
def test_same_leaves_ceil_of_size_over_stride(size, kernel, stride):
    sides, _ = resolve_padding("SAME", (size, size), (kernel, 1), (stride, 1))
    assert count_positions(size, kernel, stride, sides) == -(-size // stride)
    assert 0 <= sides[1] - sides[0] <= 1


@given(sizes, small, small, st.integers(0, 3), st.booleans())
def test_positions_are_those_found_by_walking(size, kernel, stride, padding, ceil):
    if size + 2 * padding < kernel:
        return
    starts, start = [], -padding
    while start + kernel <= size + padding:
        starts.append(start)
        start += stride
    reaches_end = starts[-1] + kernel == size + padding
    if ceil and not reaches_end and start < size:  # starts inside, or in the padding
        starts.append(start)
    found = count_positions(size, kernel, stride, (padding, padding), ceil)
    assert found == len(starts)


def test_a_window_that_does_not_fit():
    with pytest.raises(ValueError, match="window of 5 does not fit into 3"):
        count_positions(3, 5, 1, (0, 1))
