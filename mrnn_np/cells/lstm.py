"""Long short-term memory (Hochreiter and Schmidhuber, 1997), and back through time.

    i = sigmoid(x Wi + h' Ui + bi)          input gate
    f = sigmoid(x Wf + h' Uf + bf)          forget gate (Gers et al., 2000)
    o = sigmoid(x Wo + h' Uo + bo)          output gate
    g = tanh   (x Wg + h' Ug + bg)          what there is to write
    c = f c' + i g                          the cell: only scaled and added to
    h = o tanh(c)                           the output

W = [Wi Wf Wo Wg] is (X, 4R), U and b alike; h' and c' are the states before. The state
is h and c side by side, (n, 2R). With peepholes (Gers and Schmidhuber, 2000) the gates
see the cell: i and f have + c' pi and + c' pf inside, o has + c po.

Knows: one recurrent layer. Does not know: words, images, the loss.
"""

from collections.abc import Mapping

import numpy as np

from mrnn_np.cells.cell import (
    Arrays,
    Cell,
    Memory,
    new_array,
    shifted,
    steps,
    times_transposed,
)
from mrnn_np.kernels.gates import lstm_backward_kernel, sigmoid
from mrnn_np.layers.parameters import (
    Parameter,
    blocks,
    constant,
    normal,
    orthogonal,
    zeros,
)

# The forget gate starts open: sigmoid(1) = 0.73 of the cell stays at each step. From 0
# half of it is lost, and of what was read ten words ago a thousandth is left
# (Jozefowicz et al., 2015).
FORGET_BIAS = 1.0


class LSTMCell(Cell):
    """R cells with three gates.

    Parameters
    ----------
    input_size, size : X and R.
    peepholes : let the gates see the cell.
    """

    states = 2

    def __init__(self, input_size: int, size: int, peepholes: bool = False) -> None:
        super().__init__(input_size, size)
        self.peepholes = peepholes

    def parameters(self) -> dict[str, Parameter]:
        """Return W (X, 4R), U (R, 4R), br (4R,), in the order i, f, o, g.

        With peepholes also "peep" (3, R), of i, f and o; it starts at zero.
        """
        X, R = self.input_size, self.size
        bias = np.zeros(4 * R)
        bias[R : 2 * R] = FORGET_BIAS
        table = {
            "W": blocks(*[normal(X, R)] * 4),
            "U": blocks(*[orthogonal(R)] * 4),
            "br": constant(bias),
        }
        return {**table, "peep": zeros(3, R)} if self.peepholes else table

    def step(self, x, state, p):
        """Advance n sentences by one word; see `Cell.step`."""
        return self.gates_step(x @ p["W"], state, p)

    def gates_step(
        self, z: np.ndarray, state: np.ndarray, p: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Do one step of `gates_forward`: (n, 4R), (n, 2R) -> (n, 2R)."""
        R = self.size
        z += p["br"]
        return np.hstack(self._advance(z, state[:, :R], state[:, R:], p)[:2])

    def _advance(
        self,
        z: np.ndarray,
        h: np.ndarray,
        c_before: np.ndarray,
        p: Mapping[str, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Do a step from z = x W + b, (n, 4R), which becomes i, f, o and g.

        Returns h, c and tanh(c), (n, R) each.
        """
        R = self.size
        z += h @ p["U"]
        i, f, o, g = (z[:, k * R : (k + 1) * R] for k in range(4))
        np.tanh(g, out=g)
        if self.peepholes:
            peep_i, peep_f, peep_o = p["peep"]
            i += c_before * peep_i
            f += c_before * peep_f
            sigmoid(z[:, : 2 * R])
        else:
            sigmoid(z[:, : 3 * R])
        c = f * c_before
        c += i * g
        if self.peepholes:
            o += c * peep_o
            sigmoid(o)
        squashed = np.tanh(c)
        return o * squashed, c, squashed

    def forward(self, x, state0, p, batch_sizes):
        """Run all steps; see `Cell.forward`."""
        # x W of all steps at once
        out, c_gates = self.gates_forward(x @ p["W"], state0, p, batch_sizes)
        return out, (x, p["W"], c_gates)

    def backward(self, dout, cache, memory=new_array):
        """Back-propagate through all time steps; see `Cell.backward`.

        dx = dz W^T, dW = x^T dz, and what `gates_backward` says.
        """
        x, W, c_gates = cache
        dz, dstate0, dp = self.gates_backward(dout, c_gates, memory)
        dW = np.matmul(x.T, dz, out=memory("W"))
        return dz @ W.T, dstate0, {"W": dW, **dp}

    def gates_forward(
        self,
        z: np.ndarray,
        state0: np.ndarray,
        p: Mapping[str, np.ndarray],
        batch_sizes: np.ndarray,
    ) -> tuple[np.ndarray, tuple]:
        """Run all steps from what every gate is told from outside, as x W is.

        For models that tell the gates more than one word: an image besides, say.

        Parameters
        ----------
        z : (P, 4R), overwritten by i, f, o and g.
        state0, p, batch_sizes : as of `forward`; W is not used.

        Returns out (P, R), and the cache.
        """
        R = self.size
        z += p["br"]
        out = np.empty((len(z), R), z.dtype)
        cells, squashed = np.empty_like(out), np.empty_like(out)
        h, c = state0[:, :R], state0[:, R:]
        for rows in steps(batch_sizes):
            n = rows.stop - rows.start
            h, c, t = self._advance(z[rows], h[:n], c[:n], p)
            out[rows], cells[rows], squashed[rows] = h, c, t
        return out, (z, out, cells, squashed, state0, p, batch_sizes)

    def gates_backward(
        self, dout: np.ndarray, cache: tuple, memory: Memory = new_array
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        """Back-propagate through all time steps, up to what the gates were told.

        From the last step to the first, dh and dc being all that h_t and c_t are told:

            do = dh tanh(c)                      dzo = do o (1 - o)
            dc += dh o (1 - tanh^2 c)
            di = dc g    dzi = di i (1 - i)      df = dc c'    dzf = df f (1 - f)
            dg = dc i    dzg = dg (1 - g^2)
            dc' = dc f                           dh' = dz U^T

        Peepholes add dzo po to dc, and dzi pi + dzf pf to dc'. For all steps at once
        dU = h'^T dz, db = sum dz.

        Returns dz (P, 4R), dstate0 (N, 2R), and the gradients of U, br and peepholes.
        """
        z, out, cells, squashed, state0, p, batch_sizes = cache
        R, U = self.size, p["U"]
        c_before = shifted(cells, state0[:, R:], batch_sizes)
        peep = p["peep"] if self.peepholes else np.zeros((3, R), z.dtype)
        dz = np.empty_like(z)
        dh = np.zeros((len(state0), R), z.dtype)  # what the step after sends back
        dc = np.zeros_like(dh)
        for rows in reversed(list(steps(batch_sizes))):
            n = rows.stop - rows.start
            dh[:n] += dout[rows]
            lstm_backward_kernel(
                dh[:n], z[rows], c_before[rows], squashed[rows], peep, dc[:n], dz[rows]
            )
            dh[:n] = times_transposed(dz[rows], U)
        h_before = shifted(out, state0[:, :R], batch_sizes)
        dp = {
            "U": np.matmul(h_before.T, dz, out=memory("U")),
            "br": dz.sum(axis=0),
        }
        if self.peepholes:
            seen = [c_before, c_before, cells]  # by i, f and o
            dp["peep"] = np.stack(
                [
                    np.sum(c * dz[:, k * R : (k + 1) * R], axis=0)
                    for k, c in enumerate(seen)
                ]
            )
        return dz, np.hstack([dh, dc]), dp
