"""`python tests/crash --count N --seed S`: disturb N runs and say what was lost."""

import argparse
import sys
import tempfile
from pathlib import Path

from crash_runs import run_cases

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python tests/crash", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="default 200")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument(
        "--root", type=Path, help="folder to work in (default: a new one)"
    )
    args = parser.parse_args()
    root = args.root or Path(tempfile.mkdtemp(prefix="crash-"))
    lost = run_cases(root, args.count, args.seed, lambda line: print(line, flush=True))
    print(f"{len(lost)} cases lost something; folders are in {root}")
    sys.exit(1 if lost else 0)
