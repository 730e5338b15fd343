"""Where a kernel works: memory that is used again, and threads.

Fresh large arrays are slow: the system hands out each page of 4 kB filled with zeros
when it is first touched, which for the output of a large layer takes as long as
computing it. A room keeps its blocks of memory and hands them out again.

Knows: blocks and threads. Does not know: what is computed.
"""

import functools
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import numpy as np

# Bytes of a line of the cache. NumPy's arrays begin anywhere in one; reading and
# writing across its end made depthwise convolutions 15 % slower.
LINE = 64
# References to a block that nobody uses: that of the list, and the call's own.
UNUSED = (lambda blocks: sys.getrefcount(blocks[0]))([np.empty(1)])


class Room:
    """Memory and threads for the kernels of one computation.

    An array of the room is free again when nobody refers to it or to a view of it any
    more: NumPy's views refer to the block they lie in, so the number of references to
    the block tells.

    Parameters
    ----------
    jobs : threads that may work at the same time.
    pool : runs them; needed for more than one.
    """

    def __init__(self, jobs: int = 1, pool: Executor | None = None) -> None:
        self.jobs, self.pool = jobs, pool
        self._blocks: list[np.ndarray] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return Room, ()  # memory and threads cannot be sent anywhere

    def empty(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """Return an array with anything in it, as ``np.empty`` does.

        Of the free blocks the smallest that is large enough, but at most twice as large
        as needed; if there is none, a new one.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        with self._lock:
            best = -1
            for i in range(len(self._blocks)):
                length = len(self._blocks[i])
                if (
                    size + LINE <= length <= 2 * size + LINE
                    and (best < 0 or length < len(self._blocks[best]))
                    and sys.getrefcount(self._blocks[i]) == UNUSED
                ):
                    best = i
            if best < 0:
                self._blocks.append(np.empty(size + LINE, np.uint8))
            start = -self._blocks[best].ctypes.data % LINE
            part = self._blocks[best][start : start + size]
        return part.view(dtype).reshape(shape)

    def each(self, function: Callable, tasks: Sequence[tuple]) -> None:
        """Call function(*task) for every task, by the threads of the room.

        The caller does the first one: waking one thread takes 60 us, two 80.
        """
        if self.pool is None:
            for task in tasks:
                function(*task)
        else:
            others = [self.pool.submit(function, *task) for task in tasks[1:]]
            try:
                function(*tasks[0])
            finally:
                for other in others:
                    other.result()  # raises here what was raised there

    def shares(self, length: int, least: int = 1) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of equal shares of a range, one a thread.

        There are fewer where a share would be smaller than `least`.
        """
        parts = max(1, min(self.jobs, length // max(1, least)))
        for i in range(parts):
            yield length * i // parts, length * (i + 1) // parts

    def tasks(
        self, rows: int, least_rows: int, channels: int, least_channels: int
    ) -> list[tuple[int, int, int, int]]:
        """Return (first row, last, first channel, last) of what each thread is to do.

        They share the rows. If there are few, they share the filters, whose packing by
        BLAS is what takes time then.
        """
        tasks = [(*share, 0, channels) for share in self.shares(rows, least_rows)]
        if len(tasks) < self.jobs:
            parts = self.shares(channels, least_channels)
            tasks = [(0, rows, *share) for share in parts]
        return tasks


class Outside(Room):
    """The room of a single call: fresh memory, one thread."""

    def empty(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """Return ``np.empty(shape, dtype)``."""
        return np.empty(shape, dtype)


OUTSIDE = Outside()


@contextmanager
def all_threads() -> Iterator[tuple[int, Executor | None]]:
    """Yield (jobs, pool): as many threads as BLAS has, which has one meanwhile.

    Threads that each have images of their own, or the half of a large layer, gain
    nearly all there is to gain. See `blas_threads` for layers that are small.
    """
    pools = _blas()
    jobs = max((pool.num_threads for pool in pools.lib_controllers), default=1)
    if jobs == 1:
        yield 1, None
    else:
        with pools.limit(limits=1), ThreadPoolExecutor(jobs) as pool:
            yield jobs, pool


def blas_threads(jobs: int) -> AbstractContextManager:
    """Let BLAS have threads again inside of `all_threads`.

    A layer of 0.2 ms is not worth waking a thread for, which takes 0.1 ms once that
    thread has fallen asleep. BLAS keeps its threads awake while it is called often.
    EfficientNet-Lite0 on one picture: 16.5 ms so, and 24 with our threads.
    """
    return _blas().limit(limits=jobs)


@functools.cache
def _blas():
    """Find the BLAS libraries of this process, once: it takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
