"""`mrnn-np train`: a model from a data set and the features of its images.

Trains on the training list, chooses on the dev list. Knows: the order of the steps.
Does not know: how any of them is done.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mrnn_np.cli.inputs import add_features, files_read, load_features
from mrnn_np.models.registry import MODELS

if TYPE_CHECKING:
    from mrnn_np.data import CaptionDataset
    from mrnn_np.models import ModelConfig
    from mrnn_np.training import RunFolder, TrainingConfig

EXAMPLE = (
    "mrnn-np train flickr8k:DIR --features flickr8k.npz --out runs/flickr8k\n"
    "         mrnn-np train scenes --features scenes.npz --config small.toml"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, e.g. scenes")
    add_features(parser)
    names = ", ".join(MODELS)
    parser.add_argument(
        "--model", default="mrnn", metavar="NAME", help=f"{names} (default mrnn)"
    )
    parser.add_argument(
        "--config", type=Path, help="TOML file with [model] and [training] tables"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the run (default runs/ and the name of the data set)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --out"
    )


def run(args: argparse.Namespace) -> int:
    from mrnn_np.data import load_dataset
    from mrnn_np.models import model_class
    from mrnn_np.runtime.errors import WrongUse
    from mrnn_np.training import RunFolder, load_config

    if args.model not in MODELS:
        raise WrongUse(f"--model {args.model!r} is not one of {', '.join(MODELS)}")
    configs = load_config(args.config, model_class(args.model).config_class)
    dataset = load_dataset(args.dataset)
    folder = RunFolder(args.out or Path("runs") / dataset.name)
    # Taken before there is any work: a second run in it is refused at once.
    with folder.open(args.resume, inputs=files_read(args)):
        train_in(folder, dataset, configs, args)
    return 0


def train_in(
    folder: "RunFolder",
    dataset: "CaptionDataset",
    configs: "tuple[ModelConfig, TrainingConfig]",
    args: argparse.Namespace,
) -> None:
    """Prepare and train, and say what came of it."""
    import numpy as np

    from mrnn_np.data import UNK
    from mrnn_np.models import model_class
    from mrnn_np.runtime.progress import say, show
    from mrnn_np.training import Trainer, dev_measure, prepare

    model_config, config = configs
    features = load_features(args.features)
    model, train, dev = prepare(
        dataset, features, model_config, config, model_class(args.model)
    )
    sizes = sum(value.size for value in model.params.values())
    say(
        f"{len(train)} training and {len(dev)} dev sentences, "
        f"{len(model.vocabulary)} words, {sizes / 1e6:.2f} million parameters"
    )
    unknown = np.mean(np.concatenate(train.sentences) == UNK)
    if unknown > 0.1:
        say(
            f"{100 * unknown:.0f} % of what people said is <unk>, words that occur "
            f"fewer than {config.threshold} times: lower `threshold` in --config"
        )
    history = Trainer(model, config, folder).fit(train, dev, resume=args.resume)
    best = min(history, key=lambda entry: entry["dev_loss"])
    show(
        f"{folder.best}: {dev_measure(best)} "
        f"after epoch {best['epoch']} of {len(history)}"
    )
