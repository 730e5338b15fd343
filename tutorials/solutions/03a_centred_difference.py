"""Solution of exercise 03a.

Check: python tutorials/solutions/03a_centred_difference.py
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "exercises"))
import checks


def numerical_gradient(f, x, h=1e-5):
    """Return the centred difference of f by every entry of x.

    f : takes an array like x and returns a number.
    x : float64 array of any shape; it must be the same after the call as before.
    Returns an array of the shape of x.
    """
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


if __name__ == "__main__":
    sys.exit(checks.run(checks.check_numerical_gradient, numerical_gradient))
