"""Whole processes, from the shell's point of view: `mrnn-np --help`, `mrnn-np caption`.

    python benchmarks/startup.py [--repeats 5] [--cpu]

The first call ever compiles every kernel that a caption needs, into an empty folder;
the second finds them there. The peer is a limit: what a person waits without wondering.
Memory is the largest resident size of the process. `--cpu` counts the seconds that it
computed instead of those that passed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import Row

# name of the job, and its limit in seconds
JOBS = {
    "help": ("mrnn-np --help", 0.4),
    "first": ("mrnn-np caption, the first call ever", 20.0),
    "second": ("mrnn-np caption, from then on", 2.0),
}


def photograph() -> bytes:
    """Draw a JPEG file, in another process.

    Linux counts a new process as at least as large as the one that started it, so this
    one must stay small: without NumPy.
    """
    code = "import sys, drawn; sys.stdout.buffer.write(drawn.photograph())"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def whole_process(arguments: list[str], cache: Path, cpu: bool) -> tuple[float, int]:
    """Run one `mrnn-np` and return its seconds and its largest size in bytes."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mrnn_np", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            command = " ".join(["mrnn-np", *arguments])
            raise SystemExit(f"{command}: {output.read().decode()}")
    if cpu:
        seconds = usage.ru_utime + usage.ru_stime
    # Linux counts kilobytes, macOS bytes.
    return seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(repeats: int = 5, cpu: bool = False) -> list[Row]:
    """Measure --help, a first caption and a second one, in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = folder / "photo.jpg"
        photo.write_bytes(photograph())
        times = {"help": [], "first": [], "second": []}
        sizes = {}
        for number in range(repeats):
            cache = folder / f"cache-{number}"
            caption = ["caption", str(photo)]
            runs = {"help": ["--help"], "first": caption, "second": caption}
            for run, arguments in runs.items():
                seconds, sizes[run] = whole_process(arguments, cache, cpu)
                times[run].append(seconds)
    rows = []
    for run, (job, limit) in JOBS.items():
        seconds = statistics.median(times[run])
        rows.append(Row(job, seconds, "limit", limit, 1.0, sizes[run]))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    args = parser.parse_args()
    for row in measure(args.repeats, args.cpu):
        print(row)
