"""`mrnn-np gradcheck`: every hand-written gradient beside a numerical one.

Knows: which layers and models there are to check, and how to show the result. The
checks themselves are in mrnn_np/gradcheck/check.py, the cases in cases.py beside it.
"""

import argparse

EXAMPLE = "mrnn-np gradcheck --model mrnn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="NAME", help="every entry of one model (default: all models)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the random numbers (default 0)"
    )


def run(args: argparse.Namespace) -> int:
    from mrnn_np.gradcheck.run import run_all, run_model
    from mrnn_np.models import model_class
    from mrnn_np.runtime.errors import WrongUse
    from mrnn_np.runtime.progress import say, show

    if args.seed < 0:
        raise WrongUse(f"--seed must be 0 or more, not {args.seed}")
    if args.model:
        model_class(args.model)  # or an error, before anything is shown
    show(f"{'layer':<34}{'of':<10}{'entries':>8}{'worst error':>13}{'limit':>8}")
    failed = []
    checks = run_model(args.model, args.seed) if args.model else run_all(args.seed)
    for case, check in checks:
        mark = "ok" if check.passed else "WRONG"
        show(
            f"{case:<34}{check.name:<10}{check.entries:>8}{check.error:>13.1e}"
            f"{check.limit:>8.0e}  {mark}"
        )
        if not check.passed:
            failed.append((case, check))
    for case, check in failed:
        say(f"mrnn-np: {case}: {check}")
    show("all gradients are right" if not failed else f"{len(failed)} wrong")
    return 1 if failed else 0
