"""Exercise 03a: the gradient of any function, by trying.

Lesson 3, sections 1 and 2:

    df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h      with h = 1e-5

where e_i moves the entry i and no other.

Check: python tutorials/exercises/check.py 03a
Expect: errors below 1e-9.
"""

import numpy as np


def numerical_gradient(f, x, h=1e-5):
    """Return the centred difference of f by every entry of x.

    f : takes an array like x and returns a number.
    x : float64 array of any shape; it must be the same after the call as before.
    Returns an array of the shape of x.
    """
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        raise NotImplementedError(f"fill in gradient{list(index)} and all the others")
    return gradient
