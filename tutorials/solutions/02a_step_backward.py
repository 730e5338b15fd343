"""Solution of exercise 02a.

Check: python tutorials/solutions/02a_step_backward.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "exercises"))
import checks


def step_backward(dr, r, previous, U):
    """Return the gradients of one step.

    dr : (n, R), what comes back to the new state r, which is (n, R) as well.
    Returns dw (n, R), dprevious (n, R), dU (R, R), db (R,).
    """
    dz = dr * (r > 0)
    return dz, dz @ U.T, previous.T @ dz, dz.sum(axis=0)


if __name__ == "__main__":
    sys.exit(checks.run(checks.check_step_backward, step_backward))
