"""How the benchmarks measure: ours and the peer in turn, equal threads, the median.

A shared machine is not the same from one second to the next, so two programs are only
compared call by call. Where other people's work disturbs even that, `cpu=True` counts
the seconds this process was given instead of the ones that passed.

Knows: clocks and threads. Does not know: what is measured.
"""

import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Between two calls: threads that have nothing left to do go on looking for work for
# some hundredths of a second, and would take a core from whoever is called next.
PAUSE = 0.1  # seconds


@dataclass(frozen=True)
class Row:
    """One line of the table.

    job : what is done.
    ours, peer : seconds (median).
    name : of the peer.
    needed : the ratio this project sets itself.
    memory : most bytes that one of our calls holds in new arrays, None if not measured.
    """

    job: str
    ours: float
    name: str
    peer: float
    needed: float
    memory: int | None = None

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer / self.ours

    def __str__(self) -> str:
        memory = "" if self.memory is None else f"{self.memory / 2**20:8.0f} MiB"
        met = "ok" if self.ratio >= self.needed else "MISSED"
        return (
            f"{self.job:<38} {1e3 * self.ours:9.1f} ms  {self.name:<26} "
            f"{1e3 * self.peer:9.1f} ms  {self.ratio:6.2f} x (needed {self.needed:.2f})"
            f"  {met:<6}{memory}"
        )


def interleave(
    calls: Sequence[Callable[[], object]], repeats: int, cpu: bool = False
) -> list[float]:
    """Run the calls in turn, `repeats` rounds, and return each one's median seconds.

    One round before the first is not counted: it compiles and allocates. Everybody
    waits ``PAUSE`` before a call: with none, VGG-16 of one image took us 158 ms and
    onnxruntime 168, each beside the other's idle threads; with it 120 and 154.
    """
    clock = time.process_time if cpu else time.perf_counter
    seconds = [[] for _ in calls]
    for round_ in range(repeats + 1):
        for call, times in zip(calls, seconds, strict=True):
            time.sleep(PAUSE)
            start = clock()
            call()
            if round_:
                times.append(clock() - start)
    return [statistics.median(times) for times in seconds]


def blas_threads() -> int:
    """Return how many threads NumPy's BLAS uses: what a peer is to be given, too."""
    from threadpoolctl import threadpool_info

    return max(
        (one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"),
        default=1,
    )


def new_memory(call: Callable[[], object]) -> int:
    """Return the most bytes that the arrays made during one call hold at a time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
