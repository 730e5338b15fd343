"""`mrnn-np rank`: how well are images found by sentences, and sentences by images?"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mrnn_np.cli.inputs import (
    add_backend,
    add_checkpoint,
    add_features,
    files_read,
    images_of,
    load_scoring,
    positive,
    together,
    workers_of,
)
from mrnn_np.runtime.outputs import json_place

if TYPE_CHECKING:
    import numpy as np

    from mrnn_np.data import CaptionDataset
    from mrnn_np.features.matrix import Features
    from mrnn_np.retrieval.protocol import Retrieval
    from mrnn_np.runtime.outputs import Output

EXAMPLE = (
    "mrnn-np rank flickr8k:DIR --split dev --features flickr8k.npz "
    "--checkpoint flickr8k --json ranks.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, e.g. scenes")
    parser.add_argument("--split", default="dev", help="which list (default dev)")
    add_features(parser)
    add_checkpoint(parser)
    parser.add_argument(
        "--samples",
        type=positive,
        default=200,
        metavar="N",
        help="training images that a sentence's likelihood is averaged over when "
        "sentences are ranked (default 200); a ranker needs none",
    )
    parser.add_argument(
        "--shortlist",
        type=positive,
        metavar="N",
        help="for large collections: guess first, and compute exactly only the N most "
        "promising images of a sentence and sentences of an image",
    )
    parser.add_argument(
        "--matrix",
        type=Path,
        metavar="S.npz",
        help="keep the scores of all pairs in this file; a run that was stopped goes "
        "on from what it had computed",
    )
    parser.add_argument(
        "--memory",
        type=positive,
        default=1024,
        metavar="MB",
        help="for intermediate results (default 1024)",
    )
    add_backend(parser, "threads")
    parser.add_argument(
        "--json",
        type=json_place,
        metavar="OUT",
        help="write the table to OUT, with - to standard output in place of the table",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="PAGE.html",
        help="write a page with the table and, for queries drawn at random, what was "
        "found",
    )


def run(args: argparse.Namespace) -> int:
    import time

    import numpy as np

    from mrnn_np.models import Ranker
    from mrnn_np.retrieval.protocol import retrieve
    from mrnn_np.runtime.errors import WrongUse
    from mrnn_np.runtime.machine import gemm_speed
    from mrnn_np.runtime.outputs import STDOUT, check_places
    from mrnn_np.runtime.progress import say

    if args.shortlist is not None and args.matrix:
        raise WrongUse("--matrix keeps an exact matrix: leave out --shortlist")
    workers = workers_of(args)
    check_places(*outputs_of(args), inputs=files_read(args))
    model, dataset, features = load_scoring(args)
    names = images_of(dataset, args.split, features)
    if args.report:
        dataset.images.open(names[0])  # better told now than after the work
    rng = np.random.default_rng(0)
    if isinstance(model, Ranker):  # its scores are not normalised
        args.samples = 0
    sampled = sample_training(dataset, features, args.samples, rng)
    here = workers.backend != "dask"
    before = gemm_speed(workers.count()) if here else 0.0
    start = time.perf_counter()
    result = retrieve(
        model, dataset, names, features.rows(names), features.rows(sampled), rng,
        args.shortlist, workers, args.memory, args.matrix,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    limit = (before + gemm_speed(workers.count())) / 2 if here else None
    for line in effort(result, seconds, limit):
        say(line)
    # What is printed comes last: whoever reads it may go away, as `head` does.
    if args.report:
        write_page(args, result, dataset)
    if args.json:
        write_table(args, result)
    if args.json != STDOUT:
        show_table(args, result, dataset)
    return 0


def outputs_of(args: argparse.Namespace) -> "list[Output]":
    """Return what the options ask for: table, page, matrix and its blocks."""
    from mrnn_np.report import page_output
    from mrnn_np.runtime.outputs import Output, json_output
    from mrnn_np.runtime.storage import npz_output

    keys = ("dataset", "split", "checkpoint", "samples")
    blocks = args.matrix and Path(f"{args.matrix}.part")
    return [
        json_output(args.json, "--json", "ranks", keys),
        page_output(args.report, "--report"),
        npz_output(args.matrix, "--matrix", "likelihoods"),
        Output(blocks, "--matrix (its blocks)", folder=True),
    ]


def show_table(
    args: argparse.Namespace, result: "Retrieval", dataset: "CaptionDataset"
) -> None:
    """Print a row a way of searching."""
    from mrnn_np.runtime.progress import show

    show(
        f"{dataset.name} {args.split}: {len(result.names)} images, "
        f"{len(result.sentences)} sentences, {together(args.checkpoint)}"
    )
    show(f"{'':34}{'R@1':>7}{'R@5':>7}{'R@10':>7}{'median':>9}{'mean':>8}")
    for name, row in result.rows.items():
        recalls = "".join(f"{value:7.1f}" for value in row.at.values())
        show(f"  {name:<32}{recalls}{row.median:9.1f}{row.mean:8.1f}")


def sample_training(
    dataset: "CaptionDataset",
    features: "Features",
    count: int,
    rng: "np.random.Generator",
) -> list[str]:
    """Draw training images (all if there are fewer) that have features."""
    from mrnn_np.runtime.errors import InputError

    if not count:
        return []
    if "train" not in dataset.splits:
        raise InputError(
            f"{dataset.name}: no training split, over which a sentence's likelihood is "
            "averaged"
        )
    names = [name for name in dataset.split("train") if name in features]
    if not names:
        raise InputError(
            f"{features.source}: no features of training images, over which a "
            "sentence's likelihood is averaged: compute them for the split train too"
        )
    chosen = rng.permutation(len(names))[:count]
    return [names[i] for i in chosen]


def effort(result: "Retrieval", seconds: float, limit: float | None) -> list[str]:
    """Say what was computed, and how fast beside the machine's limit if it has one."""
    if result.work is None:
        return [
            f"{100 * result.skipped:.1f} % of the pairs were skipped: their scores are "
            f"guesses, and they rank behind all others ({seconds:.0f} s)"
        ]
    work = result.work
    if not work.pairs:
        return ["all scores read from the file of an earlier run"]
    if not work.rows:  # a ranker
        return [f"{work.pairs} pairs in {seconds:.0f} s"]
    speed = work.multiply_adds / seconds
    share = ""
    if limit:
        share = (
            f", {100 * speed / limit:.0f} % of this machine's matrix product "
            f"({2 * limit / 1e9:.0f}, measured before and after)"
        )
    return [
        f"{work.rows} prefixes of sentences in place of {work.rows_alone}: "
        f"{work.rows / work.rows_alone:.2f} of the multiply-adds",
        f"{work.multiply_adds / 1e12:.1f} T multiply-adds in {seconds:.0f} s: "
        f"{2 * speed / 1e9:.0f} GFLOP/s{share}",
    ]


def write_page(
    args: argparse.Namespace, result: "Retrieval", dataset: "CaptionDataset"
) -> None:
    """Write the table and the retrieval wall."""
    import numpy as np

    from mrnn_np.report import Page, add_retrieval

    page = Page(
        f"Retrieval on {dataset.name} {args.split}",
        f"{len(result.names)} images, {len(result.sentences)} sentences, model "
        f"{together(args.checkpoint)}",
    )
    add_retrieval(page, result, dataset.images, np.random.default_rng(0))
    page.save(args.report)


def write_table(args: argparse.Namespace, result: "Retrieval") -> None:
    """Write the rows of the table as JSON, whole or not at all."""
    from mrnn_np.runtime.outputs import write_json

    summary = {
        "kind": "ranks",
        "dataset": args.dataset,
        "split": args.split,
        "checkpoint": together(args.checkpoint),
        "samples": args.samples,
        "shortlist": args.shortlist,
        "skipped": result.skipped,
        "rows": {
            name: {
                **{f"R@{K}": value for K, value in row.at.items()},
                "median": row.median,
                "mean": row.mean,
            }
            for name, row in result.rows.items()
        },
    }
    write_json(args.json, summary)
