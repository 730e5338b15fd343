"""`mrnn-np evaluate`: how good is a model on a split of a data set?

Knows: which numbers are reported. Does not know: how they are computed.
"""

import argparse
import json
from pathlib import Path

from mrnn_np.cli.inputs import add_checkpoint, add_features, load_scoring, together

EXAMPLE = (
    "mrnn-np evaluate flickr8k:DIR --split dev --features flickr8k.npz "
    "--checkpoint flickr8k --json dev.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, e.g. scenes")
    parser.add_argument("--split", default="dev", help="which list (default dev)")
    add_features(parser)
    add_checkpoint(parser)
    parser.add_argument("--beam", type=int, default=5, metavar="K", help="default 5")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="OUT",
        help="write the scores to OUT and the captions, in the form of COCO results, "
        "beside it to OUT with .captions.json",
    )


def run(args: argparse.Namespace) -> int:
    from mrnn_np.evaluation import evaluate

    model, dataset, features = load_scoring(args)
    names = [n for n in dataset.split(args.split) if n not in features.failed]
    scores, captions = evaluate(model, dataset, names, features.rows(names), args.beam)
    print(f"{dataset.name} {args.split}: {len(names)} images, beam {args.beam}")
    for name, value in scores.items():
        print(
            f"  {name:<12}{value:8.2f}" if value > 1.5 else f"  {name:<12}{value:8.3f}"
        )
    if args.json:
        write_results(args.json, args, scores, names, captions)
    return 0


def write_results(out: Path, args, scores: dict, names: list[str], captions) -> None:
    """Write scores and captions, each to a file that appears whole or not at all."""
    from mrnn_np.storage import atomic_write

    summary = {
        "dataset": args.dataset,
        "split": args.split,
        "checkpoint": together(args.checkpoint),
        "beam": args.beam,
        "scores": scores,
    }
    results = [
        {"image_id": name, "caption": caption.text}
        for name, caption in zip(names, captions, strict=True)
    ]
    for path, content in (
        (out, summary),
        (out.with_name(f"{out.stem}.captions.json"), results),
    ):
        with atomic_write(path) as temporary:
            text = json.dumps(content, indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
