"""Exercise 02b: back-propagation through time, for a packed batch.

Lesson 2, sections 4 and 5. The states were computed by

    r_t = max(0, r_{t-1} U + x_t + b),    r_0 = 0

where the n = batch_sizes[t] sentences that run at step t are the first n of those that
ran at step t - 1. Two paths meet at every state, and U is used at every step.

Check: python tutorials/exercises/check.py 02b
Expect: errors below 1e-8.
"""

import numpy as np


def through_time_backward(dout, out, U, batch_sizes):
    """Return the gradients of all steps together.

    dout : (P, R), what the layers above send back to every state.
    out : (P, R), the states. U : (R, R). batch_sizes : (T,) integer.
    All arrays but batch_sizes are float64, and all stay as they are.
    Returns dx (P, R), dU (R, R), db (R,).
    """
    begin = np.cumsum(batch_sizes) - batch_sizes  # the first row of every step
    dx = dout.copy()  # so far only one of the two paths, and all gates open
    dU = np.zeros_like(U)
    for t in reversed(range(len(batch_sizes))):
        now = slice(begin[t], begin[t] + batch_sizes[t])
        dx[now] *= out[now] > 0  # the gates of step t
        raise NotImplementedError(f"what step {t} sends to step {t - 1}, and to dU")
    return dx, dU, dx.sum(axis=0)
