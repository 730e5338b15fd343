"""Cells by name, and several of them one on top of the other.

Each cell of a stack is fed the outputs of the one below. The parameters of the n-th,
from 1 at the bottom, are called "n.U" and so on; its state is its share of the columns,
the topmost first, because a state begins with the output.

Knows: cells. Does not know: what they compute.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mrnn_np.cells.cell import Arrays, Cell, Memory, new_array
from mrnn_np.cells.gru import GRUCell
from mrnn_np.cells.lstm import LSTMCell
from mrnn_np.cells.relu import ReLUCell
from mrnn_np.layers.parameters import Parameter
from mrnn_np.runtime.errors import InputError

# NAME -> input size, size -> the cell.
CELLS: dict[str, Callable[..., Cell]] = {
    "relu": ReLUCell,
    "gru": GRUCell,
    "lstm": LSTMCell,
    "lstm-peepholes": lambda X, R: LSTMCell(X, R, peepholes=True),
}


MOST_LAYERS = 8


def check_cell(name: str, layers: int) -> None:
    """Raise InputError for a cell that a config cannot ask for."""
    if name not in CELLS:
        raise InputError(f"cell {name[:40]!r} is not one of {', '.join(CELLS)}")
    if not 1 <= layers <= MOST_LAYERS:
        raise InputError(f"recurrent_layers must be 1 to {MOST_LAYERS}, not {layers}")


def make_cell(
    name: str, input_size: int, size: int, layers: int = 1, **more: float
) -> Cell:
    """Return a cell, or a stack of several layers of it.

    Parameters
    ----------
    name : of `CELLS`.
    input_size, size : X and R; every layer has R units.
    more : what this kind of cell takes besides.
    """
    below = [input_size] + [size] * (layers - 1)
    cells = [CELLS[name](X, size, **more) for X in below]
    return cells[0] if layers == 1 else Stack(cells)


class Stack(Cell):
    """Several cells as one.

    Parameters
    ----------
    cells : from the bottom to the top.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        super().__init__(cells[0].input_size, cells[-1].size)
        self.cells = list(cells)

    @property
    def state_size(self) -> int:
        """S, columns of all states together."""
        return sum(cell.state_size for cell in self.cells)

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of all cells, with their numbers."""
        return {
            f"{n}.{name}": parameter
            for n, cell in enumerate(self.cells, 1)
            for name, parameter in cell.parameters().items()
        }

    def step(self, x, state, p):
        """Advance n sentences by one word, from the bottom to the top."""
        after = []
        for n, (cell, own) in enumerate(self._shares(state), 1):
            after.append(cell.step(x, own, numbered(p, n)))
            x = cell.output(after[-1])
        return np.hstack(after[::-1])

    def forward(self, x, state0, p, batch_sizes):
        """Run all steps of one cell after another, from the bottom to the top."""
        caches = []
        for n, (cell, own) in enumerate(self._shares(state0), 1):
            x, cache = cell.forward(x, own, numbered(p, n), batch_sizes)
            caches.append(cache)
        return x, tuple(caches)

    def backward(self, dout, cache, memory=new_array):
        """Go back through one cell after another, from the top to the bottom."""
        dstates: list[np.ndarray] = []
        dp: Arrays = {}
        for n in range(len(self.cells), 0, -1):
            dout, dstate, own = self.cells[n - 1].backward(
                dout, cache[n - 1], of_cell(memory, n)
            )
            dstates.append(dstate)
            dp |= {f"{n}.{name}": grad for name, grad in own.items()}
        return dout, np.hstack(dstates), dp

    def distance_to_kink(self, x, state0, p, batch_sizes):
        """Return the smallest distance of all cells."""
        found = np.inf
        for n, (cell, own) in enumerate(self._shares(state0), 1):
            arguments = (x, own, numbered(p, n), batch_sizes)
            found = min(found, cell.distance_to_kink(*arguments))
            x, _ = cell.forward(*arguments)
        return found

    def _shares(self, state: np.ndarray) -> list[tuple[Cell, np.ndarray]]:
        """Return each cell and its columns of the state, from the bottom to the top."""
        shares, end = [], state.shape[1]
        for cell in self.cells:
            shares.append((cell, state[:, end - cell.state_size : end]))
            end -= cell.state_size
        return shares


def of_cell(memory: Memory, n: int) -> Memory:
    """Return what asks for the memory of the n-th cell by its parameters' names."""
    return lambda name: memory(f"{n}.{name}")


def numbered(p: Mapping[str, np.ndarray], n: int) -> dict[str, np.ndarray]:
    """Return the parameters of the n-th cell, under the names that it knows."""
    head = f"{n}."
    return {name.removeprefix(head): p[name] for name in p if name.startswith(head)}
