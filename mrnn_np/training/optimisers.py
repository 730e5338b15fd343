"""The four optimisers, and clipping.

With g the gradient of a parameter p and rate the learning rate:

    SGD      v <- momentum v - rate g           p <- p + v
    RMSprop  s <- decay s + (1 - decay) g^2     p <- p - rate g / sqrt(s + epsilon)
    Adagrad  s <- s + g^2                       p <- p - rate g / (sqrt(s) + epsilon)
    Adam     m <- beta1 m + (1 - beta1) g       p <- p - rate m^ / (sqrt(v^) + epsilon)
             v <- beta2 v + (1 - beta2) g^2     m^ = m / (1 - beta1^t), v^ likewise

Knows: parameters, gradients and what it remembers of them. Does not know: the model,
the loss, or when to stop.
"""

import math
from collections.abc import Mapping

import numpy as np

from mrnn_np.kernels.updates import (
    adagrad_update,
    adam_update,
    momentum_update,
    rmsprop_update,
)


class Optimiser:
    """Updates parameters in place and keeps its state in plain arrays.

    Parameters
    ----------
    params : name -> array; the state gets the same names, shapes and dtypes.

    Attributes
    ----------
    steps : updates made so far.
    state : dict of "slot/name" -> array, all that has to be stored to go on later.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, params: Mapping[str, np.ndarray]) -> None:
        self.steps = 0
        self.state = {
            f"{slot}/{name}": np.zeros_like(value)
            for slot in self.slots
            for name, value in params.items()
        }

    def update(
        self,
        params: dict[str, np.ndarray],
        grads: Mapping[str, np.ndarray],
        rate: float,
    ) -> None:
        """Move every parameter one step against its gradient, in place."""
        self.steps += 1
        for name, p in params.items():
            state = [self.state[f"{slot}/{name}"].ravel() for slot in self.slots]
            # ravel() of a contiguous array is a view: the kernel changes p itself.
            self.update_one(p.ravel(), grads[name].ravel(), state, rate)

    def update_one(
        self, p: np.ndarray, g: np.ndarray, state: list[np.ndarray], rate: float
    ) -> None:
        """Update one flat parameter in place, and its state, an array a slot."""
        raise TypeError("use SGD, RMSprop, Adagrad or Adam")


class SGD(Optimiser):
    """Gradient descent with momentum (0 for the plain one)."""

    slots = ("velocity",)
    momentum = 0.9

    def update_one(
        self, p: np.ndarray, g: np.ndarray, state: list[np.ndarray], rate: float
    ) -> None:
        momentum_update(p, g, *state, rate, self.momentum)


class RMSprop(Optimiser):
    """Divide by a running root mean square of the gradient (Tieleman and Hinton)."""

    slots = ("square",)
    decay = 0.99
    epsilon = 1e-8  # inside the root, as neuraltalk has it

    def update_one(
        self, p: np.ndarray, g: np.ndarray, state: list[np.ndarray], rate: float
    ) -> None:
        rmsprop_update(p, g, *state, rate, self.decay, self.epsilon)


class Adagrad(Optimiser):
    """Divide by the root of the sum of all squares so far (Duchi et al., 2011)."""

    slots = ("square",)
    epsilon = 1e-8

    def update_one(
        self, p: np.ndarray, g: np.ndarray, state: list[np.ndarray], rate: float
    ) -> None:
        adagrad_update(p, g, *state, rate, self.epsilon)


class Adam(Optimiser):
    """Running means of gradient and square, corrected (Kingma and Ba, 2015)."""

    slots = ("mean", "square")
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def update_one(
        self, p: np.ndarray, g: np.ndarray, state: list[np.ndarray], rate: float
    ) -> None:
        betas = self.beta1, self.beta2
        adam_update(p, g, *state, rate, *betas, self.epsilon, self.steps)


OPTIMISERS = {"sgd": SGD, "rmsprop": RMSprop, "adagrad": Adagrad, "adam": Adam}


def clip_by_global_norm(grads: Mapping[str, np.ndarray], largest: float) -> float:
    """Scale all gradients alike, in place, so that their joint norm is bounded.

        norm = sqrt(sum of all g^2);   g <- g * largest / norm   if norm > largest

    Clipping each entry would change the direction; this does not.

    Parameters
    ----------
    largest : the bound; infinity to measure only.

    Returns the norm before clipping (NaN or infinite when a gradient is).
    """
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if largest < norm < math.inf:
        for g in grads.values():
            g *= largest / norm
    return norm
