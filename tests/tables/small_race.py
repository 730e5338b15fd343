"""A race that takes seconds: thirty-two scenes, models of a few units."""

import dataclasses

import numpy as np

from mrnn_np.data import load_dataset
from mrnn_np.features.extractors import load_extractor
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.tables.plan import Plan, new_plan
from mrnn_np.tables.search import Material


def small_dataset(train: int = 24, dev: int = 8):
    """Return some of the scenes."""
    scenes = load_dataset("scenes")
    splits = {
        "train": scenes.split("train")[:train],
        "dev": scenes.split("dev")[:dev],
    }
    return dataclasses.replace(scenes, splits=splits)


def features_of(dataset) -> Features:
    extractor = load_extractor("scenes")
    names = [name for split in dataset.splits for name in dataset.split(split)]
    matrix = extractor.features(dataset.images.open(name) for name in names)
    return Features(names, matrix, identity(extractor))


def small_plan(dataset, features, **changes) -> Plan:
    plan = new_plan(dataset, features, None, None, small=True)
    fields = {"gallery": 4, "samples": 5, "scale": 0.06, "threshold": 1, **changes}
    return dataclasses.replace(plan, **fields)


def small_material(**changes) -> Material:
    dataset = small_dataset()
    features = features_of(dataset)
    return Material(dataset, features, None, small_plan(dataset, features, **changes))


def same_params(one, other) -> bool:
    return all(
        np.array_equal(one.params[name], other.params[name]) for name in one.params
    )
