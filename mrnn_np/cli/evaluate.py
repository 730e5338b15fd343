"""`mrnn-np evaluate`: how good are captions on a split of a data set?

The captions are a model's own, or those of any results file (``--captions``).
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrnn_np.cli.inputs import (
    add_backend,
    add_beam,
    add_checkpoint,
    add_features,
    beam_width,
    files_read,
    images_of,
    load_scoring,
    together,
    workers_of,
)
from mrnn_np.runtime.outputs import json_place

if TYPE_CHECKING:
    from mrnn_np.data import CaptionDataset
    from mrnn_np.metrics.score import Rating
    from mrnn_np.runtime.outputs import Output

EXAMPLE = (
    "mrnn-np evaluate flickr8k:DIR --split dev --features flickr8k.npz "
    "--checkpoint flickr8k --json dev.json"
)
SEED = 0  # of the bootstrap: the same captions always give the same intervals


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, e.g. scenes")
    parser.add_argument("--split", default="dev", help="which list (default dev)")
    add_features(parser, required=False)
    add_checkpoint(parser, required=False)
    add_beam(parser)
    parser.add_argument(
        "--rerank",
        nargs="?",
        const="cider",
        choices=["cider", "bleu"],
        help="sort the beam's sentences by how much they resemble, by CIDEr (default) "
        "or by BLEU, the captions of similar training images of DATASET",
    )
    parser.add_argument(
        "--captions",
        type=Path,
        metavar="RESULTS",
        help="score the captions of this file, in the form of COCO results, in place "
        "of a model's: --features and --checkpoint are not needed",
    )
    parser.add_argument(
        "--json",
        type=json_place,
        metavar="OUT",
        help="write the scores, their intervals and those of each image to OUT and the "
        "captions, in the form of COCO results, beside it to OUT with .captions.json; "
        "a run that was stopped goes on from the captions it had, in OUT.part. With - "
        "all of it goes to standard output, in place of the table",
    )
    add_backend(parser, "threads")


def run(args: argparse.Namespace) -> int:
    from mrnn_np.runtime.outputs import STDOUT, check_places

    check_use(args)
    check_places(*outputs_of(args), inputs=files_read(args))
    args.beam = beam_width(args)
    if args.captions:
        rating, captions, dataset = from_file(args)
        others: dict[str, Rating] = {}
    else:
        rating, captions, dataset, others = from_model(args)
    import numpy as np

    intervals = rating.intervals(np.random.default_rng(SEED))
    # What is printed comes last: whoever reads it may go away, as `head` does.
    if args.json:
        scores = {name: other.corpus for name, other in others.items()}
        write_results(args, rating, intervals, numbered(dataset, captions), scores)
    if (folder := parts_of(args)) is not None:
        from mrnn_np.decoding.blocks import remove_captions

        remove_captions(folder)
    if args.json != STDOUT:
        show_scores(args, dataset, captions, rating, intervals)
        if others:
            show_comparison(args.rerank, rating, others)
    return 0


def outputs_of(args: argparse.Namespace) -> "list[Output]":
    """Return what --json asks for: scores, captions beside them, and blocks."""
    from mrnn_np.metrics.results import results_output
    from mrnn_np.runtime.outputs import STDOUT, Output, json_output

    if args.json in (None, STDOUT):
        return []
    keys = ("dataset", "split", "checkpoint", "captions")
    return [
        json_output(args.json, "--json", "scores", keys),
        results_output(captions_beside(args.json), "--json (its captions)"),
        Output(parts_of(args), "--json (its blocks)", folder=True),
    ]


def captions_beside(goal: Path) -> Path:
    """Return the file for the captions whose scores go to `goal`."""
    return goal.with_name(f"{goal.stem}.captions.json")


def parts_of(args: argparse.Namespace) -> Path | None:
    """Return the folder that keeps the captions until everything is written."""
    from mrnn_np.runtime.outputs import STDOUT

    if args.json in (None, STDOUT):
        return None
    return args.json.with_name(f"{args.json.name}.part")


def show_scores(
    args: argparse.Namespace,
    dataset: "CaptionDataset",
    captions: Mapping[str, str],
    rating: "Rating",
    intervals: Mapping[str, Sequence[float]],
) -> None:
    """Print the table of scores."""
    from mrnn_np.runtime.progress import show

    source = args.captions or f"{together(args.checkpoint)}, beam {args.beam}"
    if args.rerank:
        source += f", reranked by {args.rerank}"
    show(f"{dataset.name} {args.split}: {len(captions)} images, {source}")
    show("              score    95 % interval over images")
    for name, value in rating.corpus.items():
        low, high = intervals[name]
        digits = 2 if name == "perplexity" else 3
        ends = f"{low:8.{digits}f} to{high:8.{digits}f}"
        show(f"  {name:<12}{value:8.{digits}f}{ends}")


def check_use(args: argparse.Namespace) -> None:
    """Raise WrongUse for options that do not go together."""
    from mrnn_np.runtime.errors import WrongUse

    if args.captions and (args.features or args.checkpoint):
        raise WrongUse(
            "--captions scores captions that exist: leave out the model's options"
        )
    if args.captions and args.rerank:
        raise WrongUse(
            "--rerank needs a model's beam, --captions has one caption an image"
        )
    if not args.captions and not (args.features and args.checkpoint):
        raise WrongUse("give --features and --checkpoint, or --captions RESULTS")


def from_model(
    args: argparse.Namespace,
) -> "tuple[Rating, dict[str, str], CaptionDataset, dict[str, Rating]]":
    """Return the rating of a model, image name -> its caption, and the data set.

    With --rerank there are other ratings to compare with; otherwise none.
    """
    from mrnn_np.evaluation import evaluate, evaluate_reranked
    from mrnn_np.models import must_speak

    workers, folder = workers_of(args), parts_of(args)
    model, dataset, features = load_scoring(args)
    captioner = must_speak(model, together(args.checkpoint))
    names = images_of(dataset, args.split, features)
    others: dict[str, Rating] = {}
    if args.rerank:
        rating, captions, others = evaluate_reranked(
            captioner,
            dataset,
            names,
            features,
            args.rerank,
            args.beam,
            True,
            workers,
            folder,
        )
    else:
        rating, captions = evaluate(
            captioner,
            dataset,
            names,
            features.rows(names),
            args.beam,
            True,
            workers,
            folder,
        )
    texts = {name: caption.text for name, caption in zip(names, captions, strict=True)}
    return rating, texts, dataset, others


def show_comparison(
    similarity: str, rating: "Rating", others: "dict[str, Rating]"
) -> None:
    """Print a row a rating: before reranking, after it, and what it could reach."""
    from mrnn_np.runtime.progress import show

    rows = {"beam": others["beam"], f"reranked by {similarity}": rating} | others
    scores = [row.corpus for row in rows.values()]
    columns = [name for name in scores[0] if all(name in row for row in scores)]
    show()
    show(f"{'':<20}" + "".join(f"{name:>9}" for name in columns))
    for name, row in zip(rows, scores, strict=True):
        show(f"  {name:<18}" + "".join(f"{row[column]:9.3f}" for column in columns))


def from_file(
    args: argparse.Namespace,
) -> "tuple[Rating, dict[str, str], CaptionDataset]":
    """Return the rating of a results file, image name -> caption, and the data set.

    As coco-caption does, images that the file leaves out are left out; how many is
    said on stderr.
    """
    from mrnn_np.data import load_dataset
    from mrnn_np.evaluation import rate_captions
    from mrnn_np.metrics.results import match, read_results
    from mrnn_np.runtime.progress import say

    given = read_results(args.captions)
    dataset = load_dataset(args.dataset)
    names = images_of(dataset, args.split)
    where = f"{args.split} of {args.dataset}"
    captions = match(args.captions, given, names, dataset.ids, where)
    if len(captions) < len(names):
        missing = [name for name in names if name not in captions]
        say(
            f"{args.captions}: no caption for {len(missing)} of {len(names)} images of "
            f"{where} (the first is {missing[0]}): scored without them"
        )
    return rate_captions(dataset, captions, with_meteor=True), captions, dataset


def numbered(
    dataset: "CaptionDataset", captions: Mapping[str, str]
) -> dict[int | str, str]:
    """Return the captions by the ids that the data set's results files have."""
    ids = dataset.ids
    return {ids[name] if ids else name: text for name, text in captions.items()}


def write_results(
    args: argparse.Namespace,
    rating: "Rating",
    intervals: Mapping[str, Sequence[float]],
    captions: Mapping[int | str, str],
    others: Mapping[str, Mapping[str, float]],
) -> None:
    """Write scores and captions, each to a file that appears whole or not at all.

    On standard output the captions stand among the scores.
    """
    from mrnn_np.metrics.results import write_results as write_captions
    from mrnn_np.runtime.outputs import STDOUT, write_json
    from mrnn_np.runtime.progress import say

    each = {name: values.tolist() for name, values in rating.each.items()}
    summary: dict[str, Any] = {
        "kind": "scores",
        "dataset": args.dataset,
        "split": args.split,
        "checkpoint": together(args.checkpoint or []),
        "captions": str(args.captions or ""),
        "beam": args.beam,
        "rerank": args.rerank or "",
        "scores": rating.corpus,
        "other_scores": others,
        "intervals": intervals,
        "images": [
            {"image_id": image, **{name: values[i] for name, values in each.items()}}
            for i, image in enumerate(captions)
        ],
    }
    if args.json == STDOUT:
        for entry in summary["images"]:
            entry["caption"] = captions[entry["image_id"]]
        write_json(STDOUT, summary)
        return
    write_json(args.json, summary)
    results = captions_beside(args.json)
    write_captions(results, captions)
    say(f"{args.json}: the scores of every image; {results}: the captions")
