"""The ReLU recurrence of the m-RNN, and back-propagation through time.

    r_t = max(0, r_{t-1} U + x_t + b)

The word enters without a matrix of its own: the second embedding already has the size
of the recurrent layer, and is added to it. The image never enters here.

Knows: one recurrent layer. Does not know: words, images, the loss.
"""

import numpy as np

from mrnn_np.cells.cell import Cell, new_array, predecessors, shifted, steps
from mrnn_np.kernels.activations import relu_step_kernel
from mrnn_np.layers.parameters import Parameter, orthogonal, zeros
from mrnn_np.runtime.errors import InputError

SCALE = 0.58  # of U at the start; models/mrnn.py says what was tried
LARGEST_SCALE = float(np.finfo(np.float32).max)  # what the entries of U can hold


def check_scale(scale: float) -> None:
    """Raise InputError for a scale of U that a config cannot ask for."""
    if not abs(scale) <= LARGEST_SCALE:
        raise InputError(f"recurrent_scale cannot be {scale}")


class ReLUCell(Cell):
    """R rectified linear units that see each other's last state.

    Parameters
    ----------
    input_size : must be R.
    size : R.
    scale : U starts as a random orthogonal matrix times this. Below 1 the state cannot
        grow without bound (lesson 2 draws both).
    """

    def __init__(self, input_size: int, size: int, scale: float = SCALE) -> None:
        if input_size != size:
            raise ValueError(
                f"{size} rectified linear units take {size} inputs, not {input_size}: "
                "they are added, without a matrix"
            )
        super().__init__(input_size, size)
        self.scale = scale

    def parameters(self) -> dict[str, Parameter]:
        """Return U (R, R) and br (R,)."""
        return {"U": orthogonal(self.size, self.scale), "br": zeros(self.size)}

    def step(self, x, state, p):
        """Advance the state of n sentences by one word.

            r_t = max(0, r_{t-1} U + x_t + b)     (m-RNN paper, section 3.2)

        Parameters
        ----------
        x : (n, R), the second embedding of the words.
        state : (n, R), the states r_{t-1}; zeros before the first word.
        """
        out = np.empty_like(x)
        relu_step_kernel(state @ p["U"], x, p["br"], out)
        return out

    def forward(self, x, state0, p, batch_sizes):
        """Run the recurrence over all steps; see `Cell.forward`.

        r_t = max(0, r_{t-1} U + x_t + b),    r_0 = state0
        """
        U, b = p["U"], p["br"]
        out = np.empty_like(x)
        r = state0
        for rows in steps(batch_sizes):
            # The sentences are sorted by length: those that still run are the first n.
            n = rows.stop - rows.start
            relu_step_kernel(r[:n] @ U, x[rows], b, out[rows])
            r = out[rows]
        return out, (out, state0, U, batch_sizes)

    def backward(self, dout, cache, memory=new_array):
        """Back-propagate through all time steps; see `Cell.backward`.

        From the last step to the first, with dz_t the gradient before the ReLU:

            dr_t = dout_t + dz_{t+1} U^T       (the state is used twice)
            dz_t = dr_t where r_t > 0, else 0
            dx = dz        db = sum dz        dU = sum over t of r_{t-1}^T dz_t
        """
        out, state0, U, batch_sizes = cache
        dz = dout.copy()  # the rows of step t hold dr_t until the gate makes them dz_t
        dr = np.zeros_like(state0)  # what the step after sends back
        running = 0  # sentences that have a step after
        for rows in reversed(list(steps(batch_sizes))):
            dz[rows][:running] += dr[:running]
            dz[rows] *= out[rows] > 0
            running = rows.stop - rows.start
            np.matmul(dz[rows], U.T, out=dr[:running])
        # One product for all steps: rows that have a predecessor beside that one.
        N = len(state0)
        dU = np.matmul(out[predecessors(batch_sizes)].T, dz[N:], out=memory("U"))
        dU += state0.T @ dz[:N]
        return dz, dr, {"U": dU, "br": dz.sum(axis=0)}

    def distance_to_kink(self, x, state0, p, batch_sizes):
        """Return the smallest |r_{t-1} U + x_t + b| over all steps and units.

        A difference quotient across the kink is neither of the two slopes, so a
        gradient check takes a seed where every unit keeps away from it by much more
        than the step.
        """
        out, _ = self.forward(x, state0, p, batch_sizes)
        before = shifted(out, state0, batch_sizes)
        return float(np.abs(before @ p["U"] + x + p["br"]).min())
