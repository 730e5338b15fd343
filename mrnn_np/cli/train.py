"""`mrnn-np train`: an m-RNN from a data set and the features of its images.

Trains on the training list, chooses on the dev list. Knows: the order of the steps.
Does not know: how any of them is done.
"""

import argparse
from pathlib import Path

from mrnn_np.cli.inputs import add_features, files_read, load_features

EXAMPLE = (
    "mrnn-np train flickr8k:DIR --features flickr8k.npz --out runs/flickr8k\n"
    "         mrnn-np train scenes --features scenes.npz --config small.toml"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, e.g. scenes")
    add_features(parser)
    parser.add_argument(
        "--model", default="mrnn", choices=["mrnn"], help="which model (default mrnn)"
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
    import numpy as np

    from mrnn_np.data import UNK, load_dataset
    from mrnn_np.models import MRNNConfig
    from mrnn_np.outputs import Output, check_places
    from mrnn_np.progress import say, show
    from mrnn_np.storage import npz_output
    from mrnn_np.training import Trainer, load_config, prepare

    model_config, config = load_config(args.config, MRNNConfig)
    dataset = load_dataset(args.dataset)
    features = load_features(args.features)
    out = args.out or Path("runs") / dataset.name
    check_places(
        npz_output(out / "best.npz", "--out", "checkpoint"),
        npz_output(out / "last.npz", "--out", "checkpoint"),
        Output(out / "log.jsonl", "--out"),
        inputs=files_read(args),
    )
    model, train, dev = prepare(dataset, features, model_config, config)
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
    history = Trainer(model, config, out).fit(train, dev, resume=args.resume)
    best = min(history, key=lambda entry: entry["dev_loss"])
    show(
        f"{out}/best.npz: dev perplexity {best['dev_perplexity']:.2f} "
        f"after epoch {best['epoch']} of {len(history)}"
    )
    return 0
