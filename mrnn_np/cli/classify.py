"""`mrnn-np classify`: the five likeliest ImageNet classes of each image.

The quickest check that weights, preprocessing and convolutions fit together: with one
of them wrong, a cat is no longer a cat.
"""

import argparse

EXAMPLE = "mrnn-np classify cat.jpg --cnn efficientnet_lite0"
SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the images and the options."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files")
    parser.add_argument(
        "--cnn",
        default="efficientnet_lite0",
        metavar="NAME",
        help="a network of `mrnn-np weights list` or a converted .npz "
        "(default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def class_names() -> list[str]:
    """Return the names of the 1000 ImageNet classes, in the order of the scores."""
    from mrnn_np.runtime.storage import weights_folder

    text = (weights_folder() / "imagenet_classes.tsv").read_text(encoding="utf-8")
    return [line.split("\t")[1] for line in text.splitlines()]


def run(args: argparse.Namespace) -> int:
    """Print the classes of every image that can be read; 1 if one could not."""
    from mrnn_np.convert import load_cnn
    from mrnn_np.images import load_image
    from mrnn_np.runtime.errors import InputError
    from mrnn_np.runtime.progress import say, show, show_json

    cnn, names = load_cnn(args.cnn), class_names()
    found, failed = [], 0
    for path in args.images:
        try:
            image = load_image(path)
        except InputError as error:
            say(f"mrnn-np: error: {error}")
            failed += 1
            continue
        (probabilities,) = cnn.classify([image])
        best = probabilities.argsort()[::-1][:SHOWN]
        classes = [
            {
                "class": int(index),
                "name": names[index],
                "probability": round(float(probabilities[index]), 6),
            }
            for index in best
        ]
        found.append({"image": path, "classes": classes})
        if not args.json:
            show(path)
            for each in classes:
                show(f"  {each['probability']:6.1%}  {each['name']}")
    if args.json:
        show_json({"cnn": cnn.name, "images": found})
    return 1 if failed else 0
