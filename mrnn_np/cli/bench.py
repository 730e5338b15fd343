"""`mrnn-np bench`: how fast this project is, beside others doing the same.

The benchmarks themselves are not part of the package: they lie in the repository's
folder benchmarks/, since they need what the package does without (PyTorch ...). Each
runs in a process of its own, so that one that fails or lacks a package costs its own
rows only, and all of its programs begin with the same number of threads.

Knows: the list of benchmarks, their processes, the table. Does not know: what they
measure.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mrnn_np.cli.inputs import positive
from mrnn_np.runtime.errors import InputError, WrongUse

EXAMPLE = "mrnn-np bench startup metrics --threads 2"
# file in benchmarks/ -> what it measures
JOBS = {
    "train_step": "one training step, beside PyTorch",
    "train_peers": "the same of models with gates, beside PyTorch's LSTM and GRU",
    "cnn": "image features, beside PyTorch and onnxruntime",
    "beam": "beam search of 1,000 images, beside PyTorch",
    "retrieval": "likelihoods of 5,000 x 1,000 pairs, beside their matrix products",
    "metrics": "CIDEr and BLEU, beside pycocoevalcap",
    "startup": "whole processes, beside what a person waits for",
    "threads": "1 thread, one a core, and twice as many",
}
# Each BLAS and OpenMP reads a variable of its own; joblib counts cores by the last.
THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
LINE = "{:<37} {:>10} {:<30} {:>10} {:>8} {:>7} {:<7}{:>9}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    names = "; ".join(f"{name}: {what}" for name, what in JOBS.items())
    parser.add_argument(
        "jobs",
        metavar="JOB",
        nargs="*",
        help=f"which benchmarks, by default all. {names}",
    )
    parser.add_argument(
        "--threads", type=positive, default=2, metavar="N", help="of each program (2)"
    )
    parser.add_argument(
        "--repeats",
        type=positive,
        metavar="R",
        help="rounds; the median of them counts",
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="count seconds of processor time instead of those that pass: for a busy "
        "machine, with --threads 1",
    )
    parser.add_argument(
        "--scaling",
        action="store_true",
        help="how time and memory grow with the work, as a page of charts",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench"),
        metavar="DIR",
        help="folder of the page of --scaling (default bench)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table, a row as soon as it is measured; 1 if a benchmark failed."""
    from mrnn_np.report import page_output
    from mrnn_np.runtime.outputs import check_places
    from mrnn_np.runtime.progress import say, show, show_json

    unknown = [name for name in args.jobs if name not in JOBS]
    if unknown:
        raise WrongUse(f"no job {unknown[0]!r}: {', '.join(JOBS)}")
    if args.scaling and (args.jobs or args.repeats or args.cpu or args.json):
        raise WrongUse("beside --scaling only --threads and --out count")
    folder = benchmarks_folder()
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(args.threads))
    if args.scaling:
        check_places(page_output(args.out / "scaling.html", "--out"))
        command = [sys.executable, str(folder / "scaling.py"), "--out", str(args.out)]
        return subprocess.run(command, env=environment).returncode
    if not args.json:
        show(heading())
    failed, found = 0, []
    for name in args.jobs or JOBS:
        command = [sys.executable, str(folder / "worker.py"), name]
        if args.repeats is not None:
            command += ["--repeats", str(args.repeats)]
        if args.cpu:
            command.append("--cpu")
        status = 0
        for row in measured(command, environment):
            if isinstance(row, int):
                status = row
            elif "missing" in row:
                say(f"{name}: left out: {row['missing']} is not installed")
            else:
                found.append({"benchmark": name, **row})
                if not args.json:
                    show(table_line(row))
        if status:
            say(f"mrnn-np: error: benchmark {name} failed, status {status}")
            failed += 1
    if args.json:
        show_json(found)
    return 1 if failed else 0


def benchmarks_folder() -> Path:
    """Return benchmarks/ of the repository that this package is installed from.

    Raises
    ------
    InputError : there is none: the package was installed as a wheel.
    """
    folder = Path(__file__).parent.parent.parent / "benchmarks"
    if not (folder / "worker.py").is_file():
        raise InputError(
            f"{folder}: no benchmarks there: they are not part of the installed "
            "package. Get the repository and install it with `pip install -e .`"
        )
    return folder


def measured(command: list[str], environment: dict) -> Iterator[dict | int]:
    """Yield the rows of a benchmark, and last the exit status of its process."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # it is a pipe
        for line in process.stdout:
            yield json.loads(line)
    yield process.returncode


def heading() -> str:
    """Return the first line of the table."""
    return LINE.format(
        "job", "ours", "peer", "peer's", "ratio", "needed", "", "memory"
    ).rstrip()


def table_line(row: dict) -> str:
    """Return one row for a person to read.

    Memory is what one call of ours needs in new arrays; of a whole process, its size.
    """
    memory = row["memory"]
    return LINE.format(
        row["job"],
        seconds(row["ours"]),
        row["name"],
        seconds(row["peer"]),
        f"{row['ratio']:.2f}",
        f"{row['needed']:.2f}",
        "ok" if row["ratio"] >= row["needed"] else "MISSED",
        "" if memory is None else f"{memory / 2**20:.0f} MiB",
    ).rstrip()


def seconds(value: float) -> str:
    """Return a time with three digits: 0.123 s is "123 ms"."""
    if value < 1:
        return f"{1e3 * value:.3g} ms"
    return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"
