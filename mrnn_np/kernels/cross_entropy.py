"""Softmax, cross entropy and the output bias, a row at a time while it is in cache.

The scores of all words are by far the largest array of a training step: 38 MB for 1,200
tokens and 8,000 words. NumPy walks through it once for the bias, four times for the
softmax, three times for the gradient. Here a row of 32 KB is finished before the next
one is touched, and the array itself is read and written once forward and once backward.

Numba has no vectorised exp (it calls the C library for every element), so `exp` is
written out: exp(x) = 2^n exp(r) with n = x / ln 2 rounded, 2^n by shifting n into the
exponent's bits, and a polynomial for |r| <= ln 2 / 2. Relative error below 5e-7.

Knows: rows of float32 scores. Does not know: words, or where the scores come from.
"""

import numpy as np
from numba import njit

LOG2E = np.float32(1 / np.log(2.0))
# ln 2 in two parts: n times the first is exact (its last 9 bits are zero), the second
# makes up for what it lacks.
LN2_HIGH = np.float32(0.693359375)
LN2_LOW = np.float32(np.log(2.0) - 0.693359375)
HALF, ONE, ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)
C2, C3, C4 = np.float32(1 / 2), np.float32(1 / 6), np.float32(1 / 24)
C5, C6 = np.float32(1 / 120), np.float32(1 / 720)
SMALLEST = np.float32(-87.0)  # exp(-87) is the last normal float32; below, this is used
SIGN, REST = np.int32(31), np.int32(2**31 - 1)  # of a float32: place and mask
OFFSET, FIELD = np.int32(127), np.int32(23)  # of a float32's exponent


def cross_entropy_plain(
    logits: np.ndarray, bias: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `cross_entropy` computes: exponentials, totals, losses.

        e = exp(z + b - max),   total = sum e,   loss = log total - log e[target]

    Any dtype; the exponentials are written over the logits.
    """
    logits += bias
    logits -= logits.max(axis=1, keepdims=True)
    losses = -logits[np.arange(len(targets)), targets]
    exps = np.exp(logits, out=logits)
    totals = exps.sum(axis=1)
    return exps, totals, losses + np.log(totals)


def cross_entropy_backward_plain(
    exps: np.ndarray, totals: np.ndarray, targets: np.ndarray, dlosses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `cross_entropy_backward` computes: dlogits, over exps, and dbias.

    dz = (e / total - onehot(target)) dloss,   db = sum of dz over the rows
    """
    exps *= (dlosses / totals)[:, None]
    exps[np.arange(len(targets)), targets] -= dlosses
    return exps, exps.sum(axis=0)


@njit(cache=True, nogil=True, fastmath=False)
def largest(row, bias):
    """Return the maximum of row + bias, both (V,).

    The compiler makes vector maxima of integers only (0.06 ns an element; of floats
    1.3). Read as integers, floats are in the right order once the bits of the negative
    ones, all but the sign, are turned round; turning twice gives the float back.
    """
    most = np.int32(-(2**31) + 1)
    for v in range(len(row)):
        bits = np.float32(row[v] + bias[v]).view(np.int32)
        # Without np.int32 Numba would go on in int64, half as many numbers a vector.
        most = max(most, np.int32(bits ^ ((bits >> SIGN) & REST)))
    return np.int32(most ^ ((most >> SIGN) & REST)).view(np.float32)


@njit(cache=True, nogil=True, forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def exponentiate(row, bias, shift):
    """Write exp(row + bias - shift) over the row; return the sum."""
    total = ZERO
    for v in range(len(row)):
        x = row[v] + bias[v] - shift
        x = SMALLEST if x < SMALLEST else x  # not max(): a NaN is to stay one
        n = np.floor(x * LOG2E + HALF)
        r = (x - n * LN2_HIGH) - n * LN2_LOW
        y = C6
        y = y * r + C5
        y = y * r + C4
        y = y * r + C3
        y = y * r + C2
        y = y * r + ONE
        y = y * r + ONE
        e = y * np.int32((np.int32(n) + OFFSET) << FIELD).view(np.float32)
        row[v] = e
        total += e
    return total


@njit(cache=True, nogil=True, fastmath=False)
def cross_entropy(logits, bias, targets, totals, losses):
    """Turn each row into exponentials; write their totals and the losses.

    Parameters
    ----------
    logits : (P, V) float32, without the bias; overwritten by exp(z + b - max).
    bias : (V,) float32. targets : (P,) integer in [0, V).
    totals, losses : (P,) float32, written.
    """
    for p in range(len(targets)):
        row = logits[p]
        shift = largest(row, bias)
        z = row[targets[p]] + bias[targets[p]] - shift
        totals[p] = exponentiate(row, bias, shift)
        losses[p] = np.log(totals[p]) - z


@njit(cache=True, nogil=True, fastmath=False)
def cross_entropy_backward(exps, totals, targets, dlosses, dbias):
    """Turn exponentials into the gradient by the logits; sum it up for the bias.

    Parameters
    ----------
    exps, totals : of `cross_entropy`; exps (P, V) is overwritten by dlogits.
    dlosses : (P,) float32. dbias : (V,) float32, zeros; the sum is added.
    """
    for p in range(len(targets)):
        row = exps[p]
        scale = dlosses[p] / totals[p]
        row[targets[p]] -= totals[p]
        for v in range(len(row)):
            row[v] *= scale
            dbias[v] += row[v]
