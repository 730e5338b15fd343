"""Backward passes of the two activations, each in a single pass.

The forward passes stay in NumPy: its float32 tanh is vectorised, Numba's calls the
scalar one of the C library.
"""

import numpy as np
from numba import njit

AMPLITUDE = 1.7159  # of the scaled hyperbolic tangent g(x) = 1.7159 tanh(2x/3)


def stanh_backward_plain(dout: np.ndarray, out: np.ndarray) -> np.ndarray:
    """dx = dout * (2/3) (1.7159 - out^2 / 1.7159), with out = g(x)."""
    return dout * (2 / 3) * (AMPLITUDE - out**2 / AMPLITUDE)


@njit(cache=True, fastmath=False)
def stanh_backward_kernel(dout, out, dx):
    """Write `stanh_backward_plain(dout, out)` to `dx`; all flat, one dtype.

    The derivative is (2/3) 1.7159 - (2/3)/1.7159 out^2, hence two constants.
    """
    a = dx.dtype.type(2.0 / 3.0 * AMPLITUDE)
    b = dx.dtype.type(2.0 / 3.0 / AMPLITUDE)
    for i in range(dx.size):
        dx[i] = dout[i] * (a - b * out[i] * out[i])


def relu_step_plain(product: np.ndarray, x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """r = max(0, product + x + b): the part of a recurrent step after the GEMM."""
    return np.maximum(product + x + b, 0)


@njit(cache=True, fastmath=False)
def relu_step_kernel(product, x, b, out):
    """Write `relu_step_plain(product, x, b)` to `out`; (n, R) each, b is (R,)."""
    zero = out.dtype.type(0)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            z = product[i, j] + x[i, j] + b[j]
            # not max(): a NaN must come out as NaN, so that training notices it
            out[i, j] = zero if z < zero else z
