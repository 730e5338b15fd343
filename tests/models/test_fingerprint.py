"""A model's fingerprint: it changes with everything that an answer depends on."""

import dataclasses

import numpy as np
import pytest

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import MRNN, MRNNConfig
from mrnn_np.models.checkpoint import load_model
from mrnn_np.models.ensemble import Ensemble
from mrnn_np.runtime.parts import fingerprint

CONFIG = MRNNConfig(4, 3, 5, 6)
WORDS = [*SPECIALS, "a", "b"]
EXTRACTOR = {"name": "alexnet", "sha256": "00", "preprocessing": {"size": 227}}


def model(cls=MRNN, config=CONFIG, words=WORDS, counts=range(6), **choices) -> MRNN:
    rng = np.random.default_rng(0)
    choices = {"extractor": EXTRACTOR, **choices}
    made = cls(config, Vocabulary(words, counts), rng, **choices)
    made.params["bo"][:] = 0  # it is drawn from the counts
    return made


class Variant(MRNN):
    """The same parameters, another model."""


def test_equal_models_have_equal_fingerprints(tmp_path):
    one = model()
    assert one.fingerprint() == model().fingerprint()
    one.save(tmp_path / "m.npz")
    assert load_model(tmp_path / "m.npz").fingerprint() == one.fingerprint()


OTHERS = {
    "class": {"cls": Variant},
    "words": {"words": [*SPECIALS, "b", "a"]},
    "counts": {"counts": range(1, 7)},
    "tokenizer": {"tokenizer": "characters"},
    "no extractor": {"extractor": None},
    "weights of the extractor": {"extractor": EXTRACTOR | {"sha256": "01"}},
    "preprocessing": {"extractor": EXTRACTOR | {"preprocessing": {"size": 224}}},
    "dtype": {"dtype": np.float64},
}


@pytest.mark.parametrize("what", OTHERS)
def test_each_part_counts(what):
    assert model(**OTHERS[what]).fingerprint() != model().fingerprint()


@pytest.mark.parametrize("field", dataclasses.fields(MRNNConfig), ids=lambda f: f.name)
def test_each_choice_of_the_config_counts(field):
    value = getattr(CONFIG, field.name)
    if isinstance(value, bool):
        other = not value
    elif isinstance(value, str):
        other = {"cell": "gru"}[field.name]
    else:
        other = value + 1 if isinstance(value, int) else value / 2
    changed = model()
    # Without drawing parameters of other shapes: the config alone.
    changed.config = dataclasses.replace(CONFIG, **{field.name: other})
    assert changed.fingerprint() != model().fingerprint()


@pytest.mark.parametrize("name", [*model().params, "feature_mean", "feature_scale"])
def test_each_array_counts(name):
    changed = model()
    array = changed.params.get(name, getattr(changed, name, None))
    array.flat[-1] = np.nextafter(array.flat[-1], 9, dtype=array.dtype)
    assert changed.fingerprint() != model().fingerprint()


def test_the_names_of_the_arrays_count():
    changed = model()
    p = changed.params
    p["br"], p["b2"] = p["b2"] + 1, p["br"]
    swapped = model()
    swapped.params["b2"] += 1
    assert changed.fingerprint() != swapped.fingerprint()


def test_an_ensemble_counts_every_member():
    one, two = model(), model()
    two.params["bm"][0] += 1
    prints = {
        each.fingerprint()
        for each in (
            one,
            two,
            Ensemble([one]),
            Ensemble([one, one]),
            Ensemble([one, two]),
            Ensemble([two, one]),
            Ensemble([two, two]),
        )
    }
    assert len(prints) == 7


def test_blocks_of_a_long_computation_go_by_it():
    features = np.ones((2, 4), np.float32)
    first = fingerprint(model(), features, words=np.arange(3))
    assert first == fingerprint(model(), features, words=np.arange(3))
    other = model()
    other.feature_scale[2] *= 2  # what `standardise` returned is given all the same
    assert first != fingerprint(other, features, words=np.arange(3))
    assert first != fingerprint(model(Variant), features, words=np.arange(3))
    assert first != fingerprint(model(), 2 * features, words=np.arange(3))
    assert first != fingerprint(model(), features, words=np.arange(4))
    assert first != fingerprint(Ensemble([model()]), features, words=np.arange(3))
    # Not even an array that happens to be called like the features takes their place.
    named = fingerprint(model(), features, features=2 * features)
    assert named != fingerprint(model(), features, features=3 * features)
    assert named != fingerprint(model(), 2 * features, features=2 * features)
