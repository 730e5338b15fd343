"""The gated recurrent unit (Cho et al., 2014), and back-propagation through time.

    u = sigmoid(x Wu + h' Uu + bu)          update gate: how much stays
    s = sigmoid(x Ws + h' Us + bs)          reset gate: how much of the past is seen
    c = tanh(x Wc + (s h') Uc + bc)         candidate
    h = u h' + (1 - u) c                    h' is the state before

W = [Wu Ws Wc] is (X, 3R), U and b alike. The reset gate acts before the product with
Uc, as in the paper (and in TensorFlow); PyTorch lets it act after.

Knows: one recurrent layer. Does not know: words, images, the loss.
"""

import numpy as np

from mrnn_np.cells.cell import Cell, new_array, shifted, steps
from mrnn_np.kernels.gates import gru_backward_kernel, sigmoid
from mrnn_np.layers.parameters import Parameter, blocks, constant, normal, orthogonal

# The update gate starts open to the past: sigmoid(1) = 0.73 of the state stays.
UPDATE_BIAS = 1.0


class GRUCell(Cell):
    """R gated recurrent units."""

    def parameters(self) -> dict[str, Parameter]:
        """Return W (X, 3R), U (R, 3R) and br (3R,), in the order update, reset, c."""
        X, R = self.input_size, self.size
        bias = np.zeros(3 * R)
        bias[:R] = UPDATE_BIAS
        return {
            "W": blocks(*[normal(X, R)] * 3),
            "U": blocks(*[orthogonal(R)] * 3),
            "br": constant(bias),
        }

    def step(self, x, state, p):
        """Advance n sentences by one word; see `Cell.step`."""
        return self._advance(x @ p["W"] + p["br"], state, p["U"])[0]

    def _advance(self, z: np.ndarray, h: np.ndarray, U: np.ndarray) -> tuple:
        """Do a step from z = x W + b, (n, 3R), which becomes u, s and c.

        Returns the new state and s h', (n, R) each.
        """
        R = self.size
        gates, c = z[:, : 2 * R], z[:, 2 * R :]
        gates += h @ U[:, : 2 * R]
        sigmoid(gates)
        u, s = gates[:, :R], gates[:, R:]
        seen = s * h
        c += seen @ U[:, 2 * R :]
        np.tanh(c, out=c)
        return c + u * (h - c), seen

    def forward(self, x, state0, p, batch_sizes):
        """Run all steps; see `Cell.forward`."""
        U = p["U"]
        z = x @ p["W"]  # the words' share of all steps at once
        z += p["br"]
        out = np.empty((len(x), self.size), x.dtype)
        seen = np.empty_like(out)
        h = state0
        for rows in steps(batch_sizes):
            n = rows.stop - rows.start
            out[rows], seen[rows] = self._advance(z[rows], h[:n], U)
            h = out[rows]
        return out, (x, z, out, seen, state0, p["W"], U, batch_sizes)

    def backward(self, dout, cache, memory=new_array):
        """Back-propagate through all time steps; see `Cell.backward`.

        From the last step to the first, dh being all that h_t is told:

            dc = dh (1 - u)                dzc = dc (1 - c^2)
            du = dh (h' - c)               dzu = du u (1 - u)
            ds = (dzc Uc^T) h'             dzs = ds s (1 - s)
            dh' = dh u + (dzc Uc^T) s + [dzu dzs] [Uu Us]^T

        and for all steps at once dx = dz W^T, dW = x^T dz, db = sum dz,
        d[Uu Us] = h'^T [dzu dzs], dUc = (s h')^T dzc.
        """
        x, z, out, seen, state0, W, U, batch_sizes = cache
        R = self.size
        before = shifted(out, state0, batch_sizes)
        dz = np.empty_like(z)
        dh = np.zeros_like(state0)  # what the step after sends back
        for rows in reversed(list(steps(batch_sizes))):
            n = rows.stop - rows.start
            d = dh[:n]  # zero for a sentence that ends here
            d += dout[rows]
            zs, dzs, h = z[rows], dz[rows], before[rows]
            u, s, c = zs[:, :R], zs[:, R : 2 * R], zs[:, 2 * R :]
            dzc = dzs[:, 2 * R :]
            np.multiply(d * (1 - u), 1 - c * c, out=dzc)
            dseen = dzc @ U[:, 2 * R :].T
            gru_backward_kernel(d, zs, h, dseen, dzs)
            d *= u
            d += dseen * s
            d += dzs[:, : 2 * R] @ U[:, : 2 * R].T
        dU = memory("U")
        dU = np.empty_like(U) if dU is None else dU
        np.matmul(before.T, dz[:, : 2 * R], out=dU[:, : 2 * R])
        np.matmul(seen.T, dz[:, 2 * R :], out=dU[:, 2 * R :])
        dW = np.matmul(x.T, dz, out=memory("W"))
        return dz @ W.T, dh, {"W": dW, "U": dU, "br": dz.sum(axis=0)}
