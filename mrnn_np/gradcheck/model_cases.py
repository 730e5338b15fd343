"""The gradient checks of whole models, each on a small random model and batch.

Knows: how a model is made small, and where its cost has a slope to compare with. Does
not know: how a check is made (check.py), or what is in a model.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mrnn_np.data.batches import PackedBatch
from mrnn_np.data.vocabulary import SPECIALS, Vocabulary
from mrnn_np.gradcheck.cases import RECURRENT_SCALE, random_batch
from mrnn_np.gradcheck.check import (
    LIMIT_THROUGH_TIME,
    STEP,
    GradientCheck,
    check_gradient,
    check_projection,
)
from mrnn_np.models import ParametricModel, Ranker, model_class

# Largest difference of difference quotients, see `bend`. Of 40 right models those below
# it had errors of at most 0.2 of the limits, one of the five above it 1.5.
BEND_STEP, MOST_BEND = 1e-6, 3e-8
# Of a small model, by the names of config fields; others get some number near these.
SIZES = {
    "image_size": 7, "embedding_size": 5, "recurrent_size": 6, "multimodal_size": 8,
}  # fmt: skip
# Of a ranker's batch, which image each sentence describes: two have the same one.
SHARED_IMAGES = (0, 1, 1, 3, 4)
# Matrices that start too small for a gradient check, and how much larger they are here.
LARGER = {"Wo": 30, "UI": 300, "W": 2, "C": 30, "M": 30}
Arrays = dict[str, np.ndarray]


def small_model(
    rng: np.random.Generator,
    name: str = "mrnn",
    dtype: DTypeLike = np.float64,
    **choices: Any,
) -> ParametricModel:
    """Return a small model with 14 words; of the m-RNN one with 434 parameters.

    Parameters
    ----------
    name : one of `mrnn_np.models.MODELS`.
    choices : fields of its config. Sizes are small, nothing is dropped.
    """
    cls = model_class(name)
    words = [*SPECIALS, *"abcdefghij"]
    vocabulary = Vocabulary(words, rng.integers(1, 50, len(words)))
    given: dict[str, Any] = {}
    for number, one in enumerate(dataclasses.fields(cls.config_class)):
        if one.name.endswith("_size"):
            given[one.name] = SIZES.get(one.name, 5 + number)
        elif one.name.startswith("dropout_"):
            given[one.name] = 0.0
        elif one.name == "recurrent_scale":
            given[one.name] = RECURRENT_SCALE
    model = cls(cls.config_class(**given | choices), vocabulary, rng, dtype=dtype)
    # Larger than the start of a training, so that no gradient is close to zero.
    for key, value in model.params.items():
        value *= LARGER.get(key.rpartition(".")[2], 1)  # "W" of a stack is "1.W"
        if (value.ndim == 1 and key != "bo") or key.endswith("peep"):
            value += 0.1
    return model


def model_and_batch(
    seed: int, dropout: float, name: str = "mrnn", **choices: Any
) -> tuple[ParametricModel, PackedBatch]:
    """Return a small model, and a batch for which it keeps away from its kinks.

    Its cost bends little besides: see `bend`.

    dropout : dropped share, the same at all places.
    choices : fields of its config.
    """
    fields = dataclasses.fields(model_class(name).config_class)
    rates: dict[str, Any]
    rates = {one.name: dropout for one in fields if one.name.startswith("dropout_")}
    for attempt in range(1000):
        rng = np.random.default_rng([seed, 3, attempt])
        model = small_model(rng, name, **rates | choices)
        shared: dict[str, Any]
        shared = {"images": SHARED_IMAGES} if isinstance(model, Ranker) else {}
        V, D = len(model.vocabulary), model.config.image_size
        batch = random_batch(rng, V, D, **shared)
        far = model.distance_to_kink(batch, np.random.default_rng(seed)) > 20 * STEP
        if far and bend(model, batch, seed) < MOST_BEND:
            break
    return model, batch


def bend(model: ParametricModel, batch: PackedBatch, seed: int) -> float:
    """Return by how much difference quotients of the cost, with h and 2h, differ.

    Along random directions of all parameters, relative to the largest quotient. Where a
    recurrence grows over 40 steps, the cost bends so sharply that a quotient is not the
    slope, to any number of digits. No gradient is asked for here, so a wrong one cannot
    choose its case.
    """
    rng, before = np.random.default_rng([seed, 8]), model.params

    def quotient(u: Arrays, h: float) -> float:
        above, below = (
            _cost_with(model, batch, seed, {k: before[k] + d * u[k] for k in before})
            for d in (h, -h)
        )
        return (above - below) / (2 * h)

    pairs = []
    for _ in range(3):
        u = {key: rng.standard_normal(value.shape) for key, value in before.items()}
        pairs.append([quotient(u, h) for h in (BEND_STEP, 2 * BEND_STEP)])
    short, long = np.array(pairs).T
    return float(np.abs(short - long).max() / np.abs(short).max())


def _cost_with(
    model: ParametricModel, batch: PackedBatch, seed: int, params: Arrays
) -> float:
    """Return the loss of a batch with other parameters."""
    own, model.params = model.params, params
    try:
        return model.loss_and_grads(batch, np.random.default_rng(seed))[0]
    finally:
        model.params = own


def model_case(
    seed: int,
    dropout: float = 0.0,
    name: str = "mrnn",
    entries: int | None = None,
    **choices: Any,
) -> list[GradientCheck]:
    """Check every parameter of a whole model, then all of them by projection.

    entries : how many of each parameter; None for all of them.
    """
    model, batch = model_and_batch(seed, dropout, name, **choices)
    rng = np.random.default_rng([seed, 5])

    def loss() -> float:
        return model.loss_and_grads(batch, np.random.default_rng(seed))[0]

    grads = model.loss_and_grads(batch, np.random.default_rng(seed))[1]
    checks = check_gradient(loss, model.params, grads, rng, LIMIT_THROUGH_TIME, entries)
    return [*checks, check_projection("all", loss, model.params, grads, rng)]
