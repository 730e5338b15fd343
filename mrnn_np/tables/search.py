"""A row's training: its learning rate and dropout chosen on dev, then its seeds.

Every row has the same trials, each a short training on all sentences:

    1. each learning rate, with the first dropout
    2. each other dropout, with the best learning rate

and is then trained at full length with the choice whose loss on dev was smallest. A
trial that diverges is noted as such; the others go on.

In a row's folder:

    search.json              the trials that are done
    trial-K/, seed-K/        the training at work (training/run_folder.py)
    seed-K.npz, seed-K.json  a finished one: the model, and how it was trained

so a run that is stopped goes on in the middle of the epoch it was in.

Knows: which trainings there are, and what is left of each. Does not know: how a model
is trained, or how good it is at anything but the loss on dev.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrnn_np.data import CaptionDataset
from mrnn_np.data.batches import Examples, shuffled_batches
from mrnn_np.features.matrix import Features
from mrnn_np.models import ParametricModel, load_model, model_class
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import write_json
from mrnn_np.runtime.progress import say
from mrnn_np.runtime.untrusted import check_kind, parse_json, read_bounded, take
from mrnn_np.tables.plan import Plan
from mrnn_np.tables.rows import Row, config_of
from mrnn_np.training import RunFolder, Trainer, TrainingConfig, prepare
from mrnn_np.training.trainer import TrainingDiverged

LARGEST_FILE = 1 << 20  # bytes of search.json and seed-K.json
# Of the steps that are timed the fastest counts: the first compiles, and when other
# programs compute, single ones take fifty times as long.
TIMED_STEPS, TIMED_SECONDS = 20, 2.0


@dataclass(frozen=True)
class Material:
    """What every row is made from.

    Fields
    ------
    features : of all images; regions : of their regions, for the rows that want them.
    """

    dataset: CaptionDataset
    features: Features
    regions: Features | None
    plan: Plan

    def of(self, row: Row) -> Features:
        """Return the features that a row sees."""
        return self.regions if row.regions and self.regions else self.features


@dataclass(frozen=True)
class Trained:
    """A model of a finished training.

    Fields
    ------
    seconds : that its steps took.
    dev_loss : the best, of the epoch whose parameters these are.
    """

    model: ParametricModel
    training: TrainingConfig
    seconds: float
    dev_loss: float


def prepared(
    row: Row, material: Material, training: TrainingConfig, dropout: float
) -> tuple[ParametricModel, Examples, Examples]:
    """Return a row's model before its training, training and dev examples.

    Raises
    ------
    InputError : the row's model does not fit the features; names the row.
    """
    try:
        return prepare(
            material.dataset,
            material.of(row),
            config_of(row, dropout, material.plan.scale),
            training,
            model_class(row.model),
        )
    except InputError as error:
        raise InputError(f"the row {row.name}: {error}") from error


def training_config(
    plan: Plan, epochs: int, learning_rate: float, seed: int = 0
) -> TrainingConfig:
    """Return how a row is trained; no training ends before its epochs are over."""
    return TrainingConfig(
        seed=seed,
        threshold=plan.threshold,
        epochs=epochs,
        batch_size=plan.batch_size,
        learning_rate=learning_rate,
        patience=epochs,
    )


def seconds_an_epoch(row: Row, material: Material) -> float:
    """Return how long an epoch of a row takes, from some steps of it."""
    plan = material.plan
    config = training_config(plan, 1, plan.learning_rates[0])
    model, train, _ = prepared(row, material, config, plan.dropouts[0])
    trainer = Trainer(model, config, verbose=False)
    rng = np.random.default_rng(0)
    batches = shuffled_batches(train.lengths(), config.batch_size, rng)
    trainer.train_step(train.batch(batches[0]))
    steps: list[float] = []
    for rows in batches[:TIMED_STEPS]:
        start = time.perf_counter()
        trainer.train_step(train.batch(rows))
        steps.append(time.perf_counter() - start)
        if sum(steps) > TIMED_SECONDS:
            break
    return min(steps) * len(batches)


def search(row: Row, material: Material, folder: Path) -> list[dict[str, Any]]:
    """Try learning rates and dropouts; return the trials.

    Returns
    -------
    A dict a trial with learning_rate, dropout and dev_loss, None if it diverged.
    """
    plan, file = material.plan, folder / "search.json"
    trials = _read_trials(file, plan)
    rates = [(rate, plan.dropouts[0]) for rate in plan.learning_rates]
    while len(trials) < plan.trials:
        number = len(trials)
        if number < len(rates):
            rate, dropout = rates[number]
        else:
            rate = best_trial(trials)["learning_rate"]
            dropout = plan.dropouts[1 + number - len(rates)]
        say(
            f"{row.name}: trial {number + 1} of {plan.trials}, learning rate {rate:g}, "
            f"dropout {dropout:g}"
        )
        config = training_config(plan, plan.trial_epochs, rate)
        loss: float | None = None
        with training_folder(folder / f"trial-{number + 1}") as run:
            try:
                loss = _train(row, material, config, dropout, run)[1]["dev_loss"]
            except TrainingDiverged as error:
                say(f"{row.name}: {error}")
        trials.append({"learning_rate": rate, "dropout": dropout, "dev_loss": loss})
        write_json(
            file,
            {"kind": "table search", "plan": plan.fingerprint(), "trials": trials},
        )
    return trials


def best_trial(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the trial with the smallest loss on dev.

    Raises
    ------
    TrainingDiverged : all of them diverged.
    """
    good = [trial for trial in trials if trial["dev_loss"] is not None]
    if not good:
        rates = ", ".join(f"{trial['learning_rate']:g}" for trial in trials)
        raise TrainingDiverged(
            f"training diverged with every learning rate that was tried ({rates})"
        )
    return min(good, key=lambda trial: trial["dev_loss"])


def train_row(
    row: Row, material: Material, folder: Path, seed: int, trial: dict[str, Any]
) -> Trained:
    """Train a row with what a trial found best, or load what was trained before."""
    plan = material.plan
    config = training_config(plan, plan.epochs, trial["learning_rate"], seed)
    goal, note = folder / f"seed-{seed}.npz", folder / f"seed-{seed}.json"
    if not (note.exists() and goal.exists()):
        say(f"{row.name}: training, seed {seed}, {plan.epochs} epochs")
        with training_folder(folder / f"seed-{seed}") as run:
            model, best = _train(row, material, config, trial["dropout"], run)
            model.save(goal)
            write_json(
                note, {"kind": "table training", "plan": plan.fingerprint(), **best}
            )
    content = _read(note, plan)
    loaded = load_model(str(goal))
    assert isinstance(loaded, ParametricModel)  # as it was written
    seconds = take(content, "seconds", float, note)
    return Trained(loaded, config, seconds, take(content, "dev_loss", float, note))


def _train(
    row: Row, material: Material, config: TrainingConfig, dropout: float, run: RunFolder
) -> tuple[ParametricModel, dict[str, float]]:
    """Train, or go on with a training; return the best model, its loss and seconds."""
    model, train, dev = prepared(row, material, config, dropout)
    trainer = Trainer(model, config, run)
    history = trainer.fit(train, dev, resume=run.last.exists())
    best = min(history, key=lambda entry: entry["dev_loss"])
    seconds = sum(entry["seconds"] for entry in history)
    return model, {"dev_loss": best["dev_loss"], "seconds": seconds}


@contextlib.contextmanager
def training_folder(path: Path) -> Iterator[RunFolder]:
    """Give the folder of a training; what is in it goes away once the block ends well.

    What is kept of a training is written meanwhile.
    """
    run = RunFolder(path, go_on="give the same command again")
    yield run
    for file in (run.last, run.best, run.log):
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody else's files in it
        path.rmdir()


def _read_trials(file: Path, plan: Plan) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    trials = take(_read(file, plan), "trials", list, file)
    for trial in trials:
        check_kind(trial, dict, file)
        for key in ("learning_rate", "dropout"):
            take(trial, key, float, file)
        if trial.get("dev_loss") is not None:
            take(trial, "dev_loss", float, file)
    return trials


def _read(file: Path, plan: Plan) -> dict[str, Any]:
    """Return a file of a row's folder, if it was made under this plan."""
    content = read_bounded(file, LARGEST_FILE)
    entry = check_kind(parse_json(content, str(file), LARGEST_FILE), dict, file)
    if entry.get("plan") != plan.fingerprint():
        raise InputError(
            f"{file}: made under another plan: delete it, or choose another folder "
            "with --out"
        )
    return entry
