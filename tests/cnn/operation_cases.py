"""Small cases of single operations, shared by the golden script and the tests.

Each case is a dict of settings; its arrays are drawn from a seed that its place in the
list gives. Odd sizes, odd strides and paddings on purpose: that is where frameworks
disagree. Padding is a number, or SAME or VALID as in TensorFlow.
"""

import numpy as np

# (height, width, channels in and out, kernel, stride, padding, groups)
CONVOLUTIONS = [
    (7, 9, 4, 6, (3, 3), (1, 1), 1, 1),
    (8, 8, 3, 5, (11, 7), (4, 3), 5, 1),
    (7, 9, 4, 6, (3, 3), (2, 2), "SAME", 1),
    (8, 10, 4, 6, (3, 3), (2, 2), "SAME", 2),
    (8, 7, 6, 9, (5, 5), (2, 1), "SAME", 3),
    (5, 6, 3, 4, (4, 4), (3, 3), "SAME", 1),
    (5, 5, 3, 4, (1, 1), (1, 1), 0, 1),
    (5, 5, 4, 4, (1, 1), (2, 2), "VALID", 2),
    (6, 7, 4, 4, (2, 3), (1, 2), "VALID", 4),
]
# (height, width, kernel, stride, padding, ceil)
POOLINGS = [
    (7, 8, 3, 2, 0, False),
    (7, 8, 3, 2, 0, True),
    (8, 9, 3, 2, 1, True),
    (5, 6, 2, 3, 1, True),
    (6, 6, 2, 2, 0, True),
    (9, 7, 4, 3, 2, True),
    (9, 7, 4, 3, 2, False),
]
# (height, width, cells along each side): maps of our networks, and what is awkward
GRIDS = [(7, 7, 3), (9, 9, 3), (6, 6, 3), (13, 14, 3), (5, 8, 4), (2, 1, 3)]
CHANNELS = 3
# (channels, size, alpha, beta, k), alpha as in Krizhevsky's formula
NORMALISATIONS = [(8, 5, 1e-4, 0.75, 2.0), (6, 3, 0.5, 0.5, 1.0), (4, 7, 0.1, 1.0, 0.5)]


def draw(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Return one float64 array a shape."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def convolution_arrays(number: int) -> list[np.ndarray]:
    """Return x, weight and bias of a convolution case, channels last."""
    height, width, c_in, c_out, kernel, _, _, groups = CONVOLUTIONS[number]
    return draw(
        number,
        (2, height, width, c_in),
        (*kernel, c_in // groups, c_out),
        (c_out,),
    )


def pooling_array(number: int) -> np.ndarray:
    """Return x of a pooling case."""
    height, width = POOLINGS[number][:2]
    return draw(100 + number, (2, height, width, CHANNELS))[0]


def normalisation_array(number: int) -> np.ndarray:
    """Return x of a normalisation case, with activations large enough to matter."""
    channels = NORMALISATIONS[number][0]
    return 10 * draw(200 + number, (2, 3, 4, channels))[0]


def grid_array(number: int) -> np.ndarray:
    """Return x of a case of cells."""
    height, width = GRIDS[number][:2]
    return draw(300 + number, (2, height, width, CHANNELS))[0]
