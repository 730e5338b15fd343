"""A compiled network: what is computed in which order, and where everything lies.

Knows: the table, memory, a team of threads. Does not know: layers.
"""

from dataclasses import dataclass

import numpy as np

from mrnn_np.cnn.graph import Step
from mrnn_np.cnn.memory import Map
from mrnn_np.kernels.program import run_program
from mrnn_np.kernels.sharing import COUNTERS
from mrnn_np.kernels.threads import Team


@dataclass(frozen=True)
class Program:
    """A network compiled for one number and size of images, and one set of outputs.

    table : records of `mrnn_np.kernels.program.STEP`.
    size : numbers of memory that the maps need.
    scratch : numbers of memory that each thread needs behind them.
    picture : where the images go.
    maps : where the outputs are that are wanted, or that `rest` reads.
    rest : the last steps, which there are no kernels for.
    """

    table: np.recarray
    size: int
    scratch: int
    picture: Map
    maps: dict[str, Map]
    rest: list[Step]

    def run(
        self, x: np.ndarray, filters: np.ndarray, memory: np.ndarray, team: Team
    ) -> dict[str, np.ndarray]:
        """Return `maps` of the images x (N, H, W, C), as views of the memory.

        Parameters
        ----------
        filters : the array that the program was compiled with, or a longer one.
        memory : (self.size + team.jobs * self.scratch or more,) float32, zeros at
            first. Programs of one network may use it in turn.
        """
        self.picture.fill(memory, x)
        counters = np.zeros(len(self.table) * COUNTERS, np.int64)
        everything = self.table, memory, filters, counters
        scratch = [self.size + i * self.scratch for i in range(team.jobs)]
        team.together(run_program, [(*everything, at) for at in scratch])
        return {name: map_.view(memory, len(x)) for name, map_ in self.maps.items()}
