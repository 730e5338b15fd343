"""Optimisers against PyTorch, their plain twins, and hand-worked numbers."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from mrnn_np.kernels import updates
from mrnn_np.training import (
    OPTIMISERS,
    SCHEDULES,
    clip_by_global_norm,
    learning_rate_factor,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "mrnn.npz"


@pytest.mark.parametrize("name", ["sgd", "adagrad", "adam"])
def test_equal_to_pytorch(name):
    with np.load(GOLDEN, allow_pickle=False) as golden:
        params = {"p": golden["optimiser/start"].copy()}
        optimiser = OPTIMISERS[name](params)
        for g in golden["optimiser/grads"]:
            optimiser.update(params, {"p": g}, 0.05)
        np.testing.assert_allclose(params["p"], golden[f"optimiser/{name}"], rtol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [("f8", 1e-14), ("f4", 1e-5)])
@pytest.mark.parametrize(
    ("name", "memories", "numbers"),
    [
        ("momentum_update", 1, (0.1, 0.9)),
        ("rmsprop_update", 1, (0.1, 0.99, 1e-8)),
        ("adagrad_update", 1, (0.1, 1e-8)),
        ("adam_update", 2, (0.1, 0.9, 0.999, 1e-8, 3)),
    ],
)
def test_kernels_equal_their_plain_twins(name, memories, numbers, dtype, tolerance):
    rng = np.random.default_rng(0)
    arrays = [rng.random(11).astype(dtype) for _ in range(2 + memories)]
    fast, plain = [[a.copy() for a in arrays] for _ in range(2)]
    getattr(updates, name)(*fast, *numbers)
    getattr(updates, f"{name}_plain")(*plain, *numbers)
    for a, b in zip(fast, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        assert a.dtype == dtype


def test_rmsprop_by_hand():
    params = {"p": np.array([1.0])}
    OPTIMISERS["rmsprop"](params).update(params, {"p": np.array([2.0])}, 0.1)
    # s = 0.01 * 2^2 = 0.04, so the step is 0.1 * 2 / 0.2
    np.testing.assert_allclose(params["p"], 1 - 1.0, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_walks_down_a_bowl(name):
    params = {"a": np.array([3.0, -2.0]), "b": np.array([[1.5]])}
    optimiser = OPTIMISERS[name](params)
    for _ in range(400):
        grads = {key: 2 * value for key, value in params.items()}
        optimiser.update(params, grads, 0.3 if name == "adagrad" else 0.05)
    assert all(np.abs(value).max() < 0.7 for value in params.values())


def test_clipping_keeps_the_direction():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert clip_by_global_norm(grads, 10.0) == 5.0
    assert grads["a"][0] == 3
    assert clip_by_global_norm(grads, 1.0) == 5.0
    np.testing.assert_allclose(grads["a"], [0.6, 0])
    np.testing.assert_allclose(grads["b"], [[0.8]])
    assert np.isnan(clip_by_global_norm({"a": np.array([np.nan])}, 1.0))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_start_at_1_and_never_rise(name):
    factors = [learning_rate_factor(name, done) for done in np.linspace(0, 0.999, 200)]
    assert factors[0] == 1
    assert all(a >= b for a, b in itertools.pairwise(factors))
    assert min(factors) >= 0


def test_linear_schedule_by_hand():
    assert [learning_rate_factor("linear", x) for x in (0.5, 0.75)] == [1.0, 0.5]
