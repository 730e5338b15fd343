"""`mrnn-np features`: compute the features of a data set's images, once."""

import argparse
import time
from typing import TYPE_CHECKING

from mrnn_np.cli.inputs import add_backend, files_read, workers_of

if TYPE_CHECKING:
    from mrnn_np.data import CaptionDataset

DEFAULT_CNN = "efficientnet_lite0"
EXAMPLE = (
    "mrnn-np features flickr8k:data/flickr8k --cnn efficientnet_lite0 "
    "-o flickr8k.lite0.npz --jobs 2"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, or scenes")
    parser.add_argument(
        "--cnn",
        metavar="NAME",
        help="a pretrained network, a converted .npz, or scenes (no CNN); NAME:regions "
        "are the cells of a 3 x 3 grid and the whole image, for rankers of fragments; "
        f"default: scenes for the data set scenes, otherwise {DEFAULT_CNN}",
    )
    parser.add_argument(
        "-o", "--output", metavar="F.npz", required=True, help="file to write"
    )
    parser.add_argument("--split", metavar="S", help="one split (default: all)")
    add_backend(parser, "loky", jobs=1)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an interrupted run, or add images that F.npz lacks; pictures "
        "that were replaced are computed anew",
    )


def run(args: argparse.Namespace) -> int:
    from mrnn_np.data import load_dataset
    from mrnn_np.features.extraction import extract_features
    from mrnn_np.runtime.outputs import Output, check_places
    from mrnn_np.runtime.progress import say, show
    from mrnn_np.runtime.storage import npz_output

    workers = workers_of(args)
    check_places(
        npz_output(args.output, "--output", "features"),
        Output(f"{args.output}.part", "--output (its blocks)", folder=True),
        inputs=files_read(args),
    )
    dataset = load_dataset(args.dataset)
    for remark in dataset.remarks:
        say(f"{dataset.name}: {remark}")
    splits = [args.split] if args.split else list(dataset.splits)
    names = [name for split in splits for name in dataset.split(split)]
    cnn = args.cnn or default_cnn(dataset)
    start = time.perf_counter()
    features = extract_features(
        dataset.images, names, cnn, args.output, workers, args.resume, dataset.name
    )
    seconds = time.perf_counter() - start
    failed = f", {len(features.failed)} could not be read" if features.failed else ""
    show(
        f"{args.output}: {len(features)} images, {features.size} numbers each by {cnn}"
        f"{failed}, {seconds:.1f} s"
    )
    return 0


def default_cnn(dataset: "CaptionDataset") -> str:
    """Return what computes the features of a data set when nothing is said."""
    is_scenes = dataset.name.partition(":")[0] == "scenes"
    return "scenes" if is_scenes else DEFAULT_CNN
