"""The ReLU recurrence over a packed batch, and back-propagation through time.

The word enters without a matrix of its own: the second embedding already has the size
of the recurrent layer, and is added to it. The image never enters here.

Knows: how a state runs through the time steps of a packed batch (data/batches.py shows
one). Does not know: words, images, the loss.
"""

import numpy as np

from mrnn_np.kernels.activations import relu_step_kernel

Cache = tuple[np.ndarray, np.ndarray, np.ndarray]


def recurrent_step(
    x: np.ndarray, previous: np.ndarray, U: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """Advance the state of n sentences by one word.

        r_t = max(0, r_{t-1} U + w_t + b)     (m-RNN paper, section 3.2)

    Parameters
    ----------
    x : (n, R), the second embedding w_t of the words.
    previous : (n, R), the states r_{t-1}; zeros before the first word.
    U : (R, R), b : (R,).

    Returns the new states (n, R).
    """
    out = np.empty_like(x)
    relu_step_kernel(previous @ U, x, b, out)
    return out


def recurrent_forward_plain(
    x: np.ndarray, U: np.ndarray, b: np.ndarray, batch_sizes: np.ndarray
) -> np.ndarray:
    """Run one sentence after another, as a first reading of the equation would.

    Sentence n is still running at step t when n < batch_sizes[t]; its word of that
    step is row start[t] + n. This is what `recurrent_forward` computes.
    """
    start = np.cumsum(batch_sizes) - batch_sizes
    out = np.zeros_like(x)
    for n in range(batch_sizes[0]):
        r = np.zeros(x.shape[1], x.dtype)
        for t in range(len(batch_sizes)):
            if n < batch_sizes[t]:
                p = start[t] + n
                r = np.maximum(0, r @ U + x[p] + b)
                out[p] = r
    return out


def recurrent_forward(
    x: np.ndarray, U: np.ndarray, b: np.ndarray, batch_sizes: np.ndarray
) -> tuple[np.ndarray, Cache]:
    """Run the recurrence over all steps, the running sentences of a step together.

        r_t = max(0, r_{t-1} U + w_t + b),    r_0 = 0

    Parameters
    ----------
    x : (P, R) floating, time-major: first the N words of step 0, then the words of
        step 1 of the sentences that have one, and so on.
    U : (R, R), b : (R,), the dtype of `x`.
    batch_sizes : (T,) integer, non-increasing: sentences that run at each step.

    Returns
    -------
    out : (P, R), every state, in the order of `x`; and the cache.
    """
    out = np.empty_like(x)
    previous = np.zeros((batch_sizes[0], x.shape[1]), x.dtype)
    begin = 0
    for n in batch_sizes:
        step = slice(begin, begin + n)
        # The sentences are sorted by length: those that still run are the first n.
        relu_step_kernel(previous[:n] @ U, x[step], b, out[step])
        previous = out[step]
        begin += n
    return out, (out, U, batch_sizes)


def recurrent_backward(
    dout: np.ndarray, cache: Cache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Back-propagate through all time steps, without truncation.

    From the last step to the first, with dz_t the gradient before the ReLU:

        dr_t = dout_t + dz_{t+1} U^T       (the state is used twice)
        dz_t = dr_t where r_t > 0, else 0
        dx = dz        db = sum dz        dU = sum over t of r_{t-1}^T dz_t

    Parameters
    ----------
    dout : (P, R), what the layers above send back to every state.

    Returns
    -------
    dx (P, R), dU (R, R), db (R,).
    """
    out, U, batch_sizes = cache
    dz = dout.copy()  # the rows of step t hold dr_t until the gate makes them dz_t
    end = len(out)
    for t in range(len(batch_sizes) - 1, -1, -1):
        n = batch_sizes[t]
        step = slice(end - n, end)
        dz[step] *= out[step] > 0
        end -= n
        if t > 0:
            # The n sentences of step t are the first n of step t-1.
            begin = end - batch_sizes[t - 1]
            dz[begin : begin + n] += dz[step] @ U.T
    # One product for all steps: rows that have a predecessor beside that predecessor.
    N = batch_sizes[0]
    dU = out[predecessors(batch_sizes)].T @ dz[N:]
    return dz, dU, dz.sum(axis=0)


def predecessors(batch_sizes: np.ndarray) -> np.ndarray:
    """Return, for every row after step 0, the row of the same sentence one step before.

    With batch_sizes (3, 2, 1) the rows are 0 1 2 | 3 4 | 5, and rows 3 4 5 follow
    rows 0 1 3.
    """
    rows = np.arange(batch_sizes[0], np.sum(batch_sizes))
    return rows - np.repeat(batch_sizes[:-1], batch_sizes[1:])


def recurrent_gap(
    x: np.ndarray, U: np.ndarray, b: np.ndarray, batch_sizes: np.ndarray
) -> float:
    """Return the smallest |r_{t-1} U + x_t + b| over all steps and units.

    So near comes a unit to the kink of its ReLU. A difference quotient across the kink
    is neither of the two slopes, so a gradient check takes a seed where every unit
    keeps away from it by much more than the step.
    """
    r, _ = recurrent_forward(x, U, b, batch_sizes)
    before = np.zeros_like(x)
    before[batch_sizes[0] :] = r[predecessors(batch_sizes)]
    return float(np.abs(before @ U + x + b).min())
