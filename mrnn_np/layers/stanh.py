"""The scaled hyperbolic tangent of LeCun, the paper's element-wise non-linearity.

Knows: one scalar function and its slope. Does not know: where it is used.
"""

import numpy as np

from mrnn_np.kernels.activations import AMPLITUDE, stanh_backward_kernel


def stanh_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squash every element to (-1.7159, 1.7159), with g(1) = 1 and g(-1) = -1.

        g(x) = 1.7159 tanh(2x / 3)          (m-RNN paper, equation 4)

    Parameters
    ----------
    x : any shape, float32 or float64.

    Returns
    -------
    out : the shape of `x`. The cache is `out` itself: the slope needs nothing else.
    """
    out = x * (2 / 3)
    np.tanh(out, out=out)
    out *= AMPLITUDE
    return out, out


def stanh_backward(dout: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Return the gradient by `x`, from the output alone.

        g'(x) = (2/3) 1.7159 (1 - tanh^2(2x/3)) = (2/3) (1.7159 - g(x)^2 / 1.7159)

    Parameters
    ----------
    dout : the shape of `out`.
    """
    out = cache
    dx = np.empty_like(out)
    stanh_backward_kernel(dout.ravel(), out.ravel(), dx.ravel())
    return dx
