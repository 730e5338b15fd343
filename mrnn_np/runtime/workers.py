"""Who computes the blocks of a long computation, as the options of a command say it.

Knows: kinds of workers and their number. Does not know: how they are put to work
(parallel.py, cluster.py).
"""

from dataclasses import dataclass

from mrnn_np.runtime.errors import InputError, WrongUse

BACKENDS = ("threads", "processes", "dask")
KEPT = (
    "finished blocks are kept where they have a file (features; rank --matrix; "
    "evaluate --json): the same command, features with --resume, goes on"
)
MOST_JOBS = 1024  # threads or processes; more than cores only wait for each other


@dataclass(frozen=True)
class Workers:
    """Who computes the blocks.

    Fields
    ------
    backend : one of ``BACKENDS``.
    jobs : threads or processes; all cores when left out.
    scheduler : HOST:PORT of a Dask cluster, whose workers then are all used.
    """

    backend: str = "threads"
    jobs: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise InputError(f"no backend {self.backend!r}: {', '.join(BACKENDS)}")
        if self.jobs is not None and self.jobs < 1:
            raise InputError(f"--jobs must be 1 or more, not {self.jobs}")
        if self.jobs is not None and self.jobs > MOST_JOBS:
            raise InputError(f"--jobs must be at most {MOST_JOBS}")
        if (self.backend == "dask") != (self.scheduler is not None):
            raise WrongUse(
                "a Dask cluster needs both --backend dask and --scheduler HOST:PORT"
            )

    def count(self) -> int:
        """Return `jobs`, or how many cores this machine has."""
        from joblib import cpu_count

        return self.jobs or cpu_count()


THREADS = Workers()
