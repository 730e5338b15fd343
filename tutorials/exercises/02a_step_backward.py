"""Exercise 02a: the backward pass of one recurrent step (lesson 2, section 2).

The forward step is

    r = max(0, previous U + w + b)

for n sentences at once: w, previous and r are (n, R), U is (R, R), b is (R,).

Check: python tutorials/exercises/02a_step_backward.py
"""

import sys

import checks


def step_backward(dr, r, previous, U):
    """Return the gradients of one step.

    dr : (n, R), what comes back to the new state r, which is (n, R) as well.
    Returns dw (n, R), dprevious (n, R), dU (R, R), db (R,).
    """
    raise NotImplementedError("fill in dz first, then the four gradients from it")


if __name__ == "__main__":
    sys.exit(checks.run(checks.check_step_backward, step_backward))
