"""Gradients in float32, as training computes them, against those in float64.

Differences of the cost can check float64 only. But training runs in float32, where
some layers have kernels of their own, and in memory that is kept from step to step.
Here both backward passes run on the same numbers, and what float32 says is compared
with what differences have checked.

Knows: which cases there are, and how far rounding goes. Does not know: layers.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from mrnn_np.gradcheck.cases import LayerCase, layer_cases, random_batch
from mrnn_np.gradcheck.check import GradientCheck
from mrnn_np.gradcheck.model_cases import model_and_batch
from mrnn_np.layers import Buffers
from mrnn_np.models import ParametricModel

# Relative to the largest entry of a gradient. Over 60 seeds a layer was off by 3e-6 at
# most (the recurrence over 40 steps; the others by 7e-7), the whole model by 2.5e-5.
LIMIT_LAYER = 1e-5
LIMIT_MODEL = 1e-4


def compare(
    name: str, found: np.ndarray, expected: np.ndarray, limit: float = LIMIT_LAYER
) -> GradientCheck:
    """Return the worst entry of a float32 array beside its float64 twin.

    Errors are relative to the largest entry: an entry is a sum, and what rounding does
    to a sum goes by the size of its terms.

    Raises
    ------
    TypeError : `found` is not float32; a float64 in between makes training slower.
    """
    if found.dtype != np.float32 or expected.dtype != np.float64:
        raise TypeError(
            f"{name}: float32 is compared with float64, not {found.dtype} with "
            f"{expected.dtype}"
        )
    if found.shape != expected.shape:
        raise ValueError(f"{name} is {found.shape} in float32, {expected.shape} before")
    errors = np.abs(found - expected) / max(float(np.abs(expected).max()), 1e-30)
    errors[~np.isfinite(errors)] = np.inf
    worst = tuple(int(k) for k in np.unravel_index(errors.argmax(), errors.shape))
    values = float(found[worst]), float(expected[worst])
    return GradientCheck(name, worst, *values, float(errors[worst]), limit, found.size)


def layer_comparisons(seed: int) -> Iterator[tuple[str, list[GradientCheck]]]:
    """Yield (layer, comparisons of its output and its gradients) for every layer."""
    rng = np.random.default_rng([seed, 6])
    for case in layer_cases(seed):
        yield case.name, compare_layer(case, rng)


def compare_layer(case: LayerCase, rng: np.random.Generator) -> list[GradientCheck]:
    """Compare output and gradients of one layer.

    The memory that a gradient is to be written to holds NaN before.
    """
    # Both passes start from numbers that float32 can hold.
    single = {name: array.astype(np.float32) for name, array in case.arrays.items()}
    double = {name: array.astype(np.float64) for name, array in single.items()}
    out, cache = case.forward(**single)
    expected_out, expected_cache = case.forward(**double)
    weight = rng.standard_normal(out.shape).astype(np.float32)
    memory = {
        argument: np.full_like(single[name], np.nan)
        for argument, name in case.memory.items()
    }
    checks = [compare("out", out, expected_out)]
    found = case.backward(weight.copy(), cache, **memory)
    expected = case.backward(weight.astype(np.float64), expected_cache)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for name, *values in zip(case.arrays, found, expected, strict=True):
        checks.append(compare(name, *values))
    return checks


def as_float32(model: ParametricModel) -> ParametricModel:
    """Return the model in float32."""
    return type(model)(
        model.config, model.vocabulary, dtype=np.float32, params=model.params
    )


def model_comparison(
    seed: int, dropout: float, name: str = "mrnn", **choices: Any
) -> list[GradientCheck]:
    """Compare the gradients of a model by every parameter, with kept memory.

    The memory served another batch before, and holds NaN in place of its gradients.
    """
    model, batch = model_and_batch(seed, dropout, name, **choices)
    single = as_float32(model)
    rng, buffers = np.random.default_rng([seed, 7]), Buffers()
    size = model.config.image_size
    before = random_batch(rng, len(model.vocabulary), size, 50, np.float32)
    for left_behind in single.loss_and_grads(before, rng, buffers)[1].values():
        left_behind[...] = np.nan
    batch32 = dataclasses.replace(batch, features=batch.features.astype(np.float32))
    _, found = single.loss_and_grads(batch32, np.random.default_rng(seed), buffers)
    _, expected = model.loss_and_grads(batch, np.random.default_rng(seed))
    return [
        compare(key, found[key], expected[key], LIMIT_MODEL) for key in model.params
    ]
