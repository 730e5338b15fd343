"""The same function over many blocks, by the workers of a Dask cluster.

A worker takes one block a thread. The function is sent once. A worker that is lost
costs its block: the scheduler, which still has the block's input, gives it to another.

joblib has a Dask backend too. It was tried (joblib 1.6, two workers, one killed) and is
not used: it puts every array of a block's input on a single worker, so that the run
ends when that worker is lost, and it waits for ever for a block that the cluster has
given up.

Knows: schedulers and their workers. Does not know: what is computed, files.
"""

import asyncio
import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.workers import KEPT

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 10.0  # seconds to reach a scheduler, and its first worker
WAITING = 2  # blocks a core that the scheduler holds: the next one is there in time
# What has to be equal on all machines for the result to be the same.
PACKAGES = ("mrnn_np", "numpy", "numba", "pillow", "distributed")


def spread_on_cluster(
    function: Callable, items: Iterable, scheduler: str
) -> Iterator[tuple[int, Any]]:
    """Yield (number of the item, function(item)) as they are done, in any order.

    Parameters
    ----------
    function, items : see `mrnn_np.runtime.parallel.spread`.
    scheduler : HOST:PORT.

    Raises
    ------
    InputError : no such cluster, a part of it that is not fit or is lost, or a block
        that ends its workers. What `function` raises is raised here.
    """
    with _connect(scheduler) as client:
        from distributed import as_completed

        # As a task, not as data: what a task gave is had again when it is lost.
        shared = _submit(client, _itself, function)
        cores = sum(client.nthreads().values())
        numbers, running = {}, as_completed(loop=client.loop)
        with _watched(client, scheduler):
            for number, item in enumerate(items):
                future = _submit(client, _on_one_core, shared, item)
                numbers[future] = number
                running.add(future)
                if len(numbers) >= WAITING * cores:
                    yield _collect(next(running), numbers, scheduler)
            for future in running:
                yield _collect(future, numbers, scheduler)


@contextlib.contextmanager
def _watched(client: "Client", scheduler: str) -> Iterator[None]:
    """Say so when a cluster has lost all its workers: the run waits for new ones."""
    from mrnn_np.runtime.progress import say

    done = threading.Event()

    def watch() -> None:
        said = False
        while not done.wait(PATIENCE):
            try:
                alone = not client.nthreads()
            except Exception:  # the scheduler is lost, too, and that is told elsewhere
                return
            if alone and not said and not done.is_set():
                say(
                    f"{scheduler}: no worker is left; waiting for one (dask worker "
                    f"{scheduler}), Ctrl-C stops"
                )
            said = alone

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _submit(client: "Client", function: Callable, *arguments: object) -> "Future":
    """Give the cluster a task; it is done again if its worker is lost."""
    with warnings.catch_warnings():
        # The advice against tasks of over 10 MB: a model is sent once.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        return client.submit(function, *arguments, pure=False)


def _itself(function: Callable) -> Callable:
    return function


def _on_one_core(function: Callable[[Item], Result], item: Item) -> Result:
    """Call the function on a worker, whose BLAS has one thread from now on."""
    from threadpoolctl import threadpool_limits

    # For good, not for the duration of the call: the threads of a worker would undo
    # each other's limit.
    threadpool_limits(1)
    return function(item)


def _collect(
    future: "Future", numbers: dict["Future", int], scheduler: str
) -> tuple[int, Any]:
    """Return number and result of a task that is done."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    number = numbers.pop(future)
    try:
        return number, future.result()
    except KilledWorker:
        raise InputError(
            f"{scheduler}: block {number} ended every worker that tried it: is there "
            f"too little memory? {KEPT}"
        ) from None
    except CancelledError:
        raise InputError(f"{scheduler}: the scheduler was lost; {KEPT}") from None


def _connect(scheduler: str) -> "Client":
    """Return a client of the cluster, once it is sure that the cluster is fit.

    Raises
    ------
    InputError : Dask is not installed, no scheduler or no worker there within
        ``PATIENCE``, or other versions of ``PACKAGES`` than here.
    """
    try:
        from distributed import Client
        from distributed.utils import LoopRunner
        from distributed.versions import VersionMismatchWarning
    except ImportError:
        raise InputError(
            "--backend dask needs Dask: pip install 'mrnn_np[dask]'"
        ) from None
    # What it has to say of a lost scheduler fills a page; we say it in a line.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            # A table of many lines; `check_versions` says it in one.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            LoopRunner().run_sync(_greet, scheduler)
            client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # whatever else may listen there can send anything
        reason = str(error) or f"{PATIENCE:g} s of silence"
        raise InputError(
            f"{scheduler}: no Dask scheduler answers there ({reason}): start one with "
            "dask scheduler, and give its HOST:PORT"
        ) from None
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"{scheduler}: the scheduler has no worker: start some with dask "
                f"worker {scheduler} --nworkers auto"
            ) from None
        # Typed as a coroutine, too: what an asynchronous client would return.
        found: Any = client.get_versions(packages=list(PACKAGES))
        check_versions(found["client"], found["workers"])
    except BaseException:
        client.close()
        raise
    return client


async def _greet(scheduler: str) -> None:
    """Return when somebody has answered as Dask does.

    A client limits the time to be connected only, and would wait for ever for the first
    word of a listener that is no scheduler.
    """
    from distributed.comm import connect
    from distributed.security import Security

    keys = Security().get_connection_args("client")
    greeting = connect(scheduler, timeout=PATIENCE, **keys)
    comm = await asyncio.wait_for(greeting, PATIENCE)
    await comm.close()


def check_versions(here: dict, workers: dict) -> None:
    """Raise InputError when a worker has other software than the driver.

    Parameters
    ----------
    here : of ``Client.get_versions()["client"]``; workers : its ``["workers"]``, by
        address.
    """
    for address, worker in workers.items():
        for package in ("python", *PACKAGES):
            mine, theirs = here["packages"][package], worker["packages"][package]
            if package == "python":  # 3.11.7.final.0: the last digits do not matter
                mine, theirs = (".".join(v.split(".")[:2]) for v in (mine, theirs))
            if mine != theirs:
                raise InputError(
                    f"worker {address} has {package} {theirs or '(none)'}, this "
                    f"machine {mine}: install the same versions on all machines"
                )
