"""Where a sliding window may stand: padding and the number of positions.

Convolution and pooling share this arithmetic, and most disagreements between
frameworks hide in it: TensorFlow's SAME puts the odd pixel at the bottom and the
right, PyTorch's ceil mode adds a last window that may hang over the edge.

Knows: integers. Does not know: pixels.
"""

Pair = tuple[int, int]


def pair(value: int | Pair) -> Pair:
    """Return ``(vertical, horizontal)``; one number stands for both."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def resolve_padding(
    padding: int | str | tuple, size: Pair, kernel: Pair, stride: Pair
) -> tuple[Pair, Pair]:
    """Turn any way of writing a padding into pixels on the four sides.

    SAME makes the output ``ceil(size / stride)`` long, so it needs
    ``(ceil(size / stride) - 1) * stride + kernel - size`` pixels; of an odd number
    the smaller half goes before and the larger half after the picture.

    Parameters
    ----------
    padding : ``"SAME"``, ``"VALID"``, a number for all four sides, ``(vertical,
        horizontal)``, or ``((top, bottom), (left, right))``.
    size, kernel : (height, width) of the picture and of the window.
    stride : (vertical, horizontal).

    Returns ``((top, bottom), (left, right))``.

    Raises
    ------
    ValueError : a text that is neither SAME nor VALID.
    """
    if padding == "VALID":
        return (0, 0), (0, 0)
    if padding == "SAME":
        sides = []
        for length, window, s in zip(size, kernel, stride, strict=True):
            count = -(-length // s)
            total = max(0, (count - 1) * s + window - length)
            sides.append((total // 2, total - total // 2))
        return sides[0], sides[1]
    if isinstance(padding, str):
        raise ValueError(f"padding {padding!r}: neither SAME nor VALID nor numbers")
    vertical, horizontal = pair(padding)
    return pair(vertical), pair(horizontal)


def count_positions(
    length: int, window: int, stride: int, padding: Pair, ceil: bool = False
) -> int:
    """Count the positions of a window along one axis.

    ``floor((before + length + after - window) / stride) + 1``; with `ceil` the fraction
    is rounded up, unless the extra window would start beyond the picture and the
    padding before it (PyTorch's rule: such a window would see nothing).

    Raises
    ------
    ValueError : the window is longer than the padded picture.
    """
    free = padding[0] + length + padding[1] - window
    if free < 0:
        raise ValueError(
            f"a window of {window} does not fit into {length} pixels padded by "
            f"{padding[0]} and {padding[1]}"
        )
    count = free // stride + 1
    if ceil and free % stride and count * stride < length + padding[0]:
        count += 1
    return count
