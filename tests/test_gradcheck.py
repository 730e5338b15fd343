"""The gradient check itself: it must find what is wrong."""

import numpy as np
import pytest

from mrnn_np import gradient_cases, layers
from mrnn_np.cli import main
from mrnn_np.gradcheck import check_gradient, check_projection
from mrnn_np.gradient_cases import check_layer, model_case, small_model


def quadratic(x):
    return lambda: float((x**3).sum())


def test_a_right_gradient_passes():
    x = np.random.default_rng(0).standard_normal((3, 4))
    (check,) = check_gradient(
        quadratic(x), {"x": x}, {"x": 3 * x**2}, np.random.default_rng(1)
    )
    assert check.passed and check.entries == 12


def test_one_wrong_entry_is_found_and_named():
    x = 1 + np.random.default_rng(0).random((3, 4))
    before = x.copy()
    dx = 3 * x**2
    dx[2, 1] *= 1 + 1e-5
    (check,) = check_gradient(
        quadratic(x), {"x": x}, {"x": dx}, np.random.default_rng(1)
    )
    assert not check.passed
    assert check.index == (2, 1)
    assert "x[2, 1]: analytic" in str(check) and "numeric" in str(check)
    np.testing.assert_array_equal(x, before)


def test_projection_finds_one_wrong_entry():
    x = 1 + np.random.default_rng(0).random((30, 40))
    dx = 3 * x**2
    args = ("x", quadratic(x), {"x": x})
    assert check_projection(*args, {"x": dx}, np.random.default_rng(1)).passed
    dx[2, 1] *= 1.01
    assert not check_projection(*args, {"x": dx}, np.random.default_rng(1)).passed


def test_a_nan_is_a_failure():
    x = np.ones(2)
    dx = np.array([3.0, np.nan])
    (check,) = check_gradient(
        quadratic(x), {"x": x}, {"x": dx}, np.random.default_rng(1)
    )
    assert not check.passed


def test_float32_is_refused():
    x = np.ones(2, np.float32)
    with pytest.raises(TypeError, match="float64"):
        check_gradient(quadratic(x), {"x": x}, {"x": x}, np.random.default_rng(1))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_whole_model(dropout):
    for check in model_case(1, dropout):
        assert check.passed, str(check)


BROKEN = {
    "recurrent without a gradient of U": (
        "recurrent_backward",
        lambda dout, cache: _without_dU(*layers.recurrent_backward(dout, cache)),
    ),
    "softmax without the one-hot": (
        "output_backward",
        lambda dlosses, cache, buffers: _without_onehot(dlosses, *cache),
    ),
    "stanh with the slope of tanh": (
        "stanh_backward",
        lambda dout, out: dout * (1 - out**2),
    ),
    "embedding overwrites instead of adding": (
        "embedding_backward",
        lambda dout, cache, buffers: _overwrite(dout, *cache),
    ),
}


def _without_dU(dx, dU, db):
    return dx, 0 * dU, db


def _without_onehot(dlosses, exps, totals, targets, m, W):
    dz = exps * (dlosses / totals)[:, None]
    return dz @ W.T, m.T @ dz, dz.sum(axis=0)


def _overwrite(dout, tokens, table):
    dtable = np.zeros_like(table)
    dtable[tokens] = dout
    return dtable


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_backward_pass_is_caught(monkeypatch, fault):
    name, broken = BROKEN[fault]
    monkeypatch.setattr(f"mrnn_np.models.mrnn.{name}", broken)
    checks = model_case(0)
    assert any(not check.passed for check in checks[:-1]), "element by element"
    assert not checks[-1].passed, "by projection"


def test_truncated_back_propagation_is_caught():
    def truncated(dout, cache):
        _, dU, db = layers.recurrent_backward(dout, cache)
        return dout * (cache[0] > 0), dU, db  # dx stops after one step

    rng = np.random.default_rng(0)
    sizes = np.array([2] * 15)
    checks = check_layer(
        lambda x, U, b: layers.recurrent_forward(x, U, b, sizes),
        truncated,
        {
            "x": rng.standard_normal((30, 3)),
            "U": np.eye(3) * 0.9,
            "b": rng.standard_normal(3),
        },
        rng,
    )
    assert not checks[0].passed
    assert checks[2].passed


def test_command_prints_the_table_and_succeeds(capsys):
    assert main(["gradcheck", "--seed", "2"]) == 0
    shown = capsys.readouterr().out
    assert "all gradients are right" in shown
    assert shown.count(" ok\n") > 35


def test_command_exits_1_and_names_the_entry(monkeypatch, capsys):
    monkeypatch.setattr(
        gradient_cases.layers,
        "stanh_backward",
        lambda dout, out: dout * (1 - out**2),
    )
    assert main(["gradcheck"]) == 1
    shown = capsys.readouterr()
    assert "WRONG" in shown.out
    assert "S-tanh: x[" in shown.err and "numeric" in shown.err


def test_the_small_model_checks_all_its_parameters():
    model = small_model(np.random.default_rng(0))
    assert {check.name for check in model_case(0)} == {*model.params, "all"}
