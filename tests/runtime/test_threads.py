import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import njit

from mrnn_np.cnn.fast import sharing
from mrnn_np.cnn.fast.sharing import COUNTERS
from mrnn_np.runtime import threads
from mrnn_np.runtime.threads import ONE_BLAS_THREAD, Team, _blas, all_threads

claim, mark_done, wait = sharing.claim, sharing.mark_done, sharing.wait


@pytest.fixture(scope="module")
def two():
    return Team(2)


def test_tasks_are_done_at_the_same_time_and_the_first_one_here():
    team = Team(3)
    everybody, who = threading.Barrier(3, timeout=20), {}

    def work(number):
        everybody.wait()  # would wait for ever with fewer threads
        who[number] = threading.get_ident()

    for _ in range(20):
        team.together(work, [(0,), (1,), (2,)])
    assert who[0] == threading.get_ident() and len(set(who.values())) == 3


def test_errors_come_back_when_nobody_works_any_more(two):
    both = threading.Barrier(2, timeout=20)

    def fail(number):
        both.wait()
        done.append(number)
        if number == wrong:
            raise ValueError(f"task {number}")

    for wrong in (0, 1):
        done = []
        with pytest.raises(ValueError, match=f"task {wrong}"):
            two.together(fail, [(0,), (1,)])
        assert sorted(done) == [0, 1]


def test_who_comes_too_late_does_not_come(two):
    begun, free = threading.Barrier(3, timeout=20), threading.Event()

    def be_busy(_):
        begun.wait()
        free.wait()

    others = threading.Thread(target=lambda: list(two.each(be_busy, range(2))))
    others.start()
    begun.wait()
    seen = []
    two.together(seen.append, [(0,), (1,)])
    free.set()
    others.join()
    assert seen == [0]


def test_one_thread_needs_no_helper():
    team, seen = Team(), []
    team.together(seen.append, [(5,), (6,)])
    assert seen == [5] and list(team.each(str, range(3))) == ["0", "1", "2"]


@pytest.mark.parametrize("jobs, count", [(1, 3), (2, 0), (2, 1), (3, 50)])
def test_every_item_is_shared_out_once(jobs, count):
    seen = []
    Team(jobs).share(seen.append, iter(range(count)))
    assert sorted(seen) == list(range(count))


def test_items_are_taken_by_who_is_free(two):
    both, seen = threading.Barrier(2, timeout=20), []

    def work(item):
        if item < 2:
            both.wait()  # would wait for ever if one thread had both
        seen.append(threading.get_ident())

    two.share(work, range(10))
    assert len(seen) == 10 and len(set(seen)) == 2


def test_results_come_in_order_and_items_are_not_taken_far_ahead(two):
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    for count, result in enumerate(two.each(lambda number: number**2, items())):
        assert result == count**2 and len(taken) <= count + 1 + two.jobs
    assert count == 19


def test_what_was_waiting_is_given_up_after_an_error(two):
    done = []

    def work(number):
        done.append(number)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        list(two.each(work, range(100)))
    two.together(lambda: None, [()])
    assert len(done) <= 5


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)
def test_helpers_keep_off_the_core_of_the_caller(monkeypatch):
    before = os.sched_getaffinity(0)
    core = min(before)
    monkeypatch.setattr(threads, "_this_core", lambda: core)
    team, both, where = Team(2), threading.Barrier(2, timeout=20), {}

    def look(number):
        both.wait()
        where[number] = os.sched_getaffinity(0)

    team.together(look, [(0,), (1,)])  # makes the helper
    team.together(look, [(0,), (1,)])
    assert where == {0: before, 1: before - {core}}
    list(team.each(look, [2, 3]))  # and two work for who only waits
    assert where[2] == where[3] == before


def test_the_core_is_one_that_this_process_may_use():
    core = threads._this_core()
    if core is None:
        pytest.skip("this system does not tell")
    assert core in os.sched_getaffinity(0)


def test_all_threads_takes_those_of_blas():
    from threadpoolctl import threadpool_limits

    def blas():
        return {library["num_threads"] for library in _blas().info()}

    with threadpool_limits(1):
        assert all_threads().jobs == 1
    with threadpool_limits(2):
        if blas() != {2}:
            pytest.skip("this BLAS has one thread only")
        assert all_threads().jobs == 2 and all_threads() is all_threads()
        first, second = ONE_BLAS_THREAD, ONE_BLAS_THREAD
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert blas() == {1}  # the other one is still inside
        second.__exit__()
        assert blas() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_process_has_a_team_of_its_own():
    code = (
        "import os, threading\n"
        "from mrnn_np.runtime.threads import _team\n"
        "team = _team(2)\n"
        "assert list(team.each(abs, [-1, -2])) == [1, 2]\n"
        "child = os.fork()\n"
        "assert list(_team(2).each(abs, [-1, -2])) == [1, 2]\n"
        "assert (team is _team(2)) == bool(child)\n"
        "if child: assert os.waitpid(child, 0)[1] == 0\n"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    subprocess.run(command, check=True, timeout=100)


# --- items of a step ------------------------------------------------------------------


@njit(nogil=True)
def count_units(counters, steps, items, done):
    """Add 1 to done[step, item], in `steps` steps, each after the one before."""
    for step in range(steps):
        item = claim(counters, step)
        while item < items:
            if step == 0 or done[step - 1].sum() == items:
                done[step, item] += 1
            mark_done(counters, step)
            item = claim(counters, step)
        wait(counters, step, items)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_every_unit_is_done_once_and_after_the_step_before(jobs):
    compiled = hasattr(count_units, "py_func")
    jobs = jobs if compiled else 1  # the counters of plain Python are not shared
    steps, items = 300, 7
    count_units(np.zeros(COUNTERS, np.int64), 1, 1, np.zeros((1, 1), np.int64))
    team = Team(jobs)
    for _ in range(5):
        counters = np.zeros(steps * COUNTERS, np.int64)
        done = np.zeros((steps, items), np.int64)
        team.together(count_units, [(counters, steps, items, done)] * jobs)
        assert (done == 1).all()
