"""Large arrays that serve one training step after another.

A fresh array of 38 MB (the scores of 1,200 tokens over 8,000 words) comes from the
operating system as 9,400 pages that have to be cleared and mapped before the first
number is written; that takes as long as the softmax. Whoever makes many equal steps
therefore keeps `Buffers`, and what was made in one step is found there in the next.

The model asks for the arrays, under names that are its own: the gradient of the
parameter "Wo" is "Wo". Layers know no names. They write to the array they are given, or
make a new one, so two layers of a kind never meet in the same memory.

Knows: names and sizes. Does not know: what is in the arrays.
"""

import math
import threading

import numpy as np
from numpy.typing import DTypeLike


class Buffers(threading.local):
    """Arrays that are kept for the next step, by name.

    Each thread has its own arrays, even in one and the same `Buffers`: two training
    steps at once cannot write over each other's gradients.
    """

    def __init__(self) -> None:
        self._kept: dict[str, np.ndarray] = {}  # all flat
        self._lent: set[str] = set()  # names of this step

    def next_step(self) -> None:
        """Declare that what was handed out so far may be overwritten."""
        self._lent.clear()

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """Return an array to be written, its contents undefined.

        It is the memory of this name in the step before, where that is enough.

        Raises
        ------
        ValueError : the name was handed out in this step already. Its array is still
            in use: a parameter that serves two layers needs a second name.
        """
        if name in self._lent:
            raise ValueError(
                f"buffer {name!r} is in use: name the second one otherwise"
            )
        self._lent.add(name)
        size = math.prod(shape)
        flat = self._kept.get(name)
        if flat is None or flat.size < size or flat.dtype != dtype:
            flat = self._kept[name] = np.empty(size, dtype)
        return flat[:size].reshape(shape)

    def like(self, name: str, array: np.ndarray) -> np.ndarray:
        """Return `array(name, ...)` of the shape and dtype of another one."""
        return self.array(name, array.shape, array.dtype)
