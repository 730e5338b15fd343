"""One benchmark in a process of its own, for `mrnn-np bench`.

    python benchmarks/worker.py NAME [--repeats R] [--cpu]

Prints one JSON object a line: a row of the table, or which package is missing. What a
benchmark itself prints goes to stderr.
"""

import argparse
import contextlib
import dataclasses
import importlib
import json
import sys


def rows(name: str, repeats: int | None, cpu: bool) -> list[dict]:
    """Return the rows of a benchmark, or what it lacks."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        return [{"missing": error.name}]
    options = {"cpu": cpu} if repeats is None else {"repeats": repeats, "cpu": cpu}
    return [
        dataclasses.asdict(row) | {"ratio": row.ratio}
        for row in module.measure(**options)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    args = parser.parse_args()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = rows(args.name, args.repeats, args.cpu)
    except KeyboardInterrupt:
        sys.exit(130)
    for row in found:
        print(json.dumps(row))
