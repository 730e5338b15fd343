"""Parameter updates of the optimisers, each in a single pass.

In NumPy Adam makes about ten passes over every parameter; at 2.5 million parameters
they take longer than the products of a small layer. All arrays here are flat and of
one dtype; the equations are in mrnn_np/training/optimisers.py, and the plain twins
below follow them term by term.

`error_model="numpy"` lets a division by zero give infinity. With Numba's default each
division is tested for an error to raise, and no loop that divides becomes a vector
loop: Adam takes 1.3 ns an element instead of 4.1, which is what the memory allows.
"""

import math

import numpy as np
from numba import njit


def momentum_update_plain(p, g, v, rate, momentum):
    """v <- momentum v - rate g;   p <- p + v."""
    v *= momentum
    v -= rate * g
    p += v


@njit(cache=True, fastmath=False, error_model="numpy")
def momentum_update(p, g, v, rate, momentum):
    """Do what `momentum_update_plain` does."""
    rate = p.dtype.type(rate)
    momentum = p.dtype.type(momentum)
    for i in range(p.size):
        v[i] = momentum * v[i] - rate * g[i]
        p[i] += v[i]


def rmsprop_update_plain(p, g, s, rate, decay, epsilon):
    """s <- decay s + (1 - decay) g^2;   p <- p - rate g / sqrt(s + epsilon)."""
    s *= decay
    s += (1 - decay) * g**2
    p -= rate * g / np.sqrt(s + epsilon)


@njit(cache=True, fastmath=False, error_model="numpy")
def rmsprop_update(p, g, s, rate, decay, epsilon):
    """Do what `rmsprop_update_plain` does."""
    rest = p.dtype.type(1 - decay)
    rate = p.dtype.type(rate)
    decay = p.dtype.type(decay)
    epsilon = p.dtype.type(epsilon)
    for i in range(p.size):
        s[i] = decay * s[i] + rest * g[i] * g[i]
        p[i] -= rate * g[i] / math.sqrt(s[i] + epsilon)


def adagrad_update_plain(p, g, s, rate, epsilon):
    """s <- s + g^2;   p <- p - rate g / (sqrt(s) + epsilon)."""
    s += g**2
    p -= rate * g / (np.sqrt(s) + epsilon)


@njit(cache=True, fastmath=False, error_model="numpy")
def adagrad_update(p, g, s, rate, epsilon):
    """Do what `adagrad_update_plain` does."""
    rate = p.dtype.type(rate)
    epsilon = p.dtype.type(epsilon)
    for i in range(p.size):
        s[i] += g[i] * g[i]
        p[i] -= rate * g[i] / (math.sqrt(s[i]) + epsilon)


def adam_update_plain(p, g, m, v, rate, beta1, beta2, epsilon, t):
    """m, v: running means of g and g^2;   p <- p - rate m^ / (sqrt(v^) + epsilon).

    m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t) make up for the start at zero.
    """
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g**2
    p -= rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)


@njit(cache=True, fastmath=False, error_model="numpy")
def adam_update(p, g, m, v, rate, beta1, beta2, epsilon, t):
    """Do what `adam_update_plain` does; the corrections become two constants."""
    size = p.dtype.type(rate / (1 - beta1**t))
    correction = p.dtype.type(1 / (1 - beta2**t))
    rest1 = p.dtype.type(1 - beta1)
    rest2 = p.dtype.type(1 - beta2)
    beta1 = p.dtype.type(beta1)
    beta2 = p.dtype.type(beta2)
    epsilon = p.dtype.type(epsilon)
    for i in range(p.size):
        m[i] = beta1 * m[i] + rest1 * g[i]
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        p[i] -= size * m[i] / (math.sqrt(v[i] * correction) + epsilon)
