import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mrnn_np.kernels.room import OUTSIDE, Room, _blas, all_threads, blas_threads


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_when_nobody_refers_to_it():
    room = Room()
    first = room.empty((10, 20), np.float32)
    assert first.shape == (10, 20) and first.dtype == np.float32
    place = address(first)
    assert address(room.empty((10, 20), np.float32)) != place  # still in use
    del first
    assert address(room.empty((5, 20), np.float64)) == place  # the same bytes


def test_a_view_keeps_its_memory():
    room = Room()
    view = room.empty((10, 20), np.float32)[3:].T.reshape(-1, 7)[::2]
    view[:] = 1
    for _ in range(3):
        room.empty((10, 20), np.float32)[:] = 2
    assert (view == 1).all()


def test_a_block_is_not_wasted_on_something_small():
    room = Room()
    place = address(room.empty((100,), np.uint8))
    assert address(room.empty((49,), np.uint8)) != place
    assert address(room.empty((50,), np.uint8)) == place
    assert room.empty((0, 3), np.float32).shape == (0, 3)


def test_threads_get_memory_of_their_own():
    with ThreadPoolExecutor(4) as pool:
        room, wrong = Room(4, pool), []

        def work(number):
            for _ in range(200):
                mine = room.empty((50,), np.int64)
                mine[:] = number
                if (mine != number).any():
                    wrong.append(number)

        room.each(work, [(number,) for number in range(4)])
    assert not wrong and len(room._blocks) <= 8


def test_tasks_are_done_by_the_threads_and_errors_come_back():
    with ThreadPoolExecutor(2) as pool:
        room, both = Room(2, pool), threading.Barrier(2, timeout=20)
        room.each(both.wait, [(), ()])  # would wait for ever in a single thread

        def fail(number):
            done.append(number)
            if number != 2:
                raise ValueError(f"task {number}")

        for tasks in ([(7,), (2,)], [(2,), (7,)]):
            done = []
            with pytest.raises(ValueError, match="task 7"):
                room.each(fail, tasks)
            assert sorted(done) == [2, 7]  # nobody still works in the room's memory
    done = []
    OUTSIDE.each(lambda a, b: done.append(a + b), [(1, 2), (3, 4)])
    assert done == [3, 7]


@pytest.mark.parametrize("length", [1, 2, 7, 100])
@pytest.mark.parametrize("least", [1, 3, 50])
def test_shares_are_a_partition(length, least):
    shares = list(Room(jobs=4).shares(length, least))
    assert [i for share in shares for i in range(*share)] == list(range(length))
    assert 1 <= len(shares) <= 4
    sizes = [stop - start for start, stop in shares]
    assert max(sizes) - min(sizes) <= 1
    assert len(shares) == 1 or min(sizes) >= least


def test_outside_gives_fresh_memory():
    first = OUTSIDE.empty((4,), np.float32)
    assert first.base is None and OUTSIDE.jobs == 1


def test_a_room_is_sent_empty():
    room = Room()
    room.empty((1000,), np.float64)
    assert len(pickle.dumps(room)) < 200
    assert pickle.loads(pickle.dumps(room)).empty((2,), np.int8).shape == (2,)


def test_all_threads_takes_those_of_blas():
    from threadpoolctl import threadpool_limits

    def blas():
        return [library["num_threads"] for library in _blas().info()]

    with threadpool_limits(1):
        with all_threads() as (jobs, pool):
            assert (jobs, pool) == (1, None)
    with threadpool_limits(2):
        if set(blas()) != {2}:
            pytest.skip("this BLAS has one thread only")
        with all_threads() as (jobs, pool):
            assert jobs == 2 and set(blas()) == {1}
            with blas_threads(jobs):
                assert set(blas()) == {2}
            assert set(blas()) == {1}
            assert list(pool.map(abs, [-1, -2])) == [1, 2]
        assert set(blas()) == {2}


def test_threads_share_rows_and_where_there_are_few_the_filters():
    room = Room(jobs=2)
    assert room.tasks(100, 50, 64, 16) == [(0, 50, 0, 64), (50, 100, 0, 64)]
    assert room.tasks(99, 50, 64, 16) == [(0, 99, 0, 32), (0, 99, 32, 64)]
    assert room.tasks(99, 50, 31, 16) == [(0, 99, 0, 31)]
    assert OUTSIDE.tasks(99, 1, 64, 1) == [(0, 99, 0, 64)]
