"""The fast engine: compiled programs, their memory, and the threads that run them.

Knows: layers, weights, batches, threads. Does not know: images, what outputs are for.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial

import numpy as np

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.fast.compiler import compile_program
from mrnn_np.cnn.fast.filters import Filters
from mrnn_np.cnn.fast.memory import aligned_zeros
from mrnn_np.cnn.fast.program import Program
from mrnn_np.cnn.graph import plan, run
from mrnn_np.runtime.threads import ONE_BLAS_THREAD, Team, all_threads

# What NumPy leaves to BLAS. (All convolutions of our networks have kernels.)
PRODUCTS = {"fully_connected"}
COMPILING = threading.Lock()  # held by who adds a program or filters to a network
if hasattr(os, "register_at_fork"):  # else a child could find it held, by nobody
    os.register_at_fork(
        before=COMPILING.acquire,
        after_in_parent=COMPILING.release,
        after_in_child=COMPILING.release,
    )
BATCH = 4  # images that are computed together. More would not stay in the cache.


class FastEngine:
    """Runs a network by compiled programs; does what `PlainEngine` does.

    Parameters
    ----------
    layers : in execution order.
    weights : ``<layer>.weight`` and ``<layer>.bias``, float32, never written to.
    """

    def __init__(self, layers: list[Layer], weights: dict[str, np.ndarray]) -> None:
        self.layers, self.weights = layers, weights
        self._forget()

    def _forget(self) -> None:
        """Begin without programs and without memory for them."""
        self._filters = Filters()
        self._programs: dict[tuple, Program] = {}
        self._memories: list[np.ndarray] = []  # those that no call uses at the moment

    def __reduce__(self) -> tuple:
        return FastEngine, (self.layers, self.weights)

    def map(
        self,
        function: Callable[[list, Team], np.ndarray],
        batches: Iterable[list],
        wanted: tuple[str, ...],
    ) -> Iterator[np.ndarray]:
        """Yield function(batch, team) of every batch, in order.

        Each thread takes a batch, as long as there are enough of them; where there are
        fewer batches than threads, all threads share each.

        wanted : the outputs that the function will ask for.
        """
        batches, team = iter(batches), all_threads()
        first = list(itertools.islice(batches, team.jobs))
        if len(first) < team.jobs:
            yield from (function(batch, team) for batch in first)
            return
        alone = Team()
        with self._one_thread_of_blas(wanted, team.jobs):
            every = itertools.chain(first, batches)
            yield from team.each(lambda batch: function(batch, alone), every)

    def outputs(
        self,
        x: np.ndarray,
        wanted: tuple[str, ...],
        result: Callable[[np.ndarray], np.ndarray] = np.copy,
        team: Team | None = None,
    ) -> dict[str, np.ndarray]:
        """Return ``result(output)`` for the wanted outputs.

        Two images a thread or more: each thread takes some of the images and waits for
        nobody. Fewer: they share the work of every layer.

        Parameters
        ----------
        x : (N, H, W, 3) float32, N at least 1.
        wanted : names of layers.
        result : of an array that will be written over soon.
        team : who computes, all threads when left out.

        Raises
        ------
        ValueError : a window larger than its picture.
        """
        team = team or all_threads()
        jobs = team.jobs
        if len(x) < 2 * jobs:
            return self._compute(x, wanted, team, result)
        size = min(BATCH, -(-len(x) // jobs))
        batches = [x[i : i + size] for i in range(0, len(x), size)]
        alone = partial(self._compute, wanted=wanted, team=Team(), result=result)
        with self._one_thread_of_blas(wanted, jobs):
            done = list(team.each(alone, batches))
        return {name: np.concatenate([out[name] for out in done]) for name in wanted}

    def _compute(self, x, wanted, team, result) -> dict[str, np.ndarray]:
        """Return the wanted outputs of one batch, see `outputs`."""
        program, filters = self._program(x.shape, wanted)
        size = program.size + team.jobs * program.scratch
        try:
            memory = self._memories.pop()
        except IndexError:  # all of them are in use
            memory = aligned_zeros(size)
        if len(memory) < size:
            memory = aligned_zeros(size)
        values = program.run(x, filters, memory, team)
        values = run(program.rest, self.weights, values)
        outputs = {name: result(values[name]) for name in wanted}
        self._memories.append(memory)
        return outputs

    def _one_thread_of_blas(self, wanted: tuple[str, ...], jobs: int):
        """Return a context: BLAS has one thread, if several threads will call it."""
        names = [layer.name for layer in self.layers]
        last = max(names.index(name) for name in wanted)
        ops = {layer.op for layer in self.layers[: last + 1]}
        return ONE_BLAS_THREAD if jobs > 1 and PRODUCTS & ops else nullcontext()

    def _program(
        self, shape: tuple[int, int, int, int], wanted: tuple[str, ...]
    ) -> tuple[Program, np.ndarray]:
        """Return the program for images of a shape, compiled once, and all filters."""
        with COMPILING:
            if (shape, wanted) not in self._programs:
                steps = plan(self.layers, wanted)
                self._programs[shape, wanted] = compile_program(
                    steps, wanted, self.weights, self._filters, shape
                )
            return self._programs[shape, wanted], self._filters.array()
