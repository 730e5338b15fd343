"""The command line as a process of its own: how it ends."""

import os
import signal
import subprocess
import sys
import threading

import pytest


def python(*lines):
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_end_does_what_ctrl_c_does(number):
    process = python(
        "import time, types",
        "import mrnn_np.cli as cli",
        "def run(args):",
        "    try: print('ready', flush=True); time.sleep(60)",
        "    finally: print('kept', flush=True)",
        "module = types.SimpleNamespace(",
        "    EXAMPLE='', add_arguments=lambda parser: None, run=run)",
        "cli.importlib = types.SimpleNamespace(import_module=lambda name: module)",
        "import sys; sys.argv = ['mrnn-np', 'train']",
        "cli.program()",
    )
    assert process.stdout.readline().strip() == b"ready"
    os.kill(process.pid, number)
    out, error = process.communicate(timeout=60)
    assert (out.strip(), error.strip()) == (b"kept", b"mrnn-np: stopped")
    assert process.returncode == 130


@pytest.mark.parametrize("left", [True, False])
def test_threads_that_work_for_nobody_do_not_outlive_the_command(left):
    process = python(
        "import threading, time, atexit",
        "import mrnn_np.cli as cli, mrnn_np.parallel as parallel",
        "atexit.register(print, 'tidied up')",
        "cli.main = lambda: print('result', end=' ') or 3",
        f"parallel.LEFT_BEHIND.set() if {left} else None",
        "cli.program()",
    )
    out, error = process.communicate(timeout=60)
    assert out.split() == [b"result", *([] if left else [b"tidied", b"up"])]
    assert (error, process.returncode) == (b"", 3)


def test_a_generator_of_threads_that_is_closed_early_says_that_some_are_left():
    from mrnn_np import parallel

    begun = threading.Event()

    def work(number):
        if number:
            begun.wait(20)
        return number

    parallel.LEFT_BEHIND.clear()
    try:
        results = parallel.spread(work, range(4), parallel.Workers("threads", 2))
        assert next(results) == (0, 0)
        results.close()
        assert parallel.LEFT_BEHIND.is_set()
        begun.set()
        parallel.LEFT_BEHIND.clear()
        assert len(list(parallel.spread(work, range(4), parallel.THREADS))) == 4
        assert not parallel.LEFT_BEHIND.is_set()
    finally:
        begun.set()
        parallel.LEFT_BEHIND.clear()
