"""Gates of recurrent cells: element-wise work between the matrix products.

tanh stays in NumPy, whose float32 tanh is vectorised; Numba's calls the scalar one of
the C library. What goes back through the gates has no tanh in it, and is done in a
single pass.

Knows: rows of gates. Does not know: what is gated.
"""

import numpy as np
from numba import njit


def sigmoid(z: np.ndarray) -> None:
    """Write 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2 over z, which cannot overflow."""
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def gru_backward_plain(dh, z, h, dseen, dz):
    """Write dzu and dzs to the first 2R columns of dz, with z = (u, s, c).

    dzu = dh (h - c) u (1 - u),    dzs = dseen h s (1 - s)
    """
    u, s, c = np.split(z, 3, axis=1)
    R = h.shape[1]
    dz[:, :R] = dh * (h - c) * u * (1 - u)
    dz[:, R : 2 * R] = dseen * h * s * (1 - s)


@njit(cache=True, nogil=True, fastmath=False)
def gru_backward_kernel(dh, z, h, dseen, dz):
    """Do what `gru_backward_plain` does; (n, R) each, z and dz (n, 3R)."""
    one = z.dtype.type(1)
    R = h.shape[1]
    for n in range(h.shape[0]):
        for j in range(R):
            u, s, c = z[n, j], z[n, R + j], z[n, 2 * R + j]
            dz[n, j] = dh[n, j] * (h[n, j] - c) * u * (one - u)
            dz[n, R + j] = dseen[n, j] * h[n, j] * s * (one - s)


def lstm_backward_plain(dh, z, before, squashed, peep, dc, dz):
    """Write dz and what c' is told, from what h and c are told; z = (i, f, o, g).

    Parameters
    ----------
    dh : (n, R). z : (n, 4R). before : c', (n, R). squashed : tanh(c), (n, R).
    peep : (3, R), zeros without peepholes.
    dc : (n, R), what c is told by the step after; overwritten by what c' is told.
    dz : (n, 4R), written.
    """
    i, f, o, g = np.split(z, 4, axis=1)
    dzo = dh * squashed * o * (1 - o)
    down = dc + dh * o * (1 - squashed**2) + dzo * peep[2]
    dzi = down * g * i * (1 - i)
    dzf = down * before * f * (1 - f)
    dz[...] = np.hstack([dzi, dzf, dzo, down * i * (1 - g**2)])
    dc[...] = down * f + dzi * peep[0] + dzf * peep[1]


@njit(cache=True, nogil=True, fastmath=False)
def lstm_backward_kernel(dh, z, before, squashed, peep, dc, dz):
    """Do what `lstm_backward_plain` does, in a single pass."""
    one = z.dtype.type(1)
    R = before.shape[1]
    for n in range(before.shape[0]):
        for j in range(R):
            i, f = z[n, j], z[n, R + j]
            o, g = z[n, 2 * R + j], z[n, 3 * R + j]
            t = squashed[n, j]
            dzo = dh[n, j] * t * o * (one - o)
            down = dc[n, j] + dh[n, j] * o * (one - t * t) + dzo * peep[2, j]
            dzi = down * g * i * (one - i)
            dzf = down * before[n, j] * f * (one - f)
            dz[n, j], dz[n, R + j], dz[n, 2 * R + j] = dzi, dzf, dzo
            dz[n, 3 * R + j] = down * i * (one - g * g)
            dc[n, j] = down * f + dzi * peep[0, j] + dzf * peep[1, j]
