"""Threads that share the units of a step without asking Python.

A step of a network is cut into units. A thread takes the next unit as long as there is
one, and goes on to the next step when all units of this one are done. Nobody waits for
a thread that comes late: it holds no unit, so the others do its share.

The two counters of a step, units taken and units done, are changed by one instruction
that no other thread can come between (an atomic one). Who waits for the last unit
looks at the counter again and again, which takes less than a microsecond, where a
thread that went to sleep is woken in 50 to 150; after a while it lets others have the
core.

Knows: counters. Does not know: what the units are.
"""

import os

from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from mrnn_np.kernels.registers import Writer

COUNTERS = 16  # int64 of a step: 8 for a counter, so that each has its own cache line
PATIENCE = 2000  # looks at a counter before others get the core


@intrinsic
def _add(typing, counters, i, amount):
    """Add to counters[i] and return what was there before."""

    def write(w, counters, i, amount):
        return w.builder.atomic_rmw("add", w.at(counters, i), amount, "seq_cst")

    return types.int64(counters, types.int64, types.int64), Writer.of(write)


@intrinsic
def _look(typing, counters, i):
    """Return counters[i] as it is now, not as it was when last looked at."""

    def write(w, counters, i):
        return w.builder.load_atomic(w.at(counters, i), "seq_cst", 8)

    return types.int64(counters, types.int64), Writer.of(write)


@intrinsic
def _let_others(typing):
    """Ask the operating system to run another thread first."""

    def write(w):
        name = "SwitchToThread" if os.name == "nt" else "sched_yield"
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(w.builder.module, kind, name)
        w.builder.call(function, [])

    return types.void(), Writer.of(write)


def _add_plain(counters, i, amount):
    before = counters[i]
    counters[i] += amount
    return before


if config.DISABLE_JIT:  # then one thread does everything
    _add, _look, _let_others = _add_plain, lambda counters, i: counters[i], lambda: None


@njit(fastmath=False)
def take(counters, step):
    """Return the number of the next unit of a step, or a number beyond the last."""
    return _add(counters, COUNTERS * step, 1)


@njit(fastmath=False)
def finish(counters, step):
    """Say that a unit of a step is done."""
    _add(counters, COUNTERS * step + COUNTERS // 2, 1)


@njit(fastmath=False)
def wait(counters, step, units):
    """Return when that many units of a step are done."""
    looks = 0
    while _look(counters, COUNTERS * step + COUNTERS // 2) < units:
        looks += 1
        if looks % PATIENCE == 0:
            _let_others()
