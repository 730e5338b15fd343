"""`mrnn-np caption`: describe photographs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mrnn_np.cli.inputs import (
    add_beam,
    add_checkpoint,
    beam_width,
    load_features,
    load_models,
    positive,
    together,
)

if TYPE_CHECKING:
    import numpy as np

    from mrnn_np.decoding import Caption
    from mrnn_np.decoding.consensus import Consensus
    from mrnn_np.models.next_word import NextWordModel

DEFAULT_MODEL = "flickr8k"
EXAMPLE = "mrnn-np caption photo.jpg holiday/*.jpg --nbest 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image files")
    add_checkpoint(parser, DEFAULT_MODEL)
    add_beam(parser)
    parser.add_argument(
        "--nbest",
        type=positive,
        default=1,
        metavar="N",
        help="sentences an image, up to K",
    )
    parser.add_argument(
        "--sample", action="store_true", help="draw the words instead of searching"
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="T",
        help="of --sample: below 1 is safer, above 1 is wilder (default 1)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of --sample (default 0)")
    parser.add_argument(
        "--rerank",
        metavar="DATASET",
        help="sort the sentences by what people said about similar images: the "
        "training images of this data set",
    )
    parser.add_argument(
        "--rerank-features",
        type=Path,
        action="append",
        metavar="F",
        help="file made by `mrnn-np features DATASET`; once for each CNN of the model",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the captions of every image that can be read; 1 if one could not."""
    from mrnn_np.features.extractors import extractor_of
    from mrnn_np.images import load_image
    from mrnn_np.models import must_speak
    from mrnn_np.runtime.errors import InputError
    from mrnn_np.runtime.progress import say, show_json

    check_use(args)
    args.beam = beam_width(args)
    names = args.checkpoint or [DEFAULT_MODEL]
    model = must_speak(load_models(names), together(names))
    extractor = extractor_of(model.extractor, together(names))
    consensus = load_consensus(args, model) if args.rerank else None
    failed, results = 0, []
    for number, path in enumerate(args.images):
        try:
            features = extractor.features([load_image(path)])
        except InputError as error:
            say(f"mrnn-np: error: {error}")
            failed += 1
            continue
        if consensus is None:
            captions = describe(model, features, args, number)
        else:
            captions = describe_by_consensus(model, consensus, features, args, path)
        results.append(
            {
                "image": path,
                "captions": [
                    {"caption": c.text, "log_prob": round(c.log_prob, 4)}
                    for c in captions
                ],
            }
        )
        if not args.json:
            show_captions(path, captions, many=args.nbest > 1 or args.sample)
    if args.json:
        show_json(results)
    return 1 if failed else 0


def check_use(args: argparse.Namespace) -> None:
    """Raise WrongUse for options out of range, or that do not go together."""
    from mrnn_np.decoding.beam import WIDEST
    from mrnn_np.runtime.errors import WrongUse

    if args.nbest > WIDEST:
        raise WrongUse(f"--nbest must be at most {WIDEST}")
    if bool(args.rerank) != bool(args.rerank_features):
        raise WrongUse(
            "--rerank DATASET and --rerank-features F go together: give both"
        )
    if args.rerank and args.sample:
        raise WrongUse(
            "--rerank sorts what the search finds, --sample does not search: give one"
        )
    if args.seed < 0:
        raise WrongUse(f"--seed must be 0 or more, not {args.seed}")
    if not 0.01 <= args.temperature <= 100:
        raise WrongUse(
            f"--temperature must be in 0.01 .. 100, not {args.temperature:g}"
        )


def load_consensus(args: argparse.Namespace, model: "NextWordModel") -> "Consensus":
    """Return the training images of --rerank, as the model sees them."""
    from mrnn_np.data import load_dataset
    from mrnn_np.decoding.consensus import Consensus

    dataset = load_dataset(args.rerank)
    features = load_features(args.rerank_features, model)
    return Consensus.of_training_split(model, dataset, features)


def describe_by_consensus(
    model: "NextWordModel",
    consensus: "Consensus",
    features: "np.ndarray",
    args: argparse.Namespace,
    path: str,
) -> "list[Caption]":
    """Return the captions of one image, those first that resemble people's.

    A training image is known by the name of its file: its own captions do not count.
    """
    # The search refuses more sentences than the beam is wide.
    n_best = max(args.beam, args.nbest)
    found = model.caption(features, beam_size=args.beam, n_best=n_best)
    vectors = model.refined_features(features)
    return consensus.rerank(found, vectors, [Path(path).name])[0][: args.nbest]


def describe(
    model: "NextWordModel",
    features: "np.ndarray",
    args: argparse.Namespace,
    number: int,
) -> "list[Caption]":
    """Return the captions of one image, as the options ask."""
    import numpy as np

    if not args.sample:
        return model.caption(features, beam_size=args.beam, n_best=args.nbest)[0]
    # A generator an image, so that a caption does not depend on its neighbours.
    rng = np.random.default_rng([args.seed, number])
    repeated = np.repeat(features, args.nbest, axis=0)
    return model.sample(repeated, rng, args.temperature)


def show_captions(path: str, captions: "list[Caption]", many: bool) -> None:
    """Print captions for a person to read."""
    from mrnn_np.runtime.progress import show

    if not many:
        show(f"{path}: {captions[0].text}")
        return
    show(path)
    for caption in captions:
        show(f"  {caption.log_prob:7.2f}  {caption.text}")
