"""The same function over many blocks: by threads, by processes, or by other machines.

A long computation is cut into blocks that know nothing of each other. Whoever starts it
gets the results as they come, in whichever order, and writes each to disk: workers need
no file of the driver's, and a run that stops loses only the blocks under way.

- ``threads`` share everything. For functions that spend their time in NumPy and in
  kernels, which release the interpreter lock.
- ``processes`` (joblib's loky) share nothing; the function is sent with every block.
- ``dask``: the workers of a cluster, one block a thread of theirs (cluster.py).

BLAS uses one thread wherever there are several workers: beams of 600 images took 1.7 s
of processor time by two threads of one BLAS thread each, and 6.9 s, spent in waiting
for each other, by two BLAS threads.

Knows: threads, processes. Does not know: what is computed, files.
"""

import contextlib
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.threads import within_cores
from mrnn_np.runtime.workers import KEPT, Workers

# True once threads were left at work whose results nobody wants (Ctrl-C): see cli.
LEFT_BEHIND = threading.Event()


def spread(
    function: Callable[[Any], Any], items: Iterable, workers: Workers
) -> Iterator[tuple[int, Any]]:
    """Yield (number of the item, function(item)) as they are done, in any order.

    Parameters
    ----------
    function : picklable unless the workers are threads. Several threads call it at the
        same time, and it must not change what it is given. What all blocks share
        belongs in it, for example as attributes of a callable object.
    items : taken as they are needed, so they may be made on the way.

    Raises
    ------
    InputError : no such cluster, a part of it that is not fit, or a block that kills
        its workers. What `function` raises, in whatever process, is raised here.
    """
    if workers.scheduler is not None:  # and so the backend is dask
        from mrnn_np.runtime.cluster import spread_on_cluster

        yield from spread_on_cluster(function, items, workers.scheduler)
    elif workers.backend == "threads":
        yield from _by_threads(function, items, workers.count())
    elif workers.count() > 1:
        yield from _by_processes(function, items, workers.count())
    else:  # this process, with all cores for BLAS
        with within_cores():
            for number, item in enumerate(items):
                yield number, function(item)


def _by_threads(
    function: Callable, items: Iterable, jobs: int
) -> Iterator[tuple[int, Any]]:
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits

    def numbered(number: int, item: object) -> tuple[int, Any]:
        return number, function(item)

    parallel = Parallel(jobs, "threading", return_as="generator_unordered")
    with threadpool_limits(1):
        try:
            yield from _quietly(
                parallel(delayed(numbered)(*task) for task in enumerate(items))
            )
        except BaseException:
            LEFT_BEHIND.set()
            raise


def _quietly(results: Generator, begin: Callable[[], None] | None = None) -> Iterator:
    """Yield joblib's results; of those that nobody wants any more it says nothing.

    Parameters
    ----------
    begin : is called first. If it raises, nobody wants any.
    """
    try:
        if begin:
            begin()
        # Not "yield from": it would end `results` itself, with a warning.
        for result in results:  # noqa: UP028
            yield result
    finally:
        # Its thread may still look for a block that was just dropped.
        hook = threading.excepthook
        threading.excepthook = lambda args: (
            None if "ExecutorManager" in str(args.thread) else hook(args)
        )
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "[0-9]+ tasks", UserWarning)
                results.close()
        finally:
            threading.excepthook = hook


def _by_processes(
    function: Callable, items: Iterable, jobs: int
) -> Iterator[tuple[int, Any]]:
    from joblib import Parallel, cpu_count, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    share = max(1, cpu_count() // jobs)
    parallel = Parallel(
        jobs,
        "loky",
        return_as="generator_unordered",
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    tasks = (delayed(_in_process)(function, share, *task) for task in enumerate(items))
    try:
        with contextlib.ExitStack() as asked_later:
            asked_later.enter_context(_unasked())
            yield from _quietly(parallel(tasks), asked_later.close)
    except TerminatedWorkerError:
        raise InputError(
            f"a worker process was ended from outside: is there too little memory? "
            f"Take fewer --jobs; {KEPT}"
        ) from None


@contextlib.contextmanager
def _unasked() -> Iterator[None]:
    """Start processes that nobody asks to end but the one that starts them.

    Ctrl-C reaches all processes of a terminal, and one that has only begun to start
    would answer with a traceback. What this process is asked meanwhile is answered at
    the end, with KeyboardInterrupt if it is that.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as tracker_of_loky

    asks, handlers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}, {}
    asked: list[int] = []
    # What is blocked here is blocked in every process that is started. In this one it
    # reaches some other thread, and Python calls the handler in the main thread.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, asks)
    # These tidy up after all others. They heed no Ctrl-C, but a terminal that is
    # closed; and whoever starts one lets Ctrl-C through again.
    resource_tracker.ensure_running()
    tracker_of_loky.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, asks)
    if threading.current_thread() is threading.main_thread():
        for number in asks:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                handlers[number] = signal.signal(number, lambda n, _: asked.append(n))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for came in asked:
            signal.raise_signal(came)


def _in_process(
    function: Callable, threads: int, number: int, item: object
) -> tuple[int, Any]:
    """Call the function in a process that has its share of the cores for BLAS."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        return number, function(item)


def _end_with(parent: int) -> None:
    """See to it that this process ends soon after the one that started it.

    One that is killed cannot tell its workers, who would wait for minutes for more
    blocks, with the memory of a network each. Whoever has lost its parent is given
    another one by the system.

    Parameters
    ----------
    parent : the number of the process that started this one. It is not asked for here:
        a worker takes half a second to come so far, and may be an orphan by then.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.name != "nt":  # Windows keeps the number of a parent that is gone
        threading.Thread(target=watch, daemon=True).start()
