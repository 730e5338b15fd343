"""Solution of exercise 02a.

The n sentences share U and b, so the gradients of U and b are sums over the rows; a
product with the transposed matrix makes that sum.
"""


def step_backward(dr, r, previous, U):
    dz = dr * (r > 0)
    return dz, dz @ U.T, previous.T @ dz, dz.sum(axis=0)
