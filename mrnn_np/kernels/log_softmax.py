"""Log-probabilities of a few chosen words without ever storing a softmax.

A likelihood needs one number of every row of logits: the chosen word's logit minus the
log of the sum over all V words. The sum is the expensive part. Three choices make it
cost 4 % of the matrix product that made the row (0.4 ns an element, AVX-512):

- base 2: the caller scales the output layer by log2(e), so that 2^x is wanted, which
  a float32 splits into its exponent (an integer shift) and a short polynomial;
- nothing is written back, the row is read once, while it is still in the cache;
- no maximum is subtracted, unless the sum comes out too small or too large.

Knows: rows of base-2 logits. Does not know: models, words, why they were chosen.
"""

import numpy as np
from numba import njit

LN2 = np.float32(np.log(2.0))
HALF = np.float32(0.5)
# 2^r = sum of (r ln 2)^k / k!, for |r| <= 1/2; what is left out is below 1.2e-7.
C0 = np.float32(1.0)
C1 = np.float32(np.log(2.0))
C2 = np.float32(np.log(2.0) ** 2 / 2)
C3 = np.float32(np.log(2.0) ** 3 / 6)
C4 = np.float32(np.log(2.0) ** 4 / 24)
C5 = np.float32(np.log(2.0) ** 5 / 120)
C6 = np.float32(np.log(2.0) ** 6 / 720)
# A float32 holds 2^-126 to 2^127; its exponent field is the exponent plus 127.
SMALLEST, LARGEST = np.float32(-126.0), np.float32(126.0)
OFFSET, FIELD = np.int32(127), np.int32(23)
# A sum outside of these may have lost terms to the limits above.
LOW, HIGH = np.float32(1e-18), np.float32(1e18)


def chosen_log_probs_plain(logits, bias, offsets, words, images, out):
    """Say in NumPy what `chosen_log_probs` computes, with natural logarithms."""
    z = (logits.astype(np.float64) + bias) * np.log(2)
    largest = z.max(axis=1, keepdims=True)
    log_sum = largest + np.log(np.exp(z - largest).sum(axis=1, keepdims=True))
    log_probs = (z - log_sum).reshape(-1, images, z.shape[1])  # (nodes, images, V)
    for node in range(len(log_probs)):
        for edge in range(offsets[node], offsets[node + 1]):
            out[edge] = log_probs[node, :, words[edge]]


# "reassoc" lets the sum be taken in vectors; without "nnan" a NaN stays a NaN.
@njit(cache=True, nogil=True, forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def sum_of_powers(row, bias, shift):
    """Return the sum of 2^(row + bias - shift), float32, of one row (V,)."""
    total = np.float32(0.0)
    for v in range(len(row)):
        x = min(max(row[v] + bias[v] - shift, SMALLEST), LARGEST)
        n = np.floor(x + HALF)
        r = x - n
        y = C6
        y = y * r + C5
        y = y * r + C4
        y = y * r + C3
        y = y * r + C2
        y = y * r + C1
        y = y * r + C0
        total += y * np.int32((np.int32(n) + OFFSET) << FIELD).view(np.float32)
    return total


@njit(cache=True, nogil=True, forceinline=True, fastmath=False)
def log2_sum(row, bias):
    """Return the base-2 logarithm of the sum of 2^(row + bias), float32."""
    total = sum_of_powers(row, bias, np.float32(0.0))
    if LOW < total < HIGH:
        return np.log2(total)
    shift = (row + bias).max()
    return shift + np.log2(sum_of_powers(row, bias, shift))


@njit(cache=True, nogil=True, fastmath=False)
def log_sums(logits, bias, out):
    """Write the natural logarithm of the sum over V of every row to out (rows,)."""
    for i in range(len(out)):
        out[i] = log2_sum(logits[i], bias) * LN2


@njit(cache=True, nogil=True, fastmath=False)
def chosen_log_probs(logits, bias, offsets, words, images, out):
    """Write the log-probability of every chosen word.

        out[e, i] = ln P(word e | row (node of e, image i))

    Parameters
    ----------
    logits : (nodes * images, V) float32, base 2 and without the bias, rows of one node
        together; bias : (V,) float32, base 2.
    offsets : (nodes + 1,) integer; words offsets[j] to offsets[j+1] are node j's.
    words : (edges,) integer; out : (edges, images) float32, nats.
    """
    for node in range(len(offsets) - 1):
        for i in range(images):
            row = logits[node * images + i]
            log_sum = log2_sum(row, bias)
            for edge in range(offsets[node], offsets[node + 1]):
                word = words[edge]
                out[edge, i] = (row[word] + bias[word] - log_sum) * LN2


# "reassoc" lets the dot product be taken in vectors.
@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def chosen_logits(m, columns, bias, offsets, words, images, out):
    """Write the logit of every chosen word alone, without the other V - 1.

        out[e, i] = (m[node of e, i] . columns[word e] + bias[word e]) ln 2

    Parameters
    ----------
    m : (nodes * images, M) float32; columns : (V, M), the output matrix transposed.
    bias, offsets, words, images, out : as in `chosen_log_probs`.
    """
    for node in range(len(offsets) - 1):
        for edge in range(offsets[node], offsets[node + 1]):
            column = columns[words[edge]]
            for i in range(images):
                row = m[node * images + i]
                total = np.float32(0.0)
                for j in range(len(row)):
                    total += row[j] * column[j]
                out[edge, i] = (total + bias[words[edge]]) * LN2
