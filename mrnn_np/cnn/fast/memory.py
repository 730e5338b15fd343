"""Where the maps of a compiled network lie.

All of them lie in one long array. The memory of a map is freed after its last reader
and allocated to another one, so a deep network needs the memory of its two or three
largest neighbours.

Knows: offsets, liveness, what a concatenation is. Does not know: other layers.
"""

import itertools
import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from mrnn_np.cnn.fast.registers import LANES, whole_vectors
from mrnn_np.cnn.graph import Step

LINE = 64  # bytes of a line of the cache


@dataclass
class Allocation:
    """A piece of memory: where it is, how long, and the names of what lies in it."""

    at: int
    size: int
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Map:
    """The output of a layer: (N, height, width, pixel) numbers of an allocation.

    Its `channels` begin at number `start` of each pixel.
    """

    allocation: Allocation
    height: int
    width: int
    channels: int
    pixel: int
    start: int = 0

    @property
    def at(self) -> int:
        """Return where the first channel of the first pixel is."""
        return self.allocation.at + self.start

    def view(self, memory: np.ndarray, count: int) -> np.ndarray:
        """Return the map as an array (N, height, width, channels)."""
        shape = count, self.height, self.width, self.pixel
        numbers = memory[self.allocation.at :][: math.prod(shape)].reshape(shape)
        return numbers[..., self.start : self.start + self.channels]

    def fill(self, memory: np.ndarray, x: np.ndarray) -> None:
        """Write x (N, height, width, channels) into the map, zeros into the rest."""
        here = self.view(memory, len(x))
        if self.pixel > self.channels:
            memory[self.allocation.at : self.allocation.at + self.allocation.size] = 0
        here[:] = x


class Memory:
    """Allocates pieces of one long array, first fit.

    Attributes
    ----------
    size : numbers that the array must have.
    """

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (at, size), in order

    def allocate(self, size: int) -> Allocation:
        """Return the first free piece that is large enough."""
        size = whole_vectors(size)
        for i, (at, length) in enumerate(self._free):
            if length >= size:
                rest = [(at + size, length - size)] if length > size else []
                self._free[i : i + 1] = rest
                return Allocation(at, size)
        at = self.size
        if self._free and sum(self._free[-1]) == at:
            at = self._free.pop()[0]  # the last piece is free: it grows
        self.size = at + size
        return Allocation(at, size)

    def free(self, allocation: Allocation) -> None:
        """Make a piece free again, and one piece of neighbours that are free."""
        pieces = sorted([*self._free, (allocation.at, allocation.size)])
        self._free = pieces[:1]
        for at, size in pieces[1:]:
            before, length = self._free[-1]
            if before + length == at:
                self._free[-1] = before, length + size
            else:
                self._free.append((at, size))


class Maps:
    """The maps that are alive while a network is compiled, step by step.

    Parameters
    ----------
    steps, wanted : the network, and the outputs that are wanted.
    count : images.
    zeros : numbers at the start of memory that no map ever gets.

    Attributes
    ----------
    memory : `Memory` that they lie in.
    """

    def __init__(
        self, steps: list[Step], wanted: set[str], count: int, zeros: int
    ) -> None:
        self.memory, self.count = Memory(), count
        self.memory.allocate(zeros)
        self._alive: dict[str, Map] = {}
        self._belongs = _parts_of_concats(steps, wanted)

    def __getitem__(self, name: str) -> Map:
        return self._alive[name]

    def __contains__(self, name: str) -> bool:
        return name in self._alive

    def add(
        self, name: str, height: int, width: int, channels: int, pixel: int = 0
    ) -> Map:
        """Return memory for a map: a new one, or its own in a concatenation.

        pixel : numbers from one pixel to the next; whole vectors when left out.
        """
        if name not in self._belongs:
            self._alive[name] = self._fresh(name, height, width, channels, pixel)
            return self._alive[name]
        whole, start, total = self._belongs[name]
        if whole not in self._alive:
            self._alive[whole] = self._fresh(whole, height, width, total)
        allocation = self._alive[whole].allocation
        allocation.names.add(name)
        self._alive[name] = Map(allocation, height, width, channels, total, start)
        return self._alive[name]

    def rename(self, name: str, other: str) -> None:
        """Give a map a second name."""
        self._alive[other] = self._alive[name]
        self._alive[name].allocation.names.add(other)

    def release(self, name: str) -> None:
        """Free the memory of a map, if it has no other name."""
        allocation = self._alive.pop(name).allocation
        allocation.names.remove(name)
        if not allocation.names:
            self.memory.free(allocation)

    def _fresh(self, name, height, width, channels, pixel=0) -> Map:
        pixel = pixel or whole_vectors(channels)
        allocation = self.memory.allocate(self.count * height * width * pixel)
        allocation.names.add(name)
        return Map(allocation, height, width, channels, pixel)


def _parts_of_concats(steps, wanted) -> dict[str, tuple[str, int, int]]:
    """Return name -> (concatenation, first channel, all channels) of convolutions.

    Of those that can write into the map of the concatenation at once: nobody else reads
    them, none is wanted, and all parts are whole vectors.
    """
    made = {step.output: step.parts[-1][0] for step in steps}
    read = Counter(name for step in steps for name in step.inputs)
    belongs = {}
    for step in steps:
        parts = [made[name] for name in step.inputs if name in made]
        if (
            step.parts[0][0].op == "concat"
            and len(parts) == len(step.inputs)
            and all(
                layer.op == "convolution"
                and layer.channels % LANES == 0
                and read[name] == 1
                and name not in wanted
                for layer, name in zip(parts, step.inputs, strict=True)
            )
        ):
            edges = [0, *itertools.accumulate(layer.channels for layer in parts)]
            for name, start in zip(step.inputs, edges[:-1], strict=True):
                belongs[name] = step.output, start, edges[-1]
    return belongs


def aligned_zeros(size: int) -> np.ndarray:
    """Return float32 zeros that begin with a line of the cache.

    Vectors that lie across the end of a line are loaded twice.
    """
    numbers = np.zeros(size + LINE // 4, np.float32)
    start = -numbers.ctypes.data % LINE // 4
    return numbers[start : start + size]
