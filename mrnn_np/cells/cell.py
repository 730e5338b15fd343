"""What a recurrent cell gives, and what all of them need of a packed batch.

    step(x, state, p) -> state                        one word more, for decoding
    forward(x, state0, p, batch_sizes) -> out, cache  all words of a packed batch
    backward(dout, cache) -> dx, dstate0, dp          back through time

Knows: the rows of a packed batch (data/batches.py shows one). Does not know: words,
images, the loss.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import DTypeLike

from mrnn_np.layers.parameters import Parameter

Arrays = dict[str, np.ndarray]
# Gives an array to write the gradient of a parameter to, by its name, or None for a new
# one (layers/buffers.py says what that is for).
Memory = Callable[[str], np.ndarray | None]


def new_array(name: str) -> None:
    """Let a backward pass make every array anew: the default `Memory`."""


class Cell(ABC):
    """A recurrent cell of R units.

    Its state is one row a sentence. The first R columns are the output of the cell, the
    rest, if there is any, is for the cell alone.

    Parameters
    ----------
    input_size : X, the length of what is fed in at a step.
    size : R.
    """

    # Columns of the state, in multiples of R.
    states = 1

    def __init__(self, input_size: int, size: int) -> None:
        self.input_size, self.size = input_size, size

    @property
    def state_size(self) -> int:
        """S, columns of the state."""
        return self.states * self.size

    def start(self, n: int, dtype: DTypeLike) -> np.ndarray:
        """Return the state before the first word when nothing else is known, zeros."""
        return np.zeros((n, self.state_size), dtype)

    def output(self, state: np.ndarray) -> np.ndarray:
        """Return the output that belongs to a state, (n, S) -> (n, R)."""
        return state[:, : self.size]

    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """Return shape and first draw of every parameter."""

    @abstractmethod
    def step(
        self, x: np.ndarray, state: np.ndarray, p: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Advance n sentences by one word.

        Parameters
        ----------
        x : (n, X), what is fed in.
        state : (n, S), before the word.
        p : the cell's parameters; others may be among them.

        Returns the state after the word, (n, S).
        """

    @abstractmethod
    def forward(
        self,
        x: np.ndarray,
        state0: np.ndarray,
        p: Mapping[str, np.ndarray],
        batch_sizes: np.ndarray,
    ) -> tuple[np.ndarray, tuple]:
        """Run all steps, the running sentences of a step together.

        Parameters
        ----------
        x : (P, X) floating, time-major: first the N words of step 0, then the words of
            step 1 of the sentences that have one, and so on.
        state0 : (N, S), the state before the first word.
        p : the cell's parameters, the dtype of `x`; others may be among them.
        batch_sizes : (T,) integer, non-increasing: sentences that run at each step.

        Returns
        -------
        out : (P, R), the output after every word; and the cache.
        """

    @abstractmethod
    def backward(
        self, dout: np.ndarray, cache: tuple, memory: Memory = new_array
    ) -> tuple[np.ndarray, np.ndarray, Arrays]:
        """Back-propagate through all time steps, without truncation.

        Parameters
        ----------
        dout : (P, R), what the layers above send back to every output.
        memory : says where to write the gradients of large parameters.

        Returns
        -------
        dx (P, X), dstate0 (N, S), and the gradients by the parameters.
        """

    def distance_to_kink(
        self,
        x: np.ndarray,
        state0: np.ndarray,
        p: Mapping[str, np.ndarray],
        batch_sizes: np.ndarray,
    ) -> float:
        """Return how near a unit comes to a kink, where there is no slope to check.

        Arguments as of `forward`. A cell of smooth functions has no kink.
        """
        return np.inf


def steps(batch_sizes: np.ndarray) -> Iterator[slice]:
    """Yield the rows of each time step, from the first step to the last."""
    begin = 0
    for n in batch_sizes:
        yield slice(begin, begin + n)
        begin += n


def predecessors(batch_sizes: np.ndarray) -> np.ndarray:
    """Return, for every row after step 0, the row of the same sentence one step before.

    With batch_sizes (3, 2, 1) the rows are 0 1 2 | 3 4 | 5, and rows 3 4 5 follow
    rows 0 1 3.
    """
    rows = np.arange(batch_sizes[0], np.sum(batch_sizes))
    return rows - np.repeat(batch_sizes[:-1], batch_sizes[1:])


def shifted(out: np.ndarray, first: np.ndarray, batch_sizes: np.ndarray) -> np.ndarray:
    """Return what each row found before it: (P, R) of one step earlier.

    first : (N, R), what the rows of step 0 found.
    """
    return np.concatenate([first, out[predecessors(batch_sizes)]])


def times_transposed(dz: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Return dz U^T, (n, G) (R, G)^T -> (n, R), as the transpose of U dz^T.

    A time step has few rows, and BLAS is quicker with them on the right: 1.15 ms
    instead of 1.62 for 40 rows and U (512, 2048), one thread. With two threads on cores
    that others use too, a whole training step of NIC took 1.24 s instead of 2.07.
    """
    return (U @ dz.T).T


def forward_plain(
    cell: Cell,
    x: np.ndarray,
    state0: np.ndarray,
    p: Mapping[str, np.ndarray],
    batch_sizes: np.ndarray,
) -> np.ndarray:
    """Run one sentence after another, as a first reading of the equations would.

    Sentence n is still running at step t when n < batch_sizes[t]; its word of that step
    is row start[t] + n. This is what `forward` of every cell computes.
    """
    start = np.cumsum(batch_sizes) - batch_sizes
    out = np.zeros((len(x), cell.size), x.dtype)
    for n in range(batch_sizes[0]):
        state = state0[n : n + 1]
        for t in range(len(batch_sizes)):
            if n < batch_sizes[t]:
                row = start[t] + n
                state = cell.step(x[row : row + 1], state, p)
                out[row] = cell.output(state)[0]
    return out
