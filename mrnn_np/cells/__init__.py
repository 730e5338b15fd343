"""Recurrent cells: how a state runs through the words of a sentence.

A cell is what a recurrent layer repeats at every time step. All have one interface
(cell.py), so a model that has one can have any:

    relu.py     r_t = max(0, r_{t-1} U + x_t + b), the paper's
    gru.py      two gates, that say what to keep and what to look at
    lstm.py     three gates and a second state, that is only added to
    stack.py    several cells, one on top of the other

Each file has one step, all steps of a packed batch, and back-propagation through time.
"""

from mrnn_np.cells.cell import Cell
from mrnn_np.cells.gru import GRUCell
from mrnn_np.cells.lstm import LSTMCell
from mrnn_np.cells.relu import ReLUCell
from mrnn_np.cells.stack import CELLS, Stack, make_cell

__all__ = [
    "CELLS",
    "Cell",
    "GRUCell",
    "LSTMCell",
    "ReLUCell",
    "Stack",
    "make_cell",
]
