"""Kernels give the same bits just compiled and from the disk, in any order of use.

Every kernel is called in new processes. The first finds an empty folder and compiles;
it can also say which functions were left open to the compiler (kernels/__init__.py has
the rule). The others load what is there, and begin with another kernel each.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mrnn_np

SCRIPT = Path(__file__).parent / "kernel_bits.py"


@pytest.fixture(scope="module")
def compute(tmp_path_factory):
    """Return a function: an order of first use -> what kernel_bits.py prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    environment |= {
        "NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(mrnn_np.__file__).parents[1]),
    }

    def run(order: str) -> dict:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), order],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) | {"compiled": "compiling" in done.stderr}

    return run


@pytest.fixture(scope="module")
def compiled(compute):
    return compute("forward")


@pytest.mark.slow
def test_every_kernel_was_compiled(compiled):
    assert compiled["compiled"] and not compiled["unused"]


@pytest.mark.slow
def test_no_two_kernels_hold_copies_of_what_the_compiler_may_reorder(compiled):
    assert not compiled["loose"]


@pytest.mark.slow
@pytest.mark.parametrize("order", ["forward", "backward", "callees_first"])
def test_from_the_disk_and_in_any_order(order, compute, compiled):
    again = compute(order)
    assert again["bits"] == compiled["bits"]
    assert not again["compiled"]
