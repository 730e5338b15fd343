"""Exercise 02a: one recurrent step backward, for n sentences at once.

Lesson 2, section 2, has one sentence. Here are n of them, one a row, through the same
U and b:

    r = max(0, previous U + w + b)

Check: python tutorials/exercises/check.py 02a
Expect: errors below 1e-8.
"""


def step_backward(dr, r, previous, U):
    """Return the gradients of one step.

    dr : (n, R), what comes back to the new states r, which are (n, R) as well.
    previous : (n, R), U : (R, R).
    All are float64, and stay as they are.
    Returns dw (n, R), dprevious (n, R), dU (R, R), db (R,).
    """
    raise NotImplementedError("fill in dz first, then the four gradients from it")
