"""Exercise 02b: back-propagation through time (lesson 2, sections 4 and 5).

The states of a packed batch are computed by

    r_t = max(0, r_{t-1} U + x_t + b),    r_0 = 0

where the n = batch_sizes[t] sentences that run at step t are the first n of those that
ran at step t - 1. Two paths meet at every state, and U is used at every step.

Check: python tutorials/exercises/02b_through_time_backward.py
"""

import sys

import checks
import numpy as np


def through_time_backward(dout, out, U, batch_sizes):
    """Return the gradients of all steps together.

    dout : (P, R), what the layers above send back to every state.
    out : (P, R), the states. U : (R, R). batch_sizes : (T,) integer.
    Returns dx (P, R), dU (R, R), db (R,).
    """
    # Step t lies in the rows begin[t] to begin[t] + batch_sizes[t].
    begin = np.cumsum(batch_sizes) - batch_sizes
    dx = np.zeros_like(out)
    dU = np.zeros_like(U)
    for t in range(len(batch_sizes) - 1, -1, -1):
        # dx of this step, from what comes from above and what step t + 1 sent back;
        # then, if t > 0, what goes back to step t - 1, and this step's share of dU.
        raise NotImplementedError(f"step {t}, which begins at row {begin[t]}")
    return dx, dU, dx.sum(axis=0)


if __name__ == "__main__":
    sys.exit(checks.run(checks.check_through_time, through_time_backward))
