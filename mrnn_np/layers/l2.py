"""The L2 penalty on the parameters, the second term of the paper's cost.

Knows: sums of squares. Does not know: the loss it is added to.
"""

from collections.abc import Mapping

import numpy as np


def l2_forward(params: Mapping[str, np.ndarray], strength: float) -> float:
    """Return the penalty on the size of all parameters.

        penalty = strength * sum of theta^2      (m-RNN paper, equation 6)

    The paper adds it to a cost in bits per word; with a cost in nats the same
    trade-off has strength times ln 2.

    Parameters
    ----------
    params : name -> array.
    strength : the paper's lambda, 0 for none.
    """
    if strength == 0:
        return 0.0
    return strength * sum(float(np.vdot(value, value)) for value in params.values())


def l2_backward(
    params: Mapping[str, np.ndarray], strength: float, grads: dict[str, np.ndarray]
) -> None:
    """Add the gradient of the penalty to `grads`, in place.

    dtheta += 2 * strength * theta
    """
    if strength == 0:
        return
    for name, value in params.items():
        grads[name] += (2 * strength) * value
