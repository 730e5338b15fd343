"""Is a gradient right? Hand-written backward passes against numerical ones.

check.py        one gradient: centred differences, every entry or random directions
cases.py        a small case for every layer and model
precision.py    the same gradients in float32, with kept memory, beside float64
run.py          all of them, one after another
"""

from mrnn_np.gradcheck.check import (
    LIMIT_LAYER,
    LIMIT_PROJECTION,
    LIMIT_THROUGH_TIME,
    STEP,
    GradientCheck,
    check_gradient,
    check_projection,
    relative_error,
)

__all__ = [
    "LIMIT_LAYER",
    "LIMIT_PROJECTION",
    "LIMIT_THROUGH_TIME",
    "STEP",
    "GradientCheck",
    "check_gradient",
    "check_projection",
    "relative_error",
]
