"""Threads that work at the same time, kept off the caller's core where Linux allows it.

Knows: threads and cores, and how many BLAS may use. Does not know: what is computed.
"""

import contextlib
import ctypes
import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")


class Team:
    """The caller's thread and some helpers, who sleep until there is work.

    Several threads may use one team; a helper who is busy does not come.

    Parameters
    ----------
    jobs : threads that may work at the same time.
    """

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self._numbers: list[int] = []  # native ids of the helpers
        self._moved = False
        self._pool: ThreadPoolExecutor | None = None
        if jobs > 1:
            self._pool = ThreadPoolExecutor(jobs, initializer=self._arrive)

    def _arrive(self) -> None:
        self._numbers.append(threading.get_native_id())

    def together(self, function: Callable, tasks: Sequence[tuple]) -> None:
        """Call function(*task) for the first task here, and for others by the helpers.

        The tasks are hands for one piece of work, from which each takes what is left to
        do: where no helper came before the first task was done, the rest is not called.
        """
        others = []
        if self._pool is not None and len(tasks) > 1:
            self._move(others_only=True)
            others = [self._pool.submit(function, *task) for task in tasks[1:]]
        try:
            function(*tasks[0])
        finally:
            for other in others:
                if not other.cancel():
                    other.result()

    def share(self, function: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Call function(item) for every item; each thread takes the next one."""
        left = deque(items)

        def work() -> None:
            while True:
                try:
                    item = left.popleft()
                except IndexError:
                    return
                function(item)

        self.together(work, [()] * max(1, min(self.jobs, len(left))))

    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield function(item) for every item, in order.

        The caller waits, the helpers have an item each, and one more item is ready for
        the first who is done. Items are taken as they are needed.
        """
        if self._pool is None:
            yield from map(function, items)
            return
        self._move(others_only=False)
        ahead: deque[Future[Result]] = deque()
        try:
            for item in items:
                ahead.append(self._pool.submit(function, item))
                if len(ahead) > self.jobs:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for left in ahead:
                left.cancel()

    def _move(self, others_only: bool) -> None:
        """Keep the helpers off the core of the caller, or let them on it again.

        Linux on a virtual machine often wakes a thread on the core of the one that asks
        for it, though another is idle, and takes 2 to 5 ms to notice: EfficientNet-
        Lite0 took up to 14 ms where it takes 9 when both cores work from the start.
        """
        core = _this_core()
        if core is None or not (others_only or self._moved):
            return
        cores = os.sched_getaffinity(0)
        if others_only and len(cores) > 1:
            cores = cores - {core}
        for number in self._numbers:
            os.sched_setaffinity(number, cores)
        self._moved = others_only


def all_threads() -> Team:
    """Return a team of as many threads as BLAS may have at the moment.

    So ``OPENBLAS_NUM_THREADS`` and threadpoolctl's limits hold for our threads, too.
    """
    pools = _blas().lib_controllers
    return _team(max((pool.num_threads for pool in pools), default=1))


class OneBlasThread:
    """A context: BLAS has one thread, until the last of all who wanted it has left.

    If each of several threads set back what it found, the last could set back a 1.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._restore: Callable[[], None] = lambda: None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._restore = _blas().limit(limits=1).restore_original_limits
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._restore()


ONE_BLAS_THREAD = OneBlasThread()


def _this_core() -> int | None:
    """Return the core this thread runs on, or None where the system does not tell."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    tell = getattr(_c_library(), "sched_getcpu", None)
    return tell() if tell else None


@functools.cache
def _team(jobs: int) -> Team:
    """Return this process's team of a size: to start threads takes 0.3 ms."""
    return Team(jobs)


@functools.cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.cache
def _blas() -> "ThreadpoolController":
    """Find the BLAS libraries of this process, once: it takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_team.cache_clear)


@contextlib.contextmanager
def within_cores() -> Iterator[int]:
    """Let BLAS use no more threads than there are cores for this process.

    BLAS counts the cores of the machine, but a container may be allowed fewer, and
    threads that wait for a core keep all others waiting: a training step takes 0.7 s
    with 4 BLAS threads on 2 cores, and 0.09 s with 2. Gives the number of threads.
    """
    from joblib import cpu_count
    from threadpoolctl import threadpool_info, threadpool_limits

    now = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
    threads = min(max(now, default=1), cpu_count())
    with threadpool_limits(threads, user_api="blas"):
        yield threads
