"""Threads that share the work items of an instruction without asking Python.

An instruction of a program is cut into work items. A thread claims the next item as
long as there is one, and goes on to the next instruction when all items of this one are
done. Nobody waits for a thread that comes late: it holds no item, so the others do its
share.

The two counters of an instruction, items claimed and items done, are changed by atomic
instructions of the processor. Who waits for the last item spins: it loads the counter
again and again, which takes less than a microsecond, where a thread that went to sleep
is woken in 50 to 150; after a while it yields the core.

Knows: counters. Does not know: what the items are.
"""

import os

from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from mrnn_np.cnn.fast.registers import Writer

COUNTERS = 16  # int64 a record: 8 for a counter, so that each has its own cache line
PATIENCE = 2000  # loads of a counter before the core is yielded


@intrinsic
def _atomic_add(typing, counters, i, amount):
    """Add to counters[i] and return what was there before."""

    def write(w, counters, i, amount):
        return w.builder.atomic_rmw("add", w.at(counters, i), amount, "seq_cst")

    return types.int64(counters, types.int64, types.int64), Writer.of(write)


@intrinsic
def _atomic_load(typing, counters, i):
    """Return counters[i] as it is now, not as it was when last loaded."""

    def write(w, counters, i):
        return w.builder.load_atomic(w.at(counters, i), "seq_cst", 8)

    return types.int64(counters, types.int64), Writer.of(write)


@intrinsic
def _yield(typing):
    """Ask the operating system to run another thread first."""

    def write(w):
        name = "SwitchToThread" if os.name == "nt" else "sched_yield"
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(w.builder.module, kind, name)
        w.builder.call(function, [])

    return types.void(), Writer.of(write)


if config.DISABLE_JIT:  # then one thread does everything

    def _atomic_add(counters, i, amount):
        before = counters[i]
        counters[i] += amount
        return before

    def _atomic_load(counters, i):
        return counters[i]

    def _yield():
        pass


@njit(fastmath=False)
def claim(counters, number):
    """Return the next item of an instruction, or a number beyond the last."""
    return _atomic_add(counters, COUNTERS * number, 1)


@njit(fastmath=False)
def mark_done(counters, number):
    """Say that an item of an instruction is done."""
    _atomic_add(counters, COUNTERS * number + COUNTERS // 2, 1)


@njit(fastmath=False)
def wait(counters, number, items):
    """Return when that many items of an instruction are done."""
    loads = 0
    while _atomic_load(counters, COUNTERS * number + COUNTERS // 2) < items:
        loads += 1
        if loads % PATIENCE == 0:
            _yield()
