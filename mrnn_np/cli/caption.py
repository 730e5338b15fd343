"""`mrnn-np caption`: describe photographs.

Knows: how captions are asked for and shown. Does not know: how they are found.
"""

import argparse
import json

from mrnn_np.cli.inputs import (
    add_checkpoint,
    load_extractor_of,
    load_models,
    together,
)

DEFAULT_MODEL = "flickr8k"
EXAMPLE = "mrnn-np caption photo.jpg holiday/*.jpg --nbest 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image files")
    add_checkpoint(parser, DEFAULT_MODEL)
    parser.add_argument("--beam", type=int, default=5, metavar="K", help="default 5")
    parser.add_argument(
        "--nbest", type=int, default=1, metavar="N", help="sentences an image, up to K"
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
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the captions of every image that can be read; 1 if one could not."""
    from mrnn_np.errors import InputError
    from mrnn_np.images import load_image
    from mrnn_np.progress import say

    names = args.checkpoint or [DEFAULT_MODEL]
    model = load_models(names)
    extractor = load_extractor_of(model, together(names))
    failed, results = 0, []
    for number, path in enumerate(args.images):
        try:
            features = extractor.features([load_image(path)])
        except InputError as error:
            say(f"mrnn-np: error: {error}")
            failed += 1
            continue
        captions = describe(model, features, args, number)
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
            show(path, captions, many=args.nbest > 1 or args.sample)
    if args.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
    return 1 if failed else 0


def describe(model, features, args: argparse.Namespace, number: int) -> list:
    """Return the captions of one image, as the options ask."""
    import numpy as np

    if not args.sample:
        return model.caption(features, beam_size=args.beam, n_best=args.nbest)[0]
    # A generator an image, so that a caption does not depend on its neighbours.
    rng = np.random.default_rng([args.seed, number])
    repeated = np.repeat(features, args.nbest, axis=0)
    return model.sample(repeated, rng, args.temperature)


def show(path: str, captions: list, many: bool) -> None:
    """Print captions for a person to read."""
    if not many:
        print(f"{path}: {captions[0].text}")
        return
    print(path)
    for caption in captions:
        print(f"  {caption.log_prob:7.2f}  {caption.text}")
