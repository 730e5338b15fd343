"""Every row, one after the other: what is missing is trained and scored.

A row that diverges is kept with its reason, and the others go on. A run that is stopped
loses at most what it was scoring: trainings go on where they were, and finished rows
are not touched again.

Knows: the order of the work, and what a row's file says. Does not know: how a row is
trained (search.py), scored (scores.py) or shown.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mrnn_np.data import CaptionDataset
from mrnn_np.evaluation import rate_captions
from mrnn_np.models import NextWordModel
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import say
from mrnn_np.tables.baselines import (
    human_rating,
    neighbour_captions,
    random_retrieval,
)
from mrnn_np.tables.plan import Plan, fit_epochs, readable
from mrnn_np.tables.results import ResultsFolder
from mrnn_np.tables.rows import ROWS, Row, trained
from mrnn_np.tables.scores import (
    gallery,
    has_meteor,
    number,
    numbers_of,
    ranks_of_model,
    rate_model,
    retrieval_numbers,
)
from mrnn_np.tables.search import (
    Material,
    Trained,
    best_trial,
    search,
    seconds_an_epoch,
    train_row,
)
from mrnn_np.training.trainer import TrainingDiverged

Entry = dict[str, Any]  # of a row: what results.py keeps


def plan_epochs(material: Material, rows: Sequence[Row], seeds: int) -> Plan:
    """Time some steps of every row, and return the plan with its epochs.

    Raises
    ------
    InputError : a row whose model does not fit the features.
    """
    learning = trained(rows)
    seconds = []
    for count, row in enumerate(learning, start=1):
        seconds.append(seconds_an_epoch(row, material))
        say(f"timing {count}/{len(learning)}: {row.name}, {seconds[-1]:.1f} s an epoch")
    plan = fit_epochs(material.plan, seconds, seeds)
    say(
        f"{plan.epochs} epochs a row, and {plan.trials} trials of {plan.trial_epochs}, "
        f"fit in {plan.minutes:g} minutes with what is measured afterwards"
    )
    return plan


def do_rows(
    material: Material,
    rows: Sequence[Row],
    results: ResultsFolder,
    seeds: int,
    full: bool,
    after_each: Callable[[], object],
) -> None:
    """Train and score the rows that are not done.

    Parameters
    ----------
    seeds : trainings a row, at least.
    full : search the whole dev list too, not only the plan's part of it.
    after_each : called after every row that was new.
    """
    for count, row in enumerate(rows, start=1):
        known = results.load_row(row.name, material.plan)
        wanted = galleries(material.plan, full) if row.ranks else []
        lost = known is not None and results.lacks_captions(known)
        if known and is_done(known, row, seeds, wanted) and not lost:
            continue
        say(f"row {count} of {len(rows)}: {row.name}")
        asked = seeds
        if known:  # what was asked for earlier stays
            asked = max(seeds, len(known["seeds"]))
            wanted = sorted({*wanted, *map(int, known["retrieval"])})
        entry, captions = make_row(material, row, results, asked, wanted)
        results.save_row(entry, captions)
        after_each()


def galleries(plan: Plan, full: bool) -> list[int]:
    """Return how many images are searched: the plan's part, and all of them."""
    return sorted({plan.gallery, plan.images} if full else {plan.gallery})


def searched_images(material: Material, count: int) -> list[str]:
    """Return the images of one of the `galleries`."""
    if count == material.plan.images:
        return readable(material.dataset, material.features, "dev")
    return gallery(material.dataset, material.features, material.plan)


def is_done(known: Entry, row: Row, seeds: int, wanted: Sequence[int]) -> bool:
    """Whether a row needs no more work."""
    if known.get("reason"):
        return True
    enough = not row.model or len(known["seeds"]) >= seeds
    return enough and all(str(n) in known["retrieval"] for n in wanted)


def make_row(
    material: Material,
    row: Row,
    results: ResultsFolder,
    seeds: int,
    wanted: Sequence[int],
) -> tuple[Entry, dict[str, str]]:
    """Train a row, unless that is done, and score it; return its entry and captions."""
    entry: Entry = {
        "plan": material.plan.fingerprint(),
        "row": row.name,
        "reason": None,
        "model": row.model or None,
        "config": None,
        "training": None,
        "search": [],
        "parameters": None,
        "training_seconds": None,
        "captions_per_second": None,
        "recurrent_size": None,
        "cell": None,
        "seeds": [],
        "scores": {},
        "retrieval": {},
    }
    if not row.model:
        return score_baseline(material, row, entry, wanted)
    try:
        runs = train_seeds(material, row, results, seeds, entry)
    except TrainingDiverged as error:
        say(f"{row.name}: left out: {error}")
        return {**entry, "reason": str(error)}, {}
    return score_runs(material, row, runs, entry, wanted)


def train_seeds(
    material: Material, row: Row, results: ResultsFolder, seeds: int, entry: Entry
) -> list[Trained]:
    """Return the trainings of a row, one a seed, and note in the entry what they were.

    Raises
    ------
    TrainingDiverged : one of them, or all trials.
    """
    source = next(one for one in ROWS if one.name == (row.of or row.name))
    folder = results.run(source.name)
    entry["search"] = search(source, material, folder)
    trial = best_trial(entry["search"])
    runs = [train_row(source, material, folder, seed, trial) for seed in range(seeds)]
    first = runs[0]
    config = dataclasses.asdict(first.model.config)
    entry |= {
        "config": config,
        "training": dataclasses.asdict(first.training),
        "parameters": sum(value.size for value in first.model.params.values()),
        "training_seconds": float(np.mean([run.seconds for run in runs])),
        "dev_loss": first.dev_loss,
        "recurrent_size": config.get("recurrent_size"),
        "cell": config.get("cell"),
        "seeds": list(range(seeds)),
    }
    return runs


def score_runs(
    material: Material,
    row: Row,
    runs: Sequence[Trained],
    entry: Entry,
    wanted: Sequence[int],
) -> tuple[Entry, dict[str, str]]:
    """Score the trainings of a row on all that its model can do."""
    dataset, features = material.dataset, material.of(row)
    names = readable(dataset, features, "dev")
    captions: dict[str, str] = {}
    with_meteor = row.meteor and material.plan.meteor
    if isinstance(runs[0].model, NextWordModel):
        scored = [
            rate_model(run.model, dataset, names, features, row.decoding, with_meteor)
            for run in runs
            if isinstance(run.model, NextWordModel)
        ]
        ratings = [rating for rating, _, _ in scored]
        captions = scored[0][1]
        nats, tokens = ratings[0].parts[0].counts.T
        entry |= {
            "scores": numbers_of(ratings),
            "captions_per_second": scored[0][2],
            "nats": [round(float(value), 3) for value in nats],
            "tokens": [int(value) for value in tokens],
        }
    for count in wanted:
        searched = searched_images(material, count)
        found = [
            ranks_of_model(run.model, dataset, searched, features, material.plan)
            for run in runs
        ]
        numbers = retrieval_numbers([ranks for ranks, _ in found], found[0][1])
        entry["retrieval"][str(count)] = numbers
    return entry, captions


def score_baseline(
    material: Material, row: Row, entry: Entry, wanted: Sequence[int]
) -> tuple[Entry, dict[str, str]]:
    """Score a row that needs no training."""
    dataset, features = material.dataset, material.features
    names = readable(dataset, features, "dev")
    captions: dict[str, str] = {}
    if row.name == "human":
        with_meteor = row.meteor and material.plan.meteor and has_meteor(dataset)
        try:
            rating = human_rating(dataset, names, with_meteor)
        except InputError as error:  # one sentence an image: nobody to compare with
            say(f"{row.name}: left out: {error}")
            return {**entry, "reason": str(error)}, {}
        entry["scores"] = numbers_of([rating])
    elif row.name == "nearest-neighbour":
        captions = neighbour_captions(dataset, features, names)
        entry["scores"] = numbers_of([rate_captions(dataset, captions)])
    elif row.name == "random":
        for count in wanted:
            searched = searched_images(material, count)
            entry["retrieval"][str(count)] = chance(dataset, searched)
    else:
        raise InputError(f"the row {row.name} has no model and is no baseline")
    return entry, captions


def chance(dataset: CaptionDataset, names: Sequence[str]) -> dict[str, Any]:
    """Return the retrieval numbers of a random order, exact: they do not vary."""
    table: dict[str, Any] = {
        "sentences": sum(len(dataset.captions[name]) for name in names)
    }
    for direction, recall in random_retrieval(dataset, names).items():
        values = {f"R@{K}": value for K, value in recall.at.items()}
        values["median"] = recall.median
        table[direction] = {
            name: number([value], value, value) for name, value in values.items()
        }
    return table
