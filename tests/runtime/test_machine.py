"""Threads of BLAS and cores of the machine."""

import joblib
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mrnn_np.runtime import machine, parallel
from mrnn_np.runtime.machine import gemm_speed, products
from mrnn_np.runtime.threads import within_cores


def blas_threads():
    return [
        one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"
    ]


@pytest.mark.parametrize(
    ("threads", "cores", "expected"), [(4, 2, 2), (2, 4, 2), (3, 1, 1)]
)
def test_no_more_blas_threads_than_cores(monkeypatch, threads, cores, expected):
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    with threadpool_limits(threads, user_api="blas"):
        if not blas_threads() or max(blas_threads()) != threads:
            pytest.skip("this BLAS does not take a number of threads")
        with within_cores() as used:
            assert used == expected and max(blas_threads()) == expected
        assert max(blas_threads()) == threads


def test_some_multiply_adds_a_second_are_made():
    assert products(0.01) > 1e6


def test_the_speed_is_the_better_of_two_ways(monkeypatch):
    speeds = iter([5.0, 3.0, 4.0, 9.0, 2.0, 3.0])
    monkeypatch.setattr(machine, "products", lambda seconds: next(speeds))
    assert gemm_speed(2) == 7.0
    assert gemm_speed(2) == 9.0


def test_threads_that_measure_may_be_left_at_work(monkeypatch):
    def stopped(seconds):
        if blas_threads() and max(blas_threads()) > 1:
            return 1.0
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "products", stopped)
    parallel.LEFT_BEHIND.clear()
    try:
        with pytest.raises(KeyboardInterrupt):
            gemm_speed(2)
        assert parallel.LEFT_BEHIND.is_set()
    finally:
        parallel.LEFT_BEHIND.clear()
