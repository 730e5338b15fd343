"""Solution of exercise 02b.

Check: python tutorials/solutions/02b_through_time_backward.py
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "exercises"))
import checks


def through_time_backward(dout, out, U, batch_sizes):
    """Return the gradients of all steps together.

    dout : (P, R), what the layers above send back to every state.
    out : (P, R), the states. U : (R, R). batch_sizes : (T,) integer.
    Returns dx (P, R), dU (R, R), db (R,).
    """
    # Step t lies in the rows begin[t] to begin[t] + batch_sizes[t].
    begin = np.cumsum(batch_sizes) - batch_sizes
    dr = dout.copy()  # the first path only
    dx = np.zeros_like(out)
    dU = np.zeros_like(U)
    for t in range(len(batch_sizes) - 1, -1, -1):
        now = slice(begin[t], begin[t] + batch_sizes[t])
        dx[now] = dr[now] * (out[now] > 0)
        if t > 0:
            before = slice(begin[t - 1], begin[t - 1] + batch_sizes[t])
            dr[before] += dx[now] @ U.T
            dU += out[before].T @ dx[now]
    return dx, dU, dx.sum(axis=0)


if __name__ == "__main__":
    sys.exit(checks.run(checks.check_through_time, through_time_backward))
