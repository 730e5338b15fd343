"""Solution of exercise 03a.

The entry is put back from a copy: adding h again can leave a rounding error behind.
"""

import numpy as np


def numerical_gradient(f, x, h=1e-5):
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        x[index] = middle + h
        above = f(x)
        x[index] = middle - h
        below = f(x)
        x[index] = middle
        gradient[index] = (above - below) / (2 * h)
    return gradient
