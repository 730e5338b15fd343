"""`mrnn-np tables`: the paper's tables, every model trained and scored alike.

Trains on the training list, chooses on dev, reports dev. Knows: the order of the steps.
Does not know: how any of them is done.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mrnn_np.cli.inputs import files_read, load_features, positive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mrnn_np.data import CaptionDataset
    from mrnn_np.features.matrix import Features
    from mrnn_np.tables.plan import Plan
    from mrnn_np.tables.results import ResultsFolder
    from mrnn_np.tables.rows import Row
    from mrnn_np.tables.search import Material

EXAMPLE = (
    "mrnn-np tables flickr8k:DIR --features flickr8k.npz --out tables/flickr8k\n"
    "         mrnn-np tables scenes --budget small"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, or scenes")
    parser.add_argument(
        "--features",
        type=Path,
        action="append",
        metavar="F",
        help="file made by `mrnn-np features`; give it once for each CNN. Without it "
        "they are computed into --out",
    )
    parser.add_argument(
        "--regions",
        type=Path,
        action="append",
        metavar="R",
        help="features of regions, for the rows that align words with them; without "
        "it these see the whole image",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the results (default tables/ and the name of the data set)",
    )
    parser.add_argument(
        "--budget",
        type=budget,
        metavar="MINUTES",
        help="how long all of it may take (default 150); small: small models, in 3 "
        "minutes on the data set scenes",
    )
    parser.add_argument(
        "--rows", metavar="A,B", help="only these rows, by name (default: all)"
    )
    parser.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="trainings a row, for intervals over seeds (default 1)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="search the whole dev list too, not only a fixed part of it",
    )


def budget(text: str) -> float | str:
    """Return minutes, or "small"; argparse reports anything else."""
    if text == "small":
        return text
    minutes = float(text)
    if not 0 < minutes < 1e5:
        raise argparse.ArgumentTypeError(f"minutes or small, not {text}")
    return minutes


def run(args: argparse.Namespace) -> int:
    from mrnn_np.data import load_dataset
    from mrnn_np.runtime.errors import WrongUse
    from mrnn_np.runtime.outputs import check_places
    from mrnn_np.runtime.progress import show
    from mrnn_np.runtime.storage import only_run
    from mrnn_np.tables.results import ResultsFolder
    from mrnn_np.tables.rows import chosen_rows
    from mrnn_np.tables.search import Material
    from mrnn_np.tables.work import do_rows

    if args.regions and not args.features:
        raise WrongUse("--regions needs --features, those of the whole images")
    rows = chosen_rows(args.rows)
    dataset = load_dataset(args.dataset)
    results = ResultsFolder(args.out or Path("tables") / dataset.name)
    check_places(*results.outputs(), inputs=files_read(args))
    with only_run(results.plan_file):
        found = results.load_plan()
        if found is not None and not args.features:
            check_own_features(results)
        features, regions = features_of(args, dataset, results)
        plan = agreed_plan(args, found, dataset, features, regions, results)
        material = Material(dataset, features, regions, plan)
        if found is None:
            material = begin(material, rows, args, results)
        write = Now(lambda: write_tables(material, results))
        do_rows(material, rows, results, args.seeds, args.full, write.now_and_then)
        text = write_tables(material, results)
    for line in text.splitlines():
        show(line)
    show()
    show(f"The same to look at: {results.tables_file('html')}")
    return 0


class Now:
    """Writes the tables after a row, but spends at most a tenth of the time on it."""

    def __init__(self, write: "Callable[[], object]") -> None:
        self.write = write
        self.next = 0.0

    def now_and_then(self) -> None:
        """Write, unless the last time was too short a while ago."""
        start = time.monotonic()
        if start >= self.next:
            self.write()
            end = time.monotonic()
            self.next = end + 9 * (end - start)


def check_own_features(results: "ResultsFolder") -> None:
    """Refuse to compute features for a folder that was begun with files of others.

    Raises
    ------
    InputError : the folder has none of its own, which are computed before the plan.
    """
    from mrnn_np.runtime.errors import InputError

    file = results.path / "features.npz"
    if not file.exists():
        raise InputError(
            f"{file}: not there, though the folder was begun: give its --features "
            "again, or choose another folder with --out"
        )


def features_of(
    args: argparse.Namespace, dataset: "CaptionDataset", results: "ResultsFolder"
) -> "tuple[Features, Features | None]":
    """Return the features that are given, or compute them into the folder.

    Returns those of images, and those of regions: None where nobody gave them, and for
    drawn scenes, which no CNN sees.
    """
    from mrnn_np.cli.features import DEFAULT_CNN, default_cnn
    from mrnn_np.features.extraction import extract_features
    from mrnn_np.features.regions import SUFFIX

    if args.features:
        regions = load_features(args.regions) if args.regions else None
        return load_features(args.features), regions
    names = [name for split in ("train", "dev") for name in dataset.split(split)]

    def compute(cnn: str, file: str) -> "Features":
        return extract_features(
            dataset.images, names, cnn, results.path / file, resume=True,
            dataset=dataset.name,
        )  # fmt: skip

    cnn = default_cnn(dataset)
    features = compute(cnn, "features.npz")
    if cnn != DEFAULT_CNN:
        return features, None
    return features, compute(f"{cnn}{SUFFIX}", "regions.npz")


def agreed_plan(
    args: argparse.Namespace,
    found: "Plan | None",
    dataset: "CaptionDataset",
    features: "Features",
    regions: "Features | None",
    results: "ResultsFolder",
) -> "Plan":
    """Return the plan that the folder has, or a new one.

    Raises
    ------
    InputError : the folder was begun with something else than what is given.
    """
    from mrnn_np.runtime.errors import InputError
    from mrnn_np.tables.plan import new_plan

    small = args.budget == "small"
    minutes = None if small else args.budget
    fresh = new_plan(dataset, features, regions, minutes, small)
    if found is None:
        return fresh
    other = "choose another folder with --out"
    if found.dataset != fresh.dataset:
        raise InputError(
            f"{results.path}: holds the tables of {found.dataset}, not of "
            f"{fresh.dataset}: {other}"
        )
    if found.inputs != fresh.inputs:
        raise InputError(
            f"{results.path}: was begun with other captions or features than these: "
            f"give the same, or {other}"
        )
    if args.budget is not None and (found.minutes, found.scale) != (
        fresh.minutes,
        fresh.scale,
    ):
        raise InputError(
            f"{results.path}: was begun with a budget of {found.minutes:g} minutes"
            f"{' (small)' if found.scale < 1 else ''}: leave out --budget, or {other}"
        )
    return found


def begin(
    material: "Material",
    rows: "Sequence[Row]",
    args: argparse.Namespace,
    results: "ResultsFolder",
) -> "Material":
    """Fix the epochs of all rows, and keep the plan."""
    from mrnn_np.tables.rows import trained
    from mrnn_np.tables.work import plan_epochs

    plan = material.plan
    if trained(rows):
        plan = plan_epochs(material, rows, args.seeds)
    plan = dataclasses.replace(plan, command=command_line(args, material.dataset))
    results.save_plan(plan)
    return dataclasses.replace(material, plan=plan)


def command_line(args: argparse.Namespace, dataset: "CaptionDataset") -> str:
    """Return the command as others would give it: without paths of this machine."""
    words = ["mrnn-np tables", dataset.name]
    budget = args.budget
    words += [
        f"--budget {budget if budget == 'small' else format(budget, 'g')}"
    ] * bool(budget)
    words += [f"--rows {args.rows}"] * bool(args.rows)
    words += [f"--seeds {args.seeds}"] * (args.seeds > 1)
    return " ".join(words + ["--full"] * args.full)


def write_tables(material: "Material", results: "ResultsFolder") -> str:
    """Write all tables anew from the rows that are done; return them as text."""
    import numpy as np

    from mrnn_np.runtime.outputs import atomic_write, write_json
    from mrnn_np.tables.claims import judge
    from mrnn_np.tables.gallery import choose_pictures
    from mrnn_np.tables.page import tables_page
    from mrnn_np.tables.rows import ROWS
    from mrnn_np.tables.text import tables_text

    plan, dataset = material.plan, material.dataset
    known = [results.load_row(row.name, plan) for row in ROWS]
    done = [entry for entry in known if entry is not None]
    captions = {entry["row"]: results.captions(entry["row"]) for entry in done}
    described = plan.to_dict()
    claims = judge(described, done, dataset, captions, np.random.default_rng(0))
    text = tables_text(described, done, claims)
    everything = {"kind": "tables", "plan": described, "rows": done, "claims": claims}
    write_json(results.tables_file("json"), everything)
    with atomic_write(results.tables_file("txt")) as temporary:
        temporary.write_text(text, encoding="utf-8")
    spoken = {row: found for row, found in captions.items() if found}
    pictures = choose_pictures(dataset, spoken, np.random.default_rng(0))
    tables_page(described, done, claims, pictures).save(results.tables_file("html"))
    return text
