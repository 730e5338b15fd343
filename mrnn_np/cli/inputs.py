"""What many commands begin with: the files of features and checkpoints.

``--features`` may be given several times: the features of several CNNs side by side.
``--checkpoint`` may be given several times: an ensemble of models.

Knows: options, and which inputs fit together. Does not know: what is done with them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrnn_np.data import CaptionDataset
    from mrnn_np.features.matrix import Features
    from mrnn_np.models import Model
    from mrnn_np.runtime.workers import Workers

# Options that name files to be read; `files_read` knows what the others mean.
READ = (
    "captions", "config", "features", "file", "image", "images", "regions",
    "rerank_features",
)  # fmt: skip


def files_read(args: argparse.Namespace) -> list[Path]:
    """Return the files that a command reads because its options, any of them, say so.

    Of a data set that is a folder nothing is listed: what lies in it is no output of
    this project, and so never replaced (`mrnn_np.runtime.outputs`).
    """
    from mrnn_np.features.joined import part_names
    from mrnn_np.features.regions import SUFFIX
    from mrnn_np.runtime.storage import cache_folder, weights_folder

    options, paths = vars(args), []
    for name in READ:
        value = options.get(name) or []
        paths += value if isinstance(value, list) else [value]
    for name in options.get("checkpoint") or ():
        paths += [name, weights_folder() / f"{name}.npz"]  # a file or a shipped model
    given = options.get("cnn") or ""
    for cnn in (given, *part_names(given)) if given else ():
        for name in (cnn, cnn.removesuffix(SUFFIX)):
            paths += [name, cache_folder() / "cnn" / f"{name}.npz"]
    for name in ("dataset", "rerank"):
        place = (options.get(name) or "").partition(":")[2]
        if place and not Path(place).is_dir():
            paths.append(place)
    return [Path(path) for path in paths]


def add_features(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add --features F, at least once where required."""
    parser.add_argument(
        "--features",
        required=required,
        type=Path,
        action="append",
        metavar="F",
        help="file made by `mrnn-np features`; give it once for each CNN of the model",
    )


def add_checkpoint(
    parser: argparse.ArgumentParser, default: str | None = None, required: bool = True
) -> None:
    """Add --checkpoint M; at least one where required, and without a default.

    Argparse would append to a list that is a default, so the command fills it in:
    ``args.checkpoint or [default]``.
    """
    shown = f" (default {default})" if default else ""
    parser.add_argument(
        "--checkpoint",
        required=required and default is None,
        action="append",
        metavar="M",
        help=f"a file or a shipped model; several are an ensemble{shown}",
    )


def add_beam(parser: argparse.ArgumentParser) -> None:
    """Add --beam K; what it is when it is not given, `beam_width` knows."""
    parser.add_argument(
        "--beam",
        type=positive,
        metavar="K",
        help="width of the search (default 5, with --rerank 10)",
    )


def positive(text: str) -> int:
    """Return a number from 1 on; argparse reports anything else."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def add_backend(
    parser: argparse.ArgumentParser, local: str, jobs: int | None = None
) -> None:
    """Add --jobs, --backend and --scheduler; `workers_of` understands them.

    Parameters
    ----------
    local : what works on this machine, "threads" or "loky" (processes).
    jobs : how many when --jobs is not given, None for all cores.
    """
    kind = {"threads": "threads", "loky": "processes"}[local]
    parser.add_argument(
        "--jobs",
        type=positive,
        default=jobs,
        metavar="J",
        help=f"{kind} (default: {jobs or 'cores'})",
    )
    parser.add_argument(
        "--backend",
        choices=[local, "dask"],
        default=local,
        help=f"{kind} of this machine (default), or the workers of a Dask cluster",
    )
    parser.add_argument(
        "--scheduler", metavar="HOST:PORT", help="of the Dask cluster, with its port"
    )


def workers_of(args: argparse.Namespace) -> "Workers":
    """Return the `Workers` that the options of `add_backend` ask for."""
    from mrnn_np.runtime.workers import Workers

    backend = "processes" if args.backend == "loky" else args.backend
    return Workers(backend, args.jobs, args.scheduler)


def beam_width(args: argparse.Namespace) -> int:
    """Return --beam, or the paper's choice: wider when the sentences are reranked.

    Raises
    ------
    WrongUse : wider than any search of use.
    """
    from mrnn_np.decoding.beam import WIDEST
    from mrnn_np.runtime.errors import WrongUse

    if args.beam is None:
        return 10 if args.rerank else 5
    if args.beam > WIDEST:
        raise WrongUse(f"--beam must be at most {WIDEST}")
    return args.beam


def load_features(paths: Sequence[Path], model: "Model | None" = None) -> "Features":
    """Return the `Features` of one file, or of several joined.

    A line on stderr says when joining leaves images out.

    Parameters
    ----------
    model : that will see them; None where it has yet to learn.

    Raises
    ------
    InputError : one that cannot be read, or features of another CNN than the model's.
    """
    from mrnn_np.features.extractors import check_same_extractor
    from mrnn_np.features.joined import join_features
    from mrnn_np.features.matrix import Features
    from mrnn_np.runtime.progress import say

    features = join_features([Features.load(path) for path in paths])
    if len(paths) > 1 and features.failed:
        name, reason = next(iter(features.failed.items()))
        say(f"{len(features.failed)} images are left out; {name}: {reason}")
    if model is not None and model.extractor is not None:
        check_same_extractor(features.extractor, model.extractor, features.source)
    return features


def load_models(names: Sequence[str]) -> "Model":
    """Return the model of one checkpoint, or an `Ensemble` of several.

    Raises
    ------
    InputError : see `load_model`; or checkpoints that do not fit together.
    """
    from mrnn_np.models import Ensemble, load_model
    from mrnn_np.runtime.errors import InputError

    models = [load_model(name) for name in names]
    if len(models) == 1:
        return models[0]
    try:
        return Ensemble(models)
    except InputError as error:
        raise InputError(f"{together(names)}: {error}") from None


def load_scoring(
    args: argparse.Namespace,
) -> "tuple[Model, CaptionDataset, Features]":
    """Return model, data set and features of a command that has all three.

    Raises
    ------
    InputError : one that cannot be read, or see `load_features`.
    """
    from mrnn_np.data import load_dataset

    model = load_models(args.checkpoint)
    dataset = load_dataset(args.dataset)
    return model, dataset, load_features(args.features, model)


def images_of(
    dataset: "CaptionDataset", split: str, features: "Features | None" = None
) -> list[str]:
    """Return the images of a split, with features those that could be read.

    Raises
    ------
    InputError : there is none.
    """
    from mrnn_np.runtime.errors import InputError

    names = dataset.split(split)
    if not names:
        raise InputError(f"{dataset.name}: the split {split!r} has no image")
    if features is None:
        return names
    readable = [name for name in names if name not in features.failed]
    if not readable:
        raise InputError(
            f"{features.source}: none of the {len(names)} images of the split "
            f"{split!r} could be read; {names[0]}: {features.failed[names[0]]}"
        )
    return readable


def together(names: Sequence[str | Path]) -> str:
    """Return the names as one line: of one file, its name."""
    return " + ".join(map(str, names))
