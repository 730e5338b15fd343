"""What this machine can do: the speed of its matrix product.

Nearly all of this project's time should be spent in matrix products, so this is the
limit that other numbers are held against. It is measured when it is needed: a shared
machine is not the same from one minute to the next.

Knows: BLAS. Does not know: what is computed.
"""

import time

import numpy as np

from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.workers import Workers

SECONDS = 0.5  # of each measurement
SIZES = (1024, 512, 2540)  # rows, depth and columns: V = 2,540 words, M = 512


def gemm_speed(jobs: int) -> float:
    """Measure float32 matrix products and return multiply-adds a second.

    The better of two ways to keep `jobs` cores busy: one product at a time in a BLAS
    of `jobs` threads, or `jobs` products at once in a BLAS of one thread each.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(jobs):
        together = products(SECONDS)
    # By `spread`, which takes care of threads that Ctrl-C leaves at work.
    apart = spread(products, [SECONDS] * jobs, Workers("threads", jobs))
    return max(together, sum(speed for _, speed in apart))


def products(seconds: float) -> float:
    """Multiply matrices for some time; return multiply-adds a second."""
    rows, depth, columns = SIZES
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, depth), np.float32)
    b = rng.standard_normal((depth, columns), np.float32)
    out = a @ b
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        np.matmul(a, b, out=out)
        done += 1
    return done * rows * depth * columns / (time.perf_counter() - start)
