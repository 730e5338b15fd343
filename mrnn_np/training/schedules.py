"""Learning-rate schedules: a factor between 1 and 0 for every moment of a training.

Knows: the share of the training that is done. Does not know: the rate itself.
"""

import math

SCHEDULES = {
    "constant": lambda done: 1.0,
    # Full speed for the first half, then down to zero in a straight line.
    "linear": lambda done: min(1.0, 2 * (1 - done)),
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    # Half as much after each fifth of the training.
    "step": lambda done: 0.5 ** math.floor(5 * done),
}


def learning_rate_factor(schedule: str, done: float) -> float:
    """Return what the learning rate is multiplied by.

    Parameters
    ----------
    schedule : one of ``SCHEDULES``.
    done : share of all steps that lie behind, in [0, 1).
    """
    return SCHEDULES[schedule](done)
