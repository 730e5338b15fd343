"""The command line as a process of its own: how it ends."""

import os
import signal
import subprocess
import sys
import threading

import pytest


def python(*lines):
    command = [sys.executable, "-c", "\n".join(lines)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, **pipes)


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


SLOW_END = """
import time, types, sys, mrnn_np.cli as cli
def slow(*arguments): print('ending', flush=True); time.sleep({pause})
def run(args):
    try: print('ready', flush=True); time.sleep(60)
    finally: {cleaning}
cli.say = {say}
module = types.SimpleNamespace(
    EXAMPLE='', add_arguments=lambda parser: None, run=run)
cli.importlib = types.SimpleNamespace(import_module=lambda name: module)
sys.argv = ['mrnn-np', 'train']
cli.program()
"""


@pytest.mark.parametrize("place", ["tidying up", "the last word"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_asks_again_is_obeyed_at_once_and_without_a_traceback(place, number):
    tidying = place == "tidying up"
    process = python(
        SLOW_END.format(
            pause=60,
            cleaning="slow()" if tidying else "pass",
            say="cli.say" if tidying else "slow",
        )
    )
    assert process.stdout.readline().strip() == b"ready"
    os.kill(process.pid, number)
    assert process.stdout.readline().strip() == b"ending"
    os.kill(process.pid, number)
    error = process.communicate(timeout=60)[1]
    assert error == b"" and process.returncode == -number


def test_a_handler_of_a_command_leaves_no_traceback_either():
    """Training takes the first Ctrl-C itself and raises at the second: a third."""
    process = python(
        "import os, signal",
        SLOW_END.format(
            pause=0,
            cleaning="signal.signal(signal.SIGINT, before)",
            say="lambda text: slow() or time.sleep(60)",
        ).replace(
            "    try: print",
            "    def twice(number, frame):\n"
            "        asked.append(number)\n"
            "        os.write(1, b'asked\\n')\n"
            "        if len(asked) == 2: raise KeyboardInterrupt\n"
            "    asked, before = [], signal.signal(signal.SIGINT, twice)\n"
            "    try: print",
        ),
    )
    for line, answer in (("ready", 1), ("asked", 1), ("asked", 0), ("ending", 1)):
        assert process.stdout.readline().decode().strip() == line
        if answer:
            os.kill(process.pid, signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert error == b"" and process.returncode in (130, -signal.SIGINT)


def test_signals_that_come_at_the_same_moment_leave_no_traceback():
    """The first one's handler puts others in the place of what handles the rest."""
    process = python(
        "import os, signal, time, types, sys, mrnn_np.cli as cli",
        "numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)",
        "def run(args):",
        "    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)",
        "    for number in numbers: os.kill(os.getpid(), number)",
        "    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)",
        "    time.sleep(60)",
        "module = types.SimpleNamespace(",
        "    EXAMPLE='', add_arguments=lambda parser: None, run=run)",
        "cli.importlib = types.SimpleNamespace(import_module=lambda name: module)",
        "sys.argv = ['mrnn-np', 'train']",
        "cli.program()",
    )
    error = process.communicate(timeout=60)[1]
    assert (error.strip(), process.returncode) == (b"mrnn-np: stopped", 130)


def test_who_was_told_to_ignore_a_hangup_ignores_it():
    """`nohup mrnn-np train`."""
    code = SLOW_END.format(pause=0, cleaning="pass", say="cli.say")
    process = python(
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)",
        code.replace("time.sleep(60)", "sys.stdin.readline(); print('done')"),
    )
    assert process.stdout.readline().strip() == b"ready"
    os.kill(process.pid, signal.SIGHUP)
    out, error = process.communicate(b"\n", timeout=60)
    assert (out.strip(), error) == (b"done", b"")


def test_a_signal_that_python_ignores_comes_again():
    process = python(
        "import os, signal, sys, time, types",
        "import mrnn_np.cli as cli",
        "class Passing:",
        "    def __del__(self):",
        "        os.kill(os.getpid(), signal.SIGTERM)",
        "        time.sleep(0)",
        "def run(args):",
        "    Passing()",
        "    print('goes on', flush=True)",
        "    for _ in range(6000): time.sleep(0.01)",
        "module = types.SimpleNamespace(",
        "    EXAMPLE='', add_arguments=lambda parser: None, run=run)",
        "cli.importlib = types.SimpleNamespace(import_module=lambda name: module)",
        "sys.argv = ['mrnn-np', 'train']",
        "cli.program()",
    )
    out, error = process.communicate(timeout=60)
    assert (out.strip(), error.strip()) == (b"goes on", b"mrnn-np: stopped")
    assert process.returncode == 130


def test_a_signal_while_a_command_begins():
    process = python(
        "import sys, time, types",
        "import mrnn_np.cli as cli",
        "def slow(name): print('ready', flush=True); time.sleep(60)",
        "cli.importlib = types.SimpleNamespace(import_module=slow)",
        "sys.argv = ['mrnn-np', 'train']",
        "cli.program()",
    )
    assert process.stdout.readline().strip() == b"ready"
    os.kill(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (out, error.strip()) == (b"", b"mrnn-np: stopped")
    assert process.returncode == 130


@pytest.mark.parametrize("left", [True, False])
def test_threads_that_work_for_nobody_do_not_outlive_the_command(left):
    process = python(
        "import threading, time, atexit",
        "import mrnn_np.cli as cli, mrnn_np.runtime.parallel as parallel",
        "atexit.register(print, 'tidied up')",
        "cli.main = lambda: print('result', end=' ') or 3",
        f"parallel.LEFT_BEHIND.set() if {left} else None",
        "cli.program()",
    )
    out, error = process.communicate(timeout=60)
    assert out.split() == [b"result", *([] if left else [b"tidied", b"up"])]
    assert (error, process.returncode) == (b"", 3)


def test_a_generator_of_threads_that_is_closed_early_says_that_some_are_left():
    from mrnn_np.runtime import parallel, workers

    begun = threading.Event()

    def work(number):
        if number:
            begun.wait(20)
        return number

    parallel.LEFT_BEHIND.clear()
    try:
        results = parallel.spread(work, range(4), workers.Workers("threads", 2))
        assert next(results) == (0, 0)
        results.close()
        assert parallel.LEFT_BEHIND.is_set()
        begun.set()
        parallel.LEFT_BEHIND.clear()
        assert len(list(parallel.spread(work, range(4), workers.THREADS))) == 4
        assert not parallel.LEFT_BEHIND.is_set()
    finally:
        begun.set()
        parallel.LEFT_BEHIND.clear()
