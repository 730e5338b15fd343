"""What all rows of a table share, fixed before the first of them is trained.

A comparison is fair when every row gets the same: features, vocabulary, sentences,
batches, epochs, and the same few trials of learning rate and dropout. A plan says how
many epochs that is, so that all of it ends within a budget of minutes: some steps of
every row are timed, and the largest number of epochs that fits is taken for all. Equal
epochs, not equal minutes: a result then does not depend on how fast a machine, or this
project's code for a model, is.

Knows: what is shared. Does not know: how a row is trained (search.py), where the plan
is kept (results.py).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrnn_np.data import CaptionDataset
from mrnn_np.features.matrix import Features
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.fields import check_fields
from mrnn_np.runtime.storage import content_hash

MOST_EPOCHS = 16  # as the shipped model
# Of the budget, for the steps of trainings and trials. The rest is for what is measured
# on dev, most of it retrieval, and for what was timed too well.
TRAINING_SHARE = 0.7
TRIAL_SHARE = 4  # a trial has a quarter of a row's epochs
DEFAULT_MINUTES, SMALL_MINUTES = 150.0, 2.0


@dataclass(frozen=True)
class Plan:
    """What all rows share.

    Fields
    ------
    dataset : as on the command line.
    inputs : hash of the captions and features that are used.
    images : of the dev list, all of which are captioned.
    gallery : how many of them, drawn once, are searched for and with.
    samples : training images over which a sentence's likelihood is averaged.
    epochs : of every row's training; trial_epochs : of every trial.
    learning_rates : tried with the first dropout; the best is tried with the others.
    dropouts : rates, of all places where a model has one.
    scale : of all sizes.
    batch_size, threshold : as of `TrainingConfig`.
    meteor : whether METEOR is computed where Java is there; it takes 10 s a row.
    minutes : the budget that the epochs follow from.
    command : that began it, for the page.
    """

    dataset: str
    inputs: str
    images: int
    gallery: int = 200
    samples: int = 50
    epochs: int = 1
    # For a few epochs: of rates from 5e-4 to 2e-3, and of 0.5 and 0.2, one epoch on
    # Flickr8k left every row that was tried with 2e-3 and 0.2, the ends.
    learning_rates: tuple[float, ...] = (2e-3, 1e-3, 4e-3)
    dropouts: tuple[float, ...] = (0.2, 0.5)
    scale: float = 1.0
    batch_size: int = 128
    threshold: int = 5
    meteor: bool = True
    minutes: float = DEFAULT_MINUTES
    command: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("images", "gallery", "samples", "epochs", "batch_size"):
            if not 1 <= getattr(self, name) <= 1 << 31:
                raise InputError(f"{name} must be positive: {getattr(self, name)}")
        for name in ("scale", "minutes"):
            if not 0 < getattr(self, name) < 1e6:
                raise InputError(f"{name} must be positive: {getattr(self, name)}")
        for name in ("learning_rates", "dropouts"):
            values = tuple(getattr(self, name))
            if not values or not all(
                isinstance(v, float) and 0 <= v < 1 for v in values
            ):
                raise InputError(f"{name} must be a list of numbers below 1")
            object.__setattr__(self, name, values)  # JSON has lists

    @property
    def trial_epochs(self) -> int:
        """Epochs of a trial."""
        return trial_epochs(self.epochs)

    @property
    def trials(self) -> int:
        """Trials a row."""
        return len(self.learning_rates) + len(self.dropouts) - 1

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, and what follows from them, as JSON has it."""
        described = {
            **dataclasses.asdict(self),
            "trial_epochs": self.trial_epochs,
            "split": "dev",
        }
        return {**described, "fingerprint": self.fingerprint()}

    def fingerprint(self) -> str:
        """Return a hash of all that a row's numbers depend on."""
        fields = dataclasses.asdict(self)
        del fields["minutes"], fields["command"]
        return content_hash({"plan": fields}, {})

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> "Plan":
        """Return the plan that `to_dict` described.

        Raises
        ------
        InputError : a field is missing, or not what it should be.
        """
        names = [one.name for one in dataclasses.fields(cls)]
        missing = [name for name in names if name not in described]
        if missing:
            raise InputError(f"no {missing[0]!r} in it")
        for name in ("learning_rates", "dropouts"):
            if not isinstance(described[name], list):
                raise InputError(f"{name} is no list")
        return cls(**{name: described[name] for name in names})


def trial_epochs(epochs: int) -> int:
    """Return the epochs of a trial of a row that is trained for so many."""
    return max(1, round(epochs / TRIAL_SHARE))


def new_plan(
    dataset: CaptionDataset,
    features: Features,
    regions: Features | None,
    minutes: float | None,
    small: bool,
) -> Plan:
    """Return the plan of one epoch; `fit_epochs` says how many there will be.

    Parameters
    ----------
    regions : features of the regions of the same images, if there are any.
    minutes : the budget, None for the default.
    small : small models and few trials, to try everything quickly.
    """
    names = readable(dataset, features, "dev")
    plan = Plan(
        dataset.name,
        inputs_of(dataset, features, regions),
        images=len(names),
        minutes=minutes or DEFAULT_MINUTES,
    )
    if small:
        plan = dataclasses.replace(
            plan, gallery=60, samples=30, learning_rates=(2e-3, 5e-3), dropouts=(0.1,),
            scale=0.25, batch_size=64, meteor=False, minutes=minutes or SMALL_MINUTES,
        )  # fmt: skip
    return dataclasses.replace(plan, gallery=min(plan.gallery, plan.images))


def readable(dataset: CaptionDataset, features: Features, split: str) -> list[str]:
    """Return the images of a split that have features and captions.

    Raises
    ------
    InputError : there is none.
    """
    names = [
        name
        for name in dataset.split(split)
        if name not in features.failed and dataset.captions[name]
    ]
    if not names:
        raise InputError(f"{dataset.name}: no image of the split {split!r} to work on")
    return names


def inputs_of(
    dataset: CaptionDataset, features: Features, regions: Features | None
) -> str:
    """Return a hash of the captions and features of both splits."""
    described: dict[str, Any] = {"tokenizer": dataset.tokenizer}
    arrays: dict[str, np.ndarray] = {}
    for split in ("train", "dev"):
        names = readable(dataset, features, split)
        described[split] = [[name, list(dataset.captions[name])] for name in names]
        for kind, given in (("features", features), ("regions", regions)):
            if given is not None:
                described[kind] = given.extractor
                arrays[f"{split} {kind}"] = given.rows(names)
    return content_hash(described, arrays)


def fit_epochs(plan: Plan, seconds: Sequence[float], seeds: int) -> Plan:
    """Return the plan with as many epochs as its budget has room for.

    Parameters
    ----------
    seconds : of an epoch, of each row that is trained.
    seeds : trainings a row.
    """
    available = TRAINING_SHARE * 60 * plan.minutes

    def needed(epochs: int) -> float:
        passes = plan.trials * trial_epochs(epochs) + seeds * epochs
        return passes * sum(seconds)

    fitting = [e for e in range(1, MOST_EPOCHS + 1) if needed(e) <= available]
    return dataclasses.replace(plan, epochs=max(fitting, default=1))
